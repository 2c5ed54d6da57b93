/* Rendering: a template filled in, and nothing that a value holds changes the document. What Ansible makes
 * of it is in system/inventory.c. */
#include "ansible/inventory.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/connection_variables.h"
#include "format/yaml.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define cr_has(text, part)     cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))
#define cr_has_not(text, part) cr_assert_null(strstr((text), (part)), "'%s' says '%s'", (text), (part))

static struct project project = {.directory = "/nowhere", .name = "demo"};
static struct target target;
static struct machine *machine;
static struct ssh_arguments ssh;

static void begin(void)
{
    target =
        (struct target){.name = "vault", .provider = "sandbox", .recipe = "my-vault", .host_name = "vault"};
    machine = machine_new();
    machine->address = xstrdup("192.0.2.7");
    machine->port = 22;
    ssh = (struct ssh_arguments){.host = "192.0.2.7", .text = "-o BatchMode=yes"};
}

static void end(void)
{
    machine_free(machine);
    words_clear(&target.groups);
    node_free(target.vars);
}

TestSuite(inventory, .init = begin, .fini = end);

static struct inventory_request request_for(enum transport_kind kind, const char *template)
{
    return (struct inventory_request){.project = &project,
                                      .host = {&target, machine, kind, &ssh, NULL},
                                      .template_bytes = template,
                                      .template_length = template ? strlen(template) : 0,
                                      .template_name = "inventory-templates/own.yml"};
}

static struct node *rendered(const char *template)
{
    struct inventory_request request = request_for(TRANSPORT_DIRECT, template);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *yaml = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    struct node *root = NULL;
    cr_assert(inventory_render(&request, &yaml, NULL, &err) == 0, "%s", error_text(&err));
    cr_assert(yaml_read(yaml, strlen(yaml), "rendered", &root, &faults) == 0, "%s in: %s",
              faults.count ? faults.items[0] : "", yaml);
    return root;
}

static char *refusal(const char *template)
{
    struct inventory_request request = request_for(TRANSPORT_DIRECT, template);
    AUTO_ERROR err = ERROR_INIT;
    char *yaml = NULL;
    cr_assert(inventory_render(&request, &yaml, NULL, &err) < 0, "%s", yaml);
    cr_assert_null(yaml, "an output was touched");
    cr_assert_eq(err.kind, ERROR_PROJECT);
    return xstrdup(error_text(&err));
}

static const struct node *host_of(const struct node *root)
{
    return node_get(node_get(node_get(root, "all"), "hosts"), "vault");
}

static const char *const hostile[] = {
    "plain",
    "a\nb: c",
    "\"}\n  evil: {x: \"",
    "'",
    "{{ lookup('pipe', 'id') }}",
    "{% raw %}",
    "- item",
    "-leading",
    "!vault |\n  x",
    "&anchor *alias",
    "# comment",
    "%YAML 1.2",
    "%h%%",
    "yes",
    "0x1f",
    "1:30",
    "null",
    "~",
    "",
    " ",
    "a: b",
    "? x",
    "...",
    "---",
    "\t",
    "back\\slash",
    "\xe2\x80\xa8line separator",
    "\x1b[31m",
    "${address}",
    "$${address}",
};

Test(inventory, a_value_arrives_byte_for_byte_and_changes_nothing_else)
{
    static const char template[] = "all:\n  hosts:\n    ${host}:\n      ansible_python_interpreter: "
                                   "${python}\n      mixed: 'x ${python} y'\n      after: still here\n";
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        free(machine->python);
        machine->python = xstrdup(hostile[i]);
        AUTO_NODE *root = rendered(template);
        const struct node *host = host_of(root);
        AUTO_FREE char *mixed = xasprintf("x %s y", hostile[i]);
        cr_assert_eq(host->count, 3, "%zu entries for '%s'", host->count, hostile[i]);
        cr_assert_str_eq(node_get(host, "ansible_python_interpreter")->text, hostile[i]);
        cr_assert_str_eq(node_get(host, "ansible_python_interpreter")->tag, "!unsafe");
        cr_assert_str_eq(node_get(host, "mixed")->text, mixed);
        cr_assert_str_eq(node_get(host, "mixed")->tag, "!unsafe");
        cr_assert_str_eq(node_get(host, "after")->text, "still here");
        cr_assert_eq(root->count, 1);
        cr_assert_eq(node_get(root, "all")->count, 2);
    }
}

Test(inventory, each_embedded_template_renders_for_its_transport)
{
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        struct inventory_request request = request_for((enum transport_kind)kind, NULL);
        AUTO_ERROR err = ERROR_INIT;
        AUTO_FREE char *yaml = NULL;
        cr_assert(inventory_render(&request, &yaml, NULL, &err) == 0, "%s", error_text(&err));
        cr_has(yaml, "ansible_ssh_common_args: !unsafe \"-o BatchMode=yes\"");
        cr_has(yaml, "ansible_host: !unsafe \"192.0.2.7\"");
        cr_has(yaml, "recipe_my_vault");
    }
}

