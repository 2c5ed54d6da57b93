#include "stage/keys.h"

#include "transport/key_agent.h"

/* Agents belong to the run as its masters do, in the same scope. */
int keys_load(const struct project *project, const struct target *target, const struct machine *machine,
              const char *sockets, const struct scope *masters, const char *marker, struct error *err)
{
    struct key_agent agent = {project, sockets, masters, marker};
    return key_agent_load(&agent, target, machine, err);
}
