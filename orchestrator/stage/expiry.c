#include "stage/expiry.h"

#include "base/memory.h"
#include "event/step_log.h"
#include "provider/provider.h"

char *expiry_put_off(const struct target *target, struct machine *machine, int64_t ends_ns)
{
    const struct provider *provider = provider_named(machine->provider);
    int64_t was = machine->expires_ns;
    AUTO_ERROR err = ERROR_INIT;
    machine->expires_ns = machine_expiry(machine, target->ttl_ns, ends_ns);
    /* One that is not made yet is made with it. */
    if (machine->expires_ns == was || !machine->made_ns || !provider || !provider->expire ||
        provider->expire(target, machine, &err) == 0)
        return NULL;
    machine->expires_ns = was; /* the next run tries it again */
    char *warning =
        xasprintf("when it expires could not be written down where other machines see it, so that "
                  "a sweep from there may remove it while this run is at work: %s",
                  error_text(&err));
    step_log_say("warning: %s", warning);
    return warning;
}
