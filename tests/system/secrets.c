/* A secret that a playbook puts into a task's name or message reaches no store, no event, no report and no terminal: on a static host, an sshd of the test's own. */
#include "../lab/lab.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECRET "Zug \"27\" f\xc3\xa4hrt\\ab"

static const char playbook[] =
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
    "    - name: \"With {{ db }} in it\"\n      ansible.builtin.debug: {msg: x}\n"
    "    - name: \"{{ 'y' * 1018 }}{{ db }}\"\n      ansible.builtin.debug: {msg: x}\n"
    "    - name: \"as {{ db | to_json }} {{ db | b64encode }} {{ db | quote }} {{ db | urlencode }}\"\n"
    "      ansible.builtin.debug: {msg: \"{{ {'a': db} | to_nice_yaml(width=12) }}\"}\n"
    "    - name: fails\n      ansible.builtin.fail:\n"
    "        msg: \"{{ 'z' * 1990 }}{{ db }} {{ db | to_json | to_json }}\"\n      ignore_errors: true\n"
    "    - name: fails at last\n      ansible.builtin.command: \"sh -c 'echo $X >&2; exit 3'\"\n"
    "      environment: {X: \"{{ db }}\"}\n      changed_when: false\n"
    "    - name: never\n      ansible.builtin.fail: {msg: \"{{ db | b64encode }} {{ db }}\"}\n";

/* As it is, and the parts that any quoting leaves alone. */
static void expect_none(const char *where, const char *text)
{
    static const char *const parts[] = {SECRET,        "Zug \\\"27", "Zug \\\\\\\"27", "f\xc3\xa4hrt",
                                        "f\\u00e4hrt", "f%C3%A4hrt", "WnVnICIyNyIgZ",  "Zug"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        cr_expect_null(strstr(text, parts[i]), "%s tells '%s': %.3000s", where, parts[i],
                       strstr(text, parts[i]));
}

Test(secrets, a_templated_name_or_message_tells_nothing_of_them_anywhere, .timeout = 120)
{
    struct lab *lab = lab_new();
    lab_environment(lab, "ZUG", SECRET);
    lab_static_project(lab, "    attempts: 1\n", playbook);
    AUTO_FREE char *file = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml", "%s    secrets:\n      db: {env: ZUG}\n", file);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 2, "%s", made.err);
    cr_assert(strstr(made.err, "[REDACTED secret db]"), "%s", made.err);
    expect_none("stderr", made.err);
    expect_none("stdout", made.out);

    static const char *const commands[][4] = {{"report", "--json"}, {"report", "--by", "task"}, {"events"}};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct lab_result told = lab_run(lab, commands[i][0], commands[i][1], commands[i][2], NULL);
        cr_expect_eq(told.code, 0, "%s", told.err);
        expect_none(commands[i][0], told.out);
    }
    AUTO_FREE char *rows = lab_sql(lab, "SELECT group_concat(text, ' ') FROM name"),
                   *messages = lab_sql(lab, "SELECT group_concat(message, ' ') FROM task"),
                   *ends = lab_sql(lab, "SELECT group_concat(message, ' ') FROM step");
    expect_none("the store's names", rows);
    expect_none("the store's messages", messages);
    expect_none("the store's steps", ends);
    AUTO_FREE char *events = lab_sql(lab, "SELECT max(events) FROM step"),
                   *run = lab_sql(lab, "SELECT max(id) FROM run"), *path = xasprintf(".triphase/%s", events),
                   *journal = xasprintf(".triphase/runs/%s/run.ndjson", run);
    AUTO_FREE char *lines = lab_read(lab, path), *told = lab_read(lab, journal);
    expect_none("the event file", lines);
    expect_none("run.ndjson", told);
    cr_expect(strstr(lines, "With [REDACTED secret db] in it"), "%s", lines);
}
