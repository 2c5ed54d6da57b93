/* Removing all that belongs to a machine at Hetzner Cloud, and nothing else. */
#pragma once
#include "provider/hetzner_list.h"

struct hetzner_removal {
    const char *machine, *name; /* its id, and what its things are called (sandbox_name) */
    const char *project_id;     /* what bears another project's is not touched; NULL: nobody asks */
    /* What the row says that they are, where this is the account that they were made in; 0: not known. Finds
     * those that were renamed and lost their labels. */
    int64_t ids[HETZNER_KINDS];
    /* No row knows it: only what bears the machine's and the project's label, and is past its time by what
     * its label says now. */
    bool listed;
};

/* Each on its own, and sees it gone. `found` (may be NULL): whether there was anything. ERROR_PROVIDER names
 * what is still there, and why. */
int hetzner_remove(struct cloud_api *api, const struct hetzner_removal *of, bool *found, struct error *err);
