#include "net/ssh_session.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <string.h>

enum { BLOCK = 32 * 1024, SAID_MOST = 4096 };
/* A longer gap is a stall. */
#define STALL NS_PER_S

/* What is used of libssh. It brings three further libraries, which no command but two needs. */
#define CALLS(X)                    \
    X(ssh_new)                      \
    X(ssh_free)                     \
    X(ssh_options_set)              \
    X(ssh_set_blocking)             \
    X(ssh_connect)                  \
    X(ssh_disconnect)               \
    X(ssh_is_connected)             \
    X(ssh_get_error)                \
    X(ssh_get_poll_flags)           \
    X(ssh_get_serverbanner)         \
    X(ssh_get_server_publickey)     \
    X(ssh_session_is_known_server)  \
    X(ssh_pki_export_pubkey_base64) \
    X(ssh_pki_import_privkey_file)  \
    X(ssh_key_free)                 \
    X(ssh_string_free_char)         \
    X(ssh_userauth_none)            \
    X(ssh_userauth_publickey)       \
    X(ssh_userauth_agent)           \
    X(ssh_channel_new)              \
    X(ssh_channel_free)             \
    X(ssh_channel_open_session)     \
    X(ssh_channel_request_exec)     \
    X(ssh_channel_read_nonblocking) \
    X(ssh_channel_write)            \
    X(ssh_channel_send_eof)         \
    X(ssh_channel_is_eof)           \
    X(ssh_channel_is_closed)        \
    X(ssh_channel_get_exit_status)

#define DECLARE(name) __typeof__(name) *name;
static struct {
    CALLS(DECLARE)
} lib;

struct ssh_session {
    ssh_session handle;
    int fd;       /* ours */
    int fd_given; /* another of the same socket, -1 once it is libssh's, which closes it when it likes */
    enum ssh_end end;
    const struct ssh_session_order *order; /* while it is opened */
    ssh_key key;
    ssh_channel echo;
    bool echoes;
    bool closed; /* a key did not open */
    bool held;   /* what was to be written had to wait for what libssh had not written yet */
};

