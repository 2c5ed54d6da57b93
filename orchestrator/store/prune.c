#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/layout.h"
#include "format/sql.h"
#include "process/lock.h"
#include "store/batch.h"
#include "store/history.h"
#include "store/maintain.h"
#include "store/sweep_words.h"

#include <sys/stat.h>

enum { BUSY_MS = 10000 };

int store_newest(const char *path, int64_t *out, struct error *err)
{
    AUTO_SQL *db = NULL;
    return history_open(path, &db, err) < 0
               ? -1
               : sql_query_integer(
                     db, "SELECT max(started_ns + coalesce(duration_ns, 0)) FROM run WHERE merged = 0", 0,
                     out, err);
}

/* ---- runs ---- */

#define KEPT_OF_A_TARGET "20"

static int prunable(struct sql *db, int64_t before_ns, struct words *out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    int row;
    if (sql_prepare(
            db,
            "SELECT id FROM (SELECT id, outcome, started_ns + coalesce(duration_ns, 0) AS ended,"
            "  row_number() OVER (PARTITION BY target, kind IS 'drift' ORDER BY " HISTORY_NEWEST_FIRST
            ") AS place FROM run)"
            " WHERE place > " KEPT_OF_A_TARGET " AND outcome IS NOT NULL AND ended < ?1"
            " AND id NOT IN (SELECT parent_id FROM run WHERE outcome IS NULL AND parent_id IS NOT NULL)",
            &query, err) < 0)
        return -1;
    sql_bind_integer(query, 1, before_ns);
    while ((row = sql_step(query, err)) > 0)
        words_add(out, sql_text(query, 0));
    return row;
}

/* What is removed, by which statements, and how far that is. Each takes an id and a number: of rows of a run,
 * how many at most. */
enum { STATEMENTS_MOST = 4 };
struct removing {
    struct sql_statement *statements[STATEMENTS_MOST];
    size_t count, at;
    const char *const *ids; /* ends with NULL */
    int64_t number, removed /* rows */;
};

static int removing_begin(struct sql *db, const char *const *statements, size_t count, const char *const *ids,
                          int64_t number, struct removing *out, struct error *err)
{
    *out = (struct removing){.count = count, .ids = ids, .number = number};
    for (size_t i = 0; i < count; i++)
        if (sql_prepare(db, statements[i], &out->statements[i], err) < 0)
            return -1;
    return 0;
}

static void removing_clear(struct removing *removing)
{
    for (size_t i = 0; i < COUNT_OF(removing->statements); i++)
        sql_finish(TAKE(removing->statements[i]));
}

/* As much as its time allows: some of one run with many rows, or many runs with few. */
static int remove_some(struct sql *db, void *context, struct error *err)
{
    struct removing *removing = context;
    int64_t began = moment_monotonic();
    do {
        struct sql_statement *remove = removing->statements[removing->at];
        sql_bind_text(remove, 1, *removing->ids);
        sql_bind_integer(remove, 2, removing->number);
        if (sql_do(remove, err) < 0)
            return -1;
        removing->removed += sql_changes(db);
        if (sql_changes(db) < STORE_BATCH_BITE) {
            removing->at = (removing->at + 1) % removing->count;
            removing->ids += removing->at == 0;
        }
    } while (*removing->ids && !store_batch_is_long(began));
    return 0;
}

static int remove_all(struct sql *db, struct removing *removing, struct error *err)
{
    int result = 0;
    while (result == 0 && *removing->ids)
        result = store_batch(db, remove_some, removing, err);
    return result;
}

int store_remove_halves(struct sql *db, struct error *err)
{
    static const char *const statements[] = {
        "DELETE FROM task WHERE (step, seq) IN (SELECT step, seq FROM task WHERE " STORE_HALF " LIMIT ?2)",
        "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE " STORE_HALF_OF_RUN " LIMIT ?2)",
        "DELETE FROM sample WHERE (run, kind, at_ns) IN (SELECT run, kind, at_ns FROM sample"
        " WHERE " STORE_HALF_OF_RUN " LIMIT ?2)",
    };
    static const char *const of_no_run[] = {"", NULL};
    struct removing removing;
    int result =
        removing_begin(db, statements, COUNT_OF(statements), of_no_run, STORE_BATCH_BITE, &removing, err);
    if (result == 0)
        result = remove_all(db, &removing, err);
    removing_clear(&removing);
    return result;
}

