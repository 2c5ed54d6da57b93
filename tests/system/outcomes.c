/* Every row of the outcome table with a real playbook, on the oldest Ansible (2.14), the pinned
 * one and the newest (2.21). */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* The second host of gone.yml counts as the target does. */
#define COUNTS "    beyond: allow\n"

struct row {
    const char *name;            /* of its playbook in tests/cases/outcomes */
    const char *outcome, *cause; /* cause "": any, "-": none */
    int code;
    const char *counts;  /* ok changed failed skipped unreachable ignored rescued; NULL: whatever */
    const char *message; /* is in it; NULL: whatever */
    const char *ledger;  /* "host cause ignored" of the first entry; NULL: it must be empty */
};

static const struct row rows[] = {
    {"ok", "ok", "-", 0, "1 1 0 0 0 0 0", NULL, NULL},
    {"all-skipped", "ok", "-", 0, "0 0 0 1 0 0 0", NULL, NULL},
    {"failed", "failed", "-", 2, "0 0 1 0 0 0 0", "task 'breaks' failed on host", NULL},
    {"failed-under-no-log", "failed", "-", 2, "0 0 1 0 0 0 0", "censored", NULL},
    {"rescued", "ok", "-", 0, "1 0 0 0 0 0 1", NULL, NULL},
    {"rescue-that-fails", "failed", "-", 2, "0 0 1 0 0 0 1", NULL, NULL},
    {"always-that-fails-after-a-rescue", "failed", "-", 2, "1 0 1 0 0 0 1", NULL, NULL},
    {"ignored", "ok", "-", 0, "0 0 0 0 0 1 0", NULL, NULL},
    {"ignored-by-a-template-that-says-no", "failed", "-", 2, "0 0 1 0 0 0 0", NULL, NULL},
    {"no-host-matched", "invalid", "no-hosts", 78, NULL, "no host matched", NULL},
    {"one-play-without-hosts", "ok", "-", 0, "1 0 0 0 0 0 0", NULL, NULL},
    {"yaml-that-cannot-be-parsed", "invalid", "not-started", 78, NULL, "exited with 4", NULL},
    {"unknown-module", "invalid", "not-started", 78, NULL, "no.such.module", NULL},
    {"aborted-after-a-play-began", "failed", "aborted", 2, NULL, "nowhere", NULL},
    {"unreachable", "unreachable", "-", 4, NULL, "gone was UNREACHABLE in task 'knock'", "gone refused 0"},
    {"unreachable-and-not-rescued", "unreachable", "-", 4, NULL, NULL, "gone refused 0"},
    {"unreachable-and-failed-unreachable-counts-first", "unreachable", "-", 4, NULL, NULL, "gone refused 0"},
    {"ignore-unreachable", "ok", "-", 0, NULL, NULL, "gone refused 1"},
    {"ignore-unreachable-of-a-whole-play", "ok", "-", 0, NULL, NULL, "gone refused 1"},
    {"ignore-unreachable-by-a-template-that-says-no", "unreachable", "-", 4, NULL, NULL, "gone refused 0"},
    {"cleared-and-it-took-part-again", "ok", "-", 0, NULL, NULL, "gone refused 0"},
    {"cleared-and-it-took-no-further-part", "unreachable", "-", 4, NULL, NULL, "gone refused 0"},
    {"the-hosts-own-connection-is-cut", "unreachable", "-", 4, NULL, "host was UNREACHABLE in task 'cut'",
     "host reset 0"},
    {"killed-by-a-signal", "child-crashed", "signal", 2, NULL, "signal 9", NULL},
    {"interrupted-a-code-but-no-end", "child-crashed", "no-end", 2, NULL, "99", NULL},
    {"a-handler-fails", "failed", "-", 2, "0 1 1 0 0 0 0", "'restart it' failed", NULL},
    {"a-role-that-is-not-there", "invalid", "not-started", 78, NULL, "absent", NULL},
    {"an-undefined-variable", "failed", "-", 2, "0 0 1 0 0 0 0", "nowhere", NULL},
};

static void check_ledger(struct lab *lab, const struct row *row)
{
    AUTO_FREE char *entry = lab_sql(lab, "SELECT host || ' ' || cause || ' ' || ignored FROM unreachable "
                                         "WHERE run = (SELECT id FROM run ORDER BY "
                                         "number DESC LIMIT 1) LIMIT 1");
    AUTO_FREE char *message = lab_sql(
        lab,
        "SELECT cause_source || ': ' || message FROM unreachable WHERE run = (SELECT id FROM run ORDER BY "
        "number DESC LIMIT 1) LIMIT 1");
    cr_expect_str_eq(entry, row->ledger ? row->ledger : "",
                     "%s: the ledger says '%s', and should say '%s' (%s)", row->name, entry,
                     row->ledger ? row->ledger : "", message);
}

/* What fitted where the phase ended so. */
static const char *verdict_of(const struct row *row)
{
    static const struct {
        const char *outcome, *cause, *verdict;
    } all[] = {{"ok", "-", "ok"},
               {"failed", "-", "failed-tasks"},
               {"failed", "aborted", "aborted"},
               {"unreachable", "-", "lost-hosts"},
               {"invalid", "no-hosts", "no-hosts"},
               {"invalid", "not-started", "no-play"},
               {"child-crashed", "signal", "signalled"},
               {"child-crashed", "no-end", "no-end"}};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (text_is(row->outcome, all[i].outcome) && text_is(row->cause, all[i].cause))
            return all[i].verdict;
    return "(one that this test does not know)";
}

