#include "stage/peer_logins.h"

#include "ansible/peers.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "event/step_log.h"
#include "process/aside.h"
#include "stage/keys.h"
#include "transport/login_error.h"
#include "transport/master_control.h"

#include <string.h>
#include <unistd.h>

/* For a peer's first words. One that is down would hold up every run, also one that does not use it. */
static const int64_t answer_bound = 5 * NS_PER_S;
/* Between the end of a login and that of the whole. */
static const int64_t margin = NS_PER_S;

struct peer_login {
    struct peer_logins *all;
    const struct inventory_host *host; /* of `peers` */
    struct transport_route route;
    struct aside *aside;
};

struct peer_logins {
    struct peer_logins_request request;
    struct peers peers;
    struct peer_login *each; /* one for each of `peers` */
    /* Where the target's own master over a transport is or will be, once it was asked for; NULL inside:
     * nobody can tell. */
    struct own_path {
        bool asked;
        char *path;
    } own[TRANSPORT_KINDS];
    struct json *told;
    struct loop *loop;
    size_t under_way;
};

static void logins_free(struct peer_logins *logins)
{
    for (size_t i = 0; i < logins->peers.count; i++) {
        aside_stop(&logins->each[i].aside);
        transport_route_clear(&logins->each[i].route);
    }
    for (size_t kind = 0; kind < TRANSPORT_KINDS; kind++)
        free(logins->own[kind].path);
    loop_free(logins->loop);
    free(logins->each);
    peers_clear(&logins->peers);
    json_free(logins->told);
    free(logins);
}

static void tell(struct peer_login *peer, const char *rung, const char *cause, const char *why)
{
    struct json *entry = json_new_object();
    json_set_string(entry, "name", peer->host->target->name);
    json_set_string(entry, "transport", transport_name(peer->host->transport));
    json_set_string(entry, "rung", rung);
    json_set_string(entry, "cause", cause);
    json_set_string(entry, "why", why);
    json_append(peer->all->told, entry);
    if (why)
        step_log_say("peer %s: %s: a task that is delegated to it connects by itself",
                     peer->host->target->name, why);
}

/* ------------------------------------------------------------ in the child */

/* {"rung","cause","why"}, whatever came of it. */
static int log_in(const void *what, struct text *out, struct error *err)
{
    (void)err;
    const struct peer_login *peer = what;
    const struct peer_logins_request *request = &peer->all->request;
    AUTO_FREE char *sockets = layout_sockets(request->run, peer->host->transport);
    AUTO_FREE char *name = xasprintf("peer-%s.log", peer->host->target->name);
    AUTO_FREE char *log = file_join(sockets, name);
    AUTO_WORDS environment = WORDS_INIT;
    master_environment(NULL, &environment);
    const struct login_request ask = {.ssh = peer->host->ssh,
                                      .route = &peer->route,
                                      .log = log,
                                      .masters = request->masters,
                                      .environment = words_argv(&environment),
                                      .deadline = deadline_in(deadline_left(request->deadline) - margin),
                                      .answer_ns = answer_bound,
                                      .tailscale_ssh = peer->host->target->tailscale_ssh_accept};
    struct login login = {0};
    AUTO_ERROR why = ERROR_INIT;
    AUTO_JSON *answer = json_new_object();
    int status = login_open(&ask, &login, &why);
    json_set_string(answer, "rung", status < 0 ? login_rung_name(login.rung) : "done");
    json_set_string(answer, "cause", login.cause);
    if (status < 0 && why.kind == ERROR_NONE)
        login_error(&login, &peer->route, peer->host->target->name, peer->host->transport, &why);
    json_set_string(answer, "why", status < 0 ? error_text(&why) : NULL);
    login_clear(&login);
    AUTO_FREE char *text = json_compact(answer);
    text_add(out, text);
    return 0;
}

/* ------------------------------------------------------------ beside it */

static void on_answer(void *context, const char *bytes, size_t length, const struct error *failure)
{
    struct peer_login *peer = context;
    AUTO_JSON *answer = failure ? NULL : json_parse(bytes, length, NULL);
    peer->aside = NULL;
    tell(peer, json_get_string(answer, "rung", NULL), json_get_string(answer, "cause", NULL),
         failure ? error_text(failure) : json_get_string(answer, "why", NULL));
    if (--peer->all->under_way == 0)
        loop_stop(peer->all->loop);
}

