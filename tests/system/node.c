/* The recipe node from outside, on real hosts with Debian's own Docker. What takes longer is in
 * tests/soak/node.c. */
#include "lab/node.h"
#include "lab/phase.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(node, .timeout = 590);

/* Docker's client waits with a pull until somebody says so; it and its daemon are Debian's. */
static const char gate[] = "    - ansible.builtin.shell: mkfifo /run/lab-gate\n"
                           "    - ansible.builtin.copy:\n"
                           "        content: |\n"
                           "          #!/bin/sh\n"
                           "          [ \"$1\" != pull ] || read -r _ </run/lab-gate\n"
                           "          exec /usr/bin/docker \"$@\"\n"
                           "        dest: /usr/local/bin/docker\n"
                           "        mode: '0755'\n";

static void hold_steps(struct lab *lab, const char *what)
{
    AUTO_FREE char *steps =
        lab_sql(lab, "SELECT group_concat(line, ', ') FROM (SELECT step.name || ' ' || step.outcome AS line "
                     "FROM step WHERE kind = 'phase' AND step.run = (SELECT number FROM run ORDER BY number "
                     "DESC LIMIT 1) ORDER BY seq)");
    cr_assert(eq(str, steps, (char *)what));
}

/* The first run, in which the images come only once its last phase waits for them. */
static void create_with_slow_images(struct lab *lab)
{
    node_phase_before(lab, "gate", gate);
    pid_t create = lab_start(lab, "create", "create", "node", NULL);
    bool waits = lab_until_sql(lab, 400, "SELECT count(*) FROM step WHERE name = 'finalize'");
    AUTO_FREE char *so_far = lab_read(lab, "create.err");
    cr_assert(waits, "%s", so_far);
    /* The phase before has ended, and its process with it. */
    node_expect_guest(lab,
                      "timeout 60 sh -c 'until pgrep -f [a]sync_wrapper >/dev/null && pgrep -f \"^systemctl "
                      "start triphase-image-prepull\" >/dev/null; do sleep 0.2; done';"
                      "systemctl is-active triphase-image-prepull.service; docker image ls --quiet; "
                      "timeout 20 sh -c 'echo go >/run/lab-gate'",
                      "activating\n");
    int code = lab_wait(lab, create, 300);
    AUTO_FREE char *said = lab_read(lab, "create.err");
    cr_assert(eq(int, code, 0), "%s", said);
    hold_steps(lab, "gate ok, install ok, converge ok, finalize ok, verify ok");
    node_expect_guest(lab, "docker image ls --format '{{.Repository}}:{{.Tag}}'; rm /usr/local/bin/docker",
                      "127.0.0.1:5000/lab/agent:1\n");
    AUTO_FREE char *order =
        lab_sql(lab, "SELECT group_concat(text, ', ') FROM (SELECT name.text FROM task JOIN name ON "
                     "name.number = task.task WHERE "
                     "name.text IN ('Wait for its end', 'Start Docker anew') ORDER BY task.started_ns)");
    cr_assert(eq(str, order, "Wait for its end, Start Docker anew"));
}

/* The width of Docker's bridge, as its daemon has it. */
#define BRIDGE \
    "docker network inspect bridge | jq --raw-output '.[0].Options[\"com.docker.network.driver.mtu\"]'"

static void hold_what_a_node_has(struct lab *lab)
{
    node_expect_guest(lab, "lab-tool; node --version; devcontainer --version", "lab\nv22.23.3\n0.89.0\n");
    /* The veth of a sandbox is narrower than Docker's own 1500; what the image had there stays. */
    node_expect_guest(
        lab,
        "cat /sys/class/net/host0/mtu; jq --compact-output --sort-keys . /etc/docker/daemon.json; " BRIDGE,
        "1400\n{\"mtu\":1400,\"storage-driver\":\"vfs\"}\n1400\n");
    node_expect_guest(lab,
                      "systemctl is-active docker triphase-metadata-block; systemctl is-enabled docker "
                      "triphase-metadata-block",
                      "active\nactive\nenabled\nenabled\n");
    node_expect_guest(lab,
                      "systemd-analyze cat-config systemd/journald.conf | grep -E "
                      "'^(SystemMaxUse|SystemKeepFree|MaxRetention)'",
                      "SystemMaxUse=500M\nSystemKeepFree=1G\nMaxRetentionSec=7day\n");
}

