#include "control/reach.h"
#include "ansible/host_variables.h"
#include "ansible/vault_passwords.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "config/provider_facts.h"
#include "control/settle.h"
#include "process/guard.h"
#include "provider/made_look.h"
#include "provider/planned.h"
#include "store/history.h"
#include "transport/choose.h"
#include "transport/key_agent.h"
#include "transport/known_hosts.h"
#include "transport/login_error.h"

#include <unistd.h>

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
    return known_hosts_write(reach->machine, reach->target, reach->project->directory, err);
}

static int find_transport(struct reach *reach, const char *transport, const struct deadline *contact,
                          struct error *err)
{
    AUTO_WORDS names = WORDS_INIT;
    enum transport_kind named;
    struct transport_question question = {.names = &reach->target->transports,
                                          .target = reach->target,
                                          .machine = reach->made ? reach->machine : NULL,
                                          .for_contact = contact != NULL,
                                          .contact = contact,
                                          .look = &reach->look};
    if (!transport)
        return transport_choose(&question, &reach->kind, &reach->evidence, err);
    if (transport_from(transport, &named) < 0)
        return error_set(err, ERROR_USAGE,
                         "there is no transport '%s'; there are direct, tailnet and tailnet-userspace",
                         transport);
    words_add(&names, transport);
    question.names = &names;
    reach->kind = named;
    (void)transport_choose(&question, &named, &reach->evidence, NULL);
    return 0;
}

/* Where nothing was made yet, there is nothing that could be another project's. */
static int claim(const struct project *project, struct words *said, struct error *err)
{
    AUTO_FREE char *state = layout_state(project->directory);
    return file_is_dir(state) ? settle_project(project->directory, said, err) : 0;
}

int reach_find(struct project *project, const struct target *target, const char *transport,
               const struct deadline *contact, struct words *said, struct reach *out, struct error *err)
{
    struct reach found = {.project = project, .target = target};
    host_variables_fill(project, target->name, NULL);
    vault_passwords_forget();
    if ((contact && claim(project, said, err) < 0) || find_machine(&found, said, err) < 0) {
        reach_clear(&found);
        return -1;
    }
    int status = find_transport(&found, transport, contact, err);
    if (status == 0 || found.evidence)
        *out = found;
    else
        reach_clear(&found);
    return status;
}

int reach_plan(struct reach *reach, const char *id, const char *folder, struct error *err)
{
    const struct target *target = reach->target;
    if (reach->made)
        return 0;
    if (!provider_facts(target->provider)->existing)
        return error_set(err, ERROR_USAGE,
                         "nothing is made for the target '%s' yet; 'triphase create %s' makes it",
                         target->name, target->name);
    struct machine *machine = planned_as_made(reach->project, target, id, folder, err);
    if (!machine)
        return -1;
    machine_free(reach->machine);
    reach->machine = machine;
    return known_hosts_write(machine, target, reach->project->directory, err);
}

void reach_clear(struct reach *reach)
{
    json_free(reach->evidence);
    tailnet_look_clear(&reach->look);
    machine_free(reach->machine);
    *reach = (struct reach){0};
}

/* What this process holds for as long as it lives, also as what it becomes. */
struct hold {
    char *sockets, *marker;
    struct scope scope;
};

static void hold_clear(struct hold *hold)
{
    free(hold->sockets);
    free(hold->marker);
    scope_close(&hold->scope);
}

#define AUTO_HOLD __attribute__((cleanup(hold_clear))) struct hold

/* A folder of sockets and a scope, which a guard ends with this process. */
static int hold_begin(const struct reach *reach, struct hold *out, struct error *err)
{
    char id[ID_SIZE];
    id_make(id);
    out->sockets = layout_sockets(id, reach->kind);
    out->marker = marks_run(id);
    AUTO_FREE char *name = xasprintf("ssh-%s", id);
    struct child guard = CHILD_INIT;
    if (layout_make_sockets(out->sockets, err) < 0)
        return -1;
    if (scope_open(name, out->marker, &out->scope, err) < 0 ||
        guard_start(&out->scope, out->sockets, -1, &guard, err) < 0) {
        (void)rmdir(out->sockets);
        return -1;
    }
    child_close(&guard);
    return 0;
}

static int load_key(const struct reach *reach, const struct hold *hold, struct error *err)
{
    struct key_agent agent = {reach->project, hold->sockets, &hold->scope, hold->marker};
    return key_agent_load(&agent, reach->target, reach->machine, err);
}

int reach_open_agent(const struct reach *reach, char **directory, struct error *err)
{
    AUTO_HOLD hold = {.scope = {.fd = -1}};
    if (hold_begin(reach, &hold, err) < 0 || load_key(reach, &hold, err) < 0)
        return -1;
    *directory = TAKE(hold.sockets);
    return 0;
}

static int open_master(const struct reach *reach, const struct hold *hold, const struct ssh_arguments *ssh,
                       bool may_answer, struct error *err)
{
    AUTO_WORDS environment = WORDS_INIT;
    AUTO_FREE char *log = file_join(hold->sockets, "master.log");
    struct transport_route route = {0};
    struct login login = {0};
    AUTO_ERROR failed = ERROR_INIT;
    if (transport_resolve(ssh, &route, err) < 0)
        return -1;
    child_inherited(&environment);
    words_add(&environment, hold->marker);
    struct login_request ask = {.ssh = ssh,
                                .route = &route,
                                .log = log,
                                .masters = &hold->scope,
                                .environment = words_argv(&environment),
                                .deadline = deadline_in(reach->target->transport_ns),
                                .tailscale_ssh = reach->target->tailscale_ssh_accept,
                                .local_command = true};
    int status = login_open(&ask, &login, &failed);
    if (status < 0 && failed.kind != ERROR_NONE)
        error_move(err, &failed);
    else if (status < 0 && may_answer && text_is(login.cause, "auth"))
        status = 0;
    else if (status < 0)
        login_error(&login, &route, reach->target->name, reach->kind, err);
    login_clear(&login);
    transport_route_clear(&route);
    return status;
}

int reach_log_in(const struct reach *reach, bool may_answer, struct ssh_arguments *ssh, struct error *err)
{
    AUTO_HOLD hold = {.scope = {.fd = -1}};
    AUTO_SSH_ARGUMENTS made = SSH_ARGUMENTS_INIT;
    /* ssh takes a host for dead that is silent while it logs in, too: it has the time that a run gives it. */
    if (hold_begin(reach, &hold, err) < 0 || load_key(reach, &hold, err) < 0 ||
        ssh_arguments_make(reach->machine, reach->target, reach->kind, hold.sockets, hold.sockets,
                           SSH_ALIVE_INTERVAL, ssh_alive_count(reach->target->transport_ns), &made,
                           err) < 0 ||
        open_master(reach, &hold, &made, may_answer, err) < 0)
        return -1;
    *ssh = made;
    made = (struct ssh_arguments)SSH_ARGUMENTS_INIT;
    return 0;
}
