/* The health of a host while runs go on, on a real one whose service comes, goes and is ill. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/lab.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(health, .timeout = 120);

/* The project of tests/cases/health. */
static struct lab *health_lab(void)
{
    rig_needed();
    struct lab *lab = lab_new();
    lab_case(lab, "health", "");
    return lab;
}

/* `health` of the report of the last run. */
static struct json *reported(struct lab *lab)
{
    struct lab_result report = lab_run(lab, "report", "--json", NULL);
    AUTO_JSON *whole = json_parse(report.out, strlen(report.out), NULL);
    struct json *health = json_get(whole, "health");
    cr_assert(health != NULL, "%s%s", report.out, report.err);
    return json_keep(health);
}

static void holds(const char *text, const char *part)
{
    cr_assert(strstr(text, part) != NULL, "'%s' does not say '%s'", text, part);
}

static double number(const struct json *object, const char *key)
{
    return json_value_real(json_get(object, key), -1);
}

static char *causes(const struct json *window)
{
    AUTO_TEXT out = TEXT_INIT;
    const struct json *list = json_get(window, "causes");
    for (size_t i = 0; i < json_count(list); i++)
        text_addf(&out, "%s%s", i ? " " : "", json_value_string(json_at(list, i), "?"));
    return text_take(&out);
}

/* A window of the phase `dip` that took between 1 s and what a slow machine makes of it. */
static void expect_window(const struct json *window, const char *words)
{
    AUTO_FREE char *seen = causes(window);
    cr_expect(eq(str, seen, (char *)(uintptr_t)words));
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(window, "name", ""), "dip"));
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(window, "state", ""), "unhealthy"));
    cr_expect(number(window, "ms") > 800 && number(window, "ms") < 6000, "%f", number(window, "ms"));
    cr_expect(not(json_get_bool(window, "open")));
}

Test(health, the_windows_of_a_run_are_seen_stored_and_told)
{
    struct lab *lab = health_lab();
    struct lab_result made = lab_run(lab, "create", "box", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    AUTO_JSON *health = reported(lab);
    const struct json *windows = json_get(health, "windows");
    AUTO_FREE char *text = json_pretty(health);
    cr_assert(eq(sz, json_count(windows), 3), "%s", text);
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(health, "via", ""), "network"));
    cr_expect(json_get_bool(health, "healthy"));
    cr_expect(number(health, "first_healthy_ms") > 500, "%s", text);
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(json_at(windows, 0), "state", ""), "not-yet"));
    expect_window(json_at(windows, 1), "refused");
    expect_window(json_at(windows, 2), "http-503 http-500");
    /* The view says the same spans, and they meet. */
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM health_window"), 6));
    cr_expect(eq(i64,
                 lab_sql_number(lab, "SELECT count(*) FROM health_window AS a WHERE a.to_ns NOT IN (SELECT "
                                     "from_ns FROM health_window)"),
                 1),
              "all but the last");
    double unhealthy = (double)lab_sql_number(
        lab,
        "SELECT sum(to_ns - from_ns) FROM health_window WHERE healthy = 0 AND from_ns > (SELECT min(from_ns) "
        "FROM health_window WHERE healthy = 1)");
    double told = number(health, "unhealthy_ms") * (double)NS_PER_MS;
    cr_expect(unhealthy - told < 1000 && told - unhealthy < 1000, "%f %f", unhealthy, told);
    cr_expect(lt(i64, lab_sql_number(lab, "SELECT count(*) FROM sample WHERE kind = 'health'"), 14));
    /* What is asked for arrives, and is nowhere here. */
    struct lab_result seen = lab_run(lab, "ssh", "box", "--", "cat /run/seen", NULL);
    holds(seen.out, "/health?deep=1");
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM sample WHERE detail LIKE '%deep%'"), 0));
    struct lab_result report = lab_run(lab, "report", NULL);
    holds(report.out, "health  over network: healthy for the first time at +");
    holds(report.out, "in 2 windows");
    holds(report.out, "http-503, http-500");
    struct lab_result events = lab_run(lab, "events", "--json", NULL);
    holds(events.out, "\"kind\":\"health\"");
    holds(made.err, "box: healthy");
    holds(made.err, "box: unhealthy (refused)");
    struct lab_result gone = lab_run(lab, "destroy", "box", "--yes", NULL);
    cr_assert(eq(int, gone.code, 0), "%s", gone.err);
}
