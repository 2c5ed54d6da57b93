#include "provider/made.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/ansible_layer.h"
#include "config/provider_facts.h"
#include "config/settings.h"
#include "provider/hetzner_order.h"
#include "provider/planned.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { KEYS_MOST = 1 << 20 };

/* What a key's value in effect is, malloc'ed, NULL: unknown, or none. Of what was made, and
 * of what would be made now. */
typedef char *of_machine(const struct machine *machine);

static char *provider_of(const struct machine *machine)
{
    return xstrdup_or_null(machine->provider);
}

static char *address_of(const struct machine *machine)
{
    return xstrdup_or_null(machine->address);
}

static char *port_of(const struct machine *machine)
{
    return machine->port ? xasprintf("%d", machine->port) : NULL;
}

static char *user_of(const struct machine *machine)
{
    return xstrdup_or_null(machine->user);
}

static char *key_of(const struct machine *machine)
{
    return xstrdup_or_null(machine->key);
}

static char *jump_of(const struct machine *machine)
{
    return xstrdup_or_null(machine->jump);
}

static char *ssh_options_of(const struct machine *machine)
{
    return machine->ssh_options_known ? words_join(&machine->ssh_options, ", ") : NULL;
}

static void take_text(char **at, char **from)
{
    free(*at);
    *at = TAKE(*from);
}

static void take_port(struct machine *machine, struct machine *now)
{
    machine->port = now->port;
}

static void take_user(struct machine *machine, struct machine *now)
{
    take_text(&machine->user, &now->user);
}

static void take_key(struct machine *machine, struct machine *now)
{
    take_text(&machine->key, &now->key);
}

static void take_jump(struct machine *machine, struct machine *now)
{
    take_text(&machine->jump, &now->jump);
}

static void take_ssh_options(struct machine *machine, struct machine *now)
{
    words_clear(&machine->ssh_options);
    words_add_list(&machine->ssh_options, words_argv(&now->ssh_options));
    machine->ssh_options_known = true;
}

static char *root_of(const struct machine *machine)
{
    return xstrdup_or_null(machine->root);
}

/* How a key is compared. */
enum {
    OWN = 1,         /* every provider but `static` gives its own: only what was written down tells */
    MAKING = 2,      /* counts when a machine is made, never later */
    LOOKS_AGAIN = 4, /* the same words may mean something else by now: an alias of ssh's, a file */
    ALWAYS = 8,      /* compared also where the built-in value counts */
};

static const struct made_key {
    const char *name;
    of_machine *effective; /* NULL: of a cloud by the key's name (hetzner_order_made); host_keys, a set */
    void (*take)(struct machine *machine, struct machine *now); /* NULL: never taken over */
    unsigned how;
    bool follows;                           /* taken over for hosts alone that were there before */
    enum { OF_ALL, OF_LOCAL, OF_CLOUD } of; /* known of hosts on this machine alone, or at a cloud */
} keys[] = {
    {"provider", provider_of, NULL, ALWAYS, false, OF_ALL},
    {"address", address_of, NULL, OWN | LOOKS_AGAIN, false, OF_ALL},
    {"port", port_of, take_port, 0, true, OF_ALL},
    {"user", user_of, take_user, 0, true, OF_ALL},
    {"key", key_of, take_key, OWN, true, OF_ALL},
    {"jump", jump_of, take_jump, OWN, true, OF_ALL},
    {"ssh_options", ssh_options_of, take_ssh_options, 0, false, OF_ALL},
    {"host_keys", NULL, NULL, OWN | LOOKS_AGAIN, false, OF_ALL},
    {"root", root_of, NULL, MAKING, false, OF_LOCAL},
    {"server_type", NULL, NULL, MAKING, false, OF_CLOUD},
    {"image", NULL, NULL, MAKING, false, OF_CLOUD},
    {"location", NULL, NULL, MAKING, false, OF_CLOUD},
    {"ssh_keys", NULL, NULL, MAKING, false, OF_CLOUD},
    {"firewalls", NULL, NULL, MAKING, false, OF_CLOUD},
    {"networks", NULL, NULL, MAKING, false, OF_CLOUD},
    {"user_data", NULL, NULL, MAKING, false, OF_CLOUD},
    {"ipv4", NULL, NULL, MAKING, false, OF_CLOUD},
    {"ipv6", NULL, NULL, MAKING, false, OF_CLOUD},
    {"placement_group", NULL, NULL, MAKING, false, OF_CLOUD},
};

