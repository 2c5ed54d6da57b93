/* The peers of a target: other targets of the project that stand in its inventory too, for delegation. */
#pragma once
#include "ansible/inventory.h"
#include "base/error.h"

struct peers {
    struct inventory_host *hosts; /* borrow from what stands below, and from the project */
    struct machine **machines;
    struct ssh_arguments *ssh;
    char **control_paths;
    size_t count;
};

#define PEERS_INIT                \
    {                             \
        NULL, NULL, NULL, NULL, 0 \
    }
#define AUTO_PEERS __attribute__((cleanup(peers_clear))) struct peers

enum {
    PEERS_LENIENT = 1,
    PEERS_WITH_AGENTS = 2, /* a key that needs one is taken from the run's agent */
};
/* Finds their machines in the store and their ssh arguments over the first transport of each one's list, with
 * sockets of the run's own (the folders are made). `state`: the .triphase folder. `how`: PEERS_….
 * ERROR_PROJECT for a peer that is not what was made of it, and for one that is not made, unless
 * PEERS_LENIENT leaves it out. `out` is to be freed in any case. */
int peers_find(const struct project *project, const struct target *target, const char *state, const char *run,
               int alive_count, unsigned how, struct peers *out, struct error *err);
void peers_clear(struct peers *peers);
