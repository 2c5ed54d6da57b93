/* The recipe node where it takes minutes: hosts without Docker, which it installs from the release's own
 * archive, other Debians, the oldest and the newest Ansible. */
#include "lab/node.h"

#include "base/memory.h"
#include "lab/phase.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(node_soak, .timeout = 3000);

/* Of a host that has nothing: a first run, a second one that changes nothing, a boot. What is fetched
 * elsewhere is brought from here, for images there is no registry. */
static void without_docker(const char *root, const char *ansible)
{
    const char *tree = node_tree();
    AUTO_FREE char *variables = xasprintf(
        "      node_docker_config: {storage-driver: vfs}\n"
        "      node_firewall_ranges_v4_url: \"\"\n"
        "      node_nodejs_file: %s/srv/lab/node.tgz\n"
        "      node_nodejs_sha256: {x64: 00b5c43d88958dbbf45339c4d5e9a76289c7e25876fd08270b379e485e151fc5}\n"
        "      node_devcontainer_cli_file: %s/srv/lab/devcontainer-cli.tgz\n",
        tree, tree);
    struct lab *lab = node_lab(root, variables);
    if (ansible)
        lab_ansible(lab, ansible);
    node_expect(lab, 0, "create", "node", "--", "--check", NULL);
    node_expect(lab, 0, "run", "node", NULL);
    AUTO_FREE char *made = node_changed(lab);
    cr_assert(strstr(made, "node_packages: Install those that are not") &&
                  strstr(made, "node_docker: Install the packages"),
              "%s", made);
    /* It was started with its settings: nothing is left for a restart. */
    cr_assert(strstr(made, "node_docker_restart") == NULL, "%s", made);
    static const char state[] =
        "systemctl is-active docker triphase-metadata-block; docker network inspect bridge | "
        "jq --raw-output '.[0].Options[\"com.docker.network.driver.mtu\"]'; node --version; devcontainer "
        "--version";
    node_expect_guest(lab, state, "active\nactive\n1400\nv22.23.3\n0.89.0\n");
    node_expect(lab, 0, "run", "node", "--check-idempotent", NULL);
    node_reboot(lab);
    node_expect_guest(lab, state, "active\nactive\n1400\nv22.23.3\n0.89.0\n");
    node_expect(lab, 0, "run", "node", "--check-idempotent", NULL);
}

Test(node_soak, a_host_without_docker_gets_debians)
{
    without_docker("debian-12", NULL);
}

Test(node_soak, a_host_without_docker_of_debian_11_gets_debians_on_the_newest_ansible)
{
    without_docker("debian-11", lab_newest_ansible());
}

Test(node_soak, a_host_without_docker_of_debian_13_gets_debians)
{
    without_docker("debian-13", NULL);
}

Test(node_soak, a_host_without_docker_gets_debians_on_the_oldest_ansible)
{
    without_docker("debian-12", lab_old_ansible());
}
