/* The root tree of a cloud host (setup/cloud-tree.sh) with a NoCloud seed of the test's own: real cloud-init
 * finds it at the first boot of a sandbox whose `root` the tree is, and goes through all its stages. */
#pragma once
#include "lab/lab.h"

struct cloud_seed {
    const char
        *user_data; /* whole, with its first line #cloud-config, #! or MIME; NULL: nothing but that line */
    const char *meta_data;   /* YAML with `instance-id`; NULL: that alone */
    const char *vendor_data; /* may be NULL */
    /* A file of /etc/cloud/cloud.cfg.d. NULL: the sandbox's pinned host key stays, and root may log in. "":
     * as an image would have it, host keys are made anew. */
    const char *config;
};

/* The absolute path of the folder, as long as the test; it is never written to. Below the lab's folder, whose
 * warden takes it away behind everything that the lab's program made. Skips the test where no sandbox can be
 * made. */
const char *cloud_tree(struct lab *lab, const struct cloud_seed *seed);
/* The tree below all of them, which setup/cloud-tree.sh has made; without a seed. */
const char *cloud_tree_made(void);
