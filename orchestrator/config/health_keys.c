#include "config/health_keys.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "base/text.h"
#include "config/fault.h"
#include "config/health_rules.h"
#include "config/transport_kind.h"

#include <string.h>

static const int64_t every_least = 100 * NS_PER_MS;

static char *text_of(const struct settings_view *view, const char *field)
{
    const struct node *node = settings_node(view, field);
    return node ? xstrdup(node->text) : NULL;
}

static int64_t duration_of(const struct settings_view *view, const char *field)
{
    const struct node *node = settings_node(view, field);
    int64_t ns = 0;
    if (node)
        duration_parse(node->text, &ns, NULL);
    return ns;
}

static int *codes_of(const struct settings_view *view, const char *field)
{
    const struct node *node = settings_node(view, field);
    size_t count = node ? node->count : 0;
    int *codes = xcalloc(count + 1, sizeof *codes);
    for (size_t i = 0; i < count; i++)
        number_parse_int(node->items[i]->text, HEALTH_CODE_LEAST, HEALTH_CODE_MOST, &codes[i], NULL);
    return codes;
}

static enum health_via via_of(const struct settings_view *view)
{
    const struct node *node = settings_node(view, "health.via");
    enum health_via via = HEALTH_AUTO;
    for (int i = HEALTH_AUTO; node && i <= HEALTH_PROXY; i++)
        if (text_is(node->text, health_via_name((enum health_via)i)))
            via = (enum health_via)i;
    return via;
}

/* Where a key stands that contradicts another. */
static void refuse(const struct settings_view *view, const char *field, struct words *faults,
                   const char *words)
{
    fault_add(faults, settings_top(view, field)->origin, "'%s': %s", field, words);
}

static void check(const struct settings_view *view, const struct target *target, struct words *faults)
{
    const struct health_settings *health = &target->health;
    const char *const of_tls[] = {"health.ca", "health.server_name"};
    for (size_t i = 0; i < COUNT_OF(of_tls); i++)
        if (!health->url.tls && settings_top(view, of_tls[i]))
            refuse(view, of_tls[i], faults,
                   "it says what a certificate has to be like, and the URL is http://");
    if (!*health->expect)
        refuse(view, "health.expect", faults, "an empty list leaves nothing that would be healthy");
    for (const int *code = health->before; *code; code++)
        if (health_settings_have(health->expect, *code))
            refuse(view, "health.before", faults,
                   "a code stands in 'expect' too: it is either healthy or not yet");
    if (health->every_ns < every_least)
        refuse(view, "health.every", faults,
               "asked more often than every 100ms it would be a load of its own");
    if (health->via == HEALTH_PROXY &&
        !words_have(&target->transports, transport_name(TRANSPORT_TAILNET_USERSPACE)))
        refuse(view, "health.via", faults,
               "a proxy is what triphase's own tailscaled opens without a TUN, and tailnet-userspace is no "
               "transport of the target; write network, ssh or auto");
    if (health->via == HEALTH_NETWORK && text_is(health->url.host, "{address}") &&
        target->transports.count == 1 &&
        words_have(&target->transports, transport_name(TRANSPORT_TAILNET_USERSPACE)))
        refuse(view, "health.via", faults,
               "over tailnet-userspace alone nothing of this machine's network leads to the host: write ssh, "
               "proxy or auto");
}

/* Given for the target itself, and without a URL. */
static void check_purpose(const struct settings_view *view, const char *place, struct words *faults)
{
    AUTO_WORDS given = WORDS_INIT;
    size_t own = view->count - 1;
    struct settings_view alone = {
        .layers = view->layers, .scope = view->scope, .paths = {view->paths[own]}, .count = 1};
    settings_view_entries(&alone, "health", &given);
    if (given.count)
        fault_add(faults, place, "'health' of the target has no 'url': nothing would be asked");
}

void health_keys_target(const struct settings_view *view, const char *directory,
                        const struct invoker *invoker, const char *place, struct words *faults,
                        struct target *out)
{
    struct health_settings *health = &out->health;
    AUTO_FREE char *url = text_of(view, "health.url"), *ca = text_of(view, "health.ca");
    if (!url && !settings_any(view, "health.url"))
        check_purpose(view, place, faults);
    if (!url)
        return;
    free(health_url_read(url, &health->url));
    AUTO_FREE char *expanded = ca ? invoker_expand(invoker, ca) : NULL;
    if (expanded)
        health->ca = file_join(directory, text_starts(expanded, "./") ? expanded + 2 : expanded);
    const struct node *required = settings_node(view, "health.required");
    health->server_name = text_of(view, "health.server_name");
    health->expect = codes_of(view, "health.expect");
    health->before = codes_of(view, "health.before");
    health->every_ns = duration_of(view, "health.every");
    health->within_ns = duration_of(view, "health.within");
    health->via = via_of(view);
    health->required = required && required->boolean;
    check(view, out, faults);
}
