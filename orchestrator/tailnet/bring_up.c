#include "tailnet/bring_up.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "tailnet/auth_key.h"
#include "tailnet/daemon.h"
#include "tailnet/install.h"
#include "tailnet/local_api.h"
#include "tailnet/minted.h"
#include "tailnet/not_in_effect.h"
#include "tailnet/own_lock.h"
#include "tailnet/own_node.h"
#include "tailnet/tun_advice.h"

#include <string.h>

/* Somebody else's daemon that is on its way gets so long; one of ours so long to answer on its socket. */
#define FOREIGN_BOUND (5 * NS_PER_S)
#define START_BOUND   (20 * NS_PER_S)
#define STOP_BOUND    (12 * NS_PER_S)

void bring_up_end_clear(struct bring_up_end *end)
{
    free(end->socket);
    sight_clear(&end->sight);
    words_clear(&end->notes);
    *end = (struct bring_up_end){.socket = NULL};
}

static void tell(const struct bring_up_order *order, const char *line)
{
    if (order->tell)
        order->tell(order->context, line);
}

/* ---- somebody else's daemon: looked at, never changed */

static int offer(const char *socket, const char *why, struct error *err)
{
    AUTO_FREE char *directory = tailnet_place_directory();
    return error_set(
        err, ERROR_PROJECT,
        "the tailscaled at %s %s; triphase did not start it and leaves it as it is. 'triphase up --own' "
        "starts one of your own beside it (socket and state in %s) and joins that",
        socket, why, directory ? directory : "a folder of your own");
}

static int check_foreign_mode(const struct bring_up_order *order, const struct sight *sight,
                              const char *socket, struct error *err)
{
    if (order->mode == BRING_UP_TUN && !sight->status.tun)
        return offer(socket, "has no TUN", err);
    if (order->mode == BRING_UP_USERSPACE && sight->status.tun)
        return offer(socket, "has a TUN where --userspace asks for one without", err);
    return 0;
}

static void note_foreign_settings(const struct bring_up_order *order, struct deadline deadline,
                                  struct bring_up_end *end)
{
    AUTO_JSON *prefs = NULL;
    (void)local_api_prefs(end->socket, deadline, &prefs, NULL);
    not_in_effect(order->settings, end->socket, &end->sight.status, prefs, &end->notes);
}

static int use_foreign(const struct bring_up_order *order, const char *socket, struct deadline deadline,
                       struct bring_up_end *end, struct error *err)
{
    struct ready_wish wish = {.login_server = order->settings->login.login_server,
                              .tailnet = order->settings->login.tailnet,
                              .tags = &order->settings->login.tags};
    AUTO_ERROR why = ERROR_INIT;
    if (sight_settle(socket, &wish, deadline_earlier(deadline, deadline_in(FOREIGN_BOUND)), &end->sight,
                     &why) < 0) {
        AUTO_FREE char *said = xasprintf("cannot be used (%s)", error_text(&why));
        return why.kind == ERROR_MISSING && order->socket ? error_move(err, &why) : offer(socket, said, err);
    }
    if (end->sight.verdict != READY) {
        AUTO_FREE char *said =
            ready_text(end->sight.verdict, &end->sight.status, end->sight.control_url, &wish);
        return offer(socket, said, err);
    }
    if (check_foreign_mode(order, &end->sight, socket, err) < 0)
        return -1;
    end->socket = xstrdup(socket);
    note_foreign_settings(order, deadline, end);
    return 0;
}

/* Whose daemon it is to be: the socket of somebody else's, or NULL for our own. A named one counts first,
 * then ours where there is one, then the system's where anything answers there. */
