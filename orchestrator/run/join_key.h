/* What a bootstrap is given to join its host to the tailnet with: a key that is made for it, just before it
 * begins, in a child (process/aside.h), and known nowhere but in the worker's memory and the phase's sealed
 * one. Short-lived, for one device, ephemeral, with the target's tags. */
#pragma once
#include "ansible/secret_fetch.h"

struct join_key {
    char *key; /* NULL: none */
    char *id;  /* of a key that the API made, to delete it by; NULL: a given one, or none */
};

struct join_key_fetch {
    struct secret_fetch secrets; /* of the phase, which are fetched by the same child */
    int64_t deadline_ns;         /* of the phase: so long the key is good for */
    char *old_id;                /* of one that an attempt before was given, to be deleted; NULL: none */
};
/* Whether the target says what a key is had with. */
bool join_key_wanted(const struct target *target);
/* For aside_start; `what` is a struct join_key_fetch. */
aside_work join_key_read;
/* What that read: the secrets go where secret_fetch_take puts them. What `out` held is wiped. */
void join_key_take(const struct join_key_fetch *fetch, const char *bytes, size_t length,
                   struct join_key *out);
/* Deletes the one that its API made, if that is there still; within some seconds. Negative where it could
 * not: it ends by itself then. */
int join_key_delete(struct join_key *key, const struct project *project, const struct target *target,
                    struct error *err);
/* The key is wiped; its id stays, for whoever deletes it. */
void join_key_wipe(struct join_key *key);
void join_key_clear(struct join_key *key);
