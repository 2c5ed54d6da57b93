/* Where each second of a phase went: every moment counts once, whatever ran at the same time. */
#include "report/where.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(where, .timeout = 60, .fini = hostile_clean);

static const char run[] = "01890000-0000-7000-8000-000000000001";
static const char *const runs[] = {run, NULL};
#define BEGUN (1700000000 * NS_PER_S) /* of each phase */
#define MS    NS_PER_MS

struct task {
    const char *action, *status;
    int64_t from_ms, ms;
};

/* A phase of 10 s with these tasks. */
static void put_phase(struct record *record, int seq, const char *name, const struct task *tasks,
                      size_t count)
{
    struct event event = rows_step(EVENT_STEP_BEGIN, run, seq);
    event.of_step.name = name;
    record_put(record, &event);
    for (size_t i = 0; i < count; i++) {
        event = rows_task(run, seq, NULL, "T", tasks[i].status ? tasks[i].status : "ok");
        event.task.action = tasks[i].action;
        event.task.started_ns = BEGUN + tasks[i].from_ms * MS;
        event.task.duration_ns = tasks[i].ms * MS;
        record_put(record, &event);
    }
    event = rows_step(EVENT_STEP_END, run, seq);
    event.of_step.name = name;
    event.of_step.duration_ns = 10 * NS_PER_S;
    record_put(record, &event);
}

static struct record begun(void)
{
    struct record record = record_start();
    struct event event = rows_run(EVENT_RUN_BEGIN, run, BEGUN);
    record_put(&record, &event);
    return record;
}

static struct report_wheres read_where(struct record *record)
{
    AUTO_ERROR err = ERROR_INIT;
    struct history_where *rows = NULL;
    struct report_wheres wheres = {.runs = 1};
    cr_assert_eq(history_where(record->db, runs, &rows, &wheres.count, &err), 0, "%s", error_text(&err));
    wheres.rows = rows;
    return wheres;
}

static void end(struct record *record, struct report_wheres *wheres)
{
    history_where_free((struct history_where *)wheres->rows, wheres->count);
    record_end(record);
}

Test(where, each_moment_of_a_phase_counts_once_and_all_of_them_are_the_phase)
{
    static const struct task tasks[] = {
        {"ansible.builtin.setup", NULL, 1000, 2000},
        {"ansible.builtin.command", NULL, 3500, 2000}, /* on two hosts at once */
        {"ansible.builtin.command", NULL, 4000, 3000},
        {"ansible.builtin.set_fact", NULL, 6000, 1500}, /* on one of them meanwhile */
        {"ansible.builtin.command", "skipped", 8000, 500},
    };
    struct record record = begun();
    put_phase(&record, 1, "install", tasks, COUNT_OF(tasks));

    struct report_wheres wheres = read_where(&record);

    cr_assert_eq(wheres.count, 2);
    static const int64_t expected[WHERE_COUNT] = {1000, 2000, 3500, 1000, 1000, 1500};
    int64_t sum = 0;
    for (int i = 0; i < WHERE_COUNT; i++) {
        cr_expect(eq(i64, wheres.rows[0].ns[i], expected[i] * MS), "part %d", i);
        sum += wheres.rows[0].ns[i];
    }
    cr_expect(eq(i64, sum, wheres.rows[0].whole_ns));
    cr_expect(eq(i64, wheres.rows[0].tasks[WHERE_HOST], 2));
    cr_expect(eq(i64, wheres.rows[0].tasks[WHERE_CONTROLLER], 2));
    cr_expect_null(wheres.rows[1].phase, "the last row is the sum");
    end(&record, &wheres);
}

Test(where, a_phase_without_a_task_is_start_up_and_times_of_another_clock_stay_within_it)
{
    static const struct task outside[] = {{"command", NULL, -5000, 1000}, {"command", NULL, 9000, 60000}};
    struct record record = begun();
    put_phase(&record, 1, "none", NULL, 0);
    put_phase(&record, 2, "outside", outside, COUNT_OF(outside));

    struct report_wheres wheres = read_where(&record);

    cr_expect(eq(i64, wheres.rows[0].ns[WHERE_START], 10 * NS_PER_S));
    cr_expect(eq(i64, wheres.rows[1].ns[WHERE_HOST], 1 * NS_PER_S));
    cr_expect(eq(i64, wheres.rows[1].ns[WHERE_BETWEEN], 9 * NS_PER_S));
    end(&record, &wheres);
}

static void expect_hint(const struct report_wheres *wheres, const char *words)
{
    AUTO_FREE char *hint = report_where_hint(wheres);
    cr_expect(words ? hint && strstr(hint, words) : !hint, "%s", hint ? hint : "no hint");
}

Test(where, the_hint_names_the_largest_saving_of_a_run_and_none_that_is_not_worth_it)
{
    static const struct task facts[] = {{"gather_facts", NULL, 500, 800}, {"command", NULL, 2000, 100}};
    struct record record = begun();
    put_phase(&record, 1, "install", facts, COUNT_OF(facts));
    struct report_wheres wheres = read_where(&record);
    expect_hint(&wheres, NULL); /* once they have to be gathered */
    history_where_free((struct history_where *)wheres.rows, wheres.count);
    put_phase(&record, 2, "converge", facts, COUNT_OF(facts));
    wheres = read_where(&record);
    expect_hint(&wheres, "facts are gathered in 2 phases");
    expect_hint(&wheres, "about 0.8 s a run");
    struct history_where many = *wheres.rows;
    many.tasks[WHERE_HOST] = 60;
    struct report_wheres slow = {.rows = (const struct history_where[]){many, many},
                                 .count = 2,
                                 .runs = 1,
                                 .no_pipelining = true,
                                 .setting = "ansible.cfg:3"};
    expect_hint(&slow, "pipelining is off (ansible.cfg:3)");
    end(&record, &wheres);
}

Test(where, of_a_foreign_store_whose_phases_are_longer_than_any_time_a_sum_stays_at_its_end)
{
    struct record record = begun();
    put_phase(&record, 1, "install", NULL, 0);
    put_phase(&record, 2, "converge", NULL, 0);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_run(record.db, "UPDATE step SET started_ns = 0, duration_ns = 9223372036854775807",
                         &err),
                 0, "%s", error_text(&err));

    struct report_wheres wheres = read_where(&record);

    cr_expect(eq(i64, wheres.rows[2].whole_ns, INT64_MAX));
    cr_expect(eq(i64, wheres.rows[2].ns[WHERE_START], INT64_MAX));
    end(&record, &wheres);
}