int ssh_session_check(struct error *err)
{
    static bool loaded;
    if (loaded)
        return 0;
    void *library = dlopen("libssh.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(err, ERROR_MISSING,
                         "the library libssh is missing (%s); install Debian's package libssh-4", dlerror());
#define FIND(name)                                                                                          \
    *(void **)&lib.name = dlsym(library, #name);                                                            \
    if (!lib.name)                                                                                          \
        return error_set(err, ERROR_MISSING, "the library libssh has no %s; a release from 0.10 on has it", \
                         #name);
    CALLS(FIND)
    loaded = true;
    return 0;
}

const char *ssh_end_name(enum ssh_end end)
{
    static const char *const names[] = {"", "silent", "closed", "reset", "host-key", "auth", "protocol"};
    return names[end];
}

const char *ssh_rung_name(enum ssh_rung rung)
{
    static const char *const names[] = {"banner", "key-exchange", "host-key", "auth", "channel"};
    return names[rung];
}

static bool wants_to_write(const struct ssh_session *session)
{
    return lib.ssh_get_poll_flags(session->handle) & SSH_WRITE_PENDING;
}

/* Whether there is room for more now. */
static bool may_write(struct ssh_session *session)
{
    bool may = !wants_to_write(session);
    session->held |= !may;
    return may;
}

/* Until the socket has something for libssh, at most until then. 0 it may have, -1 it is over. */
static int await(struct ssh_session *session, struct deadline deadline)
{
    struct pollfd look = {.fd = session->fd,
                          .events = (short)(POLLIN | (wants_to_write(session) ? POLLOUT : 0))};
    bool held = session->held;
    session->held = false;
    /* libssh may have written all of it since then, and nothing else is to come. */
    if (!held || wants_to_write(session))
        (void)deadline_poll(&look, 1, deadline);
    return deadline_over(deadline) ? -1 : 0;
}

/* What libssh's own words say of how it ended: it has no codes for that. */
static enum ssh_end end_of_words(const char *words, enum ssh_rung rung)
{
    if (strcasestr(words, "reset") || strcasestr(words, "broken pipe"))
        return SSH_END_RESET;
    if (!*words || strcasestr(words, "disconnect") || strcasestr(words, "closed") || strcasestr(words, "eof"))
        return SSH_END_CLOSED;
    return rung == SSH_RUNG_DONE ? SSH_END_CLOSED : SSH_END_PROTOCOL;
}

static int fail_of_library(struct ssh_session *session, enum ssh_rung rung, const char *doing,
                           struct error *err)
{
    const char *words = lib.ssh_get_error(session->handle);
    /* The last call of the system, which failed in nothing. */
    if (text_is(words, "Success"))
        words = "";
    AUTO_TEXT shown = TEXT_INIT;
    session->end = end_of_words(words, rung);
    text_add_printable(&shown, words, strlen(words));
    if (!shown.length)
        text_add(&shown, "the connection was closed");
    return error_set(err, ERROR_UNREACHABLE, "%s: %s", doing, text_string(&shown));
}

static int fail_of_deadline(struct ssh_session *session, const char *doing, struct error *err)
{
    session->end = SSH_END_SILENT;
    return error_set(err, ERROR_DEADLINE, "%s: nothing came within the time for it", doing);
}

/* ------------------------------------------------------------ logging in */

static void note_banner(struct ssh_session *session, struct ssh_session_login *login, int64_t since)
{
    const char *banner = lib.ssh_get_serverbanner(session->handle);
    if (!banner || login->banner_ns >= 0)
        return;
    AUTO_TEXT shown = TEXT_INIT;
    text_add_printable(&shown, banner, strnlen(banner, sizeof login->banner - 1));
    size_t length = strnlen(text_string(&shown), sizeof login->banner - 1);
    memcpy(login->banner, text_string(&shown), length);
    login->banner_ns = moment_monotonic() - since;
    login->rung = SSH_RUNG_KEY_EXCHANGE;
}

static int exchange_keys(struct ssh_session *session, struct deadline deadline,
                         struct ssh_session_login *login, struct error *err)
{
    int64_t since = moment_monotonic();
    for (;;) {
        int result = lib.ssh_connect(session->handle);
        session->fd_given = -1;
        note_banner(session, login, since);
        const char *doing = login->rung == SSH_RUNG_BANNER ? "waiting for the server's version"
                                                           : "exchanging keys with the server";
        if (result == SSH_OK)
            break;
        if (result != SSH_AGAIN)
            return fail_of_library(session, login->rung, doing, err);
        if (await(session, deadline) < 0)
            return fail_of_deadline(session, doing, err);
    }
    login->key_exchange_ns = moment_monotonic() - since - login->banner_ns;
    login->rung = SSH_RUNG_HOST_KEY;
    return 0;
}

/* libssh passes over lines that begin with a marker. */
static bool is_revoked(const char *path, const char *key)
{
    AUTO_TEXT content = TEXT_INIT;
    if (file_read(path, 1 << 20, &content, NULL) < 0)
        return false;
    for (char *state = NULL, *line = strtok_r(content.length ? content.bytes : (char[1]){0}, "\n", &state);
         line; line = strtok_r(NULL, "\n", &state))
        if (text_starts(line, "@revoked") && strstr(line, key))
            return true;
    return false;
}

static int refuse_key(struct ssh_session *session, const char *why, struct error *err)
{
    session->end = SSH_END_HOST_KEY;
    return error_set(
        err, ERROR_UNREACHABLE,
        "looking at the host key: %s; 'triphase trust' shows both keys and changes what is known", why);
}

static int check_host_key(struct ssh_session *session, struct error *err)
{
    const char *const *known = session->order->known_hosts;
    ssh_key key = NULL;
    char *text = NULL;
    bool revoked = false, other = false, found = false;
    if (lib.ssh_get_server_publickey(session->handle, &key) == SSH_OK)
        (void)lib.ssh_pki_export_pubkey_base64(key, &text);
    for (size_t i = 0; text && known && known[i]; i++) {
        revoked |= is_revoked(known[i], text);
        lib.ssh_options_set(session->handle, SSH_OPTIONS_KNOWNHOSTS, known[i]);
        lib.ssh_options_set(session->handle, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
        enum ssh_known_hosts_e state = lib.ssh_session_is_known_server(session->handle);
        found |= state == SSH_KNOWN_HOSTS_OK;
        other |= state == SSH_KNOWN_HOSTS_CHANGED || state == SSH_KNOWN_HOSTS_OTHER;
    }
    if (text)
        lib.ssh_string_free_char(text);
    lib.ssh_key_free(key);
    if (revoked)
        return refuse_key(session, "the host shows a key that is revoked", err);
    if (found)
        return 0;
    return refuse_key(session,
                      other ? "the host shows another key than the known one" : "no key of the host is known",
                      err);
}

static int log_in_by_key(struct ssh_session *session)
{
    return lib.ssh_userauth_publickey(session->handle, NULL, session->key);
}

static int log_in_by_agent(struct ssh_session *session)
{
    return lib.ssh_userauth_agent(session->handle, NULL);
}

static int log_in_by_nothing(struct ssh_session *session)
{
    return lib.ssh_userauth_none(session->handle, NULL);
}

/* 1 it let us in, 0 not so, -1 the connection or the time is over. */
static int try_login(struct ssh_session *session, int (*way)(struct ssh_session *), struct deadline deadline,
                     struct error *err)
{
    for (;;) {
        int result = way(session);
        if (result == SSH_AUTH_SUCCESS)
            return 1;
        if (result == SSH_AUTH_ERROR && !lib.ssh_is_connected(session->handle))
            return fail_of_library(session, SSH_RUNG_AUTH, "logging in", err);
        if (result != SSH_AUTH_AGAIN)
            return 0;
        if (await(session, deadline) < 0)
            return fail_of_deadline(session, "logging in", err);
    }
}

static int try_keys(struct ssh_session *session, struct deadline deadline, struct text *tried,
                    struct error *err)
{
    const char *const *keys = session->order->keys;
    for (size_t i = 0; keys && keys[i]; i++) {
        if (lib.ssh_pki_import_privkey_file(keys[i], NULL, NULL, NULL, &session->key) != SSH_OK) {
            session->closed |= file_exists(keys[i]);
            continue;
        }
        text_addf(tried, "%s%s", tried->length ? ", " : "", keys[i]);
        int result = try_login(session, log_in_by_key, deadline, err);
        lib.ssh_key_free(TAKE(session->key));
        if (result)
            return result;
    }
    return 0;
}

static int log_in(struct ssh_session *session, struct deadline deadline,
                  const struct ssh_session_login *login, struct error *err)
{
    const struct ssh_session_order *order = session->order;
    AUTO_TEXT tried = TEXT_INIT;
    int result = 0;
    if (order->lets_in_by_address && strstr(login->banner, "Tailscale"))
        result = try_login(session, log_in_by_nothing, deadline, err);
    if (!result)
        result = try_keys(session, deadline, &tried, err);
    if (!result && order->agent_socket && (session->closed || !order->agent_for_closed)) {
        text_addf(&tried, "%sthe agent's keys", tried.length ? ", " : "");
        result = try_login(session, log_in_by_agent, deadline, err);
    }
    if (result)
        return result < 0 ? -1 : 0;
    session->end = SSH_END_AUTH;
    return error_set(err, ERROR_UNREACHABLE, "logging in as %s: the host took none of what was tried: %s",
                     order->user, tried.length ? text_string(&tried) : "nothing, for no key could be opened");
}

static void prepare(struct ssh_session *session, const struct ssh_session_order *order)
{
    const char *const *known = order->known_hosts;
    /* An alias is looked up as it is, without the port. */
    unsigned port = order->host_key_alias ? 22 : (unsigned)order->port;
    bool no = false;
    ssh_session handle = session->handle;
    lib.ssh_options_set(handle, SSH_OPTIONS_PROCESS_CONFIG, &no);
    lib.ssh_options_set(handle, SSH_OPTIONS_HOST,
                        order->host_key_alias ? order->host_key_alias : order->host);
    lib.ssh_options_set(handle, SSH_OPTIONS_PORT, &port);
    lib.ssh_options_set(handle, SSH_OPTIONS_USER, order->user);
    lib.ssh_options_set(handle, SSH_OPTIONS_FD, &session->fd_given);
    /* Of several keys that the host has, a known one is asked for. */
    lib.ssh_options_set(handle, SSH_OPTIONS_KNOWNHOSTS, known && known[0] ? known[0] : "/dev/null");
    lib.ssh_options_set(handle, SSH_OPTIONS_GLOBAL_KNOWNHOSTS,
                        known && known[0] && known[1] ? known[1] : "/dev/null");
    if (order->agent_socket)
        lib.ssh_options_set(handle, SSH_OPTIONS_IDENTITY_AGENT, order->agent_socket);
    lib.ssh_set_blocking(handle, 0);
}

int ssh_session_open(const struct ssh_session_order *order, struct deadline deadline,
                     struct ssh_session **out, struct ssh_session_login *login, struct error *err)
{
    struct ssh_session *session = xcalloc(1, sizeof *session);
    *session = (struct ssh_session){.fd = order->fd, .fd_given = -1, .order = order};
    *login = (struct ssh_session_login){.banner_ns = -1, .key_exchange_ns = -1, .auth_ns = -1};
    int status = ssh_session_check(err);
    if (status == 0) {
        fcntl(session->fd, F_SETFL, fcntl(session->fd, F_GETFL) | O_NONBLOCK);
        session->fd_given = fcntl(session->fd, F_DUPFD_CLOEXEC, 3);
        session->handle = lib.ssh_new();
        if (session->fd_given < 0 || !session->handle)
            status = error_system(err, errno, "cannot prepare a session of SSH");
    }
    if (status == 0) {
        prepare(session, order);
        status = exchange_keys(session, deadline, login, err);
    }
    if (status == 0)
        status = check_host_key(session, err);
    int64_t since = moment_monotonic();
    if (status == 0) {
        login->rung = SSH_RUNG_AUTH;
        status = log_in(session, deadline, login, err);
    }
    if (status == 0) {
        login->rung = SSH_RUNG_DONE;
        login->auth_ns = moment_monotonic() - since;
        session->order = NULL;
        *out = session;
        return 0;
    }
    login->end = session->end;
    ssh_session_close(&session);
    return -1;
}

void ssh_session_close(struct ssh_session **held)
{
    struct ssh_session *session = *held;
    *held = NULL;
    if (!session)
        return;
    if (session->handle) {
        /* A last word where somebody may read it. */
        if (session->end == SSH_END_NONE)
            lib.ssh_disconnect(session->handle);
        lib.ssh_free(session->handle);
    }
    fd_close(&session->fd_given);
    fd_close(&session->fd);
    free(session);
}

enum ssh_end ssh_session_ended(const struct ssh_session *session)
{
    return session->end;
}

int ssh_session_tcp(const struct ssh_session *session, struct tcp_state *out, struct error *err)
{
    return tcp_state_of(session->fd, out, err);
}

/* ------------------------------------------------------------ works */

enum lane_state { LANE_OPENING, LANE_ASKING, LANE_RUNNING, LANE_ENDED };

struct lane {
    const struct ssh_channel_work *work;
    struct ssh_channel_end *end;
    ssh_channel channel;
    enum lane_state state;
    int64_t since, moved; /* the call's begin, the last byte either way; monotonic */
    bool said_all;        /* its stdin was ended */
};

static void note_gap(struct lane *lane, int64_t now)
{
    int64_t gap = now - lane->moved;
    if (gap > lane->end->longest_gap_ns)
        lane->end->longest_gap_ns = gap;
    lane->end->stalls += gap > STALL;
    lane->moved = now;
}

static void note_bytes(struct lane *lane, int64_t now)
{
    note_gap(lane, now);
    if (lane->end->first_byte_ns < 0)
        lane->end->first_byte_ns = now - lane->since;
    lane->end->last_byte_ns = now - lane->since;
}

static void end_lane(struct lane *lane)
{
    int64_t now = moment_monotonic();
    if (lane->state == LANE_RUNNING)
        note_gap(lane, now);
    lane->end->end_ns = now - lane->since;
    lane->state = LANE_ENDED;
}

static void keep(struct text *text, size_t most, const char *bytes, size_t count)
{
    size_t room = most > text->length ? most - text->length : 0;
    text_add_bytes(text, bytes, count < room ? count : room);
}

/* Bytes that a throttled one may read now. */
static int64_t allowance(const struct lane *lane, int64_t now)
{
    if (!lane->work->throttle)
        return BLOCK;
    int64_t ms = (now - lane->since) / NS_PER_MS;
    int64_t left = lane->work->throttle * ms / 1000 - (int64_t)lane->end->received;
    return left > BLOCK ? BLOCK : left;
}

/* Whether anything came. */
static bool take_in(struct lane *lane, int of_errors)
{
    char block[BLOCK];
    int64_t now = moment_monotonic(), room = of_errors ? BLOCK : allowance(lane, now);
    int count =
        room > 0 ? lib.ssh_channel_read_nonblocking(lane->channel, block, (uint32_t)room, of_errors) : 0;
    if (count <= 0)
        return false;
    note_bytes(lane, now);
    lane->end->received += (uint64_t)count;
    keep(of_errors ? &lane->end->said : &lane->end->kept, of_errors ? SAID_MOST : lane->work->keep, block,
         (size_t)count);
    if (lane->work->on_bytes)
        lane->work->on_bytes(lane->work->context, (size_t)count, now);
    return true;
}

static bool give(struct ssh_session *session, struct lane *lane)
{
    static const char zeros[BLOCK];
    const struct ssh_channel_work *work = lane->work;
    size_t left = work->input_bytes - (size_t)lane->end->sent;
    if (lane->said_all || !may_write(session))
        return false;
    if (!left && work->holds)
        return false;
    if (!left) {
        lane->said_all = true;
        lib.ssh_channel_send_eof(lane->channel);
        return true;
    }
    const char *from = work->input ? work->input + lane->end->sent : zeros;
    int count = lib.ssh_channel_write(lane->channel, from, (uint32_t)(left < BLOCK ? left : BLOCK));
    if (count <= 0)
        return false;
    note_bytes(lane, moment_monotonic());
    lane->end->sent += (uint64_t)count;
    return true;
}

static bool go_on(struct ssh_session *session, struct lane *lane)
{
    bool moved = take_in(lane, 0);
    moved |= take_in(lane, 1);
    /* What came with the other's. */
    moved |= take_in(lane, 0);
    moved |= give(session, lane);
    if (moved || !lib.ssh_is_connected(session->handle))
        return moved;
    int code = lib.ssh_channel_get_exit_status(lane->channel);
    bool eof = lib.ssh_channel_is_eof(lane->channel);
    if (!lib.ssh_channel_is_closed(lane->channel) && !(eof && code >= 0))
        return false;
    lane->end->exit_code = code >= 0 ? code : -1;
    lane->end->ended = true;
    end_lane(lane);
    return true;
}

/* Whether a step was done. */
static bool step(struct ssh_session *session, struct lane *lane)
{
    int result;
    switch (lane->state) {
    case LANE_OPENING:
        result = lib.ssh_channel_open_session(lane->channel);
        break;
    case LANE_ASKING:
        result = lib.ssh_channel_request_exec(lane->channel, lane->work->command);
        break;
    case LANE_RUNNING:
        return go_on(session, lane);
    default:
        return false;
    }
    if (result == SSH_AGAIN)
        return false;
    if (result != SSH_OK) {
        lane->end->refused = lib.ssh_is_connected(session->handle);
        text_add(&lane->end->said, lib.ssh_get_error(session->handle));
        end_lane(lane);
        return true;
    }
    if (lane->state == LANE_ASKING) {
        lane->moved = moment_monotonic();
        lane->end->begun_ns = lane->moved - lane->since;
    }
    lane->state++;
    return true;
}

/* Where every one that still runs waits for its allowance the socket is left alone: so the other side feels
 * the throttle. */
static bool all_wait(const struct lane *lanes, size_t count)
{
    int64_t now = moment_monotonic();
    for (size_t i = 0; i < count; i++)
        if (lanes[i].state != LANE_ENDED && (lanes[i].state != LANE_RUNNING || allowance(&lanes[i], now) > 0))
            return false;
    return true;
}

static bool are_throttled(const struct lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lanes[i].state == LANE_RUNNING && lanes[i].work->throttle)
            return true;
    return false;
}

/* The moment at which one of them was silent for too long. */
static struct deadline patience(const struct lane *lanes, size_t count, struct deadline deadline)
{
    int64_t now = moment_monotonic();
    for (size_t i = 0; i < count; i++)
        if (lanes[i].state != LANE_ENDED && lanes[i].work->silence_ns)
            deadline =
                deadline_earlier(deadline, deadline_in(lanes[i].moved + lanes[i].work->silence_ns - now));
    return deadline;
}

/* 1 all ended, 0 go on, -1 over. */
static int turn(struct ssh_session *session, struct lane *lanes, size_t count, struct deadline deadline,
                struct error *err)
{
    bool moved = false;
    size_t ended = 0;
    for (size_t i = 0; i < count; i++) {
        moved |= step(session, &lanes[i]);
        ended += lanes[i].state == LANE_ENDED;
    }
    if (!lib.ssh_is_connected(session->handle))
        return fail_of_library(session, SSH_RUNG_DONE, "running a command on the host", err);
    if (ended == count)
        return 1;
    /* A flood never lets it wait, so the clock is asked each time. */
    deadline = patience(lanes, count, deadline);
    if (deadline_over(deadline))
        return fail_of_deadline(session, "running a command on the host", err);
    struct deadline soon = deadline_earlier(deadline, deadline_in(10 * NS_PER_MS));
    /* Reading of one channel libssh may take in what is another's, or the end of all: the socket says
     * nothing of that any more. */
    struct deadline again = deadline_in(20 * NS_PER_MS);
    if (all_wait(lanes, count))
        (void)deadline_poll(NULL, 0, soon);
    else if (!moved)
        (void)await(session, are_throttled(lanes, count) ? soon : deadline_earlier(deadline, again));
    return 0;
}

int ssh_session_run(struct ssh_session *session, const struct ssh_channel_work *works, size_t count,
                    struct deadline deadline, struct ssh_channel_end *ends, struct error *err)
{
    AUTO_FREE struct lane *lanes = xcalloc(count, sizeof *lanes);
    int64_t now = moment_monotonic();
    for (size_t i = 0; i < count; i++) {
        ends[i] = (struct ssh_channel_end){
            .exit_code = -1, .begun_ns = -1, .first_byte_ns = -1, .last_byte_ns = -1, .end_ns = -1};
        lanes[i] = (struct lane){.work = &works[i],
                                 .end = &ends[i],
                                 .since = now,
                                 .moved = now,
                                 .channel = lib.ssh_channel_new(session->handle)};
    }
    int result = 0;
    while (result == 0)
        result = turn(session, lanes, count, deadline, err);
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].state != LANE_ENDED)
            end_lane(&lanes[i]);
        lib.ssh_channel_free(lanes[i].channel);
    }
    return result < 0 ? -1 : 0;
}