static bool is_known_of(const struct made_key *key, const char *provider)
{
    const struct provider_facts *facts = provider_facts(provider);
    return key->of == OF_ALL || (key->of == OF_LOCAL ? facts->local : facts->cloud);
}

/* Of host_keys nothing is in effect that could be told in a word. */
static bool has_effect(const struct made_key *key)
{
    return key->effective || key->of == OF_CLOUD;
}

static char *effect_of(const struct made_key *key, const struct machine *machine)
{
    return key->effective    ? key->effective(machine)
           : has_effect(key) ? hetzner_order_made(machine, key->name)
                             : NULL;
}

static bool is_static(const char *provider)
{
    return provider_facts(provider)->existing;
}

/* Both what was made and what the files say are static hosts. */
static bool stays_static(const struct target *target, const struct machine *machine)
{
    return is_static(machine->provider) && is_static(target->provider);
}

/* What would be made now: the fields that the table reads. */
static struct machine *made_now(const struct project *project, const struct target *target,
                                const struct machine *resolved)
{
    struct machine *now = resolved ? machine_copy(resolved) : planned_machine(project, target);
    free(now->provider);
    now->provider = xstrdup_or_null(target->provider);
    now->root = xstrdup_or_null(target->root);
    json_free(now->resources);
    now->resources = json_new_object();
    json_set(now->resources, HETZNER_MAKING, hetzner_order_making(&target->cloud));
    words_add_list(&now->ssh_options, words_argv(&target->ssh_options));
    now->ssh_options_known = true;
    return now;
}

struct host_keys {
    struct words keys; /* the keys themselves, whatever stands around them in a line */
    bool vouched;      /* an authority vouches for others */
};

static void add_host_key_lines(const char *text, struct host_keys *out)
{
    for (const char *line = text; *line; line += strspn(line, "\n")) {
        size_t length = strcspn(line, "\n");
        AUTO_FREE char *copy = xstrndup(line, length);
        const char *key = strstr(copy, " AAAA");
        out->vouched |= text_starts(copy, "@cert-authority");
        if (key && *copy != '@' && *copy != '#')
            words_own(&out->keys, xstrndup(key + 1, strcspn(key + 1, " \t\r")));
        line += length;
    }
}

static void add_host_key_file(const char *path, struct host_keys *out)
{
    AUTO_TEXT content = TEXT_INIT;
    if (file_exists(path) && file_read(path, KEYS_MOST, &content, NULL) == 0)
        add_host_key_lines(text_string(&content), out);
}

bool made_host_keys_differ(const struct target *target, const struct machine *machine)
{
    struct host_keys known = {WORDS_INIT, false}, said = {WORDS_INIT, false};
    AUTO_FREE char *of_row = words_join(&machine->host_keys, "\n"),
                   *of_target = words_join(&target->host_keys, "\n");
    AUTO_FREE char *learned = machine->directory ? file_join(machine->directory, "known_hosts") : NULL;
    add_host_key_lines(of_row, &known);
    if (!known.keys.count && learned)
        add_host_key_file(learned, &known);
    if (target->host_key_kind == HOST_KEYS_LIST)
        add_host_key_lines(of_target, &said);
    else if (target->host_key_kind == HOST_KEYS_FILE)
        add_host_key_file(target->host_key_file, &said);
    bool common = !known.keys.count || !said.keys.count || known.vouched || said.vouched;
    for (size_t i = 0; i < said.keys.count; i++)
        common |= words_have(&known.keys, said.keys.items[i]);
    words_clear(&known.keys);
    words_clear(&said.keys);
    return !common;
}

