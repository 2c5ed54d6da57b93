/* What create, run, destroy, status and forget answer, and with which code. */
#include "base/memory.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#define GOOD "play; task t1; finish\n"

static struct lab *made_lab(const char *phase_keys)
{
    struct lab *lab = damage_lab(phase_keys, "echo $TRIPHASE_STEP >>$FOLDER/ran\n" GOOD);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    return lab;
}

static void hold(struct lab_result result, int code, const char *words)
{
    cr_expect(eq(int, result.code, code), "%s", result.err);
    cr_expect(strstr(result.err, words) || strstr(result.out, words), "no '%s' in: %s%s", words, result.err,
              result.out);
}

Test(commands, usage_that_is_wrong_is_64_and_says_how)
{
    struct lab *lab = damage_lab("", GOOD);
    static const char *const no_numbers[] = {"0", "65", "4x", " 4", "+4", "0x4", "", "4294967297"};
    for (size_t i = 0; i < COUNT_OF(no_numbers); i++) {
        hold(lab_run(lab, "create", "--jobs", no_numbers[i], NULL), 64,
             "--jobs takes a whole number from 1 to 64");
        hold(lab_run(lab, "report", "--last", i == 1 ? "100001" : no_numbers[i], NULL), 64,
             "--last takes a whole number from");
        hold(lab_run(lab, "cycle", "host", "-n", i == 1 ? "100001" : no_numbers[i], "--yes", NULL), 64,
             "-n takes a whole number from");
    }
    cr_assert(not(lab_exists(lab, ".triphase")), "something was begun");
    hold(lab_run(lab, "resume", "host", "more", NULL), 64, "one run or target");
    hold(lab_run(lab, "attach", "host", "more", NULL), 64, "one run or target");
    hold(lab_run(lab, "cancel", "host", "more", NULL), 64, "one run or target");
    hold(lab_run(lab, "run", NULL), 64, "run TARGET");
    hold(lab_run(lab, "run", "host", "nonsense", NULL), 64, "work");
    hold(lab_run(lab, "destroy", NULL), 64, "--all");
    hold(lab_run(lab, "destroy", "host", "--all", "--yes", NULL), 64, "--all");
    hold(lab_run(lab, "forget", NULL), 64, "one target");
    static const char *const not_compared[] = {"--quick",     "--full",   "--allow-changes",
                                               "--threshold", "--resume", "--transport=direct"};
    for (size_t i = 0; i < COUNT_OF(not_compared); i++)
        hold(lab_run(lab, "diagnose", "--compare", "last", "previous", not_compared[i], NULL), 64,
             "--compare takes two diagnoses and nothing else");
    hold(lab_run(lab, "creat", NULL), 64, "create");
    hold(lab_run(lab, "run", "host", NULL), 64, "triphase create host");
    cr_assert(not(lab_exists(lab, ".triphase/runs/0")));
}

Test(commands, a_target_that_nobody_knows_is_refused_everywhere)
{
    struct lab *lab = made_lab("");
    hold(lab_run(lab, "create", "hots", NULL), 64, "host");
    hold(lab_run(lab, "run", "hots", NULL), 64, "host");
    hold(lab_run(lab, "destroy", "hots", "--yes", NULL), 64, "host");
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 1));
}

Test(commands, a_project_without_a_run_has_absent_targets)
{
    struct lab *lab = damage_lab("", GOOD);
    hold(lab_run(lab, "status", NULL), 0, "absent");
    hold(lab_run(lab, "status", "--json", NULL), 0, "\"absent\"");
    hold(lab_run(lab, "destroy", "--all", "--yes", NULL), 0, "nothing is there");
    hold(lab_run(lab, "-C", "/", "status", NULL), 78, "triphase init");
    cr_assert(not(lab_exists(lab, ".triphase/store.db")), "looking made a store");
}

