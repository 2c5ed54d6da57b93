/* What `diagnose` is to find out, made real between an operator and a host of the lab's tailnet: a table of
 * causes, each with the word that is right. The operator has no TUN, but for the one way that is well over
 * one. Functions fail the test by themselves. */
#pragma once
#include "lab/tailnet.h"

struct causes {
    struct lab *lab;
    struct tailnet_lab *tailnet;
    struct tailnet_operator *op;    /* from whose machine it is asked */
    struct tailnet_operator *other; /* the one of before, where a cause took another */
    struct rig *guest;
    const char *address; /* of the guest, in the tailnet */
};

struct cause {
    const char *name, *word;
    const char *size; /* "--quick" where that is enough to meet it; NULL: the usual matrix */
    int code;         /* that diagnose ends with */
    void (*harm)(struct causes *causes), (*mend)(struct causes *causes);
};

/* NULL behind the last of both lists. */
extern const struct cause causes_of_ten[], causes_healthy[];

/* An operator over userspace, joined; a guest, joined; a project whose target is that guest over nothing
 * else. */
struct causes causes_new(void);
struct causes_said {
    char *variable, *words; /* of the first finding */
    double seconds;
    int code;
    char *all; /* what it printed */
};
/* Harms, diagnoses, mends; malloc'ed strings are kept. */
struct causes_said causes_diagnose(struct causes *causes, const struct cause *cause, const char *size);
const struct cause *causes_named(const char *name);
void causes_end(struct causes *causes);
