/* SQLite behind its wrapper: reading changes nothing, messages name file and statement, a foreign file is
 * kept small. */
#include "format/sql.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(sql, .fini = hostile_clean);

static struct sql *make(const char *path, const char *statements)
{
    AUTO_ERROR err = ERROR_INIT;
    struct sql *db = NULL;
    cr_assert_eq(sql_open(path, SQL_CREATE, 1000, &db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_run(db, statements, &err), 0, "%s", error_text(&err));
    return db;
}

Test(sql, a_message_names_the_file_and_the_statement)
{
    AUTO_FREE char *path = hostile_path("a%b?c#d.db");
    AUTO_SQL *db = make(path, "CREATE TABLE a (b INTEGER NOT NULL) STRICT");
    AUTO_ERROR err = ERROR_INIT;
    cr_expect(file_exists(path), "the path is taken as it is");
    cr_expect_eq(sql_run(db, "INSERT INTO a VALUES (NULL)", &err), -1);
    cr_expect_eq(err.kind, ERROR_STORE);
    cr_expect(strstr(error_text(&err), path) && strstr(error_text(&err), "INSERT INTO a") &&
                  strstr(error_text(&err), "NOT NULL"),
              "%s", error_text(&err));
}

Test(sql, reading_cannot_write)
{
    AUTO_FREE char *path = hostile_path("a.db");
    sql_close(make(path, "PRAGMA journal_mode = WAL; CREATE TABLE a (b); INSERT INTO a VALUES (1)"));
    AUTO_TEXT before = TEXT_INIT, after = TEXT_INIT;
    cr_assert_eq(file_read(path, 1 << 20, &before, NULL), 0);
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    int64_t number;
    cr_assert_eq(sql_open(path, SQL_READ, 1000, &db, &err), 0, "%s", error_text(&err));
    cr_expect_eq(sql_query_integer(db, "SELECT b FROM a", 0, &number, &err), 0, "%s", error_text(&err));
    cr_expect_eq(number, 1);
    cr_expect_eq(sql_run(db, "INSERT INTO a VALUES (2)", &err), -1);
    cr_assert_eq(file_read(path, 1 << 20, &after, NULL), 0);
    cr_expect(before.length == after.length && memcmp(before.bytes, after.bytes, after.length) == 0);
}

Test(sql, a_reader_sees_what_a_living_writer_committed)
{
    AUTO_FREE char *path = hostile_path("a.db");
    AUTO_SQL *writer = make(path, "PRAGMA journal_mode = WAL; CREATE TABLE a (b); INSERT INTO a VALUES (1)");
    AUTO_SQL *reader = NULL;
    AUTO_ERROR err = ERROR_INIT;
    int64_t number;
    cr_assert_eq(sql_open(path, SQL_READ, 1000, &reader, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_run(writer, "INSERT INTO a VALUES (2)", &err), 0);
    cr_assert_eq(sql_query_integer(reader, "SELECT count(*) FROM a", 0, &number, &err), 0, "%s",
                 error_text(&err));
    cr_expect_eq(number, 2);
}

/* As an ordinary user, since root may write everywhere. */
Test(sql, a_store_in_a_folder_that_cannot_be_written_is_read_all_the_same)
{
    if (geteuid() != 0)
        cr_skip_test("needs root to become somebody else");
    AUTO_FREE char *folder = hostile_path("closed");
    AUTO_FREE char *path = file_join(folder, "a.db");
    cr_assert_eq(file_make_dirs(folder, 0755, NULL), 0);
    sql_close(make(path, "PRAGMA journal_mode = WAL; CREATE TABLE a (b); INSERT INTO a VALUES (1)"));
    cr_assert_eq(chmod(path, 0644), 0);
    cr_assert_eq(chmod(hostile_folder(), 0755), 0);
    pid_t child = fork();
    if (child == 0) {
        struct sql *db = NULL;
        int64_t number = 0;
        AUTO_ERROR err = ERROR_INIT;
        if (setgid(65534) < 0 || setuid(65534) < 0 || access(folder, R_OK | X_OK) < 0)
            _exit(2);
        if (sql_open(path, SQL_READ, 1000, &db, &err) < 0 ||
            sql_query_integer(db, "SELECT b FROM a", 0, &number, &err) < 0) {
            fprintf(stderr, "%s\n", error_text(&err));
            _exit(3);
        }
        _exit(number == 1 ? 0 : 4);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
        cr_skip_test("the test's folder is closed to others");
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

Test(sql, a_value_larger_than_any_triphase_writes_is_an_error)
{
    AUTO_FREE char *path = hostile_path("a.db");
    AUTO_SQL *db = make(path, "CREATE TABLE a (b)");
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(sql_run(db, "INSERT INTO a VALUES (zeroblob(17000000))", &err), -1);
    cr_expect(strstr(error_text(&err), "too big"), "%s", error_text(&err));
}

Test(sql, what_is_no_database_is_said_to_be_none)
{
    AUTO_FREE char *path = hostile_path("a.db");
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_replace(path,
                              "this is no database, but long enough to be looked at as "
                              "one.............................................",
                              100, 0600, NULL),
                 0);
    int64_t number;
    int result = sql_open(path, SQL_READ, 100, &db, &err);
    if (result == 0)
        result = sql_query_integer(db, "PRAGMA user_version", 0, &number, &err);
    cr_expect_eq(result, -1);
    cr_expect(strstr(error_text(&err), "not a database") && strstr(error_text(&err), path), "%s",
              error_text(&err));
}

/* Two pieces and more of a copy. */
static const char many[] = "CREATE TABLE a (b TEXT) STRICT; "
                           "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
                           "INSERT INTO a SELECT hex(zeroblob(500)) FROM n";

Test(sql, a_long_look_keeps_no_writer_out_where_there_is_no_wal_and_sees_one_moment)
{
    AUTO_FREE char *path = hostile_path("long.db");
    AUTO_SQL *writer = make(path, many), *reader = NULL;
    AUTO_STATEMENT *look = NULL;
    AUTO_ERROR err = ERROR_INIT;
    int64_t seen = 1;
    cr_assert_eq(sql_open(path, SQL_READ, 1000, &reader, &err), 0, "%s", error_text(&err));
    sql_step_aside(&reader);
    cr_assert(sql_run(reader, "BEGIN", &err) == 0 &&
                  sql_prepare(reader, "SELECT b FROM a", &look, &err) == 0 && sql_step(look, &err) == 1,
              "%s", error_text(&err));
    cr_expect_eq(sql_run(writer, "PRAGMA busy_timeout = 0; INSERT INTO a VALUES ('new')", &err), 0, "%s",
                 error_text(&err));
    while (sql_step(look, &err) == 1)
        seen++;
    cr_expect_eq(seen, 10000);
    cr_expect_str_eq(sql_path(reader), path);
}

Test(sql, a_long_look_is_at_the_database_itself_where_it_has_a_wal)
{
    AUTO_FREE char *path = hostile_path("wal.db");
    AUTO_SQL *writer = make(path, "PRAGMA journal_mode = WAL; CREATE TABLE a (b TEXT) STRICT"),
             *reader = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_open(path, SQL_READ, 1000, &reader, &err), 0, "%s", error_text(&err));
    struct sql *before = reader;
    sql_step_aside(&reader);
    cr_expect_eq(reader, before);
}
