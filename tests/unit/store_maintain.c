/* Checking, exporting and merging: nothing that is in use goes, and no foreign file gets in half
 * or gets its way. */
#include "store/maintain.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "store/schema.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(store_maintain, .timeout = 120, .fini = hostile_clean);

static const char old[] = "01890000-0000-7000-8000-000000000001",
                  young[] = "01890000-0000-7000-8000-000000000002",
                  open_run[] = "01890000-0000-7000-8000-000000000003";

static struct words check(const char *path)
{
    struct words findings = WORDS_INIT;
    char *summary = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(store_check(path, &findings, &summary, &err), 0, "%s", error_text(&err));
    free(summary);
    return findings;
}

Test(store_maintain, a_sound_store_is_said_to_be_sound_and_dangling_rows_are_named)
{
    struct record record = record_start();
    record_whole(&record, old, 1, 2);
    struct event event = rows_task(old, 1, "r", "T", "ok");
    record_put(&record, &event);
    struct words findings = check(record.path);
    cr_expect_eq(findings.count, 0, "%s", words_argv(&findings)[0]);
    words_clear(&findings);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(
        sql_run(record.db,
                "PRAGMA foreign_keys = OFF; INSERT INTO event (run, at_ns, kind) VALUES (77, 1, 'x');"
                " UPDATE task SET path = 9999; UPDATE run SET machine_id = 'gone'; UPDATE step SET outcome ="
                " NULL",
                &err),
        0, "%s", error_text(&err));
    findings = check(record.path);
    AUTO_TEXT all = TEXT_INIT;
    for (size_t i = 0; i < findings.count; i++)
        text_addf(&all, "%s\n", findings.items[i]);
    const char *const said[] = {"event row 1 of run", "step 1, task 1", "machine gone", "step 1"};
    for (size_t i = 0; i < COUNT_OF(said); i++)
        cr_expect(strstr(text_string(&all), said[i]), "'%s' is missing in\n%s", said[i], text_string(&all));
    words_clear(&findings);
    record_end(&record);
}

