/* As system/node_silence.c, with Docker that is started anew behind the firewall, and connections that are
 * kept for 90 s. */
#include "lab/silence.h"
#include "lab/node.h"

#include "base/file.h"
#include "base/memory.h"
#include "figures.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#define KEPT_S 90.0

Test(soak_silence, of_an_agent_node_through_firewall_and_restart_of_docker, .timeout = 900)
{
    const char *tree = node_tree();
    if (!file_is_dir(tree))
        cr_skip_test("no tree of an agent node: setup/node-tree.sh makes it");
    struct rig *guest = firewall_guest(tree);
    struct lab *lab = firewall_project(guest);
    free(rig_ssh(guest, "systemctl start docker.service", NULL));
    double now = silence_of_the_role(lab, guest, KEPT_S), before = silence_of_old(lab, guest, KEPT_S);
    AUTO_FREE char *row = xasprintf("| %.1f s | %.1f s |\n", before, now);
    figures_add("| default DROP, connection tracking flushed | node_firewall |\n|---|---|\n", row);
    cr_expect(lt(dbl, now, 5));
    cr_expect(ge(dbl, before, KEPT_S));
}
