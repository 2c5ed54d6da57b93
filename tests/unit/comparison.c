/* Which runs are set against each other, and which never: like with like, whole runs,
 * ok steps, first attempts. */
#include "figures/comparison.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "figures/cycle.h"
#include "report/comparison.h"
#include "report/cycle.h"
#include "report/format.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

TestSuite(comparison, .fini = hostile_clean);

static const struct table_look wide = {.utf8 = true}, as_markdown = {.utf8 = true, .markdown = true};
enum { HISTORY = 12 };

/* Ids that sort as they were made; the last 8 digits are the number. */
static void name(char out[ID_SIZE], int number)
{
    snprintf(out, ID_SIZE, "01890000-0000-7000-8000-0000%08x", (unsigned)number);
}

struct how { /* zero: a fresh create of vault that took `phase_ns` */
    const char *kind, *target, *ansible, *digest, *transport, *group, *step, *accelerated;
    bool partial, rerun, failed, second_attempt, open, no_step;
    int64_t task_ns, ahead_ns /* of the clock */;
};

static void put_step(struct record *record, const char *id, int64_t phase_ns, struct how how)
{
    struct event step = rows_step(EVENT_STEP_BEGIN, id, 1);
    step.of_step.name = how.step ? how.step : "install";
    step.of_step.attempt = how.second_attempt ? 2 : 1;
    step.of_step.transport = how.transport ? how.transport : "direct";
    step.of_step.accelerated = how.accelerated;
    step.of_step.evidence = how.transport
                                ? "{\"chosen\":\"tailnet\",\"tun\":true}"
                                : "{\"chosen\":\"direct\",\"tried\":[{\"transport\":\"direct\",\"rungs\":"
                                  "[{\"rung\":\"tcp\",\"ms\":2.5}]}]}";
    record_put(record, &step);
    struct event task = rows_task(id, 1, "base", "packages", "changed");
    task.task.duration_ns = how.task_ns ? how.task_ns : phase_ns / 2;
    record_put(record, &task);
    step.kind = EVENT_STEP_END;
    step.of_step.duration_ns = phase_ns;
    step.of_step.outcome = how.failed ? OUTCOME_FAILED : OUTCOME_OK;
    record_put(record, &step);
}

/* A run with one phase (where no other name is given "install") and one task of role base in it. */
static void put_run(struct record *record, int number, int64_t phase_ns, struct how how)
{
    char id[ID_SIZE];
    name(id, number);
    struct event event = rows_run(EVENT_RUN_BEGIN, id, (1700000000 + number) * NS_PER_S + how.ahead_ns);
    event.of_run.kind = how.kind ? how.kind : "create";
    event.of_run.target = how.target ? how.target : "vault";
    event.of_run.ansible = how.ansible ? how.ansible : "2.19.14";
    event.of_run.extra_digest = how.digest;
    event.of_run.group_id = how.group;
    event.of_run.partial = how.partial;
    event.of_run.fresh = !how.rerun;
    record_put(record, &event);
    if (!how.no_step)
        put_step(record, id, phase_ns, how);
    if (how.open)
        return;
    event.kind = EVENT_RUN_END;
    event.of_run.duration_ns = phase_ns;
    record_put(record, &event);
}

/* Runs 1 to HISTORY, of 10 s and a little. */
static void put_history(struct record *record, struct how how)
{
    for (int i = 1; i <= HISTORY; i++)
        put_run(record, i, 10 * NS_PER_S + i * 7 % HISTORY * NS_PER_MS, how);
}

static struct comparison regress(struct record *record)
{
    struct comparison comparison;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(comparison_regress(record->db, NULL, NULL, &comparison, &err), 0, "%s", error_text(&err));
    return comparison;
}

