#include "provider/made_look.h"

#include "base/memory.h"
#include "provider/provider.h"

void made_look_marks(const struct target *target, struct machine *machine)
{
    const struct provider *provider = provider_named(machine->provider);
    if (provider && provider->marks)
        (void)provider->marks(target, machine, NULL);
}

void made_look(const struct project *project, const struct target *target, const struct machine *machine,
               struct made *out, struct machine **now)
{
    const struct provider *provider = provider_named(target->provider);
    AUTO_MACHINE *resolved = provider && provider->resolve ? machine_new() : NULL;
    if (resolved)
        resolved->directory = xstrdup_or_null(machine->directory);
    /* Where ssh cannot say it, whoever connects will hear why. */
    bool known = resolved && provider->resolve(target, resolved, NULL) == 0;
    made_compare(project, target, machine, known ? resolved : NULL, out);
    if (!now)
        return;
    *now = machine_copy(machine);
    if (!made_stops(out, false))
        made_take(project, target, known ? resolved : NULL, *now);
    made_look_marks(target, *now);
}

struct machine *made_look_now(const struct project *project, const struct target *target,
                              const struct machine *machine)
{
    AUTO_MADE made = MADE_INIT;
    struct machine *now;
    made_look(project, target, machine, &made, &now);
    return now;
}
