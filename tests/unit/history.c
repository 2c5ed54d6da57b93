/* Reading the store: the right run by any of its names, and the truth about runs that did not end. */
#include "store/history.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/layout.h"
#include "figures/account.h"
#include "figures/statistics.h"
#include "process/child.h"
#include "process/lock.h"
#include "report/timings.h"
#include "store/maintain.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(history, .fini = hostile_clean);

static const char first[] = "01890000-0000-7000-8000-0123456789ab",
                  second[] = "01890000-0000-7000-8000-9923456789ab",
                  third[] = "01890000-0000-7000-8000-0123456789ff";

static struct sql *open_history(struct record *record)
{
    AUTO_ERROR err = ERROR_INIT;
    struct sql *db = NULL;
    cr_assert_eq(history_open(record->path, &db, &err), 0, "%s", error_text(&err));
    return db;
}

/* What stands in a table's place would answer in its place, for ever if it likes. */
Test(history, a_store_whose_tables_are_something_else_is_refused_before_it_is_asked)
{
    static const char *const strange[] = {
        "DROP TABLE run; CREATE VIEW run AS WITH RECURSIVE endless(n) AS (SELECT 1 UNION ALL SELECT n + 1 "
        "FROM endless)"
        " SELECT n AS started_ns, 'x' AS id FROM endless",
        "DROP TABLE sample; CREATE VIEW SAMPLE AS SELECT 1",
        "DROP TABLE name; CREATE TABLE name (number, text)",
        "DROP INDEX run_tail; CREATE INDEX run_tail ON run (substr(id, 8))",
        "CREATE TRIGGER t AFTER DELETE ON run BEGIN DELETE FROM machine; END",
    };
    for (size_t i = 0; i < COUNT_OF(strange); i++) {
        struct record record = record_start();
        AUTO_SQL *db = NULL;
        AUTO_ERROR err = ERROR_INIT;
        cr_assert_eq(sql_run(record.db, "PRAGMA foreign_keys = OFF", &err), 0);
        cr_assert_eq(sql_run(record.db, strange[i], &err), 0, "%s", error_text(&err));
        cr_expect_eq(history_open(record.path, &db, &err), -1, "taken: %s", strange[i]);
        cr_expect(err.kind == ERROR_STORE && strstr(error_text(&err), "not those of this version"), "%s",
                  error_text(&err));
        record_end(&record);
        cr_assert_eq(file_remove_tree(hostile_folder(), NULL), 0);
        cr_assert_eq(file_make_dirs(hostile_folder(), 0700, NULL), 0);
    }
}

Test(history, what_somebody_added_to_a_store_does_no_harm)
{
    struct record record = record_start();
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_run(record.db,
                         "CREATE VIEW mine AS SELECT id FROM run; CREATE INDEX my ON run (outcome)", &err),
                 0);
    cr_expect_eq(history_open(record.path, &db, &err), 0, "%s", error_text(&err));
    record_end(&record);
}

Test(history, an_absent_and_an_empty_store_say_no_run_yet)
{
    AUTO_FREE char *path = hostile_path("none.db");
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(history_open(path, &db, &err), -1);
    cr_expect(err.kind == ERROR_USAGE && strstr(error_text(&err), "no run yet"), "%s", error_text(&err));
    cr_expect_not(file_exists(path), "looking made it");
    cr_assert_eq(file_replace(path, "", 0, 0600, NULL), 0);
    cr_expect_eq(history_open(path, &db, &err), -1);
    cr_expect(err.kind == ERROR_USAGE && strstr(error_text(&err), "no run yet"), "%s", error_text(&err));
    cr_expect_eq(history_find(path, &db, &err), 0);
    cr_expect_null(db, "an empty one was taken for a store");
}

