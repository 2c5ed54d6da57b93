#include "run/items.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/ready_step.h"
#include "config/transport_kind.h"
#include "stage/health_wait.h"
#include "stage/stage.h"

static bool wanted(const struct runner_request *request, const struct phase *phase)
{
    if (request->done && words_have(request->done, phase->name))
        return false;
    if (!request->phases || !request->phases[0])
        return !(phase->only_looks && request->partial); /* nothing says that all was done */
    for (const char *const *name = request->phases; *name; name++)
        if (text_is(*name, phase->name))
            return true;
    return false;
}

static struct item *add(struct items *items, const char *stage, const struct phase *phase)
{
    items->all = xreallocarray(items->all, items->count + 1, sizeof *items->all);
    items->all[items->count] = (struct item){.stage = stage, .phase = phase, .number = 1};
    return &items->all[items->count++];
}

/* The same phase, whatever its transports and the target's are. */
static const struct phase *over_direct(struct items *items, const struct phase *phase)
{
    struct phase *copy = xmalloc(sizeof *copy);
    *copy = *phase;
    copy->transports = (struct words)WORDS_INIT;
    copy->transport_auto = false;
    words_add(&copy->transports, transport_name(TRANSPORT_DIRECT));
    items->direct = xreallocarray(items->direct, items->direct_count + 1, sizeof(struct phase *));
    items->direct[items->direct_count++] = copy;
    return copy;
}

/* The look finds whether the rest is needed. */
static void add_joining(struct items *items, const struct target *target, const struct recipe *recipe)
{
    if (!target || !target->joins_tailnet)
        return;
    add(items, STAGE_BEFORE_JOINING, NULL);
    if (recipe && recipe->bootstrap)
        add(items, NULL, over_direct(items, recipe->bootstrap))->joins = true;
    add(items, STAGE_JOINED, NULL)->joins = true;
}

/* `ready`, over direct or as the phases go. */
static void add_ready(struct items *items, const struct target *target, bool over_transport)
{
    for (size_t i = 0; i < target->ready_count; i++) {
        struct item *item = add(items, ready_step_stage(target->ready[i].kind), NULL);
        item->ready = i;
        item->over_transport = over_transport;
    }
}

/* A machine that is a device of its tailnet may be closed to all other ways; one that others brought there
 * has none. */
static bool goes_over_transport(const struct runner_request *request)
{
    const struct target *target = request->target;
    return target->joins_tailnet
               ? request->machine && json_get_string(request->machine->tailnet, "address", NULL)
               : !words_have(&target->transports, transport_name(TRANSPORT_DIRECT));
}

/* A host that never came so far as to be a device of its tailnet is reached as its bootstrap reached it. */
static bool never_joined(const struct runner_request *request)
{
    const struct machine *machine = request->machine;
    return request->target->joins_tailnet && machine && !json_get_string(machine->tailnet, "address", NULL);
}

/* The wait for it. A resume may begin with it, so that nothing else has brought up the ssh connection. */
static void add_health(struct items *items, const struct runner_request *request, const struct recipe *recipe)
{
    const struct target *target = request->target;
    if (!target || !target->health.required || request->partial || text_is(request->does, "destroy"))
        return;
    struct item *item = add(items, STAGE_HEALTH, NULL);
    bool may_be_ssh = target->health.via == HEALTH_SSH || target->health.via == HEALTH_AUTO;
    item->like =
        may_be_ssh && recipe && recipe->phase_count ? &recipe->phases[recipe->phase_count - 1] : NULL;
}

void items_make(const struct runner_request *request, struct items *out)
{
    const struct recipe *recipe =
        request->target ? project_recipe(request->project, request->target->recipe) : NULL;
    bool destroy = text_is(request->does, "destroy");
    *out = (struct items){0};
    if (text_is(request->does, "create")) {
        bool late = request->target && goes_over_transport(request);
        add(out, "provision", NULL);
        if (request->target && !late)
            add_ready(out, request->target, false);
        add_joining(out, request->target, recipe);
        if (late)
            add_ready(out, request->target, true);
    }
    for (size_t i = 0; recipe && !destroy && i < recipe->phase_count; i++)
        if (wanted(request, &recipe->phases[i]))
            add(out, NULL, &recipe->phases[i]);
    add_health(out, request, recipe);
    for (size_t i = 0; recipe && destroy && !request->no_teardown && i < recipe->teardown_count; i++)
        if (wanted(request, &recipe->teardown[i]))
            add(out, NULL,
                never_joined(request) ? over_direct(out, &recipe->teardown[i]) : &recipe->teardown[i]);
    if (destroy)
        add(out, "destroy", NULL);
}

void items_clear(struct items *items)
{
    free(items->all);
    for (size_t i = 0; i < items->direct_count; i++) {
        words_clear(&items->direct[i]->transports);
        free(items->direct[i]);
    }
    free(items->direct);
    *items = (struct items){0};
}
