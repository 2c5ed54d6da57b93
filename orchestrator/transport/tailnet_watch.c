#include "transport/tailnet_watch.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "net/http.h"
#include "tailnet/local_api.h"

#include <string.h>

enum {
    SAMPLE_S = 15, /* between samples of a path that stays as it is */
    /* A look that took so long is followed by a pause of so many times that: a status of a large tailnet
     * is work for the daemon. */
    PAUSE_TIMES = 10,
    HEALTH_MOST = 20, /* warnings that a sample keeps */
    IO_MOST = 4096
};

struct tailnet_watch {
    struct tailnet_watch_plan plan;
    struct loop *loop;
    struct http *http;
    struct timer *timer;
    struct http_transfer *asking, *pinging;
    int64_t lost_ns, asked_ns;
    struct tailnet_health health;
    bool pinged, ponged; /* for this suspicion */
    pid_t master;
    int64_t read, read_ns; /* bytes that it has read, -1: unknown; when that last grew, monotonic */
    /* what the last look saw: status as its JSON sample, in words what went wrong (NULL: nothing did) */
    struct json *detail;
    char *state, *error;
    int direct;
    int64_t handshake_ns, sampled_ns, seen_wall_ns;
    char *sampled; /* what decides whether the next sample is another */
    bool unsampled, over;
    tailnet_watch_judged *judged;
    tailnet_watch_sample *sample;
    void *context;
};

/* ------------------------------------------------------------ what a look saw */
static bool is_named(const struct tailnet_peer *peer, const char *name)
{
    size_t label = strcspn(peer->dns_name, ".");
    return text_is(peer->dns_name, name) || text_is(peer->host_name, name) ||
           (strlen(name) == label && strncmp(peer->dns_name, name, label) == 0);
}

static const struct tailnet_peer *find_peer(const struct tailnet_status *status, const char *address)
{
    const struct tailnet_peer *peer = tailnet_status_peer(status, address);
    for (size_t i = 0; !peer && i < status->peer_count; i++)
        if (is_named(&status->peers[i], address))
            peer = &status->peers[i];
    return peer;
}

static const char *via_of(const struct tailnet_peer *peer, enum tailnet_path path)
{
    switch (path) {
    case TAILNET_PATH_DIRECT:
        return peer->current_address;
    case TAILNET_PATH_PEER_RELAY:
        return peer->peer_relay;
    case TAILNET_PATH_RELAY:
        return peer->relay;
    case TAILNET_PATH_UNKNOWN:
        break;
    }
    return NULL;
}

static void add_health(struct json *detail, const struct words *health)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < health->count && i < HEALTH_MOST; i++)
        json_append(list, json_new_string(health->items[i]));
    json_set(detail, "health", list);
}

static void add_peer(struct json *detail, const struct tailnet_peer *peer)
{
    enum tailnet_path path = tailnet_peer_path(peer);
    int64_t age = peer->handshake_ns ? moment_wall() - peer->handshake_ns : -1;
    json_set_string(detail, "path", tailnet_path_name(path));
    json_set_string(detail, "via", via_of(peer, path));
    json_set_integer(detail, "received", peer->received);
    json_set_integer(detail, "sent", peer->sent);
    json_set(detail, "handshake_age_ms", age < 0 ? json_new_null() : json_new_integer(age / NS_PER_MS));
    json_set_bool(detail, "online", peer->online);
}

/* What makes one sample another than the one before: not what grows. */
static char *mark_of(const struct json *detail)
{
    AUTO_FREE char *health = json_get(detail, "health") ? json_compact(json_get(detail, "health")) : NULL;
    return xasprintf("%s %s %s %s", json_get_string(detail, "daemon", "-"),
                     json_get_string(detail, "path", "-"), json_get_string(detail, "via", "-"),
                     health ? health : "-");
}

static void give_sample(struct tailnet_watch *watch)
{
    watch->unsampled = false;
    watch->sampled_ns = moment_monotonic();
    if (watch->sample)
        watch->sample(watch->context, watch->direct, watch->detail, watch->seen_wall_ns);
}

static void keep_detail(struct tailnet_watch *watch, struct json *detail, int direct)
{
    char *mark = mark_of(detail);
    bool other = !watch->sampled || !text_is(mark, watch->sampled);
    bool due = moment_monotonic() - watch->sampled_ns >= SAMPLE_S * NS_PER_S;
    json_free(watch->detail);
    watch->detail = detail;
    watch->direct = direct;
    watch->seen_wall_ns = moment_wall();
    watch->unsampled = true;
    free(watch->sampled);
    watch->sampled = mark;
    if (other || due)
        give_sample(watch);
}

