#include "health/watch.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "health/forward.h"
#include "health/way.h"
#include "net/http.h"

#include <string.h>
#include <sys/stat.h>

enum {
    CONNECT_MOST_S = 3,
    BOUND_S = 5,
    NO_WAY_S = 10, /* without a way for so long it counts as not healthy */
    CA_MOST = 1 << 20
};

struct health_watch {
    struct health_watch_plan plan;
    struct http *http;
    struct timer *timer;
    struct http_transfer *asking;
    struct health_forward *forward;
    struct machine *machine; /* NULL: there is none yet */
    char *transport, *control_path;
    char *ca; /* as read last */
    struct stat ca_seen;
    struct {
        int64_t wall_ns, monotonic_ns;
        enum health_via via;
        bool again; /* over a connection of its own, since the one before failed */
    } asked;
    int64_t way_lost_ns; /* wall; 0: there is one */
    struct health_kept kept;
    struct { /* the last look, for the end */
        struct health_sight sight;
        char *message;
    } last;
    char *why; /* there is no way; NULL: there was one */
    bool over;
    health_watch_seen *seen;
    void *context;
};

/* ------------------------------------------------------------ what a look saw */
static void tell(struct health_watch *watch, const struct health_sight *sight)
{
    char *message = xstrdup_or_null(sight->message);
    enum health_worth worth = health_kept_take(&watch->kept, sight);
    watch->last.sight = *sight;
    free(watch->last.message);
    watch->last.message = message;
    watch->last.sight.message = message;
    watch->last.sight.cause = sight->cause ? watch->kept.cause : NULL;
    watch->seen(watch->context, &watch->last.sight, worth);
}

static struct health_sight sight_of(const struct health_watch *watch)
{
    return (struct health_sight){.via = health_via_name(watch->asked.via),
                                 .at_ns = watch->asked.wall_ns,
                                 .took_ns = moment_monotonic() - watch->asked.monotonic_ns};
}

/* While there is no way nothing is known; only what lasts counts, from when the way went. */
static void no_way(struct health_watch *watch, const char *why)
{
    int64_t now = moment_wall();
    free(watch->why);
    watch->why = xstrdup(why);
    if (!watch->kept.any)
        return;
    if (!watch->way_lost_ns)
        watch->way_lost_ns = now;
    bool counted = text_is(watch->kept.cause, "no-way");
    if (!counted && now - watch->way_lost_ns < NO_WAY_S * NS_PER_S)
        return;
    const struct health_sight sight = {.cause = "no-way",
                                       .message = why,
                                       .via = health_via_name(watch->asked.via),
                                       .at_ns = counted ? now : watch->way_lost_ns,
                                       .took_ns = -1};
    tell(watch, &sight);
}

/* ------------------------------------------------------------ asking */
static void ask(struct health_watch *watch, bool again);

/* Through ssh nobody can tell a port that is closed from a service that closes. */
static const char *cause_of(const struct health_watch *watch)
{
    static const char *const closed[] = {"tls", "cut", "reset", "closed", NULL};
    const char *why = http_why(watch->http);
    return watch->asked.via == HEALTH_SSH && text_is_one_of(why, closed) ? "closed" : why;
}

static void on_failure(struct health_watch *watch, const struct error *failure)
{
    if (watch->asked.via == HEALTH_SSH && failure->kind == ERROR_MISSING) {
        health_forward_drop(watch->forward);
        no_way(watch, "the ssh connection to the host is gone");
        return;
    }
    if (watch->kept.healthy && !watch->asked.again) {
        ask(watch, true);
        return;
    }
    struct health_sight sight = sight_of(watch);
    sight.cause = cause_of(watch);
    sight.message = error_text(failure);
    tell(watch, &sight);
}

static void on_done(void *context, const struct http_answer *answer, const struct error *failure)
{
    struct health_watch *watch = context;
    char cause[HEALTH_CAUSE_SIZE];
    if (failure) {
        on_failure(watch, failure);
        return;
    }
    struct health_sight sight = sight_of(watch);
    health_sight_judge(&watch->plan.target->health, answer->status, cause, &sight);
    AUTO_FREE char *message =
        sight.healthy ? NULL : xasprintf("it answers with the status %d", answer->status);
    sight.message = message;
    if (sight.healthy)
        sight.at_ns = moment_wall();
    tell(watch, &sight);
}

/* It may be made by a phase, and another later. Whether it can be had. */
static bool read_ca(struct health_watch *watch, struct error *err)
{
    const char *path = watch->plan.target->health.ca;
    AUTO_TEXT text = TEXT_INIT;
    struct stat now;
    if (!path)
        return true;
    if (stat(path, &now) < 0) {
        error_set(err, ERROR_MISSING, "the certificate %s, which is to be trusted, is not there yet", path);
        return false;
    }
    bool same = watch->ca && now.st_ino == watch->ca_seen.st_ino && now.st_size == watch->ca_seen.st_size &&
                now.st_mtim.tv_sec == watch->ca_seen.st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == watch->ca_seen.st_mtim.tv_nsec;
    if (same)
        return true;
    if (file_read(path, CA_MOST, &text, err) < 0)
        return false;
    free(watch->ca);
    watch->ca = text_take(&text);
    watch->ca_seen = now;
    return true;
}

