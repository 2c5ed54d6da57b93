#include "run/attempt_stage.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/marks.h"
#include "config/ready_step.h"
#include "config/tailnet_login.h"
#include "format/json_words.h"
#include "run/recovery.h"
#include "stage/confirm_settle.h"
#include "stage/handover.h"
#include "stage/health_wait.h"
#include "stage/stage.h"
#include "store/history.h"
#include "transport/ssh_options.h"
#include "verdict/verdict.h"

#include <unistd.h>

enum { DESTROY_BOUND_S = 120, STAGE_GRACE_S = 5, SECRETS_OF_LOGIN = 8, LOG_OUT_BOUND_S = 115 };

/* For a stage's child: what it is asked and answers, and what a key's passphrase may be read from. */
static void keep_open(struct attempt_stage *attempt, const struct project *project,
                      const struct target *target, int health_fd)
{
    size_t count = 0;
    attempt->keep =
        xcalloc((project ? 2 * project->target_count : 0) + SECRETS_OF_LOGIN + 4, sizeof *attempt->keep);
    attempt->keep[count++] = attempt->request_fd;
    attempt->keep[count++] = attempt->result_fd;
    if (health_fd >= 0)
        attempt->keep[count++] = health_fd;
    for (size_t i = 0; project && i < project->target_count; i++) {
        const struct secret *const secrets[] = {&project->targets[i].key_passphrase,
                                                &project->targets[i].cloud.token};
        for (size_t k = 0; k < COUNT_OF(secrets); k++)
            if (secrets[k]->kind == SECRET_FD && secret_is_given(secrets[k]->fd))
                attempt->keep[count++] = secrets[k]->fd;
    }
    const struct secret *secret;
    for (size_t i = 0; target && (secret = tailnet_login_secret(&target->tailnet, i, NULL)); i++)
        if (secret->kind == SECRET_FD && secret_is_given(secret->fd))
            attempt->keep[count++] = secret->fd;
    attempt->keep[count] = -1;
}

static bool machine_joins(const struct run_context *context)
{
    return context->machine && context->machine->tailnet;
}

/* Devices that belong to other machines of the store: none of them is stale. */
static struct json *known_devices(const struct run_context *context)
{
    struct json *list = json_new_array();
    AUTO_FREE char *store = layout_store(context->request->state);
    AUTO_SQL *db = NULL;
    AUTO_WORDS targets = WORDS_INIT;
    if (history_open(store, &db, NULL) < 0 || history_targets(db, &targets, NULL) < 0)
        return list;
    for (size_t i = 0; i < targets.count; i++) {
        AUTO_MACHINE *machine = NULL;
        if (history_machine(db, targets.items[i], &machine, NULL) < 0 || !machine || !machine->tailnet ||
            text_is(machine->id, context->machine ? context->machine->id : NULL))
            continue;
        struct json *entry = json_new_object();
        json_set_string(entry, "target", machine->target);
        json_set_string(entry, "address", json_get_string(machine->tailnet, "address", NULL));
        json_set_string(entry, "name", json_get_string(machine->tailnet, "name", NULL));
        json_append(list, entry);
    }
    return list;
}

static void ask_of_tailnet(const struct run_context *context, struct json *ask)
{
    const struct runner_request *request = context->request;
    const struct recipe *recipe = project_recipe(request->project, request->target->recipe);
    json_set(ask, "known", known_devices(context));
    json_set_bool(ask, "bootstraps", recipe && recipe->bootstrap);
    json_set_string(ask, "key_id", context->key.id);
}

