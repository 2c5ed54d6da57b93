/* Peers: other targets of the project stand in the inventory for delegation, and no
 * play runs on them by itself. */

#include "base/memory.h"
#include "base/text.h"
#include "lab/climb.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

/* Two targets of one recipe over the lab's sshd; `host` has the other as its peer. */
static struct lab *two_targets(void)
{
    struct lab *lab = lab_new();
    lab_static_project(
        lab, "",
        "- name: Both\n  hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - name: Delegate\n"
        "      ansible.builtin.command: 'true'\n      delegate_to: \"{{ (groups['peers'] | "
        "default(['localhost']))[0] }}\"\n"
        "      changed_when: false\n      tags: [delegated]\n    - name: Here\n"
        "      ansible.builtin.command: 'true'\n      changed_when: false\n");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    char *target = strstr(project, "  host:\n");
    AUTO_FREE char *settings = xstrdup(target + strlen("  host:\n"));
    lab_write(lab, "triphase.yml", "%s    peers: [other]\n  other:\n%s", project, settings);
    return lab;
}

static int logins(struct lab *lab)
{
    AUTO_FREE char *log = lab_read(lab, "sshd/log");
    int count = 0;
    for (const char *at = log; (at = strstr(at, "Accepted publickey")); at++)
        count++;
    return count;
}

Test(peers, one_that_is_not_made_is_refused_by_name_and_one_that_is_serves_delegation_alone)
{
    struct lab *lab = two_targets();

    struct lab_result planned = lab_run(lab, "plan", "host", NULL);
    struct lab_result without = lab_run(lab, "create", "host", NULL);
    int64_t made = lab_sql_number(lab, "SELECT (SELECT count(*) FROM machine) + (SELECT count(*) FROM run)");
    struct lab_result other = lab_run(lab, "create", "other", NULL);
    int before = logins(lab);
    struct lab_result with = lab_run(lab, "create", "host", NULL);
    int of_create = logins(lab) - before;

    cr_expect_eq(planned.code, 0, "%s", planned.out);
    cr_expect(strstr(planned.out, "peer other: it is not made: 'triphase create host' alone is refused") !=
                  NULL,
              "%s", planned.out);
    cr_expect_eq(without.code, 78, "%s", without.err);
    cr_expect(strstr(without.err, "host: the peer other is not made; 'triphase create other' makes it") !=
                  NULL,
              "%s", without.err);
    cr_expect_eq(made, 0, "something was made before it was refused:\n%s", without.err);
    cr_expect_eq(other.code, 0, "%s", other.err);
    cr_assert_eq(with.code, 0, "%s", with.err);
    cr_expect_eq(of_create, 1, "of a peer that is the same host, %d logins", of_create);
    cr_expect(strstr(with.err, "[host -> other") != NULL, "the task was delegated to the peer:\n%s",
              with.err);
    AUTO_FREE char *hosts = lab_sql(lab, "SELECT group_concat(DISTINCT host) FROM slowest_task WHERE run = "
                                         "(SELECT id FROM run ORDER BY started_ns DESC LIMIT 1)");
    cr_expect_str_eq(hosts, "host", "the play ran on %s", hosts);

    struct lab_result gone = lab_run(lab, "destroy", "other", "--yes", NULL);
    struct lab_result refused = lab_run(lab, "plan", "host", NULL);
    struct lab_result together = lab_run(lab, "create", NULL);

    cr_expect_eq(gone.code, 0, "%s", gone.err);
    cr_expect_eq(refused.code, 78, "%s", refused.out);
    cr_expect(strstr(refused.out, "peer other: it is not made; 'triphase create other' makes it") != NULL,
              "%s", refused.out);
    cr_expect_eq(together.code, 0, "a plan refused what the same command makes: %s", together.err);
}

/* Its port stands in the inventory alone, in the end nowhere. A task that is given to it goes
 * where that says now, and so does the stage, where somebody listens who says nothing: the run
 * that has no use for it goes on. */