Test(history, a_run_is_found_whole_by_its_short_id_and_as_the_last_one)
{
    struct record record = record_start();
    record_whole(&record, first, 1000, 5);
    record_whole(&record, third, 500, 5);
    AUTO_SQL *db = open_history(&record);
    AUTO_ERROR err = ERROR_INIT;
    struct history_run *run;
    cr_assert_eq(history_run(db, first, NULL, &run, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(run->id, first);
    cr_expect(run->fresh && !run->partial && run->exit_code == 0 && run->started_ns == 1000 &&
              run->duration_ns == 2 * NS_PER_S);
    cr_expect_str_eq(run->outcome, "ok");
    history_run_free(run);
    cr_assert_eq(history_run(db, "456789ff", NULL, &run, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(run->id, third);
    history_run_free(run);
    cr_assert_eq(history_run(db, NULL, NULL, &run, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(run->id, third, "the last is the one that came last");
    history_run_free(run);
    cr_assert_eq(history_run(db, NULL, "other", &run, &err), 0, "%s", error_text(&err));
    cr_expect_null(run);
    cr_expect_eq(history_run(db, "00000000", NULL, &run, &err), -1);
    cr_expect_eq(err.kind, ERROR_USAGE);
    record_end(&record);
}

Test(history, a_short_id_of_two_runs_names_both)
{
    struct record record = record_start();
    record_whole(&record, first, 1000, 5);
    record_whole(&record, second, 2000, 5);
    AUTO_SQL *db = open_history(&record);
    AUTO_ERROR err = ERROR_INIT;
    struct history_run *run = NULL;
    cr_expect_eq(history_run(db, "456789ab", NULL, &run, &err), -1);
    cr_expect(strstr(error_text(&err), first) && strstr(error_text(&err), second), "%s", error_text(&err));
    cr_expect_null(run);
    record_end(&record);
}

Test(history, the_machine_that_is_there_is_the_newest_not_removed_one)
{
    struct record record = record_start();
    AUTO_MACHINE *machine = machine_new();
    machine->target = xstrdup("vault");
    machine->provider = xstrdup("sandbox");
    const char *const ids[] = {third, second, first}; /* the last one has the smallest id */
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        free(machine->id);
        machine->id = xstrdup(ids[i]);
        machine->removed_ns = i == 1 ? 9 : 0;
        struct event event = {.kind = EVENT_MACHINE, .machine = machine};
        record_put(&record, &event);
    }
    AUTO_SQL *db = open_history(&record);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_MACHINE *found = NULL;
    cr_assert_eq(history_machine(db, "vault", &found, &err), 0, "%s", error_text(&err));
    cr_assert_not_null(found);
    cr_expect_str_eq(found->id, first);
    machine_free(TAKE(found));
    cr_assert_eq(history_machine(db, "none", &found, &err), 0);
    cr_expect_null(found);
    record_end(&record);
}

/* A run whose worker is this very process, or one that is gone. */
static void put_open_run(struct record *record, const char *id, bool alive)
{
    AUTO_FREE char *boot = process_boot_id();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, moment_wall());
    event.of_run.pid = getpid();
    event.of_run.pid_start = process_start_time(getpid()) + (alive ? 0 : 1);
    event.of_run.boot_id = boot;
    record_put(record, &event);
    event = rows_step(EVENT_STEP_BEGIN, id, 1);
    record_put(record, &event);
    event = rows_task(id, 1, NULL, "T", "ok");
    event.event_bytes = 100;
    record_put(record, &event);
}

static const int64_t two_hours = 7200 * NS_PER_S;

/* A clock that was ahead for a while (a machine before its first contact with a time server) hides
 * no run that came after it. */
Test(history, the_last_run_is_the_one_that_came_last_whatever_the_clock_said)
{
    struct record record = record_start();
    AUTO_ERROR err = ERROR_INIT;
    record_whole(&record, second, moment_wall() + two_hours, 5);
    put_open_run(&record, first, true);
    AUTO_SQL *db = open_history(&record);
    struct history_run *run, **runs;
    for (int by_target = 0; by_target < 2; by_target++) {
        const char *target = by_target ? "vault" : NULL;
        cr_assert_eq(history_run(db, NULL, target, &run, &err), 0, "%s", error_text(&err));
        cr_expect_str_eq(run->id, first);
        history_run_free(run);
        cr_assert_eq(history_last_here(db, target, &run, &err), 0, "%s", error_text(&err));
        cr_expect_str_eq(run->id, first);
        history_run_free(run);
        cr_assert_eq(history_last_runs(db, target, 9, &runs, &err), 0, "%s", error_text(&err));
        cr_assert(runs[0] && runs[1] && !runs[2]);
        cr_expect_str_eq(runs[0]->id, first);
        cr_expect_str_eq(runs[1]->id, second);
        history_runs_free(runs);
    }
    record_end(&record);
}

static void expect_by_index(struct sql *db, const char *query)
{
    AUTO_STATEMENT *plan = NULL;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *asked = xasprintf("EXPLAIN QUERY PLAN %s", query);
    cr_assert_eq(sql_prepare(db, asked, &plan, &err), 0, "%s", error_text(&err));
    while (sql_step(plan, &err) > 0)
        cr_expect(strncmp(sql_text(plan, 3), "SCAN run", 8) != 0 || strstr(sql_text(plan, 3), "USING"),
                  "%s: %s", query, sql_text(plan, 3));
}

/* Their rows hold whole plans: a few thousand of them take a tenth of a second to read. */
Test(history, a_cycle_is_found_without_a_look_at_every_run)
{
    struct record record = record_start();
    AUTO_SQL *db = open_history(&record);
    expect_by_index(db,
                    "SELECT group_id FROM run WHERE group_id IS NOT NULL AND (?1 IS NULL OR group_id = ?1)"
                    " AND (?2 IS NULL OR target = ?2) GROUP BY group_id ORDER BY min(merged), max(number)");
    expect_by_index(db, "SELECT * FROM run WHERE group_id = ?1 ORDER BY number");
    sql_close(TAKE(db));
    record_end(&record);
}

Test(history, a_cycle_is_in_the_order_in_which_it_ran_whatever_the_clock_said)
{
    struct record record = record_start();
    AUTO_ERROR err = ERROR_INIT;
    const char *const ids[] = {second, third, first}, *const groups[] = {third, third, first};
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct event event = rows_run(EVENT_RUN_BEGIN, ids[i], moment_wall() - (int64_t)i * two_hours);
        event.of_run.group_id = groups[i];
        record_put(&record, &event);
    }
    AUTO_SQL *db = open_history(&record);
    struct history_run **runs;
    char *group;
    cr_assert_eq(history_group_runs(db, third, 0, &runs, &err), 0, "%s", error_text(&err));
    cr_assert(runs[0] && runs[1] && !runs[2]);
    cr_expect_str_eq(runs[0]->id, second);
    cr_expect_str_eq(runs[1]->id, third);
    history_runs_free(runs);
    cr_assert_eq(history_group(db, NULL, NULL, &group, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(group, first, "the newest cycle came last, though its id is the smallest");
    free(group);
    record_end(&record);
}

Test(history, what_a_merge_brought_is_never_the_last_run_of_this_machine)
{
    struct record record = record_start();
    AUTO_ERROR err = ERROR_INIT;
    record_whole(&record, first, 1000, 5);
    record_whole(&record, third, 2000, 5);
    cr_assert_eq(sql_run(record.db, "UPDATE run SET merged = 1 WHERE started_ns = 2000", &err), 0);
    AUTO_SQL *db = open_history(&record);
    struct history_run *run, **runs;
    cr_assert_eq(history_last_here(db, "vault", &run, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(run->id, first);
    history_run_free(run);
    cr_assert_eq(history_last_runs(db, NULL, 9, &runs, &err), 0, "%s", error_text(&err));
    cr_assert(runs[0] && runs[1] && !runs[2]);
    cr_expect(strcmp(runs[0]->id, first) == 0 && strcmp(runs[1]->id, third) == 0 && runs[1]->merged);
    history_runs_free(runs);
    cr_assert_eq(sql_run(record.db, "UPDATE run SET merged = 1", &err), 0);
    cr_assert_eq(history_last_here(db, "vault", &run, &err), 0, "%s", error_text(&err));
    cr_expect_null(run, "all of them were made elsewhere");
    cr_assert_eq(history_run(db, NULL, "vault", &run, &err), 0, "%s", error_text(&err));
    cr_assert_not_null(run, "a report shows what there is");
    history_run_free(run);
    record_end(&record);
}

enum { SEQUENCES = 6, PARTS = 30, TARGETS = 3 };

static const char *const targets[TARGETS] = {"vault", "web", "box"};

/* Runs in the order in which they came: of this machine, and those that merges brought. */
struct order {
    char ids[PARTS][ID_SIZE];
    int target[PARTS];
    bool merged[PARTS];
    int count;
};

/* By a clock that is right, or up to 200 days ahead or behind. */
static void record_run(struct record *record, const char *id, int target)
{
    static const int64_t days[] = {0, 0, -200, 200};
    int64_t at = moment_wall() + days[rand() % 4] * 86400 * NS_PER_S + rand();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, at);
    event.of_run.target = targets[target];
    record_put(record, &event);
    event = rows_run(EVENT_RUN_END, id, at);
    event.of_run.target = targets[target];
    record_put(record, &event);
}

/* Some runs of another machine's store come in. */
static void bring(struct record *record, struct order *order)
{
    AUTO_FREE char *path = hostile_path("other.db");
    struct record other = {.state = xstrdup(""), .path = xstrdup(path)};
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    int count = 1 + rand() % 3;
    cr_assert(store_prepare(path, &err) == 0 && sql_open(path, SQL_WRITE, 1000, &other.db, &err) == 0 &&
                  store_appender_new(other.db, &other.appender, &err) == 0,
              "%s", error_text(&err));
    for (int i = 0; i < count && order->count < PARTS; i++) {
        int target = rand() % TARGETS, at = order->count++;
        id_make(order->ids[at]);
        order->target[at] = target;
        order->merged[at] = true;
        record_run(&other, order->ids[at], target);
    }
    record_end(&other);
    cr_assert_eq(store_merge(record->path, path, &merged, &err), 0, "%s", error_text(&err));
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        AUTO_FREE char *file = xasprintf("%s%s", path, ends[i]);
        unlink(file);
    }
}

/* The place of the run of that target (-1: of any) that came last, made here or
 * brought; -1: there is none. */
static int last_of(const struct order *order, int target, bool merged)
{
    int last = -1;
    for (int i = 0; i < order->count; i++)
        if (order->merged[i] == merged && (target < 0 || order->target[i] == target))
            last = i;
    return last;
}

static void expect_order(struct sql *db, const struct order *order, int target, unsigned seed)
{
    const char *name = target < 0 ? NULL : targets[target];
    int here = last_of(order, target, false), any = here < 0 ? last_of(order, target, true) : here;
    AUTO_ERROR err = ERROR_INIT;
    struct history_run *last = NULL, *shown = NULL, **all;
    cr_assert(history_last_here(db, name, &last, &err) == 0 &&
                  history_run(db, NULL, name, &shown, &err) == 0 &&
                  history_last_runs(db, name, PARTS, &all, &err) == 0,
              "%s", error_text(&err));
    cr_expect(here < 0 ? !last : last && strcmp(last->id, order->ids[here]) == 0,
              "seed %u: the last run made here of %s is not the newest", seed, name ? name : "all");
    cr_expect(any < 0 ? !shown : shown && strcmp(shown->id, order->ids[any]) == 0,
              "seed %u: what is shown of %s is not the newest", seed, name ? name : "all");
    bool brought = false;
    for (int i = 0; all[i]; i++) {
        cr_expect(all[i]->merged >= brought, "seed %u: a merged run stands before one made here", seed);
        brought = all[i]->merged;
    }
    history_run_free(last);
    history_run_free(shown);
    history_runs_free(all);
}

Test(history, the_last_run_is_the_newest_made_here_whatever_clocks_said_and_merges_brought, .timeout = 120)
{
    for (unsigned seed = 1; seed <= SEQUENCES; seed++) {
        struct record record = record_start();
        struct order order = {.count = 0};
        srand(seed);
        AUTO_SQL *db = open_history(&record);
        while (order.count < PARTS) {
            if (rand() % 4 == 0) {
                bring(&record, &order);
            } else {
                int at = order.count++;
                id_make(order.ids[at]);
                order.target[at] = rand() % TARGETS;
                record_run(&record, order.ids[at], order.target[at]);
            }
            for (int target = -1; target < TARGETS; target++)
                expect_order(db, &order, target, seed);
        }
        sql_close(TAKE(db));
        record_end(&record);
        cr_assert_eq(file_remove_tree(hostile_folder(), NULL), 0);
        cr_assert_eq(file_make_dirs(hostile_folder(), 0700, NULL), 0);
    }
}

static struct account load(struct sql *db, struct record *record, const char *id)
{
    AUTO_ERROR err = ERROR_INIT;
    struct history_run *run;
    struct account account;
    cr_assert_eq(history_run(db, id, NULL, &run, &err), 0, "%s", error_text(&err));
    cr_assert_eq(account_load(db, record->state, run, &account, &err), 0, "%s", error_text(&err));
    return account;
}

Test(history, a_run_without_an_outcome_is_running_while_its_worker_lives_else_crashed)
{
    struct record record = record_start();
    put_open_run(&record, first, true);
    put_open_run(&record, third, false);
    AUTO_SQL *db = open_history(&record);
    struct account account = load(db, &record, first);
    cr_expect_str_eq(account.outcome, "running");
    cr_expect_str_eq(account_step_outcome(&account, &account.steps[0]), "running");
    account_clear(&account);
    account = load(db, &record, third);
    cr_expect_str_eq(account.outcome, "crashed", "the same pid with another start time is another process");
    cr_expect_not(account.guarded);
    cr_expect_str_eq(account_step_outcome(&account, &account.steps[0]), "crashed");
    account_clear(&account);
    AUTO_FREE char *path = layout_lock(record.state, "vault"), *folder = file_join(record.state, "locks");
    struct lock_owner owner = {.pid = 1, .boot = "another boot"};
    memcpy(owner.run, third, sizeof third);
    AUTO_CLOSE int fd = -1;
    cr_assert_eq(file_make_dirs(folder, 0700, NULL), 0);
    cr_assert_eq(lock_take(path, &owner, &fd, NULL), 0);
    account = load(db, &record, third);
    cr_expect_str_eq(account.outcome, "crashed");
    cr_expect(account.guarded, "its guard still holds the lock");
    account_clear(&account);
    record_end(&record);
}

Test(history, a_crashed_run_says_how_many_event_bytes_are_yet_to_read)
{
    struct record record = record_start();
    put_open_run(&record, third, false);
    AUTO_FREE char *folder = file_join(record.state, "runs/r"),
                   *path = file_join(folder, "01-install.1.events.ndjson");
    char bytes[350] = {0};
    cr_assert_eq(file_make_dirs(folder, 0700, NULL), 0);
    cr_assert_eq(file_replace(path, bytes, sizeof bytes, 0600, NULL), 0);
    AUTO_SQL *db = open_history(&record);
    struct account account = load(db, &record, third);
    cr_expect_eq(account.unread_bytes, 250);
    account_clear(&account);
    record_end(&record);
}

static struct history_step ok_step(int64_t ns)
{
    return (struct history_step){
        .name = (char *)"install", .outcome = (char *)"ok", .transport = (char *)"direct", .duration_ns = ns};
}

Test(history, statistics_are_right_and_mix_nothing_that_differs)
{
    struct history_run run = {
        .target = (char *)"vault", .recipe = (char *)"vault", .ansible = (char *)"2.19", .fresh = true};
    struct history_run others[] = {run, run, run, run, run, run};
    others[0].target = (char *)"other";
    others[1].recipe = (char *)"other";
    others[2].ansible = (char *)"2.14";
    others[3].fresh = false;
    others[4].extra_digest = (char *)"sha256:1";
    others[5].partial = true;
    struct history_step steps[20], odd = ok_step(1), failed = ok_step(1), none = ok_step(1),
                                   bare = ok_step(1), warm = ok_step(140);
    odd.transport = (char *)"tailnet";
    bare.accelerated = (char *)"none";
    warm.accelerated = (char *)"warm"; /* as those of before it was recorded */
    failed.outcome = (char *)"failed";
    none.outcome = NULL;
    struct statistics *statistics = statistics_new();
    for (int i = 0; i < 20; i++)
        steps[i] = ok_step(((i * 7) % 20 + 1) * 10); /* 10 to 200, in no order */
    statistics_add(statistics, &run, steps, 19);
    statistics_add(statistics, &run, &warm, 1);
    statistics_add(statistics, &run, &bare, 1);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        statistics_add(statistics, &others[i], &odd, 1);
    statistics_add(statistics, &run, &odd, 1);
    statistics_add(statistics, &run, &failed, 1);
    statistics_add(statistics, &run, &none, 1);
    /* A resume goes on with a step that was broken off: that is no measure of the whole. */
    struct history_run resume = run;
    AUTO_FREE char *begun = xasprintf("{\"begun\":[\"%s\"]}", steps[0].name);
    resume.parent_id = (char *)"another";
    resume.plan = begun;
    statistics_add(statistics, &resume, steps, 20);
    size_t count;
    const struct statistic *rows = statistics_result(statistics, &count);
    cr_assert_eq(count, 8,
                 "five kinds of other runs, another transport, one that nothing made faster, and the "
                 "twenty; the partial one is out");
    cr_expect_eq(rows[0].n, 20);
    cr_expect_eq(rows[0].min_ns, 10);
    cr_expect_eq(rows[0].median_ns, 105);
    cr_expect_eq(rows[0].p95_ns, 190);
    cr_expect_eq(rows[0].max_ns, 200);
    for (size_t i = 1; i < count; i++)
        cr_expect(rows[i].n == 1 && rows[i].median_ns == 1 && rows[i].p95_ns == 1);
    statistics_free(statistics);
}

Test(history, bad_tasks_and_sums_come_with_their_words)
{
    struct record record = record_start();
    record_whole(&record, first, 1000, 5);
    static const char *const statuses[] = {"ok", "changed", "failed", "skipped", "unreachable"};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        struct event event = rows_task(first, 1, i == 1 ? NULL : "r", i == 1 ? "lonely" : "T", statuses[i]);
        event.task.message = i == 2 ? "broken" : NULL;
        event.task.rescued = i == 2;
        record_put(&record, &event);
    }
    AUTO_SQL *db = open_history(&record);
    AUTO_ERROR err = ERROR_INIT;
    struct history_bad *bad;
    struct history_sums all;
    const struct history_sum *sums;
    size_t count;
    cr_assert_eq(history_bad(db, first, 20, &bad, &count, &err), 0, "%s", error_text(&err));
    cr_assert_eq(count, 2);
    cr_expect_str_eq(bad[0].message, "broken");
    cr_expect_str_eq(bad[0].role, "r");
    cr_expect(bad[0].rescued && !bad[0].ignored && !bad[0].unreachable && bad[1].unreachable);
    history_bad_free(bad, count);
    cr_assert_eq(history_sums(db, (const char *const[]){first, NULL}, HISTORY_BY_TASK, 0, &all, &err), 0,
                 "%s", error_text(&err));
    sums = all.rows, count = all.count;
    cr_assert_eq(count, 2);
    cr_expect_str_eq(sums[0].name, "r : T");
    cr_expect(sums[0].n == 4 && sums[0].ok == 1 && sums[0].failed == 1 && sums[0].sum_ns == NS_PER_S &&
              sums[0].max_ns == NS_PER_S / 4);
    cr_expect_str_eq(sums[1].name, "lonely");
    cr_expect(sums[1].n == 1 && sums[1].changed == 1);
    history_sums_clear(&all);
    cr_assert_eq(history_sums(db, (const char *const[]){first, NULL}, HISTORY_BY_ROLE, 0, &all, &err), 0,
                 "%s", error_text(&err));
    sums = all.rows, count = all.count;
    cr_assert_eq(count, 3);
    cr_expect_str_eq(sums[0].name, "r");
    cr_expect_null(sums[1].name);
    cr_expect(sums[2].whole && text_is(sums[2].name, "all") && !sums[2].host && sums[2].n == 5);
    history_sums_clear(&all);
    record_end(&record);
}

/* A task of a role that began so many seconds after the first and took one. */
static void put_role(struct record *record, int step, const char *role, const char *status, int64_t at_s)
{
    struct event event = rows_task(first, step, role, "T", status);
    event.task.started_ns = (1700000000 + at_s) * NS_PER_S;
    event.task.duration_ns = NS_PER_S;
    event.task.rescued = text_is(role, "rescued") && text_is(status, "failed");
    event.task.ignored = text_is(role, "ignored") && text_is(status, "failed");
    record_put(record, &event);
}

static void expect_role(const struct history_sum *sums, size_t count, const char *role, const char *status,
                        int64_t at_s, int64_t wall_s)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(sums[i].name, role)) {
            cr_expect_str_eq(sums[i].status, status, "%s is %s", role, sums[i].status);
            cr_expect_eq(sums[i].started_ns, (1700000000 + at_s) * NS_PER_S, "%s", role);
            cr_expect_eq(sums[i].wall_ns, wall_s * NS_PER_S, "%s took %lld", role,
                         (long long)sums[i].wall_ns);
            return;
        }
    cr_assert_fail("there is no role %s", role);
}

Test(history, a_role_is_failed_changed_ok_or_skipped_and_goes_from_its_first_task_to_its_last)
{
    struct record record = record_start();
    record_whole(&record, first, 1000, 5);
    for (int step = 2; step <= 3; step++) {
        struct event event = rows_step(EVENT_STEP_BEGIN, first, step);
        event.of_step.name = "again";
        event.of_step.attempt = step - 1;
        record_put(&record, &event);
    }
    static const struct {
        const char *role, *status;
        int64_t at_s;
        int step;
    } tasks[] = {
        {"background", "changed", 0, 1},  {"ok", "ok", 2, 1},
        {"ok", "skipped", 3, 1},          {"rescued", "failed", 5, 1},
        {"rescued", "ok", 6, 1},          {"ignored", "failed", 8, 1},
        {"ignored", "ok", 9, 1},          {"skipped", "skipped", 10, 1},
        {"background", "ok", 20, 1},      {"lost", "unreachable", 21, 1},
        {"made up for", "failed", 22, 2}, {"made up for", "ok", 30, 3},
    };
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        put_role(&record, tasks[i].step, tasks[i].role, tasks[i].status, tasks[i].at_s);
    AUTO_SQL *db = open_history(&record);
    AUTO_ERROR err = ERROR_INIT;
    struct history_sums all;
    const struct history_sum *sums;
    size_t count;
    cr_assert_eq(history_sums(db, (const char *const[]){first, NULL}, HISTORY_BY_ROLE, 0, &all, &err), 0,
                 "%s", error_text(&err));
    sums = all.rows, count = all.count;
    cr_assert_eq(count, 8);
    expect_role(sums, count, "background", "changed", 0, 21);
    expect_role(sums, count, "ok", "ok", 2, 2);
    expect_role(sums, count, "rescued", "failed", 5, 2);
    expect_role(sums, count, "ignored", "ok", 8, 2);
    expect_role(sums, count, "skipped", "skipped", 10, 1);
    expect_role(sums, count, "lost", "failed", 21, 1);
    expect_role(sums, count, "made up for", "ok", 22, 9);
    expect_role(sums, count, "all", "failed", 0, 31);
    cr_expect(sums[7].whole && sums[7].sum_ns == 12 * NS_PER_S && !sums[0].whole);

    /* In the file of a bundle, in the order of their begins, none counted twice. */
    struct account account = {.run = xcalloc(1, sizeof(struct history_run)), .outcome = "ok"};
    const struct words never = WORDS_INIT;
    AUTO_TEXT timings = TEXT_INIT;
    timings_add(&account, &never, sums, count, &timings);
    const char *at = strstr(text_string(&timings), "\nBy role\n");
    cr_assert(at, "%s", text_string(&timings));
    static const char *const order[] = {"\nbackground ",
                                        " changed ",
                                        " 21000.000\n",
                                        "\nok ",
                                        "\nrescued ",
                                        " failed ",
                                        "\nignored ",
                                        "\nskipped ",
                                        "\nlost ",
                                        "\nmade up for ",
                                        "\nall ",
                                        " 31000.000\n",
                                        "\nSum of per-role durations: 38000.000 ms (38.00 s)\n",
                                        "Wall-clock (first to last): 31000.000 ms (31.00 s)\n"};
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        const char *found = strstr(at, order[i]);
        cr_assert(found, "no %s in %s", order[i], at);
        at = found + strlen(order[i]) - 1;
    }
    account_clear(&account);
    history_sums_clear(&all);
    record_end(&record);
}
