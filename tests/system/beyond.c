/* Hosts of the user's inventories beyond the target and its peers: nothing acts on them unless the phase says
 * so, and what becomes of them is not taken for the target's. With real playbooks. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

#define TASK(name, more) \
    "    - name: " name "\n      ansible.builtin.raw: touch {{ dir }}/{{ inventory_hostname }}\n" more
#define PLAY(hosts) "- hosts: " hosts "\n  gather_facts: false\n  tasks:\n"

/* A made target `host` beside hosts of an inventory of the user's: `prod` (this machine), and
 * `down`, where nobody listens. */
static struct lab *project(const char *ansible, const char *phase_keys)
{
    struct lab *lab = lab_phase_project(ansible, phase_keys);
    lab_write(lab, "inventory/hosts",
              "host\nprod ansible_connection=local\ndown ansible_host=127.0.0.1 ansible_port=1\n"
              "[all:vars]\ndir=%s/touched\n",
              lab_folder(lab));
    lab_write(lab, "touched/.keep", "%s", "");
    return lab;
}

static struct lab_result run(struct lab *lab, const char *playbook)
{
    lab_play(lab, playbook);
    return lab_run(lab, "run", "host", NULL);
}

static void allow(struct lab *lab, bool allowed)
{
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_BEYOND", allowed ? "allow" : NULL);
}

Test(beyond,
     plan_refuses_a_play_that_would_reach_a_host_of_the_inventory_beyond_the_target_until_the_phase_says_so,
     .timeout = 180)
{
    struct lab *lab = project(NULL, "");
    lab_write(lab, "playbooks/work.yml", "%s", PLAY("all") TASK("touch", ""));
    struct lab_result plan = lab_run(lab, "plan", "host", NULL), made = lab_run(lab, "create", "host", NULL);
    cr_expect(plan.code == 78 && strstr(plan.out, "would reach ") && strstr(plan.out, "prod") &&
                  strstr(plan.out, "down") && strstr(plan.out, "beyond: allow") &&
                  strstr(plan.out, "args: [--limit, host]"),
              "%d %s%s", plan.code, plan.out, plan.err);
    cr_expect(made.code == 78 && strstr(made.err, "would reach "), "%d %s", made.code, made.err);
    cr_expect(!lab_exists(lab, "touched/prod") && !lab_exists(lab, "touched/host"));

    lab_write(lab, "playbooks/work.yml", "%s", PLAY("host:prod") TASK("touch", ""));
    allow(lab, true);
    struct lab_result allowed = lab_run(lab, "run", "host", NULL);
    cr_expect(allowed.code == 0 && lab_exists(lab, "touched/prod") && lab_exists(lab, "touched/host"),
              "%d %s", allowed.code, allowed.err);
    allow(lab, false);
    plan = lab_run(lab, "plan", "host", NULL);
    cr_expect(plan.code == 78, "what was allowed once is not remembered: %s", plan.out);

    static const char *const fine[] = {"host", "recipe_work", "host,localhost", "all:!prod:!down"};
    for (size_t i = 0; i < COUNT_OF(fine); i++) {
        AUTO_FREE char *playbook = xasprintf("- hosts: \"%s\"\n  tasks: []\n", fine[i]);
        lab_write(lab, "playbooks/work.yml", "%s", playbook);
        plan = lab_run(lab, "plan", "host", NULL);
        cr_expect(plan.code == 0 && !strstr(plan.out, "beyond"), "%s: %s", fine[i], plan.out);
    }

    lab_write(lab, "playbooks/work.yml", "%s",
              PLAY("host") TASK("there", "      delegate_to: prod\n")
                  TASK("here", "      delegate_to: localhost\n") TASK("itself", "      delegate_to: host\n"));
    plan = lab_run(lab, "plan", "host", NULL);
    cr_expect(plan.code == 0 && strstr(plan.out, "playbooks/work.yml:6: the task is delegated to prod") &&
                  strstr(plan.out, "1 warning"),
              "%s", plan.out);
    allow(lab, true);
    plan = lab_run(lab, "plan", "host", NULL);
    cr_expect(plan.code == 0 && !strstr(plan.out, "delegated"), "%s", plan.out);
}

