#include "stage/keys.h"

#include "ansible/peers.h"
#include "base/memory.h"
#include "config/layout.h"
#include "transport/key_agent.h"

/* Agents belong to the run as its masters do, in the same scope. */
int keys_load(const struct project *project, const struct target *target, const struct machine *machine,
              const char *sockets, const struct scope *masters, const char *marker, struct error *err)
{
    struct key_agent agent = {project, sockets, masters, marker};
    return key_agent_load(&agent, target, machine, err);
}

/* The phases reach the peers too, each over its own transport. */
int keys_load_of_peers(const struct project *project, const struct target *target, const char *run,
                       const struct scope *masters, const char *marker, struct error *err)
{
    AUTO_FREE char *state = layout_state(project->directory);
    AUTO_PEERS peers = PEERS_INIT;
    if (peers_find(project, target, state, run, 1, true, &peers, err) < 0)
        return -1;
    for (size_t i = 0; i < peers.count; i++) {
        AUTO_FREE char *sockets = layout_sockets(run, peers.hosts[i].transport);
        if (keys_load(project, peers.hosts[i].target, peers.hosts[i].machine, sockets, masters, marker, err) <
            0)
            return -1;
    }
    return 0;
}
