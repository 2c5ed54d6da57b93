#include "health/sight.h"

#include "base/moment.h"
#include "base/text.h"

#include <stdio.h>

void health_sight_judge(const struct health_settings *settings, int status, char cause[HEALTH_CAUSE_SIZE],
                        struct health_sight *out)
{
    out->code = status;
    out->healthy = health_settings_have(settings->expect, status);
    out->early = !out->healthy && health_settings_have(settings->before, status);
    snprintf(cause, HEALTH_CAUSE_SIZE, "http-%d", status);
    out->cause = out->healthy ? NULL : cause;
}

struct json *health_sight_json(const struct health_sight *sight)
{
    struct json *detail = json_new_object();
    json_set_string(detail, "via", sight->via);
    json_set(detail, "code", sight->code ? json_new_integer(sight->code) : json_new_null());
    json_set_string(detail, "cause", sight->cause);
    json_set_string(detail, "error", sight->message);
    json_set_bool(detail, "early", sight->early);
    json_set(detail, "ms",
             sight->took_ns < 0 ? json_new_null() : json_new_real((double)sight->took_ns / NS_PER_MS));
    return detail;
}

enum health_worth health_kept_take(struct health_kept *kept, const struct health_sight *sight)
{
    const char *cause = sight->cause ? sight->cause : "";
    bool changed = !kept->any || kept->healthy != sight->healthy || !text_is(kept->cause, cause);
    bool due = sight->at_ns - kept->kept_ns >= HEALTH_KEPT_S * NS_PER_S || sight->at_ns < kept->kept_ns;
    kept->any = true;
    kept->healthy = sight->healthy;
    snprintf(kept->cause, sizeof kept->cause, "%s", cause);
    kept->unkept = !changed && !due;
    if (kept->unkept)
        return HEALTH_PASSED_OVER;
    kept->kept_ns = sight->at_ns;
    return changed ? HEALTH_CHANGED : HEALTH_KEPT;
}
