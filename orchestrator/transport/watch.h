/* The watchdog "transport": looks from outside at the connection of the run's own master while a phase runs,
 * and strikes when the path is dead (transport/path_health.h judges, and says when to look again). It touches
 * nothing; only shortly before it strikes it tries one new connection to the same address, one for each
 * suspicion. Watched is the one control path that the target is reached over, whoever opened its master.
 * Masters of other hosts (peers, the user's inventory) are not: a play may well reboot such a host, and a
 * task that needs one that is gone ends by ServerAlive, in Ansible's own way.
 * Over a tailnet the daemon is asked as well (transport/tailnet_watch.h). Where it has the only connection to
 * the host (no TUN), its judgement ends the phase; where the master has a socket of its own, that decides. */
#pragma once
#include "config/project.h"
#include "config/transport_kind.h"
#include "config/watchdog_facts.h"
#include "event/machine.h"
#include "process/loop.h"
#include "process/scope.h"
#include "transport/path_health.h"
#include "transport/tailnet_watch.h"

struct transport_watch_plan {
    const char *control_path; /* NULL: nothing to watch */
    const struct scope *run;  /* whose members can be its master */
    const struct phase_limits *limits;
    struct tailnet_watch_plan tailnet; /* address NULL: not over a tailnet */
    bool by_daemon;                    /* its daemon has the connection to the host */
};

/* What the way that the phase takes adds to the plan. Borrows from machine and target. */
void transport_watch_plan_way(struct transport_watch_plan *plan, enum transport_kind kind,
                              const struct machine *machine, const struct target *target);

struct transport_watch;
typedef void transport_watch_function(void *context);

/* What the plan points to must outlive the watch. `function` is called once at most; `sample` (NULL: nobody
 * wants them) has the same context. */
struct transport_watch *transport_watch_start(struct loop *loop, const struct transport_watch_plan *plan,
                                              transport_watch_function *function,
                                              tailnet_watch_sample *sample, void *context);
/* A task that outlives a lost connection by itself (async, reboot,
 * wait_for_connection) began, or another one. */
void transport_watch_be_patient(struct transport_watch *watch, bool patient);
/* Looks no more; what was seen can still be asked for. NULL is fine. */
void transport_watch_end(struct transport_watch *watch);
void transport_watch_free(struct transport_watch **watch);

/* What the last look saw of the last master there was; PATH_UNSEEN where none ever
 * was, or `watch` is NULL. */
enum path_state transport_watch_state(const struct transport_watch *watch);
/* That in words ("10.0.0.2:22 has acknowledged nothing for 10.0s …"); malloc'ed, NULL where
 * there is nothing to say. */
char *transport_watch_words(const struct transport_watch *watch);
/* When a new connection was tried last, monotonic; 0: never, or `watch` is NULL. A host counts such
 * connections, so that the next one is to keep its distance. */
int64_t transport_watch_knocked(const struct transport_watch *watch);
/* Whether the path was seen to be dead, and that connection got no answer either. */
bool transport_watch_is_unanswered(const struct transport_watch *watch);
/* Whether the last master there was is gone, without another in its place; its pid, 0: it is
 * there, or none ever was. */
pid_t transport_watch_gone(const struct transport_watch *watch);
