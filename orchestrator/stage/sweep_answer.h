/* What a host said when it was asked what an ended step left there (host/sweep.sh): lines in a strict form,
 * read under bounds. The host may be broken or hostile: whatever it says concerns the steps that it was asked
 * about and nothing else. Pure. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

enum { SWEEP_LOOKS_MOST = 8, SWEEP_NAMED_MOST = 8, SWEEP_NAME_SIZE = 40, SWEEP_COUNT_MOST = 99999 };

struct sweep_look_answer {
    bool answered;
    /* processes of the step: all, those that KILL had to end, those that are still there */
    int found, killed, left;
    int jobs, units;                               /* left alone: async jobs of the run, services */
    char session[16];                              /* seen gone shared rebooted unknown */
    char names[SWEEP_NAMED_MOST][SWEEP_NAME_SIZE]; /* "PID NAME" of the first that are left */
    int named;
};

struct sweep_answer {
    bool whole; /* it came to its end */
    int uid;
    char boot[72], unit[72];
    struct sweep_look_answer looks[SWEEP_LOOKS_MOST];
    size_t look_count; /* as asked */
    int jobs;          /* async jobs of the run that have not ended */
    char ids[SWEEP_NAMED_MOST][SWEEP_NAME_SIZE];
    int id_count;
};

/* Reads the answer to a question with this nonce about `look_count` steps. Bytes before its first line (a
 * login shell's own) are passed over. ERROR_SYSTEM when it is none, is cut off, or says what no such answer
 * says; `out` then holds nothing to rely on. */
int sweep_answer_read(const char *bytes, size_t length, const char *nonce, size_t look_count,
                      struct sweep_answer *out, struct error *err);
/* One line for the row of the step: what was looked at, as whom, what was found. malloc'ed. */
char *sweep_answer_evidence(const struct sweep_answer *answer, size_t look);
