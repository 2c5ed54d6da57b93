#include "tailnet/ready.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

static const char of_tailscale[] = "https://controlplane.tailscale.com";

/* What clients have been given as Tailscale's own server over the years. */
static bool is_tailscales(const char *url, size_t length)
{
    static const char *const names[] = {of_tailscale, "https://login.tailscale.com"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (length == strlen(names[i]) && strncasecmp(url, names[i], length) == 0)
            return true;
    return length == 0;
}

static size_t bare_length(const char *url)
{
    size_t length = strlen(url);
    while (length && url[length - 1] == '/')
        length--;
    return length;
}

bool ready_is_same_server(const char *one, const char *other)
{
    one = one ? one : "";
    other = other ? other : "";
    size_t length = bare_length(one), others = bare_length(other);
    if (is_tailscales(one, length) || is_tailscales(other, others))
        return is_tailscales(one, length) && is_tailscales(other, others);
    return length == others && strncasecmp(one, other, length) == 0;
}

const char *ready_server_shown(const char *url)
{
    return url && *url ? url : of_tailscale;
}

static bool all_are_in(const struct words *some, const struct words *all)
{
    for (size_t i = 0; i < some->count; i++)
        if (!words_have(all, some->items[i]))
            return false;
    return true;
}

static bool tags_fit(const struct words *has, const struct ready_wish *wish)
{
    return wish->tags->count == 0 ||
           (all_are_in(wish->tags, has) && (!wish->exactly || all_are_in(has, wish->tags)));
}

static bool is_named(const struct tailnet_status *status, const char *name)
{
    return strcasecmp(status->tailnet, name) == 0 ||
           (status->suffix && strcasecmp(status->suffix, name) == 0);
}

enum ready_verdict ready_judge(const struct tailnet_status *status, const char *control_url,
                               const struct ready_wish *wish)
{
    bool any = !wish->tailnet || text_is(wish->tailnet, "-");
    if (!text_is(status->state, "Running"))
        return READY_NOT_RUNNING;
    if (!ready_is_same_server(control_url, wish->login_server))
        return READY_OTHER_SERVER;
    if (status->addresses.count == 0)
        return READY_NO_ADDRESS;
    if (!status->tailnet || !*status->tailnet)
        return READY_NO_PEERS;
    if (!any && !is_named(status, wish->tailnet))
        return READY_OTHER_TAILNET;
    return tags_fit(&status->self.tags, wish) ? READY : READY_TAGS;
}

bool ready_is_on_its_way(enum ready_verdict verdict)
{
    return verdict == READY_NO_ADDRESS || verdict == READY_NO_PEERS;
}

static char *tags_text(const struct tailnet_status *status, const struct ready_wish *wish)
{
    AUTO_FREE char *has = words_join(&status->self.tags, ", "), *wanted = words_join(wish->tags, ", ");
    return xasprintf("has the tags %s where %s %s wanted", *has ? has : "(none)", wanted,
                     wish->tags->count == 1 ? "is" : "are");
}

char *ready_text(enum ready_verdict verdict, const struct tailnet_status *status, const char *control_url,
                 const struct ready_wish *wish)
{
    bool has_suffix = status->suffix && *status->suffix && !text_is(status->suffix, status->tailnet);
    switch (verdict) {
    case READY:
        return xstrdup("is ready");
    case READY_NOT_RUNNING:
        return xasprintf("is not Running (%s)", status->state && *status->state ? status->state : "no state");
    case READY_OTHER_SERVER:
        return xasprintf("belongs to the control server %s where %s is wanted",
                         ready_server_shown(control_url), ready_server_shown(wish->login_server));
    case READY_OTHER_TAILNET:
        return xasprintf("is in the tailnet %s%s%s where %s is wanted", status->tailnet,
                         has_suffix ? ", " : "", has_suffix ? status->suffix : "", wish->tailnet);
    case READY_NO_ADDRESS:
        return xstrdup("is Running and has no address of its own");
    case READY_NO_PEERS:
        return xstrdup("is Running and has not been told its peers");
    case READY_TAGS:
        return tags_text(status, wish);
    }
    return xstrdup("");
}
