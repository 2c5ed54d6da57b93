#include "tailnet/look.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/tailnet_place.h"
#include "format/json.h"
#include "net/http.h"
#include "net/local_socket.h"
#include "tailnet/install.h"
#include "tailnet/local_api.h"
#include "tailnet/news.h"
#include "tailnet/ready.h"
#include "tailnet/tun_advice.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

struct asking {
    struct tailnet_look *look;
    struct loop *loop;
    int waiting; /* requests under way */
    char *error; /* why there is no status */
};

/* ---- the daemon */

static void one_less(struct asking *asking)
{
    if (--asking->waiting == 0)
        loop_stop(asking->loop);
}

static void fail(struct asking *asking, enum tailnet_daemon daemon, const char *why)
{
    asking->look->daemon = daemon;
    free(asking->error);
    asking->error = xstrdup(why);
}

static void on_status(void *context, const struct http_answer *answer, const struct error *failure)
{
    struct asking *asking = context;
    AUTO_ERROR err = ERROR_INIT;
    if (failure)
        fail(asking,
             failure->kind == ERROR_MISSING    ? TAILNET_DAEMON_NONE
             : failure->kind == ERROR_DEADLINE ? TAILNET_DAEMON_SILENT
                                               : TAILNET_DAEMON_STRANGE,
             error_text(failure));
    else if (answer->status != 200)
        fail(asking, TAILNET_DAEMON_STRANGE, "it refuses to say its state");
    else if (tailnet_status_parse(text_string(&answer->body), answer->body.length, &asking->look->status,
                                  &err) < 0)
        fail(asking, TAILNET_DAEMON_STRANGE, "what answers there is no tailscaled");
    else
        asking->look->daemon = TAILNET_DAEMON_ANSWERS;
    one_less(asking);
}

static void on_prefs(void *context, const struct http_answer *answer, const struct error *failure)
{
    struct asking *asking = context;
    AUTO_JSON *prefs = failure || answer->status != 200
                           ? NULL
                           : json_parse(text_string(&answer->body), answer->body.length, NULL);
    if (json_is_object(prefs))
        asking->look->control_url = xstrdup(json_get_string(prefs, "ControlURL", ""));
    one_less(asking);
}

/* libcurl is loaded only where somebody is there to be asked. */
static int knock(const char *path)
{
    AUTO_CLOSE int fd = local_socket_connect(path);
    return fd < 0 ? errno : 0;
}

static int begin(struct asking *asking, struct http *http, const char *socket, int64_t bound_ns,
                 struct error *err)
{
    struct http_request requests[] = {local_api_status_request(socket), local_api_prefs_request(socket)};
    http_done *const done[] = {on_status, on_prefs};
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        requests[i].connect_ns = requests[i].bound_ns = bound_ns;
        if (http_begin(http, &requests[i], done[i], asking, NULL, err) < 0)
            return -1;
        asking->waiting++;
    }
    return loop_run(asking->loop, err);
}

/* The state and the settings, at the same time. */
static void ask_daemon(struct asking *asking, int64_t bound_ns)
{
    struct http *http = NULL;
    AUTO_ERROR err = ERROR_INIT;
    const char *socket = asking->look->tun.daemon_socket;
    int refused = knock(socket);
    if (refused) {
        fail(asking, refused == EAGAIN ? TAILNET_DAEMON_SILENT : TAILNET_DAEMON_NONE, strerror(refused));
        return;
    }
    if (http_load(&err) < 0 || loop_new(&asking->loop, &err) < 0 ||
        http_open(asking->loop, &http, &err) < 0 || begin(asking, http, socket, bound_ns, &err) < 0)
        fail(asking, TAILNET_DAEMON_STRANGE, error_text(&err));
    http_close(&http);
    loop_free(asking->loop);
}

/* ---- the whole */

void tailnet_look_take(const char *socket, struct deadline deadline, struct tailnet_look *out)
{
    int64_t since = moment_monotonic(), left = deadline_left(deadline);
    AUTO_FREE char *own = tailnet_place_running_socket();
    *out = (struct tailnet_look){.taken = true};
    out->tun.daemon_socket = xstrdup(socket ? socket : local_api_default_socket());
    struct asking asking = {.look = out};
    ask_daemon(&asking, left < TAILNET_LOOK_S * NS_PER_S ? left : TAILNET_LOOK_S * NS_PER_S);
    tun_judge(&out->tun, out->daemon == TAILNET_DAEMON_ANSWERS ? &out->status : NULL, asking.error);
    out->program = file_find_program("tailscale", NULL);
    out->lacks = install_lacks();
    out->container = tun_advice_container();
    out->own = own && text_is(own, out->tun.daemon_socket);
    out->took_ns = moment_monotonic() - since;
    free(asking.error);
}

bool tailnet_look_is_starting(const struct tailnet_look *look)
{
    static const char *const states[] = {"NoState", "Starting", "", NULL};
    return look->daemon == TAILNET_DAEMON_ANSWERS && text_is_one_of(look->status.state, states);
}

bool tailnet_look_is_away(const struct tailnet_look *look)
{
    return look->daemon == TAILNET_DAEMON_NONE || look->daemon == TAILNET_DAEMON_SILENT;
}

static bool look_again(const char *socket, struct deadline deadline, bool away, struct tailnet_look *io)
{
    tailnet_look_clear(io);
    tailnet_look_take(socket, deadline_in(TAILNET_LOOK_S * NS_PER_S), io);
    io->awaited = true;
    return (tailnet_look_is_starting(io) || (away && tailnet_look_is_away(io))) && !deadline_over(deadline);
}

void tailnet_look_await(const char *socket, struct deadline deadline, struct tailnet_look *io)
{
    bool away = tailnet_look_is_away(io);
    if (!look_again(socket, deadline, away, io))
        return;
    AUTO_CLOSE int news = news_open(socket, deadline);
    while (look_again(socket, deadline, away, io))
        news_await(&news, deadline);
}

void tailnet_look_clear(struct tailnet_look *look)
{
    if (look->taken) {
        tun_clear(&look->tun);
        tailnet_status_clear(&look->status);
    }
    free(look->control_url);
    free(look->program);
    *look = (struct tailnet_look){.taken = false};
}

bool tailnet_look_same_server(const char *one, const char *other)
{
    return ready_is_same_server(one, other);
}

const char *tailnet_look_start(const struct tailnet_look *look)
{
    return look->lacks ? install_advice() : "triphase up";
}

char *tailnet_look_mend(const struct tailnet_look *look)
{
    if (look->tun.verdict == TUN_IN_USE)
        return NULL;
    struct tun_evidence device = look->tun; /* as if no daemon decided */
    device.verdict = tun_of_device(&look->tun);
    AUTO_FREE char *lack = tun_lack(&device), *advice = tun_advice(&device, look->container);
    if (lack)
        return xasprintf("%s; what would give one: %s", lack, advice ? advice : "");
    if (look->daemon != TAILNET_DAEMON_ANSWERS)
        return xasprintf("a tailscaled started here could have a TUN: %s", tailnet_look_start(look));
    return look->own ? xstrdup("this machine could have a TUN: triphase up --tun")
                     : xstrdup("this machine could have a TUN: restart that tailscaled without "
                               "--tun=userspace-networking");
}