/* Counted by the kernel's own rules; whatever gets through them ends in an interface that leads nowhere. */
static void hold_metadata_is_closed(struct lab *lab)
{
    static const char script[] =
        "set -e; ip tuntap add dev cloud0 mode tun && ip link set cloud0 up && ip route add 169.254.169.254 "
        "dev cloud0\n"
        "dropped() { nft list chain inet triphase_metadata $1 | sed -n 's/.*ip daddr.*packets "
        "\\([0-9]*\\).*/\\1/p'; }\n"
        "dropped output\n"
        "curl --silent --max-time 1 http://169.254.169.254/ || true\n"
        "dropped output\n"
        "setpriv --reuid=65534 --clear-groups curl --silent --max-time 1 http://169.254.169.254/ || true\n"
        "[ $(dropped output) = 0 ] || echo closed to users\n"
        /* As a container's, by the bridge. */
        "ip netns add box && ip link add box0 type veth peer name eth0 netns box && ip link set box0 master "
        "docker0 up\n"
        "ip -n box addr add 172.17.0.9/16 dev eth0 && ip -n box link set eth0 up && ip -n box route add "
        "default via 172.17.0.1\n"
        "dropped forward\n"
        "ip netns exec box curl --silent --max-time 1 http://169.254.169.254/ || true\n"
        "[ $(dropped forward) = 0 ] || echo closed to containers\n"
        "ip netns del box\n";
    node_expect_guest(lab, script, "0\n0\nclosed to users\n0\nclosed to containers\n");
}

static char *daemon_of(struct lab *lab)
{
    return node_guest(lab, "systemctl show --property=InvocationID --value docker.service", NULL);
}

/* A tailnet's interface comes, and with it another width: a run that ends behind the file leaves the
 * daemon as it is, the next one makes up for it, and none does it twice. */
static void hold_restarts_where_due(struct lab *lab)
{
    AUTO_FREE char *before = daemon_of(lab);
    free(
        node_guest(lab, "ip tuntap add dev tailscale0 mode tun && ip link set tailscale0 mtu 1280 up", NULL));
    node_expect(lab, 0, "run", "node", "install", NULL);
    AUTO_FREE char *written = node_changed(lab), *between = daemon_of(lab);
    cr_assert(eq(str, written, "node_docker: Write its settings"));
    cr_assert(eq(str, between, before));
    node_expect(lab, 0, "run", "node", "finalize", NULL);
    AUTO_FREE char *restarted = node_changed(lab), *after = daemon_of(lab);
    cr_assert(eq(str, restarted, "node_docker_restart: Start Docker anew"));
    cr_assert(ne(str, after, before));
    node_expect(lab, 0, "run", "node", "install", "converge", "finalize", NULL);
    AUTO_FREE char *nothing = node_changed(lab), *still = daemon_of(lab);
    cr_assert(eq(str, nothing, ""));
    cr_assert(eq(str, still, after));
}

static struct lab *lab_of(const char *ansible, const char *variables)
{
    struct lab *lab = node_lab(NULL, variables);
    if (ansible)
        lab_ansible(lab, ansible);
    return lab;
}

static void whole(const char *ansible)
{
    struct lab *lab = lab_of(ansible, NULL);
    create_with_slow_images(lab);
    hold_what_a_node_has(lab);
    hold_restarts_where_due(lab);
    node_reboot(lab);
    hold_metadata_is_closed(lab);
    node_expect_guest(lab, BRIDGE, "1280\n");
    node_expect(lab, 0, "destroy", "node", "--yes", NULL);
}

Test(node, waits_for_its_images_and_restarts_docker_only_where_that_is_due)
{
    whole(NULL);
}

Test(node, waits_for_its_images_and_restarts_docker_only_where_that_is_due_on_the_oldest_ansible)
{
    whole(lab_old_ansible());
}

