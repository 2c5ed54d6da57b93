#include "stage/provision.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/layout.h"
#include "provider/made.h"
#include "provider/provider.h"
#include "stage/leave_tailnet.h"
#include "transport/route.h"

static void put_machine(struct json *result, const struct machine *machine)
{
    json_set(result, "machine", machine_to_json(machine));
}

/* Into the step's row. */
static void put_known_by(struct json *result, const struct machine *machine)
{
    const char *known_by = json_get_string(machine->resources, MACHINE_HOST_KEYS_BY, NULL);
    if (!known_by)
        return;
    struct json *evidence = json_new_object();
    json_set_string(evidence, MACHINE_HOST_KEYS_BY, known_by);
    json_set(result, "evidence", evidence);
}

int provision_make(const struct project *project, const struct target *target, struct machine *machine,
                   struct json *result, struct error *err)
{
    const struct provider *provider = provider_named(machine->provider);
    if (!provider)
        return error_set(err, ERROR_PROVIDER, "there is no provider '%s' in this version", machine->provider);
    if (provider->check(target, err) < 0)
        return -1;
    if (!machine->made_ns) {
        /* An earlier attempt may have died half way: what it left goes first. Nothing there is fine too. */
        if (provider->remove(target, machine, target->destroy_ns, err) < 0)
            return error_prefix(err, "cannot clear away what an earlier attempt left of '%s'",
                                machine->target);
        /* What is said of it may have changed since it was announced. */
        if (provider->plan(target, machine, err) < 0)
            return -1;
        made_note(project, target, machine);
        if (provider->make(target, machine, err) < 0)
            return -1;
        machine->made_ns = moment_wall();
        put_known_by(result, machine);
        put_machine(result, machine);
    }
    return provider->verify(target, machine, target->ready_ns, err);
}

/* What of the machine's row is known whatever comes next: nothing of it is done a second time. */
static void put_left(const struct machine *machine, struct json *evidence, struct json *result)
{
    if (!machine->tailnet)
        return;
    json_set(result, "evidence", json_keep(evidence));
    put_machine(result, machine);
}

int provision_remove(const struct project *project, const struct host *host, const struct json *request,
                     const struct target *target, struct machine *machine, struct json *result,
                     struct error *err)
{
    const struct provider *provider = provider_named(machine->provider);
    if (!provider)
        return error_set(err, ERROR_PROVIDER,
                         "there is no provider '%s' in this version; its machine %s must be removed by hand",
                         machine->provider, machine->reference);
    int64_t bound = target ? target->destroy_ns : 120 * NS_PER_S;
    /* Masters of whoever used `ssh` and `inventory` by hand. */
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        AUTO_FREE char *sockets = layout_sockets(machine->id, (enum transport_kind)kind);
        transport_close_masters(sockets, NULL);
    }
    AUTO_JSON *evidence = json_new_object();
    const char *directory = project ? project->directory : NULL;
    leave_tailnet_begin(host, directory, machine, evidence);
    put_left(machine, evidence, result);
    if (provider->remove(target, machine, bound, err) < 0)
        return -1;
    if (machine->tailnet &&
        leave_tailnet_end(target, directory, machine, target ? target->tailnet_ns : bound, evidence, err) < 0)
        return -1;
    if (!json_get_bool(request, "keep_state") && file_remove_tree(machine->directory, err) < 0)
        return error_prefix(err, "the machine is gone, but not its folder");
    machine->removed_ns = moment_wall();
    put_machine(result, machine);
    return 0;
}
