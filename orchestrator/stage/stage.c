#include "stage/stage.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "config/ready_step.h"
#include "event/step_log.h"
#include "net/knock.h"
#include "provider/made_look.h"
#include "stage/confirm_settle.h"
#include "stage/expiry.h"
#include "stage/find_transport.h"
#include "stage/health_wait.h"
#include "stage/host_ready.h"
#include "stage/join_look.h"
#include "stage/join_verify.h"
#include "stage/keys.h"
#include "stage/provision.h"
#include "stage/sweep.h"
#include "transport/known_hosts.h"
#include "transport/ssh_options.h"

bool stage_joins(const char *stage)
{
    return text_is(stage, STAGE_BEFORE_JOINING) || text_is(stage, STAGE_JOINED);
}

/* How the host is reached directly, by whoever keeps to no run's masters. A key that opens only with a
 * passphrase is in an agent of the run's. */
static int prepare_host(const struct project *project, const struct target *target,
                        const struct machine *machine, const char *run, char **sockets, struct host *out,
                        struct error *err)
{
    *sockets = layout_sockets(run, TRANSPORT_DIRECT);
    *out = (struct host){target, machine, NULL};
    if (!ssh_needs_agent(machine, target))
        return 0;
    AUTO_FREE char *marker = marks_run(run);
    struct scope masters = {.fd = -1};
    if (layout_make_sockets(*sockets, err) < 0 || marks_open_masters(run, &masters, err) < 0)
        return -1;
    int loaded = keys_load(project, target, machine, *sockets, &masters, marker, err);
    scope_close(&masters);
    out->agent_directory = loaded < 0 ? NULL : *sockets;
    return loaded;
}

static int join(const char *stage, const struct project *project, const struct target *target,
                const struct json *request, struct machine *now, struct json *result, struct error *err)
{
    AUTO_FREE char *sockets = NULL;
    struct host host;
    if (prepare_host(project, target, now, json_get_string(request, "run", ""), &sockets, &host, err) < 0)
        return -1;
    return text_is(stage, STAGE_JOINED) ? join_verify(project, &host, now, request, result, err)
                                        : join_look(project, &host, now, request, result, err);
}

/* Its host is logged out of its tailnet while it is there. */
static int destroy(const struct project *project, const struct target *target, const struct json *request,
                   struct machine *machine, struct json *result, struct error *err)
{
    AUTO_FREE char *sockets = NULL;
    AUTO_ERROR unprepared = ERROR_INIT;
    struct target made = target ? made_target(target, machine) : (struct target){0};
    struct host host = {NULL, machine, NULL};
    if (target && machine->tailnet) {
        made_look_marks(&made, machine);
        if (known_hosts_write(machine, &made, project->directory, &unprepared) < 0 ||
            prepare_host(project, &made, machine, json_get_string(request, "run", ""), &sockets, &host,
                         &unprepared) < 0)
            step_log_say("the host cannot be logged out of its tailnet: %s", error_text(&unprepared));
    }
    return provision_remove(project, &host, request, target, machine, result, err);
}

static void put_machine(struct json *result, const struct machine *machine)
{
    json_set(result, "machine", machine_to_json(machine));
}

/* A failure has its own cause. */
static void warn(struct json *result, int status, const char *warning)
{
    if (status < 0 || !warning || json_get(result, "warning"))
        return;
    json_set_string(result, "warning", warning);
    json_set_string(result, "cause", "expiry-not-written");
}

/* Over a connection of its own: the run's masters may lead nowhere. With them went the
 * agent that holds the key. */
static int look_at_host(const struct project *project, const struct target *target,
                        const struct machine *machine, const struct json *request,
                        int (*look)(const struct host *, const struct json *, struct json *, struct error *),
                        struct json *result, struct error *err)
{
    const char *run = json_get_string(request, "run", "");
    enum transport_kind kind = TRANSPORT_DIRECT;
    (void)transport_from(json_get_string(request, "transport", ""), &kind);
    AUTO_FREE char *sockets = layout_sockets(run, kind);
    knock_keep_apart(json_get_integer(request, "knocked_ns", 0));
    struct host host = {target, machine, NULL};
    if (json_get_bool(request, "drop_masters"))
        sweep_drop_masters(run);
    if (ssh_needs_agent(machine, target)) {
        AUTO_FREE char *marker = marks_run(run);
        struct scope masters = {.fd = -1};
        if (layout_make_sockets(sockets, err) < 0 || marks_open_masters(run, &masters, err) < 0)
            return -1;
        int loaded = keys_load(project, target, machine, sockets, &masters, marker, err);
        scope_close(&masters);
        if (loaded < 0)
            return -1;
        host.agent_directory = sockets;
    }
    return look(&host, request, result, err);
}

int stage_run(const char *stage, const struct project *project, const struct target *target,
              const struct json *request, struct json **result, struct error *err)
{
    AUTO_MACHINE *machine = machine_from_json(json_get(request, "machine"));
    if (!machine)
        return error_set(err, ERROR_SYSTEM, "the stage '%s' was given no machine", stage);
    *result = json_new_object();
    if (text_is(stage, STAGE_HEALTH))
        return health_wait(request, *result, err);
    if (text_is(stage, "destroy"))
        return destroy(project, target, request, machine, *result, err);
    if (!project || !target)
        return error_set(err, ERROR_PROJECT, "the stage '%s' needs the project's files", stage);
    /* A destroy's phases reach it as it was made, all others as is said now. */
    bool as_made = json_get_bool(request, "as_made");
    AUTO_FREE char *warning = NULL;
    if (!as_made && (text_is(stage, "provision") || text_is(stage, "transport")))
        warning = expiry_put_off(target, machine, json_get_integer(request, "ends_ns", 0));
    if (text_is(stage, "provision")) {
        int status = provision_make(project, target, machine, *result, err);
        put_machine(*result, machine);
        warn(*result, status, warning);
        return status;
    }
    struct target made = made_target(target, machine);
    AUTO_MACHINE *now = as_made ? machine_copy(machine) : made_look_now(project, target, machine);
    target = as_made ? &made : target;
    if (as_made)
        made_look_marks(target, now);
    if (known_hosts_write(now, target, project->directory, err) < 0)
        return -1;
    if (text_is(stage, "sweep"))
        return look_at_host(project, target, now, request, sweep_host, *result, err);
    if (text_is(stage, "async"))
        return look_at_host(project, target, now, request, sweep_await_jobs, *result, err);
    if (text_is(stage, "transport")) {
        int status = find_transport(project, target, request, now, *result, err);
        if (status == 0)
            known_hosts_learn(now);
        /* What is said now is written down once the host answered over it. */
        put_machine(*result, status == 0 ? now : machine);
        warn(*result, status, warning);
        return status;
    }
    if (text_is(stage, STAGE_CONFIRM))
        return look_at_host(project, target, now, request, confirm_settle, *result, err);
    if (ready_step_is_stage(stage))
        return look_at_host(project, target, now, request, host_ready_wait, *result, err);
    if (stage_joins(stage)) {
        int status = join(stage, project, target, request, now, *result, err);
        json_free(machine->tailnet);
        machine->tailnet = now->tailnet ? json_keep(now->tailnet) : NULL;
        put_machine(*result, machine);
        return status;
    }
    return error_set(err, ERROR_SYSTEM, "there is no stage '%s'", stage);
}
