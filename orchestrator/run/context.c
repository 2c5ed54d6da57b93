#include "run/context.h"

#include "ansible/inventory.h"
#include "ansible/launcher.h"
#include "ansible/peers.h"
#include "ansible/warm.h"
#include "base/embedded.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "event/own_hosts.h"
#include "provider/made.h"
#include "provider/provider.h"
#include "run/async_directory.h"
#include "run/recovery.h"
#include "stage/stage.h"
#include "transport/route.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { DESTROY_BOUND_S = 120, STAGE_GRACE_S = 5 };

static bool wanted(const struct runner_request *request, const struct phase *phase)
{
    if (request->done && words_have(request->done, phase->name))
        return false;
    if (!request->phases || !request->phases[0])
        return true;
    for (const char *const *name = request->phases; *name; name++)
        if (text_is(*name, phase->name))
            return true;
    return false;
}

static void add(struct item_list *list, const char *stage, const struct phase *phase)
{
    list->items = xreallocarray(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = (struct item){stage, phase};
}

void item_list_make(const struct runner_request *request, struct item_list *out)
{
    const struct recipe *recipe =
        request->target ? project_recipe(request->project, request->target->recipe) : NULL;
    bool destroy = text_is(request->does, "destroy");
    *out = (struct item_list){NULL, 0};
    if (text_is(request->does, "create"))
        add(out, "provision", NULL);
    for (size_t i = 0; recipe && !destroy && i < recipe->phase_count; i++)
        if (wanted(request, &recipe->phases[i]))
            add(out, NULL, &recipe->phases[i]);
    for (size_t i = 0; recipe && destroy && !request->no_teardown && i < recipe->teardown_count; i++)
        if (wanted(request, &recipe->teardown[i]))
            add(out, NULL, &recipe->teardown[i]);
    if (destroy)
        add(out, "destroy", NULL);
}

void item_list_free(struct item_list *list)
{
    free(list->items);
    *list = (struct item_list){NULL, 0};
}

/* The callback plugin as it is built into this program, so that a project cannot bring another one by accident. */
static int lay_down_callback(const char *folder, struct error *err)
{
    for (size_t i = 0; i < embedded_file_count; i++) {
        const struct embedded_file *file = &embedded_files[i];
        if (!text_is(file->path, "callback/triphase_events.py"))
            continue;
        AUTO_FREE char *path = file_join(folder, "triphase_events.py");
        return file_make_dirs(folder, 0700, err) < 0 ? -1
                                                     : file_replace(path, file->bytes, file->size, 0600, err);
    }
    return error_set(err, ERROR_SYSTEM, "this program was built without its callback plugin; build it again");
}

int item_enter(struct item_context *context, const struct runner_request *request, const char *folder,
               struct error *err)
{
    *context = (struct item_context){.request = request, .run_scope = {.fd = -1}};
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        return error_system(err, errno, "cannot find this program's own path");
    self[length] = '\0';
    AUTO_FREE char *scope_name = xasprintf("run-%s", request->run_id),
                   *marker = xasprintf("TRIPHASE_RUN=%s", request->run_id);
    context->callback_folder = file_join(folder, "callback");
    context->launcher_folder = file_join(folder, "launcher");
    if (lay_down_callback(context->callback_folder, err) < 0 ||
        scope_open(scope_name, marker, &context->run_scope, err) < 0 ||
        (request->arguments && ansible_check_arguments(request->arguments, &context->arguments, err) < 0)) {
        item_context_free(context);
        return -1;
    }
    struct utsname names;
    context->self = xstrdup(self);
    context->folder = xstrdup(folder);
    context->shown = xasprintf("runs/%s", request->run_id);
    context->boot_id = process_boot_id();
    context->node = xstrdup(uname(&names) == 0 ? names.nodename : "unknown");
    context->fact_cache = file_join(folder, "facts");
    if (request->machine)
        context->machine = machine_copy(request->machine);
    return 0;
}

void item_leave(struct item_context *context)
{
    spare_dismiss(&context->spare);
    if (context->async_seen)
        async_directory_tidy(context->request->root_run, context->control_path);
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++) {
        AUTO_FREE char *sockets = layout_sockets(context->request->run_id, (enum transport_kind)kind);
        transport_close_masters(sockets, NULL);
    }
    file_remove_tree(context->callback_folder, NULL);
    file_remove_tree(context->launcher_folder, NULL);
    file_remove_tree(context->fact_cache, NULL);
}

