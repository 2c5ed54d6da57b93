/* The screen of whoever follows runs: lines that stay, and on a terminal below them one for each run that
 * goes on, drawn again and again. Everything goes to stderr. */
#pragma once
#include "base/text.h"
#include "event/tally.h"
#include "figures/estimate.h"
#include "process/loop.h"
#include <stdbool.h>

/* What the line of a run says. Its owner changes it, and tells the screen. */
struct live_line {
    const char *target;
    char *step; /* NULL between steps */
    int attempt;
    bool is_phase;
    int64_t started_monotonic, deadline_ns; /* of the step */
    struct tally tally;
    struct estimate *estimate; /* NULL: no earlier one is known */
    char *said;                /* by a stage, last. NULL: nothing */
    char *health;              /* of the host, in words; NULL: it is not asked for */
    bool done;                 /* it is not drawn any more */
};

struct live_screen;
/* `terminal`: lines are drawn again and, unless `plain`, there is colour. */
struct live_screen *live_screen_new(struct loop *loop, bool terminal, bool plain);
bool live_screen_is_terminal(const struct live_screen *screen);
/* Borrowed until the screen is freed. */
void live_screen_add(struct live_screen *screen, const struct live_line *line);
/* Something in a line changed. */
void live_screen_changed(struct live_screen *screen);
/* A line that stays. */
void live_screen_say(struct live_screen *screen, const char *line);
/* What goes before an outcome and behind it; empty without colour. */
const char *live_screen_colour(const struct live_screen *screen, const char *outcome);
const char *live_screen_plain(const struct live_screen *screen);
/* What was drawn is erased. */
void live_screen_free(struct live_screen *screen);

/* "  ok=… changed=…"; what went wrong is named where there is any. */
void live_add_counts(struct text *line, int64_t ok, int64_t changes, int64_t failed, int64_t unreachable);
