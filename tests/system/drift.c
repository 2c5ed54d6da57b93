/* `triphase drift`: what would change on a made host, found in check mode by a real Ansible, row by row; and
 * that it leaves no trace in what the target's runs are. */
#include "../lab/damage.h"
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static const char playbook[] =
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
    "    - name: put it there\n      ansible.builtin.copy: {content: x, dest: \"{{ playbook_dir "
    "}}/../made\", mode: "
    "'0600'}\n"
    "    - name: a program\n      ansible.builtin.command: 'true'\n      changed_when: false\n"
    "    - name: some of it\n      ansible.builtin.shell: 'true'\n      changed_when: false\n      loop: [1, "
    "2]\n"
    "      when: item == 1\n"
    "    - name: not wanted\n      ansible.builtin.command: 'true'\n      when: false\n"
    "    - name: not wanted, and hidden\n      ansible.builtin.command: 'true'\n      no_log: true\n      "
    "when: "
    "nothing is defined\n"
    "    - name: hidden\n      ansible.builtin.command: 'true'\n      changed_when: false\n      no_log: "
    "true\n"
    "      when: playbook_dir is defined\n"
    "    - name: none of it\n      ansible.builtin.command: 'true'\n      loop: []\n"
    "    - name: looks in check mode too\n      ansible.builtin.command: 'true'\n      changed_when: false\n"
    "      check_mode: false\n";

static struct json *drift(struct lab *lab, int code)
{
    struct lab_result result = lab_run(lab, "drift", "--json", NULL);
    cr_assert_eq(result.code, code, "%d: %s %s", result.code, result.out, result.err);
    struct json *json = json_parse(result.out, strlen(result.out), NULL);
    cr_assert(json, "%s", result.out);
    return json;
}

static void expect_row(const struct json *row, const char *task, const char *module)
{
    cr_expect_str_eq(json_get_string(row, "target", ""), "host");
    cr_expect_str_eq(json_get_string(row, "phase", ""), "work");
    cr_expect_str_eq(json_get_string(row, "host", ""), "host");
    cr_expect_str_eq(json_get_string(row, "task", ""), task);
    cr_expect_str_eq(json_get_string(row, "module", ""), module);
    cr_expect(strstr(json_get_string(row, "path", ""), "now.yml:"), "%s", json_get_string(row, "path", ""));
}

static void expect_no_trace(struct lab *lab)
{
    struct lab_result status = lab_run(lab, "status", "--json", NULL),
                      report = lab_run(lab, "report", "--json", NULL),
                      resume = lab_run(lab, "resume", "host", NULL);
    cr_expect(strstr(status.out, "\"kind\": \"create\"") && !strstr(status.out, "drift"), "%s", status.out);
    cr_expect(strstr(report.out, "\"kind\": \"create\""), "%s", report.out);
    cr_expect(resume.code == 0 && strstr(resume.err, "nothing to resume"), "%d %s", resume.code, resume.err);
    AUTO_FREE char *id = lab_sql(lab, "SELECT max(id) FROM run WHERE kind = 'drift'");
    struct lab_result own = lab_run(lab, "report", id, NULL), again = lab_run(lab, "resume", id, NULL);
    cr_expect(strstr(own.out, "dry run: 1 task would change"), "%s", own.out);
    cr_expect(again.code == 64 && strstr(again.err, "looked for drift alone"), "%d %s", again.code,
              again.err);
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM run WHERE kind = 'drift' AND NOT partial"), 0);
}

static void check(const char *ansible, bool whole)
{
    struct lab *lab =
        lab_phase_project(ansible, "verify:\n  - name: look\n    playbook: playbooks/work.yml\n");
    AUTO_FREE char *made = xasprintf("%s/made", lab_folder(lab)), *file = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml",
              "%s    protected: true\n  other:\n    provider: static\n    recipe: work\n"
              "    address: 127.0.0.1\n",
              file);
    lab_play(lab, playbook);
    AUTO_JSON *first = drift(lab, 1);
    const struct json *rows = json_get(first, "rows"), *unchecked = json_get(first, "unchecked");
    cr_expect(access(made, F_OK) < 0, "it was made");
    cr_assert_eq(json_count(rows), 1);
    expect_row(json_at(rows, 0), "put it there", "ansible.builtin.copy");
    AUTO_FREE char *told = json_compact(unchecked);
    cr_assert_eq(json_count(unchecked), 3, "%s", told);
    expect_row(json_at(unchecked, 0), "a program", "ansible.builtin.command");
    expect_row(json_at(unchecked, 1), "some of it", "ansible.builtin.shell");
    expect_row(json_at(unchecked, 2), "hidden", "ansible.builtin.command");
    cr_expect_eq(json_get_integer(json_at(json_get(first, "targets"), 0), "would_change", 0), 1);
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM step WHERE name = 'look' AND run > 1"), 0);
    if (!whole)
        return;
    expect_no_trace(lab);
    AUTO_JSON *second = drift(lab, 1);
    cr_expect_str_eq(json_get_string(json_at(json_get(second, "rows"), 0), "since", "now"),
                     json_get_string(json_at(rows, 0), "since", "then"));
    struct lab_result refused = lab_run(lab, "drift", "other", NULL);
    cr_expect(refused.code == 64 && strstr(refused.err, "nothing is made"), "%d %s", refused.code,
              refused.err);
    cr_expect_str_eq(refused.out, "not looked at to the end: other (not begun)\n");
    lab_write(lab, "made", "x");
    struct lab_result run = lab_run(lab, "run", "host", "work", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    struct lab_result none = lab_run(lab, "drift", "host", "host", "--jobs", "2", NULL);
    cr_expect(none.code == 0 && text_starts(none.out, "nothing would change\n"), "%d %s %s", none.code,
              none.out, none.err);
    cr_expect(strstr(none.out, "ansible.builtin.command") && !strstr(none.out, "not wanted"), "%s", none.out);
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM run WHERE kind = 'drift'"), 3);
}

