/* Asks the tailscaled that carries a phase's connection, again and again and only in callbacks of the loop,
 * how it and the peer are: for the judgement (transport/tailnet_health.h), and for the samples of the path
 * that the store keeps. Its LocalAPI is asked over the daemon's socket, with one ping of the peer for each
 * suspicion. */
#pragma once
#include "format/json.h"
#include "process/loop.h"
#include "transport/tailnet_health.h"
#include <sys/types.h>

struct tailnet_watch_plan {
    const char *socket;  /* NULL: tailscale's default */
    const char *address; /* of the peer, or its name; NULL: nothing to watch */
};

struct tailnet_watch;
/* After each look that was judged. */
typedef void tailnet_watch_judged(void *context, enum path_state state);
/* A sample of the path, borrowed for the call: at first, whenever path, health or the daemon's answer became
 * another, every 15 s, and at the end. `direct`: 0, 1; -1 unknown. Members of `detail`: path (as of
 * tailnet/status.h), via (ip:port, DERP code or peer relay), received, sent, handshake_age_ms (NULL: never),
 * online, daemon (its state), health (list); where the daemon gives no answer: daemon null, error. */
typedef void tailnet_watch_sample(void *context, int direct, struct json *detail, int64_t at_wall_ns);

/* What the plan points to must outlive the watch. NULL where there is nothing to watch, or libcurl is
 * missing. `sample` may be NULL. */
struct tailnet_watch *tailnet_watch_start(struct loop *loop, const struct tailnet_watch_plan *plan,
                                          int64_t lost_ns, tailnet_watch_judged *judged,
                                          tailnet_watch_sample *sample, void *context);
/* The ssh master whose bytes tell, from now on; 0: none. */
void tailnet_watch_set_master(struct tailnet_watch *watch, pid_t pid);
/* From now on. NULL is fine, as everywhere below. */
void tailnet_watch_set_lost(struct tailnet_watch *watch, int64_t lost_ns);
/* Looks no more; the last sample is given. */
void tailnet_watch_end(struct tailnet_watch *watch);
void tailnet_watch_free(struct tailnet_watch **watch);
/* What the last look saw, PATH_UNSEEN where none was. */
enum path_state tailnet_watch_state(const struct tailnet_watch *watch);
/* That in words, with what the daemon said; malloc'ed, NULL where there is nothing to say. */
char *tailnet_watch_words(const struct tailnet_watch *watch);