Test(store_maintain, an_export_is_whole_private_and_overwrites_nothing)
{
    struct record record = record_start();
    record_whole(&record, old, 1, 2);
    AUTO_FREE char *to = hostile_path("copy.db");
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SQL *copy = NULL;
    int64_t runs;
    struct stat file;
    cr_assert_eq(store_export(record.path, to, &err), 0, "%s", error_text(&err));
    cr_assert_eq(stat(to, &file), 0);
    cr_expect_eq(file.st_mode & 0777, 0600);
    cr_assert_eq(sql_open(to, SQL_READ, 100, &copy, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_query_integer(copy, "SELECT count(*) FROM run", 0, &runs, &err), 0, "%s",
                 error_text(&err));
    cr_expect_eq(runs, 1);
    cr_expect_eq(store_export(record.path, to, &err), -1);
    record_end(&record);
}

/* The store of somebody else, as a file beside ours: a run with rows of all kinds, one that runs, a
 * machine that is there and one that is not. */
static char *make_other(struct record *record)
{
    record_whole(record, old, 5, 7);
    struct event event = rows_task(old, 1, "r", "T", "failed");
    event.task.message = "why";
    record_put(record, &event);
    event = (struct event){.kind = EVENT_UNREACHABLE,
                           .run = old,
                           .step = 1,
                           .unreachable = {.host = "h", .cause = "refused", .at_ns = 6}};
    record_put(record, &event);
    event = (struct event){.kind = EVENT_NOTE,
                           .run = old,
                           .note = {.kind = "mark", .detail = "{\"a\":1}", .at_ns = 7}};
    record_put(record, &event);
    event = rows_run(EVENT_RUN_BEGIN, open_run, 5);
    record_put(record, &event);
    AUTO_MACHINE *machine = machine_new();
    machine->target = xstrdup("vault");
    machine->provider = xstrdup("sandbox");
    for (int i = 0; i < 2; i++) {
        free(machine->id);
        machine->id = xasprintf("01890000-0000-7000-8000-00000000001%d", i);
        machine->removed_ns = i * 10;
        event = (struct event){.kind = EVENT_MACHINE, .machine = machine};
        record_put(record, &event);
    }
    AUTO_FREE char *path = hostile_path("other.db");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(
        sql_run(
            record->db,
            "UPDATE run SET machine_id = (SELECT id FROM machine WHERE removed_ns = 0) WHERE outcome IS NOT"
            " NULL",
            &err),
        0, "%s", error_text(&err));
    cr_assert_eq(store_export(record->path, path, &err), 0, "%s", error_text(&err));
    record_end(record);
    AUTO_FREE char *state = hostile_path(".triphase");
    cr_assert_eq(file_remove_tree(state, NULL), 0);
    *record = record_start();
    return TAKE(path);
}

Test(store_maintain, merging_adds_finished_runs_once_and_leaves_the_rest)
{
    struct record record = record_start();
    AUTO_FREE char *other = make_other(&record);
    record_whole(&record, young, 9, 9);
    struct event event = rows_task(young, 1, "other role", "other task", "ok");
    record_put(&record, &event); /* numbers of words differ from theirs */
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT before = TEXT_INIT, after = TEXT_INIT;
    cr_assert_eq(file_read(other, 1 << 22, &before, NULL), 0);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(store_merge(record.path, other, &merged, &err), 0, "%s", error_text(&err));
        cr_expect(merged.runs == !round && merged.known == round && merged.machines == !round &&
                  merged.unfinished == 1 && merged.present == 1);
        cr_expect_eq(record_number(&record, "SELECT count(*) FROM run"), 2);
        cr_expect_eq(record_number(&record, "SELECT count(*) FROM run WHERE merged = 1 AND id LIKE '%1'"), 1);
        cr_expect_eq(
            record_number(
                &record,
                "SELECT count(*) FROM task JOIN step ON step.number = task.step JOIN run ON run.number ="
                " step.run"
                " JOIN name AS role ON role.number = task.role JOIN name AS title ON title.number = task.task"
                " WHERE role.text = 'r' AND title.text = 'T' AND task.message = 'why' AND run.id LIKE '%1'"),
            1);
        cr_expect_eq(record_number(&record, "SELECT count(*) FROM unreachable WHERE host = 'h' AND cause ="
                                            " 'refused' AND step = 'install'"),
                     1);
        cr_expect_eq(record_number(&record,
                                   "SELECT count(*) FROM event WHERE kind = 'mark' AND detail = '{\"a\":1}'"),
                     1);
        cr_expect_eq(record_number(&record, "SELECT count(*) FROM machine WHERE removed_ns = 0"), 0,
                     "their machines are theirs");
        cr_expect_eq(record_number(&record, "SELECT count(*) FROM step WHERE log LIKE 'runs/%'"), 2);
    }
    cr_assert_eq(file_read(other, 1 << 22, &after, NULL), 0);
    cr_expect(before.length == after.length && memcmp(before.bytes, after.bytes, after.length) == 0,
              "the other store was written to");
    struct words findings = check(record.path);
    cr_expect_eq(findings.count, 0, "%s", findings.count ? findings.items[0] : "");
    words_clear(&findings);
    record_end(&record);
}

static struct store_merged merge(struct record *record, const char *other)
{
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(store_merge(record->path, other, &merged, &err), 0, "%s", error_text(&err));
    return merged;
}

static void change(const char *path, const char *statements)
{
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_open(path, SQL_WRITE, 100, &db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_run(db, statements, &err), 0, "%s", error_text(&err));
}

Test(store_maintain, merging_into_nothing_makes_a_store)
{
    struct record record = record_start();
    AUTO_FREE char *other = make_other(&record), *path = hostile_path("new/store.db"),
                   *folder = hostile_path("new");
    struct record fresh = {.path = path};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_make_dirs(folder, 0700, &err), 0, "%s", error_text(&err));
    cr_expect_eq(merge(&fresh, other).runs, 1);
    struct words findings = check(path);
    cr_expect_eq(findings.count, 0, "%s", words_argv(&findings)[0]);
    words_clear(&findings);
    record_end(&record);
}

Test(store_maintain, a_store_that_cannot_be_seen_is_not_told_as_absent)
{
    struct record record = record_start();
    AUTO_FREE char *circle = hostile_path("circle"), *inside = hostile_path("circle/store.db");
    AUTO_ERROR err = ERROR_INIT;
    struct store_merged merged;
    cr_assert_eq(symlink("circle", circle), 0);
    cr_expect_eq(store_merge(record.path, inside, &merged, &err), -1);
    cr_expect(strstr(error_text(&err), "leads in a circle") && !strstr(error_text(&err), "no such file"),
              "%s", error_text(&err));
    record_end(&record);
}

