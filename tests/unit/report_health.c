/* What a report tells of a host's health: the strip, the sum, each window, and the same in JSON. */
#include "report/health.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

static struct history_health sample(int64_t at_s, const char *cause, const char *message)
{
    return (struct history_health){.at_ns = at_s * NS_PER_S,
                                   .healthy = !cause,
                                   .cause = (char *)(uintptr_t)cause,
                                   .message = (char *)(uintptr_t)message,
                                   .via = (char *)(uintptr_t) "network"};
}

/* A run of 100 s from 1000 s on: nothing seen for 10 s, not yet healthy for 20, then a window of 10 s. */
static struct account account_of(struct history_run *run, struct history_step *step)
{
    static struct history_health samples[5];
    samples[0] = sample(1010, "refused", "nothing listens there");
    samples[1] = sample(1030, NULL, NULL);
    samples[2] = sample(1050, "http-503", "it answers with the status 503");
    samples[3] = sample(1060, NULL, NULL);
    samples[4] = sample(1100, NULL, NULL);
    *run = (struct history_run){.target = (char *)(uintptr_t) "box",
                                .started_ns = 1000 * NS_PER_S,
                                .duration_ns = 100 * NS_PER_S};
    *step = (struct history_step){.seq = 4,
                                  .name = (char *)(uintptr_t) "converge",
                                  .started_ns = 1040 * NS_PER_S};
    struct account account = {.run = run, .steps = step, .step_count = 1};
    health_account_make(samples, COUNT_OF(samples), step, 1, &account.health);
    return account;
}

Test(report_health, a_strip_the_sum_and_each_window_are_told)
{
    struct history_run run;
    struct history_step step;
    struct account account = account_of(&run, &step);
    const struct table_look narrow = {.width = 12}, markdown = {.markdown = true, .utf8 = true};
    AUTO_TEXT out = TEXT_INIT, md = TEXT_INIT;
    report_health_add(&account, &narrow, &out);
    cr_assert_str_eq(
        text_string(&out),
        "\nhealth  over network: healthy for the first time at +30.0s, then unhealthy for 10.0s in 1 "
        "window\n"
        "   ..##_####\n"
        "  +50.0s for 10.0s  converge  http-503\n"
        "     it answers with the status 503\n");
    report_health_add(&account, &markdown, &md);
    cr_assert(strstr(text_string(&md), "\n- +50.0s for 10.0s  converge  http-503\n"), "%s", text_string(&md));
    health_account_clear(&account.health);
    text_truncate(&out, 0);
    report_health_add(&account, &narrow, &out);
    cr_assert_str_eq(text_string(&out), "", "nobody looked");
}

Test(report_health, json_has_the_same_and_what_came_before_the_first_good_look)
{
    struct history_run run;
    struct history_step step;
    struct account account = account_of(&run, &step);
    AUTO_JSON *health = report_health_json(&account);
    const struct json *windows = json_get(health, "windows"), *last = json_at(windows, 1);
    cr_assert(json_get_bool(health, "healthy"));
    cr_assert_str_eq(json_get_string(health, "first_healthy", ""), "1970-01-01T00:17:10.000000000Z");
    cr_assert_eq(json_value_real(json_get(health, "first_healthy_ms"), 0), 30000.0);
    cr_assert_eq(json_value_real(json_get(health, "unhealthy_ms"), 0), 10000.0);
    cr_assert_eq(json_count(windows), 2);
    cr_assert_str_eq(json_get_string(json_at(windows, 0), "state", ""), "not-yet");
    cr_assert(json_is_null(json_get(json_at(windows, 0), "step")));
    cr_assert_str_eq(json_get_string(last, "state", ""), "unhealthy");
    cr_assert_str_eq(json_get_string(last, "name", ""), "converge");
    cr_assert_eq(json_get_integer(last, "step", 0), 4);
    cr_assert_str_eq(json_get_string(last, "cause", ""), "http-503");
    health_account_clear(&account.health);
    AUTO_JSON *none = report_health_json(&account);
    cr_assert_null(none);
}
