/* Pruning: what is old goes, and nothing that is in use or that a wrong clock calls
 * old; runs go on meanwhile. */
#include "store/maintain.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/layout.h"
#include "process/lock.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include <utime.h>

TestSuite(store_prune, .timeout = 120, .fini = hostile_clean);

static const char old[] = "01890000-0000-7000-8000-000000000001",
                  young[] = "01890000-0000-7000-8000-000000000002",
                  open_run[] = "01890000-0000-7000-8000-000000000003",
                  parent[] = "01890000-0000-7000-8000-000000000004",
                  stray[] = "01890000-0000-7000-8000-000000000005";
static const int64_t day_ns = 86400 * NS_PER_S;

static void expect_sound(struct record *record)
{
    AUTO_WORDS findings = WORDS_INIT;
    AUTO_FREE char *summary = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(store_check(record->path, &findings, &summary, &err), 0, "%s", error_text(&err));
    cr_expect_eq(findings.count, 0, "%s", words_argv(&findings)[0]);
    cr_expect_eq(
        record_number(record, "SELECT count(*) FROM task WHERE task NOT IN (SELECT number FROM name)"), 0);
}

static struct store_pruned prune(struct record *record, int64_t before_ns)
{
    struct store_pruned pruned;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(store_prune(record->path, record->state, before_ns, &pruned, &err), 0, "%s",
                 error_text(&err));
    return pruned;
}

/* Runs of the target vault that come after all others; not old themselves. */
static void put_newer(struct record *record, int count)
{
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *id = xasprintf("01890000-0000-7000-8001-%012x", (unsigned)i);
        record_whole(record, id, moment_wall(), 2);
    }
}

static void make_folder(const char *state, const char *run)
{
    AUTO_FREE char *folder = xasprintf("%s/runs/%s", state, run), *log = file_join(folder, "01.log");
    cr_assert_eq(file_make_dirs(folder, 0700, NULL), 0);
    cr_assert_eq(file_replace(log, "x", 1, 0600, NULL), 0);
    cr_assert_eq(utime(folder, &(struct utimbuf){1, 1}), 0);
}

static bool has_folder(const char *state, const char *run)
{
    AUTO_FREE char *folder = xasprintf("%s/runs/%s", state, run);
    return file_exists(folder);
}

Test(store_prune, pruning_takes_what_is_old_and_finished_and_nothing_else)
{
    struct record record = record_start();
    int64_t now = moment_wall(), long_ago = now - 100 * day_ns;
    record_whole(&record, old, long_ago, 2);
    struct event event = rows_task(old, 1, "r", "only here", "ok");
    record_put(&record, &event);
    record_whole(&record, young, now - NS_PER_S, 2);
    event = rows_task(young, 1, "r", "kept", "ok");
    record_put(&record, &event);
    record_whole(&record, parent, long_ago, 2);
    event = rows_run(EVENT_RUN_BEGIN, open_run, long_ago);
    event.of_run.parent_id = parent;
    record_put(&record, &event);
    AUTO_MACHINE *machine = machine_new();
    machine->target = xstrdup("vault");
    machine->provider = xstrdup("sandbox");
    for (int i = 0; i < 3; i++) { /* there; removed long ago; removed lately */
        free(machine->id);
        machine->id = xasprintf("01890000-0000-7000-8000-00000000001%d", i);
        machine->made_ns = 1;
        machine->removed_ns = i == 0 ? 0 : i == 1 ? long_ago : now;
        event = (struct event){.kind = EVENT_MACHINE, .machine = machine};
        record_put(&record, &event);
    }
    put_newer(&record, 20);
    const char *const folders[] = {old, young, parent, open_run, stray, "notes"};
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        make_folder(record.state, folders[i]);
    struct store_pruned pruned = prune(&record, now - 90 * day_ns);
    cr_expect(pruned.runs == 1 && pruned.machines == 1 && pruned.folders == 1, "%lld %lld %lld",
              (long long)pruned.runs, (long long)pruned.machines, (long long)pruned.folders);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run"), 23);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM task"), 1, "its rows go with the run");
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM name WHERE text = 'only here'"), 0);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM name WHERE text = 'kept'"), 1);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM machine WHERE removed_ns = 0"), 1,
                 "a machine that is there is never forgotten");
    cr_expect_not(has_folder(record.state, old));
    cr_expect_not(has_folder(record.state, stray));
    cr_expect(has_folder(record.state, young) && has_folder(record.state, parent) &&
              has_folder(record.state, open_run) && has_folder(record.state, "notes"));
    expect_sound(&record);
    record_end(&record);
}

Test(store_prune, the_last_twenty_runs_of_each_target_stay_however_old_they_are)
{
    struct record record = record_start();
    for (int i = 0; i < 25; i++) {
        AUTO_FREE char *id = xasprintf("01890000-0000-7000-8001-%012x", (unsigned)i);
        record_whole(&record, id, 100 * day_ns + i, 2);
    }
    struct event event = rows_run(EVENT_RUN_BEGIN, old, 1);
    event.of_run.target = "other";
    record_put(&record, &event);
    event.kind = EVENT_RUN_END;
    record_put(&record, &event);
    cr_expect_eq(prune(&record, moment_wall()).runs, 5);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run WHERE target = 'vault'"), 20);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run WHERE target = 'other'"), 1);
    cr_expect_eq(record_number(&record, "SELECT min(started_ns) FROM run WHERE target = 'vault'"),
                 100 * day_ns + 5, "those that came last");
    record_end(&record);
}

Test(store_prune, the_newest_time_is_that_of_runs_of_this_machine)
{
    struct record record = record_start();
    AUTO_ERROR err = ERROR_INIT;
    int64_t newest = -1;
    cr_assert_eq(store_newest(record.path, &newest, &err), 0, "%s", error_text(&err));
    cr_expect_eq(newest, 0);
    record_whole(&record, old, 1000, 2);
    record_whole(&record, young, 900 * day_ns, 2);
    cr_assert_eq(sql_run(record.db, "UPDATE run SET merged = 1 WHERE started_ns > 1000", &err), 0);
    cr_assert_eq(store_newest(record.path, &newest, &err), 0, "%s", error_text(&err));
    cr_expect_eq(newest, 1000 + 2 * NS_PER_S);
    record_end(&record);
}

/* It has made its folder, and its first row is still on its way; the folder is old
 * by a clock that was wrong. */
Test(store_prune, the_folder_of_a_run_that_begins_stays)
{
    struct record record = record_start();
    AUTO_FREE char *path = layout_lock(record.state, "vault"), *locks = file_join(record.state, "locks");
    struct lock_owner owner = {.pid = getpid(), .boot = "boot"};
    memcpy(owner.run, stray, sizeof stray);
    AUTO_CLOSE int fd = -1;
    cr_assert_eq(file_make_dirs(locks, 0700, NULL), 0);
    cr_assert_eq(lock_take(path, &owner, &fd, NULL), 0);
    make_folder(record.state, stray);
    make_folder(record.state, old);
    cr_expect_eq(prune(&record, moment_wall()).folders, 1);
    cr_expect(has_folder(record.state, stray));
    cr_expect_not(has_folder(record.state, old));
    record_end(&record);
}

Test(store_prune, one_at_a_time)
{
    struct record record = record_start();
    AUTO_CLOSE int fd = open(record.state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct store_pruned pruned;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(flock(fd, LOCK_EX), 0);
    cr_expect_eq(store_prune(record.path, record.state, 1, &pruned, &err), -1);
    cr_expect_eq(err.kind, ERROR_BUSY, "%s", error_text(&err));
    record_end(&record);
}
