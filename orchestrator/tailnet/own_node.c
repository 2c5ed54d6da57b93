#include "tailnet/own_node.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "tailnet/join.h"
#include "tailnet/join_error.h"
#include "tailnet/local_api.h"
#include "tailnet/minted.h"
#include "tailnet/news.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* A daemon that comes back with a node of its own, a control server that tells a new node its peers. */
#define SETTLE_BOUND (15 * NS_PER_S)
#define LOGOUT_BOUND (10 * NS_PER_S)
/* What a join that nobody waits for may take to show. */
#define JOIN_BOUND (4 * NS_PER_S)

enum { ROUNDS = 2 };

char *own_node_name(const struct operator_settings *settings)
{
    char name[HOST_NAME_MAX + 1] = "";
    if (settings->login.hostname)
        return xstrdup(settings->login.hostname);
    if (gethostname(name, sizeof name - 1) < 0 || !*name)
        return xstrdup("triphase");
    return xstrndup(name, strcspn(name, "."));
}

static struct ready_wish wish_of(const struct operator_settings *settings)
{
    return (struct ready_wish){.login_server = settings->login.login_server,
                               .tailnet = settings->login.tailnet,
                               .tags = &settings->login.tags,
                               .exactly = true};
}

static void tell(const struct bring_up_order *order, const char *line)
{
    if (order->tell)
        order->tell(order->context, line);
}

static int look_again(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *end,
                      struct error *err)
{
    struct ready_wish wish = wish_of(order->settings);
    sight_clear(&end->sight);
    return sight_settle(end->socket, &wish, deadline_earlier(deadline, deadline_in(SETTLE_BOUND)),
                        &end->sight, err);
}

/* Logged out, so that no control server counts it as there. */
static bool is_out(const char *socket, struct deadline deadline)
{
    AUTO_TAILNET_STATUS status = {.state = NULL};
    return local_api_status(socket, false, deadline, &status, NULL) == 0 &&
           text_is(status.state, "NeedsLogin");
}

/* The daemon goes on joining when whoever asked it to was killed. */
static int mark_join(bool begins, struct error *err)
{
    AUTO_FREE char *path = tailnet_place_file("joining");
    if (begins)
        return file_replace(path, "", 0, 0600, err);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_system(err, errno, "cannot remove %s", path);
    return 0;
}

static void await_unfinished_join(struct deadline deadline)
{
    AUTO_FREE char *path = tailnet_place_file("joining"), *socket = tailnet_place_socket();
    struct deadline bound = deadline_earlier(deadline, deadline_in(JOIN_BOUND));
    if (!file_exists(path))
        return;
    AUTO_CLOSE int news = news_open(socket, bound);
    while (is_out(socket, bound) && !deadline_over(bound))
        news_await(&news, bound);
}

int own_node_log_out(struct deadline deadline, struct error *err)
{
    AUTO_FREE char *socket = tailnet_place_socket();
    AUTO_ERROR why = ERROR_INIT;
    struct deadline bound = deadline_earlier(deadline, deadline_in(LOGOUT_BOUND));
    /* Also where it says that it is out: one that is just joining does so, too. */
    await_unfinished_join(bound);
    AUTO_CLOSE int news = news_open(socket, bound);
    if (local_api_logout(socket, bound, &why) < 0)
        return error_set(err, ERROR_UNREACHABLE, "the control server was not told that this node leaves: %s",
                         error_text(&why));
    while (!is_out(socket, bound)) {
        if (deadline_over(bound))
            return error_set(err, ERROR_UNREACHABLE, "this node is still logged in after its logout");
        news_await(&news, bound);
    }
    return 0;
}

/* A key carries its tags. Only of Tailscale's own server may a key without any be given with them; headscale
 * refuses whoever asks for tags beside a key, also for those of the key. */
static const struct words *tags_to_ask_for(const struct tailnet_login *login, bool given_key)
{
    static const struct words none = WORDS_INIT;
    return given_key && ready_is_same_server(login->login_server, NULL) ? &login->tags : &none;
}

static struct join_order join_order_of(const struct bring_up_order *order, const struct bring_up_end *end,
                                       const char *program, const char *hostname, const char *key,
                                       bool given_key)
{
    const struct operator_settings *settings = order->settings;
    return (struct join_order){.program = program,
                               .socket = end->socket,
                               .login_server = settings->login.login_server,
                               .hostname = hostname,
                               .tags = tags_to_ask_for(&settings->login, given_key),
                               .key = key,
                               .ssh = settings->ssh,
                               .accept_routes = settings->accept_routes,
                               .accept_dns = settings->accept_dns};
}

