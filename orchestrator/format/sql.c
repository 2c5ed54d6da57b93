#include "format/sql.h"

#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VALUE_LIMIT = 16 * 1024 * 1024 };
/* Pages of a piece of a copy: 4 MiB of a store. So many times its pages are copied at most,
 * since writers begin it anew. */
enum { COPY_PAGES = 1024, COPY_PAUSE_MS = 2, COPY_PATIENCE = 4, COPY_PIECES_LEAST = 16 };

struct sql {
    sqlite3 *handle;
    char *path;
    bool (*wait)(void *context); /* NULL: a fixed time */
    void *wait_context;
};

/* A statement is SQLite's own; its connection is found through the handle's owner only for messages. */
static sqlite3_stmt *in(struct sql_statement *statement)
{
    return (sqlite3_stmt *)statement;
}

/* The first words of a statement on one line, so that a message says which one failed without its whole
 * text. */
static void add_words(struct text *text, const char *statement)
{
    size_t shown = 0;
    for (; *statement && shown < 48; statement++, shown++)
        text_add_char(text, *statement == '\n' || *statement == '\t' ? ' ' : *statement);
    if (*statement)
        text_add(text, "...");
}

static const char *what_to_do(int code, int number)
{
    const char *meaning = (code & 0xff) == SQLITE_FULL ? error_meaning(ENOSPC) : NULL;
    if (!meaning && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN))
        meaning = error_meaning(number);
    if (meaning)
        return meaning;
    switch (code & 0xff) {
    case SQLITE_IOERR:
        return "look at that disk (dmesg, a full or vanished file system)";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "another process holds it, end that one or wait for it";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "move the file away, or merge what 'triphase store check' still reads into a new one";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return "look at owner and mode of the file and its folder";
    default:
        return "";
    }
}

static int failed(sqlite3 *handle, const char *path, const char *statement, struct error *err)
{
    int code = handle ? sqlite3_extended_errcode(handle) : SQLITE_NOMEM;
    int number = handle ? sqlite3_system_errno(handle) : 0;
    AUTO_TEXT text = TEXT_INIT;
    text_addf(&text, "store %s", path ? path : "(memory)");
    if (statement) {
        text_add(&text, ", ");
        add_words(&text, statement);
    }
    /* A message may quote bytes of a foreign file. */
    const char *why = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    text_add(&text, ": ");
    text_add_printable(&text, why, strlen(why));
    if (number &&
        ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN || (code & 0xff) == SQLITE_FULL)) {
        char reason[128];
        text_addf(&text, " (%s)", strerror_r(number, reason, sizeof reason));
    }
    const char *next = what_to_do(code, number);
    text_addf(&text, "%s%s", *next ? "; " : "", next);
    return error_set(err, ERROR_STORE, "%s", text_string(&text));
}

/* Whether the file must be read as one that cannot change: SQLite needs a WAL index beside a WAL database,
 * and where it can neither find nor make one this is the only way. A WAL that is there may hold committed
 * rows, so it forbids this. */
static bool must_be_immutable(const char *path)
{
    AUTO_FREE char *wal = xasprintf("%s-wal", path);
    AUTO_FREE char *folder = xstrdup(path);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    struct stat state;
    return access(slash ? folder : ".", W_OK) < 0 && stat(wal, &state) < 0 && errno == ENOENT;
}

/* Every file is named by a URI, so that no path is taken for one by chance and parameters can be given. */
static char *uri_of(const char *path, const char *parameters)
{
    AUTO_TEXT uri = TEXT_INIT;
    text_add(&uri, "file:");
    for (; *path; path++) {
        if (strchr("%?#", *path))
            text_addf(&uri, "%%%02x", (unsigned char)*path);
        else
            text_add_char(&uri, *path);
    }
    text_add(&uri, parameters);
    return text_take(&uri);
}

