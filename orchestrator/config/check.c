#include "config/check.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/cloud_rules.h"
#include "config/provider_facts.h"
#include "config/secret.h"
#include "config/text_rules.h"
#include "config/transport_kind.h"

#include <inttypes.h>
#include <string.h>

struct check {
    const struct key *key;
    const char *label; /* how messages call the value: "port", "vars.x" */
    const struct provenance *from;
    struct words *faults;
    bool good;
};

static void wrong(struct check *check, const struct node *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void wrong(struct check *check, const struct node *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    AUTO_FREE char *place = fault_place(check->from, at->line, at->column);
    fault_add(check->faults, place, "%s", message);
    check->good = false;
}

static void wrong_kind(struct check *check, const struct node *node, const char *wanted)
{
    bool could_be_quoted = node_is_scalar(node) && node->kind != NODE_NULL && node->kind != NODE_STRING &&
                           text_is(wanted, "a text");
    wrong(check, node, "'%s' takes %s, not %s%s", check->label, wanted, node_kind_name(node->kind),
          could_be_quoted ? "; put it in quotes" : "");
}

/* A key of a map that takes only these. */
static void unknown_field(struct check *check, const struct node *map, size_t at, const char *const *fields)
{
    AUTO_FREE char *shown = text_shown(map->keys[at]), *instead = fault_instead(map->keys[at], fields);
    fault_at(check->faults, check->from, map->where[at], "unknown key '%s' in '%s'%s", shown, check->label,
             instead);
    check->good = false;
}

static void check_text(struct check *check, const struct node *node)
{
    if (node->kind != NODE_STRING &&
        !(check->key->flags & KEY_ANY_SCALAR && node_is_scalar(node) && node->kind != NODE_NULL)) {
        wrong_kind(check, node, "a text");
        return;
    }
    AUTO_FREE char *problem = check->key->problem ? check->key->problem(node->text) : NULL;
    if (problem)
        wrong(check, node, "'%s': %s", check->label, problem);
}

static void check_duration(struct check *check, const struct node *node)
{
    int64_t ns = 0;
    AUTO_ERROR err = ERROR_INIT;
    if (!node_is_scalar(node) || node->kind == NODE_NULL) {
        wrong_kind(check, node, "a duration like 90s, 5m or 1h30m");
        return;
    }
    if (check->key->flags & KEY_NONE && text_is(node->text, "none"))
        return;
    AUTO_FREE char *shown = text_shown(node->text);
    if (duration_parse(node->text, &ns, &err) < 0)
        wrong(check, node, "'%s': '%s' is no duration; write it like 90s, 5m or 1h30m", check->label, shown);
    else if (ns == 0 && !(check->key->flags & KEY_ZERO))
        wrong(check, node, "'%s': a duration of 0 makes no sense here", check->label);
    else if (ns < check->key->least) {
        AUTO_FREE char *least = duration_text(check->key->least);
        wrong(check, node, "'%s': %s is less than the least, %s", check->label, shown, least);
    }
}

static const char *const *choices_of(const struct check *check)
{
    return check->key->names ? check->key->names() : check->key->choices;
}

static void check_choice(struct check *check, const struct node *node)
{
    if (node->kind != NODE_STRING) {
        wrong_kind(check, node, "one of its words");
        return;
    }
    for (const char *const *choice = choices_of(check); *choice; choice++)
        if (text_is(*choice, node->text))
            return;
    AUTO_FREE char *shown = text_shown(node->text);
    AUTO_TEXT words = TEXT_INIT;
    for (const char *const *choice = choices_of(check); *choice; choice++)
        text_addf(&words, "%s%s", words.length ? ", " : "", *choice);
    wrong(check, node, "'%s': there is no '%s'; write one of %s", check->label, shown, text_string(&words));
}

static void check_list(struct check *check, const struct node *node,
                       void (*item)(struct check *, const struct node *))
{
    if (node->kind == NODE_NULL)
        return;
    if (node->kind != NODE_LIST) {
        wrong_kind(check, node, "a list");
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        item(check, node->items[i]);
}

static void check_transport_name(struct check *check, const struct node *node, bool alone)
{
    const char *const *names = transport_words();
    if (node->kind != NODE_STRING) {
        wrong_kind(check, node, "'auto', a name, or a list of names");
        return;
    }
    for (size_t i = 0; names[i]; i++) {
        if (text_is(names[i], node->text)) {
            if (text_is(node->text, "auto") && !alone)
                wrong(check, node, "'%s': 'auto' stands alone, not in a list", check->label);
            return;
        }
    }
    AUTO_FREE char *shown = text_shown(node->text), *instead = fault_instead(node->text, names);
    wrong(check, node, "'%s': there is no transport '%s'%s", check->label, shown, instead);
}

static void check_transport(struct check *check, const struct node *node)
{
    if (node->kind != NODE_LIST) {
        check_transport_name(check, node, true);
        return;
    }
    if (!node->count)
        wrong(check, node, "'%s': an empty list leaves no way to the host", check->label);
    for (size_t i = 0; i < node->count; i++) {
        check_transport_name(check, node->items[i], false);
        for (size_t j = 0; j < i; j++)
            if (text_is(node->items[i]->text, node->items[j]->text))
                wrong(check, node->items[i], "'%s': '%s' stands here twice", check->label,
                      node->items[i]->text);
    }
}

static void check_host_keys(struct check *check, const struct node *node)
{
    const struct node *file = node_get(node, "file");
    if (node->kind == NODE_STRING && text_is(node->text, "accept-new"))
        return;
    if (node->kind == NODE_MAP && node->count == 1 && file && file->kind == NODE_STRING) {
        AUTO_FREE char *problem = value_path_problem(file->text);
        if (problem)
            wrong(check, file, "'%s': %s", check->label, problem);
    } else if (node->kind == NODE_LIST && node->count) {
        check_list(check, node, check_text);
    } else {
        wrong(check, node, "'%s' takes a list of public keys, {file: PATH} or accept-new", check->label);
    }
}

static void check_requirement(struct check *check, const struct node *node)
{
    static const char *const fields[] = {"program", "package_file", "install", NULL};
    if (node->kind == NODE_STRING && text_is(node->text, "tun"))
        return;
    if (node->kind != NODE_MAP || !node_get(node, "program")) {
        wrong(check, node, "'%s' takes 'tun' or a map {program: NAME, package_file: PATH, install: LINE}",
              check->label);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        AUTO_FREE char *shown = text_shown(node->keys[i]);
        AUTO_FREE char *problem = NULL;
        if (!text_is_one_of(node->keys[i], fields)) {
            unknown_field(check, node, i, fields);
        } else if (node->items[i]->kind != NODE_STRING) {
            wrong(check, node->items[i], "'%s' in '%s' takes a text", shown, check->label);
        } else if ((problem = value_path_problem(node->items[i]->text))) {
            wrong(check, node->items[i], "'%s' in '%s': %s", shown, check->label, problem);
        }
    }
}

static void check_command(struct check *check, const struct node *node)
{
    if (node->kind != NODE_LIST || !node->count)
        wrong(check, node, "'command' in '%s' takes a program and its arguments, a list", check->label);
    for (size_t i = 0; node->kind == NODE_LIST && i < node->count; i++)
        if (!node_is_scalar(node->items[i]) || node->items[i]->kind == NODE_NULL)
            wrong(check, node->items[i], "'command' in '%s' takes texts", check->label);
}

static void check_ready_command(struct check *check, const struct node *node)
{
    static const char *const fields[] = {"command", "within", NULL};
    for (size_t i = 0; i < node->count; i++) {
        if (text_is(node->keys[i], fields[0])) {
            check_command(check, node->items[i]);
        } else if (text_is(node->keys[i], fields[1])) {
            check_duration(check, node->items[i]);
        } else {
            unknown_field(check, node, i, fields);
        }
    }
    if (!node_get(node, "command"))
        wrong(check, node, "'%s' takes a word, or a map with 'command'", check->label);
}

static void check_ready(struct check *check, const struct node *node)
{
    const char *const *words = check->key->names();
    for (size_t i = 0; node->kind == NODE_LIST && i < node->count; i++) {
        const struct node *item = node->items[i];
        AUTO_FREE char *shown = item->kind == NODE_STRING ? text_shown(item->text) : NULL;
        AUTO_FREE char *instead = shown ? fault_instead(item->text, words) : NULL;
        if (item->kind == NODE_MAP)
            check_ready_command(check, item);
        else if (!shown)
            wrong_kind(check, item, "words, and maps {command: [PROGRAM, ...], within: 2m}");
        else if (!text_is_one_of(item->text, words))
            wrong(check, item, "'%s': nothing is known of '%s'%s", check->label, shown, instead);
        for (size_t k = 0; shown && k < i; k++)
            if (text_is(item->text, node->items[k]->text))
                wrong(check, item, "'%s': '%s' stands here twice", check->label, shown);
    }
    if (node->kind != NODE_LIST && node->kind != NODE_NULL)
        wrong_kind(check, node, "a list");
}

/* The fields of the map that describes a firewall: each a list of texts, or one. */
static void check_firewall_list(struct check *check, const struct node *node, char *(*rule)(const char *text))
{
    bool alone = node_is_scalar(node) && node->kind != NODE_NULL;
    if (!alone && (node->kind != NODE_LIST || !node->count))
        wrong(check, node, "'%s' takes a list with at least one entry here", check->label);
    for (size_t i = 0; i < (alone ? 1 : node->count); i++) {
        const struct node *item = alone ? node : node->items[i];
        AUTO_FREE char *problem = node_is_scalar(item) ? rule(item->text) : NULL;
        if (!node_is_scalar(item))
            wrong_kind(check, item, "a text");
        else if (problem)
            wrong(check, item, "'%s': %s", check->label, problem);
    }
}

static void check_own_firewall(struct check *check, const struct node *node)
{
    static const char *const fields[] = {"in", "from", NULL};
    for (size_t i = 0; i < node->count; i++) {
        if (text_is(node->keys[i], "in")) {
            check_firewall_list(check, node->items[i], cloud_rules_port_problem);
        } else if (text_is(node->keys[i], "from")) {
            check_firewall_list(check, node->items[i], cloud_rules_network_problem);
        } else {
            unknown_field(check, node, i, fields);
        }
    }
    if (!node_get(node, "in"))
        wrong(check, node, "'%s': a firewall lets in what stands under 'in', and this one has none",
              check->label);
}

static void check_firewalls(struct check *check, const struct node *node)
{
    size_t own = 0;
    if (node->kind != NODE_LIST) {
        if (node->kind != NODE_NULL)
            wrong_kind(check, node, "a list of names, or of one map {in: [tcp/22], from: [NETWORK]}");
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct node *item = node->items[i];
        AUTO_FREE char *problem =
            node_is_scalar(item) && item->kind != NODE_NULL ? check->key->problem(item->text) : NULL;
        if (item->kind == NODE_MAP && own++)
            wrong(check, item, "'%s': one firewall is made for a machine, not two", check->label);
        else if (item->kind == NODE_MAP)
            check_own_firewall(check, item);
        else if (!node_is_scalar(item) || item->kind == NODE_NULL)
            wrong_kind(check, item, "names, or a map {in: [tcp/22], from: [NETWORK]}");
        else if (problem)
            wrong(check, item, "'%s': %s", check->label, problem);
    }
}

static void check_label(struct check *check, const char *name, const struct node *node)
{
    AUTO_FREE char *name_problem = cloud_rules_label_problem(name);
    AUTO_FREE char *problem = node_is_scalar(node) ? cloud_rules_label_value_problem(node->text) : NULL;
    if (name_problem)
        wrong(check, node, "'%s': %s", check->key->name, name_problem);
    if (!node_is_scalar(node))
        wrong_kind(check, node, "a text");
    else if (problem)
        wrong(check, node, "'%s': %s", check->label, problem);
}

static void check_count(struct check *check, const struct node *node)
{
    if (node->kind != NODE_INTEGER || node->integer < check->key->least || node->integer > check->key->most)
        wrong(check, node, "'%s' takes a whole number from %" PRId64 " to %" PRId64, check->label,
              check->key->least, check->key->most);
}

/* An entry of a map whose names the user chooses. */
static void check_entry(struct check *check, const char *field, const struct node *node)
{
    bool secret = check->key->type == VALUE_SECRETS;
    AUTO_FREE char *name_problem = text_is(check->key->name, "vault_passwords")
                                       ? value_vault_id_problem(field)
                                       : value_variable_problem(field);
    if (name_problem)
        wrong(check, node, "'%s': %s", check->key->name, name_problem);
    AUTO_FREE char *problem = secret ? secret_problem(node) : NULL;
    if (problem)
        wrong(check, node, "'%s' %s", check->label, problem);
}

bool check_value(const struct key *key, const char *field, const struct node *node,
                 const struct provenance *from, struct words *faults)
{
    AUTO_FREE char *shown = field ? text_shown(field) : NULL;
    AUTO_FREE char *label = field ? xasprintf("%s.%s", key->name, shown) : xstrdup(key->name);
    struct check check = {.key = key, .label = label, .from = from, .faults = faults, .good = true};
    AUTO_FREE char *problem = NULL;
    switch (key->type) {
    case VALUE_TEXT:
        check_text(&check, node);
        break;
    case VALUE_DURATION:
        check_duration(&check, node);
        break;
    case VALUE_BOOL:
        if (node->kind != NODE_BOOL)
            wrong_kind(&check, node, "true or false");
        break;
    case VALUE_COUNT:
        check_count(&check, node);
        break;
    case VALUE_CHOICE:
        check_choice(&check, node);
        break;
    case VALUE_CHOICES:
        check_list(&check, node, check_choice);
        break;
    case VALUE_TEXTS:
        if (key->flags & KEY_SINGLE && node_is_scalar(node))
            check_text(&check, node);
        else
            check_list(&check, node, check_text);
        break;
    case VALUE_TRANSPORT:
        check_transport(&check, node);
        break;
    case VALUE_HOST_KEYS:
        check_host_keys(&check, node);
        break;
    case VALUE_REQUIRE:
        check_list(&check, node, check_requirement);
        break;
    case VALUE_SECRET:
        problem = secret_problem(node);
        if (problem)
            wrong(&check, node, "'%s' %s", label, problem);
        break;
    case VALUE_FIREWALLS:
        check_firewalls(&check, node);
        break;
    case VALUE_READY:
        check_ready(&check, node);
        break;
    case VALUE_LABELS:
        if (field)
            check_label(&check, field, node);
        else if (node->kind != NODE_MAP && node->kind != NODE_NULL)
            wrong_kind(&check, node, "a map");
        break;
    case VALUE_FIELDS:
    case VALUE_VARIABLES:
    case VALUE_SECRETS:
        if (field)
            check_entry(&check, field, node);
        else if (node->kind != NODE_MAP && node->kind != NODE_NULL)
            wrong_kind(&check, node, "a map");
        break;
    }
    return check.good;
}
