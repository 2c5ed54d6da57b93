#include "run/attempt_phase.h"

#include "ansible/inventory.h"
#include "ansible/launcher.h"
#include "ansible/peers.h"
#include "ansible/zygote.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "event/own_hosts.h"
#include "run/async_directory.h"

#include <string.h>
#include <unistd.h>

/* The way that was verified, and where its sockets lie. */
static int take_way(const struct run_context *context, struct attempt_phase *attempt, struct error *err)
{
    if (transport_from(context->transport, &attempt->transport) < 0)
        return error_set(err, ERROR_SYSTEM, "'%s' is no transport", context->transport);
    attempt->sockets = layout_sockets(context->request->run_id, attempt->transport);
    attempt->master_log = file_join(attempt->sockets, "master.log");
    return 0;
}

/* Unless there is one over this way, which later attempts and phases share. */
static int render_inventory(struct run_context *context, const struct phase *phase,
                            const struct attempt_phase *attempt, struct error *err)
{
    const struct runner_request *request = context->request;
    const char *sockets = attempt->sockets;
    if (context->inventory)
        return 0;
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    if (ssh_arguments_make(context->machine, request->target, attempt->transport, sockets, sockets,
                           SSH_ALIVE_INTERVAL, ssh_alive_count(phase->limits.host_silent_ns), &ssh, err) < 0)
        return -1;
    AUTO_PEERS peers = PEERS_INIT;
    if (peers_find(request->project, request->target, request->state, request->run_id,
                   ssh_alive_count(phase->limits.host_silent_ns), PEERS_WITH_AGENTS, &peers, err) < 0)
        return -1;
    AUTO_ANSIBLE_SETTINGS settings = {0};
    if (ansible_settings_read(request->project->directory, (const char *const *)environ, &settings, err) < 0)
        return -1;
    AUTO_FREE char *async =
        async_directory(request->target, &settings, request->async_fixed, request->root_run);
    struct inventory_request inventory = {.project = request->project,
                                          .host = {request->target, context->machine, attempt->transport,
                                                   &ssh, context->control_path},
                                          .peers = peers.hosts,
                                          .peer_count = peers.count,
                                          .run = request->run_id,
                                          .async_directory = async};
    AUTO_FREE char *yaml = NULL;
    struct json *expect = NULL;
    if (inventory_render(&inventory, &yaml, &expect, err) < 0)
        return -1;
    AUTO_FREE char *name = xasprintf("inventory.%02d.yml", ++context->inventories);
    AUTO_FREE char *path = file_join(context->folder, name);
    if (file_replace(path, yaml, strlen(yaml), 0600, err) < 0) {
        json_free(expect);
        return -1;
    }
    json_free(context->expect);
    context->expect = expect;
    free(context->inventory);
    context->inventory = TAKE(path);
    return 0;
}

/* The transport that the phase will have, as far as can be told before it was looked for. */
static enum transport_kind likely_transport(const struct run_context *context, const struct phase *phase)
{
    enum transport_kind kind = TRANSPORT_DIRECT;
    const struct words *names = project_transports(context->request->target, phase);
    const char *name = run_context_has_transport(context, phase) ? context->transport
                       : names->count                            ? names->items[0]
                                                                 : NULL;
    if (name)
        (void)transport_from(name, &kind);
    return kind;
}

/* What the run knows of it. What only the attempt knows is the caller's to fill in. */
static struct ansible_request request_of(const struct run_context *context, const struct phase *phase,
                                         const char *sockets)
{
    return (struct ansible_request){.project = context->request->project,
                                    .target = context->request->target,
                                    .phase = phase,
                                    .machine = context->machine,
                                    .run = context->request->run_id,
                                    .run_directory = context->folder,
                                    .inventory = context->inventory,
                                    .expect = context->expect,
                                    .callback_directory = context->callback_folder,
                                    .fact_cache = context->fact_cache,
                                    .control_directory = sockets,
                                    .arguments = &context->arguments,
                                    .no_pipelining = context->sudo_needs_tty,
                                    .environment = (const char *const *)environ};
}