static int open_as(const char *path, enum sql_mode mode, bool immutable, int busy_ms, struct sql **out,
                   struct error *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI |
                (mode <= SQL_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    if (mode == SQL_CREATE)
        flags |= SQLITE_OPEN_CREATE;
    AUTO_FREE char *name = uri_of(path, immutable ? "?immutable=1" : "");
    AUTO_SQL *db = xcalloc(1, sizeof *db);
    db->path = xstrdup(path);
    if (sqlite3_open_v2(name, &db->handle, flags, NULL) != SQLITE_OK)
        return failed(db->handle, path, NULL, err);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, busy_ms);
    /* 64 slots of 128 bytes serve all that the writer prepares; the default takes 120 KiB a connection. */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_LOOKASIDE, (void *)NULL, 128, 64);
    sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH,
                  VALUE_LIMIT); /* no row of a foreign file takes all memory */
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, (int *)NULL);
    if (sql_run(db, "PRAGMA cache_size = -256; PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON", err) < 0)
        return -1;
    *out = TAKE(db);
    return 0;
}

/* On a full disk there is no room for the index of a WAL either: without committed rows in the WAL the
 * database alone is all there is. */
static bool wal_is_empty(const char *path)
{
    AUTO_FREE char *wal = xasprintf("%s-wal", path);
    struct stat state;
    return stat(wal, &state) == 0 ? state.st_size == 0 : errno == ENOENT;
}

int sql_open(const char *path, enum sql_mode mode, int busy_ms, struct sql **out, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    bool immutable = mode == SQL_PEEK || (mode == SQL_READ && must_be_immutable(path));
    if (open_as(path, mode, immutable, busy_ms, out, &why) == 0)
        return 0;
    if (mode == SQL_READ && !immutable && wal_is_empty(path) &&
        open_as(path, mode, true, busy_ms, out, NULL) == 0)
        return 0;
    return error_move(err, &why);
}

static int on_busy(void *context, int asked)
{
    (void)asked;
    const struct sql *db = context;
    return db->wait(db->wait_context);
}

void sql_on_busy(struct sql *db, bool (*wait)(void *context), void *context)
{
    db->wait = wait;
    db->wait_context = context;
    sqlite3_busy_handler(db->handle, on_busy, db);
}

const char *sql_path(const struct sql *db)
{
    return db->path;
}

void sql_close(struct sql *db)
{
    if (!db)
        return;
    for (sqlite3_stmt *left; db->handle && (left = sqlite3_next_stmt(db->handle, NULL));)
        sqlite3_finalize(left);
    sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

void sql_cleanup(struct sql **db)
{
    sql_close(*db);
}

int sql_run(struct sql *db, const char *statements, struct error *err)
{
    if (sqlite3_exec(db->handle, statements, NULL, NULL, NULL) != SQLITE_OK)
        return failed(db->handle, db->path, statements, err);
    return 0;
}

int sql_begin(struct sql *db, struct error *err)
{
    return sql_run(db, "BEGIN IMMEDIATE", err);
}

int sql_commit(struct sql *db, struct error *err)
{
    return sql_run(db, "COMMIT", err);
}

void sql_rollback(struct sql *db)
{
    /* After some errors SQLite has rolled back by itself. */
    if (!sqlite3_get_autocommit(db->handle))
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int sql_query_integer(struct sql *db, const char *statement, int64_t otherwise, int64_t *out,
                      struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db, statement, &query, err) < 0)
        return -1;
    int row = sql_step(query, err);
    if (row < 0)
        return -1;
    *out = row ? sql_integer(query, 0) : otherwise;
    return 0;
}

int sql_prepare(struct sql *db, const char *statement, struct sql_statement **out, struct error *err)
{
    sqlite3_stmt *made = NULL;
    if (sqlite3_prepare_v3(db->handle, statement, -1, SQLITE_PREPARE_PERSISTENT, &made, NULL) != SQLITE_OK)
        return failed(db->handle, db->path, statement, err);
    if (!made)
        return error_set(err, ERROR_STORE, "store %s: an empty statement", db->path);
    *out = (struct sql_statement *)made;
    return 0;
}

void sql_finish(struct sql_statement *statement)
{
    sqlite3_finalize(in(statement));
}

void sql_finish_cleanup(struct sql_statement **statement)
{
    sql_finish(*statement);
}

/* A bind fails only for a wrong index or a value over SQLite's limit of 1e9 bytes: faults of the program. */
static void bound(int code)
{
    if (code != SQLITE_OK)
        abort();
}

void sql_bind_text(struct sql_statement *statement, int at, const char *text)
{
    bound(text ? sqlite3_bind_text(in(statement), at, text, -1, SQLITE_TRANSIENT)
               : sqlite3_bind_null(in(statement), at));
}

