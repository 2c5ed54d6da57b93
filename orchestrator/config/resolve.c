#include "config/resolve.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/cloud_keys.h"
#include "config/health_keys.h"
#include "config/programs.h"
#include "config/provider_facts.h"
#include "config/tailnet_keys.h"
#include "config/transport_kind.h"

#include <string.h>
#include <sys/stat.h>

/* Single values. Each was checked when it was read, so only its shape is left to tell apart. */

static char *text_of(const struct settings_view *view, const char *field)
{
    const struct node *node = settings_node(view, field);
    return node ? xstrdup(node->text) : NULL;
}

static bool is_text(const struct settings_view *view, const char *field, const char *text)
{
    const struct node *node = settings_node(view, field);
    return node && text_is(node->text, text);
}

static int64_t duration_of(const struct settings_view *view, const char *field)
{
    const struct node *node = settings_node(view, field);
    int64_t ns = 0;
    if (node && !text_is(node->text, "none"))
        duration_parse(node->text, &ns, NULL);
    return ns;
}

static int count_of(const struct settings_view *view, const char *field)
{
    const struct node *node = settings_node(view, field);
    return node ? (int)node->integer : 0;
}

static bool bool_of(const struct settings_view *view, const char *field)
{
    const struct node *node = settings_node(view, field);
    return node && node->boolean;
}

/* Whether there is a value. */
static bool accelerate_of(const struct settings_view *view, enum accelerate *out)
{
    const struct node *node = settings_node(view, "accelerate");
    return node && accelerate_from(node->text, out) == 0;
}

static void texts_of(const struct settings_view *view, const char *field, struct words *out)
{
    const struct node *node = settings_node(view, field);
    for (size_t i = 0; node && i < node->count; i++)
        words_add(out, node->items[i]->text);
}

static struct node *variables_of(const struct settings_view *view)
{
    AUTO_WORDS names = WORDS_INIT;
    settings_view_entries(view, "vars", &names);
    if (!names.count)
        return NULL;
    struct node *map = node_new_map();
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *field = xasprintf("vars.%s", names.items[i]);
        const struct setting *setting = settings_top(view, field);
        node_append_key(map, names.items[i], (struct node_place){setting->node->line, setting->node->column},
                        node_copy(setting->node));
    }
    return map;
}

static struct secret *secrets_of(const struct settings_view *view, const char *key, size_t *count)
{
    AUTO_WORDS names = WORDS_INIT;
    settings_view_entries(view, key, &names);
    *count = names.count;
    if (!names.count)
        return NULL;
    struct secret *secrets = xcalloc(names.count, sizeof *secrets);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *field = xasprintf("%s.%s", key, names.items[i]);
        secret_from_node(settings_top(view, field)->node, names.items[i], &secrets[i]);
    }
    return secrets;
}

static void secret_of(const struct settings_view *view, const char *key, struct secret *out)
{
    const struct node *node = settings_node(view, key);
    *out = (struct secret){.fd = -1};
    if (node)
        secret_from_node(node, NULL, out);
}

/* An absolute path: `~/` is the invoking user's home, else relative to the project's folder. */
static char *path_from(const struct resolve *resolve, const char *text)
{
    AUTO_FREE char *expanded = invoker_expand(resolve->invoker, text);
    return file_join(resolve->directory, text_starts(expanded, "./") ? expanded + 2 : expanded);
}

static void need(const struct resolve *resolve, const struct settings_view *view, const char *key,
                 const char *place, const char *what)
{
    if (!settings_any(view, key))
        fault_add(resolve->faults, place, "%s has no '%s', which is required", what, key);
}

/* The project */

/* One that cannot be seen may be there. */
static void fault_absent(const struct resolve *resolve, const char *place, const char *path, const char *what,
                         const char *shown, const char *hint)
{
    AUTO_ERROR err = ERROR_INIT;
    if (file_look(path, &err) < 0)
        fault_add(resolve->faults, place, "%s", error_text(&err));
    else
        fault_add(resolve->faults, place, "there is no %s %s%s", what, shown, hint);
}

