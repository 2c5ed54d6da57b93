/* Commit-confirm: a phase that closes the way in is undone by the host itself, one that does not stays, and
 * nothing of it is left. On real sandboxes, whose packet filter, routes and sshd the phases really harm. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/damage.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(confirm, .timeout = 180);

#define HARMLESS "    - ansible.builtin.raw: 'true'\n"
/* The time begins anew at least twice while this task runs. */
#define OUTLASTS                                                                                  \
    "    - ansible.builtin.raw: >-\n"                                                             \
    "        for n in 1 2; do was=$(cat /var/lib/triphase-confirm/armed/until); while [ \"$(cat " \
    "/var/lib/triphase-confirm/armed/until)\" = \"$was\" ]; do sleep 0.1; done; done\n"
/* What is accepted is what stands: a connection that is there goes on, a new one does not come through. */
#define DROPS                                                                                          \
    "    - ansible.builtin.raw: >-\n"                                                                  \
    "        nft 'add table inet lock; add chain inet lock in { type filter hook input priority 0; };" \
    " add rule inet lock in ct state established accept; add rule inet lock in tcp dport 22 drop'\n"

static void play(struct lab *lab, const char *tasks)
{
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n%s", tasks);
}

/* A project whose target `box` is a sandbox that was made, with one phase. */
static struct lab *box(const char *phase_keys)
{
    rig_needed();
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n");
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: work\n    playbook: playbooks/work.yml\n    retry_pause: 0s\n%s",
              phase_keys);
    play(lab, HARMLESS);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_CONFIRM", "none");
    struct lab_result made = lab_run(lab, "create", "box", NULL);
    cr_assert(eq(int, made.code, 0), "%s%s", made.out, made.err);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_CONFIRM", NULL);
    return lab;
}

/* Of the last note about it. malloc'ed. */
static char *noted(struct lab *lab, const char *member)
{
    AUTO_FREE char *query = xasprintf("SELECT json_extract(detail, '$.%s') FROM event WHERE kind = 'confirm' "
                                      "ORDER BY number DESC LIMIT 1",
                                      member);
    return lab_sql(lab, query);
}

static char *on_guest(struct lab *lab, const char *script)
{
    struct lab_result said = lab_run(lab, "ssh", "box", "--", script, NULL);
    cr_assert(eq(int, said.code, 0), "%s: %s%s", script, said.out, said.err);
    return said.out;
}

static void expect_nothing_left(struct lab *lab)
{
    const char *left =
        on_guest(lab, "ls -d /var/lib/triphase-confirm /etc/systemd/system/triphase-* 2>/dev/null; "
                      "systemctl list-units --all --no-legend 'triphase-confirm*'; true");
    cr_expect(eq(str, (char *)left, ""), "left on the host: %s", left);
}

static void expect_rolled_back(struct lab *lab, const struct lab_result *run, const char *words)
{
    AUTO_FREE char *outcome = lab_sql(lab, "SELECT outcome || ' ' || cause || ' ' || verdict FROM step WHERE "
                                           "name = 'work' ORDER BY number DESC LIMIT 1");
    AUTO_FREE char *difference = noted(lab, "difference"), *state = noted(lab, "state"),
                   *by = noted(lab, "cut_off_by");
    cr_expect(eq(int, run->code, 2), "%s%s", run->out, run->err);
    cr_expect(eq(str, outcome, "rolled-back not-confirmed rolled-back"));
    cr_expect(eq(str, state, "rolled-back"));
    cr_expect(strstr(difference, words) != NULL, "'%s' is not in the difference: %s", words, difference);
    cr_expect(strstr(by, words) != NULL, "'%s' is not among what cut it off: %s", words, by);
    cr_expect(strstr(run->err, words) != NULL, "the run does not say '%s': %s", words, run->err);
}

Test(confirm, rules_that_drop_ssh_undo_themselves_and_the_run_says_what_cut_it_off)
{
    struct lab *lab = box("    confirm: 5s\n    attempts: 3\n");
    play(lab, DROPS);
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    expect_rolled_back(lab, &run, "tcp dport 22 drop");
    cr_expect(eq(i64,
                 lab_sql_number(lab, "SELECT count(*) FROM step WHERE name = 'work' AND run = (SELECT "
                                     "max(number) FROM run)"),
                 1),
              "it was tried again");
    const char *rules = on_guest(lab, "nft list ruleset");
    cr_expect(eq(str, (char *)rules, ""), "%s", rules);
    expect_nothing_left(lab);
}

Test(confirm, an_honest_change_stays_and_nothing_of_it_is_left_on_the_host)
{
    struct lab *lab = box("    confirm: 5s\n");
    play(lab, "    - ansible.builtin.raw: nft add table inet mine\n" OUTLASTS OUTLASTS);
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    cr_expect(eq(int, run.code, 0), "%s%s", run.out, run.err);
    AUTO_FREE char *state = noted(lab, "state");
    cr_expect(eq(str, state, "confirmed"));
    const char *tables = on_guest(lab, "nft list tables");
    cr_expect(eq(str, (char *)tables, "table inet mine\n"));
    expect_nothing_left(lab);
}
