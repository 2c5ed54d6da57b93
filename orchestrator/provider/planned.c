#include "provider/planned.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/provider_facts.h"
#include "provider/provider.h"

struct machine *planned_machine(const struct project *project, const struct target *target)
{
    struct machine *machine = machine_new();
    machine->project = xstrdup_or_null(project->name);
    machine->target = xstrdup(target->name);
    machine->provider = xstrdup_or_null(target->provider);
    machine->address = xstrdup_or_null(target->address);
    machine->port = target->port;
    machine->user = xstrdup_or_null(target->user);
    machine->key = target->key && !text_is(target->key, "agent") && target->key[0] != '~'
                       ? file_join(project->directory, target->key)
                       : xstrdup_or_null(target->key);
    machine->jump = xstrdup_or_null(target->jump);
    const struct provider_facts *facts = provider_facts(target->provider);
    if (!machine->port)
        machine->port = facts->port;
    if (!machine->user)
        machine->user = xstrdup_or_null(facts->user);
    return machine;
}

struct machine *planned_as_made(const struct project *project, const struct target *target, const char *id,
                                const char *folder, struct error *err)
{
    AUTO_MACHINE *machine = planned_machine(project, target);
    AUTO_FREE char *state = layout_state(project->directory);
    const struct provider *provider = provider_named(target->provider);
    machine->id = xstrdup(id);
    /* By its folder a provider knows the project. */
    machine->directory = layout_machine(state, id);
    if (!provider || provider->plan(target, machine, err) < 0)
        return NULL;
    free(machine->directory);
    machine->directory = xstrdup(folder);
    return TAKE(machine);
}
