/* One cell of the matrix: one piece of work over one transport by one client, and how it went. */
#pragma once
#include "base/error.h"
#include "format/json.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cell {
    char *transport;
    char *client; /* "libssh" "openssh" "ansible" */
    /* "echo" "idle" "trickle" "bulk-down" "bulk-up" "throttled" "bursts" "disk" "processes" "channels"
     * "package" "idle-burst" */
    char *work;
    struct json *parameters; /* what of "bytes" "seconds" "rate" "segment" "count" the work takes */
    bool ok;
    /* "ok" "stalled" "reset" "closed" "refused" "timeout" "auth" "dns" "channel-refused" "proxy-exit"
     * "daemon" "policy" "host-key" "remote-failed" "skipped"; NULL: it was not taken yet */
    char *ended;
    char *message; /* NULL: nothing more is to be said */
    int64_t duration_ns, last_good_ns /* when the last byte came or went, since its begin */;
    uint64_t bytes; /* that came or went, of the work alone */
    int stalls;     /* longer than a second */
    char *tcp_state /* at the end; NULL: not known */, *path /* the tailnet's then; NULL: none */;
};

void cell_clear(struct cell *cell);
/* Clears each and the array. NULL is fine. */
void cells_free(struct cell *cells, size_t count);
/* All of it, as `diagnose --json` and the store have it. */
struct json *cell_json(const struct cell *cell);
/* What is absent or of another type is as it is in a cell that was not taken. */
void cell_of_json(const struct json *object, struct cell *out);
/* Whether both are the same piece of work over the same transport by the same client. */
bool cell_is_alike(const struct cell *a, const struct cell *b);
int64_t cell_parameter(const struct cell *cell, const char *name, int64_t otherwise);