/* "level step/role/task verdict before after" of each row. */
static char *rows_of(const struct comparison *comparison)
{
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < comparison->count; i++) {
        const struct comparison_row *row = &comparison->rows[i];
        text_addf(&out, "%s%s %s/%s/%s %s %zu %zu", i ? ", " : "", regression_level_name(row->judged.level),
                  row->step, row->role ? row->role : "", row->task ? row->task : "",
                  regression_verdict_name(row->judged.verdict), row->judged.before_count,
                  row->judged.after_count);
    }
    return text_take(&out);
}

static void expect(struct comparison comparison, const char *verdict, const char *rows)
{
    AUTO_FREE char *found = rows_of(&comparison);
    cr_expect_str_eq(comparison_verdict(&comparison), verdict);
    cr_expect_str_eq(found, rows);
    comparison_clear(&comparison);
}

Test(comparison, names_phase_role_and_task_of_a_run_that_is_slower_than_those_before_it)
{
    struct record record = record_start();
    put_history(&record, (struct how){.kind = NULL});
    put_run(&record, 20, 30 * NS_PER_S, (struct how){.kind = NULL});
    expect(regress(&record), "slower",
           "phase install// slower 12 1, role install/base/ slower 12 1, task install/base/packages slower "
           "12 1");
    record_end(&record);
}

Test(comparison, a_run_of_before_acceleration_was_recorded_is_like_one_that_is_warm)
{
    struct record record = record_start();
    put_history(&record, (struct how){.kind = NULL});
    put_run(&record, 20, 30 * NS_PER_S, (struct how){.accelerated = "warm"});
    struct comparison comparison = regress(&record);
    cr_expect_str_eq(comparison_verdict(&comparison), "slower");
    comparison_clear(&comparison);
    record_end(&record);
}

Test(comparison, a_run_like_those_before_it_is_not_slower)
{
    struct record record = record_start();
    put_history(&record, (struct how){.kind = NULL});
    put_run(&record, 20, 10 * NS_PER_S + 15 * NS_PER_MS, (struct how){.kind = NULL});
    expect(regress(&record), "not-slower",
           "phase install// not-slower 12 1, role install/base/ not-slower 12 1, task install/base/packages "
           "not-slower 12 1");
    record_end(&record);
}

Test(comparison, what_differs_is_never_mixed_into_the_history)
{
    static const struct how others[] = {
        {.target = "other"}, {.ansible = "2.18.0"}, {.digest = "abc"},        {.rerun = true},
        {.partial = true},   {.failed = true},      {.second_attempt = true}, {.transport = "tailnet"},
        {.kind = "destroy"}, {.kind = "resume"},    {.open = true},           {.accelerated = "none"},
    };
    struct record record = record_start();
    for (int i = 0; i < (int)COUNT_OF(others); i++)
        for (int k = 1; k <= HISTORY; k++)
            put_run(&record, i * 100 + k, 10 * NS_PER_S + k * NS_PER_MS, others[i]);
    put_run(&record, 5000, 30 * NS_PER_S, (struct how){.kind = NULL});
    struct comparison comparison = regress(&record);
    cr_expect_eq(comparison.count, 3);
    cr_expect_eq(comparison.after.runs.count, 1);
    cr_expect_str_eq(comparison_verdict(&comparison), "too-little-data");
    for (size_t k = 0; k < comparison.count; k++)
        cr_expect_eq(comparison.rows[k].judged.before_count, 0, "row %zu", k);
    comparison_clear(&comparison);
    record_end(&record);
}

Test(comparison, a_partial_run_is_not_the_newest_one)
{
    struct record record = record_start();
    put_history(&record, (struct how){.kind = NULL});
    put_run(&record, 20, 30 * NS_PER_S, (struct how){.kind = NULL});
    put_run(&record, 21, 90 * NS_PER_S, (struct how){.partial = true});
    put_run(&record, 22, 90 * NS_PER_S, (struct how){.kind = "destroy"});
    struct comparison comparison = regress(&record);
    cr_expect_str_eq(comparison.after.name, "run 00000014");
    comparison_clear(&comparison);
    record_end(&record);
}

