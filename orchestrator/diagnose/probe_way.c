#include "diagnose/probe_way.h"
#include "diagnose/mtu_advice.h"

#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/cause.h"
#include "transport/login_error.h"
#include "transport/peer_path.h"
#include "transport/session_way.h"

#include <fcntl.h>
#include <string.h>

#define CONNECT_BOUND (10 * NS_PER_S)
#define LOGIN_BOUND   (15 * NS_PER_S)
#define ECHO_BOUND    (4 * NS_PER_S)
#define SIZE_BOUND    (3 * NS_PER_S)
#define BULK_BOUND    (8 * NS_PER_S)
#define DAEMON_BOUND  (2 * NS_PER_S)
#define HOST_SILENT   (18 * NS_PER_S)

/* `REFINE` further connections at most narrow the size that hangs. */
enum { ECHOES = 20, ECHO_BYTES = 64, BULK = 4 << 20, REFINE = 3 };

/* Around what a minimum of IPv6, a tailnet, a tunnel and Ethernet let through in a packet, and beyond. */
static const int sizes[] = {256, 512, 900, 1100, 1160, 1240, 1360, 1460, 2800, 8192, 32768};

struct probing {
    const struct probe_order *order;
    struct json *entry;
    struct session_way way;
    struct session_line line;
    struct ssh_session *session;
    int largest, least; /* output that came, and that hung; 0: none */
};

static void put_ms(struct json *object, const char *key, int64_t ns)
{
    if (ns >= 0)
        json_set(object, key, json_new_real((double)(ns / 1000) / 1000));
}

/* "hangs" and "unusable" are never taken back. */
static void judge(struct probing *probing, const char *verdict, const char *why)
{
    if (json_get(probing->entry, "verdict"))
        return;
    json_set_string(probing->entry, "verdict", verdict);
    json_set_string(probing->entry, "why", why);
}

static void disconnect(struct probing *probing)
{
    ssh_session_close(&probing->session);
    session_line_close(&probing->line);
    probing->line = (struct session_line)SESSION_LINE_INIT;
}

/* ------------------------------------------------------------ logging in */

static void put_login(struct probing *probing, const struct ssh_session_login *login)
{
    struct json *entry = probing->entry;
    put_ms(entry, "banner_ms", login->banner_ns);
    put_ms(entry, "key_exchange_ms", login->key_exchange_ns);
    put_ms(entry, "auth_ms", login->auth_ns);
    json_set_string(entry, "banner", *login->banner ? login->banner : NULL);
}

static void judge_login(struct probing *probing, const struct ssh_session_login *login, const char *words)
{
    AUTO_TEXT why = TEXT_INIT;
    bool tailscales = strstr(login->banner, "Tailscale") != NULL;
    json_set_string(probing->entry, "rung", ssh_rung_name(login->rung));
    text_addf(&why, "%s: %s", rung_means(ssh_rung_name(login->rung)), words);
    if (tailscales)
        text_add(&why,
                 "; Tailscale SSH answers there, not the host's sshd: it may wait for a check in a browser. "
                 "Switch it off on the host ('tailscale set --ssh=false'), or say 'tailscale_ssh: accept'");
    if (login->rung == SSH_RUNG_KEY_EXCHANGE && login->end == SSH_END_SILENT)
        text_add(&why,
                 "; its first large packet did not arrive, as where packets of more than about 1 kB are lost "
                 "(path MTU)");
    if (login->rung == SSH_RUNG_BANNER && login->end != SSH_END_SILENT && !probing->way.proxy)
        text_add(&why,
                 "; it takes nothing from this address for a while (PerSourcePenalties), or is not up yet");
    judge(probing, "unusable", text_string(&why));
}

static int connect_way(struct probing *probing, struct ssh_session_login *login, struct error *err)
{
    struct deadline connect = deadline_in(CONNECT_BOUND), all = deadline_in(LOGIN_BOUND);
    if (session_line_open(&probing->way, connect, &probing->line, err) < 0)
        return -1;
    return session_line_log_in(&probing->way, &probing->line, all, &probing->session, login, err);
}

