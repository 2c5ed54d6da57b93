/* Where a project's machines can be: each service, machine or set of programs that its targets lead to, once,
 * however many targets lead there. */
#pragma once
#include "provider/provider.h"

struct place {
    const char *provider; /* its name; borrowed */
    const struct provider *calls;
    const struct target *target; /* by whose words it is asked; NULL: it needs none */
    struct words targets;        /* all that lead there */
    bool mute;                   /* nothing tells what is there */
};

/* In the order of the files; what is on this machine always, and last where no target leads there. Hosts that
 * were there before are nobody's to list. Malloc'ed; places_free. */
struct place *places_of(const struct project *project, size_t *count);
void places_free(struct place *places, size_t count);
/* Whether a machine of this provider can be asked for by this target (NULL: by none). */
bool places_can_ask(const char *provider, const struct target *target);
