#include "action/transport_watch.h"

#include "action/mux_master.h"
#include "base/memory.h"
#include "base/moment.h"

#include <stdlib.h>

struct transport_watch {
    struct transport_watch_plan plan;
    struct timer *timer;
    struct mux_master master; /* pid 0: none is known */
    struct path_health health;
    struct path_sample last; /* of a master that was there */
    enum path_state seen;
    pid_t seen_pid;
    bool patient, struck;
    transport_watch_function *function;
    void *context;
};

/* False when there is no master now. */
static bool look(struct transport_watch *watch, struct path_sample *out)
{
    *out = (struct path_sample){.at_ns = moment_monotonic()};
    if (mux_master_look(&watch->master, &out->stopped, &out->tcp))
        return true;
    /* Gone, or never there: whoever listens there now is another, with a past of its own. */
    watch->master.pid = 0;
    watch->health = (struct path_health){0};
    return mux_master_find(watch->plan.run, watch->plan.control_path, &watch->master) &&
           mux_master_look(&watch->master, &out->stopped, &out->tcp);
}

static void on_time(void *context)
{
    struct transport_watch *watch = context;
    struct path_sample sample;
    int64_t again = NS_PER_S;
    if (look(watch, &sample)) {
        const struct path_limits limits = {watch->patient ? watch->plan.grace_ns : watch->plan.lost_ns,
                                           watch->patient ? watch->plan.grace_ns : watch->plan.silent_ns};
        path_health_judge(&watch->health, &limits, &sample, &again);
        if (watch->health.state != PATH_UNSEEN) {
            watch->seen = watch->health.state;
            watch->seen_pid = watch->master.pid;
            watch->last = sample;
        }
        if (path_state_is_end(watch->health.state) && !watch->struck) {
            watch->struck = true;
            watch->function(watch->context);
            return;
        }
    }
    timer_arm(watch->timer, again);
}

struct transport_watch *transport_watch_start(struct loop *loop, const struct transport_watch_plan *plan,
                                              transport_watch_function *function, void *context)
{
    if (!plan->control_path)
        return NULL;
    struct transport_watch *watch = xcalloc(1, sizeof *watch);
    watch->plan = *plan;
    watch->function = function;
    watch->context = context;
    watch->timer = loop_timer(loop, on_time, watch);
    timer_arm(watch->timer, NS_PER_S);
    return watch;
}

void transport_watch_be_patient(struct transport_watch *watch, bool patient)
{
    if (watch)
        watch->patient = patient;
}

void transport_watch_end(struct transport_watch *watch)
{
    if (watch)
        timer_disarm(watch->timer);
}

void transport_watch_free(struct transport_watch **watch)
{
    if (!*watch)
        return;
    timer_free(&(*watch)->timer);
    free(*watch);
    *watch = NULL;
}

enum path_state transport_watch_state(const struct transport_watch *watch)
{
    return watch ? watch->seen : PATH_UNSEEN;
}

char *transport_watch_words(const struct transport_watch *watch)
{
    enum path_state state = transport_watch_state(watch);
    if (state == PATH_UNSEEN)
        return NULL;
    const struct tcp_state *tcp = &watch->last.tcp;
    AUTO_FREE char *acked = duration_show(tcp->ack_age_ns), *answered = duration_show(tcp->received_age_ns);
    switch (state) {
    case PATH_DEAD:
    case PATH_BACKING_OFF:
        return xasprintf("%s has acknowledged nothing for %s (%u bytes wait, tried again %u times): the path "
                         "is dead",
                         tcp->remote, acked, tcp->send_queue, tcp->retransmits);
    case PATH_HOST_SILENT:
        return xasprintf("%s acknowledges, but its sshd has not answered for %s: the host is silent",
                         tcp->remote, answered);
    case PATH_MASTER_STOPPED:
    case PATH_MASTER_LOST:
        return xasprintf("the ssh master (pid %d) is stopped", (int)watch->seen_pid);
    default:
        return NULL;
    }
}

pid_t transport_watch_gone(const struct transport_watch *watch)
{
    struct mux_master other;
    struct path_sample now;
    if (!watch || !watch->seen_pid ||
        (watch->master.pid && mux_master_look(&watch->master, &now.stopped, &now.tcp)) ||
        mux_master_find(watch->plan.run, watch->plan.control_path, &other))
        return 0;
    return watch->seen_pid;
}
