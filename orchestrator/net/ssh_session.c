#include "net/ssh_session.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "net/ssh_handle.h"
#include "net/ssh_library.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int ssh_session_check(struct error *err)
{
    return ssh_library_load(err);
}

/* ------------------------------------------------------------ logging in */

static void note_banner(struct ssh_session *session, struct ssh_session_login *login, int64_t since)
{
    const char *banner = ssh.get_serverbanner(session->handle);
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
        int result = ssh.connect(session->handle);
        session->fd_given = -1;
        note_banner(session, login, since);
        const char *doing = login->rung == SSH_RUNG_BANNER ? "waiting for the server's version"
                                                           : "exchanging keys with the server";
        if (result == SSH_DONE)
            break;
        if (result != SSH_LATER)
            return ssh_handle_fail(session, login->rung, doing, err);
        if (ssh_handle_await(session, deadline) < 0)
            return ssh_handle_fail_late(session, doing, err);
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
    AUTO_FREE char *text = ssh_library_host_key(session->handle);
    bool revoked = false, other = false, found = false;
    for (size_t i = 0; text && known && known[i]; i++) {
        revoked |= is_revoked(known[i], text);
        ssh_library_set(session->handle, SSH_OPTION_KNOWN_HOSTS, known[i]);
        ssh_library_set(session->handle, SSH_OPTION_MORE_KNOWN_HOSTS, "/dev/null");
        enum ssh_known state = ssh_library_known(session->handle);
        found |= state == SSH_KNOWN_SAME;
        other |= state == SSH_KNOWN_OTHER;
    }
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
    return ssh.userauth_publickey(session->handle, NULL, session->key);
}

static int log_in_by_agent(struct ssh_session *session)
{
    return ssh.userauth_agent(session->handle, NULL);
}

static int log_in_by_nothing(struct ssh_session *session)
{
    return ssh.userauth_none(session->handle, NULL);
}

/* 1 it let us in, 0 not so, -1 the connection or the time is over. */
static int try_login(struct ssh_session *session, int (*way)(struct ssh_session *), struct deadline deadline,
                     struct error *err)
{
    for (;;) {
        int result = way(session);
        if (result == SSH_LET_IN)
            return 1;
        if (result == SSH_LOGIN_FAILED && !ssh.is_connected(session->handle))
            return ssh_handle_fail(session, SSH_RUNG_AUTH, "logging in", err);
        if (result != SSH_LOGIN_LATER)
            return 0;
        if (ssh_handle_await(session, deadline) < 0)
            return ssh_handle_fail_late(session, "logging in", err);
    }
}

static int try_keys(struct ssh_session *session, struct deadline deadline, struct text *tried,
                    struct error *err)
{
    const char *const *keys = session->order->keys;
    for (size_t i = 0; keys && keys[i]; i++) {
        if (!(session->key = ssh_library_open_key(keys[i]))) {
            session->closed |= file_exists(keys[i]);
            continue;
        }
        text_addf(tried, "%s%s", tried->length ? ", " : "", keys[i]);
        int result = try_login(session, log_in_by_key, deadline, err);
        ssh.key_free(TAKE(session->key));
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
    struct ssh_session_struct *handle = session->handle;
    ssh_library_set(handle, SSH_OPTION_NO_CONFIG, &no);
    ssh_library_set(handle, SSH_OPTION_HOST, order->host_key_alias ? order->host_key_alias : order->host);
    ssh_library_set(handle, SSH_OPTION_PORT, &port);
    ssh_library_set(handle, SSH_OPTION_USER, order->user);
    ssh_library_set(handle, SSH_OPTION_DESCRIPTOR, &session->fd_given);
    /* Of several keys that the host has, a known one is asked for. */
    ssh_library_set(handle, SSH_OPTION_KNOWN_HOSTS, known && known[0] ? known[0] : "/dev/null");
    ssh_library_set(handle, SSH_OPTION_MORE_KNOWN_HOSTS,
                    known && known[0] && known[1] ? known[1] : "/dev/null");
    if (order->agent_socket)
        ssh_library_set(handle, SSH_OPTION_AGENT, order->agent_socket);
    ssh_library_wait_for_nothing(handle);
}

int ssh_session_open(const struct ssh_session_order *order, struct deadline deadline,
                     struct ssh_session **out, struct ssh_session_login *login, struct error *err)
{
    struct ssh_session *session = xcalloc(1, sizeof *session);
    *session = (struct ssh_session){.fd = order->fd, .fd_given = -1, .order = order};
    *login = (struct ssh_session_login){.banner_ns = -1, .key_exchange_ns = -1, .auth_ns = -1};
    int status = ssh_library_load(err);
    if (status == 0) {
        fcntl(session->fd, F_SETFL, fcntl(session->fd, F_GETFL) | O_NONBLOCK);
        session->fd_given = fcntl(session->fd, F_DUPFD_CLOEXEC, 3);
        session->handle = ssh.new();
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
            ssh.disconnect(session->handle);
        ssh.free(session->handle);
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
