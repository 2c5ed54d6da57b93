/* Going on where a run broke off: what is completed is skipped and said, what it used must be as it was, and
 * the rest of the chain's promises hold. */
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Notes each phase with its arguments and async directory, then does what the file of
 * its name below `do` says. */
#define AS_TOLD                                                                                         \
    "for word in \"$@\"; do case $word in *playbooks/*.yml) phase=${word##*/}; phase=${phase%.yml};; "  \
    "*/inventory.*.yml) grep -h ansible_async_dir \"$word\" 2>/dev/null >>$FOLDER/async;; esac; done\n" \
    "printf '%s ' $phase >>$FOLDER/ran; echo \"$*\" >>$FOLDER/args\n"                                   \
    ". $FOLDER/do/$phase\n"
#define GOOD  "play; task t1; finish\n"
#define FAILS "play; task t1; exit 2\n"
#define WAITS \
    "play; task t1; touch $FOLDER/there; until [ -e $FOLDER/go ]; do sleep 0.02; done; task t2; finish\n"
#define PLAY        "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n"
#define PHASE(name) "  - name: " name "\n    playbook: playbooks/" name ".yml\n    attempts: 1\n"

/* Phases one, two and three; `two` does as told. */
static struct lab *three_phases(const char *two)
{
    struct lab *lab = damage_lab("", AS_TOLD);
    static const char *const names[] = {"one", "two", "three", "bye", "four"};
    lab_write(lab, "phases/work.yml",
              "phases:\n" PHASE("one") PHASE("two") PHASE("three") "teardown:\n" PHASE("bye"));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *playbook = xasprintf("playbooks/%s.yml", names[i]),
                       *told = xasprintf("do/%s", names[i]);
        lab_write(lab, playbook, PLAY);
        lab_write(lab, told, "%s", text_is(names[i], "two") ? two : GOOD);
    }
    return lab;
}

static void hold_ran(struct lab *lab, const char *phases)
{
    AUTO_FREE char *ran = lab_read(lab, "ran");
    cr_assert(eq(str, ran, (char *)(uintptr_t)phases));
}

static struct lab_result hold_resume(struct lab *lab, int code, const char *said, const char *word)
{
    struct lab_result result = lab_run(lab, "resume", word, NULL);
    cr_assert(eq(int, result.code, code), "%s", result.err);
    cr_assert(strstr(result.err, said) != NULL, "'%s' is not in: %s", said, result.err);
    return result;
}

/* The last line of what a command said, or none that names `resume`. */
static void hold_offer(const char *said, const char *line)
{
    AUTO_FREE char *offer = line ? xasprintf("\n  'triphase resume host%s\n", line) : NULL;
    const char *at = strstr(said, offer ? offer : "'triphase resume");
    cr_assert(offer ? at && strspn(at + strlen(offer), "\n") == strlen(at + strlen(offer)) : !at,
              "'%s' does not end: %s", line ? line : "(no offer)", said);
}

static struct lab *broken_at_two(void)
{
    struct lab *lab = three_phases(FAILS);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    lab_write(lab, "do/two", GOOD);
    return lab;
}

Test(resume, goes_on_at_the_phase_that_failed_with_its_edited_playbook)
{
    struct lab *lab = three_phases(FAILS);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    hold_offer(made.err, "' goes on at two");
    lab_write(lab, "do/two", GOOD);
    lab_write(lab, "playbooks/two.yml", "- hosts: recipe_work\n  gather_facts: true\n  tasks: []\n");
    struct lab_result result = hold_resume(lab, 0, "one is skipped: it is completed", NULL);
    cr_assert(strstr(result.err, "ended as failed at two") != NULL, "%s", result.err);
    hold_offer(result.err, NULL);
    hold_ran(lab, "one two two three ");
    AUTO_FREE char *row =
        lab_sql(lab, "SELECT new.kind || ' ' || new.outcome || ' ' || new.partial || ' ' ||"
                     " (new.parent_id = old.id) || ' ' || (new.machine_id = old.machine_id) || ' ' ||"
                     " new.fresh FROM run AS new, run AS old WHERE new.number = 2 AND old.number = 1");
    cr_assert(eq(str, row, "resume ok 0 1 1 0"));
}

