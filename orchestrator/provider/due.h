/* What a sweep may do with a machine: of what a provider lists, beside what the store knows of it, and the
 * moment that counts. Pure. */
#pragma once
#include "event/machine.h"
#include "provider/listed.h"

enum due {
    DUE_GOES,    /* it is past its time, and this project's */
    DUE_STAYS,   /* it is this project's, and something keeps it */
    DUE_FOREIGN, /* it is another's, or nobody said whose: never touched */
};

struct due_case {
    const struct machine *machine; /* the row of this project's store; NULL: no row knows it */
    const struct listed *listed;   /* NULL: its provider lists nothing of it */
    const char *project_id;        /* of this project; NULL: it has none yet */
    bool protected;                /* the files say so of its target */
    bool unasked;                  /* its provider could not be asked what is there */
    bool asked;                    /* it was, and answered */
    bool irremovable;              /* its provider cannot remove what no store knows */
    const char *busy;              /* who has its target's lock; NULL: nobody */
    int64_t now_ns;                /* by the provider's clock where it told one */
};

/* `why` (malloc'ed): why it goes or stays, or whose it is. */
enum due due_decide(const struct due_case *of, char **why);
/* The moment that counts: the provider's clock, where it told one (0: it did not), else this machine's. Of
 * two that are more than 10 minutes apart the earlier, for one of them is wrong: only what is past by both
 * goes. `ahead_ns`: by how much the provider's is ahead then, else 0. */
int64_t due_now(int64_t provider_ns, int64_t own_ns, int64_t *ahead_ns);
/* "expires in 2 h", "expired 5 m ago"; of 0 "never expires". malloc'ed. */
char *due_expiry(int64_t expires_ns, int64_t now_ns);
