#include "lab/cloud_tree.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#define SEED "var/lib/cloud/seed/nocloud"

/* A seed, or nothing at all, and no network to wait for: a sandbox's address is set from outside. Apt's
 * sources are those that the tree was made from. */
static const char lab_config[] = "datasource_list: [NoCloud, None]\nnetwork: {config: disabled}\n"
                                 "apt: {preserve_sources_list: true}\nlocale: false\n"
                                 "ssh_genkeytypes: [ed25519]\n";

static const char kept_config[] = "ssh_deletekeys: false\ndisable_root: false\n";

const char *cloud_tree_made(void)
{
    static char *path;
    if (!path) {
        path = lab_keep(rig_output("setup/cloud-tree.sh --where"));
        path[strcspn(path, "\n")] = '\0';
        cr_assert(file_is_dir(path), "no tree of a cloud host in %s: setup/cloud-tree.sh makes it", path);
    }
    return path;
}

static void plant(struct lab *lab, const char *layer, const char *path, const char *content,
                  const char *preset)
{
    AUTO_FREE char *below = xasprintf("%s/%s", layer, path);
    lab_write(lab, below, "%s", content ? content : preset);
}

const char *cloud_tree(struct lab *lab, const struct cloud_seed *seed)
{
    static int count;
    AUTO_ERROR err = ERROR_INIT;
    rig_needed();
    AUTO_FREE char *layer = xasprintf("cloud-%d/seed", ++count);
    plant(lab, layer, SEED "/user-data", seed->user_data, "#cloud-config\n");
    plant(lab, layer, SEED "/meta-data", seed->meta_data, "instance-id: first\n");
    plant(lab, layer, SEED "/vendor-data", seed->vendor_data, "");
    plant(lab, layer, "etc/cloud/cloud.cfg.d/90_lab.cfg", NULL, lab_config);
    plant(lab, layer, "etc/cloud/cloud.cfg.d/95_test.cfg", seed->config, kept_config);
    char *tree = lab_keep(xasprintf("%s/cloud-%d/tree", lab_folder(lab), count));
    cr_assert_eq(file_make_dirs(tree, 0755, &err), 0, "%s", error_text(&err));
    /* The guest's own overlay over this one is the second, and the last that Linux stacks. */
    AUTO_FREE char *options = xasprintf("lowerdir=%s/%s:%s", lab_folder(lab), layer, cloud_tree_made());
    cr_assert_eq(mount("triphase-lab", tree, "overlay", MS_RDONLY, options), 0, "%s: %s", options,
                 strerrordesc_np(errno));
    return tree;
}
