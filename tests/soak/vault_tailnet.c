/* examples/projects/vault-tailnet, from nothing to healthy and back: a real tailnet (lab/tailnet.h), and the
 * fake of the cloud with a real host behind each server (lab/hetzner.h). Only what names the real cloud, the
 * real control server and the packages of the internet is another here. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/hetzner.h"
#include "lab/tailnet.h"
#include "lab/tailnet_parts.h"
#include "lab/vault.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(vault_tailnet, .timeout = 1800);

static const char policy[] =
    "{\"tagOwners\": {\"tag:operator\": [\"ops@\"], \"tag:vault\": [\"ops@\"], \"tag:vault-api\": "
    "[\"ops@\"]},\n\"acls\": [{\"action\": \"accept\", \"src\": [\"tag:operator\"], \"dst\": "
    "[\"tag:vault:22,8200\"]}]}\n";

/* The cloud listens at the hub; a plain endpoint is taken on a loopback alone, so that the operator's own
 * leads there. Gives what the project calls it. malloc'ed. */
static char *reach_cloud(struct tailnet_operator *op, struct hetzner *cloud)
{
    const char *port = strrchr(hetzner_endpoint(cloud), ':') + 1;
    AUTO_FREE char *number = xstrndup(port, strcspn(port, "/"));
    free(tailnet_operator_shell(
        op,
        "echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet && iptables -t nat -A OUTPUT -p tcp -d 127.0.0.1 "
        "--dport %s -j DNAT --to-destination " TAILNET_HUB
        ":%s && iptables -t nat -A POSTROUTING -p tcp -d " TAILNET_HUB " --dport %s -j MASQUERADE",
        number, number, number));
    return xasprintf("http://127.0.0.1:%s/v1", number);
}

static struct lab *example(struct tailnet_lab *lab, struct tailnet_operator *op, struct hetzner *cloud)
{
    struct lab *project = lab_new();
    AUTO_ERROR err = ERROR_INIT;
    lab_write(project, "home/.empty", "%s", "");
    AUTO_FREE char *home = xasprintf("%s/home", lab_folder(project)), *endpoint = reach_cloud(op, cloud),
                   *api = xasprintf("%s/api/v2", tailnet_lab_api(lab));
    lab_environment(project, "HOME", home);
    vault_expect(project, 0, "init", NULL);
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "cp", "-r", "examples/projects/vault-tailnet/.",
                         lab_folder(project), NULL) == 0,
              "%s", error_text(&err));
    lab_write(project, "secrets/operator.key", "not used: it is joined already\n");
    lab_write(project, "secrets/tailscale.id", "%s\n", TAILNET_API_OWN_ID);
    lab_write(project, "secrets/tailscale.secret", "%s\n", tailnet_lab_api_secret(lab));
    lab_environment(project, "HCLOUD_TOKEN", HETZNER_TOKEN);
    lab_environment(project, "TRIPHASE_PROVIDERS_HETZNER_ENDPOINT", endpoint);
    lab_environment(project, "TRIPHASE_TARGETS_VAULT_TAILNET_LOGIN_SERVER", tailnet_lab_login_server(lab));
    lab_environment(project, "TRIPHASE_TARGETS_VAULT_TAILNET_API", api);
    AUTO_FREE char *was = lab_read(project, "triphase.yml");
    lab_write(project, "triphase.yml",
              "%s      tailnet_programs: %s\n      tailnet_environment: {TS_DEBUG_USE_DERP_HTTP: '1', "
              "TS_NO_LOGS_NO_SUPPORT: '1'}\n",
              was, tailnet_lab_programs(lab));
    tailnet_operator_enter(op, project);
    return project;
}

static struct json *report(struct lab *project)
{
    struct lab_result said = vault_expect(project, 0, "report", "--json", NULL);
    AUTO_ERROR err = ERROR_INIT;
    struct json *json = json_parse(said.out, strlen(said.out), &err);
    cr_assert(json != NULL, "%s", error_text(&err));
    return json;
}

/* Each phase over the tailnet, the bootstrap alone not. */
static void hold_the_ways(const struct json *told, const char *said)
{
    static const char *const ways[][2] = {
        {"bootstrap", "direct"}, {"install", "tailnet"}, {"converge", "tailnet"}, {"finalize", "tailnet"}};
    const struct json *steps = json_get(told, "steps");
    for (size_t way = 0; way < COUNT_OF(ways); way++) {
        bool seen = false;
        for (size_t i = 0; i < json_count(steps); i++) {
            const struct json *step = json_at(steps, i);
            if (!text_is(json_get_string(step, "name", ""), ways[way][0]))
                continue;
            seen = true;
            cr_expect(eq(str, (char *)json_get_string(step, "transport", ""), (char *)ways[way][1]), "%s",
                      said);
            cr_expect(eq(str, (char *)json_get_string(step, "outcome", ""), "ok"), "%s", said);
        }
        cr_expect(seen, "no step %s: %s", ways[way][0], said);
    }
}

Test(vault_tailnet, the_example_is_made_healthy_made_again_without_a_change_and_removed_whole)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    tailnet_lab_policy(lab, policy);
    struct hetzner *cloud = hetzner_start_hosts((const char *const[]){"--address", TAILNET_HUB, NULL});
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = example(lab, op, cloud);

    struct lab_result made = vault_run(project, 900, "create", "vault", NULL);

    cr_assert(eq(int, made.code, 0), "%s%s", made.out, made.err);
    AUTO_JSON *told = report(project);
    hold_the_ways(told, made.out);
    cr_expect(json_get_bool(json_get(told, "health"), "healthy"), "%s", made.out);
    AUTO_FREE char *nodes = tailnet_lab_headscale(lab, "nodes", "list", NULL);
    cr_expect(strstr(nodes, "tag:vault-api") != NULL, "%s", nodes);
    fprintf(stderr, "%s", vault_expect(project, 0, "report", NULL).out);

    struct lab_result again = vault_run(project, 300, "run", "vault", "--check-idempotent", NULL);
    cr_expect(eq(int, again.code, 0), "%s%s", again.out, again.err);

    struct lab_result gone = vault_run(project, 300, "destroy", "vault", "--yes", NULL);
    cr_expect(eq(int, gone.code, 0), "%s%s", gone.out, gone.err);
    static const char *const kinds[] = {"servers", "ssh_keys", "firewalls"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        cr_expect(eq(sz, hetzner_count(cloud, kinds[i]), 0), "%s", kinds[i]);
    AUTO_FREE char *left = tailnet_lab_headscale(lab, "nodes", "list", NULL);
    cr_expect(strstr(left, "tag:vault") == NULL, "%s", left);
}