static bool same(const struct made_key *key, const char *a, const char *b)
{
    if (!a || !b || !*a || !*b)
        return (!a || !*a) && (!b || !*b);
    /* Another place of the list is none, and no list is any place. */
    if (text_is(key->name, "location"))
        return hetzner_order_location_fits(a, b);
    return text_is(key->name, "address") ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

static char *flow_of(const struct settings_view *view, const char *key, const char **origin)
{
    const struct setting *setting = settings_top(view, key);
    if (origin)
        *origin = setting ? setting->origin : NULL;
    if (!setting)
        return NULL;
    return node_is_scalar(setting->node) ? xstrdup(setting->node->text) : node_flow(setting->node);
}

/* Variables of Ansible's own (ansible/host_variables.h): of a row by key what they
 * said, beside what files said. */
#define BY_VARIABLES "variables"

static const char *origin_of_variable(const struct target *target, const char *key)
{
    return text_is(key, "user") && target->user_is_ansibles   ? "the variable ansible_user"
           : text_is(key, "port") && target->port_is_ansibles ? "the variable ansible_port"
           : text_is(key, "key") && target->key_is_ansibles   ? "the variable ansible_private_key_file"
                                                              : NULL;
}

/* What variables say of the key now, malloc'ed; NULL: nothing, or it is not known. */
static char *variable_of(const struct target *target, const char *key)
{
    if (!origin_of_variable(target, key))
        return NULL;
    return text_is(key, "port") ? xasprintf("%d", target->port)
                                : xstrdup_or_null(text_is(key, "user") ? target->user : target->key);
}

static char *said_now(const struct settings_view *view, const struct target *target, const char *key,
                      const char **origin)
{
    char *variable = variable_of(target, key);
    if (!variable)
        return flow_of(view, key, origin);
    if (origin)
        *origin = origin_of_variable(target, key);
    return variable;
}

static const char *variable_then(const struct machine *machine, const char *key)
{
    return json_get_string(json_get(machine->said, BY_VARIABLES), key, NULL);
}

/* What was said when the row was written down; NULL: nothing, or it is not known. */
static const char *said_then(const struct machine *machine, const char *key)
{
    const char *variable = variable_then(machine, key);
    return variable ? variable : json_get_string(machine->said, key, NULL);
}

/* A variable said it, and whether one still does nobody has asked: what the row says stays. */
static bool is_unasked(const struct project *project, const struct target *target,
                       const struct machine *machine, const char *key)
{
    const char *origin;
    return variable_then(machine, key) && !target->host_variables &&
           !ansible_layer_over(project->layers, target->name, key, &origin);
}

static void note(struct machine *machine, const struct settings_view *view, const struct target *target,
                 const char *key)
{
    AUTO_FREE char *flow = flow_of(view, key, NULL), *variable = variable_of(target, key);
    struct json *variables = json_get(machine->said, BY_VARIABLES);
    if (flow || json_get(machine->said, key))
        json_set_string(machine->said, key, flow);
    if (variable && !variables)
        json_set(machine->said, BY_VARIABLES, variables = json_new_object());
    if (variables)
        json_set_string(variables, key, variable);
}

static void add(struct made *out, const struct made_key *key, const char *made, const char *file,
                const char *origin, enum made_effect effect)
{
    out->items = xreallocarray(out->items, out->count + 1, sizeof *out->items);
    out->items[out->count++] = (struct made_difference){
        .key = key->name,
        .made = xstrdup(made && *made ? made : "none"),
        .file = xstrdup_or_null(file),
        .origin = xstrdup_or_null(origin),
        .effect = effect,
    };
}

static bool may_follow(const struct made_key *key, const struct target *target, const struct machine *machine)
{
    return key->take && (!key->follows || stays_static(target, machine));
}

/* It is said now, and differs from what was written down or from what is in effect. */
static void compare_said(const struct made_key *key, const struct target *target,
                         const struct machine *machine, const struct machine *now, bool resolved,
                         const char *flow, const char *origin, struct made *out)
{
    const char *was = said_then(machine, key->name);
    bool in_same_words = was && text_is(was, flow), follows = may_follow(key, target, machine);
    bool looks_again =
        key->how & LOOKS_AGAIN && stays_static(target, machine) && (resolved || !has_effect(key));
    if (in_same_words ? !looks_again : key->how & OWN && !machine->said && !is_static(machine->provider))
        return;
    AUTO_FREE char *had = effect_of(key, machine);
    AUTO_FREE char *have = effect_of(key, now);
    bool unknown = has_effect(key) && !had && !machine->said && !(follows && key->follows);
    if (unknown || (has_effect(key) ? same(key, had, have) : !made_host_keys_differ(target, machine)))
        return;
    enum made_effect effect = follows ? MADE_TAKEN : key->how & MAKING ? MADE_AT_MAKING : MADE_REFUSES;
    if (in_same_words)
        add(out, key, had ? had : "others", have ? have : flow, origin, effect);
    else
        add(out, key, was ? was : has_effect(key) ? had : "others", flow, origin, effect);
}

/* It was said when the machine was made, and nothing says it any more. */
static bool is_taken_back(const struct made_key *key, const struct target *target, bool resolved,
                          const struct machine *machine)
{
    return may_follow(key, target, machine) && (resolved || !key->follows) && said_then(machine, key->name);
}

static void compare_unsaid(const struct made_key *key, const struct target *target,
                           const struct machine *machine, const struct machine *now, bool resolved,
                           struct made *out)
{
    const char *was = said_then(machine, key->name);
    if (!was || !has_effect(key) || !text_is(machine->provider, target->provider) ||
        (key->how & OWN && !is_static(machine->provider)))
        return;
    AUTO_FREE char *had = effect_of(key, machine);
    AUTO_FREE char *have = effect_of(key, now);
    if (!same(key, had, have))
        add(out, key, was, NULL, NULL,
            is_taken_back(key, target, resolved, machine) ? MADE_TAKEN : MADE_STAYS);
}

void made_compare(const struct project *project, const struct target *target, const struct machine *machine,
                  const struct machine *resolved, struct made *out)
{
    AUTO_SETTINGS_VIEW view = {0};
    AUTO_MACHINE *now = made_now(project, target, resolved);
    *out = (struct made)MADE_INIT;
    settings_of_target(project->layers, target->name, &view);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const struct made_key *key = &keys[i];
        const char *origin = NULL;
        /* What is half made is planned anew, but by whom it was begun. */
        if ((!machine->made_ns && !(key->how & ALWAYS)) || is_unasked(project, target, machine, key->name))
            continue;
        AUTO_FREE char *flow = said_now(&view, target, key->name, &origin);
        if (!is_known_of(key, target->provider) || !is_known_of(key, machine->provider))
            continue;
        if (!flow && key->how & ALWAYS) {
            flow = key->effective(now);
            origin = "the built-in value";
        }
        if (flow)
            compare_said(key, target, machine, now, resolved, flow, origin, out);
        else
            compare_unsaid(key, target, machine, now, resolved, out);
    }
}

