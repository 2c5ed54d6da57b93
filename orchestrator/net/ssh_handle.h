/* What the files of a session share: what it holds, and how one waits for it and says that it ended. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "net/ssh_end.h"
#include <stdbool.h>

struct ssh_session_order;
struct ssh_session {
    struct ssh_session_struct *handle;
    int fd;       /* ours */
    int fd_given; /* another of the same socket, -1 once it is libssh's, which closes it when it likes */
    enum ssh_end end;
    const struct ssh_session_order *order; /* while it is opened */
    struct ssh_key_struct *key;
    struct ssh_channel_struct *echo;
    bool echoes;
    bool closed; /* a key did not open */
    bool held;   /* what was to be written had to wait for what libssh had not written yet */
};

/* Whether there is room for more now. */
bool ssh_handle_may_write(struct ssh_session *session);
/* Until the socket has something for libssh, at most until then. 0 it may have, -1 it is over. */
int ssh_handle_await(struct ssh_session *session, struct deadline deadline);
/* Both set how it ended. ERROR_UNREACHABLE, by libssh's own words; ERROR_DEADLINE. */
int ssh_handle_fail(struct ssh_session *session, enum ssh_rung rung, const char *doing, struct error *err);
int ssh_handle_fail_late(struct ssh_session *session, const char *doing, struct error *err);