static void see_status(struct tailnet_watch *watch, const struct tailnet_status *status,
                       struct tailnet_sight *sight)
{
    const struct tailnet_peer *peer = find_peer(status, watch->plan.address);
    struct json *detail = json_new_object();
    json_set_string(detail, "daemon", status->state);
    int direct = -1;
    if (peer) {
        add_peer(detail, peer);
        enum tailnet_path path = tailnet_peer_path(peer);
        direct = path == TAILNET_PATH_UNKNOWN ? -1 : path == TAILNET_PATH_DIRECT;
        sight->received = peer->received;
        sight->sent = peer->sent;
        watch->handshake_ns = peer->handshake_ns;
    }
    add_health(detail, &status->health);
    sight->answered = true;
    sight->carries = peer && text_is(status->state, "Running");
    free(watch->state);
    watch->state = xstrdup(status->state);
    free(watch->error);
    watch->error = peer ? NULL : xasprintf("it has no peer %s", watch->plan.address);
    keep_detail(watch, detail, direct);
}

static void see_error(struct tailnet_watch *watch, const char *why)
{
    struct json *detail = json_new_object();
    json_set_string(detail, "daemon", NULL);
    json_set_string(detail, "error", why);
    free(watch->error);
    watch->error = xstrdup(why);
    keep_detail(watch, detail, -1);
}

/* ------------------------------------------------------------ looking */
/* All that it reads: of the host through its proxy, and of those that use it. */
static int64_t bytes_read(struct tailnet_watch *watch)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/io", (int)watch->master);
    AUTO_TEXT text = TEXT_INIT;
    long long bytes;
    if (!watch->master || file_read(path, IO_MOST, &text, NULL) < 0 ||
        sscanf(text_string(&text), "rchar: %19lld", &bytes) != 1)
        return watch->read = -1;
    if (bytes != watch->read)
        watch->read_ns = moment_monotonic();
    return watch->read = bytes;
}

static void on_pinged(void *context, const struct http_answer *answer, const struct error *failure)
{
    struct tailnet_watch *watch = context;
    (void)failure;
    AUTO_JSON *pong = answer ? json_parse(text_string(&answer->body), answer->body.length, NULL) : NULL;
    watch->ponged = json_is_object(pong) && !*json_get_string(pong, "Err", "");
}

static void ping_when_wanted(struct tailnet_watch *watch)
{
    if (!watch->health.knock) {
        watch->pinged = watch->ponged = false;
        return;
    }
    if (watch->pinged)
        return;
    watch->pinged = true;
    AUTO_FREE char *url = local_api_ping_url(watch->plan.address, "TSMP", 0);
    struct http_request request = local_api_ping_request(watch->plan.socket, url);
    http_cancel(&watch->pinging);
    http_begin(watch->http, &request, on_pinged, watch, &watch->pinging, NULL);
}

static void look_again(struct tailnet_watch *watch)
{
    int64_t took = moment_monotonic() - watch->asked_ns;
    int64_t pause = tailnet_health_again(&watch->health, watch->lost_ns);
    bool slow = watch->health.state != PATH_DAEMON_SILENT && took * PAUSE_TIMES > pause;
    timer_arm(watch->timer, slow && took * PAUSE_TIMES < watch->lost_ns / 2 ? took * PAUSE_TIMES : pause);
}

static void judge(struct tailnet_watch *watch, const struct tailnet_sight *sight)
{
    tailnet_health_judge(&watch->health, watch->lost_ns, sight);
    ping_when_wanted(watch);
    look_again(watch);
    watch->judged(watch->context, watch->health.state);
}

static void on_answer(void *context, const struct http_answer *answer, const struct error *failure)
{
    struct tailnet_watch *watch = context;
    struct tailnet_sight sight = {.at_ns = moment_monotonic(), .read = bytes_read(watch)};
    AUTO_TAILNET_STATUS status = {0};
    AUTO_ERROR why = ERROR_INIT;
    if (failure)
        see_error(watch, error_text(failure));
    else if (answer->status != 200)
        see_error(watch, "it refuses to say its state");
    else if (tailnet_status_parse(text_string(&answer->body), answer->body.length, &status, &why) < 0)
        see_error(watch, error_text(&why));
    else
        see_status(watch, &status, &sight);
    judge(watch, &sight);
}

static void on_time(void *context)
{
    struct tailnet_watch *watch = context;
    struct http_request request = local_api_status_request(watch->plan.socket);
    AUTO_ERROR why = ERROR_INIT;
    watch->asked_ns = moment_monotonic();
    int64_t patience = tailnet_health_patience(&watch->health, watch->lost_ns, watch->asked_ns);
    request.bound_ns = patience < request.bound_ns ? patience : request.bound_ns;
    if (http_begin(watch->http, &request, on_answer, watch, &watch->asking, &why) < 0)
        on_answer(watch, NULL, &why);
}

