#include "tailnet/join_error.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

struct meaning {
    const char *said; /* some of the words, in any case */
    enum error_kind kind;
    const char *means; /* what it means; what to do */
};

/* The first row that fits: what is more exact stands first. */
static const struct meaning meanings[] = {
    {"requested tags", ERROR_PROJECT,
     "a tag is not permitted to this key: let the credentials (or the key) own every tag of operator.tags, "
     "and name "
     "the tags' owners in the tailnet's policy"},
    {"tags are invalid", ERROR_PROJECT,
     "a tag is not permitted to this key: let the credentials (or the key) own every tag of operator.tags, "
     "and name "
     "the tags' owners in the tailnet's policy"},
    {"already been used", ERROR_PROJECT,
     "the key is not reusable and has been used: make a new one, or a reusable one, or give OAuth "
     "credentials, from "
     "which each join gets a key of its own"},
    {"already used", ERROR_PROJECT,
     "the key is not reusable and has been used: make a new one, or a reusable one, or give OAuth "
     "credentials, from "
     "which each join gets a key of its own"},
    {"expired or is not yet valid", ERROR_PROJECT,
     "the certificate of the control server does not fit the clock: set this machine's clock (timedatectl), "
     "or mend "
     "the certificate"},
    {"expired", ERROR_PROJECT,
     "the key has expired: make a new one, or give OAuth credentials, from which each join gets a key of its "
     "own"},
    {"auth-key not found", ERROR_PROJECT,
     "the control server does not know the key: it was deleted, is another server's, or was copied wrong"},
    {"invalid pre auth key", ERROR_PROJECT,
     "the control server does not know the key: it was deleted, is another server's, or was copied wrong"},
    {"failed to parse auth-key", ERROR_PROJECT,
     "what was given as the key is none of this control server: it was copied wrong, or is another server's"},
    {"invalid key", ERROR_PROJECT,
     "the control server does not take the key: it was deleted, is another server's, or was copied wrong"},
    {"invalid auth", ERROR_PROJECT,
     "the control server does not take the key: it was deleted, is another server's, or was copied wrong"},
    {"access denied", ERROR_MISSING,
     "this user may not lead that daemon: run triphase as the user who started it"},
    {"permission denied", ERROR_MISSING,
     "this user may not lead that daemon: run triphase as the user who started it"},
    {"timeout waiting", ERROR_DEADLINE, "it was not Running in time"},
    {"deadline exceeded", ERROR_DEADLINE, "it was not Running in time"},
    {"timed out", ERROR_DEADLINE, "it was not Running in time"},
    {"", ERROR_PROJECT, "the control server or the daemon refuses"},
};

static const struct meaning *find(const char *said)
{
    const struct meaning *meaning = meanings;
    while (!strcasestr(said, meaning->said))
        meaning++;
    return meaning;
}

/* The last line that is not empty. */
static char *last_line(const char *said)
{
    size_t end = strlen(said);
    while (end && strchr("\r\n \t", said[end - 1]))
        end--;
    size_t begin = end;
    while (begin && said[begin - 1] != '\n')
        begin--;
    AUTO_TEXT out = TEXT_INIT;
    text_add_printable(&out, said + begin, end - begin);
    return text_take(&out);
}

int join_error_of(const char *said, struct error *err)
{
    AUTO_FREE char *line = last_line(said);
    const struct meaning *meaning = find(said);
    return error_set(err, meaning->kind, "cannot join the tailnet: %s (tailscale says: %s)", meaning->means,
                     *line ? line : "nothing");
}

int join_error_late(const char *state, const char *health, const char *server, struct error *err)
{
    if (text_is(state, "NeedsMachineAuth"))
        return error_set(
            err, ERROR_PROJECT,
            "this machine has joined and waits for an admin's approval: approve the device, or give a key "
            "that is preauthorized");
    if (strcasestr(health, "expired or is not yet valid"))
        return error_set(
            err, ERROR_PROJECT,
            "the certificate of the control server %s does not fit the clock: set this machine's clock "
            "(timedatectl), or mend the certificate (tailscaled says: %s)",
            server, health);
    return error_set(
        err, ERROR_DEADLINE,
        "this machine is not Running in its tailnet in time (%s)%s%s; look whether the control server %s can "
        "be reached from here",
        state && *state ? state : "no state", *health ? ": " : "", health, server);
}
