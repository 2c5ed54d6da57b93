/* What the path of a tailnet did during a phase, as a report tells it from the samples in the store. */
#include "report/path.h"

#include "base/memory.h"
#include "base/moment.h"
#include "report/json.h"
#include "report/text.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(report_path, .fini = hostile_clean);

static const char id[] = "01890000-0000-7000-8000-0123456789ab";

#define BEGAN (1700000000 * NS_PER_S)

static void put_sample(struct record *record, int after_s, int direct, const char *rest)
{
    AUTO_FREE char *detail = xasprintf("{\"step\":1,%s}", rest);
    struct event event = {
        .kind = EVENT_SAMPLE,
        .run = id,
        .step = 1,
        .sample = {.kind = "path", .healthy = direct, .detail = detail, .at_ns = BEGAN + after_s * NS_PER_S}};
    record_put(record, &event);
}

/* A phase of 40 s over a tailnet, with these samples. */
static struct account phase_with(struct record *record, void (*samples)(struct record *))
{
    AUTO_ERROR err = ERROR_INIT;
    struct history_run *run;
    struct account account;
    struct event event = rows_run(EVENT_RUN_BEGIN, id, BEGAN);
    *record = record_start();
    record_put(record, &event);
    event = rows_step(EVENT_STEP_BEGIN, id, 1);
    event.of_step.kind = "phase";
    event.of_step.name = "install";
    event.of_step.transport = "tailnet-userspace";
    event.of_step.started_ns = BEGAN;
    record_put(record, &event);
    samples(record);
    event.kind = EVENT_STEP_END;
    event.of_step.duration_ns = 40 * NS_PER_S;
    event.of_step.outcome = OUTCOME_OK;
    record_put(record, &event);
    event = rows_run(EVENT_RUN_END, id, BEGAN);
    event.of_run.duration_ns = 41 * NS_PER_S;
    record_put(record, &event);
    cr_assert(eq(int, history_run(record->db, id, NULL, &run, &err), 0), "%s", error_text(&err));
    cr_assert(eq(int, account_load(record->db, record->state, run, &account, &err), 0), "%s",
              error_text(&err));
    return account;
}

static void expect_said(const struct account *account, const char *const *said, size_t count)
{
    const struct table_look look = {.width = 100, .utf8 = true};
    AUTO_TEXT out = TEXT_INIT;
    report_run(account, &look, &out);
    for (size_t i = 0; i < count; i++)
        cr_expect(strstr(text_string(&out), said[i]) != NULL, "'%s' is missing in\n%s", said[i],
                  text_string(&out));
}

static void warned(struct record *record)
{
    put_sample(record, 0, 1,
               "\"daemon\":\"Running\",\"path\":\"direct\",\"via\":\"10.0.0.2:41641\",\"received\":1000,"
               "\"sent\":500,\"health\":[]");
    put_sample(record, 12, 1,
               "\"daemon\":\"Running\",\"path\":\"direct\",\"via\":\"10.0.0.2:41641\",\"received\":9000,"
               "\"sent\":700,\"health\":[\"no map \\u001b[2J for a while\"]");
    put_sample(record, 20, 1,
               "\"daemon\":\"Running\",\"path\":\"direct\",\"via\":\"10.0.0.2:41641\",\"received\":9900,"
               "\"sent\":750,\"health\":[\"no map \\u001b[2J for a while\",\"the clock is wrong\"]");
}

Test(report_path, what_tailscaled_warned_of_stands_beside_the_phase_once_with_when_it_did)
{
    struct record record;
    struct account account = phase_with(&record, warned);
    static const char *const said[] = {"  1  install  direct\n",
                                       "tailscaled warned at +12.0s no map \\x1b[2J for a while",
                                       "tailscaled warned at +20.0s the clock is wrong"};
    AUTO_WORDS warnings = WORDS_INIT;

    report_path_warnings(&account, &account.steps[0], &warnings);

    cr_expect(eq(sz, warnings.count, 2));
    expect_said(&account, said, COUNT_OF(said));
    account_clear(&account);
    record_end(&record);
}

static void fell(struct record *record)
{
    put_sample(record, 0, 1, "\"daemon\":\"Running\",\"path\":\"direct\",\"via\":\"10.0.0.2:41641\"");
    put_sample(record, 8, 0, "\"daemon\":\"Running\",\"path\":\"peer-relay\",\"via\":\"10.0.0.9:7\"");
    put_sample(record, 14, 0, "\"daemon\":\"Running\",\"path\":\"relay\",\"via\":\"fra\"");
    put_sample(record, 25, 1, "\"daemon\":\"Running\",\"path\":\"direct\",\"via\":\"10.0.0.2:41641\"");
    put_sample(record, 30, -1, "\"daemon\":null,\"error\":\"it is silent\"");
}

Test(report_path, a_path_that_becomes_worse_fell_back_and_one_that_is_as_before_is_so_again)
{
    struct record record;
    struct account account = phase_with(&record, fell);
    static const char *const said[] = {"  1  install  direct; fell back to peer relay(10.0.0.9:7) at +8.00s; "
                                       "fell back to DERP(fra) at +14.0s; "
                                       "direct again at +25.0s; no answer of tailscaled at +30.0s"};
    AUTO_FREE char *story = report_path_story(&account, &account.steps[0]);
    cr_expect(eq(str, story, (char *)(uintptr_t)said[0] + strlen("  1  install  ")));
    account_clear(&account);
    record_end(&record);
}

Test(report_path, each_sample_has_its_path_its_bytes_and_its_warnings_in_the_json)
{
    struct record record;
    struct account account = phase_with(&record, warned);

    AUTO_JSON *json = report_json_run(&account, "/p/.triphase");

    const struct json *samples = json_get(json_at(json_get(json, "steps"), 0), "path"),
                      *second = json_at(samples, 1);
    cr_expect(eq(sz, json_count(samples), 3));
    cr_expect(eq(i64, json_get_integer(second, "after_ms", 0), 12000));
    cr_expect(eq(i64, json_get_integer(second, "received", 0), 9000));
    cr_expect(eq(i64, json_get_integer(second, "sent", 0), 700));
    cr_expect(eq(sz, json_count(json_get(second, "health")), 1));
    cr_expect(eq(sz, json_count(json_get(json_at(samples, 0), "health")), 0));
    account_clear(&account);
    record_end(&record);
}
