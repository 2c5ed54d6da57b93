#include "transport/watch.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/knock.h"
#include "transport/mux_master.h"
#include "transport/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define KNOCK_APART (KNOCK_APART_S * NS_PER_S)

struct transport_watch {
    struct transport_watch_plan plan;
    struct loop *loop;
    struct timer *timer;
    struct mux_master master; /* pid 0: none is known */
    struct path_health health;
    struct path_sample last; /* of a master that was there */
    enum path_state seen;
    pid_t seen_pid;
    int knock; /* a new connection that is not decided yet; -1: none */
    struct watch *knocking;
    bool knocked, answered; /* of this suspicion */
    int64_t knocked_ns;     /* monotonic; 0: never */
    int64_t due_ns;         /* the next look, monotonic */
    bool patient, over;
    struct tailnet_watch *tailnet; /* NULL: not over one */
    transport_watch_function *function;
    tailnet_watch_sample *sample;
    void *context;
};

void transport_watch_plan_way(struct transport_watch_plan *plan, enum transport_kind kind,
                              const struct machine *machine, const struct target *target)
{
    const struct transport *way = transport_calls(kind);
    plan->by_daemon = way->by_daemon;
    plan->tailnet =
        (struct tailnet_watch_plan){.socket = target->tailscale_socket,
                                    .address = way->of_tailnet ? machine_address(machine, kind) : NULL};
}

static void knock_end(struct transport_watch *watch)
{
    watch_stop(&watch->knocking);
    if (watch->knock >= 0)
        close(watch->knock);
    watch->knock = -1;
}

static void look_in(struct transport_watch *watch, int64_t delay_ns)
{
    watch->due_ns = moment_monotonic() + delay_ns;
    timer_arm(watch->timer, delay_ns);
}

/* One that is refused came through as well; what this machine itself says of the way is no answer. */
static bool is_answer(int decided)
{
    return decided == 0 || decided == ECONNREFUSED || decided == ECONNRESET;
}

static void on_knock(void *context, uint32_t events)
{
    (void)events;
    struct transport_watch *watch = context;
    watch->answered = is_answer(knock_decided(watch->knock));
    knock_end(watch);
}

/* One for each suspicion: TCP tries it again by itself, and the host counts
 * connections that do not log in. */
static void knock_when_wanted(struct transport_watch *watch)
{
    struct sockaddr_storage peer;
    int64_t now = moment_monotonic();
    if (!watch->health.knock) {
        knock_end(watch);
        watch->knocked = watch->answered = false;
    } else if (!watch->knocked && (!watch->knocked_ns || now - watch->knocked_ns >= KNOCK_APART)) {
        socklen_t size = tcp_state_peer(&watch->master.socket, &peer);
        watch->knocked = true;
        watch->knocked_ns = now;
        watch->knock = knock_begin((const struct sockaddr *)&peer, size);
        if (watch->knock >= 0 &&
            loop_watch(watch->loop, watch->knock, EPOLLOUT, on_knock, watch, &watch->knocking, NULL) < 0)
            knock_end(watch);
    }
}

/* Where there is no master now, there is no connection in the sample. */
static void look(struct transport_watch *watch, struct path_sample *out)
{
    *out = (struct path_sample){.at_ns = moment_monotonic(), .answered = watch->answered};
    if (mux_master_look(&watch->master, &out->stopped, &out->tcp))
        return;
    tailnet_watch_set_master(watch->tailnet, 0);
    /* Gone, or never there: whoever listens there now is another, with a past of its own. */
    knock_end(watch);
    watch->knocked = watch->answered = out->answered = out->stopped = false;
    watch->master.pid = 0;
    watch->health = (struct path_health){0};
    if (!mux_master_find(watch->plan.run, watch->plan.control_path, &watch->master) ||
        !mux_master_look(&watch->master, &out->stopped, &out->tcp)) {
        watch->master.pid = 0;
        out->stopped = false;
    }
    tailnet_watch_set_master(watch->tailnet, watch->master.pid);
}

static int64_t lost_ns(const struct transport_watch *watch)
{
    const struct phase_limits *limits = watch->plan.limits;
    return watch->patient ? limits->transport_grace_ns : limits->transport_lost_ns;
}

/* Its word counts where no socket of ours tells. */
static bool is_by_daemon(const struct transport_watch *watch)
{
    return watch->plan.by_daemon && !path_state_is_end(watch->seen);
}