Test(drift, finds_what_would_change_since_when_and_what_cannot_be_checked_and_changes_nothing, .timeout = 240)
{
    check(NULL, true);
}

Test(drift, finds_what_would_change_and_what_cannot_be_checked_on_the_oldest_ansible, .timeout = 240)
{
    check(lab_old_ansible(), false);
}

Test(drift, finds_what_would_change_and_what_cannot_be_checked_on_the_newest_ansible, .timeout = 240)
{
    check(lab_newest_ansible(), false);
}

Test(drift, of_nothing_that_is_made_there_is_none)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", "- hosts: recipe_work\n");
    AUTO_JSON *json = drift(lab, 0);
    cr_expect(json_count(json_get(json, "rows")) == 0 && json_is_array(json_get(json, "targets")));
}

#define RESULT(task, status)                                                                           \
    "say '\"kind\":\"result\",\"host\":\"host\",\"play\":\"p\",\"task\":\"" task "\",\"uuid\":\"" task \
    "\",\"path\":"                                                                                     \
    "\"x.yml:1\",\"action\":\"a\",\"status\":\"" status "\",\"duration_ns\":1000'\n"

Test(drift, looks_at_several_targets_at_once_and_tells_what_was_found_before_one_failed)
{
    struct lab *lab = damage_lab(
        "    attempts: 1\n",
        "play\ntask t1\nif [ -e $FOLDER/breaks ]; then\n" RESULT("drifted", "changed")
            RESULT("broken", "failed") "case \"$*\" in *--check*--diff*) ;; *) exit 9 ;; esac\n"
                                       "say '\"kind\":\"stats\",\"hosts\":{\"host\":{\"failures\":1}}'\n"
                                       "say '\"kind\":\"end\",\"count\":'$line\nexit 2\nfi\nfinish\n");
    AUTO_FREE char *file = lab_read(lab, "triphase.yml");
    const char *host = strstr(file, "  host:\n");
    cr_assert(host);
    lab_write(lab, "triphase.yml", "%s  other:\n%s", file, host + strlen("  host:\n"));
    struct lab_result made = lab_run(lab, "create", "--yes", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    lab_write(lab, "breaks", "x");
    struct lab_result result = lab_run(lab, "drift", "--jobs", "2", "--json", NULL),
                      text = lab_run(lab, "drift", "other", NULL);
    cr_assert_eq(result.code, 2, "%d %s", result.code, result.err);
    AUTO_FREE char *logs =
        lab_sql(lab, "SELECT '\ndifferences of other: the logs in .triphase/runs/' || max(id)"
                     " || char(10) FROM run WHERE kind = 'drift'");
    cr_expect(text.code == 2 && strstr(text.out, "x.yml:1") && strstr(text.out, logs), "%s", text.out);
    cr_expect(text_ends(text.out, "\nnot looked at to the end: other (failed)\n"), "%s", text.out);
    AUTO_JSON *json = json_parse(result.out, strlen(result.out), NULL);
    const struct json *targets = json_get(json, "targets"), *rows = json_get(json, "rows");
    cr_assert(json_count(targets) == 2 && json_count(rows) == 2, "%s", result.out);
    for (size_t i = 0; i < 2; i++) {
        cr_expect_str_eq(json_get_string(json_at(targets, i), "outcome", ""), "failed");
        cr_expect_str_eq(json_get_string(json_at(rows, i), "target", ""), i ? "other" : "host");
        cr_expect_str_eq(json_get_string(json_at(rows, i), "task", ""), "drifted");
    }
    AUTO_FREE char *last = lab_sql(lab, "SELECT count(*) FROM run WHERE kind = 'drift' AND exit_code = 2");
    cr_expect_str_eq(last, "3");
}