Test(commands, what_asks_for_runs_says_that_there_is_none_yet_with_64)
{
    struct lab *lab = damage_lab("", GOOD);
    AUTO_FREE char *copy = xasprintf("%s/copy.db", lab_folder(lab));
    const char *const words[][3] = {{"store", "check"}, {"store", "prune"}, {"store", "export", copy},
                                    {"report"},         {"events"},         {"bundle"},
                                    {"attach"}};
    for (int emptied = 0; emptied < 2; emptied++) {
        for (size_t i = 0; i < COUNT_OF(words); i++)
            hold(lab_run(lab, words[i][0], words[i][1], words[i][2], NULL), 64, "no run yet");
        lab_write(lab, ".triphase/store.db", "%s", "");
    }
    cr_expect(not(lab_exists(lab, "copy.db")));
    hold(lab_run(lab, "status", NULL), 0, "absent");
}

Test(commands, destroy_of_a_static_host_runs_the_teardown_and_closes_its_row)
{
    struct lab *lab = made_lab("teardown:\n  - name: bye\n    playbook: playbooks/work.yml\n");
    hold(lab_run(lab, "status", NULL), 0, "idle");
    hold(lab_run(lab, "destroy", "host", NULL), 64, "--yes");
    hold(lab_run(lab, "destroy", "host", "--yes", NULL), 0, "bye");
    cr_assert(eq(int, damage_lines(lab, "ran", ""), 2), "the teardown did not run");
    hold(lab_run(lab, "status", NULL), 0, "absent");
    cr_assert(eq(
        i64, lab_sql_number(lab, "SELECT count(*) FROM machine WHERE removed_ns IS NULL OR removed_ns = 0"),
        0));
    hold(lab_run(lab, "destroy", "host", "--yes", NULL), 0, "nothing is there");
}

Test(commands, destroy_asks_on_a_terminal)
{
    struct lab *lab = made_lab("");
    int code;
    AUTO_FREE char *refused = damage_terminal(lab, 80, "n\n", &code, "destroy", "host", NULL);
    cr_assert(eq(int, code, 130), "%s", refused);
    cr_assert(strstr(refused, "Destroy host?") != NULL, "%s", refused);
    hold(lab_run(lab, "status", NULL), 0, "idle");
    AUTO_FREE char *agreed = damage_terminal(lab, 80, "y\n", &code, "destroy", "host", NULL);
    cr_assert(eq(int, code, 0), "%s", agreed);
    hold(lab_run(lab, "status", NULL), 0, "absent");
}

Test(commands, forget_drops_what_is_known_and_keeps_the_history)
{
    struct lab *lab = made_lab("");
    hold(lab_run(lab, "forget", "host", NULL), 64, "--yes");
    AUTO_FREE char *before = lab_read(lab, "triphase.yml");
    hold(lab_run(lab, "forget", "../../triphase.yml", "--yes", NULL), 64, "is no name");
    AUTO_FREE char *after = lab_read(lab, "triphase.yml");
    cr_assert(eq(str, before, after));
    hold(lab_run(lab, "forget", "host", "--yes", NULL), 0, "");
    hold(lab_run(lab, "status", NULL), 0, "absent");
    hold(lab_run(lab, "report", NULL), 0, "work");
    AUTO_FREE char *machine = lab_sql(lab, "SELECT id FROM machine");
    AUTO_FREE char *folder = xasprintf(".triphase/machines/%s", machine);
    cr_assert(not(lab_exists(lab, folder)));
    hold(lab_run(lab, "create", "host", NULL), 0, "work");
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM machine"), 2));
}

Test(commands, a_partial_run_is_marked_and_its_phases_alone_run)
{
    struct lab *lab =
        damage_lab("  - name: more\n    playbook: playbooks/work.yml\n", "echo run >>$FOLDER/ran\n" GOOD);
    hold(lab_run(lab, "create", "host", NULL), 0, "more");
    cr_assert(eq(int, damage_lines(lab, "ran", "run"), 2));
    hold(lab_run(lab, "run", "host", "more", NULL), 0, "more");
    cr_assert(eq(int, damage_lines(lab, "ran", "run"), 3));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT partial FROM run ORDER BY started_ns DESC LIMIT 1"), 1));
}

