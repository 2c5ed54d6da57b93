/* Sums over very many tasks: the same as SQL says, told up to a limit, and sooner than they were written. */
#include "store/history_sums.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "report/text.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

TestSuite(history_sums, .timeout = 120, .fini = hostile_clean);

static const char run[] = "01890000-0000-7000-8000-000000000001";
static const char *const runs[] = {run, NULL};

enum { HOSTS = 50 };

static struct record record_of_run(void)
{
    struct record record = record_start();
    record_whole(&record, run, 1000, 5);
    return record;
}

/* So many tasks in one transaction: every task once on each host. */
static void put_tasks(struct record *record, int count)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_begin(record->db, &err), 0);
    cr_assert_eq(store_appender_begin(record->appender, &err), 0);
    for (int i = 0; i < count; i++) {
        char task[32], host[32];
        snprintf(task, sizeof task, "T%d", i / HOSTS);
        snprintf(host, sizeof host, "h%d", i % HOSTS);
        struct event event = rows_task(run, 1, i / HOSTS % 2 ? "r" : NULL, task, i % 3 ? "ok" : "changed");
        event.task.host = host;
        event.task.duration_ns = i * INT64_C(7919) % 1000 * NS_PER_MS;
        cr_assert_eq(store_appender_put(record->appender, &event, &err), 0, "%s", error_text(&err));
    }
    cr_assert_eq(sql_commit(record->db, &err), 0);
}

static struct history_sums sums_of(struct record *record, enum history_by by, size_t most)
{
    AUTO_ERROR err = ERROR_INIT;
    struct history_sums sums;
    cr_assert_eq(history_sums(record->db, runs, by, most, &sums, &err), 0, "%s", error_text(&err));
    return sums;
}

/* This process's own time: others keep a machine busy too. */
static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

Test(history_sums, many_tasks_are_added_up_in_less_time_than_writing_them_took)
{
    struct record record = record_of_run();
    double began = cpu_s();
    put_tasks(&record, 100000);
    double written = cpu_s() - began;
    began = cpu_s();
    struct history_sums sums = sums_of(&record, HISTORY_BY_TASK, REPORT_SUMS_MOST);
    double added = cpu_s() - began;
    cr_expect_eq(sums.count, (size_t)REPORT_SUMS_MOST);
    cr_expect_eq(sums.left_out, (size_t)(100000 - REPORT_SUMS_MOST));
    cr_expect_lt(added, written, "written in %.3f s, added up in %.3f s", written, added);
    history_sums_clear(&sums);
    record_end(&record);
}

Test(history_sums, a_sum_is_that_of_sql_and_the_order_is_by_length_then_by_name)
{
    struct record record = record_of_run();
    put_tasks(&record, 5000);
    put_tasks(&record, 5000);
    struct history_sums sums = sums_of(&record, HISTORY_BY_TASK, 0);
    AUTO_STATEMENT *query = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(
        sql_prepare(
            record.db,
            "SELECT iif(role, 'r : ' || title.text, title.text), host.text, n, changed, total, longest FROM"
            " (SELECT role, task, host, count(*) AS n, sum(status = 1) AS changed, sum(duration_ns) AS total,"
            "  max(duration_ns) AS longest FROM task GROUP BY role, task, host) AS part"
            " JOIN name AS title ON title.number = part.task JOIN name AS host ON host.number = part.host"
            " ORDER BY total DESC, title.text, host.text",
            &query, &err),
        0, "%s", error_text(&err));
    for (size_t i = 0; i < sums.count; i++) {
        const struct history_sum *sum = &sums.rows[i];
        cr_assert_eq(sql_step(query, &err), 1);
        cr_assert_str_eq(sum->name, sql_text(query, 0), "row %zu", i);
        cr_assert_str_eq(sum->host, sql_text(query, 1), "row %zu", i);
        cr_assert(sum->n == sql_integer(query, 2) && sum->changed == sql_integer(query, 3) &&
                      sum->sum_ns == sql_integer(query, 4) && sum->max_ns == sql_integer(query, 5),
                  "row %zu", i);
    }
    cr_expect_eq(sql_step(query, &err), 0, "there are more");
    sql_finish(TAKE(query));
    history_sums_clear(&sums);
    record_end(&record);
}

Test(history_sums, of_too_many_the_longest_are_told_and_how_many_more_there_are)
{
    static const struct table_look plain = {.width = 100, .utf8 = true};
    struct record record = record_of_run();
    put_tasks(&record, 1000);
    struct history_sums all = sums_of(&record, HISTORY_BY_TASK, 0),
                        few = sums_of(&record, HISTORY_BY_TASK, 7);
    int64_t rest = 0;
    cr_assert(all.count == 1000 && !all.left_out && few.count == 7 && few.left_out == 993);
    for (size_t i = 0; i < 7; i++)
        cr_expect(text_is(all.rows[i].name, few.rows[i].name) && text_is(all.rows[i].host, few.rows[i].host));
    for (size_t i = 7; i < all.count; i++)
        rest += all.rows[i].sum_ns;
    cr_expect_eq(few.left_out_ns, rest);
    AUTO_TEXT shown = TEXT_INIT, whole = TEXT_INIT;
    report_sums(&few, HISTORY_BY_TASK, &plain, &shown);
    report_sums(&all, HISTORY_BY_TASK, &plain, &whole);
    cr_expect(strstr(text_string(&shown), "\nand 993 more, none longer, "), "%s", text_string(&shown));
    cr_expect_null(strstr(text_string(&whole), " more, none longer"));
    struct history_sums roles = sums_of(&record, HISTORY_BY_ROLE, 7);
    cr_expect_eq(roles.count, 2 * HOSTS + 1, "roles are all told");
    history_sums_clear(&roles);
    history_sums_clear(&all);
    history_sums_clear(&few);
    record_end(&record);
}