/* Runs of a piece, of several pieces, and one that is larger than a piece. */
Test(store_maintain, many_runs_and_a_large_one_are_merged_whole)
{
    struct record record = record_start();
    AUTO_FREE char *other = make_other(&record);
    change(
        other,
        "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO task"
        " SELECT step, i, host, play, role, task, path, action, status, flags, items, started_ns, "
        "duration_ns,"
        " message FROM task, n;"
        " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO run (id,"
        " kind, target, partial, fresh, started_ns, duration_ns, outcome) SELECT"
        " printf('01890000-0000-7000-8002-%012x', i), 'create', 'vault', 0, 0, 9, 9, 'ok' FROM n;"
        " INSERT INTO step (run, seq, kind, name, attempt, started_ns, started_monotonic_ns, deadline_ns,"
        " duration_ns, outcome) SELECT number, 1, 'phase', 'install', 1, 9, 9, 9, 9, 'ok' FROM run WHERE"
        " started_ns = 9;"
        " INSERT INTO name (number, text) VALUES (500, 'rare');"
        " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) INSERT INTO task"
        " SELECT step.number, i, 500, NULL, NULL, 500, NULL, NULL, 0, 0, 0, 9, 9, NULL FROM step, n WHERE"
        " step.started_ns = 9");
    cr_expect_eq(merge(&record, other).runs, 101);
    cr_expect_eq(
        record_number(&record,
                      "SELECT count(*) FROM task JOIN name ON number = task.task WHERE text = 'rare'"),
        15000);
    cr_expect_eq(record_number(&record,
                               "SELECT count(*) FROM task JOIN name ON number = task.task WHERE text = 'T'"),
                 12000);
    cr_expect_eq(record_number(&record, "SELECT count(DISTINCT run) FROM step"), 101);
    cr_expect_eq(merge(&record, other).known, 101);
    record_end(&record);
}

/* The second run breaks a rule of the tables only when it is written. */
Test(store_maintain, runs_before_one_that_cannot_be_added_are_taken_away_again)
{
    struct record record = record_start();
    AUTO_FREE char *other = make_other(&record), *copy = xasprintf("%s.merge", record.path);
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    change(other,
           "WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) INSERT INTO task"
           " SELECT step, i, host, play, role, task, path, action, status, flags, items, started_ns, "
           "duration_ns,"
           " message FROM task, n;"
           " INSERT INTO run (id, kind, target, partial, fresh, started_ns, outcome) VALUES"
           " ('01890000-0000-7000-8002-000000000000', 'create', 'vault', 0, 0, 9, 'ok');"
           " INSERT INTO step (run, seq, kind, name, attempt, started_ns, started_monotonic_ns, deadline_ns, "
           "outcome)"
           " SELECT number, 1, 'phase', 'install', 1, 9, 9, 9, 'ok' FROM run WHERE started_ns = 9;"
           " PRAGMA ignore_check_constraints = ON; INSERT INTO task SELECT number, 1, NULL, NULL, NULL, NULL,"
           " NULL, NULL, 9, 0, 0, 9, 9, NULL FROM step WHERE started_ns = 9");
    cr_expect_eq(store_merge(record.path, other, &merged, &err), -1);
    cr_expect_eq(err.kind, ERROR_STORE, "%s", error_text(&err));
    cr_expect_eq(record_number(&record, "SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM task)"),
                 0);
    cr_expect_not(file_exists(copy));
    record_end(&record);
}