Test(peers, what_group_vars_say_of_one_after_it_was_made_is_followed)
{
    struct lab *lab = two_targets();
    int silent, listener = climb_listener(&silent);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    AUTO_FREE char *port = xasprintf("    port: %d\n", lab_sshd(lab));
    char *of_peer = strstr(strstr(project, "  other:\n"), port);
    cr_assert(of_peer);
    memmove(of_peer, of_peer + strlen(port), strlen(of_peer + strlen(port)) + 1);
    lab_write(lab, "triphase.yml", "%s", project);
    lab_write(lab, "inventory/hosts", "[side]\nother\n");
    lab_write(lab, "inventory/group_vars/side.yml", "ansible_port: %d\n", lab_sshd(lab));
    struct lab_result other = lab_run(lab, "create", "other", NULL);
    cr_assert_eq(other.code, 0, "%s", other.err);
    struct lab_result host = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(host.code, 0, "%s", host.err);
    AUTO_FREE char *says = xasprintf("ansible_port: %d\n", silent);
    lab_write(lab, "inventory/group_vars/side.yml", "%s", says);

    struct lab_result rendered = lab_run(lab, "inventory", "host", NULL);
    struct lab_result run = lab_run(lab, "run", "host", "--", "--skip-tags", "delegated", NULL);
    lab_write(lab, "inventory/group_vars/side.yml", "{}\n");
    struct lab_result taken_out = lab_run(lab, "inventory", "host", NULL);

    close(listener);
    cr_expect_eq(rendered.code, 0, "%s", rendered.err);
    cr_expect(strstr(rendered.out, says) != NULL, "%s", rendered.out);
    cr_expect_eq(run.code, 0, "%s", run.err);
    cr_expect(strstr(run.err, "peer other: target other over direct: no SSH banner (banner-timeout") != NULL,
              "%s", run.err);
    cr_expect_lt(lab_sql_number(lab,
                                "SELECT duration_ns FROM step WHERE name = 'transport' ORDER BY number DESC"),
                 12000000000, "%s", run.err);
    cr_expect(strstr(taken_out.out, "ansible_port: 22\n") != NULL, "%s", taken_out.out);
}

static void hold_peers_first(struct lab *lab)
{
    AUTO_FREE char *order =
        lab_sql(lab, "SELECT group_concat(target) FROM (SELECT target FROM run ORDER BY number)");
    cr_expect_str_eq(order, "other,host");
    cr_expect_eq(lab_sql_number(lab,
                                "SELECT (SELECT started_ns + duration_ns FROM run WHERE target = 'other')"
                                " <= (SELECT started_ns FROM run WHERE target = 'host')"),
                 1, "host began while other was still being made");
}

Test(peers, a_detached_create_stays_until_peers_are_made)
{
    struct lab *lab = two_targets();

    struct lab_result detached = lab_run(lab, "create", "--jobs", "2", "--detach", NULL);

    cr_assert_eq(detached.code, 0, "%s", detached.err);
    cr_expect(text_starts(detached.out, "other ") && strstr(detached.out, "\nhost "), "%s", detached.out);
    hold_peers_first(lab);
    cr_expect(lab_until_sql(lab, 30, "SELECT count(*) = 2 FROM run WHERE outcome = 'ok'"), "%s",
              detached.err);
}

Test(peers, what_one_command_creates_is_made_peers_first)
{
    struct lab *lab = two_targets();

    struct lab_result both = lab_run(lab, "create", "--jobs", "2", NULL);

    cr_assert_eq(both.code, 0, "%s", both.err);
    hold_peers_first(lab);
}

Test(peers, such_as_are_each_others_are_made_by_creating_them_twice)
{
    struct lab *lab = two_targets();
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml", "%s    peers: [host]\n", project);

    struct lab_result once = lab_run(lab, "create", NULL);
    struct lab_result again = lab_run(lab, "create", NULL);

    cr_expect_eq(once.code, 78, "%s", once.err);
    cr_expect_eq(again.code, 0, "%s", again.err);
}

/* The phase of `host` empties the file that `other` is to be made by; `last` has `other` as its peer. */
static struct lab *three_targets(void)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *playbook = xasprintf(
        "- name: Empty it\n  hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - name: Empty it\n"
        "      ansible.builtin.command: truncate -s 0 %s/other.pub\n",
        lab_folder(lab));
    lab_static_project(lab, "", playbook);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml"), *key = lab_read(lab, "sshd/host_key.pub");
    char *settings = strstr(project, "  host:\n") + strlen("  host:\n");
    AUTO_FREE char *common = xstrndup(settings, (size_t)(strstr(settings, "    host_keys:") - settings));
    lab_write(lab, "other.pub", "%s", key);
    lab_write(lab, "triphase.yml",
              "%s  other:\n%s    host_keys: {file: other.pub}\n  last:\n%s    host_keys: {file: "
              "sshd/host_key.pub}\n    peers: [other]\n",
              project, common, common);
    return lab;
}

Test(peers, one_that_is_not_made_is_refused_before_any_other_target_is_made)
{
    struct lab *lab = three_targets();

    struct lab_result created = lab_run(lab, "create", "host", "last", NULL);

    cr_expect_eq(created.code, 78, "%s", created.err);
    cr_expect(strstr(created.err, "last: the peer other is not made") != NULL, "%s", created.err);
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM run"), 0, "%s", created.err);
}

Test(peers, nothing_is_made_where_one_could_not_be)
{
    struct lab *lab = three_targets();

    struct lab_result created = lab_run(lab, "create", "host", "other", "last", NULL);

    cr_expect_eq(created.code, 78, "%s", created.err);
    cr_expect(strstr(created.err, "there is no public host key in") != NULL, "%s", created.err);
    cr_expect(strstr(created.err, "last: the peer other is not made") != NULL, "%s", created.err);
    AUTO_FREE char *targets =
        lab_sql(lab, "SELECT group_concat(target) FROM (SELECT target FROM run ORDER BY number)");
    cr_expect_str_eq(targets, "host,other");
}
