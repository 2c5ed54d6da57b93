/* What `trust` shows: the host keys that are known and the one that the host shows
 * now, by their fingerprints. */
#pragma once
#include "base/words.h"

struct trust_view {
    const char *target, *address; /* address may be NULL */
    int port;
    struct words known; /* "ED25519 SHA256:…" */
    char *offered;      /* the same */
    bool unchanged, taken;
};

/* -1 when stdout could not be written. */
int trust_view_print(const struct trust_view *view);
/* {"version":1,"target","address","port","known":[…],"offered","changed","taken"} */
int trust_view_print_json(const struct trust_view *view);