void ssh_channel_end_clear(struct ssh_channel_end *end)
{
    text_clear(&end->kept);
    text_clear(&end->said);
}

/* ------------------------------------------------------------ echo */

static int open_echo(struct ssh_session *session, struct deadline deadline, struct error *err)
{
    if (!session->echo)
        session->echo = lib.ssh_channel_new(session->handle);
    for (bool opened = false; !session->echoes;) {
        int result = opened ? lib.ssh_channel_request_exec(session->echo, "cat")
                            : lib.ssh_channel_open_session(session->echo);
        if (result == SSH_OK) {
            session->echoes = opened;
            opened = true;
        } else if (result != SSH_AGAIN) {
            return fail_of_library(session, SSH_RUNG_DONE, "opening a channel for an echo", err);
        } else if (await(session, deadline) < 0) {
            return fail_of_deadline(session, "opening a channel for an echo", err);
        }
    }
    return 0;
}

static int echo_once(struct ssh_session *session, size_t bytes, struct deadline deadline, struct error *err)
{
    static const char zeros[BLOCK];
    char block[BLOCK];
    for (size_t sent = 0, received = 0; received < bytes;) {
        size_t left = bytes - sent;
        int gave = !left || !may_write(session)
                       ? 0
                       : lib.ssh_channel_write(session->echo, zeros, (uint32_t)(left < BLOCK ? left : BLOCK));
        int got = lib.ssh_channel_read_nonblocking(session->echo, block, sizeof block, 0);
        sent += gave > 0 ? (size_t)gave : 0;
        received += got > 0 ? (size_t)got : 0;
        if (gave < 0 || got < 0 || !lib.ssh_is_connected(session->handle))
            return fail_of_library(session, SSH_RUNG_DONE, "an echo over the connection", err);
        if (gave <= 0 && got <= 0 && await(session, deadline) < 0)
            return fail_of_deadline(session, "an echo over the connection", err);
    }
    return 0;
}

int ssh_session_echo(struct ssh_session *session, size_t bytes, int count, int64_t bound_ns, int64_t *times,
                     struct error *err)
{
    int done = 0;
    if (open_echo(session, deadline_in(bound_ns), err) < 0)
        return -1;
    for (; done < count; done++) {
        int64_t since = moment_monotonic();
        if (echo_once(session, bytes, deadline_in(bound_ns), err) < 0)
            return done ? done : -1;
        times[done] = moment_monotonic() - since;
    }
    return done;
}
