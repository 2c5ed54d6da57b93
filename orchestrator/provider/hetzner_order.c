#include "provider/hetzner_order.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "cloud/create_server.h"
#include "format/json_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct json *kept(const struct json *value)
{
    return json_keep((struct json *)value);
}

struct json *hetzner_order_making(const struct cloud_settings *settings)
{
    struct json *making = json_new_object();
    json_set_string(making, "server_type", settings->server_type);
    json_set_string(making, "image", settings->image);
    json_set(making, "location", json_words_array(&settings->locations));
    json_set(making, "ssh_keys", json_words_array(&settings->ssh_keys));
    json_set(making, "firewalls", json_words_array(&settings->firewalls));
    json_set(making, "firewall_in", json_words_array(&settings->firewall_in));
    json_set(making, "firewall_from", json_words_array(&settings->firewall_from));
    json_set(making, "networks", json_words_array(&settings->networks));
    json_set_string(making, "user_data", settings->user_data);
    json_set_bool(making, "ipv4", settings->ipv4);
    json_set_bool(making, "ipv6", settings->ipv6);
    json_set_string(making, "placement_group", settings->placement_group);
    return making;
}

static char *made_text(const struct json *making, const char *key)
{
    const struct json *value = json_get(making, key);
    AUTO_FREE char *text = json_is_string(value) ? xstrdup(json_string(value, ""))
                           : value               ? json_compact(value)
                                                 : NULL;
    return text_is(text, "null") ? NULL : TAKE(text);
}

char *hetzner_order_made(const struct machine *machine, const char *key)
{
    const struct json *making = json_get(machine->resources, HETZNER_MAKING);
    const char *made_in = json_get_string(machine->resources, "location", NULL);
    if (text_is(key, "location") && made_in)
        return xstrdup(made_in);
    if (!making || !text_is(key, "firewalls"))
        return made_text(making, key);
    AUTO_FREE char *names = made_text(making, key), *in = made_text(making, "firewall_in"),
                   *from = made_text(making, "firewall_from");
    return xasprintf("%s %s %s", names, in, from);
}

bool hetzner_order_location_fits(const char *made, const char *now)
{
    AUTO_FREE char *one = xasprintf("\"%s\"", made);
    return text_is(now, "[]") || text_is(now, made) || strstr(now, one);
}

static void add_users(struct json *labels, const struct cloud_settings *settings)
{
    const struct node *users = settings->labels;
    for (size_t i = 0; users && i < users->count; i++)
        json_set_string(labels, users->keys[i], users->items[i]->text);
}

static void add_expiry(struct json *labels, const struct machine *machine)
{
    if (!machine->expires_ns)
        return;
    AUTO_FREE char *seconds = xasprintf("%" PRId64, machine->expires_ns / NS_PER_S);
    json_set_string(labels, HETZNER_EXPIRES_LABEL, seconds);
}

struct json *hetzner_order_labels(const struct cloud_settings *settings, const struct machine *machine,
                                  const char *project_id)
{
    struct json *labels = json_new_object();
    /* A name may end in dashes; a label's value may not. */
    AUTO_FREE char *target = xstrdup(machine->target);
    for (size_t length = strlen(target); length && target[length - 1] == '-'; length--)
        target[length - 1] = '\0';
    add_users(labels, settings);
    if (project_id)
        json_set_string(labels, HETZNER_ID_LABEL, project_id);
    json_set_string(labels, HETZNER_TARGET_LABEL, target);
    json_set_string(labels, CLOUD_MACHINE_LABEL, machine->id);
    add_expiry(labels, machine);
    return labels;
}

struct json *hetzner_order_relabel(const struct json *labels, const struct cloud_settings *settings,
                                   const struct machine *machine, const char *project_id)
{
    struct json *now = json_new_object();
    AUTO_JSON *own = hetzner_order_labels(settings, machine, project_id);
    const char *key;
    struct json *value;
    for (void *at = NULL; json_each(labels, &at, &key, &value);)
        if (!text_is(key, HETZNER_EXPIRES_LABEL))
            json_set(now, key, json_keep(value));
    for (void *at = NULL; json_each(own, &at, &key, &value);)
        json_set(now, key, json_keep(value));
    return now;
}

