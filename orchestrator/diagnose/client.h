/* Who takes a cell: the calls of a client, a const struct and one file each. */
#pragma once
#include "diagnose/cell.h"
#include "diagnose/cell_order.h"
#include "diagnose/work.h"
#include "net/ssh_session.h"
#include "transport/ssh_options.h"

/* One work on its way, and what came of it. */
struct trial {
    const struct cell_order *order;
    const struct cell *cell;
    const struct work *work;
    const struct ssh_arguments *ssh;
    const char *ended; /* as in struct cell; static */
    struct text message;
    int64_t begun_ns; /* of the work itself, since the trial's begin */
    int64_t last_good_ns;
    uint64_t bytes;
    int stalls;
    char *tcp_state;
};

/* -1 where nothing could be tried. */
typedef int client_call(struct trial *trial, struct error *err);
client_call client_libssh, client_openssh, client_ansible;

/* How long a work may be silent before it is given up. */
int64_t trial_silence_ns(const struct work *work);
/* What the kernel says of a connection, in a line; malloc'ed. */
char *trial_tcp_text(const struct tcp_state *tcp);
/* Of the first connection that this process or one below it has: what the last look saw is the trial's. For a
 * stream's on_look. */
void trial_look_at_tcp(void *context, pid_t pid);
/* Takes the sum over the channels of a work that came to its end, however that was: `broken` (NULL: it
 * did not) says how the connection ended. */
void trial_take(struct trial *trial, const struct ssh_channel_end *ends, int count, const char *broken);
/* Whether bytes came until shortly before the end over any of the channels: a work that did not come to its
 * end in time was slow then, and not stalled. */
bool trial_moved(const struct ssh_channel_end *ends, int count);
/* How a connection ended, in the words of a cell, from what ssh or a proxy said; "closed" where that says
 * nothing. Static. */
const char *trial_words_end(const char *words);