void item_context_free(struct item_context *context)
{
    scope_remove(&context->run_scope, NULL);
    scope_close(&context->run_scope);
    machine_free(context->machine);
    json_free(context->expect);
    json_free(context->recovery);
    ansible_arguments_free(&context->arguments);
    char *const texts[] = {context->self,
                           context->folder,
                           context->shown,
                           context->boot_id,
                           context->node,
                           context->transport,
                           context->evidence,
                           context->control_path,
                           context->callback_folder,
                           context->launcher_folder,
                           context->fact_cache,
                           context->inventory};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    *context = (struct item_context){.run_scope = {.fd = -1}};
}

int item_announce(struct item_context *context, struct error *err)
{
    const struct runner_request *request = context->request;
    const struct provider *provider = provider_named(request->target->provider);
    if (!provider)
        return error_set(err, ERROR_PROJECT, "there is no provider '%s' in this version",
                         request->target->provider);
    AUTO_MACHINE *machine = machine_new();
    machine->id = xmalloc(ID_SIZE);
    id_make(machine->id);
    machine->project = xstrdup(request->project_name);
    machine->target = xstrdup(request->target_name);
    machine->provider = xstrdup(request->target->provider);
    machine->directory = layout_machine(request->state, machine->id);
    AUTO_FREE char *state = file_join(machine->directory, "state");
    if (file_make_dirs(state, 0700, err) < 0 || provider->plan(request->target, machine, err) < 0)
        return -1;
    made_note(request->project, request->target, machine);
    context->machine = TAKE(machine);
    return 0;
}

bool item_has_transport(const struct item_context *context, const struct phase *phase)
{
    return context->transport &&
           (!phase->transports.count || words_have(&phase->transports, context->transport));
}

void item_took_transport(struct item_context *context, const char *transport, const char *control_path,
                         const struct json *evidence)
{
    item_forget(context);
    context->transport = xstrdup(transport);
    context->control_path = xstrdup_or_null(control_path);
    context->evidence = evidence ? json_compact(evidence) : NULL;
    context->sudo_needs_tty = json_get_bool(evidence, "sudo_needs_tty");
}

void item_forget(struct item_context *context)
{
    free(TAKE(context->transport));
    free(TAKE(context->evidence));
    free(TAKE(context->control_path));
    free(TAKE(context->inventory));
    file_remove_tree(context->fact_cache, NULL);
}

static char *own(struct item_attempt *attempt, char *text)
{
    words_own(&attempt->owned, text);
    return text;
}

/* For a stage's child: what it is asked and answers, and what a key's passphrase may be read from. */
static void keep_open(struct item_attempt *attempt, const struct project *project)
{
    size_t count = 0;
    attempt->keep = xcalloc((project ? project->target_count : 0) + 3, sizeof *attempt->keep);
    attempt->keep[count++] = attempt->request_fd;
    attempt->keep[count++] = attempt->result_fd;
    for (size_t i = 0; project && i < project->target_count; i++) {
        const struct secret *secret = &project->targets[i].key_passphrase;
        if (secret->kind == SECRET_FD && secret_is_given(secret->fd))
            attempt->keep[count++] = secret->fd;
    }
    attempt->keep[count] = -1;
}