Test(resume, a_run_that_ended_well_has_nothing_to_go_on_with)
{
    struct lab *lab = three_phases(GOOD);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    hold_resume(lab, 0, "nothing to resume", NULL);
    hold_resume(lab, 0, "nothing to resume", "host");
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 1));
}

static void hold_refused(struct lab *lab, const char *why)
{
    hold_resume(lab, 78, why, "host");
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 1));
    hold_ran(lab, "one two ");
}

Test(resume, an_edited_file_of_a_completed_phase_is_named_and_replan_goes_on)
{
    struct lab *lab = broken_at_two();
    lab_write(lab, "playbooks/one.yml", "%s# another\n", PLAY);
    hold_refused(lab, "playbooks/one.yml changed (used by the phase one");
    struct lab_result result = lab_run(lab, "resume", "host", "--replan", NULL);
    cr_assert(eq(int, result.code, 0), "%s", result.err);
    cr_assert(strstr(result.err, "warning: playbooks/one.yml changed") != NULL, "%s", result.err);
    hold_ran(lab, "one two two three ");
}

Test(resume, a_file_of_a_completed_phase_is_named_whichever_way_its_playbook_names_it)
{
    static const struct {
        const char *task, *path;
        bool open; /* a template decides whether it is meant */
    } named[] = {
        {"ansible.builtin.copy: {src: \"{{ playbook_dir }}/cfg/app.conf\", dest: /tmp/o}",
         "playbooks/cfg/app.conf", false},
        {"ansible.builtin.copy: {src: \"{{ playbook_dir }}/../other/o.txt\", dest: /tmp/o}", "other/o.txt",
         false},
        {"ansible.builtin.copy: {src: \"{{ base }}/other3/q.txt\", dest: /tmp/o}", "other3/q.txt", false},
        {"ansible.builtin.debug: {msg: \"{{ lookup('file', '../other2/p.txt') }}\"}", "other2/p.txt", false},
        {"ansible.builtin.debug: {msg: \"{{ lookup('file', playbook_dir ~ '/../other4/o.txt') }}\"}",
         "other4/o.txt", false},
        {"ansible.builtin.copy: {src: \"{{ nobody_knows }}/p.bin\", dest: /tmp/o}", "other5/p.bin", true},
    };
    struct lab *lab = three_phases(FAILS);
    AUTO_TEXT playbook = TEXT_INIT;
    text_add(&playbook,
             "- hosts: recipe_work\n  gather_facts: false\n  vars: {base: \"{{ playbook_dir }}/..\"}\n"
             "  tasks:\n");
    for (size_t i = 0; i < COUNT_OF(named); i++) {
        text_addf(&playbook, "    - %s\n", named[i].task);
        lab_write(lab, named[i].path, "1\n");
    }
    lab_write(lab, "playbooks/one.yml", "%s", text_string(&playbook));
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    lab_write(lab, "do/two", GOOD);
    for (size_t i = 0; i < COUNT_OF(named); i++) {
        AUTO_FREE char *line =
            xasprintf("%s changed (%sused by the phase one", named[i].path, named[i].open ? "may be " : "");
        lab_write(lab, named[i].path, "2\n");
        hold_refused(lab, line);
        lab_write(lab, named[i].path, "1\n");
    }
    hold_resume(lab, 0, "one is skipped: it is completed, and what it used is unchanged", NULL);
}

