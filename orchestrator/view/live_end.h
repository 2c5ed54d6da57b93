/* What is said of a run that is over: that it went well, or why not. */
#pragma once
#include "base/text.h"
#include "redact/redact.h"
#include <stdbool.h>

/* How triphase begins what it says of a failure, also in a stage's log. */
#define LIVE_STAGE_WORDS "triphase: "

struct live_end {
    const char *target, *run;
    const char *state;          /* the .triphase folder */
    const char *folder;         /* of the run */
    const char *outcome;        /* NULL: none was stored */
    const char *message, *why;  /* of the run; what is known where it has none. NULL: nothing */
    const char *log;            /* that explains it, absolute. NULL: none */
    struct redact_rules *rules; /* what is known as secret */
    bool rules_whole;           /* that is all; else what has the shape of a secret is not shown either */
    int64_t duration_ns;
    const char *colour, *plain; /* around the outcome */
};

/* `crashed`: its worker died without storing the end. One line of a run that went well; else its message, the
 * last lines of the log, where that is, and last that `resume` goes on with it, where it does. */
void live_end_add(struct text *out, const struct live_end *end, bool crashed);
bool live_is_blank(const char *line, size_t length);
