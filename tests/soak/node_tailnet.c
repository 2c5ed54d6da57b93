/* examples/projects/node, from nothing to healthy and back: a real tailnet (lab/tailnet.h), and the fake of
 * the cloud with a real host behind each server (lab/hetzner.h) that has Docker from the start, as the image
 * which the example names. What the host fetches elsewhere it has on its own loopback (lab/node.h). */
#include "base/file.h"
#include "base/memory.h"
#include "lab/node.h"
#include "lab/sandbox.h"
#include "lab/tailnet_cloud.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

TestSuite(node_tailnet, .timeout = 3000);

static const char policy[] = "{\"tagOwners\": {\"tag:operator\": [\"ops@\"], \"tag:agent\": [\"ops@\"]},\n"
                             "\"acls\": [{\"action\": \"accept\", \"src\": [\"tag:operator\"], \"dst\": "
                             "[\"tag:agent:22\"]}]}\n";

static const char *made_by(const char *script)
{
    char *tree = lab_keep(rig_output("%s --where", script));
    tree[strcspn(tree, "\n")] = '\0';
    cr_assert(file_is_dir(tree), "there is no %s: %s makes it", tree, script);
    return tree;
}

/* Both are the same Debian with more in it: of cloud-init one, of Docker and what a node fetches the other,
 * whose archive is the only one. Where both have a file the node's counts. */
static const char *cloud_tree_with_docker(struct tailnet_lab *lab)
{
    AUTO_FREE char *apt = xasprintf("%s/tree/above/etc/apt", tailnet_lab_folder(lab)),
                   *sources = file_join(apt, "sources.list"),
                   *above = xasprintf("%s/tree/above", tailnet_lab_folder(lab)),
                   *options = xasprintf("lowerdir=%s:%s:%s", above, made_by("setup/node-tree.sh"),
                                        made_by("setup/cloud-tree.sh"));
    char *tree = lab_keep(xasprintf("%s/tree/whole", tailnet_lab_folder(lab)));
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(file_make_dirs(apt, 0755, &err) == 0 && file_make_dirs(tree, 0755, &err) == 0 &&
                  file_replace(sources, "", 0, 0644, &err) == 0,
              "%s", error_text(&err));
    cr_assert_eq(mount("triphase-lab", tree, "overlay", MS_RDONLY, options), 0, "%s: %s", options,
                 strerrordesc_np(errno));
    return tree;
}

/* The example's variables with the lab's in place of those that lead elsewhere. */
static void lead_to_the_tree(struct lab *project)
{
    AUTO_FREE char *file = lab_read(project, "triphase.yml");
    for (const char *line = node_of_the_tree; *line; line = strchr(line, '\n') + 1) {
        AUTO_FREE char *name = xasprintf("\n%.*s", (int)strcspn(line, ":") + 1, line);
        char *at = strstr(file, name), *end = at ? strchr(at + 1, '\n') : NULL;
        if (end)
            memmove(at, end, strlen(end) + 1);
    }
    lab_write(project, "triphase.yml", "%s%s", file, node_of_the_tree);
}

static struct lab *example(struct tailnet_lab *lab, struct tailnet_operator *op, struct hetzner *cloud)
{
    struct lab *project = tailnet_cloud_project(lab, op, cloud, "node", "AGENT");
    /* Ephemeral, as the example asks for. In a file, since the lab looks for its keys in the environment of
     * all processes. */
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:agent", false, true);
    lab_write(project, "secrets/agent.key", "%s\n", key);
    lab_environment(project, "TRIPHASE_TARGETS_AGENT_TAILNET_AUTH_KEY", "{file: secrets/agent.key}");
    lab_environment(project, "AGENTS_TAILNET_KEY", "not used");
    lab_environment(project, "AGENTS_OPERATOR_KEY", "not used: it is joined already");
    lead_to_the_tree(project);
    return project;
}

Test(node_tailnet, the_example_is_made_healthy_made_again_without_a_change_and_removed_whole)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    tailnet_lab_policy(lab, policy);
    const char *words[] = {tailnet_cloud_words[0], tailnet_cloud_words[1], "--tree", NULL, NULL};
    words[3] = cloud_tree_with_docker(lab);
    struct hetzner *cloud = hetzner_start_hosts(words);
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = example(lab, op, cloud);

    struct lab_result made = node_run(project, 1500, "create", "agent", NULL);

    cr_assert(eq(int, made.code, 0), "%s%s", made.out, made.err);
    static const char *const phases[] = {"install", "converge", "finalize", NULL};
    AUTO_JSON *told = tailnet_cloud_hold(project, phases, made.out);
    /* Nothing of what it could do without failed. */
    const struct json *steps = json_get(told, "steps");
    for (size_t i = 0; i < json_count(steps); i++)
        cr_expect(eq(i64, json_get_integer(json_at(steps, i), "failed", 0), 0), "%s", made.out);
    fprintf(stderr, "%s%s", node_expect(project, 0, "report", NULL).out,
            node_expect(project, 0, "report", "--by", "role", NULL).out);

    struct lab_result again = node_run(project, 400, "run", "agent", "--check-idempotent", NULL);
    cr_expect(eq(int, again.code, 0), "%s%s", again.out, again.err);

    struct lab_result gone = node_run(project, 300, "destroy", "agent", "--yes", NULL);
    cr_expect(eq(int, gone.code, 0), "%s%s", gone.out, gone.err);
    tailnet_cloud_empty(cloud);
    AUTO_FREE char *left = tailnet_lab_headscale(lab, "nodes", "list", NULL);
    cr_expect(strstr(left, "tag:agent") == NULL, "%s", left);
}