static void check_inventory(const struct resolve *resolve, const struct settings_view *view,
                            struct words *inventory)
{
    const struct setting *setting = settings_top(view, "inventory");
    const char *ansibles = resolve->ansible->of[SETTING_INVENTORY].value;
    if (!setting && ansibles && *ansibles) {
        AUTO_FREE char *list = xstrdup(ansibles);
        char *state = NULL;
        for (const char *path = strtok_r(list, ",", &state); path; path = strtok_r(NULL, ",", &state))
            words_add(inventory, file_below(path, resolve->directory));
        return;
    }
    if (!setting) {
        AUTO_FREE char *preset = file_join(resolve->directory, "inventory");
        if (file_exists(preset))
            words_add(inventory, "inventory");
        return;
    }
    texts_of(view, "inventory", inventory);
    for (size_t i = 0; i < inventory->count; i++) {
        AUTO_FREE char *path = path_from(resolve, inventory->items[i]);
        struct stat state;
        /* A list of hosts has a comma in it, for Ansible too. */
        if (!strchr(inventory->items[i], ',') && stat(path, &state) < 0) {
            AUTO_FREE char *shown = text_shown(inventory->items[i]);
            fault_absent(resolve, setting->origin, path, "inventory", shown, "");
        }
    }
}

void resolve_project(const struct resolve *resolve, const struct settings_view *view, struct project *out)
{
    need(resolve, view, "project", "triphase.yml:1:1", "the project");
    out->name = text_of(view, "project");
    out->keep_ns = duration_of(view, "keep");
    check_inventory(resolve, view, &out->inventory);
    tailnet_keys_operator(view, resolve->directory, resolve->invoker, resolve->faults,
                          &out->operator_settings);
    AUTO_FREE char *ansible = text_of(view, "ansible");
    if (!ansible)
        ansible = xstrdup("ansible-playbook"); /* the built-in value, which no layer can take away */
    AUTO_FREE char *path = strchr(ansible, '/') ? path_from(resolve, ansible) : NULL;
    out->programs = programs_path(resolve->directory, resolve->environment, resolve->program);
    char *found = file_find_program(path ? path : ansible, out->programs);
    out->ansible_found = found != NULL;
    out->ansible = found ? found : TAKE(ansible);
}

/* A target */

/* `auto` leaves the list empty. */
static void resolve_transports(const struct settings_view *view, struct words *out, bool *is_auto)
{
    const struct node *node = settings_node(view, "transport");
    *is_auto = node && node->kind != NODE_LIST && text_is(node->text, "auto");
    if (node && node->kind == NODE_LIST)
        texts_of(view, "transport", out);
    else if (node && !*is_auto)
        words_add(out, node->text);
}

/* What goes through no TUN is left out. */
static void with_tun(const struct words *names, struct words *out)
{
    for (size_t i = 0; i < names->count; i++)
        if (!text_is(names->items[i], transport_name(TRANSPORT_TAILNET_USERSPACE)))
            words_add(out, names->items[i]);
}

static void resolve_auto(struct target *out)
{
    static const enum transport_kind over_tailnet[] = {TRANSPORT_TAILNET, TRANSPORT_TAILNET_USERSPACE};
    if (!out->joins_tailnet)
        words_add(&out->auto_transports, transport_name(TRANSPORT_DIRECT));
    for (size_t i = 0; out->joins_tailnet && i < COUNT_OF(over_tailnet); i++)
        words_add(&out->auto_transports, transport_name(over_tailnet[i]));
    if (out->transport_auto)
        words_add_list(&out->transports, words_argv(&out->auto_transports));
    with_tun(&out->auto_transports, &out->auto_tun_transports);
    with_tun(&out->transports, &out->tun_transports);
}

static void resolve_host_keys(const struct resolve *resolve, const struct settings_view *view,
                              struct target *out)
{
    const struct node *node = settings_node(view, "host_keys");
    if (!node)
        return;
    if (node->kind == NODE_LIST) {
        out->host_key_kind = HOST_KEYS_LIST;
        texts_of(view, "host_keys", &out->host_keys);
    } else if (node->kind == NODE_MAP) {
        out->host_key_kind = HOST_KEYS_FILE;
        out->host_key_file = path_from(resolve, node->items[0]->text);
    } else {
        out->host_key_kind = HOST_KEYS_ACCEPT_NEW;
    }
}