void sql_bind_integer(struct sql_statement *statement, int at, int64_t value)
{
    bound(sqlite3_bind_int64(in(statement), at, value));
}

void sql_bind_null(struct sql_statement *statement, int at)
{
    bound(sqlite3_bind_null(in(statement), at));
}

static bool has_wal(struct sql *db)
{
    AUTO_STATEMENT *mode = NULL;
    return sql_prepare(db, "PRAGMA journal_mode", &mode, NULL) == 0 && sql_step(mode, NULL) == 1 &&
           text_is(sql_text(mode, 0), "wal");
}

void sql_step_aside(struct sql **db)
{
    AUTO_SQL *copy = NULL;
    if (has_wal(*db) || open_as("", SQL_CREATE, false, 0, &copy, NULL) < 0)
        return;
    sqlite3_backup *backup = sqlite3_backup_init(copy->handle, "main", (*db)->handle, "main");
    int status = backup ? SQLITE_OK : SQLITE_ERROR;
    /* A write of another process begins the copy anew. */
    for (int pieces = 0; status == SQLITE_OK; pieces++) {
        status = sqlite3_backup_step(backup, COPY_PAGES);
        if (pieces > COPY_PIECES_LEAST &&
            pieces > COPY_PATIENCE * (sqlite3_backup_pagecount(backup) / COPY_PAGES))
            break;
        if (status == SQLITE_OK)
            sqlite3_sleep(COPY_PAUSE_MS);
    }
    sqlite3_backup_finish(backup);
    if (status != SQLITE_DONE)
        return;
    free(copy->path);
    copy->path = xstrdup((*db)->path);
    sql_close(*db);
    *db = TAKE(copy);
}

int sql_attach(struct sql *db, const char *path, const char *name, struct error *err)
{
    AUTO_FREE char *uri = uri_of(path, must_be_immutable(path) ? "?mode=ro&immutable=1" : "?mode=ro");
    AUTO_STATEMENT *attach = NULL;
    if (sql_prepare(db, "ATTACH ?1 AS ?2", &attach, err) < 0)
        return -1;
    sql_bind_text(attach, 1, uri);
    sql_bind_text(attach, 2, name);
    return sql_do(attach, err) < 0 ? error_prefix(err, "reading %s", path) : 0;
}

int sql_step(struct sql_statement *statement, struct error *err)
{
    switch (sqlite3_step(in(statement))) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default: {
        sqlite3 *handle = sqlite3_db_handle(in(statement));
        return failed(handle, sqlite3_db_filename(handle, "main"), sqlite3_sql(in(statement)), err);
    }
    }
}

int sql_do(struct sql_statement *statement, struct error *err)
{
    int row;
    do
        row = sql_step(statement, err);
    while (row > 0);
    sql_reset(statement);
    return row;
}

void sql_reset(struct sql_statement *statement)
{
    sqlite3_reset(in(statement));
    sqlite3_clear_bindings(in(statement));
}

const char *sql_text(struct sql_statement *statement, int column)
{
    return (const char *)sqlite3_column_text(in(statement), column);
}

int64_t sql_integer(struct sql_statement *statement, int column)
{
    return sqlite3_column_int64(in(statement), column);
}

double sql_real(struct sql_statement *statement, int column)
{
    return sqlite3_column_double(in(statement), column);
}

bool sql_is_null(struct sql_statement *statement, int column)
{
    return sqlite3_column_type(in(statement), column) == SQLITE_NULL;
}

bool sql_is_integer(struct sql_statement *statement, int column)
{
    return sqlite3_column_type(in(statement), column) == SQLITE_INTEGER;
}

bool sql_is_real(struct sql_statement *statement, int column)
{
    return sqlite3_column_type(in(statement), column) == SQLITE_FLOAT;
}

int sql_columns(struct sql_statement *statement)
{
    return sqlite3_column_count(in(statement));
}

const char *sql_column_name(struct sql_statement *statement, int column)
{
    return sqlite3_column_name(in(statement), column);
}

int64_t sql_changes(struct sql *db)
{
    return sqlite3_changes64(db->handle);
}

int64_t sql_last_row(struct sql *db)
{
    return sqlite3_last_insert_rowid(db->handle);
}
