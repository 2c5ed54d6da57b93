/* examples/projects/vault-tailnet, from nothing to healthy and back: a real tailnet (lab/tailnet.h), and the
 * fake of the cloud with a real host behind each server (lab/hetzner.h). */
#include "base/memory.h"
#include "lab/tailnet_cloud.h"
#include "lab/vault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(vault_tailnet, .timeout = 1800);

static const char policy[] =
    "{\"tagOwners\": {\"tag:operator\": [\"ops@\"], \"tag:vault\": [\"ops@\"], \"tag:vault-api\": "
    "[\"ops@\"]},\n\"acls\": [{\"action\": \"accept\", \"src\": [\"tag:operator\"], \"dst\": "
    "[\"tag:vault:22,8200\"]}]}\n";

static struct lab *example(struct tailnet_lab *lab, struct tailnet_operator *op, struct hetzner *cloud)
{
    struct lab *project = tailnet_cloud_project(lab, op, cloud, "vault-tailnet", "VAULT");
    AUTO_FREE char *api = xasprintf("%s/api/v2", tailnet_lab_api(lab));
    lab_write(project, "secrets/operator.key", "not used: it is joined already\n");
    lab_write(project, "secrets/tailscale.id", "%s\n", TAILNET_API_OWN_ID);
    lab_write(project, "secrets/tailscale.secret", "%s\n", tailnet_lab_api_secret(lab));
    lab_environment(project, "TRIPHASE_TARGETS_VAULT_TAILNET_API", api);
    return project;
}

Test(vault_tailnet, the_example_is_made_healthy_made_again_without_a_change_and_removed_whole)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    tailnet_lab_policy(lab, policy);
    struct hetzner *cloud = hetzner_start_hosts(tailnet_cloud_words);
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = example(lab, op, cloud);

    struct lab_result made = vault_run(project, 900, "create", "vault", NULL);

    cr_assert(eq(int, made.code, 0), "%s%s", made.out, made.err);
    static const char *const phases[] = {"install", "converge", "finalize", NULL};
    json_free(tailnet_cloud_hold(project, phases, made.out));
    AUTO_FREE char *nodes = tailnet_lab_headscale(lab, "nodes", "list", NULL);
    cr_expect(strstr(nodes, "tag:vault-api") != NULL, "%s", nodes);
    fprintf(stderr, "%s", vault_expect(project, 0, "report", NULL).out);

    struct lab_result again = vault_run(project, 300, "run", "vault", "--check-idempotent", NULL);
    cr_expect(eq(int, again.code, 0), "%s%s", again.out, again.err);

    struct lab_result gone = vault_run(project, 300, "destroy", "vault", "--yes", NULL);
    cr_expect(eq(int, gone.code, 0), "%s%s", gone.out, gone.err);
    tailnet_cloud_empty(cloud);
    AUTO_FREE char *left = tailnet_lab_headscale(lab, "nodes", "list", NULL);
    cr_expect(strstr(left, "tag:vault") == NULL, "%s", left);
}
