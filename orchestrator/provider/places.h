/* Where a project's machines can be: each service, machine or set of programs that its targets lead to, once,
 * however many targets lead there; also those that only keys of another provider, or what was written down
 * when a machine was made, still lead to. */
#pragma once
#include "provider/provider.h"

struct place {
    const char *provider; /* its name; borrowed */
    const struct provider *calls;
    const struct target *target; /* by whose words it is asked; NULL: it needs none */
    struct words targets;        /* all that lead there */
    bool mute;                   /* nothing tells what is there */
    struct target *noted;        /* `target`, where the row of a machine says it; else NULL */
};

/* In the order of the files; what is on this machine always, and last where no target leads there; then what
 * these rows alone lead to. Hosts that were there before are nobody's to list. Malloc'ed; places_free. */
struct place *places_of(const struct project *project, struct machine *const *rows, size_t row_count,
                        size_t *count);
void places_free(struct place *places, size_t count);
/* Where a machine of this provider and target is; NULL: nothing leads there. */
const struct place *places_find(const struct place *places, size_t count, const char *provider,
                                const char *target);