Test(resume, where_a_file_that_a_template_may_have_meant_changed_meanwhile_unchanged_is_not_said)
{
    struct lab *lab = three_phases(FAILS);
    lab_write(lab, "playbooks/one.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
              "    - ansible.builtin.copy: {src: \"{{ nobody_knows }}.txt\", dest: /tmp/o}\n");
    lab_write(lab, "out/note.txt", "1\n");
    lab_write(lab, "do/one", "play; echo 2 >out/note.txt; task t1; finish\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    lab_write(lab, "do/two", GOOD);
    struct lab_result result = hold_resume(lab, 0, "cannot be told for all of it: out/note.txt", NULL);
    cr_assert(strstr(result.err, "what it used is unchanged\n") == NULL, "%s", result.err);
}

Test(resume, a_cancelled_run_is_said_to_have_ended_at_the_phase_that_was_cut_off)
{
    struct lab *lab = three_phases(WAITS);
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"));
    struct lab_result cancelled = lab_run(lab, "cancel", "host", NULL);
    cr_assert(eq(int, cancelled.code, 0), "%s", cancelled.err);
    lab_wait(lab, command, 60);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM step WHERE name = 'sweep'"), 1));
    lab_write(lab, "do/two", GOOD);
    hold_resume(lab, 0, "ended as cancelled at two", NULL);
}

Test(resume, a_file_that_changed_while_its_phase_ran_counts_as_changed)
{
    struct lab *lab = three_phases(FAILS);
    lab_write(lab, "do/one", "play; echo '# edited meanwhile' >>playbooks/one.yml; task t1; finish\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    hold_resume(lab, 78, "playbooks/one.yml: changed while the phase ran", NULL);
}

Test(resume, new_files_beside_the_playbook_and_its_inventory_count)
{
    struct lab *lab = broken_at_two();
    lab_write(lab, "playbooks/group_vars/all.yml", "x: 1\n");
    lab_write(lab, "ansible.cfg", "[defaults]\nforks = 3\n");
    hold_refused(lab, "playbooks/group_vars/all.yml is new (may be used by the phase one");
    hold_refused(lab, "ansible.cfg is new");
}

Test(resume, another_order_other_transports_and_another_target_are_refused_by_name)
{
    struct lab *lab = broken_at_two();
    AUTO_FREE char *recipe = lab_read(lab, "phases/work.yml"), *project = lab_read(lab, "triphase.yml");
    lab_write(lab, "phases/work.yml", "phases:\n" PHASE("two") PHASE("one") PHASE("three"));
    hold_refused(lab, "the order of the phases changed: it was one, two, three, it is two, one, three");
    lab_write(lab, "phases/work.yml", "phases:\n" PHASE("four") PHASE("one") PHASE("two") PHASE("three"));
    hold_refused(lab, "the phase four is new and stands before one");
    lab_write(lab, "phases/work.yml", "phases:\n" PHASE("two") PHASE("three"));
    hold_refused(lab, "the phase one, which is completed, is no longer in the recipe");
    lab_write(lab, "phases/work.yml",
              "phases:\n" PHASE("one") "    vars: {x: 1}\n" PHASE("two") PHASE("three"));
    hold_refused(lab, "vars of the phase one, which is completed, changed");
    lab_write(lab, "phases/work.yml", "%s", recipe);
    lab_write(lab, "triphase.yml", "%s    transport: [direct, tailnet]\n", project);
    hold_refused(lab, "the target's transports changed: they were 'direct', they are 'direct, tailnet'");
    lab_write(lab, "triphase.yml", "%s    vars: {x: 1}\n    groups: [more]\n", project);
    hold_refused(lab, "the target's vars changed");
    hold_refused(lab, "the target's groups changed: it was '', it is 'more'");
    lab_write(lab, "triphase.yml", "%s", project);
    hold_resume(lab, 0, "one is skipped", NULL);
}

Test(resume, edits_of_the_failed_phase_and_of_later_ones_are_taken)
{
    struct lab *lab = broken_at_two();
    lab_write(lab, "playbooks/three.yml", "%s# another\n", PLAY);
    lab_write(lab, "phases/work.yml",
              "phases:\n" PHASE("one") "    deadline: 10m\n" PHASE("two") "    vars: {x: 1}\n" PHASE("three")
                  PHASE("four"));
    hold_resume(lab, 0, "one is skipped", NULL);
    hold_ran(lab, "one two two three four ");
}

Test(resume, after_worker_and_guard_were_killed_it_goes_on_at_the_phase_that_ran)
{
    struct lab *lab = three_phases("play; touch $FOLDER/there; setsid sleep 1000 & wait\n");
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"));
    AUTO_FREE char *run = damage_run(lab);
    damage_kill_both(lab);
    cr_assert(eq(int, lab_wait(lab, command, 5), 70));
    cr_assert(gt(int, damage_processes(lab, run), 0));
    lab_write(lab, "do/two", "%s", GOOD);
    struct lab_result result = hold_resume(lab, 0, "ended as crashed at two", NULL);
    cr_assert(strstr(result.err, "one is skipped") != NULL, "%s", result.err);
    cr_assert(eq(int, damage_processes(lab, run), 0), "what the dead run left is still there");
    hold_ran(lab, "one two two three ");
    AUTO_FREE char *row = lab_sql(lab, "SELECT old.outcome || ' ' || old.fresh || ' ' || new.fresh || ' ' ||"
                                       " (old.machine_id = new.machine_id) FROM run AS old, run AS new"
                                       " WHERE old.number = 1 AND new.number = 2");
    cr_assert(eq(str, row, "crashed 0 0 1"));
}

Test(resume, the_whole_chain_uses_the_async_directory_of_its_first_run_and_is_told)
{
    struct lab *lab = broken_at_two();
    lab_write(lab, "do/two", FAILS);
    hold_resume(lab, 2, "ended as failed at two", NULL);
    lab_write(lab, "do/two", GOOD);
    struct lab_result result = hold_resume(lab, 0, "one is skipped", NULL);
    hold_ran(lab, "one two two two three ");
    AUTO_FREE char *first = lab_sql(lab, "SELECT id FROM run WHERE number = 1"),
                   *second = lab_sql(lab, "SELECT id FROM run WHERE number = 2");
    cr_assert(eq(int, damage_lines(lab, "async", first), 5), "%s", result.err);
    AUTO_FREE char *parent = lab_sql(lab, "SELECT parent_id FROM run WHERE number = 3");
    cr_assert(eq(str, parent, second));
    struct lab_result table = lab_run(lab, "report", NULL), json = lab_run(lab, "report", "--json", NULL);
    AUTO_FREE char *told = xasprintf("goes on with create %s (failed in ", first + strlen(first) - 8);
    cr_assert(strstr(table.out, told) && strstr(table.out, "together: phases "), "%s", table.out);
    AUTO_FREE char *member = xasprintf("\"parent\": \"%s\"", second);
    cr_assert(strstr(json.out, member) && strstr(json.out, "\"resumes\": {"), "%s", json.out);
    /* Of the chain's `two` there is no time that says how long it takes; `three` was never begun before. */
    struct lab_result several = lab_run(lab, "report", "--last", "9", "--json", NULL);
    const char *statistics = strstr(several.out, "\"statistics\"");
    cr_assert(statistics && strstr(statistics, "\"step\": \"three\"") &&
                  strstr(statistics, "\"step\": \"one\""),
              "%s", several.out);
    cr_assert(strstr(statistics, "\"step\": \"two\"") == NULL, "%s", statistics);
}

/* In a folder of the user's own they are known by the marks of their run alone. */
Test(resume, async_jobs_of_every_run_of_the_chain_are_told_from_others)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "    attempts: 1\n    task: 20s\n    grace: 1s\n    host_grace: 1s\n", PLAY);
    AUTO_FREE char *own = xasprintf("1008.%d", (int)getpid());
    AUTO_FREE char *play =
        xasprintf("- hosts: recipe_work\n  gather_facts: false\n"
                  "  vars: {ansible_async_dir: \"{{ playbook_dir }}/../jobs\", last: \"{{ "
                  "lookup('ansible.builtin.file', playbook_dir ~ '/../last') | length > 0 }}\"}\n  tasks:\n"
                  "    - ansible.builtin.command: sleep %s\n      async: 900\n      poll: 0\n"
                  "      when: not last\n"
                  "    - ansible.builtin.command: sleep 1000\n"
                  "      when: last\n"
                  "    - ansible.builtin.fail:\n",
                  own);
    lab_write(lab, "playbooks/work.yml", "%s", play);
    lab_write(lab, "last", "%s", "");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    hold_resume(lab, 2, "ended as failed at work", NULL);
    /* Another run, of another project: its job is none of these. */
    AUTO_FREE char *other =
        xasprintf("TRIPHASE_STEP=01a2280b-0000-7000-8000-000000000000/01 ANSIBLE_ASYNC_DIR=/x "
                  "setsid sh -c 'sleep %s; : async_wrapper' >/dev/null 2>&1 </dev/null &",
                  own);
    cr_assert(eq(int, system(other), 0));
    lab_write(lab, "last", "yes");
    hold_resume(lab, 5, "ended as failed at work", NULL);
    AUTO_FREE char *jobs =
        lab_sql(lab, "SELECT json_extract(detail, '$.jobs') FROM event WHERE kind = 'async' AND "
                     "run = (SELECT max(number) FROM run)");
    AUTO_FREE char *end = xasprintf("pkill -KILL -f '^sleep %s'", own);
    cr_expect(eq(int, system(end), 0));
    cr_assert(eq(str, jobs, "2"));
}