Test(commands, what_shows_a_run_takes_it_by_its_id_or_by_its_target)
{
    struct lab *lab = made_lab("");
    AUTO_FREE char *id = lab_sql(lab, "SELECT id FROM run");
    AUTO_FREE char *file = xasprintf("%s/x.tar.gz", lab_folder(lab));
    hold(lab_run(lab, "report", id, NULL), 0, id + strlen(id) - 8);
    hold(lab_run(lab, "report", "host", NULL), 0, id + strlen(id) - 8);
    hold(lab_run(lab, "report", "nobody", NULL), 64, "neither a target that was ever made nor a run");
    hold(lab_run(lab, "events", "host", NULL), 0, "");
    hold(lab_run(lab, "events", "nobody", NULL), 64, "neither a target that was ever made nor a run");
    hold(lab_run(lab, "bundle", "host", "--no-host", "-o", file, NULL), 0, "");
    hold(lab_run(lab, "bundle", "nobody", NULL), 64, "neither a target that was ever made nor a run");
}

Test(commands, every_one_that_takes_a_target_refuses_an_unknown_one_and_says_what_may_be_meant)
{
    struct lab *lab = made_lab("");
    static const char *const words[][6] = {
        {"create", "hots"},
        {"run", "hots"},
        {"resume", "hots"},
        {"destroy", "hots", "--yes"},
        {"cycle", "hots", "-n", "1", "--yes"},
        {"cancel", "hots"},
        {"attach", "hots"},
        {"status", "hots"},
        {"ssh", "hots"},
        {"forget", "hots", "--yes"},
        {"inventory", "hots"},
        {"plan", "hots"},
        {"config", "hots"},
        {"report", "hots"},
        {"report", "hots", "--last", "5"},
        {"report", "--target", "hots"},
        {"report", "--target", "hots", "--last", "5"},
        {"report", "--regress", "--target", "hots"},
        {"events", "hots"},
        {"events", "--target", "hots"},
        {"bundle", "hots"},
        {"bundle", "--target", "hots"},
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        const char *const *w = words[i];
        struct lab_result refused = lab_run(lab, w[0], w[1], w[2], w[3], w[4], w[5], NULL);
        cr_expect(eq(int, refused.code, 64), "%s %s: %s", w[0], w[1], refused.err);
        cr_expect(strstr(refused.err, "did you mean 'host'?") != NULL, "%s %s: %s", w[0], w[1], refused.err);
    }
}

Test(commands, words_do_what_they_look_like)
{
    struct lab *lab = made_lab("");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml",
              "%s  other:\n    provider: static\n    recipe: work\n    address: 127.0.0.1\n", project);
    hold(lab_run(lab, "run", "host", "other", NULL), 64, "'triphase create host other'");
    hold(lab_run(lab, "run", "host", "wrok", NULL), 64, "did you mean 'work'?");
    hold(lab_run(lab, "report", "host", "--last", "20", NULL), 0, "median");
    AUTO_FREE char *id = lab_sql(lab, "SELECT id FROM run");
    hold(lab_run(lab, "report", id, "--last", "2", NULL), 64, "is one run");
    struct lab_result plain = lab_run(lab, "ssh", "host", "echo", "said-there", NULL),
                      behind = lab_run(lab, "ssh", "host", "--", "echo", "said-there", NULL);
    cr_expect(eq(int, plain.code, 0), "%s", plain.err);
    cr_expect(eq(str, plain.out, "said-there\n"));
    cr_expect(eq(str, behind.out, "said-there\n"));
    hold(lab_run(lab, "ssh", "host", "-v", NULL), 64, "triphase ssh TARGET");
}

Test(commands, check_idempotent_finds_a_changed_task)
{
    struct lab *lab = lab_new();
    lab_static_project(
        lab, "",
        "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: 'true'\n");
    hold(lab_run(lab, "create", "host", NULL), 0, "changed=1");
    hold(lab_run(lab, "run", "host", "--check-idempotent", NULL), 1, "changed=1");
}

Test(commands, several_targets_are_refused_together_before_any_is_made)
{
    struct lab *lab = damage_lab("", GOOD);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml",
              "%s  other:\n    provider: static\n    recipe: gone\n    address: 127.0.0.1\n", project);
    struct lab_result refused = lab_run(lab, "create", NULL);
    cr_assert(eq(int, refused.code, 78), "%s", refused.err);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 0));
}