static void resolve_places(const struct resolve *resolve, const struct settings_view *view,
                           struct target *out)
{
    AUTO_FREE char *key = text_of(view, "key"), *root = text_of(view, "root"),
                   *python = text_of(view, "python");
    out->key = !key ? NULL : text_is(key, "agent") ? TAKE(key) : path_from(resolve, key);
    out->root = root && strchr(root, '/') ? path_from(resolve, root) : TAKE(root);
    out->python = text_is(python, "auto") ? NULL : TAKE(python);
}

static void resolve_programs(const struct resolve *resolve, const struct settings_view *view,
                             const char *place, const char *what, struct target *out)
{
    texts_of(view, "make", &out->make);
    texts_of(view, "verify", &out->verify);
    texts_of(view, "remove", &out->remove);
    texts_of(view, "list", &out->list);
    if (!provider_facts(out->provider)->by_programs)
        return;
    need(resolve, view, "make", place, what);
    need(resolve, view, "verify", place, what);
    need(resolve, view, "remove", place, what);
}

void resolve_target(const struct resolve *resolve, const struct settings_view *view, const char *name,
                    const char *place, struct target *out)
{
    AUTO_FREE char *what = xasprintf("target '%s'", name);
    need(resolve, view, "recipe", place, what);
    out->name = xstrdup(name);
    out->provider = resolve->provider ? xstrdup(resolve->provider) : text_of(view, "provider");
    out->recipe = text_of(view, "recipe");
    if (provider_facts(out->provider)->existing)
        need(resolve, view, "address", place, what);
    resolve_programs(resolve, view, place, what, out);
    cloud_keys_target(view, resolve->directory, resolve->invoker, place, resolve->faults, out);
    tailnet_keys_target(view, place, resolve->faults, out);
    resolve_transports(view, &out->transports, &out->transport_auto);
    resolve_auto(out);
    out->address = text_of(view, "address");
    out->port = count_of(view, "port");
    out->user = text_of(view, "user");
    out->jump = text_of(view, "jump");
    resolve_places(resolve, view, out);
    texts_of(view, "ssh_options", &out->ssh_options);
    out->ssh_args = xstrdup_or_null(resolve->ansible->of[SETTING_SSH_ARGS].value);
    out->ssh_common_args = xstrdup_or_null(resolve->ansible->of[SETTING_SSH_COMMON_ARGS].value);
    out->ssh_extra_args = xstrdup_or_null(resolve->ansible->of[SETTING_SSH_EXTRA_ARGS].value);
    resolve_host_keys(resolve, view, out);
    out->provision_ns = duration_of(view, "stage_deadline.provision");
    out->root_tree_ns = duration_of(view, "stage_deadline.root_tree");
    out->ready_ns = duration_of(view, "stage_deadline.ready");
    out->transport_ns = duration_of(view, "stage_deadline.transport");
    out->destroy_ns = duration_of(view, "stage_deadline.destroy");
    out->sweep_ns = duration_of(view, "stage_deadline.sweep");
    out->ready =
        ready_steps_of(settings_node(view, "ready"), !settings_top(view, "ready"), &out->ready_count);
    health_keys_target(view, resolve->directory, resolve->invoker, place, resolve->faults, out);
    out->host_name = text_of(view, "host_name");
    if (!out->host_name)
        out->host_name = xstrdup(name);
    texts_of(view, "groups", &out->groups);
    texts_of(view, "peers", &out->peers);
    out->vars = variables_of(view);
    out->secrets = secrets_of(view, "secrets", &out->secret_count);
    out->vault_passwords = secrets_of(view, "vault_passwords", &out->vault_password_count);
    secret_of(view, "become_password", &out->become_password);
    secret_of(view, "key_passphrase", &out->key_passphrase);
    texts_of(view, "env", &out->env);
    (void)accelerate_of(view, &out->accelerate);
    out->deadline_ns = duration_of(view, "deadline");
    out->protected = bool_of(view, "protected");
    out->ttl_ns = duration_of(view, "ttl");
}