static int choose(const struct bring_up_order *order, struct deadline deadline, const char **foreign,
                  struct error *err)
{
    struct tailnet_place_daemon daemon;
    enum daemon_life life;
    AUTO_FREE char *ours = tailnet_place_socket();
    AUTO_TAILNET_STATUS status = {.state = NULL};
    AUTO_ERROR none = ERROR_INIT;
    *foreign = NULL;
    if (order->own || (order->socket && text_is(order->socket, ours)))
        return 0;
    if (order->socket) {
        *foreign = order->socket;
        return 0;
    }
    if (daemon_look(&daemon, &life, err) < 0)
        return -1;
    if (life == DAEMON_NONE &&
        (local_api_status(NULL, false, deadline, &status, &none) == 0 || none.kind != ERROR_MISSING))
        *foreign = local_api_default_socket();
    return 0;
}

/* ---- our own */

/* Whether it shall have a TUN; what speaks against it is noted, with what would give one. */
static int decide_tun(const struct bring_up_order *order, bool *out, struct words *notes, struct error *err)
{
    AUTO_FREE char *nobody = tailnet_place_file("nobody.sock");
    struct tun_evidence evidence = {0};
    if (order->mode == BRING_UP_USERSPACE) {
        *out = false;
        return 0;
    }
    tun_look(nobody, &evidence);
    AUTO_FREE char *lack =
        daemon_tun_is_there()
            ? xstrdup("another tailscaled here has a TUN already, and two would take each other's routes")
            : tun_lack(&evidence);
    AUTO_FREE char *advice = tun_advice(&evidence, tun_advice_container());
    tun_clear(&evidence);
    if (lack && order->mode == BRING_UP_TUN)
        return error_set(err, ERROR_PROJECT, "no TUN is to be had here: %s%s%s", lack, advice ? "; " : "",
                         advice ? advice : "");
    if (lack)
        words_addf(notes, "userspace networking, since %s", lack);
    if (lack && advice)
        words_addf(notes, "what would give a TUN here: %s", advice);
    *out = !lack;
    return 0;
}

static int find_daemon_program(char **out, struct error *err)
{
    const char *lacks = install_lacks();
    if (lacks)
        return error_set(err, ERROR_MISSING, "the program %s is not to be found in PATH: %s", lacks,
                         install_advice());
    *out = file_find_program("tailscaled", NULL);
    return 0;
}

/* With a TUN every program of this machine is in the tailnet by itself. */
static bool wants_socks5(const struct bring_up_order *order, bool tun)
{
    return order->settings->socks5 && !tun;
}

static int start(const struct bring_up_order *order, bool tun, struct deadline deadline,
                 struct bring_up_end *end, struct error *err)
{
    AUTO_FREE char *program = NULL, *state = tailnet_place_file("tailscaled.state");
    AUTO_FREE char *line =
        xasprintf("starting a tailscaled of our own (%s)", tun ? "with a TUN" : "userspace networking");
    if (find_daemon_program(&program, err) < 0)
        return -1;
    tell(order, line);
    end->new_node = !file_exists(state);
    end->changed = true;
    struct daemon_order how = {.program = program, .tun = tun, .socks5 = wants_socks5(order, tun)};
    return daemon_start(&how, deadline_earlier(deadline, deadline_in(START_BOUND)), &end->daemon, err);
}

/* A TUN that the evidence promised and the daemon does not get is a reason for userspace, unless it was
 * asked for. One that does not answer in time says nothing of its TUN, and would not without one either. */
static int start_by_evidence(const struct bring_up_order *order, struct deadline deadline,
                             struct bring_up_end *end, struct error *err)
{
    bool tun = false;
    AUTO_ERROR why = ERROR_INIT;
    if (decide_tun(order, &tun, &end->notes, err) < 0)
        return -1;
    if (start(order, tun, deadline, end, &why) == 0)
        return 0;
    if (!tun || order->mode == BRING_UP_TUN || why.kind == ERROR_MISSING || why.kind == ERROR_DEADLINE)
        return error_move(err, &why);
    words_addf(&end->notes, "userspace networking, since with a TUN it did not start: %s", error_text(&why));
    return start(order, false, deadline, end, err) < 0
               ? error_prefix(err, "with a TUN it did not start (%s), nor without one", error_text(&why))
               : 0;
}

