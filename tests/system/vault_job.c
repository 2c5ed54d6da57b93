/* A long task of the vault roles on a real host whose connection breaks: begun once, and none is lost. The
 * tasks are those of the role vault_common. */
#include "lab/sandbox.h"

#include "base/file.h"
#include "base/memory.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(vault_job, .timeout = 240);

static struct lab *lab;
static char *root, *space; /* of the guest: its tree here, its network namespace */

/* A job that has begun when /root/begun is there, ends once /root/go is, and writes down that it did. */
static void make_host(void)
{
    rig_needed();
    lab = lab_new();
    struct lab_result done = lab_run(lab, "init", NULL);
    cr_assert_eq(done.code, 0, "%s", done.err);
    lab_write(lab, "triphase.yml", "project: lab\ntargets:\n  box:\n    recipe: work\n");
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: work\n    playbook: playbooks/vault/job.yml\n    transport_lost: 3s\n    "
              "transport_grace: 4s\n    retry_pause: 0s\n");
    lab_write(lab, "playbooks/vault/job.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    done = lab_run(lab, "create", NULL);
    cr_assert_eq(done.code, 0, "%s", done.err);
    AUTO_FREE char *id = lab_sql(lab, "SELECT id FROM machine");
    space = lab_keep(xasprintf("tp%s", id + strlen(id) - 10));
    root = lab_keep(xasprintf("/var/lib/triphase/%s/root/root", space));
    lab_write(lab, "playbooks/vault/job.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
              "    - ansible.builtin.include_role: {name: vault_common, tasks_from: job}\n      vars:\n"
              "        vault_common_job:\n          name: long\n          bound: 100\n          script: |\n"
              "            word=begun; echo $word >>/root/begun\n"
              "            until [ -e /root/go ]; do sleep 0.1; done\n"
              "            echo ended >>/root/ended\n");
}

static bool has_begun(void *context)
{
    (void)context;
    AUTO_FREE char *path = file_join(root, "begun");
    return file_exists(path);
}

static bool is_waited_for(void *context)
{
    (void)context;
    AUTO_FREE char *pids =
        rig_output("for p in $(ip netns pids %s); do tr '\\0' ' ' </proc/$p/cmdline | grep -x "
                   "'systemctl start openbao-job-long.service ' && echo $p; done",
                   space);
    return *pids;
}

static pid_t begin(void)
{
    pid_t command = lab_start(lab, "run", "run", "box", NULL);
    if (!lab_until(60, has_begun, NULL)) {
        AUTO_FREE char *said = lab_read(lab, "run.err");
        cr_assert(false, "the job did not begin: %s", said);
    }
    return command;
}

static void expect_once(void)
{
    AUTO_FREE char *begun = rig_output("cat %s/begun", root), *ended = rig_output("cat %s/ended", root);
    cr_assert(eq(str, begun, "begun\n"));
    cr_assert(eq(str, ended, "ended\n"));
}

static void expect_end(pid_t command, int code)
{
    int got = lab_wait(lab, command, 120);
    AUTO_FREE char *said = lab_read(lab, "run.err");
    cr_assert(eq(int, got, code), "%s", said);
}

Test(vault_job, one_whose_connection_dies_and_comes_back_is_begun_once_and_its_end_is_found)
{
    make_host();
    pid_t command = begin();
    rig_shell("ip netns exec %s sh -c 'iptables -I INPUT -j DROP; iptables -I OUTPUT -j DROP'", space);
    cr_assert(lab_until_sql(lab, 60,
                            "SELECT count(*) FROM step WHERE name = 'work' AND outcome = 'transport-lost'"));
    rig_shell("touch %s/go; ip netns exec %s iptables -F", root, space);
    expect_end(command, 0);
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT max(attempt) FROM step WHERE name = 'work'"), 2));
    expect_once();
}

Test(vault_job, one_whose_run_was_killed_is_waited_for_by_the_next_and_not_begun_again)
{
    make_host();
    pid_t command = begin();
    damage_kill(lab_worker(lab));
    expect_end(command, 70);
    command = lab_start(lab, "run", "run", "box", NULL);
    cr_assert(lab_until(90, is_waited_for, NULL), "nobody waits for the one that runs");
    rig_shell("touch %s/go", root);
    expect_end(command, 0);
    expect_once();
}