Test(resume, a_partial_run_has_no_completed_phase_and_keeps_phases_and_arguments)
{
    struct lab *lab = three_phases(GOOD);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    lab_write(lab, "do/two", FAILS);
    struct lab_result broken = lab_run(lab, "run", "host", "one", "two", "--", "--tags", "some", NULL);
    cr_assert(eq(int, broken.code, 2), "%s", broken.err);
    hold_offer(broken.err, "' goes on with it");
    lab_write(lab, "do/two", GOOD);
    hold_resume(lab, 0, "the run was partial", NULL);
    hold_ran(lab, "one two three one two one two ");
    cr_assert(eq(int, damage_lines(lab, "args", "--tags some"), 4));
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT sum(partial) FROM run"), 2));
}

Test(resume, extra_variables_are_not_kept_and_have_to_be_given_again)
{
    struct lab *lab = three_phases(FAILS);
    struct lab_result made = lab_run(lab, "create", "host", "--", "-e", "word=hush-hush", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    hold_offer(made.err, " -- THE SAME -e ARGUMENTS' goes on at two");
    lab_write(lab, "do/two", GOOD);
    hold_resume(lab, 78, "give the very same ones again", NULL);
    struct lab_result other = lab_run(lab, "resume", "--", "-e", "word=other", NULL);
    cr_assert(eq(int, other.code, 78), "%s", other.err);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run WHERE plan LIKE '%hush%'"), 0));
    struct lab_result same = lab_run(lab, "resume", "--", "-e", "word=hush-hush", NULL);
    cr_assert(eq(int, same.code, 0), "%s", same.err);
    hold_ran(lab, "one two two three ");
}

Test(resume, a_run_that_is_not_the_targets_last_and_one_whose_machine_is_gone_are_not_gone_on_with)
{
    struct lab *lab = broken_at_two();
    AUTO_FREE char *first = damage_run(lab);
    lab_write(lab, "do/two", FAILS);
    struct lab_result second = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, second.code, 2), "%s", second.err);
    AUTO_FREE char *newer = damage_run(lab);
    hold_resume(lab, 64, newer + strlen(newer) - 8, first);
    struct lab_result older = lab_run(lab, "attach", first, NULL), last = lab_run(lab, "attach", newer, NULL);
    hold_offer(older.err, NULL);
    hold_offer(last.err, "' goes on at two");
    struct lab_result forgotten = lab_run(lab, "forget", "host", "--yes", NULL);
    cr_assert(eq(int, forgotten.code, 0), "%s", forgotten.err);
    hold_resume(lab, 3, "is gone", "host");
    struct lab_result gone = lab_run(lab, "attach", newer, NULL);
    hold_offer(gone.err, NULL);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM run"), 2));
    hold_resume(lab, 64, "neither a target", "nobody");
}