static void on_late(void *context)
{
    struct peer_logins *logins = context;
    loop_stop(logins->loop);
}

/* malloc'ed. */
static char *find_own_path(const struct peer_logins_request *request, enum transport_kind kind)
{
    AUTO_FREE char *sockets = layout_sockets(request->run, kind);
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    struct transport_route route = {0};
    if (ssh_arguments_make(request->machine, request->target, kind, sockets, sockets, SSH_ALIVE_INTERVAL,
                           request->alive_count, &ssh, NULL) < 0 ||
        !ssh.host || transport_resolve(&ssh, &route, NULL) < 0)
        return NULL;
    char *path = xstrdup_or_null(route.control_path);
    transport_route_clear(&route);
    return path;
}

/* ssh itself is asked for it: once for all peers of a transport. */
static const char *own_path(struct peer_logins *logins, enum transport_kind kind)
{
    struct own_path *own = &logins->own[kind];
    if (!own->asked)
        *own = (struct own_path){true, find_own_path(&logins->request, kind)};
    return own->path;
}

/* Whether somebody else opens its master: two at one socket would be one without. */
static bool is_shared(struct peer_logins *logins, const struct peer_login *peer)
{
    bool shared = text_is(own_path(logins, peer->host->transport), peer->route.control_path);
    for (const struct peer_login *other = logins->each; other < peer; other++)
        shared |= text_is(other->route.control_path, peer->route.control_path);
    return shared;
}

/* One that leads somewhere; what does not is taken away. */
static bool is_there(const char *control_path)
{
    if (!master_socket_there(control_path))
        return false;
    if (master_ask(control_path, "check") == 0)
        return true;
    (void)unlink(control_path);
    return false;
}

static int begin_one(struct peer_login *peer, struct error *err)
{
    struct peer_logins *logins = peer->all;
    const struct peer_logins_request *request = &logins->request;
    AUTO_FREE char *sockets = layout_sockets(request->run, peer->host->transport);
    AUTO_ERROR why = ERROR_INIT;
    if (keys_load(request->project, peer->host->target, peer->host->machine, sockets, request->masters,
                  request->marker, err) < 0)
        return -1;
    if (!peer->host->ssh->host || transport_resolve(peer->host->ssh, &peer->route, &why) < 0)
        tell(peer, "tcp", "other", why.kind == ERROR_NONE ? "its address is not known" : error_text(&why));
    else if (!is_shared(logins, peer) && !is_there(peer->route.control_path)) {
        if (aside_start(logins->loop, request->masters, request->marker, log_in, peer, on_answer, peer,
                        &peer->aside, err) < 0)
            return -1;
        logins->under_way++;
    }
    return 0;
}

int peer_logins_begin(const struct peer_logins_request *request, struct peer_logins **out, struct error *err)
{
    AUTO_FREE char *state = layout_state(request->project->directory);
    struct peer_logins *logins = xcalloc(1, sizeof *logins);
    *out = NULL;
    logins->request = *request;
    int status = peers_find(request->project, request->target, state, request->run, request->alive_count,
                            PEERS_LENIENT | PEERS_WITH_AGENTS, &logins->peers, err);
    logins->each = xcalloc(logins->peers.count + 1, sizeof *logins->each);
    logins->told = json_new_array();
    if (status == 0 && logins->peers.count)
        status = loop_new(&logins->loop, err);
    for (size_t i = 0; status == 0 && i < logins->peers.count; i++) {
        logins->each[i] = (struct peer_login){.all = logins, .host = &logins->peers.hosts[i]};
        status = begin_one(&logins->each[i], err);
    }
    if (status == 0 && logins->peers.count)
        *out = logins;
    else
        logins_free(logins);
    return status;
}

struct json *peer_logins_end(struct peer_logins **handle, bool wait)
{
    struct peer_logins *logins = *handle;
    *handle = NULL;
    if (!logins)
        return NULL;
    if (wait && logins->under_way) {
        struct timer *late = loop_timer(logins->loop, on_late, logins);
        timer_arm(late, deadline_left(logins->request.deadline));
        (void)loop_run(logins->loop, NULL);
    }
    for (size_t i = 0; wait && i < logins->peers.count; i++)
        if (logins->each[i].aside)
            tell(&logins->each[i], NULL, "other", "it was not logged in to in time");
    struct json *told = json_count(logins->told) ? json_keep(logins->told) : NULL;
    logins_free(logins);
    return told;
}