static int first_connection(struct probing *probing)
{
    AUTO_ERROR failed = ERROR_INIT;
    struct ssh_session_login login = {.banner_ns = -1, .key_exchange_ns = -1, .auth_ns = -1};
    int status = connect_way(probing, &login, &failed);
    put_ms(probing->entry, "name_ms", probing->line.name_ns);
    put_ms(probing->entry, "tcp_ms", probing->line.connect_ns);
    put_login(probing, &login);
    if (status == 0)
        return 0;
    if (probing->line.connect_ns < 0 && probing->line.proxy.pid <= 0) {
        AUTO_FREE char *why = xasprintf("no connection: %s", error_text(&failed));
        json_set_string(probing->entry, "rung", "tcp");
        json_set_string(probing->entry, "cause", cause_of_text(error_text(&failed)));
        judge(probing, "unusable", why);
    } else {
        judge_login(probing, &login, error_text(&failed));
    }
    return -1;
}

/* ------------------------------------------------------------ figures */

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void take_round_trips(struct probing *probing)
{
    int64_t times[ECHOES];
    AUTO_ERROR failed = ERROR_INIT;
    int count = ssh_session_echo(probing->session, ECHO_BYTES, ECHOES, ECHO_BOUND, times, &failed);
    if (count < ECHOES) {
        AUTO_FREE char *why = xasprintf("logged in, but of %d small echoes %d came back: %s", ECHOES,
                                        count < 0 ? 0 : count, error_text(&failed));
        json_set_string(probing->entry, "rung", "channel");
        judge(probing, "hangs", why);
    }
    if (count <= 0)
        return;
    qsort(times, (size_t)count, sizeof *times, compare);
    struct json *object = json_new_object();
    json_set_integer(object, "n", count);
    put_ms(object, "min_ms", times[0]);
    put_ms(object, "median_ms", times[count / 2]);
    put_ms(object, "p95_ms", times[(count * 95 - 1) / 100]);
    json_set(probing->entry, "round_trip", object);
}

/* Whether an output of so many bytes, written at once, comes. The session is over where it does not. */
static bool comes_through(struct probing *probing, int bytes)
{
    AUTO_FREE char *command = xasprintf("head -c %d /dev/zero", bytes);
    struct ssh_channel_work work = {.command = command};
    struct ssh_channel_end end;
    int status = ssh_session_run(probing->session, &work, 1, deadline_in(SIZE_BOUND), &end, NULL);
    ssh_channel_end_clear(&end);
    return status == 0 && end.received >= (uint64_t)bytes;
}

static void climb_sizes(struct probing *probing)
{
    for (size_t i = 0; i < COUNT_OF(sizes) && !probing->least; i++) {
        if (comes_through(probing, sizes[i]))
            probing->largest = sizes[i];
        else
            probing->least = sizes[i];
    }
}

/* Each further look costs a connection, for one that hangs is lost. */
static void narrow_sizes(struct probing *probing)
{
    for (int i = 0; i < REFINE && probing->least - probing->largest > 16; i++) {
        struct ssh_session_login login;
        int between = (probing->least + probing->largest) / 2;
        disconnect(probing);
        if (connect_way(probing, &login, NULL) < 0)
            return;
        if (comes_through(probing, between))
            probing->largest = between;
        else
            probing->least = between;
    }
}

static void take_sizes(struct probing *probing)
{
    climb_sizes(probing);
    if (probing->least)
        narrow_sizes(probing);
    struct json *object = json_new_object();
    json_set_integer(object, "largest_through", probing->largest);
    json_set(object, "least_hung", probing->least ? json_new_integer(probing->least) : json_new_null());
    json_set(probing->entry, "output_bytes", object);
    if (probing->least) {
        AUTO_FREE char *why = xasprintf(
            "logs in, but output hangs: %d bytes at once come through, %d do not. Packets of more than "
            "about %d bytes are lost on the way: %s",
            probing->largest, probing->least, probing->largest + 100,
            mtu_advice(transport_name(probing->order->reach->kind)));
        json_set_string(probing->entry, "rung", "output");
        judge(probing, "hangs", why);
    }
}