/* What is known only when the play begins. */
static void check_dynamic(const char *ansible, bool all)
{
    static const struct {
        const char *what, *playbook, *refused; /* NULL: it is fine */
    } plays[] = {
        {"a pattern with a template",
         PLAY("\"{{ 'host,prod' if triphase_run is defined else 'host' }}\"") TASK("touch", ""),
         "would reach prod,"},
        {"in batches: before the first one",
         "- hosts: \"{{ 'host,prod' if triphase_run is defined else 'host' }}\"\n  serial: 1\n  "
         "gather_facts: false\n  "
         "tasks:\n" TASK("touch", ""),
         "would reach prod,"},
        {"a host that add_host did not make",
         PLAY("host") "    - ansible.builtin.add_host: {name: prod, groups: later}\n" PLAY("later")
             TASK("touch", ""),
         "would reach prod,"},
        {"a host that add_host made",
         PLAY("host") "    - ansible.builtin.add_host: {name: \"{{ item }}\", groups: later, "
                      "ansible_connection: local}\n"
                      "      loop: [new, newer]\n" PLAY("later") TASK("touch", ""),
         NULL},
        {"this machine, in no inventory",
         PLAY("\"{{ 'localhost' if triphase_run is defined else 'host' }}\"") TASK("touch", ""), NULL},
    };
    struct lab *lab = project(ansible, "");
    for (size_t i = 0; i < COUNT_OF(plays); i++) {
        if (!all && i % 3) /* where the versions differ */
            continue;
        struct lab_result result = run(lab, plays[i].playbook);
        lab_expect(lab, &result, plays[i].what, plays[i].refused ? "invalid" : "ok",
                   plays[i].refused ? "refused" : "-", plays[i].refused ? 78 : 0);
        AUTO_FREE char *message = lab_phase(lab, "message");
        cr_expect(!plays[i].refused || strstr(message, plays[i].refused), "%s: %s", plays[i].what, message);
        cr_expect(!lab_exists(lab, "touched/prod") && (i > 2 || !lab_exists(lab, "touched/host")),
                  "%s: a task ran", plays[i].what);
    }
    cr_expect(lab_exists(lab, "touched/new") && lab_exists(lab, "touched/newer"));
    if (!all)
        return;
    allow(lab, true);
    struct lab_result result = run(lab, plays[0].playbook);
    lab_expect(lab, &result, "the phase says so", "ok", "-", 0);
    cr_expect(lab_exists(lab, "touched/prod"));
}

Test(beyond, a_pattern_that_reaches_beyond_when_the_play_begins_ends_the_phase_before_its_first_task,
     .timeout = 180)
{
    check_dynamic(NULL, true);
}

Test(beyond, a_pattern_that_reaches_beyond_when_the_play_begins_ends_the_phase_with_the_oldest_ansible,
     .timeout = 180)
{
    check_dynamic(lab_old_ansible(), false);
}

Test(beyond, a_pattern_that_reaches_beyond_when_the_play_begins_ends_the_phase_with_the_newest_ansible,
     .timeout = 180)
{
    check_dynamic(lab_newest_ansible(), false);
}

/* Whom the ledger of the last run names. */
static void expect_row(struct lab *lab, const char *what, const char *host, const char *words)
{
    AUTO_FREE char *row =
        lab_sql(lab, "SELECT host || ' ' || cause || ' ' || message FROM event WHERE kind = "
                     "'unreachable' ORDER BY number DESC LIMIT 1");
    AUTO_FREE char *begin = xasprintf("%s refused ", host);
    cr_expect(text_starts(row, begin) && strstr(row, words), "%s: the ledger says: %s", what, row);
}

static void check_down(const char *ansible, bool all)
{
    static const struct {
        const char *what, *playbook, *host, *words;
    } plays[] = {
        {"a delegate", PLAY("host") TASK("there", "      delegate_to: down\n"), "host",
         "delegated to down: "},
        {"a delegate of a template", PLAY("host") TASK("there", "      delegate_to: \"{{ 'do' + 'wn' }}\"\n"),
         "host", "delegated to down: "},
        {"a delegate of a loop",
         PLAY("host") TASK("there", "      delegate_to: \"{{ item }}\"\n      loop: [down, down]\n"), "host",
         "delegated to down: "},
        {"a host that add_host made",
         PLAY("host") "    - ansible.builtin.add_host: {name: new, ansible_host: 127.0.0.1, ansible_port: "
                      "1}\n" PLAY("new") TASK("there", ""),
         "new", "refused"},
    };
    struct lab *lab = project(ansible, "    attempts: 2\n");
    for (size_t i = 0; i < COUNT_OF(plays); i++) {
        if (!all && i != 2) /* where the versions differ */
            continue;
        struct lab_result result = run(lab, plays[i].playbook);
        lab_expect(lab, &result, plays[i].what, "failed", "host-beyond", 2);
        AUTO_FREE char *steps =
            lab_sql(lab, "SELECT group_concat(name || attempt, ' ') FROM (SELECT * FROM step WHERE run = "
                         "(SELECT max(number) FROM run) ORDER BY seq)");
        cr_expect_str_eq(steps, "transport1 work1", "%s: neither swept nor tried again: %s", plays[i].what,
                         steps);
        AUTO_FREE char *message = lab_phase(lab, "message");
        cr_expect(strstr(message, plays[i].host) && strstr(message, plays[i].words), "%s: %s", plays[i].what,
                  message);
        expect_row(lab, plays[i].what, plays[i].host, plays[i].words);
    }
    if (!all)
        return;
    allow(lab, true);
    struct lab_result result = run(lab, plays[0].playbook);
    lab_expect(lab, &result, "the phase says so", "unreachable", "-", 4);
    cr_expect(lab_phase_number(lab, "attempt") == 2);
}

Test(beyond, a_host_beyond_that_is_down_never_makes_the_phase_unreachable_and_rows_name_who_was_meant,
     .timeout = 180)
{
    check_down(NULL, true);
}

Test(beyond, a_host_beyond_that_is_down_never_makes_the_phase_unreachable_with_the_oldest_ansible,
     .timeout = 180)
{
    check_down(lab_old_ansible(), false);
}

Test(beyond, a_host_beyond_that_is_down_never_makes_the_phase_unreachable_with_the_newest_ansible,
     .timeout = 180)
{
    check_down(lab_newest_ansible(), false);
}