void attempt_phase_look_ahead(struct run_context *context, const struct phase *phase)
{
    const struct runner_request *request = context->request;
    if (context->spare || context->run_scope.kind != SCOPE_CGROUP)
        return;
    AUTO_ACCELERATION acceleration = ACCELERATION_INIT;
    accelerate_decide(request->project, request->target, phase, request->no_mitogen, &acceleration);
    if (acceleration.kind == ACCELERATE_NONE)
        return;
    AUTO_FREE char *sockets = layout_sockets(request->run_id, likely_transport(context, phase));
    struct ansible_request ask = request_of(context, phase, sockets);
    AUTO_WORDS command = WORDS_INIT, environment = WORDS_INIT;
    words_add(&command, request->project->ansible);
    ask.mitogen = acceleration.kind == ACCELERATE_MITOGEN;
    if (ask.mitogen && launcher_lay_down("triphase_mitogen.py", context->launcher_folder, NULL) < 0)
        return;
    if (launcher_wrap(&command, "triphase_launch.py", context->launcher_folder, NULL) < 0 ||
        command.count != 3 || ansible_child_environment_ahead(&ask, &environment, NULL) < 0)
        return;
    if (acceleration.kind == ACCELERATE_MITOGEN && !context->zygote)
        zygote_start(words_argv(&command), words_argv(&environment), request->project->directory,
                     &context->run_scope, &context->zygote, NULL);
    if (acceleration.kind == ACCELERATE_WARM)
        warm_start(words_argv(&command), words_argv(&environment), request->project->directory,
                   &context->run_scope, &context->spare, NULL);
}

/* What phases may keep, for the target and for the machine. */
static int make_folders(const struct run_context *context, const struct phase *phase,
                        struct attempt_phase *attempt, struct error *err)
{
    const struct runner_request *request = context->request;
    attempt->target_state = layout_target_state(request->state, request->target_name);
    attempt->machine_state = file_join(context->machine->directory, "state");
    if (file_make_dirs(attempt->target_state, 0700, err) < 0 ||
        file_make_dirs(attempt->machine_state, 0700, err) < 0)
        return -1;
    return phase->facts_cached ? file_make_dirs(context->fact_cache, 0700, err) : 0;
}

static bool is_bootstrap(const struct run_context *context, const struct phase *phase)
{
    const struct runner_request *request = context->request;
    const struct phase *bootstrap = project_recipe(request->project, request->target->recipe)->bootstrap;
    return bootstrap && text_is(bootstrap->name, phase->name); /* names are each there once */
}

/* argv, environment, secrets, files and descriptors of ansible-playbook. */
static int make_ansible(const struct run_context *context, const struct phase *phase, const struct json *owed,
                        const struct step_order *plan, struct attempt_phase *attempt, struct error *err)
{
    AUTO_FREE char *pending = owed ? json_compact(owed) : NULL;
    struct ansible_request ask = request_of(context, phase, attempt->sockets);
    ask.transport = attempt->transport;
    ask.seq = plan->seq;
    ask.attempt = plan->attempt;
    ask.events = plan->events;
    ask.target_state = attempt->target_state;
    ask.machine_state = attempt->machine_state;
    ask.pending_handlers = pending;
    ask.auth_key = is_bootstrap(context, phase) ? context->key.key : NULL;
    accelerate_decide(context->request->project, context->request->target, phase,
                      context->request->no_mitogen, &attempt->acceleration);
    ask.mitogen = attempt->acceleration.kind == ACCELERATE_MITOGEN;
    if (ansible_child_prepare(&ask, &attempt->ansible, err) < 0 ||
        (ask.mitogen && launcher_lay_down("triphase_mitogen.py", context->launcher_folder, err) < 0))
        return -1;
    return attempt->acceleration.kind == ACCELERATE_NONE
               ? 0
               : launcher_wrap(&attempt->ansible.argv, "triphase_launch.py", context->launcher_folder, err);
}