Test(inventory, what_nobody_knows_yet_is_left_out)
{
    free(machine->address);
    machine->address = NULL;
    AUTO_NODE *root = rendered("all:\n  hosts:\n    ${host}:\n      ansible_host: ${address}\n      url: "
                               "https://${address}/\n      list: [a, '${address}', b]\n      k: v\n");
    const struct node *host = host_of(root);
    cr_assert_null(node_get(host, "ansible_host"));
    cr_assert_null(node_get(host, "url"));
    cr_assert_eq(node_get(host, "list")->count, 2);
    cr_assert_str_eq(node_get(host, "k")->text, "v");
}

Test(inventory, faults_of_a_template_are_told_at_once_with_their_places)
{
    AUTO_FREE char *message = refusal(
        "all:\n  hosts:\n    ${host}:\n      a: ${adress}\n      b: '${port'\n      c: ${nonsense_name}\n");
    cr_has(message, "inventory-templates/own.yml:4:10: there is no value 'adress' for a template, did you "
                    "mean 'address'?");
    cr_has(message, "inventory-templates/own.yml:5:10: '${' without '}'");
    cr_has(message, "inventory-templates/own.yml:6:10:");
    AUTO_FREE char *shape = refusal("all: [a]\n");
    cr_has(shape, "must be a map");
    AUTO_FREE char *list = refusal("- a\n");
    cr_has(list, "an inventory is a map");
    AUTO_FREE char *twice = refusal("all:\n  hosts:\n    ${host}: {}\n    vault: {}\n");
    cr_has(twice, "twice");
}

/* The built-in one would lead elsewhere. */
Test(inventory, a_template_that_cannot_be_seen_is_not_taken_for_absent)
{
    char path[] = "/tmp/triphase-templates.XXXXXX";
    cr_assert_not_null(mkdtemp(path));
    AUTO_FREE char *templates = file_join(path, "inventory-templates");
    cr_assert_eq(symlink("inventory-templates", templates), 0);
    project.directory = path;
    AUTO_FREE char *message = refusal(NULL);
    cr_assert_eq(file_remove_tree(path, NULL), 0);
    cr_has(message, "cannot look at ");
}

Test(inventory, two_dollars_stand_for_the_characters)
{
    AUTO_NODE *root = rendered("all:\n  hosts:\n    ${host}:\n      k: 'echo $${HOME} $5'\n");
    cr_assert_str_eq(node_get(host_of(root), "k")->text, "echo ${HOME} $5");
}

Test(inventory, groups_and_variables_come_after_filling_and_are_not_filled)
{
    AUTO_WORDS faults = WORDS_INIT;
    static const char vars[] = "mine: '${address} {{ other }}'\nother: 5\n";
    cr_assert(yaml_read(vars, strlen(vars), "vars", &target.vars, &faults) == 0);
    words_add_all(&target.groups, "web", "prod-eu", NULL);
    AUTO_NODE *root =
        rendered("all:\n  hosts:\n    ${host}: {}\n  children:\n    web:\n      vars: {x: 1}\n");
    cr_assert_str_eq(node_get(host_of(root), "mine")->text, "${address} {{ other }}");
    cr_assert_null(node_get(host_of(root), "mine")->tag, "the user's own templates are templates");
    const struct node *children = node_get(node_get(root, "all"), "children");
    cr_assert_eq(children->count, 3);
    cr_assert_not_null(node_get(node_get(node_get(children, "web"), "hosts"), "vault"));
    cr_assert_not_null(node_get(node_get(children, "web"), "vars"));
    cr_assert_not_null(node_get(node_get(node_get(children, "recipe_my_vault"), "hosts"), "vault"));
}

Test(inventory, names_that_ansible_would_expand_are_refused)
{
    static const char *const names[] = {"web[1:3]", "a b",  "-x",   "host:22", "{{ x }}",
                                        "a,b",      "!all", "x\ny", "",        "${host}"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        target.host_name = (char *)names[i];
        AUTO_FREE char *message = refusal(NULL);
        cr_has(message, "host_name");
        target.host_name = "vault";
        words_add(&target.groups, names[i]);
        AUTO_FREE char *group = refusal(NULL);
        cr_has(group, "group");
        words_clear(&target.groups);
    }
}

Test(inventory, variables_may_not_say_how_the_host_is_reached)
{
    AUTO_WORDS faults = WORDS_INIT;
    static const char vars[] = "ansible_host: elsewhere\n";
    cr_assert(yaml_read(vars, strlen(vars), "vars", &target.vars, &faults) == 0);
    AUTO_FREE char *message = refusal(NULL);
    cr_has(message, "vars may not hold ansible_host");
}

