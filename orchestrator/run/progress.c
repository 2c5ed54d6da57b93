#include "run/progress.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/ready_step.h"

#include <string.h>

void progress_begin(struct progress *progress, const struct runner_request *request)
{
    *progress = (struct progress){.attempt = 1};
    items_make(request, &progress->items);
    const struct phase *first = request->owed ? progress_phase(progress, 0) : NULL;
    if (first && text_is(first->name, request->owed_at))
        progress->owed = json_keep((struct json *)(uintptr_t)request->owed);
}

bool progress_over(const struct progress *progress)
{
    return progress->at == progress->items.count;
}

const struct item *progress_item(const struct progress *progress)
{
    return &progress->items.all[progress->at];
}

const struct phase *progress_phase(const struct progress *progress, size_t skipped)
{
    for (size_t i = progress->at + skipped; i < progress->items.count; i++)
        if (progress->items.all[i].phase)
            return progress->items.all[i].phase;
    return NULL;
}

int progress_attempt(struct progress *progress, const char *stage)
{
    if (!stage)
        return progress->attempt;
    return text_is(stage, "transport") ? ++progress->transport_attempts : progress_item(progress)->number;
}

bool progress_may_retry(const struct progress *progress, enum outcome outcome)
{
    const struct phase *phase = progress_item(progress)->phase;
    return phase && progress->attempt < phase->attempts && progress_retries_on(progress, outcome);
}

bool progress_retries_on(const struct progress *progress, enum outcome outcome)
{
    const struct phase *phase = progress_item(progress)->phase;
    return phase && words_have(&phase->retry_on, outcome_name(outcome));
}

void progress_retry(struct progress *progress)
{
    progress->attempt++;
}

void progress_owe(struct progress *progress, struct json *owed)
{
    json_free(progress->owed);
    progress->owed = owed;
}

void progress_done(struct progress *progress)
{
    if (progress_item(progress)->phase) {
        progress_owe(progress, NULL);
        progress->attempt = 1;
    }
    progress->at++;
}

bool progress_joins(const struct progress *progress)
{
    return progress_item(progress)->joins;
}

void progress_look_again(struct progress *progress)
{
    struct items *items = &progress->items;
    size_t first = progress->at;
    while (first && ready_step_is_stage(items->all[first - 1].stage))
        first--;
    size_t again = progress->at - first, behind = progress->at + 1;
    items->all = xreallocarray(items->all, items->count + again, sizeof *items->all);
    memmove(&items->all[behind + again], &items->all[behind], (items->count - behind) * sizeof *items->all);
    memcpy(&items->all[behind], &items->all[first], again * sizeof *items->all);
    for (size_t i = 0; i < again; i++)
        items->all[behind + i].number++;
    items->count += again;
}

void progress_joined(struct progress *progress)
{
    struct items *items = &progress->items;
    size_t kept = progress->at + 1;
    for (size_t i = kept; i < items->count; i++)
        if (!items->all[i].joins)
            items->all[kept++] = items->all[i];
    items->count = kept;
}

void progress_clear(struct progress *progress)
{
    json_free(TAKE(progress->owed));
    items_clear(&progress->items);
}