/* What a run has many of goes first, the run itself last: one that is killed meanwhile is found again by the
 * next. */
static int removing_runs(struct sql *db, const char *const *runs, struct removing *out, struct error *err)
{
    static const char *const statements[] = {
        "DELETE FROM task WHERE (step, seq) IN (SELECT task.step, task.seq FROM task WHERE step IN"
        " (SELECT number FROM step WHERE run = (SELECT number FROM run WHERE id = ?1)) LIMIT ?2)",
        "DELETE FROM event WHERE number IN (SELECT number FROM event WHERE run ="
        " (SELECT number FROM run WHERE id = ?1) LIMIT ?2)",
        "DELETE FROM sample WHERE run = (SELECT number FROM run WHERE id = ?1) AND (kind, at_ns) IN"
        " (SELECT kind, at_ns FROM sample WHERE run = (SELECT number FROM run WHERE id = ?1) LIMIT ?2)",
        "DELETE FROM run WHERE id IN (SELECT id FROM run WHERE id = ?1 AND outcome IS NOT NULL LIMIT ?2)",
    };
    return removing_begin(db, statements, COUNT_OF(statements), runs, STORE_BATCH_BITE, out, err);
}

int store_remove_run(struct sql *db, const char *id, struct error *err)
{
    const char *const runs[] = {id, NULL};
    struct removing removing;
    int result = removing_runs(db, runs, &removing, err);
    if (result == 0)
        result = remove_all(db, &removing, err);
    removing_clear(&removing);
    return result;
}

/* ---- folders ---- */

static int remove_folder(const char *state, const char *run, struct error *err)
{
    if (!id_is(run)) /* never a path that a row made up */
        return 0;
    AUTO_FREE char *path = layout_run(state, run);
    return file_remove_tree(path, err);
}

/* The runs with their folders, which go when their rows are gone for good. */
static int remove_runs(struct sql *db, const char *state, const struct words *ids, int64_t *removed,
                       struct error *err)
{
    const char *const *done = words_argv(ids);
    struct removing removing;
    int result = removing_runs(db, done, &removing, err);
    while (result == 0 && *removing.ids) {
        result = store_batch(db, remove_some, &removing, err);
        for (; result == 0 && done < removing.ids; done++, (*removed)++)
            result = remove_folder(state, *done, err);
    }
    removing_clear(&removing);
    return result;
}

/* Runs that begin at this moment have a folder, and no row yet. */
static void add_beginning(const char *state, struct words *out)
{
    AUTO_FREE char *locks = file_join(state, "locks");
    AUTO_WORDS names = WORDS_INIT;
    file_list(locks, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(locks, names.items[i]);
        struct lock_owner owner;
        bool held;
        if (lock_look(path, &owner, &held, NULL) == 0 && held)
            words_add(out, owner.run);
    }
}

