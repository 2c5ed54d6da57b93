#include "ansible/inventory.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/connection_variables.h"
#include "format/yaml.h"

#include <string.h>

/* What one template is filled in with. */
struct filling {
    const struct inventory_request *request;
    const struct inventory_host *host;
    const char *file; /* the template, as faults call it */
    struct words *faults;
    char *port, *recipe, *ssh_args; /* owned by render_host */
};

static void fault(const struct filling *filling, const struct node_place *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fault(const struct filling *filling, const struct node_place *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    words_addf(filling->faults, "%s:%d:%d: %s", filling->file, at->line, at->column, message);
}

/* Interpreter on the host: what the target says, else what was found; NULL: not known, or the user's own
 * variables say it. Borrowed. */
static const char *inventory_python(const struct target *target, const struct machine *machine)
{
    return target->python_is_ansibles ? NULL : target->python ? target->python : machine->python;
}

static const char *const value_names[] = {"address",      "port",     "user",   "key", "host",
                                          "python",       "target",   "recipe", "run", "transport",
                                          "control_path", "ssh_args", NULL};

/* The value of a name; NULL while it is not known. */
static const char *value_of(const struct filling *filling, const char *name)
{
    const struct target *target = filling->host->target;
    const struct machine *machine = filling->host->machine;
    if (text_is(name, "address"))
        return machine_address(machine, filling->host->transport);
    if (text_is(name, "port"))
        return filling->port;
    if (text_is(name, "user"))
        return machine->user;
    if (text_is(name, "key"))
        /* Ansible puts it between double quotes for ssh, which would expand or end at these: then ssh_args
         * alone carries it. */
        return machine->key && !text_is(machine->key, "agent") && !strpbrk(machine->key, "\"\\%$")
                   ? machine->key
                   : NULL;
    if (text_is(name, "host"))
        return target->host_name;
    if (text_is(name, "python"))
        return inventory_python(target, machine);
    if (text_is(name, "target"))
        return target->name;
    if (text_is(name, "recipe"))
        return target->recipe;
    if (text_is(name, "run"))
        return filling->request->run;
    if (text_is(name, "transport"))
        return transport_name(filling->host->transport);
    if (text_is(name, "control_path"))
        return filling->host->control_path;
    return filling->ssh_args;
}

/* 1 and the text with every ${name} replaced (`whole` tells the name when it is all of the text); 0 when
 * there is none, -1 when a value is not known or the text is wrong (then a fault was added). "$${" stands
 * for "${". */
static int fill_text(const struct filling *filling, const char *text, const struct node_place *at, char **out,
                     const char **whole)
{
    AUTO_TEXT filled = TEXT_INIT;
    int found = 0;
    *whole = NULL;
    for (const char *c = text; *c;) {
        if (text_starts(c, "$${")) {
            text_add(&filled, "${");
            c += 3;
            found = 1;
            continue;
        }
        if (!text_starts(c, "${")) {
            text_add_char(&filled, *c++);
            continue;
        }
        const char *end = strchr(c, '}');
        if (!end) {
            fault(filling, at, "'${' without '}'; write '$${' for the two characters");
            return -1;
        }
        AUTO_FREE char *name = xstrndup(c + 2, (size_t)(end - c) - 2);
        const char *const *known = value_names;
        while (*known && !text_is(*known, name))
            known++;
        if (!*known) {
            const char *nearest = text_nearest(name, value_names);
            AUTO_TEXT shown = TEXT_INIT;
            text_add_printable(&shown, name, strlen(name));
            fault(filling, at, "there is no value '%s' for a template%s%s%s", text_string(&shown),
                  nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
            return -1;
        }
        if (c == text && !end[1])
            *whole = *known;
        const char *value = value_of(filling, *known);
        if (!value)
            return -1;
        text_add(&filled, value);
        found = 1;
        c = end + 1;
    }
    if (found)
        *out = text_take(&filled);
    return found;
}

/* A copy with everything filled in; NULL for an entry that is left out. */
static struct node *fill(const struct filling *filling, const struct node *node)
{
    if (node->kind == NODE_MAP) {
        struct node *map = node_new_map();
        for (size_t i = 0; i < node->count; i++) {
            AUTO_FREE char *key = NULL;
            const char *whole;
            if (fill_text(filling, node->keys[i], &node->where[i], &key, &whole) < 0)
                continue;
            const char *name = key ? key : node->keys[i];
            struct node *value = fill(filling, node->items[i]);
            if (value && node_get(map, name)) {
                fault(filling, &node->where[i], "'%s' is there twice once the names are filled in", name);
                node_free(value);
            } else if (value) {
                node_append_key(map, name, node->where[i], value);
            }
        }
        return map;
    }
    if (node->kind == NODE_LIST) {
        struct node *list = node_new(NODE_LIST);
        for (size_t i = 0; i < node->count; i++) {
            struct node *item = fill(filling, node->items[i]);
            if (item)
                node_append(list, item);
        }
        return list;
    }
    if (node->kind != NODE_STRING)
        return node_copy(node);
    AUTO_FREE char *text = NULL;
    const char *whole;
    int found = fill_text(filling, node->text, &(struct node_place){node->line, node->column}, &text, &whole);
    if (found < 0)
        return NULL;
    if (!found)
        return node_copy(node);
    struct node *value = text_is(whole, "port") ? node_new_plain(text) : node_new_string(text);
    if (value->kind == NODE_STRING)
        value->tag = "!unsafe";
    return value;
}

/* The map under a key, made where it is absent or empty; NULL with a fault when something else stands
 * there. */
static struct node *map_under(const struct filling *filling, struct node *map, const char *key)
{
    struct node *value = node_get(map, key);
    if (value && value->kind == NODE_MAP)
        return value;
    if (value && value->kind != NODE_NULL) {
        fault(filling, &(struct node_place){value->line, value->column}, "'%s' must be a map, not %s", key,
              node_kind_name(value->kind));
        return NULL;
    }
    value = node_new_map();
    node_set(map, key, value);
    return value;
}

static bool is_name(const char *name, const char *also)
{
    if (!((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z') ||
          (*name >= '0' && *name <= '9') || *name == '_'))
        return false;
    for (const char *c = name; *c; c++)
        if (!((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ||
              strchr(also, *c)))
            return false;
    return true;
}

/* Names that Ansible takes as they are: no ranges, no ports, no patterns. */
static int check_names(const struct filling *filling)
{
    const struct target *target = filling->host->target;
    size_t before = filling->faults->count;
    if (!is_name(target->host_name, "._-"))
        words_addf(filling->faults, "target %s: host_name may hold letters, digits, '.', '_' and '-' only",
                   target->name);
    for (size_t i = 0; i < target->groups.count; i++)
        if (!is_name(target->groups.items[i], "._-"))
            words_addf(filling->faults,
                       "target %s: group %zu may hold letters, digits, '.', '_' and '-' only", target->name,
                       i + 1);
    for (size_t i = 0; target->vars && i < target->vars->count; i++) {
        const struct connection_variable *variable = connection_variable_find(target->vars->keys[i]);
        if (variable && connection_variable_is_fixed(variable))
            words_addf(filling->faults,
                       "target %s: vars may not hold %s, which is how triphase reaches the host; use "
                       "address, port, user, key, jump or ssh_options",
                       target->name, variable->name);
    }
    return filling->faults->count == before ? 0 : -1;
}

/* Everything that does not come from the template. */
static int add_rest(const struct filling *filling, struct node *root)
{
    const struct target *target = filling->host->target;
    struct node *all = map_under(filling, root, "all");
    struct node *hosts = all ? map_under(filling, all, "hosts") : NULL;
    struct node *variables = hosts ? map_under(filling, hosts, target->host_name) : NULL;
    struct node *children = all ? map_under(filling, all, "children") : NULL;
    if (!variables || !children)
        return -1;
    /* ssh's first value counts: without these two, settings of the user's would stand before what triphase
     * forces. */
    if (node_get(variables, "ansible_ssh_common_args") && !node_get(variables, "ansible_ssh_args"))
        node_set(variables, "ansible_ssh_args", node_new_string(""));
    if (node_get(variables, "ansible_ssh_common_args") && !node_get(variables, "ansible_host_key_checking"))
        node_set(variables, "ansible_host_key_checking", node_new_plain("true"));
    for (size_t i = 0; target->vars && i < target->vars->count; i++)
        node_set(variables, target->vars->keys[i], node_copy(target->vars->items[i]));
    for (size_t i = 0; i <= target->groups.count; i++) {
        AUTO_FREE char *group = i < target->groups.count ? xstrdup(target->groups.items[i])
                                                         : xasprintf("recipe_%s", filling->recipe);
        struct node *entry = map_under(filling, children, group);
        struct node *members = entry ? map_under(filling, entry, "hosts") : NULL;
        if (!members)
            return -1;
        node_set(members, target->host_name, node_new_map());
    }
    return 0;
}

/* Merges the host that a peer's own template made. Its groups stay out, all but `peers`: a play for this
 * target's recipe must not run on another host that happens to have the same one. */
static int add_peer(const struct filling *filling, struct node *root, const struct node *peer)
{
    struct node *all = map_under(filling, root, "all");
    const struct node *theirs = node_get(peer, "all");
    const struct node *hosts = node_get(theirs, "hosts");
    struct node *ours = all ? map_under(filling, all, "hosts") : NULL;
    struct node *groups = all ? map_under(filling, all, "children") : NULL;
    struct node *group = groups ? map_under(filling, groups, "peers") : NULL;
    struct node *members = group ? map_under(filling, group, "hosts") : NULL;
    if (!ours || !members)
        return -1;
    for (size_t i = 0; hosts && i < hosts->count; i++) {
        if (node_get(ours, hosts->keys[i])) {
            words_addf(filling->faults,
                       "peer %s: the inventory has a host %s already; give one of them another host_name",
                       filling->host->target->name, hosts->keys[i]);
            return -1;
        }
        node_set(ours, hosts->keys[i], node_copy(hosts->items[i]));
        node_set(members, hosts->keys[i], node_new_map());
    }
    return 0;
}

static int read_template(const struct inventory_request *request, const struct inventory_host *host,
                         struct node **out, char **name, struct words *faults)
{
    AUTO_FREE char *relative = xasprintf("inventory-templates/%s.yml", transport_name(host->transport));
    AUTO_FREE char *path = file_join(request->project->directory, relative);
    if (request->template_bytes) {
        *name = xstrdup(request->template_name ? request->template_name : relative);
        return yaml_read(request->template_bytes, request->template_length, *name, out, faults);
    }
    AUTO_ERROR err = ERROR_INIT;
    int there = file_look(path, &err);
    if (there < 0) {
        words_addf(faults, "%s: %s", relative, error_text(&err));
        return -1;
    }
    if (there) {
        *name = xstrdup(relative);
        return yaml_read_file(path, *name, out, faults);
    }
    const struct embedded_file *file = embedded_find(relative);
    if (!file) {
        words_addf(faults, "%s: there is no such template", relative);
        return -1;
    }
    *name = xasprintf("%s (built in)", relative);
    return yaml_read((const char *)file->bytes, file->size, *name, out, faults);
}

/* The tree of one host: its template filled in, with groups and variables. */
static int render_host(const struct inventory_request *request, const struct inventory_host *host,
                       struct node **out, struct words *faults)
{
    AUTO_NODE *template = NULL;
    AUTO_FREE char *name = NULL;
    if (read_template(request, host, &template, &name, faults) < 0)
        return -1;
    struct filling filling = {.request = request, .host = host, .file = name, .faults = faults};
    if (host->machine->port)
        filling.port = xasprintf("%d", host->machine->port);
    filling.recipe = xstrdup(host->target->recipe);
    for (char *c = filling.recipe; *c; c++)
        if (*c == '-')
            *c = '_';
    filling.ssh_args = xstrdup(host->ssh->text);
    int result = -1;
    AUTO_NODE *root = NULL;
    if (template->kind != NODE_MAP) {
        words_addf(faults, "%s:1:1: an inventory is a map with the key 'all', not %s", name,
                   node_kind_name(template->kind));
    } else if (check_names(&filling) == 0) {
        size_t before = faults->count;
        root = fill(&filling, template);
        if (faults->count == before && add_rest(&filling, root) == 0)
            result = 0;
    }
    free(filling.port);
    free(filling.recipe);
    free(filling.ssh_args);
    if (result == 0)
        *out = TAKE(root);
    return result;
}

/* For this machine too, which belongs to no group but has the variables of `all`. */
static int add_async_directory(const struct filling *filling, struct node *root)
{
    struct node *all = map_under(filling, root, "all");
    struct node *variables = all ? map_under(filling, all, "vars") : NULL;
    if (!variables)
        return -1;
    if (!node_get(variables, "ansible_async_dir"))
        node_set(variables, "ansible_async_dir", node_new_string(filling->request->async_directory));
    return 0;
}

/* What each variable will be: as rendered, else as the user's own inventories have it. */
static void add_expected(const struct node *root, const struct target *target, struct json *expect)
{
    const struct node *variables = node_get(node_get(node_get(root, "all"), "hosts"), target->host_name);
    struct json *object = json_new_object();
    for (size_t i = 0; i < connection_variable_count; i++) {
        const char *name = connection_variables[i].name;
        const struct node *value = node_get(variables, name);
        if (!connection_variable_is_fixed(&connection_variables[i]))
            continue;
        if (!value || value->kind == NODE_NULL)
            json_set_string(object, name, json_get_string(target->host_variables, name, NULL));
        else if (value->kind == NODE_BOOL)
            json_set_bool(object, name, value->boolean);
        else if (value->kind == NODE_INTEGER)
            json_set_integer(object, name, value->integer);
        else
            json_set_string(object, name, node_is_scalar(value) ? value->text : "");
    }
    /* A play's remote_user counts beside a user whom only triphase rendered, not beside a
     * variable of the user's own. */
    const struct json *theirs = target->host_variables;
    json_set_bool(object, "triphase_gives_way",
                  !json_get_string(theirs, "ansible_user", NULL) &&
                      !json_get_string(theirs, "ansible_ssh_user", NULL));
    json_set(expect, target->host_name, object);
}

int inventory_render(const struct inventory_request *request, char **yaml_out, struct json **expect,
                     struct error *err)
{
    AUTO_WORDS faults = WORDS_INIT;
    AUTO_NODE *root = NULL;
    AUTO_JSON *expected = json_new_object();
    int result = render_host(request, &request->host, &root, &faults);
    const struct filling whole = {
        .request = request, .host = &request->host, .file = "inventory", .faults = &faults};
    if (result == 0 && request->async_directory)
        result = add_async_directory(&whole, root);
    if (result == 0)
        add_expected(root, request->host.target, expected);
    for (size_t i = 0; result == 0 && i < request->peer_count; i++) {
        AUTO_NODE *peer = NULL;
        struct inventory_request own = *request;
        own.template_bytes = NULL;
        struct filling filling = {
            .request = &own, .host = &request->peers[i], .file = "peers", .faults = &faults};
        result = render_host(&own, &request->peers[i], &peer, &faults);
        if (result == 0)
            result = add_peer(&filling, root, peer);
        if (result == 0)
            add_expected(root, request->peers[i].target, expected);
    }
    if (result < 0) {
        AUTO_TEXT lines = TEXT_INIT;
        for (size_t i = 0; i < faults.count; i++)
            text_addf(&lines, "%s%s", i ? "\n" : "", faults.items[i]);
        return error_set(err, ERROR_PROJECT, "%s", text_string(&lines));
    }
    struct yaml_writer *writer = yaml_writer_new();
    yaml_node(writer, root);
    AUTO_ERROR written = ERROR_INIT;
    char *yaml = yaml_writer_finish(writer, &written);
    yaml_writer_free(writer);
    if (!yaml)
        return error_set(err, ERROR_PROJECT, "the inventory of target %s cannot be written: %s",
                         request->host.target->name, error_text(&written));
    *yaml_out = yaml;
    if (expect)
        *expect = TAKE(expected);
    return 0;
}
