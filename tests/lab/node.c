#include "lab/node.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "event/line.h"
#include "lab/sandbox.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 8, GUEST_BOUND_S = 90, REBOOT_BOUND_S = 90, RUN_BOUND_S = 400 };

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

struct lab *node_lab(const char *root, const char *variables)
{
    rig_needed();
    struct lab *lab = lab_new();
    AUTO_FREE char *home = file_join(lab_folder(lab), "home");
    lab_write(lab, "home/.empty", "%s", "");
    lab_environment(lab, "HOME", home);
    node_expect(lab, 0, "init", NULL);
    AUTO_FREE char *tree = root ? xstrdup(root) : rig_output("setup/node-tree.sh --where");
    tree[strcspn(tree, "\n")] = '\0';
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

static struct lab_result run(struct lab *lab, double seconds, const char *word, va_list more)
{
    const char *words[MOST_WORDS + 1] = {word};
    for (size_t i = 1; words[i - 1]; i++) {
        cr_assert(i <= MOST_WORDS);
        words[i] = va_arg(more, const char *);
    }
    int64_t before = moment_monotonic();
    pid_t pid = lab_start(lab, "node", words[0], words[1], words[2], words[3], words[4], words[5], words[6],
                          words[7], NULL);
    struct lab_result result = {.code = lab_wait(lab, pid, seconds)};
    result.seconds = (double)(moment_monotonic() - before) / (double)NS_PER_S;
    result.out = lab_keep(lab_read(lab, "node.out"));
    result.err = lab_keep(lab_read(lab, "node.err"));
    return result;
}

struct lab_result node_run(struct lab *lab, double seconds, const char *word, ...)
{
    va_list more;
    va_start(more, word);
    struct lab_result result = run(lab, seconds, word, more);
    va_end(more);
    return result;
}

struct lab_result node_expect(struct lab *lab, int code, const char *word, ...)
{
    va_list more;
    va_start(more, word);
    struct lab_result result = run(lab, RUN_BOUND_S, word, more);
    va_end(more);
    cr_assert(eq(int, result.code, code), "%s: %s%s", word, result.out, result.err);
    return result;
}

char *node_guest(struct lab *lab, const char *script, int *code)
{
    const char *const argv[] = {getenv("TRIPHASE"), "-C", lab_folder(lab), "ssh", "node", "--", script, NULL};
    struct program program = {.argv = argv, .bound_ns = GUEST_BOUND_S * NS_PER_S};
    struct child_end end;
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_run(&program, &out, &said, &end, &err) == 0, "%s: %s", script, error_text(&err));
    if (code)
        *code = end.code;
    else
        cr_assert(eq(int, end.code, 0), "%s: %s", script, text_string(&said));
    return text_take(&out);
}

void node_expect_guest(struct lab *lab, const char *script, const char *says)
{
    AUTO_FREE char *said = node_guest(lab, script, NULL);
    cr_expect(eq(str, said, (char *)says), "%s", script);
}

struct boot {
    struct lab *lab;
    char *before;
};

static bool is_up_again(void *context)
{
    const struct boot *boot = context;
    int code;
    AUTO_FREE char *now = node_guest(boot->lab, "cat /proc/sys/kernel/random/boot_id", &code);
    return code == 0 && !text_is(now, boot->before);
}

void node_reboot(struct lab *lab)
{
    int code;
    AUTO_FREE char *before = node_guest(lab, "cat /proc/sys/kernel/random/boot_id", NULL);
    free(node_guest(lab, "systemctl reboot", &code));
    cr_assert(lab_until(REBOOT_BOUND_S, is_up_again, &(struct boot){lab, before}),
              "the guest did not come back");
    AUTO_FREE char *state = node_guest(lab, "systemctl is-system-running --wait", &code);
    cr_assert(eq(str, state, "running\n"));
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