void made_note(const struct project *project, const struct target *target, struct machine *machine)
{
    AUTO_SETTINGS_VIEW view = {0};
    json_free(machine->said);
    machine->said = json_new_object();
    settings_of_target(project->layers, target->name, &view);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        note(machine, &view, target, keys[i].name);
    words_clear(&machine->ssh_options);
    words_add_list(&machine->ssh_options, words_argv(&target->ssh_options));
    machine->ssh_options_known = true;
    free(machine->root);
    machine->root = provider_facts(target->provider)->local ? xstrdup_or_null(target->root) : NULL;
}

void made_take(const struct project *project, const struct target *target, const struct machine *resolved,
               struct machine *machine)
{
    AUTO_SETTINGS_VIEW view = {0};
    AUTO_MACHINE *now = made_now(project, target, resolved);
    settings_of_target(project->layers, target->name, &view);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        const struct made_key *key = &keys[i];
        AUTO_FREE char *flow = said_now(&view, target, key->name, NULL);
        if (is_unasked(project, target, machine, key->name))
            continue;
        if (!(flow && may_follow(key, target, machine)) && !is_taken_back(key, target, resolved, machine))
            continue;
        key->take(machine, now);
        if (machine->said)
            note(machine, &view, target, key->name);
    }
}

struct target made_target(const struct target *target, const struct machine *machine)
{
    struct target made = *target;
    if (made_host_keys_differ(target, machine))
        made.host_key_kind = machine_has_host_key(machine) ? HOST_KEYS_DEFAULT : HOST_KEYS_ACCEPT_NEW;
    return made;
}