struct json *hetzner_order_key(const char *name, const char *public_key, const struct json *labels)
{
    struct json *body = json_new_object();
    json_set_string(body, "name", name);
    json_set_string(body, "public_key", public_key);
    json_set(body, "labels", kept(labels));
    return body;
}

static struct json *rule_of(const char *lets_in, const struct words *from)
{
    struct json *rule = json_new_object();
    const char *slash = strchr(lets_in, '/');
    AUTO_FREE char *protocol = xstrndup(lets_in, strcspn(lets_in, "/"));
    json_set_string(rule, "direction", "in");
    json_set_string(rule, "protocol", protocol);
    if (slash)
        json_set_string(rule, "port", slash + 1);
    json_set(rule, "source_ips", json_words_array(from));
    return rule;
}

struct json *hetzner_order_firewall(const char *name, const struct cloud_settings *settings,
                                    const struct json *labels)
{
    struct json *body = json_new_object(), *rules = json_new_array();
    for (size_t i = 0; i < settings->firewall_in.count; i++)
        json_append(rules, rule_of(settings->firewall_in.items[i], &settings->firewall_from));
    json_set_string(body, "name", name);
    json_set(body, "rules", rules);
    json_set(body, "labels", kept(labels));
    return body;
}

bool hetzner_order_lets_in(const struct cloud_settings *settings, int port)
{
    const struct words *in = &settings->firewall_in;
    for (size_t i = 0; i < in->count; i++) {
        int first = 0, last = 0, numbers = sscanf(in->items[i], "tcp/%d-%d", &first, &last);
        if (numbers > 0 && first <= port && port <= (numbers == 2 ? last : first))
            return true;
    }
    return !in->count || settings->firewalls.count;
}

struct json *hetzner_order_server(const struct hetzner_parts *parts, const struct cloud_settings *settings)
{
    struct json *body = json_new_object(), *public_net = json_new_object(), *firewalls = json_new_array();
    for (size_t i = 0; i < json_count(parts->firewalls); i++) {
        struct json *one = json_new_object();
        json_set(one, "firewall", json_keep(json_at(parts->firewalls, i)));
        json_append(firewalls, one);
    }
    json_set_bool(public_net, "enable_ipv4", settings->ipv4);
    json_set_bool(public_net, "enable_ipv6", settings->ipv6);
    json_set_string(body, "name", parts->name);
    json_set_string(body, "server_type", parts->server_type);
    json_set_integer(body, "image", parts->image);
    json_set(body, "ssh_keys", kept(parts->keys));
    json_set(body, "labels", kept(parts->labels));
    json_set(body, "firewalls", firewalls);
    json_set(body, "networks", kept(parts->networks));
    json_set(body, "public_net", public_net);
    json_set_bool(body, "start_after_create", true);
    if (parts->user_data)
        json_set_string(body, "user_data", parts->user_data);
    if (parts->placement_group)
        json_set_integer(body, "placement_group", parts->placement_group);
    return body;
}

char *hetzner_order_address(const struct json *server)
{
    const struct json *public_net = json_get(server, "public_net");
    const char *ipv4 = json_get_string(json_get(public_net, "ipv4"), "ip", NULL);
    const char *ipv6 = json_get_string(json_get(public_net, "ipv6"), "ip", NULL);
    const char *private = json_get_string(json_at(json_get(server, "private_net"), 0), "ip", NULL);
    if (ipv4 && *ipv4)
        return xstrdup(ipv4);
    /* "2001:db8:1:2::/64"; the host's address is ::1 of it. */
    if (ipv6 && *ipv6) {
        size_t length = strcspn(ipv6, "/");
        bool is_open = length >= 2 && ipv6[length - 1] == ':' && ipv6[length - 2] == ':';
        return xasprintf("%.*s%s", (int)length, ipv6, is_open ? "1" : "");
    }
    return private && *private ? xstrdup(private) : NULL;
}