/* Ids and times of a run whose clock was ahead sort behind those of the later ones. */
Test(comparison, a_clock_that_was_ahead_makes_no_run_the_newest_and_takes_none_out_of_the_history)
{
    struct record record = record_start();
    put_history(&record, (struct how){.kind = NULL});
    put_run(&record, 90, 10 * NS_PER_S, (struct how){.ahead_ns = 7200 * NS_PER_S});
    put_run(&record, 20, 30 * NS_PER_S, (struct how){.kind = NULL});
    struct comparison comparison = regress(&record);
    cr_expect_str_eq(comparison.after.name, "run 00000014");
    cr_expect_eq(comparison.before.runs.count, HISTORY + 1);
    comparison_clear(&comparison);
    record_end(&record);
}

Test(comparison, what_a_merge_brought_is_older_than_every_run_of_this_machine)
{
    struct record record = record_start();
    put_run(&record, 50, 10 * NS_PER_S, (struct how){.kind = NULL});
    put_run(&record, 60, 30 * NS_PER_S, (struct how){.kind = NULL});
    cr_assert_eq(sql_run(record.db, "UPDATE run SET merged = 1 WHERE id LIKE '%3c'", NULL), 0);
    struct comparison comparison = regress(&record);
    cr_expect_str_eq(comparison.after.name, "run 00000032");
    cr_expect_eq(comparison.before.runs.count, 1);
    comparison_clear(&comparison);
    cr_assert_eq(comparison_regress(record.db, "0000003c", NULL, &comparison, NULL), 0);
    cr_expect_eq(comparison.before.runs.count, 0);
    comparison_clear(&comparison);
    record_end(&record);
}

Test(comparison, a_later_run_is_no_history)
{
    struct record record = record_start();
    struct comparison comparison;
    put_history(&record, (struct how){.kind = NULL});
    cr_assert_eq(comparison_regress(record.db, "00000003", NULL, &comparison, NULL), 0);
    cr_expect_eq(comparison.before.runs.count, 2);
    comparison_clear(&comparison);
    record_end(&record);
}

Test(comparison, counts_the_earlier_runs_that_are_left_out)
{
    struct record record = record_start();
    put_history(&record, (struct how){.ansible = "2.18.0"});
    put_run(&record, 20, 30 * NS_PER_S, (struct how){.kind = NULL});
    struct comparison comparison = regress(&record);
    AUTO_TEXT out = TEXT_INIT;
    cr_expect_eq(comparison.others, HISTORY);
    comparison_view(&comparison, false, &wide, &out);
    cr_expect(strstr(text_string(&out), "too little data to judge") &&
                  strstr(text_string(&out), "12 earlier runs are left out"),
              "%s", text_string(&out));
    comparison_clear(&comparison);
    record_end(&record);
}

Test(comparison, two_sides_that_are_not_alike_are_shown_and_not_judged)
{
    struct record record = record_start();
    struct comparison comparison;
    for (int i = 1; i <= 8; i++)
        put_run(&record, i, 10 * NS_PER_S, (struct how){.group = "01890000-0000-7000-8000-0000aaaaaaaa"});
    for (int i = 11; i <= 18; i++)
        put_run(&record, i, 90 * NS_PER_S,
                (struct how){.group = "01890000-0000-7000-8000-0000bbbbbbbb", .transport = "tailnet"});
    cr_assert_eq(comparison_compare(record.db, "aaaaaaaa", "bbbbbbbb", NULL, &comparison, NULL), 0);
    cr_expect_str_eq(comparison.rows[0].differs, "transport direct and tailnet");
    AUTO_TEXT out = TEXT_INIT;
    comparison_view(&comparison, true, &wide, &out);
    cr_expect(strstr(text_string(&out), "not alike, so not judged: transport direct and tailnet"), "%s",
              text_string(&out));
    cr_expect(strstr(text_string(&out), "tried.direct.tcp.ms  2.5     -"), "%s", text_string(&out));
    cr_expect(strstr(text_string(&out), "chosen               direct  tailnet"), "%s", text_string(&out));
    expect(
        comparison, "too-little-data",
        "phase install// unlike 8 8, role install/base/ unlike 8 8, task install/base/packages unlike 8 8");
    record_end(&record);
}