static int prepare_stage(struct item_context *context, struct item_attempt *attempt, const char *stage,
                         const struct phase *next, struct error *err)
{
    const struct runner_request *request = context->request;
    const struct target *target = request->target;
    AUTO_JSON *ask = json_new_object();
    json_set_string(ask, "target", request->target_name);
    json_set_string(ask, "run", request->run_id);
    json_set(ask, "machine", machine_to_json(context->machine));
    json_set_bool(ask, "keep_state", request->keep_state);
    json_set_bool(ask, "as_made", text_is(request->does, "destroy"));
    json_set_bool(ask, "project_readable", request->project != NULL);
    int64_t bound = DESTROY_BOUND_S * NS_PER_S;
    if (text_is(stage, "provision"))
        bound = target->provision_ns + target->root_tree_ns;
    else if (text_is(stage, "transport"))
        bound = target->transport_ns;
    else if (recovery_is_look(stage))
        bound = context->recovery_bound;
    else if (target)
        bound = target->destroy_ns;
    json_set_integer(ask, "bound_ns", bound);
    stage_hand_over(target, ask);
    void *at = NULL;
    const char *key;
    for (struct json *value; json_each(context->recovery, &at, &key, &value);)
        json_set(ask, key, json_keep(value));
    if (context->transport)
        json_set_string(ask, "transport", context->transport);
    if (next) {
        const struct words *names = next->transports.count ? &next->transports : &target->transports;
        struct json *list = json_new_array();
        for (size_t i = 0; i < names->count; i++)
            json_append(list, json_new_string(names->items[i]));
        json_set(ask, "transports", list);
        json_set_integer(ask, "alive_count", ssh_alive_count(next->host_silent_ns));
    }
    attempt->request_fd = stage_memfd("request", ask, true, err);
    attempt->result_fd = attempt->request_fd < 0 ? -1 : stage_memfd("result", NULL, false, err);
    if (attempt->result_fd < 0)
        return -1;
    words_add_all(&attempt->argv, context->self, "-C", request->project_directory, NULL);
    for (const char *const *set = request->sets; set && *set; set++)
        words_add_all(&attempt->argv, "--set", *set, NULL);
    words_add_all(&attempt->argv, "stage", stage, NULL);
    words_addf(&attempt->argv, "%d", attempt->request_fd);
    words_addf(&attempt->argv, "%d", attempt->result_fd);
    words_add_list(&attempt->environment, (const char *const *)environ);
    words_set_env(&attempt->environment, "TRIPHASE_RUN", request->run_id);
    keep_open(attempt, request->project);
    attempt->plan.child.keep = attempt->keep;
    attempt->plan.child.argv = words_argv(&attempt->argv);
    /* Files that Ansible's ssh arguments name are looked for where Ansible runs. */
    attempt->plan.child.directory = request->project_directory;
    /* The stage bounds itself by `bound`; the watchdog is for one that does not. */
    attempt->plan.deadline_ns = bound + STAGE_GRACE_S * NS_PER_S;
    attempt->plan.grace_ns = STAGE_GRACE_S * NS_PER_S;
    return 0;
}