static void check_row(struct lab *lab, const struct row *row)
{
    lab_play_case(lab, "outcomes", row->name);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, row->name, row->outcome, row->cause, row->code);
    cr_expect((strstr(result.err, "  'triphase resume host' goes on at ") != NULL) ==
                  (row->code != 0 && row->code != 78),
              "%s: whether it can be gone on with is not what is said: %s", row->name, result.err);
    AUTO_FREE char *counts = lab_phase(lab, "ok || ' ' || changed || ' ' || failed || ' ' || skipped || ' ' "
                                            "|| unreachable || ' ' || ignored || ' ' || rescued");
    AUTO_FREE char *message = lab_phase(lab, "message");
    AUTO_FREE char *of_run = lab_last_run(lab, "outcome || ' ' || exit_code");
    AUTO_FREE char *should_be = xasprintf("%s %d", row->outcome, row->code);
    cr_expect(!row->counts || text_is(counts, row->counts), "%s: counts are %s, and should be %s", row->name,
              counts, row->counts);
    cr_expect(!row->message || strstr(message, row->message), "%s: the message is '%s', without '%s'",
              row->name, message, row->message);
    cr_expect_str_eq(of_run, should_be, "%s: the run's row says '%s'", row->name, of_run);
    cr_expect(!strstr(message, "geheim"), "%s: the message tells what no_log hides", row->name);
    check_ledger(lab, row);
    lab_expect_rows(lab, row->name, NULL, verdict_of(row), text_is(row->outcome, "ok") ? "ok" : "step");
    lab_expect_nothing_left(lab, row->name);
    free(result.out);
    free(result.err);
}

static void check_rows(const char *ansible, size_t part)
{
    struct lab *lab = lab_phase_project(ansible, COUNTS);
    for (size_t i = part; i < COUNT_OF(rows); i += 2)
        check_row(lab, &rows[i]);
}

Test(outcomes, every_row_of_the_table_by_a_real_playbook_on_the_pinned_ansible_one, .timeout = 240)
{
    check_rows(NULL, 0);
}

Test(outcomes, every_row_of_the_table_by_a_real_playbook_on_the_pinned_ansible_two, .timeout = 240)
{
    check_rows(NULL, 1);
}

Test(outcomes, every_row_of_the_table_by_a_real_playbook_on_the_oldest_ansible_one, .timeout = 240)
{
    check_rows(lab_old_ansible(), 0);
}

Test(outcomes, every_row_of_the_table_by_a_real_playbook_on_the_oldest_ansible_two, .timeout = 240)
{
    check_rows(lab_old_ansible(), 1);
}

Test(outcomes, every_row_of_the_table_by_a_real_playbook_on_the_newest_ansible_one, .timeout = 240)
{
    check_rows(lab_newest_ansible(), 0);
}

Test(outcomes, every_row_of_the_table_by_a_real_playbook_on_the_newest_ansible_two, .timeout = 240)
{
    check_rows(lab_newest_ansible(), 1);
}

/* What matters most once more where no cgroup is to be had. */
Test(outcomes, without_a_cgroup_a_real_playbook_is_judged_as_with_one_and_nothing_is_left, .timeout = 240)
{
    static const char *const names[] = {"ok", "failed", "unreachable", "the-hosts-own-connection-is-cut",
                                        "killed-by-a-signal"};
    struct lab *lab = lab_phase_project(NULL, COUNTS);
    lab_environment(lab, "TRIPHASE_NO_CGROUP", "1");
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t n = 0; n < COUNT_OF(names); n++)
            if (text_is(rows[i].name, names[n]))
                check_row(lab, &rows[i]);
    AUTO_FREE char *kinds = lab_sql(lab, "SELECT count(*) FROM step WHERE scope = 'session'");
    cr_expect_str_eq(kinds, "13", "%s steps without a cgroup", kinds);
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_expect(status.code == 0 && !strstr(status.out, ", crashed"), "%s", status.out);
}

/* What a block imports stands in it in the import's place. */
static void check_rescued_imports(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "");
    lab_write(lab, "cases/breaks.yml", "- ansible.builtin.command: 'false'\n");
    lab_write(lab, "cases/roles/breaks/tasks/main.yml", "- ansible.builtin.import_tasks: more.yml\n");
    lab_write(lab, "cases/roles/breaks/tasks/more.yml", "- ansible.builtin.command: 'false'\n");
    lab_play(lab, "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                  "    - block: [{ansible.builtin.import_tasks: breaks.yml}]\n"
                  "      rescue: [{ansible.builtin.import_tasks: breaks.yml, ignore_errors: true}]\n"
                  "    - block: [{block: [{ansible.builtin.import_role: {name: breaks}}]}]\n"
                  "      rescue: [{ansible.builtin.debug: {msg: goes on}}]\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "failures of imports", "ok", "-", 0);
    AUTO_FREE char *flags = lab_sql(lab, "SELECT group_concat(flags) FROM (SELECT flags FROM task WHERE "
                                         "status = 3 ORDER BY seq)");
    cr_expect_str_eq(flags, "2,1,2", "1: ignored, 2: rescued");
}

Test(outcomes, a_failure_of_what_a_block_imports_is_told_as_rescued)
{
    check_rescued_imports(NULL);
}

Test(outcomes, a_failure_of_what_a_block_imports_is_told_as_rescued_on_the_oldest_ansible)
{
    check_rescued_imports(lab_old_ansible());
}

Test(outcomes, a_failure_of_what_a_block_imports_is_told_as_rescued_on_the_newest_ansible)
{
    check_rescued_imports(lab_newest_ansible());
}
