#include "net/ssh_handle.h"
#include "net/ssh_library.h"
#include "net/ssh_session.h"

#include "base/moment.h"

enum { BLOCK = 32 * 1024 };

static int open_echo(struct ssh_session *session, struct deadline deadline, struct error *err)
{
    if (!session->echo)
        session->echo = ssh.channel_new(session->handle);
    for (bool opened = false; !session->echoes;) {
        int result =
            opened ? ssh.channel_request_exec(session->echo, "cat") : ssh.channel_open_session(session->echo);
        if (result == SSH_DONE) {
            session->echoes = opened;
            opened = true;
        } else if (result != SSH_LATER) {
            return ssh_handle_fail(session, SSH_RUNG_DONE, "opening a channel for an echo", err);
        } else if (ssh_handle_await(session, deadline) < 0) {
            return ssh_handle_fail_late(session, "opening a channel for an echo", err);
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
        int gave = !left || !ssh_handle_may_write(session)
                       ? 0
                       : ssh.channel_write(session->echo, zeros, (uint32_t)(left < BLOCK ? left : BLOCK));
        int got = ssh.channel_read_nonblocking(session->echo, block, sizeof block, 0);
        sent += gave > 0 ? (size_t)gave : 0;
        received += got > 0 ? (size_t)got : 0;
        if (gave < 0 || got < 0 || !ssh.is_connected(session->handle))
            return ssh_handle_fail(session, SSH_RUNG_DONE, "an echo over the connection", err);
        if (gave <= 0 && got <= 0 && ssh_handle_await(session, deadline) < 0)
            return ssh_handle_fail_late(session, "an echo over the connection", err);
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