static void on_tailnet(void *context, enum path_state state)
{
    struct transport_watch *watch = context;
    if (!path_state_is_end(state) || !is_by_daemon(watch) || watch->over)
        return;
    transport_watch_end(watch);
    watch->function(watch->context);
}

static void on_sample(void *context, int direct, struct json *detail, int64_t at_ns)
{
    struct transport_watch *watch = context;
    if (watch->sample)
        watch->sample(watch->context, direct, detail, at_ns);
}

static void on_time(void *context)
{
    struct transport_watch *watch = context;
    struct path_sample sample;
    int64_t again;
    look(watch, &sample);
    const struct phase_limits *plan = watch->plan.limits;
    const struct path_limits limits = {lost_ns(watch),
                                       watch->patient ? plan->transport_grace_ns : plan->host_silent_ns};
    path_health_judge(&watch->health, &limits, &sample, &again);
    if (watch->health.state != PATH_UNSEEN) {
        watch->seen = watch->health.state;
        watch->seen_pid = watch->master.pid;
        watch->last = sample;
    }
    if (path_state_is_end(watch->health.state)) {
        transport_watch_end(watch);
        watch->function(watch->context);
        return;
    }
    knock_when_wanted(watch);
    look_in(watch, again);
}

struct transport_watch *transport_watch_start(struct loop *loop, const struct transport_watch_plan *plan,
                                              transport_watch_function *function,
                                              tailnet_watch_sample *sample, void *context)
{
    if (!plan->control_path)
        return NULL;
    struct transport_watch *watch = xcalloc(1, sizeof *watch);
    watch->plan = *plan;
    watch->loop = loop;
    watch->knock = -1;
    watch->function = function;
    watch->sample = sample;
    watch->context = context;
    watch->tailnet = tailnet_watch_start(loop, &plan->tailnet, lost_ns(watch), on_tailnet, on_sample, watch);
    watch->timer = loop_timer(loop, on_time, watch);
    /* The first look has to find the master: that is cheapest before Ansible has anything to do. */
    look_in(watch, 0);
    return watch;
}

void transport_watch_be_patient(struct transport_watch *watch, bool patient)
{
    if (!watch || watch->patient == patient || watch->over)
        return;
    /* The time until the next look was that of the limits before; one that is due sooner stays. */
    watch->patient = patient;
    tailnet_watch_set_lost(watch->tailnet, lost_ns(watch));
    if (watch->due_ns > moment_monotonic() + NS_PER_S)
        look_in(watch, NS_PER_S);
}

void transport_watch_end(struct transport_watch *watch)
{
    if (!watch)
        return;
    watch->over = true;
    knock_end(watch);
    timer_disarm(watch->timer);
    tailnet_watch_end(watch->tailnet);
}

void transport_watch_free(struct transport_watch **watch)
{
    if (!*watch)
        return;
    knock_end(*watch);
    timer_free(&(*watch)->timer);
    tailnet_watch_free(&(*watch)->tailnet);
    free(*watch);
    *watch = NULL;
}

enum path_state transport_watch_state(const struct transport_watch *watch)
{
    if (!watch)
        return PATH_UNSEEN;
    return is_by_daemon(watch) ? tailnet_watch_state(watch->tailnet) : watch->seen;
}

int64_t transport_watch_knocked(const struct transport_watch *watch)
{
    return watch ? watch->knocked_ns : 0;
}

bool transport_watch_is_unanswered(const struct transport_watch *watch)
{
    return watch && watch->seen == PATH_DEAD && watch->knocked && !watch->last.answered;
}

static const char *knock_words(const struct transport_watch *watch)
{
    if (!watch->health.knock)
        return "";
    return watch->last.answered ? "; a new connection gets an answer"
                                : "; a new connection gets no answer either";
}

char *transport_watch_words(const struct transport_watch *watch)
{
    enum path_state state = transport_watch_state(watch);
    if (state == PATH_UNSEEN)
        return NULL;
    if (is_by_daemon(watch))
        return tailnet_watch_words(watch->tailnet);
    const struct tcp_state *tcp = &watch->last.tcp;
    AUTO_FREE char *acked = duration_show(tcp->ack_age_ns), *answered = duration_show(tcp->received_age_ns);
    switch (state) {
    case PATH_DEAD:
    case PATH_BACKING_OFF:
        return xasprintf(
            "%s has acknowledged nothing for %s (%u bytes wait, tried again %u times%s): the path "
            "is dead",
            tcp->remote, acked, tcp->send_queue, tcp->retransmits, knock_words(watch));
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