struct tailnet_watch *tailnet_watch_start(struct loop *loop, const struct tailnet_watch_plan *plan,
                                          int64_t lost_ns, tailnet_watch_judged *judged,
                                          tailnet_watch_sample *sample, void *context)
{
    struct http *http;
    if (!plan->address || http_open(loop, &http, NULL) < 0)
        return NULL;
    struct tailnet_watch *watch = xcalloc(1, sizeof *watch);
    *watch = (struct tailnet_watch){.plan = *plan,
                                    .loop = loop,
                                    .http = http,
                                    .lost_ns = lost_ns,
                                    .read = -1,
                                    .judged = judged,
                                    .sample = sample,
                                    .context = context};
    watch->timer = loop_timer(loop, on_time, watch);
    timer_arm(watch->timer, 0);
    return watch;
}

void tailnet_watch_set_master(struct tailnet_watch *watch, pid_t pid)
{
    if (!watch || watch->master == pid)
        return;
    watch->master = pid;
    watch->read = -1;
}

void tailnet_watch_set_lost(struct tailnet_watch *watch, int64_t lost_ns)
{
    if (watch)
        watch->lost_ns = lost_ns;
}

void tailnet_watch_end(struct tailnet_watch *watch)
{
    if (!watch || watch->over)
        return;
    watch->over = true;
    timer_disarm(watch->timer);
    http_cancel(&watch->asking);
    http_cancel(&watch->pinging);
    if (watch->unsampled)
        give_sample(watch);
}

void tailnet_watch_free(struct tailnet_watch **at)
{
    struct tailnet_watch *watch = TAKE(*at);
    if (!watch)
        return;
    http_close(&watch->http);
    timer_free(&watch->timer);
    json_free(watch->detail);
    free(watch->sampled);
    free(watch->state);
    free(watch->error);
    free(watch);
}

enum path_state tailnet_watch_state(const struct tailnet_watch *watch)
{
    return watch ? watch->health.state : PATH_UNSEEN;
}

/* ------------------------------------------------------------ words */
static char *path_words(const struct tailnet_watch *watch)
{
    const char *path = json_get_string(watch->detail, "path", "unknown");
    const char *via = json_get_string(watch->detail, "via", NULL);
    return via ? xasprintf("%s, %s", path, via) : xstrdup(path);
}

static char *handshake_words(const struct tailnet_watch *watch)
{
    if (!watch->handshake_ns)
        return xstrdup("no handshake");
    AUTO_FREE char *age = duration_show(moment_wall() - watch->handshake_ns);
    return xasprintf("the last handshake is %s old", age);
}

static char *read_words(const struct tailnet_watch *watch)
{
    if (watch->read < 0)
        return xstrdup("");
    AUTO_FREE char *age = duration_show(moment_monotonic() - watch->read_ns);
    return xasprintf(", ssh's last byte %s", age);
}

static const char *ping_words(const struct tailnet_watch *watch)
{
    if (!watch->pinged)
        return "";
    return watch->ponged ? "; a ping gets an answer: the tunnel carries, and the host drops the connection"
                         : "; a ping gets no answer either";
}

char *tailnet_watch_words(const struct tailnet_watch *watch)
{
    enum path_state state = tailnet_watch_state(watch);
    if (state == PATH_UNSEEN || state == PATH_ALIVE)
        return NULL;
    const char *socket = watch->plan.socket ? watch->plan.socket : local_api_default_socket();
    AUTO_FREE char *age = duration_show(tailnet_health_age(&watch->health));
    switch (state) {
    case PATH_DEAD:
    case PATH_BACKING_OFF: {
        AUTO_FREE char *path = path_words(watch);
        AUTO_FREE char *handshake = handshake_words(watch);
        AUTO_FREE char *read = read_words(watch);
        return xasprintf(
            "nothing has come from %s through the tailnet for %s, while tailscaled sends (%s; %s%s%s):"
            " the path is dead",
            watch->plan.address, age, path, handshake, read, ping_words(watch));
    }
    case PATH_DAEMON_SILENT:
    case PATH_DAEMON_LOST:
        return xasprintf("the tailscaled at %s has not answered for %s (%s): it is stopped, hung or gone",
                         socket, age, watch->error ? watch->error : "no reason is known");
    case PATH_UNCARRIED:
    case PATH_UNCARRIED_LOST:
        return xasprintf("the tailscaled at %s has carried nothing for %s: %s (%s)", socket, age,
                         watch->error ? watch->error : "it is not connected to its tailnet",
                         watch->state ? watch->state : "?");
    default:
        return NULL;
    }
}