static char *host_and_port(const char *host, int port)
{
    return strchr(host, ':') ? xasprintf("[%s]:%d", host, port) : xasprintf("%s:%d", host, port);
}

static void begin(struct health_watch *watch, const struct health_way *way, const char *socket)
{
    const struct health_settings *health = &watch->plan.target->health;
    AUTO_ERROR err = ERROR_INIT;
    if (!read_ca(watch, &err)) {
        struct health_sight sight = sight_of(watch);
        sight.early = true;
        sight.cause = "no-ca";
        sight.message = error_text(&err);
        sight.took_ns = -1;
        tell(watch, &sight);
        return;
    }
    AUTO_FREE char *to = host_and_port(way->host, way->port);
    AUTO_FREE char *named = host_and_port(health->server_name ? health->server_name : way->host, way->port);
    AUTO_FREE char *url = xasprintf("http%s://%s%s", health->url.tls ? "s" : "", named, health->url.path);
    int64_t connect = health->every_ns < NS_PER_S ? NS_PER_S : health->every_ns;
    struct http_request request = {
        .method = "GET",
        .url = url,
        .unix_socket = socket,
        .connect_to = health->server_name || socket ? to : NULL,
        .proxy = way->proxy,
        .ca = watch->ca,
        .connect_ns = connect < CONNECT_MOST_S * NS_PER_S ? connect : CONNECT_MOST_S * NS_PER_S,
        .bound_ns = BOUND_S * NS_PER_S,
        .once = watch->asked.again,
    };
    if (http_begin(watch->http, &request, on_done, watch, &watch->asking, &err) < 0)
        on_failure(watch, &err);
}

static void ask(struct health_watch *watch, bool again)
{
    struct health_way way = {.host = NULL};
    AUTO_FREE char *why = NULL;
    const char *unmade = NULL, *socket = NULL;
    if (health_way_find(watch->plan.target, watch->machine, watch->transport, watch->control_path, &way,
                        &why)) {
        no_way(watch, why);
        return;
    }
    if (way.via == HEALTH_SSH &&
        !(socket = health_forward_socket(watch->forward, watch->control_path, way.host, way.port, &unmade))) {
        if (unmade)
            no_way(watch, unmade);
        health_way_clear(&way);
        return; /* it comes back when it is made */
    }
    free(TAKE(watch->why));
    watch->way_lost_ns = 0;
    watch->asked.via = way.via;
    watch->asked.again = again;
    if (!again) {
        watch->asked.wall_ns = moment_wall();
        watch->asked.monotonic_ns = moment_monotonic();
    }
    begin(watch, &way, socket);
    health_way_clear(&way);
}

static void on_time(void *context)
{
    struct health_watch *watch = context;
    timer_arm(watch->timer, watch->plan.target->health.every_ns);
    if (!watch->asking && watch->machine)
        ask(watch, false);
}

static void on_forward(void *context)
{
    health_watch_hurry(context);
}

/* ------------------------------------------------------------ its life */
int health_watch_start(struct loop *loop, const struct health_watch_plan *plan, health_watch_seen *seen,
                       void *context, struct health_watch **out, struct error *err)
{
    struct http *http;
    if (http_open(loop, &http, err) < 0)
        return -1;
    struct health_watch *watch = xcalloc(1, sizeof *watch);
    *watch = (struct health_watch){.plan = *plan, .http = http, .seen = seen, .context = context};
    watch->timer = loop_timer(loop, on_time, watch);
    watch->forward = health_forward_new(loop, plan->scope, plan->marker, on_forward, watch);
    *out = watch;
    return 0;
}

void health_watch_place(struct health_watch *watch, const struct machine *machine, const char *transport,
                        const char *control_path)
{
    if (!watch || watch->over)
        return;
    bool first = !watch->machine;
    machine_free(watch->machine);
    watch->machine = machine_copy(machine);
    free(watch->transport);
    watch->transport = xstrdup_or_null(transport);
    free(watch->control_path);
    watch->control_path = xstrdup_or_null(control_path);
    if (first || watch->way_lost_ns || watch->why)
        health_watch_hurry(watch);
}

void health_watch_renew(struct health_watch *watch)
{
    if (!watch || watch->over)
        return;
    http_renew(watch->http);
    health_watch_hurry(watch);
}

void health_watch_hurry(struct health_watch *watch)
{
    if (watch && !watch->over && watch->machine)
        timer_arm(watch->timer, 0);
}

void health_watch_end(struct health_watch *watch)
{
    if (!watch || watch->over)
        return;
    watch->over = true;
    timer_disarm(watch->timer);
    http_cancel(&watch->asking);
    health_forward_drop(watch->forward);
    if (watch->kept.unkept)
        watch->seen(watch->context, &watch->last.sight, HEALTH_KEPT);
}

void health_watch_free(struct health_watch **held)
{
    struct health_watch *watch = TAKE(*held);
    if (!watch)
        return;
    http_close(&watch->http);
    timer_free(&watch->timer);
    health_forward_free(&watch->forward);
    machine_free(watch->machine);
    free(watch->transport);
    free(watch->control_path);
    free(watch->ca);
    free(watch->last.message);
    free(watch->why);
    free(watch);
}

const char *health_watch_unasked(const struct health_watch *watch)
{
    return watch->kept.any ? NULL : watch->why ? watch->why : "there is no host to ask yet";
}
