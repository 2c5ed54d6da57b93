#include "control/reach.h"
#include "ansible/host_variables.h"
#include "ansible/vault_passwords.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "config/layout.h"
#include "control/settle.h"
#include "process/guard.h"
#include "provider/made_look.h"
#include "provider/planned.h"
#include "store/history.h"
#include "transport/choose.h"
#include "transport/key_agent.h"
#include "transport/known_hosts.h"

static int find_machine(struct reach *reach, struct words *said, struct error *err)
{
    AUTO_FREE char *state = layout_state(reach->project->directory);
    AUTO_FREE char *store = layout_store(state);
    AUTO_MACHINE *row = NULL;
    AUTO_MADE made = MADE_INIT;
    if (history_made(store, reach->target->name, &row, err) < 0)
        return -1;
    reach->made = row != NULL;
    if (!row)
        reach->machine = planned_machine(reach->project, reach->target);
    else
        made_look(reach->project, reach->target, row, &made, &reach->machine);
    if (row && made_refuse(&made, reach->target, row, false, err) < 0)
        return error_prefix(err, "%s", reach->target->name);
    for (size_t i = 0; i < made.count; i++) {
        AUTO_FREE char *text = made_text(&made.items[i]);
        words_addf(said, "%s: warning: %s", reach->target->name, text);
    }
    host_variables_apply(reach->target, reach->machine);
    return ssh_write_known_hosts(reach->machine, reach->target, reach->project->directory, err);
}

static int find_transport(struct reach *reach, const char *transport, bool for_contact, struct error *err)
{
    if (!transport)
        return transport_choose(&reach->target->transports, reach->target, for_contact, &reach->kind,
                                &reach->evidence, err);
    AUTO_WORDS names = WORDS_INIT;
    enum transport_kind ignored;
    if (transport_from(transport, &reach->kind) < 0)
        return error_set(err, ERROR_USAGE,
                         "there is no transport '%s'; there are direct, tailnet and tailnet-userspace",
                         transport);
    words_add(&names, transport);
    (void)transport_choose(&names, reach->target, for_contact, &ignored, &reach->evidence, NULL);
    return 0;
}

/* Where nothing was made yet, there is nothing that could be another project's. */
static int claim(const struct project *project, struct words *said, struct error *err)
{
    AUTO_FREE char *state = layout_state(project->directory);
    return file_is_dir(state) ? settle_project(project->directory, said, err) : 0;
}

int reach_find(struct project *project, const struct target *target, const char *transport, bool for_contact,
               struct words *said, struct reach *out, struct error *err)
{
    struct reach found = {.project = project, .target = target};
    host_variables_fill(project, target->name, NULL);
    vault_passwords_forget();
    if ((for_contact && claim(project, said, err) < 0) || find_machine(&found, said, err) < 0 ||
        find_transport(&found, transport, for_contact, err) < 0) {
        reach_free(&found);
        return -1;
    }
    *out = found;
    return 0;
}

void reach_free(struct reach *reach)
{
    json_free(reach->evidence);
    machine_free(reach->machine);
    *reach = (struct reach){0};
}

int reach_open_agent(const struct reach *reach, char **directory, struct error *err)
{
    char id[ID_SIZE];
    id_make(id);
    AUTO_FREE char *sockets = layout_sockets(id, reach->kind);
    AUTO_FREE char *name = xasprintf("ssh-%s", id), *marker = xasprintf("TRIPHASE_RUN=%s", id);
    struct scope scope = {.fd = -1};
    struct child guard = CHILD_INIT;
    if (layout_make_sockets(sockets, err) < 0 || scope_open(name, marker, &scope, err) < 0)
        return -1;
    struct key_agent agent = {reach->project, sockets, &scope, marker};
    int status = guard_start(&scope, sockets, -1, &guard, err);
    if (status == 0)
        status = key_agent_load(&agent, reach->target, reach->machine, err);
    child_close(&guard);
    scope_close(&scope);
    if (status == 0)
        *directory = TAKE(sockets);
    return status;
}
