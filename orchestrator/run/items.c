#include "run/items.h"

#include "base/memory.h"
#include "base/text.h"

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

static void add(struct items *items, const char *stage, const struct phase *phase)
{
    items->all = xreallocarray(items->all, items->count + 1, sizeof *items->all);
    items->all[items->count++] = (struct item){stage, phase};
}

void items_make(const struct runner_request *request, struct items *out)
{
    const struct recipe *recipe =
        request->target ? project_recipe(request->project, request->target->recipe) : NULL;
    bool destroy = text_is(request->does, "destroy");
    *out = (struct items){NULL, 0};
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

void items_clear(struct items *items)
{
    free(items->all);
    *items = (struct items){NULL, 0};
}