Test(node, waits_for_its_images_and_restarts_docker_only_where_that_is_due_on_the_newest_ansible)
{
    whole(lab_newest_ansible());
}

static const struct json *told_of(const struct json *report, const char *subject)
{
    const struct json *told = json_get(report, "told");
    for (size_t i = 0; i < json_count(told); i++)
        if (text_is(json_get_string(json_at(told, i), "subject", ""), subject))
            return json_at(told, i);
    return NULL;
}

static void hold_is_told(const struct json *report, const char *subject, const char *words)
{
    const struct json *told = told_of(report, subject);
    AUTO_FREE char *all = json_compact(json_get(report, "told"));
    cr_assert(told != NULL, "nothing is told of %s: %s", subject, all);
    cr_expect(strstr(json_get_string(told, "text", ""), words) != NULL, "%s", all);
}

static void refusing(const char *ansible)
{
    struct lab *lab = lab_of(ansible, NULL);
    static const char state[] =
        "sha256sum /etc/docker/daemon.json; find /etc/systemd /etc/triphase-node /opt /usr/local -type f "
        "2>/dev/null | sort; docker image ls --quiet; nft list tables; dpkg-query --show lab-tool 2>&1; true";
    struct lab_result checked = node_expect(lab, 0, "create", "node", "--", "--check", NULL);
    AUTO_FREE char *would = node_changed(lab), *none = node_guest(lab, state, NULL);
    static const char *const parts[] = {"node_packages: Tell what a run would install",
                                        "node_docker: Write its settings",
                                        "node_nodejs: Tell what a run would install",
                                        "node_devcontainer_cli: Tell what a run would install",
                                        "node_journald: Write its settings",
                                        "node_metadata_block: Write its rules"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        cr_expect(strstr(would, parts[i]) != NULL, "not '%s' in: %s%s", parts[i], would, checked.err);
    cr_expect(strstr(none, "triphase-") == NULL, "%s", none);
    cr_expect(strstr(none, "/opt/") == NULL, "%s", none);
    cr_expect(strstr(none, "no packages found matching lab-tool") != NULL, "%s", none);

    /* That of nodejs.org's tarball, which this is not. */
    struct lab_result refused =
        node_expect(lab, 2, "run", "node", "--", "-e",
                    "{\"node_nodejs_sha256\": {\"x64\": "
                    "\"df450af89261115ef9f9e3830c3eeb2cc9213b63c720b1af623cb5dcbe2e02de\"}}",
                    NULL);
    cr_assert(strstr(refused.err, "Have the tarball fetched") && strstr(refused.err, "checksum"), "%s",
              refused.err);
    hold_steps(lab, "install failed");
    node_expect_guest(lab, "ls -A /usr/local/bin /opt; ls /var/cache | grep triphase || true",
                      "/opt:\n\n/usr/local/bin:\n");
    node_expect(lab, 0, "destroy", "node", "--yes", NULL);
}

Test(node, a_check_changes_nothing_and_a_tarball_of_another_checksum_ends_the_phase)
{
    refusing(NULL);
}

Test(node, a_check_changes_nothing_and_a_tarball_of_another_checksum_ends_the_phase_on_the_oldest_ansible)
{
    refusing(lab_old_ansible());
}

Test(node, a_check_changes_nothing_and_a_tarball_of_another_checksum_ends_the_phase_on_the_newest_ansible)
{
    refusing(lab_newest_ansible());
}

/* Of a host that has no nft; its archive has it. */
static const char without_nft[] =
    "    - ansible.builtin.shell: |\n"
    "        set -e; package=/run/lab-nft; mkdir -p $package/DEBIAN $package/usr/sbin\n"
    "        cp /usr/sbin/nft $package/usr/sbin/; dpkg --purge nftables; ! command -v nft\n"
    "        printf 'Package: nftables\\nVersion: 99\\nArchitecture: all\\nMaintainer: a test "
    "<test@localhost>\\nDescription: for a test\\n' >$package/DEBIAN/control\n"
    "        dpkg-deb --root-owner-group --build $package /srv/lab/apt/nftables.deb\n"
    "        { echo; cat $package/DEBIAN/control; echo Filename: ./nftables.deb\n"
    "        stat --format 'Size: %s' /srv/lab/apt/nftables.deb\n"
    "        echo SHA256: $(sha256sum </srv/lab/apt/nftables.deb | cut -d' ' -f1); } "
    ">>/srv/lab/apt/Packages\n";

static void failing(const char *ansible)
{
    struct lab *lab = lab_of(ansible, "      node_packages_list: [jq, no-such-package]\n"
                                      "      node_tls_permissions_keys: [/etc/hosts]\n"
                                      "      node_tls_permissions_owner: nobody-of-that-name\n"
                                      "      node_image_prepull_images: [\"127.0.0.1:5000/lab/agent:1\", "
                                      "\"127.0.0.1:5000/lab/none:1\"]\n");
    node_phase_before(lab, "without-nft", without_nft);
    node_expect(lab, 0, "create", "node", NULL);
    hold_steps(lab, "without-nft ok, install ok, converge ok, finalize ok, verify ok");
    node_expect_guest(
        lab,
        "node --version; docker image ls --format '{{.Repository}}'; nft list tables | grep -o 'inet .*'",
        "v22.23.3\n127.0.0.1:5000/lab/agent\ninet node_firewall\ninet triphase_metadata\n");
    struct lab_result report = lab_run(lab, "report", "--json", NULL);
    AUTO_JSON *json = json_parse(report.out, strlen(report.out), NULL);
    hold_is_told(json, "node_packages",
                 "failed, and the node goes on without it: Install those that are not: ");
    hold_is_told(json, "node_image_prepull",
                 "failed, and the node goes on without it: Verify that all images are there: ");
    hold_is_told(json, "node_tls_permissions",
                 "failed, and the node goes on without it: Give them owner and mode: chown failed");
    static const char *const well[] = {"node_docker", "node_nodejs", "node_journald", "node_docker_restart"};
    for (size_t i = 0; i < COUNT_OF(well); i++)
        cr_expect(told_of(json, well[i]) == NULL, "%s", report.out);
    cr_expect(strstr(lab_run(lab, "report", NULL).out,
                     "node_packages: failed, and the node goes on without it") != NULL);
    /* The task stays failed, of its role. */
    static const char failed[] =
        "SELECT group_concat(line, ', ') FROM (SELECT role.text || ' ' || (task.flags & 2) AS line FROM task "
        "JOIN name AS role ON role.number = task.role WHERE task.status = 3 ORDER BY task.started_ns)";
    AUTO_FREE char *rows = lab_sql(lab, failed);
    cr_expect(
        eq(str, rows, "node_packages 2, node_tls_permissions 2, node_image_prepull 2, node_image_prepull 2"));
    node_expect(lab, 0, "destroy", "node", "--yes", NULL);
}

Test(node, goes_on_without_a_role_that_may_fail_and_tells_it)
{
    failing(NULL);
}

Test(node, goes_on_without_a_role_that_may_fail_and_tells_it_on_the_oldest_ansible)
{
    failing(lab_old_ansible());
}

Test(node, goes_on_without_a_role_that_may_fail_and_tells_it_on_the_newest_ansible)
{
    failing(lab_newest_ansible());
}

Test(node, the_example_project_can_be_run)
{
    struct lab *lab = node_lab(NULL, NULL);
    static const char *const given[][2] = {{"HCLOUD_TOKEN", "of-an-account"},
                                           {"AGENTS_OPERATOR_KEY", "of-an-operator"},
                                           {"AGENTS_TAILNET_KEY", "of-a-host"},
                                           /* This machine is in no tailnet. */
                                           {"TRIPHASE_TARGETS_AGENT_TRANSPORT", "direct"}};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        lab_environment(lab, given[i][0], given[i][1]);
    AUTO_TEXT example = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(file_read("examples/projects/node/triphase.yml", 1 << 20, &example, &err) == 0, "%s",
              error_text(&err));
    lab_write(lab, "triphase.yml", "%s", text_string(&example));
    struct lab_result plan = node_expect(lab, 0, "plan", NULL);
    cr_assert(strstr(plan.err, "can be run") || strstr(plan.out, "can be run"), "%s%s", plan.out, plan.err);
}