/* Folders whose run has no row: a prune that was killed, or a run whose first row was never written. */
static int remove_strays(struct sql *db, const char *state, int64_t before_ns, int64_t *removed,
                         struct error *err)
{
    AUTO_FREE char *runs = file_join(state, "runs");
    AUTO_WORDS names = WORDS_INIT, beginning = WORDS_INIT;
    AUTO_STATEMENT *query = NULL;
    add_beginning(state, &beginning);
    if (file_list(runs, &names, err) < 0 ||
        sql_prepare(db, "SELECT 1 FROM run WHERE id = ?1", &query, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(runs, names.items[i]);
        struct stat folder;
        if (!id_is(names.items[i]) || words_have(&beginning, names.items[i]) || lstat(path, &folder) < 0 ||
            !S_ISDIR(folder.st_mode) || folder.st_mtim.tv_sec >= before_ns / NS_PER_S)
            continue;
        sql_bind_text(query, 1, names.items[i]);
        int row = sql_step(query, err);
        sql_reset(query);
        if (row < 0 || (row == 0 && file_remove_tree(path, err) < 0))
            return -1;
        *removed += row == 0;
    }
    return 0;
}

/* ---- machines and diagnoses ---- */

/* Which those are is asked without the lock, since that looks at all there is; `query` and `statement` take
 * two numbers, and an id and a number. How many went. */
static int remove_chosen(struct sql *db, const char *query, const int64_t numbers[2], const char *statement,
                         int64_t number, int64_t *removed, struct error *err)
{
    AUTO_STATEMENT *choose = NULL;
    AUTO_WORDS ids = WORDS_INIT;
    int row;
    if (sql_prepare(db, query, &choose, err) < 0)
        return -1;
    sql_bind_integer(choose, 1, numbers[0]);
    sql_bind_integer(choose, 2, numbers[1]);
    while ((row = sql_step(choose, err)) > 0)
        words_add(&ids, sql_text(choose, 0));
    sql_reset(choose);
    struct removing removing = {.count = 0};
    int result = row < 0 ? -1 : removing_begin(db, &statement, 1, words_argv(&ids), number, &removing, err);
    if (result == 0)
        result = remove_all(db, &removing, err);
    *removed = removing.removed;
    removing_clear(&removing);
    return result;
}

/* Only a run that has not ended when they are chosen, or a later one, can come to name another machine
 * meanwhile. */
static int remove_machines(struct sql *db, int64_t before_ns, int64_t *removed, struct error *err)
{
    int64_t moving;
    if (sql_query_integer(db,
                          "SELECT coalesce((SELECT min(number) FROM run WHERE outcome IS NULL),"
                          " (SELECT max(number) + 1 FROM run), 0)",
                          0, &moving, err) < 0)
        return -1;
    const int64_t numbers[] = {0, before_ns};
    return remove_chosen(db,
                         "SELECT id FROM machine WHERE removed_ns > ?1 AND removed_ns < ?2"
                         " AND id NOT IN (SELECT machine_id FROM run WHERE machine_id IS NOT NULL)",
                         numbers,
                         "DELETE FROM machine WHERE id = ?1 AND NOT EXISTS"
                         " (SELECT 1 FROM run WHERE number >= ?2 AND machine_id = ?1)",
                         moving, removed, err);
}

/* A diagnosis tells nobody its process: one that has not ended may go on for as long as that. */
#define DIAGNOSIS_MOST (INT64_C(24) * 3600 * NS_PER_S)

/* The newest of each target stay, as with runs, and what may go on still. */
static int remove_diagnoses(struct sql *db, int64_t before_ns, struct error *err)
{
    const int64_t numbers[] = {before_ns, moment_wall() - DIAGNOSIS_MOST};
    int64_t removed;
    return remove_chosen(db,
                         "SELECT id FROM diagnosis WHERE started_ns < ?1"
                         " AND (duration_ns IS NOT NULL OR started_ns < ?2) AND id IN (SELECT id FROM (SELECT"
                         "  id, row_number() OVER (PARTITION BY target ORDER BY started_ns DESC, id DESC) AS"
                         "  place FROM diagnosis) WHERE place > " KEPT_OF_A_TARGET ")",
                         numbers, "DELETE FROM diagnosis WHERE id = ?1 AND started_ns < ?2", before_ns,
                         &removed, err);
}

int store_prune(const char *path, const char *state, int64_t before_ns, struct store_pruned *out,
                struct error *err)
{
    AUTO_SQL *db = NULL;
    AUTO_WORDS ids = WORDS_INIT;
    struct store_pruned pruned = {0};
    int64_t ignored;
    /* The version is looked at first, as everywhere. */
    if (history_open(path, &db, err) < 0)
        return -1;
    sql_close(TAKE(db));
    AUTO_CLOSE int alone = -1;
    if (store_batch_alone(path, &alone, err) < 0 || sql_open(path, SQL_WRITE, BUSY_MS, &db, err) < 0 ||
        store_remove_halves(db, err) < 0 || prunable(db, before_ns, &ids, err) < 0)
        return -1;
    if (remove_runs(db, state, &ids, &pruned.runs, err) < 0 ||
        remove_strays(db, state, before_ns, &pruned.folders, err) < 0 ||
        remove_machines(db, before_ns, &pruned.machines, err) < 0 ||
        remove_diagnoses(db, before_ns, err) < 0 || (pruned.runs && store_sweep_words(db, err) < 0))
        return -1;
    /* As far as readers let it, and without the lock: that of TRUNCATE holds up every writer
     * while it waits for a reader. */
    sql_query_integer(db, "PRAGMA wal_checkpoint(PASSIVE)", 0, &ignored, NULL);
    *out = pruned;
    return 0;
}