Test(resume, a_destroy_that_was_cut_off_goes_on_destroying)
{
    struct lab *lab = three_phases(GOOD);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    lab_write(lab, "phases/work.yml",
              "phases:\n" PHASE("one") PHASE("two") PHASE("three") "teardown:\n" PHASE("bye") PHASE("four"));
    lab_write(lab, "do/four", FAILS);
    struct lab_result cut = lab_run(lab, "destroy", "host", "--yes", "--keep-state", NULL);
    cr_assert(eq(int, cut.code, 2), "%s", cut.err);
    hold_offer(cut.err, NULL);
    lab_write(lab, "do/four", GOOD);
    hold_resume(lab, 0, "bye is skipped", NULL);
    hold_ran(lab, "one two three bye four four ");
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_assert(strstr(status.out, "absent") != NULL, "%s", status.out);
}

Test(resume, a_run_that_never_got_a_transport_goes_on_and_does_all)
{
    struct lab *lab = three_phases(GOOD);
    kill(lab_sshd_pid(lab), SIGSTOP);
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_STAGE_DEADLINE_TRANSPORT", "1s");
    struct lab_result lost = lab_run(lab, "create", "host", NULL);
    kill(lab_sshd_pid(lab), SIGCONT);
    cr_assert(eq(int, lost.code, 4), "%s", lost.err);
    hold_offer(lost.err, "' goes on at transport");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_STAGE_DEADLINE_TRANSPORT", NULL);
    hold_resume(lab, 0, "at transport", NULL);
    hold_ran(lab, "one two three ");
}

