/* What a host said when it was asked whether it is ready (host/ready.sh): lines in a strict form, read under
 * bounds. The host may be broken or hostile. Pure. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "format/json.h"
#include <stdint.h>

enum ready_state {
    READY_OK,
    READY_WARNED, /* it is, and there is something to say */
    READY_ABSENT, /* the host has no such thing */
    READY_OFF,    /* it has, and does not use it */
    READY_FAILED, /* it never will be */
    READY_LATE,   /* it was not when the time was over */
    READY_GOING,  /* it reboots */
};

struct ready_answer {
    enum ready_state state;
    char *boot;        /* changes with each boot, also of a container */
    double now_s;      /* the host's clock when it was asked */
    struct words said; /* printable lines for people */
    /* of cloud-init; NULL: not told, or no JSON */
    struct json *record; /* its stages */
    struct json *status; /* as `cloud-init status` has it */
    double finished_s;   /* when it was over by the host's clock; 0: not told */
};
#define READY_ANSWER_INIT                         \
    {                                             \
        .state = READY_FAILED, .said = WORDS_INIT \
    }
#define AUTO_READY_ANSWER __attribute__((cleanup(ready_answer_clear))) struct ready_answer
void ready_answer_clear(struct ready_answer *answer);

/* Reads the answer to a question with this nonce. Bytes before its first line (a login shell's own) are
 * passed over. ERROR_UNREACHABLE when it breaks off, ERROR_SYSTEM when it is none. */
int ready_answer_read(const char *bytes, size_t length, const char *nonce, struct ready_answer *out,
                      struct error *err);
