/* The roles node_firewall and node_heartbeat by the Ansibles that triphase is for: checked on a fresh host,
 * done, done again, taken away. */
#include "lab/firewall.h"
#include "lab/phase.h"
#include "lab/recipe_lab.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(node_ansibles, .timeout = 580);

static char *left(const struct rig *guest)
{
    return rig_ssh(
        guest,
        "nft list tables | grep node; ls -d /etc/node-* /etc/systemd/system/node-* /usr/local/sbin/node-* "
        "2>/dev/null; true",
        NULL);
}

static void verify(struct lab *lab, const char *vars)
{
    lab_write(lab, "playbooks/node/one-role.yml",
              "- hosts: recipe_work\n  become: true\n  gather_facts: false\n%s  tasks:\n"
              "    - include_role: {name: node_firewall, tasks_from: verify}\n"
              "    - include_role: {name: node_heartbeat, tasks_from: verify}\n",
              vars);
}

static void hold(const char *ansible, const char *version)
{
    static const char given[] =
        "  vars: {node_heartbeat_url: 'http://192.0.2.1/beat', node_heartbeat_token: hb-of-nobody, "
        "node_heartbeat_ca: 'no certificate'}\n",
                      away[] = "  vars: {node_firewall_state: absent, node_heartbeat_url: ''}\n";
    struct rig *guest = firewall_guest(NULL);
    struct lab *lab = firewall_project(guest);
    lab_environment(lab, "TRIPHASE_ANSIBLE", ansible);
    firewall_play(lab, "node_firewall, node_heartbeat", given);
    struct lab_result checked = lab_run(lab, "create", "host", "--", "--check", "--diff", NULL);
    cr_assert(eq(int, checked.code, 0), "%s%s", checked.out, checked.err);
    cr_expect(gt(i64, recipe_lab_changed(lab), 0));
    AUTO_FREE char *after_check = left(guest), *said = lab_last_run(lab, "ansible");
    cr_expect(text_starts(said, version), "%s", said);
    cr_expect(eq(str, after_check, ""));

    firewall_run(lab, 0, "run");
    AUTO_FREE char *there = left(guest);
    cr_expect(eq(str, there,
                 "table inet "
                 "node_firewall\n/etc/node-firewall.nft\n/etc/node-heartbeat\n/etc/systemd/system/"
                 "node-firewall.service\n"
                 "/etc/systemd/system/node-heartbeat.service\n/etc/systemd/system/node-heartbeat.timer\n"
                 "/usr/local/sbin/node-heartbeat\n"));
    firewall_run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
    verify(lab, given);
    firewall_run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
    free(rig_ssh(guest, "nft add rule inet node_firewall ssh accept", NULL));
    struct lab_result differs = firewall_run(lab, 2, "run");
    cr_expect(strstr(differs.err, "what is loaded is not what /etc/node-firewall.nft says") != NULL, "%s",
              differs.err);

    firewall_play(lab, "node_firewall, node_heartbeat", away);
    firewall_run(lab, 0, "run");
    AUTO_FREE char *after = left(guest);
    cr_expect(eq(str, after, ""));
    firewall_run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
}

Test(node_ansibles, check_do_repeat_and_take_away_on_the_oldest_ansible)
{
    hold(lab_old_ansible(), "2.14.");
}

Test(node_ansibles, check_do_repeat_and_take_away_on_the_newest_ansible)
{
    hold(lab_newest_ansible(), "2.21.");
}
