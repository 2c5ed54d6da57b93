#include "transport/login_error.h"

#include "base/memory.h"
#include "base/text.h"
#include "event/host_key_change.h"

const char *rung_means(const char *rung)
{
    static const struct {
        const char *rung, *what;
    } meanings[] = {{"tcp", "no TCP connection"},
                    {"banner", "no SSH banner"},
                    {"key-exchange", "no exchange of keys"},
                    {"host-key", "the host's key was not accepted"},
                    {"auth", "no login"},
                    {"channel", "no channel"},
                    {"output", "a channel, but no output of more than one packet"}};
    for (size_t i = 0; i < COUNT_OF(meanings); i++)
        if (text_is(meanings[i].rung, rung))
            return meanings[i].what;
    return rung;
}

/* The name under which ssh knows the keys of the host itself. malloc'ed. */
static char *name_of_keys(const struct transport_route *route)
{
    if (route->host_key_alias || route->port == 22)
        return xstrdup_or_null(route->host_key_alias ? route->host_key_alias : route->hostname);
    return xasprintf("[%s]:%d", route->hostname, route->port);
}

int login_error(const struct login *login, const struct transport_route *route, const char *target,
                enum transport_kind kind, struct error *err)
{
    AUTO_FREE char *known_as = name_of_keys(route);
    bool of_key = text_is(login->cause, "host-key");
    AUTO_FREE char *key =
        of_key ? host_key_change_text(login->why, target, known_as, login->on_the_way) : NULL;
    /* Of the target itself ssh would have said more: it is asked with strict checking. */
    if (of_key && !key && login->on_the_way)
        key = host_key_on_the_way_text(target, route->proxy);
    if (key)
        return error_set(err, ERROR_UNREACHABLE, "target %s over %s (host-key): %s", target,
                         transport_name(kind), key);
    return error_set(err, ERROR_UNREACHABLE, "target %s over %s: %s (%s: %s)", target, transport_name(kind),
                     rung_means(login_rung_name(login->rung)), login->cause, login->why);
}