/* Its mode is changed only where that was asked for: an `up` that is run again must find what it made. */
static bool is_as_asked(const struct bring_up_order *order, const struct tailnet_place_daemon *daemon)
{
    return (order->mode == BRING_UP_BY_EVIDENCE || daemon->tun == (order->mode == BRING_UP_TUN)) &&
           (daemon->socks5 != 0) == wants_socks5(order, daemon->tun);
}

/* A daemon that works is not ended for a TUN that is not to be had. */
static int check_change(const struct bring_up_order *order, const struct tailnet_place_daemon *daemon,
                        struct error *err)
{
    AUTO_WORDS notes = WORDS_INIT;
    bool tun;
    return order->mode == BRING_UP_TUN && !daemon->tun ? decide_tun(order, &tun, &notes, err) : 0;
}

/* A daemon without a login is of no use where there is nothing to join with. */
static int check_login(const struct bring_up_order *order, struct error *err)
{
    AUTO_FREE char *state = tailnet_place_file("tailscaled.state");
    return file_exists(state) ? 0 : tailnet_auth_key_given(&order->settings->login, err);
}

/* `began`: by this call, so that its failure ends it again. */
static int ensure_daemon(const struct bring_up_order *order, struct deadline deadline,
                         struct bring_up_end *end, bool *began, struct error *err)
{
    enum daemon_life life;
    if (daemon_look(&end->daemon, &life, err) < 0)
        return -1;
    bool runs = life == DAEMON_RUNS, as_asked = runs && is_as_asked(order, &end->daemon);
    if (as_asked && daemon_await_answer(&end->daemon, deadline))
        return tailnet_place_write(&end->daemon, err);
    if (check_login(order, err) < 0)
        return -1;
    if (runs) {
        tell(order, as_asked ? "our own tailscaled does not answer: starting it anew"
                             : "our own tailscaled is to run in another way: starting it anew");
        if (check_change(order, &end->daemon, err) < 0 ||
            daemon_stop(&end->daemon, deadline_in(STOP_BOUND), err) < 0)
            return -1;
    }
    *began = !runs;
    return start_by_evidence(order, deadline, end, err);
}

/* What this call began is not left behind; a node from before keeps its state. */
static void undo(const struct bring_up_end *end, bool began)
{
    if (!began)
        return;
    if (end->new_node)
        own_node_log_out(deadline_in(STOP_BOUND), NULL);
    daemon_stop(&end->daemon, deadline_in(STOP_BOUND), NULL);
    if (end->new_node)
        daemon_forget(NULL);
}

static int note_what_stands_against(const struct bring_up_order *order, struct bring_up_end *end)
{
    if (order->socket && !text_is(order->socket, end->socket))
        words_addf(&end->notes,
                   "the settings (or TAILSCALE_SOCKET) name the tailscaled at %s: take that out, or the "
                   "transports go on "
                   "using it",
                   order->socket);
    return 0;
}

static int use_own(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *end,
                   struct error *err)
{
    AUTO_CLOSE int lock = -1;
    AUTO_ERROR left = ERROR_INIT;
    bool began = false;
    if (tailnet_place_make(err) < 0 || own_lock_take(deadline, &lock, err) < 0)
        return -1;
    end->own = true;
    end->socket = tailnet_place_socket();
    daemon_trim_log();
    if (minted_clean(order->settings, order->directory, deadline, &left) < 0)
        words_add(&end->notes, error_text(&left));
    if (ensure_daemon(order, deadline, end, &began, err) < 0 ||
        own_node_join(order, deadline, end, err) < 0) {
        undo(end, began);
        return -1;
    }
    return note_what_stands_against(order, end);
}

int bring_up(const struct bring_up_order *order, struct deadline deadline, struct bring_up_end *out,
             struct error *err)
{
    AUTO_BRING_UP_END end = {.socket = NULL};
    const char *foreign;
    if (choose(order, deadline, &foreign, err) < 0 ||
        (foreign ? use_foreign(order, foreign, deadline, &end, err) : use_own(order, deadline, &end, err)) <
            0)
        return -1;
    *out = end;
    end = (struct bring_up_end){.socket = NULL};
    return 0;
}
