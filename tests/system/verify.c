/* Phases that only look (`verify`): when they run, and what becomes of one that changes something. And a run
 * that changes nothing (`--check` behind the dashes). */
#include "../lab/damage.h"
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

static const char lists[] = "    attempts: 1\nverify:\n  - name: look\n    playbook: playbooks/look.yml\n"
                            "  - name: last-look\n    playbook: playbooks/last.yml\n"
                            "teardown:\n  - name: goodbye\n    playbook: playbooks/last.yml\n";
/* What changes something does so in look alone, and only where that is asked for. */
static const char body[] = "play; task t1\n"
                           "case \"$*\" in *look.yml*) [ ! -e $FOLDER/changes ] || say "
                           "'\"kind\":\"result\",\"host\":\"host\",\"play\":\"p\",\"task\":\"touches\","
                           "\"uuid\":\"u\",\"path\":\"look.yml:7\","
                           "\"action\":\"a\",\"status\":\"changed\",\"duration_ns\":1000' ;; esac\nfinish\n";

static struct lab *new_lab(void)
{
    struct lab *lab = damage_lab(lists, body);
    lab_write(lab, "playbooks/look.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    lab_write(lab, "playbooks/last.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    return lab;
}

static void expect_phases(struct lab *lab, const struct lab_result *result, int code, const char *phases)
{
    AUTO_FREE char *ran =
        lab_sql(lab, "SELECT group_concat(name || ' ' || outcome, ', ') FROM (SELECT * FROM step "
                     "WHERE kind = 'phase' AND run = (SELECT max(number) FROM run) ORDER BY seq)");
    cr_assert_eq(result->code, code, "%s", result->err);
    cr_expect_str_eq(ran, phases);
}

Test(verify, runs_behind_all_phases_or_alone_and_never_in_a_destroy)
{
    struct lab *lab = new_lab();
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    expect_phases(lab, &result, 0, "work ok, look ok, last-look ok");
    result = lab_run(lab, "run", "host", NULL);
    expect_phases(lab, &result, 0, "work ok, look ok, last-look ok");
    cr_expect_eq(lab_last_run_number(lab, "partial"), 0);
    result = lab_run(lab, "run", "host", "work", NULL);
    expect_phases(lab, &result, 0, "work ok");
    result = lab_run(lab, "run", "host", "--verify", NULL);
    expect_phases(lab, &result, 0, "look ok, last-look ok");
    cr_expect_eq(lab_last_run_number(lab, "partial"), 1);
    result = lab_run(lab, "run", "host", "last-look", NULL);
    expect_phases(lab, &result, 0, "last-look ok");
    result = lab_run(lab, "run", "host", "--", "--tags", "some", NULL);
    expect_phases(lab, &result, 0, "work ok");
    result = lab_run(lab, "run", "host", "work", "--verify", NULL);
    cr_expect(result.code == 64 && strstr(result.err, "not both"), "%d %s", result.code, result.err);
    result = lab_run(lab, "destroy", "host", "--yes", NULL);
    expect_phases(lab, &result, 0, "goodbye ok");
}

Test(verify, what_changes_something_there_has_failed_by_name_and_resume_goes_on_at_it)
{
    struct lab *lab = new_lab();
    lab_write(lab, "changes", "x");
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    expect_phases(lab, &result, 2, "work ok, look failed");
    AUTO_FREE char *cause = lab_phase(lab, "cause"), *row = lab_phase(lab, "verdict"),
                   *message = lab_phase(lab, "message");
    cr_expect_str_eq(cause, "changed");
    cr_expect_str_eq(row, "changed");
    cr_expect(text_starts(message, "task 'touches' changed something on host at look.yml:7"), "%s", message);
    cr_expect(strstr(result.err, "'triphase resume host' goes on at look"), "%s", result.err);
    AUTO_FREE char *path = xasprintf("%s/changes", lab_folder(lab));
    cr_assert_eq(unlink(path), 0);
    result = lab_run(lab, "resume", "host", NULL);
    expect_phases(lab, &result, 0, "look ok, last-look ok");
    /* With a phase that does its work, the same change is none of its business. */
    lab_write(lab, "changes", "x");
    result = lab_run(lab, "run", "host", "--verify", NULL);
    expect_phases(lab, &result, 2, "look failed");
}

Test(verify, a_recipe_without_such_phases_says_so)
{
    struct lab *lab = damage_lab("    attempts: 1\n", body);
    struct lab_result result = lab_run(lab, "run", "host", "--verify", NULL);
    cr_expect(result.code == 64 && strstr(result.err, "the recipe 'work' has no phases that only look"),
              "%d %s", result.code, result.err);
}

Test(verify, a_run_that_checks_is_told_as_a_dry_run_with_how_much_would_change)
{
    struct lab *lab = lab_phase_project(NULL, "verify:\n  - name: look\n    playbook: playbooks/work.yml\n");
    AUTO_FREE char *made = xasprintf("%s/made", lab_folder(lab));
    lab_play(lab, "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                  "    - ansible.builtin.copy: {content: x, dest: \"{{ item }}\", mode: '0600'}\n"
                  "      loop: [\"{{ playbook_dir }}/../made\"]\n"
                  "    - ansible.builtin.file: {path: \"{{ playbook_dir }}/../other\", state: directory, "
                  "mode: '0700'}\n"
                  "    - ansible.builtin.debug: {msg: x}\n");
    struct lab_result result = lab_run(lab, "run", "host", "--", "--check", "--diff", NULL);
    expect_phases(lab, &result, 0, "work ok");
    cr_expect(access(made, F_OK) < 0, "it was made");
    cr_expect(strstr(result.err, "dry run: 2 tasks would change"), "%s", result.err);
    struct lab_result report = lab_run(lab, "report", "--json", NULL), table = lab_run(lab, "report", NULL),
                      last = lab_run(lab, "report", "--last", "2", NULL),
                      md = lab_run(lab, "report", "--format", "md", NULL);
    AUTO_JSON *json = json_parse(report.out, strlen(report.out), NULL);
    const struct json *run = json_get(json, "run");
    cr_expect(json_get_bool(run, "dry_run") && json_get_bool(run, "partial"), "%s", report.out);
    cr_expect_str_eq(json_get_string(run, "message", ""), "dry run: 2 tasks would change");
    cr_expect(strstr(table.out, "  dry run\n") && strstr(table.out, "\ndry run: 2 tasks would change\n"),
              "%s", table.out);
    cr_expect(strstr(md.out, "\ndry run: 2 tasks would change\n"), "%s", md.out);
    cr_expect(strstr(last.out, "dry run"), "%s", last.out);
    result = lab_run(lab, "run", "host", NULL);
    expect_phases(lab, &result, 0,
                  "work ok, look ok"); /* the same playbook looks, and finds all as it left it */
    cr_expect_eq(access(made, F_OK), 0);
}
