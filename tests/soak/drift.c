/* `triphase drift` over the recipes themselves: a converged host has none, and nothing there cannot be
 * checked; whatever was bent by hand is named, nothing is touched by that, and the next run mends just
 * that. */
#include "lab/node.h"
#include "lab/recipe_lab.h"
#include "lab/sandbox.h"
#include "lab/vault.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

TestSuite(drift_soak, .timeout = 3000);

enum { DRIFT_BOUND_S = 300, GUEST_BOUND_S = 60, RUN_BOUND_S = 400 };

struct host {
    struct lab *lab;
    const char *target;
    const char *kept; /* folders that drift must not touch */
};

static char *on_guest(const struct host *host, const char *script)
{
    return recipe_lab_guest(host->lab, host->target, GUEST_BOUND_S, script, NULL, NULL);
}

static char *everything(const struct host *host)
{
    AUTO_FREE char *script = xasprintf("find %s -type f -printf '%%p %%m %%u %%g %%T@\\n' | sort; "
                                       "systemctl show --property=Id,InvocationID,ActiveState,UnitFileState "
                                       "'*.service' '*.timer' | grep -E -A3 '^Id=.*(docker|node|bao)'; true",
                                       host->kept);
    return on_guest(host, script);
}

/* "role: task" of all that was found, a line each; malloc'ed. */
static char *found(const struct json *list)
{
    AUTO_TEXT lines = TEXT_INIT;
    for (size_t i = 0; i < json_count(list); i++)
        text_addf(&lines, "%s: %s\n", json_get_string(json_at(list, i), "role", ""),
                  json_get_string(json_at(list, i), "task", ""));
    return text_take(&lines);
}

/* What would change, as `found` tells it; nothing is passed over, and nothing changes on the host. */
static char *drift(const struct host *host, int code)
{
    AUTO_FREE char *before = everything(host);
    struct lab_result result =
        recipe_lab_expect(host->lab, DRIFT_BOUND_S, code, "drift", host->target, "--json", NULL);
    fprintf(stderr, "drift of %s: %.1f s\n", host->target, result.seconds);
    AUTO_JSON *json = json_parse(result.out, strlen(result.out), NULL);
    cr_assert(json != NULL, "%s", result.out);
    AUTO_FREE char *unchecked = found(json_get(json, "unchecked")), *after = everything(host);
    cr_expect(eq(str, unchecked, ""));
    cr_expect(eq(str, after, before));
    return found(json_get(json, "rows"));
}

static void hold_none(const struct host *host)
{
    AUTO_FREE char *none = drift(host, 0);
    cr_expect(eq(str, none, ""));
}

/* Bent by that script, drift says just these lines; a run mends it, and then there is none. */
static void hold_named(const struct host *host, const char *bend, const char *lines)
{
    free(on_guest(host, bend));
    AUTO_FREE char *would = drift(host, 1);
    cr_expect(eq(str, would, (char *)lines));
    recipe_lab_expect(host->lab, RUN_BOUND_S, 0, "run", host->target, NULL);
    hold_none(host);
}

Test(drift_soak, of_an_agent_node_names_what_was_bent_by_hand_and_nothing_else)
{
    struct lab *lab = node_lab(NULL, "      node_heartbeat_url: http://192.0.2.1/beat\n");
    struct host host = {lab, "node", "/etc /usr/local /opt"};
    node_expect(lab, 0, "create", NULL);
    hold_none(&host);
    /* What runs and what is on the disk; each of them is to be found by itself. */
    hold_named(
        &host,
        "set -e; dpkg --purge lab-tool; rm /usr/local/bin/node; docker image rm "
        "127.0.0.1:5000/lab/agent:1; sed -i 's/1400/1300/' /etc/docker/daemon.json; systemctl disable "
        "docker; nft delete table inet node_firewall; systemctl disable node-firewall; nft delete table "
        "inet triphase_metadata; chmod 0600 /etc/triphase-node/metadata-block.nft; systemctl disable "
        "--now node-heartbeat.timer; echo {} >/etc/node-heartbeat/config.json; echo '# bent' >>$(ls "
        "/etc/systemd/journald.conf.d/*)",
        "node_packages: Tell what a run would install\n"
        "node_docker: Write its settings\n"
        "node_docker: Have it started, now and at boot\n"
        "node_image_prepull: Tell that a run would fetch some\n"
        "node_nodejs: Tell what a run would install\n"
        "node_devcontainer_cli: Tell what a run would install\n"
        "node_firewall: Load the rules, to be taken back unless the next task is heard\n"
        "node_firewall: Have the unit load them at boot, and stand for what is loaded\n"
        "node_journald: Write its settings\n"
        "node_journald: Start it anew with them\n"
        "node_docker_restart: Start Docker anew\n"
        "node_metadata_block: Write its rules\n"
        "node_metadata_block: Have them in force, now and from each boot on\n"
        "node_heartbeat: Write its settings\n"
        "node_heartbeat: Have it sent at boot and from time to time\n");
}

Test(drift_soak, of_a_vault_names_what_was_bent_by_hand_and_nothing_else)
{
    struct lab *lab = vault_lab();
    struct host host = {lab, "vault",
                        "/etc /usr/local /var/lib/openbao/bootstrap /var/lib/openbao/snapshots"};
    vault_expect(lab, 0, "create", NULL);
    hold_none(&host);
    hold_named(&host,
               "echo '# bent' >>/etc/openbao/openbao.hcl; cp -p /usr/local/bin/bao /tmp/bao; echo x "
               ">>/tmp/bao; mv /tmp/bao /usr/local/bin/bao; chmod 0755 /var/lib/openbao/data; systemctl "
               "disable --now openbao-snapshot.timer; rm /var/lib/openbao/snapshots/* "
               "/etc/openbao/snapshot.token /etc/openbao/tls/tls.key; echo "
               ">/usr/local/lib/openbao-snapshots/snapshot_take.py",
               "vault_install: Make directories that are not as they have to be\n"
               "vault_install: Write the configuration\n"
               "vault_install: Copy the program\n"
               "vault_install: Tell what a run would sign\n"
               "vault_converge: Tell what is not tried in check mode\n"
               "vault_finalize: Make the tokens that are missing\n"
               "vault_snapshots: Lay down programs, service and timer\n"
               "vault_snapshots: Run the job of the timer once\n"
               "vault_snapshots: Start the timer\n");
    hold_named(&host,
               "rm /etc/openbao/unseal.shares; systemctl stop openbao-unseal; systemctl restart openbao; "
               "timeout 30 sh -c 'until curl -sk https://127.0.0.1:8200/v1/sys/health | grep -q "
               "sealed.:true; do sleep 0.1; done'",
               "vault_converge: Give the host the shares that it unseals itself with\n"
               "vault_converge: Give the shares that unseal\n"
               "vault_finalize: Tell what is not tried in check mode\n");
    AUTO_FREE char *state = vault_state(lab), *store = xasprintf("%s/%s/store", lab_folder(lab), state);
    rig_shell("rm -rf %s", store);
    hold_named(&host, "systemctl disable --now openbao",
               "vault_install: Have it started at boot, and unsealed\n"
               "vault_converge: Tell what is not tried in check mode\n"
               "vault_finalize: Tell what is not tried in check mode\n"
               "vault_snapshots: Tell that a run would bring the newest one to the execution host\n");
}
