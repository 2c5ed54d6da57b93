#include "net/ssh_handle.h"

#include "base/text.h"
#include "net/ssh_library.h"

#include <string.h>

static bool wants_to_write(const struct ssh_session *session)
{
    return ssh.get_poll_flags(session->handle) & SSH_WANTS_TO_WRITE;
}

bool ssh_handle_may_write(struct ssh_session *session)
{
    bool may = !wants_to_write(session);
    session->held |= !may;
    return may;
}

int ssh_handle_await(struct ssh_session *session, struct deadline deadline)
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

int ssh_handle_fail(struct ssh_session *session, enum ssh_rung rung, const char *doing, struct error *err)
{
    const char *words = ssh.get_error(session->handle);
    /* The last call of the system, which failed in nothing. */
    if (text_is(words, "Success"))
        words = "";
    AUTO_TEXT shown = TEXT_INIT;
    session->end = ssh_end_of_words(words, rung);
    text_add_printable(&shown, words, strlen(words));
    if (!shown.length)
        text_add(&shown, "the connection was closed");
    return error_set(err, ERROR_UNREACHABLE, "%s: %s", doing, text_string(&shown));
}

int ssh_handle_fail_late(struct ssh_session *session, const char *doing, struct error *err)
{
    session->end = SSH_END_SILENT;
    return error_set(err, ERROR_DEADLINE, "%s: nothing came within the time for it", doing);
}
