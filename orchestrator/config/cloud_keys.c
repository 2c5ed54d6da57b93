#include "config/cloud_keys.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/provider_facts.h"

#include <string.h>

#define IMAGE_VARIABLE "HETZNER_BASE_IMAGE"

static char *text_of(const struct settings_view *view, const char *field)
{
    const struct node *node = settings_node(view, field);
    return node ? xstrdup(node->text) : NULL;
}

static bool bool_of(const struct settings_view *view, const char *field)
{
    const struct node *node = settings_node(view, field);
    return node && node->boolean;
}

/* A list of texts, or one alone. */
static void texts_from(const struct node *node, struct words *out)
{
    if (node && node_is_scalar(node))
        words_add(out, node->text);
    for (size_t i = 0; node && i < node->count; i++)
        if (node_is_scalar(node->items[i]))
            words_add(out, node->items[i]->text);
}

/* Names, and one map that describes a firewall of the machine's own. */
static void firewalls_of(const struct settings_view *view, struct cloud_settings *out)
{
    const struct node *list = settings_node(view, "firewalls");
    texts_from(list, &out->firewalls);
    for (size_t i = 0; list && i < list->count; i++) {
        const struct node *own = list->items[i];
        if (own->kind != NODE_MAP)
            continue;
        texts_from(node_get(own, "in"), &out->firewall_in);
        texts_from(node_get(own, "from"), &out->firewall_from);
        if (!out->firewall_from.count)
            words_add_all(&out->firewall_from, "0.0.0.0/0", "::/0", NULL);
    }
}

static struct node *labels_of(const struct settings_view *view)
{
    AUTO_WORDS names = WORDS_INIT;
    settings_view_entries(view, "labels", &names);
    struct node *map = names.count ? node_new_map() : NULL;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *field = xasprintf("labels.%s", names.items[i]);
        node_append_key(map, names.items[i], (struct node_place){0, 0},
                        node_new_string(settings_top(view, field)->node->text));
    }
    return map;
}

static void token_of(const struct settings_view *view, bool at_cloud, struct secret *out)
{
    const struct node *node = settings_node(view, "token");
    *out = (struct secret){.fd = -1};
    if (node)
        secret_from_node(node, NULL, out);
    else if (at_cloud)
        *out = (struct secret){.kind = SECRET_ENV, .fd = -1, .where = xstrdup(CLOUD_TOKEN_VARIABLE)};
}

static void check_whole(const struct settings_view *view, const char *place, const struct target *target,
                        struct words *faults)
{
    const struct cloud_settings *cloud = &target->cloud;
    if (!settings_any(view, "server_type"))
        fault_add(faults, place, "target '%s' has no 'server_type', which is required", target->name);
    if (!cloud->ipv4 && !cloud->ipv6 && !settings_any(view, "networks"))
        fault_add(faults, settings_top(view, "ipv4")->origin,
                  "target '%s' has neither ipv4 nor ipv6, and no 'networks': nothing would lead to it",
                  target->name);
    if (!cloud->ipv4 && !cloud->ipv6 && (cloud->firewall_in.count || cloud->firewalls.count))
        fault_add(faults, settings_top(view, "firewalls")->origin,
                  "'firewalls': the cloud has them for public addresses alone, and target '%s' has none",
                  target->name);
}

void cloud_keys_target(const struct settings_view *view, const char *directory, const struct invoker *invoker,
                       const char *place, struct words *faults, struct target *out)
{
    struct cloud_settings *cloud = &out->cloud;
    bool at_cloud = provider_facts(out->provider)->cloud;
    token_of(view, at_cloud, &cloud->token);
    cloud->endpoint = text_of(view, "endpoint");
    for (size_t length = cloud->endpoint ? strlen(cloud->endpoint) : 0;
         length && cloud->endpoint[length - 1] == '/'; length--)
        cloud->endpoint[length - 1] = '\0';
    cloud->server_type = text_of(view, "server_type");
    cloud->image = text_of(view, "image");
    texts_from(settings_node(view, "location"), &cloud->locations);
    texts_from(settings_node(view, "ssh_keys"), &cloud->ssh_keys);
    firewalls_of(view, cloud);
    texts_from(settings_node(view, "networks"), &cloud->networks);
    cloud->labels = labels_of(view);
    AUTO_FREE char *user_data = text_of(view, "user_data");
    AUTO_FREE char *expanded = user_data ? invoker_expand(invoker, user_data) : NULL;
    if (expanded)
        cloud->user_data = file_join(directory, text_starts(expanded, "./") ? expanded + 2 : expanded);
    cloud->ipv4 = bool_of(view, "ipv4");
    cloud->ipv6 = bool_of(view, "ipv6");
    cloud->placement_group = text_of(view, "placement_group");
    if (at_cloud)
        check_whole(view, place, out, faults);
}

void cloud_keys_environment(struct settings *layers, const char *const *environment, struct words *faults)
{
    static const char blanks[] = " \t\r\n";
    const struct provenance from = {"environment " IMAGE_VARIABLE, false};
    const char *value = environment_value(environment, IMAGE_VARIABLE);
    const char *begin = value ? value + strspn(value, blanks) : "";
    size_t length = strlen(begin);
    while (length && strchr(blanks, begin[length - 1]))
        length--;
    if (!length)
        return;
    AUTO_FREE char *image = xstrndup(begin, length);
    struct node *node = node_new_string(image);
    settings_own(layers, node);
    settings_add(layers, SOURCE_ENVIRONMENT, "defaults", schema_find(SCOPE_TARGET, "image"), NULL, node,
                 (struct node_place){0, 0}, &from, faults);
}
