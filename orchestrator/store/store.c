#include "store/store.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "store/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUSY_MS = 10000 };

/* Makes the empty file itself, so that it is 0600 from birth and its folder's owner's (SQLite gives WAL and
 * index the same mode and owner). */
static int make_file(const char *path, struct error *err)
{
    AUTO_CLOSE int fd = file_create(path, O_RDWR | O_EXCL, 0600);
    return fd >= 0 || errno == EEXIST ? 0 : error_system(err, errno, "cannot make the store %s", path);
}

/* Looks at one that exists before it is opened for writing, which might already fold its WAL into it. */
static int look(const char *path, struct error *err)
{
    AUTO_FREE char *wal = xasprintf("%s-wal", path);
    AUTO_SQL *db = NULL;
    int version;
    struct stat state;
    if (stat(path, &state) < 0 || state.st_size == 0)
        return 0;
    return sql_open(path, file_exists(wal) ? SQL_READ : SQL_PEEK, BUSY_MS, &db, err) < 0
               ? -1
               : store_version(db, path, &version, err);
}

static int set_journal(struct sql *db, const char *path, struct error *err)
{
    const char *wanted = file_is_remote(path) ? "delete" : "wal";
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db, "PRAGMA journal_mode", &query, err) < 0 || sql_step(query, err) < 0)
        return -1;
    bool same = text_is(sql_text(query, 0), wanted);
    sql_reset(query);
    if (same)
        return 0;
    /* SQLite's busy handler is not asked for this one. */
    struct deadline deadline = deadline_in(BUSY_MS * NS_PER_MS);
    AUTO_FREE char *change = xasprintf("PRAGMA journal_mode = %s", wanted);
    AUTO_ERROR why = ERROR_INIT;
    while (sql_run(db, change, &why) < 0) {
        if (deadline_over(deadline))
            return error_move(err, &why);
        usleep(20000);
    }
    return 0;
}

static int migrate(struct sql *db, const char *path, struct error *err)
{
    int version;
    if (store_version(db, path, &version, err) < 0)
        return -1;
    for (; version < STORE_VERSION; version++)
        if (sql_run(db, store_migration(version), err) < 0)
            return -1;
    AUTO_FREE char *stamp =
        xasprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", STORE_APPLICATION, STORE_VERSION);
    return sql_run(db, stamp, err);
}

int store_prepare(const char *path, struct error *err)
{
    AUTO_SQL *db = NULL;
    int version;
    if (look(path, err) < 0 || make_file(path, err) < 0 || sql_open(path, SQL_WRITE, BUSY_MS, &db, err) < 0 ||
        set_journal(db, path, err) < 0 || sql_run(db, "PRAGMA synchronous = FULL", err) < 0 ||
        store_version(db, path, &version, err) < 0)
        return -1;
    if (version == STORE_VERSION)
        return 0;
    /* Another process may migrate at this moment: the version is looked at again under the lock. */
    if (sql_begin(db, err) < 0)
        return -1;
    if (migrate(db, path, err) < 0 || sql_commit(db, err) < 0) {
        sql_rollback(db);
        return -1;
    }
    return 0;
}