Test(comparison, last_and_previous_are_cycles_where_runs_are_in_one)
{
    struct record record = record_start();
    struct comparison comparison;
    AUTO_ERROR err = ERROR_INIT;
    for (int i = 1; i <= 8; i++)
        put_run(&record, i, 10 * NS_PER_S, (struct how){.group = "01890000-0000-7000-8000-0000aaaaaaaa"});
    for (int i = 11; i <= 18; i++)
        put_run(&record, i, 15 * NS_PER_S, (struct how){.group = "01890000-0000-7000-8000-0000bbbbbbbb"});
    cr_assert_eq(comparison_compare(record.db, "previous", "last", NULL, &comparison, &err), 0, "%s",
                 error_text(&err));
    cr_expect_str_eq(comparison.before.name, "cycle aaaaaaaa");
    cr_expect_str_eq(comparison.after.name, "cycle bbbbbbbb");
    expect(
        comparison, "slower",
        "phase install// slower 8 8, role install/base/ slower 8 8, task install/base/packages slower 8 8");
    cr_expect_eq(comparison_compare(record.db, "last", "bbbbbbbb", NULL, &comparison, &err), -1);
    cr_expect(strstr(error_text(&err), "are the same"), "%s", error_text(&err));
    cr_expect_eq(comparison_compare(record.db, "last", "cccccccc", NULL, &comparison, &err), -1);
    cr_expect_eq(err.kind, ERROR_USAGE);
    cr_expect_eq(comparison_compare(record.db, "vault", "last", NULL, &comparison, &err), -1);
    cr_expect(strstr(error_text(&err), "'vault' is a target, and runs or cycles are compared"), "%s",
              error_text(&err));
    record_end(&record);
}

Test(comparison, forms_hold_the_documented_members)
{
    struct record record = record_start();
    put_history(&record, (struct how){.kind = NULL});
    put_run(&record, 20, 30 * NS_PER_S, (struct how){.kind = NULL});
    struct comparison comparison = regress(&record);
    AUTO_JSON *json = comparison_json(&comparison, false);
    AUTO_FREE char *text = json_compact(json);
    cr_expect(text_starts(text,
                          "{\"version\":1,\"verdict\":\"slower\",\"slower\":3,\"judged\":3,\"not_judged\":0,"
                          "\"earlier_unlike\":0,\"before\":{\"name\":\"12 earlier runs\""),
              "%s", text);
    cr_expect(
        strstr(text,
               "\"rows\":[{\"verdict\":\"slower\",\"level\":\"phase\",\"step\":\"install\",\"role\":null,"
               "\"task\":null,\"transport\":\"direct\",\"before_n\":12,\"before_median_ms\":10005.5,"
               "\"after_n\":1,\"after_median_ms\":30000.0,\"shift_ms\":19994.5,\"test\":\"margin\","
               "\"p\":null,\"differs\":null}"),
        "%s", text);
    AUTO_TEXT csv = TEXT_INIT, markdown = TEXT_INIT;
    report_format_named("csv")->comparison(&comparison, false, &wide, &csv);
    cr_expect(text_starts(text_string(&csv),
                          "verdict,level,step,role,task,transport,before_n,before_median_ms,"
                          "after_n,after_median_ms,shift_ms,test,p,differs\nslower,phase,install,,,"
                          "direct,12,10005.500000,1,30000.000000,19994.500000,margin,,\n"),
              "%s", text_string(&csv));
    comparison_view(&comparison, false, &as_markdown, &markdown);
    cr_expect(strstr(text_string(&markdown),
                     "| slower | phase | install | direct | 12 | 10.0s | 1 | 30.0s | 20.0s | "
                     "+200 | - | margin |"),
              "%s", text_string(&markdown));
    comparison_clear(&comparison);
    record_end(&record);
}