/* Bytes a second of one direction; what did not come to its end within the bound counts as far as it came. */
static void take_bulk(struct probing *probing, const char *key, const struct ssh_channel_work *work)
{
    struct ssh_channel_end end;
    AUTO_ERROR failed = ERROR_INIT;
    int status = ssh_session_run(probing->session, work, 1, deadline_in(BULK_BOUND), &end, &failed);
    uint64_t bytes = work->input_bytes ? end.sent : end.received;
    int64_t until = status == 0 ? end.end_ns : end.last_byte_ns, took = until - end.begun_ns;
    if (bytes > ECHO_BYTES && took > 0)
        json_set_integer(probing->entry, key, (int64_t)((double)bytes * NS_PER_S / (double)took));
    bool moved = end.last_byte_ns >= 0 && end.end_ns - end.last_byte_ns < BULK_BOUND / 2;
    if (status < 0 && !(failed.kind == ERROR_DEADLINE && moved)) {
        AUTO_FREE char *why = xasprintf("logs in, but a bulk transfer ended after %llu bytes: %s",
                                        (unsigned long long)bytes, error_text(&failed));
        json_set_string(probing->entry, "rung", "output");
        judge(probing, "hangs", why);
    }
    ssh_channel_end_clear(&end);
    if (status < 0)
        disconnect(probing);
}

static void take_bulks(struct probing *probing)
{
    const struct ssh_channel_work down = {.command = "head -c 4194304 /dev/zero"},
                                  up = {.command = "cat >/dev/null", .input_bytes = BULK};
    struct ssh_session_login login;
    take_bulk(probing, "down_bytes_per_s", &down);
    if (!probing->session && (json_get(probing->entry, "verdict") || connect_way(probing, &login, NULL) < 0))
        return;
    take_bulk(probing, "up_bytes_per_s", &up);
}

static void take_figures(struct probing *probing)
{
    /* Held by one process at a time, and let go with it. */
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    take_sizes(probing);
    if (probing->least)
        return;
    (void)fcntl(probing->order->turn, F_SETLKW, &lock);
    take_round_trips(probing);
    if (!json_get(probing->entry, "verdict"))
        take_bulks(probing);
    lock.l_type = F_UNLCK;
    (void)fcntl(probing->order->turn, F_SETLK, &lock);
    struct tcp_state tcp;
    if (probing->session && ssh_session_tcp(probing->session, &tcp, NULL) == 0) {
        json_set_integer(probing->entry, "segments_sent_again", tcp.retransmitted);
        put_ms(probing->entry, "tcp_rtt_ms", tcp.rtt_ns);
    }
}

/* ------------------------------------------------------------ the way */

static void put_path(struct probing *probing, const char *key)
{
    const struct reach *reach = probing->order->reach;
    struct peer_path path = {0};
    if (peer_path_look(reach->target, reach->machine, reach->kind, deadline_in(DAEMON_BOUND), &path) != 0)
        return;
    json_set(probing->entry, key, peer_path_json(&path));
    peer_path_clear(&path);
}

/* What this machine lacks for it; NULL: nothing. Borrowed. */
static const char *lack_of(const struct reach *reach)
{
    const struct json *entry = json_at(json_get(reach->evidence, "transports"), 0);
    return !entry || json_get_bool(entry, "usable") ? NULL
                                                    : json_get_string(entry, "why", "it cannot be used here");
}

static int find_way(struct probing *probing, struct error *err)
{
    const struct reach *reach = probing->order->reach;
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    if (ssh_arguments_make(reach->machine, reach->target, reach->kind, NULL, probing->order->agent_directory,
                           SSH_ALIVE_INTERVAL, ssh_alive_count(HOST_SILENT), &ssh, err) < 0)
        return -1;
    if (!ssh.host)
        return error_set(err, ERROR_PROJECT, "no address of the host is known for this way");
    if (session_way_find(&ssh, &probing->way, err) < 0)
        return -1;
    probing->way.lets_in_by_address = reach->target->tailscale_ssh_accept;
    return 0;
}

struct json *probe_way(const struct probe_order *order)
{
    struct probing probing = {.order = order, .entry = json_new_object(), .line = SESSION_LINE_INIT};
    const char *lack = lack_of(order->reach);
    AUTO_ERROR failed = ERROR_INIT;
    json_set_string(probing.entry, "transport", transport_name(order->reach->kind));
    put_path(&probing, "path_before");
    if (lack) {
        judge(&probing, "unusable", lack);
    } else if (find_way(&probing, &failed) < 0) {
        judge(&probing, "unusable", error_text(&failed));
    } else if (first_connection(&probing) == 0) {
        take_figures(&probing);
        put_path(&probing, "path_after");
        json_set_string(probing.entry, "rung", "done");
        judge(&probing, "usable", "logs in, and output of every size comes through");
    }
    disconnect(&probing);
    session_way_clear(&probing.way);
    return probing.entry;
}