int attempt_stage_prepare(const struct run_context *context, const char *stage, const struct phase *next,
                          struct attempt_stage *attempt, struct step_order *plan, struct error *err)
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
    else if (text_is(stage, STAGE_CONFIRM))
        bound = target->sweep_ns;
    else if (stage_joins(stage))
        bound = target->tailnet_ns;
    else if (text_is(stage, STAGE_HEALTH))
        bound = target->health.within_ns;
    else if (ready_step_is_stage(stage))
        bound = target->ready[json_get_integer(context->recovery, "ready_at", 0)].within_ns;
    else if (target) /* logging out, removing, and seeing the device gone */
        bound = target->destroy_ns +
                (machine_joins(context) ? LOG_OUT_BOUND_S * NS_PER_S + target->tailnet_ns : 0);
    if (stage_joins(stage))
        ask_of_tailnet(context, ask);
    if (context->health_fd >= 0)
        json_set_integer(ask, "health_fd", context->health_fd);
    json_set_integer(ask, "bound_ns", bound);
    json_set_integer(ask, "ends_ns", context->ends_ns);
    handover_put_targets(request->project, target, ask);
    void *at = NULL;
    const char *key;
    for (struct json *value; json_each(context->recovery, &at, &key, &value);)
        json_set(ask, key, json_keep(value));
    if (context->transport)
        json_set_string(ask, "transport", context->transport);
    if (next) {
        AUTO_WORDS names = WORDS_INIT;
        way_order_list(&context->order, project_transports(target, next), &names);
        json_set(ask, "transports", json_words_array(&names));
        json_set_string(ask, "carried", context->order.suspect);
        json_set_integer(ask, "alive_count", ssh_alive_count(next->limits.host_silent_ns));
    }
    attempt->request_fd = handover_memfd("request", ask, true, err);
    attempt->result_fd = attempt->request_fd < 0 ? -1 : handover_memfd("result", NULL, false, err);
    if (attempt->result_fd < 0)
        return -1;
    words_add_all(&attempt->argv, context->self, "-C", request->project_directory, NULL);
    for (const char *const *set = request->sets; set && *set; set++)
        words_add_all(&attempt->argv, "--set", *set, NULL);
    words_add_all(&attempt->argv, "stage", stage, NULL);
    words_addf(&attempt->argv, "%d", attempt->request_fd);
    words_addf(&attempt->argv, "%d", attempt->result_fd);
    words_add_list(&attempt->environment, (const char *const *)environ);
    marks_environment(&attempt->environment, request->run_id, plan->seq);
    keep_open(attempt, request->project, target, context->health_fd);
    /* Files that Ansible's ssh arguments name are looked for where Ansible runs. */
    plan->child = (struct child_plan){.argv = words_argv(&attempt->argv),
                                      .environment = words_argv(&attempt->environment),
                                      .keep = attempt->keep,
                                      .directory = request->project_directory};
    /* The stage bounds itself by `bound`; the watchdog is for one that does not. */
    plan->limits = (struct phase_limits){.of[WATCHDOG_DEADLINE] = bound + STAGE_GRACE_S * NS_PER_S,
                                         .grace_ns = STAGE_GRACE_S * NS_PER_S};
    return 0;
}

struct verdict attempt_stage_judge(struct attempt_stage *attempt, const char *stage,
                                   const struct evidence *evidence)
{
    /* What it says before it is ended counts no more. */
    if (evidence->by == ENDED_BY_ITSELF)
        attempt->result = handover_read(attempt->result_fd);
    const struct json *problem = json_get(attempt->result, "error");
    const struct stage_answer answer = {
        .stage = stage,
        .joins = stage_joins(stage),
        .look = recovery_is_look(stage) || text_is(stage, STAGE_CONFIRM),
        .ready = ready_step_is_stage(stage),
        .health = text_is(stage, STAGE_HEALTH),
        .answered = attempt->result != NULL,
        .failed = problem != NULL,
        .kind = (enum error_kind)json_get_integer(problem, "kind", 0),
        .cause = json_get_string(attempt->result, "cause", NULL),
        .message = json_get_string(problem, "message", "it gave no reason"),
        .warning = problem ? NULL : json_get_string(attempt->result, "warning", NULL),
    };
    struct evidence whole = *evidence;
    whole.stage = &answer;
    struct verdict verdict = verdict_of_stage(&whole);
    /* That of a transport goes with the phases that it carries. */
    const struct json *found = json_get(attempt->result, "evidence");
    if (found && !text_is(stage, "transport"))
        verdict.found = json_compact(found);
    return verdict;
}

void attempt_stage_clear(struct attempt_stage *attempt)
{
    json_free(TAKE(attempt->result));
    words_clear(&attempt->argv);
    words_clear(&attempt->environment);
    fd_close(&attempt->request_fd);
    fd_close(&attempt->result_fd);
    free(TAKE(attempt->keep));
}
