#include "report/json_parts.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/machine.h"

#include <string.h>

void report_json_set_ms(struct json *object, const char *key, int64_t ns)
{
    json_set(object, key, ns < 0 ? json_new_null() : json_new_real((double)ns / (double)NS_PER_MS));
}

void report_json_set_step(struct json *object, const struct account *account, const struct history_step *step)
{
    json_set_string(object, "kind", step->kind);
    json_set_string(object, "name", step->name);
    json_set_integer(object, "attempt", step->attempt);
    json_set_string(object, "transport", step->transport);
    json_set_string(object, "outcome", account_step_outcome(account, step));
}

char *report_known_by(const struct history_step *step)
{
    bool is_phase = text_is(step->kind, "phase");
    AUTO_JSON *evidence =
        step->evidence && !is_phase ? json_parse(step->evidence, strlen(step->evidence), NULL) : NULL;
    return xstrdup_or_null(json_get_string(evidence, MACHINE_HOST_KEYS_BY, NULL));
}

void report_json_set_statistic(struct json *object, const struct statistic *row)
{
    json_set_string(object, "transport", row->transport);
    json_set_bool(object, "fresh", row->fresh);
    json_set_string(object, "ansible", row->ansible);
    json_set_string(object, "accelerated", row->accelerated);
    json_set_integer(object, "n", (int64_t)row->n);
    report_json_set_ms(object, "min_ms", row->min_ns);
    report_json_set_ms(object, "median_ms", row->median_ns);
    report_json_set_ms(object, "p95_ms", row->p95_ns);
    report_json_set_ms(object, "max_ms", row->max_ns);
}
