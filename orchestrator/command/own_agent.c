#include "command/own_agent.h"

#include "action/key_agent.h"
#include "base/id.h"
#include "base/memory.h"
#include "data/layout.h"
#include "mechanism/guard.h"

int own_agent_start(const struct project *project, const struct target *target, const struct machine *machine,
                    enum transport_kind kind, char **directory, struct error *err)
{
    if (!ssh_needs_agent(machine, target))
        return 0;
    char id[ID_SIZE];
    id_make(id);
    AUTO_FREE char *sockets = layout_sockets(id, transport_name(kind));
    AUTO_FREE char *name = xasprintf("ssh-%s", id), *marker = xasprintf("TRIPHASE_RUN=%s", id);
    struct scope scope = {.fd = -1};
    struct child guard = CHILD_INIT;
    if (layout_make_sockets(sockets, err) < 0 || scope_open(name, marker, &scope, err) < 0)
        return -1;
    struct key_agent agent = {project, sockets, &scope, marker};
    int status = guard_start(&scope, sockets, -1, &guard, err);
    if (status == 0)
        status = key_agent_load(&agent, target, machine, err);
    child_close(&guard);
    scope_close(&scope);
    if (status == 0)
        *directory = TAKE(sockets);
    return status;
}