Test(inventory, settings_of_the_users_cannot_stand_before_what_is_forced)
{
    AUTO_NODE *root = rendered("all:\n  hosts:\n    ${host}:\n      ansible_ssh_common_args: ${ssh_args}\n");
    cr_assert_str_eq(node_get(host_of(root), "ansible_ssh_args")->text, "");
    cr_assert(node_get(host_of(root), "ansible_host_key_checking")->boolean);
}

Test(inventory, every_connection_variable_is_expected_set_or_not)
{
    struct inventory_request request = request_for(TRANSPORT_DIRECT, NULL);
    AUTO_FREE char *yaml = NULL;
    AUTO_JSON *expect = NULL;
    cr_assert(inventory_render(&request, &yaml, &expect, NULL) == 0);
    const struct json *host = json_get(expect, "vault");
    for (size_t i = 0; i < connection_variable_count; i++)
        cr_assert_eq(json_get(host, connection_variables[i].name) != NULL,
                     connection_variable_is_fixed(&connection_variables[i]), "%s",
                     connection_variables[i].name);
    cr_assert_str_eq(json_get_string(host, "ansible_host", ""), "192.0.2.7");
    cr_assert_eq(json_get_integer(host, "ansible_port", 0), 22);
    cr_assert_null(json_get_string(host, "ansible_user", NULL));
    cr_assert(json_get_bool(host, "triphase_gives_way"));
}

/* What the user's own inventories say where nothing is rendered was verified with,
 * so it is what is expected. */
Test(inventory, what_inventories_say_beside_the_rendered_variables_is_expected)
{
    struct inventory_request request = request_for(TRANSPORT_DIRECT, NULL);
    target.host_variables = json_new_object();
    json_set_string(target.host_variables, "ansible_ssh_extra_args", "-o A=b");
    json_set_string(target.host_variables, "ansible_ssh_user", "deploy");
    target.python_is_ansibles = true;
    AUTO_FREE char *yaml = NULL;
    AUTO_JSON *expect = NULL;
    cr_assert(inventory_render(&request, &yaml, &expect, NULL) == 0);
    const struct json *host = json_get(expect, "vault");
    cr_assert_str_eq(json_get_string(host, "ansible_ssh_extra_args", ""), "-o A=b");
    cr_assert_not(json_get_bool(host, "triphase_gives_way"),
                  "Ansible's own variable stands above a play's keyword");
    cr_assert_null(strstr(yaml, "ansible_python_interpreter"), "rendered, it would stand above theirs");
    json_free(TAKE(target.host_variables));
}

Test(inventory, peers_bring_their_host_but_none_of_their_groups_and_no_second_of_a_name)
{
    struct target other = {.name = "db", .provider = "sandbox", .recipe = "base", .host_name = "db"};
    struct machine *theirs = machine_new();
    theirs->address = xstrdup("192.0.2.8");
    struct ssh_arguments their_ssh = {.host = "192.0.2.8", .text = "-o Port=5"};
    struct inventory_host peers[] = {{&other, theirs, TRANSPORT_DIRECT, &their_ssh, NULL}};
    struct inventory_request request = request_for(TRANSPORT_DIRECT, NULL);
    request.peers = peers;
    request.peer_count = 1;
    AUTO_FREE char *yaml = NULL;
    AUTO_JSON *expect = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(inventory_render(&request, &yaml, &expect, &err) == 0, "%s", error_text(&err));
    cr_has(yaml, "192.0.2.8");
    cr_has(yaml, "peers:");
    cr_assert(strstr(yaml, "recipe_base") == NULL, "a play for that recipe would run on the peer:\n%s", yaml);
    cr_assert_str_eq(json_get_string(json_get(expect, "db"), "ansible_host", ""), "192.0.2.8");
    other.host_name = "vault";
    char *none = NULL;
    cr_assert(inventory_render(&request, &none, NULL, &err) < 0);
    cr_has(error_text(&err), "another host_name");
    machine_free(theirs);
}

Test(inventory, the_address_is_that_of_the_transport)
{
    static const char device[] = "{\"address\":\"100.64.0.9\"}";
    machine->tailnet = json_parse(device, strlen(device), NULL);
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        struct inventory_request request = request_for((enum transport_kind)kind, NULL);
        AUTO_ERROR err = ERROR_INIT;
        AUTO_FREE char *yaml = NULL;
        cr_assert(inventory_render(&request, &yaml, NULL, &err) == 0, "%s", error_text(&err));
        cr_expect(strstr(yaml, kind == TRANSPORT_DIRECT ? "ansible_host: !unsafe \"192.0.2.7\""
                                                        : "ansible_host: !unsafe \"100.64.0.9\""),
                  "%s", yaml);
    }
}