static const char group[] = "01890000-0000-7000-8000-0000aaaaaaaa",
                  earlier[] = "01890000-0000-7000-8000-000099999999";

static void put_destroy(struct record *record, int number, enum outcome outcome, const char *left)
{
    char id[ID_SIZE];
    name(id, number);
    struct event event = rows_run(EVENT_RUN_BEGIN, id, (1700000000 + number) * NS_PER_S);
    event.of_run.kind = "destroy";
    event.of_run.group_id = group;
    event.of_run.fresh = false;
    event.of_run.ansible = NULL;
    record_put(record, &event);
    event.kind = EVENT_RUN_END;
    event.of_run.outcome = outcome;
    event.of_run.exit_code = outcome == OUTCOME_OK ? 0 : 3;
    record_put(record, &event);
    AUTO_WORDS words = WORDS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    if (left)
        words_add(&words, left);
    cr_assert_eq(cycle_store_leftovers(record->path, id, &words, &err), 0, "%s", error_text(&err));
}

Test(comparison, a_cycle_is_told_from_its_rows_alone)
{
    struct record record = record_start();
    struct cycle cycle;
    struct cycle_summary summary;
    AUTO_ERROR err = ERROR_INIT;
    put_destroy(&record, 1, OUTCOME_OK, NULL);
    put_run(&record, 2, 10 * NS_PER_S, (struct how){.group = group});
    put_destroy(&record, 3, OUTCOME_OK, NULL);
    put_run(&record, 4, 14 * NS_PER_S, (struct how){.group = group});
    put_destroy(&record, 5, OUTCOME_OK, "mount /x");
    put_run(&record, 6, 12 * NS_PER_S, (struct how){.group = group});
    cr_assert_eq(cycle_load(record.db, record.state, group, 0, 0, &cycle, &err), 0, "%s", error_text(&err));
    cr_assert_eq(cycle.count, 4);
    cr_expect_eq(cycle.rounds[0].number, 0);
    cr_expect_eq(cycle.rounds[3].number, 3);
    cr_expect_str_eq(cycle.rounds[1].outcome, "ok");
    cr_expect_str_eq(cycle.rounds[2].outcome, "leftover");
    cr_expect_eq(cycle.rounds[2].leftovers, 1);
    cr_expect_eq(cycle.rounds[3].leftovers, -1);
    cr_assert_eq(cycle_sum_up(record.db, &cycle, &summary, &err), 0, "%s", error_text(&err));
    cr_expect_eq(summary.ok, 2);
    cr_expect_eq(summary.failed, 1);
    cr_expect_eq(summary.leftovers, 1);
    cr_expect_eq(summary.steps[0].now.n, 3);
    cr_expect_eq(summary.steps[0].now.median_ns, 12 * NS_PER_S);
    cr_expect_eq(summary.steps[0].now.deviation_ns, 2 * NS_PER_S);
    AUTO_TEXT first = TEXT_INIT, second = TEXT_INIT, all = TEXT_INIT;
    static const char *const phases[] = {"install", NULL};
    cycle_view_round(&cycle.rounds[1], phases, true, &wide, &first);
    cycle_view_round(&cycle.rounds[2], phases, false, &wide, &second);
    cr_expect_eq(strcspn(strchr(text_string(&first), '\n') + 1, "\n"), strcspn(text_string(&second), "\n"),
                 "rows are as wide as each other:\n%s%s", text_string(&first), text_string(&second));
    cycle_view_rounds(&cycle, &wide, &all);
    cr_expect(strstr(text_string(&all), text_string(&second)), "%s", text_string(&all));
    cycle_summary_clear(&summary);
    cycle_clear(&cycle);
    record_end(&record);
}