Test(store_maintain, a_store_of_an_older_version_is_merged_and_stays_as_it_is)
{
    struct record record = record_start();
    AUTO_FREE char *other = hostile_path("old.db");
    AUTO_TEXT before = TEXT_INIT, after = TEXT_INIT;
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *stamp =
        xasprintf("PRAGMA application_id = %d; PRAGMA user_version = 1", STORE_APPLICATION);
    cr_assert_eq(sql_open(other, SQL_CREATE, 100, &db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_run(db, store_migration(0), &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_run(db, stamp, &err), 0, "%s", error_text(&err));
    sql_close(TAKE(db));
    change(other, "INSERT INTO run (id, kind, target, partial, fresh, started_ns, outcome) VALUES"
                  " ('01890000-0000-7000-8002-000000000000', 'create', 'vault', 0, 0, 9, 'ok')");
    cr_assert_eq(file_read(other, 1 << 22, &before, NULL), 0);
    cr_expect_eq(merge(&record, other).runs, 1);
    cr_assert_eq(file_read(other, 1 << 22, &after, NULL), 0);
    cr_expect(before.length == after.length && memcmp(before.bytes, after.bytes, after.length) == 0);
    record_end(&record);
}

Test(store_maintain, a_store_that_lies_is_refused_whole)
{
    struct record record = record_start();
    AUTO_FREE char *other = make_other(&record);
    static const char *const lies[] = {
        "UPDATE run SET id = '../../../../../../../../../../etc/00' WHERE number = 1",
        "UPDATE run SET target = '../../etc'",
        "UPDATE run SET started_ns = -9223372036854775807",
        "UPDATE step SET duration_ns = 9223372036854775807",
        "UPDATE step SET seq = 99999999999",
        "UPDATE task SET duration_ns = -1",
        "UPDATE machine SET record = 'no json'",
        "INSERT INTO event (run, step, at_ns, kind) SELECT number, 77, 1, 'mark' FROM run",
        "UPDATE step SET outcome = NULL",
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 5",
        "CREATE TRIGGER t AFTER INSERT ON run BEGIN DELETE FROM run; END",
        "CREATE TABLE more (a)",
        "DROP VIEW role_timing; CREATE VIEW role_timing AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT"
        " i + 1 FROM n) SELECT i AS run FROM n",
        "PRAGMA foreign_keys = OFF; DROP TABLE name; CREATE VIEW name AS WITH RECURSIVE n(i) AS (SELECT 1"
        " UNION ALL SELECT i + 1 FROM n) SELECT i AS number, 'x' AS text FROM n",
        "PRAGMA foreign_keys = OFF; DROP TABLE sample; CREATE TABLE sample (run, kind, at_ns, healthy,"
        " value, detail)",
    };
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        AUTO_FREE char *copy = xasprintf("%s.%zu", other, i);
        AUTO_TEXT bytes = TEXT_INIT;
        AUTO_SQL *db = NULL;
        AUTO_ERROR err = ERROR_INIT;
        struct store_merged merged;
        cr_assert_eq(file_read(other, 1 << 22, &bytes, NULL), 0);
        cr_assert_eq(file_replace(copy, bytes.bytes, bytes.length, 0600, NULL), 0);
        cr_assert_eq(sql_open(copy, SQL_WRITE, 100, &db, &err), 0);
        cr_assert_eq(sql_run(db, lies[i], &err), 0, "%s", error_text(&err));
        sql_close(TAKE(db));
        cr_expect_eq(store_merge(record.path, copy, &merged, &err), -1, "taken: %s", lies[i]);
        cr_expect_eq(err.kind, ERROR_USAGE);
        cr_expect_eq(record_number(&record, "SELECT (SELECT count(*) FROM run) + (SELECT count(*) FROM"
                                            " name) + (SELECT count(*) FROM machine)"),
                     0, "%s", lies[i]);
    }
    record_end(&record);
}

Test(store_maintain, a_path_of_a_merged_step_cannot_leave_the_folder_of_runs)
{
    struct record record = record_start();
    AUTO_FREE char *other = make_other(&record);
    AUTO_SQL *db = NULL;
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_open(other, SQL_WRITE, 100, &db, NULL), 0);
    cr_assert_eq(sql_run(db, "UPDATE step SET log = '/etc/shadow', events = 'runs/../../x'", NULL), 0);
    sql_close(TAKE(db));
    cr_assert_eq(store_merge(record.path, other, &merged, &err), 0, "%s", error_text(&err));
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM step WHERE log IS NULL AND events IS NULL"), 1);
    record_end(&record);
}

/* Damaged at random: taken whole, or refused, and ours stays sound. */
Test(store_maintain, a_damaged_store_is_refused_or_merged_but_harms_nothing)
{
    struct record record = record_start();
    AUTO_FREE char *other = make_other(&record), *copy = hostile_path("damaged.db");
    AUTO_TEXT bytes = TEXT_INIT;
    cr_assert_eq(file_read(other, 1 << 22, &bytes, NULL), 0);
    int refused = 0;
    srand(3);
    for (int round = 0; round < 150; round++) {
        AUTO_FREE char *broken = xmalloc(bytes.length);
        memcpy(broken, bytes.bytes, bytes.length);
        for (int i = 0; i < 1 + round % 40; i++)
            broken[(size_t)rand() % bytes.length] = (char)rand();
        cr_assert_eq(file_replace(copy, broken, round % 7 ? bytes.length : (size_t)rand() % bytes.length,
                                  0600, NULL),
                     0);
        struct store_merged merged;
        AUTO_ERROR err = ERROR_INIT;
        refused += store_merge(record.path, copy, &merged, &err) < 0;
    }
    cr_expect_gt(refused, 50);
    cr_expect_eq(record_number(&record,
                               "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
                 1);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    record_end(&record);
}
