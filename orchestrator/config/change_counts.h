/* What counts in place of a setting that was written, or taken out. */
#pragma once
#include "config/change_path.h"
#include "config/project.h"

struct change_counts {
    const struct change_file *file;
    const struct spot_key *at;
    const struct node *value; /* NULL: taken out */
};
/* Adds "[TARGET: ]ORIGIN: VALUE" where another layer stands above it, of one that was taken out whatever
 * counts now. */
void change_counts_look(const struct change_counts *counts, const struct project *project, struct words *out);