/* A phase */

static void resolve_requirements(const struct settings_view *view, struct phase *out)
{
    const struct node *list = settings_node(view, "require");
    if (!list || !list->count)
        return;
    out->requires = xcalloc(list->count, sizeof *out->requires);
    out->require_count = list->count;
    for (size_t i = 0; i < list->count; i++) {
        static const char *const fields[] = {"program", "package_file", "install"};
        char **into[] = {&out->requires[i].program, &out->requires[i].package_file,
                         &out->requires[i].install};
        for (size_t j = 0; j < COUNT_OF(fields); j++) {
            const struct node *value = node_get(list->items[i], fields[j]);
            *into[j] = value ? xstrdup(value->text) : NULL;
        }
    }
}

static void keep_to_tun(const struct resolve *resolve, const struct settings_view *view, struct phase *out)
{
    AUTO_WORDS own = WORDS_INIT;
    for (size_t i = 0; i < out->require_count; i++)
    out->needs_tun |= !out->requires[i].program;
    if (!out->needs_tun || !out->transports.count)
        return;
    with_tun(&out->transports, &own);
    if (!own.count)
        fault_add(resolve->faults, settings_top(view, "transport")->origin,
                  "'transport': the phase requires a TUN, and tailnet-userspace has none");
    words_clear(&out->transports);
    words_add_list(&out->transports, words_argv(&own));
}

static void resolve_limits(const struct settings_view *view, struct phase_limits *out)
{
    const struct watchdog_facts *facts;
    for (size_t i = 0; (facts = watchdog_facts(i)); i++)
        if (facts->key.name)
            out->of[i] = facts->key.type == VALUE_COUNT ? count_of(view, facts->key.name)
                                                        : duration_of(view, facts->key.name);
    out->grace_ns = duration_of(view, "grace");
    out->host_grace_ns = duration_of(view, "host_grace");
    out->transport_lost_ns = duration_of(view, "transport_lost");
    out->host_silent_ns = duration_of(view, "host_silent");
    out->transport_grace_ns = duration_of(view, "transport_grace");
}

static void check_playbook(const struct resolve *resolve, const struct settings_view *view,
                           const char *playbook)
{
    AUTO_FREE char *path = path_from(resolve, playbook);
    AUTO_FREE char *shown = text_shown(playbook);
    const char *place = settings_top(view, "playbook")->origin;
    struct stat state;
    if (stat(path, &state) < 0)
        fault_absent(resolve, place, path, "playbook", shown,
                     " (paths are relative to the project's folder)");
    else if (!S_ISREG(state.st_mode))
        fault_add(resolve->faults, place, "the playbook %s is not a file", shown);
}

void resolve_phase(const struct resolve *resolve, const struct settings_view *view, const char *name,
                   int line, const char *place, struct phase *out)
{
    AUTO_FREE char *what = xasprintf("phase '%s'", name);
    need(resolve, view, "playbook", place, what);
    out->name = xstrdup(name);
    out->line = line;
    out->playbook = text_of(view, "playbook");
    if (out->playbook)
        check_playbook(resolve, view, out->playbook);
    resolve_limits(view, &out->limits);
    out->attempts = count_of(view, "attempts");
    texts_of(view, "retry_on", &out->retry_on);
    out->retry_pause_ns = duration_of(view, "retry_pause");
    out->confirm_ns = duration_of(view, "confirm");
    resolve_transports(view, &out->transports, &out->transport_auto);
    resolve_requirements(view, out);
    keep_to_tun(resolve, view, out);
    out->network_churn = bool_of(view, "network_churn");
    out->reboots = bool_of(view, "reboots");
    out->facts_cached = is_text(view, "facts", "cached");
    out->accelerate_own = accelerate_of(view, &out->accelerate);
    out->lost_handlers_warn = is_text(view, "lost_handlers", "warn");
    out->beyond_allowed = is_text(view, "beyond", "allow");
    texts_of(view, "args", &out->args);
    out->vars = variables_of(view);
}
