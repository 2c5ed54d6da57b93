#include "report/first_boot.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

/* The next stage of the step, from `*at` on; NULL behind the last. */
static const struct history_boot *next_of(const struct account *account, const struct history_step *step,
                                          size_t *at)
{
    while (*at < account->boot_count)
        if (account->boot[(*at)++].step == step->seq)
            return &account->boot[*at - 1];
    return NULL;
}

char *report_first_boot_story(const struct account *account, const struct history_step *step)
{
    struct text out = TEXT_INIT;
    size_t at = 0;
    for (const struct history_boot *stage; (stage = next_of(account, step, &at));) {
        AUTO_FREE char *time = duration_show(stage->finished_ns - stage->started_ns);
        if (stage->finished_ns == stage->started_ns) /* a moment */
            continue;
        text_addf(&out, "%s%s %s", out.length ? ", " : "", stage->stage, time);
        if (stage->errors)
            text_addf(&out, " (%d %s)", stage->errors, stage->errors == 1 ? "error" : "errors");
    }
    return out.length ? text_take(&out) : NULL;
}

struct json *report_first_boot_json(const struct account *account, const struct history_step *step)
{
    struct json *list = NULL;
    size_t at = 0;
    for (const struct history_boot *stage; (stage = next_of(account, step, &at));) {
        struct json *object = json_new_object();
        AUTO_FREE char *moment = moment_rfc3339(stage->started_ns);
        json_set_string(object, "stage", stage->stage);
        json_set_string(object, "started", moment);
        json_set_integer(object, "duration_ms", (stage->finished_ns - stage->started_ns) / NS_PER_MS);
        json_set_integer(object, "errors", stage->errors);
        list = list ? list : json_new_array();
        json_append(list, object);
    }
    return list;
}