static void plan_child(struct run_context *context, const struct attempt_phase *attempt,
                       struct step_order *plan)
{
    plan->child = (struct child_plan){.argv = words_argv(&attempt->ansible.argv),
                                      .environment = words_argv(&attempt->ansible.environment),
                                      .keep = attempt->ansible.keep,
                                      .directory = context->request->project->directory};
    /* Forked now, and not ahead: what the phase before has changed counts. Without one it is started by
     * itself. */
    if (attempt->acceleration.kind == ACCELERATE_MITOGEN && context->zygote) {
        warm_dismiss(&context->spare);
        (void)zygote_fork(context->zygote, &context->spare, NULL);
    }
    plan->spare = attempt->acceleration.kind == ACCELERATE_NONE ? NULL : &context->spare;
    plan->is_async = async_directory_is_of_job;
    plan->accelerated = accelerate_name(attempt->acceleration.kind);
    plan->accelerated_why = attempt->acceleration.why;
}

/* What its event lines are held against. */
static void plan_reading(const struct run_context *context, const struct phase *phase,
                         const struct json *owed, struct attempt_phase *attempt, struct step_order *plan)
{
    const struct runner_request *request = context->request;
    own_hosts_of(request->project, request->target, &attempt->own);
    plan->host = request->target->host_name;
    plan->own = phase->beyond_allowed ? NULL : &attempt->own;
    plan->master_log = attempt->master_log;
    plan->pending_handlers = owed;
    plan->only_looks = phase->only_looks;
    plan->lost_handlers_warn = phase->lost_handlers_warn;
    plan->reboots = phase->reboots;
}

static void plan_watching(const struct run_context *context, const struct phase *phase,
                          const struct attempt_phase *attempt, struct step_order *plan)
{
    plan->limits = phase->limits;
    plan->transport_watch = (struct transport_watch_plan){.control_path = context->control_path,
                                                          .run = &context->run_scope,
                                                          .limits = &phase->limits};
    transport_watch_plan_way(&plan->transport_watch, attempt->transport, context->machine,
                             context->request->target);
    plan->forensics.control_directory = attempt->sockets;
    plan->forensics.control_path = context->control_path;
    plan->forensics.secrets = attempt->ansible.known;
}

/* Its way in, over connections of its own. */
static void plan_confirm(const struct run_context *context, const struct phase *phase,
                         struct attempt_phase *attempt, struct step_order *plan)
{
    const struct target *target = context->request->target;
    if (!phase->confirm_ns || context->request->dry_run)
        return;
    attempt->confirm_id = confirm_host_id(context->request->run_id, plan->seq);
    plan->confirm = (struct confirm_plan){
        .host = {.host = {target, context->machine,
                          ssh_needs_agent(context->machine, target) ? attempt->sockets : NULL},
                 .kind = attempt->transport,
                 .sockets = attempt->sockets,
                 .id = attempt->confirm_id,
                 .time_ns = phase->confirm_ns,
                 .reboots = phase->reboots},
        .boots_ns = phase->reboots ? target->ready_ns : 0};
}

int attempt_phase_prepare(struct run_context *context, const struct phase *phase, const struct json *owed,
                          struct attempt_phase *attempt, struct step_order *plan, struct error *err)
{
    if (take_way(context, attempt, err) < 0 || render_inventory(context, phase, attempt, err) < 0 ||
        make_folders(context, phase, attempt, err) < 0 ||
        make_ansible(context, phase, owed, plan, attempt, err) < 0)
        return -1;
    plan_child(context, attempt, plan);
    plan_reading(context, phase, owed, attempt, plan);
    plan_watching(context, phase, attempt, plan);
    plan_confirm(context, phase, attempt, plan);
    return 0;
}

void attempt_phase_clear(struct attempt_phase *attempt)
{
    ansible_child_clear(&attempt->ansible);
    acceleration_clear(&attempt->acceleration);
    words_clear(&attempt->own);
    char **const texts[] = {&attempt->sockets, &attempt->master_log, &attempt->target_state,
                            &attempt->machine_state, &attempt->confirm_id};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(TAKE(*texts[i]));
}