Test(resume, while_a_run_goes_on_each_command_that_acts_is_refused_with_run_and_process)
{
    struct lab *lab = three_phases(FAILS);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    lab_write(lab, "do/two", WAITS);
    pid_t resume = lab_start(lab, "resume", "resume", NULL);
    cr_assert(lab_until_file(lab, 60, "there"));
    AUTO_FREE char *run = damage_run(lab);
    AUTO_FREE char *process = xasprintf("process %d", (int)damage_worker(lab));
    static const char *const words[][3] = {
        {"create", "host"}, {"run", "host"}, {"resume", "host"}, {"resume"}, {"destroy", "host", "--yes"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        struct lab_result refused = lab_run(lab, words[i][0], words[i][1], words[i][2], NULL);
        cr_assert(eq(int, refused.code, 75), "%s: %s", words[i][0], refused.err);
        cr_assert(strstr(refused.err, id_tail(run, 8)) && !strstr(refused.err, run) &&
                      strstr(refused.err, process),
                  "%s: %s", words[i][0], refused.err);
    }
    lab_write(lab, "go", "yes\n");
    cr_assert(eq(int, lab_wait(lab, resume, 20), 0));
}

Test(resume, handlers_that_the_broken_run_owed_are_run)
{
    struct lab *lab = lab_new();
    lab_static_project(
        lab, "    attempts: 1\n",
        "- hosts: recipe_work\n  gather_facts: false\n"
        "  handlers:\n    - name: restart\n      ansible.builtin.shell: echo ran >>{{ dir }}/restart\n"
        "  tasks:\n    - ansible.builtin.command: {cmd: touch made, chdir: \"{{ dir }}\", creates: \"{{ dir "
        "}}/made\"}\n"
        "      notify: restart\n"
        "    - ansible.builtin.command: test -e {{ dir }}/mended\n"
        "  vars: {dir: \"{{ playbook_dir }}/..\"}\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    lab_write(lab, "mended", "yes\n");
    hold_resume(lab, 0, "gets 1 handler(s)", NULL);
    AUTO_FREE char *handler = lab_read(lab, "restart");
    cr_assert(eq(str, handler, "ran\n"));
}

Test(resume, what_a_role_is_made_of_counts_as_a_whole)
{
    struct lab *lab = lab_new();
    lab_static_project(lab,
                       "    attempts: 1\n  - name: more\n    playbook: playbooks/more.yml\n    attempts: 1\n",
                       "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                       "    - ansible.builtin.include_role: {name: \"{{ 'some' }}\"}\n");
    lab_write(lab, "playbooks/roles/some/tasks/main.yml",
              "- ansible.builtin.template: {src: a.j2, dest: \"{{ playbook_dir }}/../out\", mode: '0600'}\n");
    lab_write(lab, "playbooks/roles/some/templates/a.j2", "a\n");
    lab_write(lab, "playbooks/more.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
              "    - ansible.builtin.command: test -e {{ playbook_dir }}/../mended\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 2), "%s", made.err);
    lab_write(lab, "playbooks/roles/some/templates/a.j2", "b\n");
    hold_resume(lab, 78, "playbooks/roles/some/templates/a.j2 changed (may be used by the phase work", NULL);
    lab_write(lab, "playbooks/roles/some/templates/a.j2", "a\n");
    lab_write(lab, "mended", "yes\n");
    hold_resume(lab, 0, "work is skipped", NULL);
}
