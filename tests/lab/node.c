#include "lab/node.h"

#include "base/file.h"
#include "base/memory.h"
#include "event/line.h"
#include "lab/recipe_lab.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdarg.h>
#include <string.h>

enum { GUEST_BOUND_S = 90, REBOOT_BOUND_S = 90, RUN_BOUND_S = 400 };

/* What setup/node-tree.sh put there. */
const char node_of_the_tree[] =
    "      node_packages_list: [ca-certificates, curl, jq, nftables, xz-utils, lab-tool]\n"
    "      node_nodejs_url: http://127.0.0.1:8080/node.tgz\n"
    "      node_nodejs_sha256: {x64: 00b5c43d88958dbbf45339c4d5e9a76289c7e25876fd08270b379e485e151fc5}\n"
    "      node_devcontainer_cli_url: http://127.0.0.1:8080/devcontainer-cli.tgz\n"
    "      node_firewall_ranges_v4_url: \"\"\n"
    "      node_image_prepull_images: [\"127.0.0.1:5000/lab/agent:1\"]\n";

static bool gives(const char *variables, const char *line)
{
    AUTO_FREE char *name = xstrndup(line, strcspn(line, ":") + 1);
    return variables && strstr(variables, name);
}

const char *node_tree(void)
{
    char *tree = lab_keep(rig_output("setup/node-tree.sh --where"));
    tree[strcspn(tree, "\n")] = '\0';
    return tree;
}

struct lab *node_lab(const char *root, const char *variables)
{
    rig_needed();
    struct lab *lab = recipe_lab_new(RUN_BOUND_S);
    const char *tree = root ? root : node_tree();
    cr_assert(root || file_is_dir(tree), "no tree of an agent node in %s: setup/node-tree.sh makes it", tree);
    AUTO_TEXT vars = TEXT_INIT;
    for (const char *line = node_of_the_tree; !root && *line; line = strchr(line, '\n') + 1)
        if (!gives(variables, line))
            text_addf(&vars, "%.*s", (int)(strchr(line, '\n') + 1 - line), line);
    text_add(&vars, variables ? variables : "");
    lab_write(lab, "triphase.yml", "project: nodes\ntargets:\n  node:\n    recipe: node\n    root: %s\n%s%s",
              tree, vars.length ? "    vars:\n" : "", text_string(&vars));
    return lab;
}

void node_phase_before(struct lab *lab, const char *name, const char *tasks)
{
    static const char head[] = "\nphases:\n";
    AUTO_FREE char *recipe = lab_read(lab, "phases/node.yml"), *path = xasprintf("playbooks/%s.yml", name);
    char *at = strstr(recipe, head);
    cr_assert(at != NULL);
    at += strlen(head);
    lab_write(lab, path, "- hosts: recipe_node\n  become: true\n  gather_facts: false\n  tasks:\n%s", tasks);
    lab_write(lab, "phases/node.yml", "%.*s  - name: %s\n    playbook: %s\n%s", (int)(at - recipe), recipe,
              name, path, at);
}

struct lab_result node_run(struct lab *lab, double seconds, const char *word, ...)
{
    va_list more;
    va_start(more, word);
    struct lab_result result = recipe_lab_run(lab, seconds, word, more);
    va_end(more);
    return result;
}

struct lab_result node_expect(struct lab *lab, int code, const char *word, ...)
{
    va_list more;
    va_start(more, word);
    struct lab_result result = recipe_lab_expect_list(lab, RUN_BOUND_S, code, word, more);
    va_end(more);
    return result;
}

char *node_guest(struct lab *lab, const char *script, int *code)
{
    return recipe_lab_guest(lab, "node", GUEST_BOUND_S, script, NULL, code);
}

void node_expect_guest(struct lab *lab, const char *script, const char *says)
{
    AUTO_FREE char *said = node_guest(lab, script, NULL);
    cr_expect(eq(str, said, (char *)says), "%s", script);
}

void node_reboot(struct lab *lab)
{
    recipe_lab_reboot(lab, "node", GUEST_BOUND_S, REBOOT_BOUND_S);
}

char *node_changed(struct lab *lab)
{
    AUTO_FREE char *query = xasprintf(
        "SELECT group_concat(line, char(10)) FROM (SELECT coalesce(role.text, '') || ': ' || title.text AS "
        "line FROM task "
        "JOIN name AS title ON title.number = task.task LEFT JOIN name AS role ON role.number = task.role "
        "JOIN step ON step.number = task.step WHERE task.status = %d AND step.run = "
        "(SELECT number FROM run ORDER BY number DESC LIMIT 1) ORDER BY task.started_ns)",
        STATUS_CHANGED);
    return lab_sql(lab, query);
}
