/* What was seen beside the cells of a matrix: of the daemons, the peer, names, masters and losses. Data
 * alone; whoever looks fills it in. What was not looked at is absent, which is never evidence. */
#pragma once
#include "format/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Over one transport. Counts are -1 where nobody counted. */
struct surroundings_way {
    char *transport;
    /* Of this machine's tailscaled: "answers" "absent" "silent" (it accepts and never answers) "not-running"
     * (it answers, and is in no tailnet). NULL: not looked at, or the way needs none. */
    char *daemon, *daemon_said;
    /* Of the host's: "online" "offline" "unknown" (the tailnet has no such peer); NULL: not looked at. */
    char *peer;
    int pings, pongs; /* between the two daemons, below the host's own network */
    /* Of a calm trickle, as the kernels of both ends counted them. */
    int64_t segments, segments_again;
    int rounds, rounds_late; /* small round trips, and those of them that waited for a retry */
    char *path;              /* "direct" "relay" "peer-relay"; NULL: not known */
    /* What came of connecting to the ssh port alone: "open" "refused" "silent"; NULL: not looked at. And
     * whether anything else of the host answered over this way: -1 not looked at, 0, 1. */
    char *port;
    int host_answers;
};

struct surroundings_master {
    char *path;  /* of its socket */
    char *state; /* "answers" "frozen" (it accepts and never answers) "stale" (nobody listens) */
};

struct surroundings {
    char *node;    /* this machine */
    char *network; /* of this machine, in a line: namespace, interface of the route, its MTU */
    struct surroundings_way *ways;
    size_t way_count;
    char *name,
        *name_error; /* that the target is reached by, and why it was not found; NULL: it is a number */
    struct surroundings_master *masters;
    size_t master_count;
};

#define SURROUNDINGS_INIT                        \
    {                                            \
        NULL, NULL, NULL, 0, NULL, NULL, NULL, 0 \
    }
#define AUTO_SURROUNDINGS __attribute__((cleanup(surroundings_clear))) struct surroundings

/* A new one, with nothing known of it; owned by the surroundings, and moves when another is added. */
struct surroundings_way *surroundings_add_way(struct surroundings *surroundings, const char *transport);
void surroundings_add_master(struct surroundings *surroundings, const char *path, const char *state);
/* NULL where nothing is known of it. */
const struct surroundings_way *surroundings_way(const struct surroundings *surroundings,
                                                const char *transport);
/* Of a hundred segments how many were sent again; -1 where too few were counted. */
double surroundings_loss(const struct surroundings_way *way);
struct json *surroundings_json(const struct surroundings *surroundings);
void surroundings_of_json(const struct json *object, struct surroundings *out);
void surroundings_clear(struct surroundings *surroundings);
