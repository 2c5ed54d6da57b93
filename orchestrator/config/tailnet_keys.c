#include "config/tailnet_keys.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/tailnet_place.h"

#include <string.h>

/* One value, `prefix` "operator" or "tailnet"; borrowed. */
static const struct node *node_of(const struct settings_view *view, const char *prefix, const char *name)
{
    AUTO_FREE char *field = xasprintf("%s.%s", prefix, name);
    return settings_node(view, field);
}

static bool bool_of(const struct settings_view *view, const char *prefix, const char *name)
{
    const struct node *node = node_of(view, prefix, name);
    return node && node->boolean;
}

static char *text_of(const struct settings_view *view, const char *prefix, const char *name)
{
    const struct node *node = node_of(view, prefix, name);
    return node ? xstrdup(node->text) : NULL;
}

/* A base that ends in no slash, so that a path can follow. */
static char *url_of(const struct settings_view *view, const char *prefix, const char *name)
{
    char *url = text_of(view, prefix, name);
    for (size_t length = url ? strlen(url) : 0; length && url[length - 1] == '/'; length--)
        url[length - 1] = '\0';
    return url;
}

static void secret_of(const struct settings_view *view, const char *prefix, const char *name,
                      struct secret *out)
{
    const struct node *node = node_of(view, prefix, name);
    *out = (struct secret){.fd = -1};
    if (node)
        secret_from_node(node, NULL, out);
}

/* Half of the client's credentials can do nothing. */
static void check_oauth(const struct settings_view *view, const char *prefix, struct words *faults)
{
    static const char *const halves[][2] = {{"id", "secret"}, {"secret", "id"}};
    for (size_t i = 0; i < COUNT_OF(halves); i++) {
        AUTO_FREE char *here = xasprintf("%s.oauth.%s", prefix, halves[i][0]);
        AUTO_FREE char *there = xasprintf("%s.oauth.%s", prefix, halves[i][1]);
        const struct setting *given = settings_top(view, here);
        if (given && !settings_any(view, there))
            fault_add(faults, given->origin, "'%s.oauth' has its '%s' but no '%s'", prefix, halves[i][0],
                      halves[i][1]);
    }
}

static void login_of(const struct settings_view *view, const char *prefix, struct words *faults,
                     struct tailnet_login *out)
{
    const struct node *tags = node_of(view, prefix, "tags");
    for (size_t i = 0; tags && i < tags->count; i++)
        words_add(&out->tags, tags->items[i]->text);
    out->hostname = text_of(view, prefix, "hostname");
    out->login_server = url_of(view, prefix, "login_server");
    out->api = url_of(view, prefix, "api");
    secret_of(view, prefix, "oauth.id", &out->oauth_id);
    secret_of(view, prefix, "oauth.secret", &out->oauth_secret);
    secret_of(view, prefix, "api_key", &out->api_key);
    secret_of(view, prefix, "auth_key", &out->auth_key);
    check_oauth(view, prefix, faults);
}

void tailnet_keys_operator(const struct settings_view *view, const char *directory,
                           const struct invoker *invoker, struct words *faults, struct operator_settings *out)
{
    AUTO_FREE char *socket = text_of(view, "operator", "socket");
    AUTO_FREE char *expanded = socket ? invoker_expand(invoker, socket) : NULL;
    login_of(view, "operator", faults, &out->login);
    out->login.tailnet = text_of(view, "operator", "tailnet");
    out->socket = expanded ? file_join(directory, expanded) : NULL;
    out->reusable = bool_of(view, "operator", "reusable");
    out->ssh = bool_of(view, "operator", "ssh");
    out->accept_routes = bool_of(view, "operator", "accept_routes");
    out->accept_dns = bool_of(view, "operator", "accept_dns");
    out->socks5 = bool_of(view, "operator", "socks5");
}

/* A control server or credentials may stand in `defaults` for all targets: what makes one of them join is
 * what it joins as. */
static bool joins(const struct target *target)
{
    return target->tailnet.tags.count || target->tailnet.hostname ||
           target->tailnet.auth_key.kind != SECRET_NONE;
}

/* The target's own `tailnet`, where it says nothing to join as. */
static void check_purpose(const struct settings_view *view, const char *place, struct words *faults)
{
    AUTO_WORDS given = WORDS_INIT;
    size_t own = view->count - 1;
    struct settings_view alone = {
        .layers = view->layers, .scope = view->scope, .paths = {view->paths[own]}, .count = 1};
    settings_view_entries(&alone, "tailnet", &given);
    /* Whose SSH answers matters also where the host joined by itself. */
    if (given.count > (words_have(&given, "tailscale_ssh") ? 1 : 0))
        fault_add(faults, place,
                  "'tailnet' of the target names neither 'tags' nor an 'auth_key': it would not join");
}

void tailnet_keys_target(const struct settings_view *view, const char *place, struct words *faults,
                         struct target *out)
{
    const struct node *bound = settings_node(view, "stage_deadline.tailnet");
    login_of(view, "tailnet", faults, &out->tailnet);
    out->joins_tailnet = joins(out);
    if (!out->joins_tailnet)
        check_purpose(view, place, faults);
    if (bound)
        duration_parse(bound->text, &out->tailnet_ns, NULL);
    const struct node *stale = node_of(view, "tailnet", "stale"),
                      *ssh = node_of(view, "tailnet", "tailscale_ssh");
    out->stale_remove = stale && text_is(stale->text, "remove");
    out->tailscale_ssh_accept = ssh && text_is(ssh->text, "accept");
}

/* Whoever joins says where to, also by saying nothing. */
static const char *control_server_of(const struct operator_settings *settings, const struct target *target)
{
    const char *own = target->tailnet.login_server, *machines = settings->login.login_server;
    if (target->joins_tailnet)
        return own ? own : "";
    return machines ? machines : own;
}

void tailnet_keys_carrier(const char *const *environment, const struct operator_settings *settings,
                          struct target *out)
{
    const char *named = environment_value(environment, "TAILSCALE_SOCKET");
    if (!named)
        named = settings->socket;
    out->tailscale_socket = named ? xstrdup(named) : tailnet_place_running_socket();
    out->control_server = xstrdup_or_null(control_server_of(settings, out));
}
