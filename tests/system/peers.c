/* Peers: other targets of the project stand in the inventory for delegation, and no play runs on them by itself. */

#include "lab/lab.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <string.h>

/* Two targets of one recipe over the lab's sshd; `host` has the other as its peer. */
static struct lab *two_targets(void)
{
    struct lab *lab = lab_new();
    lab_static_project(
        lab, "",
        "- name: Both\n  hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - name: Delegate\n"
        "      ansible.builtin.command: 'true'\n      delegate_to: \"{{ (groups['peers'] | "
        "default(['localhost']))[0] }}\"\n"
        "      changed_when: false\n");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    char *target = strstr(project, "  host:\n");
    AUTO_FREE char *settings = xstrdup(target + strlen("  host:\n"));
    lab_write(lab, "triphase.yml", "%s    peers: [other]\n  other:\n%s", project, settings);
    return lab;
}

Test(peers, one_that_is_not_made_is_refused_by_name_and_one_that_is_serves_delegation_alone)
{
    struct lab *lab = two_targets();

    struct lab_result without = lab_run(lab, "create", "host", NULL);
    struct lab_result other = lab_run(lab, "create", "other", NULL);
    struct lab_result with = lab_run(lab, "create", "host", NULL);

    cr_expect_eq(without.code, 78, "%s", without.err);
    cr_expect(strstr(without.err, "peer other is not made") != NULL, "%s", without.err);
    cr_expect_eq(other.code, 0, "%s", other.err);
    cr_assert_eq(with.code, 0, "%s", with.err);
    cr_expect(strstr(with.err, "[host -> other") != NULL, "the task was delegated to the peer:\n%s",
              with.err);
    AUTO_FREE char *hosts = lab_sql(lab, "SELECT group_concat(DISTINCT host) FROM slowest_task WHERE run = "
                                         "(SELECT id FROM run ORDER BY started_ns DESC LIMIT 1)");
    cr_expect_str_eq(hosts, "host", "the play ran on %s", hosts);
}

/* Its port stands in the inventory alone; a task that is given to it goes where that says now. */
Test(peers, what_group_vars_say_of_one_after_it_was_made_is_followed)
{
    struct lab *lab = two_targets();
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
    lab_write(lab, "inventory/group_vars/side.yml", "ansible_port: 1\n");

    struct lab_result rendered = lab_run(lab, "inventory", "host", NULL);

    cr_expect_eq(rendered.code, 0, "%s", rendered.err);
    cr_expect(strstr(rendered.out, "ansible_port: 1\n") != NULL, "%s", rendered.out);
}