Test(comparison, the_trend_of_a_cycle_is_against_earlier_cycles_only)
{
    struct record record = record_start();
    struct cycle cycle;
    struct cycle_summary summary;
    put_run(&record, 1, 90 * NS_PER_S, (struct how){.kind = NULL}); /* in no cycle */
    for (int i = 2; i <= 9; i++)
        put_run(&record, i, 10 * NS_PER_S, (struct how){.group = earlier});
    for (int i = 11; i <= 18; i++)
        put_run(&record, i, 15 * NS_PER_S, (struct how){.group = group});
    cr_assert_eq(cycle_load(record.db, record.state, group, 0, 0, &cycle, NULL), 0);
    cr_assert_eq(cycle_sum_up(record.db, &cycle, &summary, NULL), 0);
    cr_expect_eq(summary.steps[0].earlier_n, 8);
    cr_expect_eq(summary.steps[0].earlier_median_ns, 10 * NS_PER_S);
    cr_assert_not_null(summary.steps[0].judged);
    cr_expect_eq(summary.steps[0].judged->verdict, REGRESSION_SLOWER);
    cycle_summary_clear(&summary);
    cycle_clear(&cycle);
    record_end(&record);
}

static void put_round(struct record *record, int number, const char *of, int64_t create_ns,
                      int64_t destroy_ns)
{
    put_run(record, number, create_ns, (struct how){.group = of});
    put_run(record, number + 1, destroy_ns,
            (struct how){.kind = "destroy", .rerun = true, .step = "destroy", .group = of});
}

Test(comparison, the_destroys_of_earlier_rounds_are_told_too_and_those_of_round_0_are_not)
{
    struct record record = record_start();
    struct cycle cycle;
    struct cycle_summary summary;
    put_run(&record, 1, 90 * NS_PER_S,
            (struct how){.kind = "destroy", .rerun = true, .step = "destroy", .group = earlier});
    put_round(&record, 2, earlier, 10 * NS_PER_S, 2 * NS_PER_S);
    put_round(&record, 4, earlier, 10 * NS_PER_S, 2 * NS_PER_S);
    put_round(&record, 6, group, 10 * NS_PER_S, 3 * NS_PER_S);
    cr_assert_eq(cycle_load(record.db, record.state, group, 0, 0, &cycle, NULL), 0);
    cr_assert_eq(cycle_sum_up(record.db, &cycle, &summary, NULL), 0);
    cr_assert_eq(summary.step_count, 2);
    cr_expect_str_eq(summary.steps[1].now.step, "destroy");
    cr_expect_eq(summary.steps[0].earlier_n, 2);
    cr_expect_eq(summary.steps[1].earlier_n, 2);
    cr_expect_eq(summary.steps[1].earlier_median_ns, 2 * NS_PER_S);
    cycle_summary_clear(&summary);
    cycle_clear(&cycle);
    record_end(&record);
}

Test(comparison, a_named_side_shows_its_own_evidence_also_where_nothing_in_it_counts)
{
    struct record record = record_start();
    struct comparison comparison;
    AUTO_TEXT out = TEXT_INIT;
    put_run(&record, 1, 10 * NS_PER_S, (struct how){.transport = "tailnet", .partial = true});
    put_run(&record, 2, 10 * NS_PER_S, (struct how){.group = group});
    put_run(&record, 3, NS_PER_S, (struct how){.group = group, .kind = "destroy", .transport = "tailnet"});
    put_run(&record, 4, 0, (struct how){.group = group, .no_step = true});
    cr_assert_eq(comparison_compare(record.db, "00000001", "last", NULL, &comparison, NULL), 0);
    comparison_view(&comparison, true, &wide, &out);
    cr_expect(strstr(text_string(&out), "run 00000001 holds no run that counts"), "%s", text_string(&out));
    cr_expect(strstr(text_string(&out), "chosen               tailnet  direct"), "%s", text_string(&out));
    comparison_clear(&comparison);
    record_end(&record);
}