/* What the program's own end does not say, the daemon does. */
static int say_why_late(const struct bring_up_order *order, struct bring_up_end *end, struct error *err)
{
    AUTO_SIGHT sight = {.control_url = NULL};
    struct ready_wish wish = wish_of(order->settings);
    if (err->kind != ERROR_DEADLINE ||
        sight_take(end->socket, &wish, deadline_in(LOCAL_API_S * NS_PER_S), &sight, NULL) < 0)
        return -1;
    AUTO_FREE char *health = words_join(&sight.status.health, "; ");
    return join_error_late(sight.status.state, health,
                           ready_server_shown(order->settings->login.login_server), err);
}

static int join(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *end,
                struct error *err)
{
    AUTO_FREE char *hostname = own_node_name(order->settings),
                   *program = file_find_program("tailscale", NULL);
    struct minted minted = {NULL, NULL};
    AUTO_ERROR left = ERROR_INIT;
    if (!program)
        return error_set(err, ERROR_MISSING, "the program tailscale is not to be found in PATH");
    if (minted_make(order->settings, order->directory, hostname, deadline, &minted, err) < 0)
        return -1;
    end->made_keys += minted.id != NULL;
    tell(order, minted.id ? "joining with a key made for this" : "joining with the given key");
    struct join_order how = join_order_of(order, end, program, hostname, minted.key, !minted.id);
    int result = mark_join(true, err) < 0 ? -1 : join_up(&how, deadline, err);
    /* Bounded apart: a join that took all the time must not leave its key. */
    if (minted_drop(order->settings, order->directory, deadline_in(LOGOUT_BOUND), &minted, &left) < 0)
        words_add(&end->notes, error_text(&left));
    if (result < 0)
        return say_why_late(order, end, err);
    end->changed = true;
    return mark_join(false, err);
}

/* Tags, control server and tailnet of a node stay what they were, whatever it is told afterwards: only a new
 * node has others. */
static int leave_old(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *end,
                     struct error *err)
{
    struct ready_wish wish = wish_of(order->settings);
    AUTO_FREE char *why = ready_text(end->sight.verdict, &end->sight.status, end->sight.control_url, &wish);
    AUTO_FREE char *line = xasprintf("our own node %s: logging it out and making a new one", why);
    tell(order, line);
    end->changed = end->new_node = true;
    return own_node_log_out(deadline, err);
}

static bool has_another_node(const struct bring_up_end *end)
{
    enum ready_verdict verdict = end->sight.verdict;
    return verdict == READY_TAGS || verdict == READY_OTHER_SERVER || verdict == READY_OTHER_TAILNET;
}

/* A node that was made just now and is not as wanted will not be so next time either. */
static int refuse(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *end,
                  struct error *err)
{
    struct ready_wish wish = wish_of(order->settings);
    AUTO_FREE char *why = ready_text(end->sight.verdict, &end->sight.status, end->sight.control_url, &wish),
                   *health = words_join(&end->sight.status.health, "; ");
    if (!has_another_node(end))
        return join_error_late(end->sight.status.state, health,
                               ready_server_shown(order->settings->login.login_server), err);
    own_node_log_out(deadline, NULL);
    return error_set(
        err, ERROR_PROJECT,
        "this machine joined, and its new node %s: it was logged out again; the key decides that, so give "
        "one (or credentials) for what the settings of operator say",
        why);
}

static int set_what_differs(const struct bring_up_order *order, struct deadline deadline,
                            struct bring_up_end *end, struct error *err)
{
    const struct operator_settings *settings = order->settings;
    AUTO_FREE char *hostname = own_node_name(settings), *program = file_find_program("tailscale", NULL);
    AUTO_JSON *prefs = NULL;
    if (local_api_prefs(end->socket, deadline, &prefs, err) < 0)
        return -1;
    if (text_is(json_get_string(prefs, "Hostname", ""), hostname) &&
        json_get_bool(prefs, "RunSSH") == settings->ssh &&
        json_get_bool(prefs, "RouteAll") == settings->accept_routes &&
        json_get_bool(prefs, "CorpDNS") == settings->accept_dns)
        return 0;
    if (!program)
        return error_set(err, ERROR_MISSING, "the program tailscale is not to be found in PATH");
    tell(order, "bringing name, ssh, routes and dns of our own node to what the settings say");
    struct join_order how = join_order_of(order, end, program, hostname, NULL, false);
    end->changed = true;
    return join_set(&how, deadline, err) < 0 ? -1 : look_again(order, deadline, end, err);
}

int own_node_join(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *end,
                  struct error *err)
{
    await_unfinished_join(deadline);
    if (look_again(order, deadline, end, err) < 0)
        return -1;
    for (int round = 0; round < ROUNDS && end->sight.verdict != READY; round++) {
        bool has_another = has_another_node(end);
        /* The second time it would only spend another key on the same answer. */
        if (round && (!has_another || end->new_node))
            break;
        if ((has_another && leave_old(order, deadline, end, err) < 0) ||
            join(order, deadline, end, err) < 0 || look_again(order, deadline, end, err) < 0)
            return -1;
    }
    if (end->sight.verdict != READY)
        return refuse(order, deadline, end, err);
    return set_what_differs(order, deadline, end, err);
}