static int render(struct item_context *context, enum transport_kind transport, const char *sockets,
                  const struct phase *phase, struct error *err)
{
    const struct runner_request *request = context->request;
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    if (ssh_arguments_make(context->machine, request->target, transport, sockets, sockets, SSH_ALIVE_INTERVAL,
                           ssh_alive_count(phase->host_silent_ns), &ssh, err) < 0)
        return -1;
    AUTO_PEERS peers = PEERS_INIT;
    if (peers_find(request->project, request->target, request->state, request->run_id,
                   ssh_alive_count(phase->host_silent_ns), false, &peers, err) < 0)
        return -1;
    AUTO_ANSIBLE_SETTINGS settings = {0};
    if (ansible_settings_read(request->project->directory, (const char *const *)environ, &settings, err) < 0)
        return -1;
    AUTO_FREE char *async =
        async_directory(request->target, &settings, request->async_fixed, request->root_run);
    struct inventory_request inventory = {.project = request->project,
                                          .host = {request->target, context->machine, transport, &ssh,
                                                   context->control_path},
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
static enum transport_kind likely_transport(const struct item_context *context, const struct phase *phase)
{
    enum transport_kind kind = TRANSPORT_DIRECT;
    const struct words *names =
        phase->transports.count ? &phase->transports : &context->request->target->transports;
    (void)transport_from(item_has_transport(context, phase) ? context->transport : names->items[0], &kind);
    return kind;
}

void item_look_ahead(struct item_context *context, const struct phase *phase)
{
    const struct runner_request *request = context->request;
    if (context->spare || context->run_scope.kind != SCOPE_CGROUP)
        return;
    AUTO_FREE char *sockets = layout_sockets(request->run_id, likely_transport(context, phase));
    struct ansible_request ask = {.project = request->project,
                                  .target = request->target,
                                  .phase = phase,
                                  .run = request->run_id,
                                  .callback_directory = context->callback_folder,
                                  .fact_cache = context->fact_cache,
                                  .control_directory = sockets,
                                  .no_pipelining = context->sudo_needs_tty,
                                  .environment = (const char *const *)environ};
    AUTO_WORDS command = WORDS_INIT, environment = WORDS_INIT;
    words_add(&command, request->project->ansible);
    if (launcher_wrap(&command, "triphase_launch.py", context->launcher_folder, NULL) < 0 ||
        command.count != 3 || ansible_environment_ahead(&ask, &environment, NULL) < 0)
        return;
    spare_start(words_argv(&command), words_argv(&environment), request->project->directory,
                &context->run_scope, &context->spare, NULL);
}

static int prepare_phase(struct item_context *context, struct item_attempt *attempt,
                         const struct phase *phase, const struct json *owed, struct error *err)
{
    const struct runner_request *request = context->request;
    enum transport_kind transport;
    if (transport_from(context->transport, &transport) < 0)
        return error_set(err, ERROR_SYSTEM, "'%s' is no transport", context->transport);
    AUTO_FREE char *sockets = layout_sockets(request->run_id, transport);
    AUTO_FREE char *target_state = layout_target_state(request->state, request->target_name);
    AUTO_FREE char *machine_state = file_join(context->machine->directory, "state");
    AUTO_FREE char *pending = owed ? json_compact(owed) : NULL;
    if ((!context->inventory && render(context, transport, sockets, phase, err) < 0) ||
        file_make_dirs(target_state, 0700, err) < 0 || file_make_dirs(machine_state, 0700, err) < 0 ||
        (phase->facts_cached && file_make_dirs(context->fact_cache, 0700, err) < 0))
        return -1;
    struct ansible_request ask = {.project = request->project,
                                  .target = request->target,
                                  .phase = phase,
                                  .machine = context->machine,
                                  .transport = transport,
                                  .run = request->run_id,
                                  .seq = attempt->plan.seq,
                                  .attempt = attempt->plan.attempt,
                                  .run_directory = context->folder,
                                  .inventory = context->inventory,
                                  .expect = context->expect,
                                  .events = attempt->plan.events,
                                  .callback_directory = context->callback_folder,
                                  .fact_cache = context->fact_cache,
                                  .control_directory = sockets,
                                  .target_state = target_state,
                                  .machine_state = machine_state,
                                  .pending_handlers = pending,
                                  .arguments = &context->arguments,
                                  .no_pipelining = context->sudo_needs_tty,
                                  .environment = (const char *const *)environ};
    if (ansible_prepare(&ask, &attempt->ansible, err) < 0)
        return -1;
    if (launcher_wrap(&attempt->ansible.argv, "triphase_launch.py", context->launcher_folder, err) < 0)
        return -1;
    words_add_list(&attempt->environment, words_argv(&attempt->ansible.environment));
    attempt->pending = owed ? json_parse(pending, strlen(pending), NULL) : NULL;
    attempt->plan.child.argv = words_argv(&attempt->ansible.argv);
    attempt->plan.child.keep = attempt->ansible.keep;
    attempt->plan.child.directory = request->project->directory;
    attempt->plan.spare = &context->spare;
    attempt->plan.is_async = async_directory_is_of_job;
    attempt->plan.master_log = own(attempt, file_join(sockets, "master.log"));
    attempt->plan.pending_handlers = attempt->pending;
    attempt->plan.lost_handlers_warn = phase->lost_handlers_warn;
    attempt->plan.reboots = phase->reboots;
    attempt->plan.deadline_ns = phase->deadline_ns;
    attempt->plan.silence_ns = phase->silence_ns;
    attempt->plan.task_ns = phase->task_ns;
    attempt->plan.grace_ns = phase->grace_ns;
    attempt->plan.host = request->target->host_name;
    own_hosts_of(request->project, request->target, &attempt->own);
    attempt->plan.own = phase->beyond_allowed ? NULL : &attempt->own;
    attempt->plan.transport_watch = (struct transport_watch_plan){.control_path = context->control_path,
                                                                  .run = &context->run_scope,
                                                                  .lost_ns = phase->transport_lost_ns,
                                                                  .grace_ns = phase->transport_grace_ns,
                                                                  .silent_ns = phase->host_silent_ns};
    attempt->plan.forensics.control_directory = own(attempt, xstrdup(sockets));
    attempt->plan.forensics.control_path = context->control_path;
    attempt->plan.forensics.secrets = attempt->ansible.known;
    return 0;
}

int item_prepare(struct item_context *context, const char *stage, const struct phase *phase,
                 const struct phase *next, int seq, int attempt_number, const struct json *owed,
                 struct item_attempt **out, struct error *err)
{
    const struct runner_request *request = context->request;
    const char *name = stage ? stage : phase->name;
    struct item_attempt *attempt = xcalloc(1, sizeof *attempt);
    attempt->request_fd = attempt->result_fd = -1;
    attempt->stage = stage;
    struct step_plan *plan = &attempt->plan;
    plan->seq = seq;
    plan->attempt = attempt_number;
    plan->kind = stage ? "stage" : "phase";
    plan->name = name;
    plan->run = request->run_id;
    bool over_transport = phase || text_is(stage, "destroy") || recovery_is_look(stage);
    plan->transport = over_transport && context->transport ? own(attempt, xstrdup(context->transport)) : NULL;
    plan->evidence = phase && context->evidence ? own(attempt, xstrdup(context->evidence)) : NULL;
    AUTO_FREE char *log = layout_step_file(seq, name, attempt_number, "log");
    AUTO_FREE char *events = layout_step_file(seq, name, attempt_number, "events.ndjson");
    plan->log = own(attempt, file_join(context->folder, log));
    plan->log_shown = own(attempt, file_join(context->shown, log));
    if (phase) {
        plan->events = own(attempt, file_join(context->folder, events));
        plan->events_shown = own(attempt, file_join(context->shown, events));
    }
    AUTO_FREE char *mark = xasprintf("%s/%02d", request->run_id, seq);
    plan->scope_name = own(attempt, xasprintf("run-%s/%02d", request->run_id, seq));
    plan->scope_marker = own(attempt, xasprintf("TRIPHASE_STEP=%s", mark));
    plan->run_scope = &context->run_scope;
    plan->forensics.self = context->self;
    if (context->machine)
        plan->forensics.console = own(attempt, file_join(context->machine->directory, "console.log"));
    if ((stage ? prepare_stage(context, attempt, stage, next, err)
               : prepare_phase(context, attempt, phase, owed, err)) < 0) {
        item_attempt_free(attempt);
        return -1;
    }
    words_set_env(&attempt->environment, "TRIPHASE_STEP", mark);
    plan->child.environment = words_argv(&attempt->environment);
    *out = attempt;
    return 0;
}

/* What a stage's failure is called: the provider's is `failed`, a host that stays is `leftover`, a transport that does not carry is `unreachable`. */
static enum outcome stage_failure(const char *stage, int64_t kind)
{
    if (kind == ERROR_PROJECT)
        return OUTCOME_INVALID;
    if (text_is(stage, "destroy"))
        return OUTCOME_LEFTOVER;
    if (recovery_is_look(stage) && kind == ERROR_DEADLINE)
        return OUTCOME_DEADLINE;
    bool unreachable = text_is(stage, "transport") || (recovery_is_look(stage) && kind == ERROR_UNREACHABLE);
    return unreachable ? OUTCOME_UNREACHABLE : OUTCOME_FAILED;
}

struct verdict item_judge(struct item_attempt *attempt, const struct evidence *evidence)
{
    if (!attempt->stage)
        return verdict_of_phase(evidence);
    if (evidence->by != ENDED_BY_ITSELF)
        return verdict_of_phase(evidence);
    attempt->result = stage_read(attempt->result_fd);
    const struct json *problem = json_get(attempt->result, "error");
    if (problem)
        return (struct verdict){stage_failure(attempt->stage, json_get_integer(problem, "kind", 0)),
                                xstrdup_or_null(json_get_string(attempt->result, "cause", NULL)),
                                xstrdup(json_get_string(problem, "message", "it gave no reason"))};
    if (attempt->result && evidence->end->exited && evidence->end->code == 0)
        return (struct verdict){OUTCOME_OK, NULL, NULL};
    AUTO_FREE char *how = child_end_text(evidence->end);
    return (struct verdict){OUTCOME_CHILD_CRASHED, xstrdup(evidence->end->exited ? "exit-code" : "signal"),
                            xasprintf("the stage's process %s: %s", how, evidence->log_tail)};
}

void item_attempt_free(struct item_attempt *attempt)
{
    if (!attempt)
        return;
    ansible_child_free(&attempt->ansible);
    json_free(attempt->result);
    json_free(attempt->pending);
    words_free(&attempt->argv);
    words_free(&attempt->environment);
    words_free(&attempt->owned);
    words_free(&attempt->own);
    fd_close(&attempt->request_fd);
    fd_close(&attempt->result_fd);
    free(attempt->keep);
    free(attempt);
}
