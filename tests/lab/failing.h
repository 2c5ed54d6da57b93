/* Calls that fail on purpose in the program that is tested: the nth write, open, fsync, rename, allocation…
 * of its processes, by a library loaded into them. On top of lab.h; nothing of the program is made for it. */
#pragma once
#include "lab/interpose/control.h"
#include "lab/lab.h"

struct fault {
    unsigned calls; /* of enum fault_calls */
    int error;      /* errno, or FAULT_SHORT */
    bool forever;   /* all that come after it fail too */
    /* beginning of the process's name (15 characters), as "triphase-worker"; NULL: all of triphase's */
    const char *process;
    const char *below; /* folder below the lab's; NULL: .triphase */
};

/* From here on the lab's commands are started with the library, which does nothing yet. */
void failing_load(struct lab *lab);
/* The nth call from now on fails (0: none does, they are counted). */
void failing_arm(struct lab *lab, const struct fault *fault, uint64_t nth);
/* Ends it: what fails later fails by itself. NULL when nothing struck, else the call and its file; kept
 * until the next failing_arm. */
const char *failing_disarm(struct lab *lab);
/* Calls since failing_arm. */
uint64_t failing_count(struct lab *lab);
