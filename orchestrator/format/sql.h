/* SQLite (the only file that includes it is sql.c). All errors are ERROR_STORE and name the database file
 * and the statement's first words. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql;           /* a connection, used by one thread at a time */
struct sql_statement; /* prepared; belongs to its connection */

/* SQL_PEEK: as a file that nobody changes meanwhile and without a look at a WAL; nothing is made beside
 * it. */
enum sql_mode { SQL_PEEK, SQL_READ, SQL_WRITE, SQL_CREATE };

/* Waits at most `busy_ms` for another process's lock. SQL_READ never writes to the database; where nobody
 * has it open and its folder can be written, SQLite makes the (empty) WAL and its index beside it, since
 * reading without them could see a writer's half-done work; where the folder cannot be written and there
 * is no WAL, the file is read as one that does not change. Foreign keys on, trusted_schema off, defensive
 * on, a cache of 256 KiB and no memory map: a worker's memory is counted. */
int sql_open(const char *path, enum sql_mode mode, int busy_ms, struct sql **out, struct error *err);
/* In place of the fixed time: while another process has the lock, `wait` is asked (and waits a little)
 * whether to go on waiting. */
void sql_on_busy(struct sql *db, bool (*wait)(void *context), void *context);
/* Another database beside the first one, for reading only, under `name`. It may be hostile: nothing of its
 * schema is trusted. */
int sql_attach(struct sql *db, const char *path, const char *name, struct error *err);
/* Before a long look at one moment of a database: where reading would keep writers out meanwhile (no WAL),
 * `db` becomes a connection to a copy in a temporary file, which is made in pieces between which a writer
 * gets through. Whatever stands against that (no room, a writer that never rests) leaves it as it is. */
void sql_step_aside(struct sql **db);
const char *sql_path(const struct sql *db); /* as it was opened by; borrowed */
void sql_close(struct sql *db);             /* finalizes what is left; NULL is fine */
void sql_cleanup(struct sql **db);
#define AUTO_SQL __attribute__((cleanup(sql_cleanup))) struct sql
/* One or more statements without results. */
int sql_run(struct sql *db, const char *statements, struct error *err);
/* sql_run of BEGIN IMMEDIATE, COMMIT and ROLLBACK; a rollback never fails. */
int sql_begin(struct sql *db, struct error *err);
int sql_commit(struct sql *db, struct error *err);
void sql_rollback(struct sql *db);
/* The first column of the first row; `otherwise` when there is none. */
int sql_query_integer(struct sql *db, const char *statement, int64_t otherwise, int64_t *out,
                      struct error *err);
int sql_prepare(struct sql *db, const char *statement, struct sql_statement **out, struct error *err);
void sql_finish(struct sql_statement *statement);
void sql_finish_cleanup(struct sql_statement **statement);
#define AUTO_STATEMENT __attribute__((cleanup(sql_finish_cleanup))) struct sql_statement
/* Parameters count from 1. Text is copied; NULL text binds NULL. */
void sql_bind_text(struct sql_statement *statement, int at, const char *text);
void sql_bind_integer(struct sql_statement *statement, int at, int64_t value);
void sql_bind_null(struct sql_statement *statement, int at);
/* 1: a row, 0: done, -1: failed. */
int sql_step(struct sql_statement *statement, struct error *err);
/* Steps to the end, then resets and clears the bindings: for writing. */
int sql_do(struct sql_statement *statement, struct error *err);
void sql_reset(struct sql_statement *statement);
/* Columns count from 0. Text is borrowed until the next step; NULL for SQL NULL. */
const char *sql_text(struct sql_statement *statement, int column);
int64_t sql_integer(struct sql_statement *statement, int column);
double sql_real(struct sql_statement *statement, int column);
bool sql_is_null(struct sql_statement *statement, int column);
bool sql_is_integer(struct sql_statement *statement, int column);
bool sql_is_real(struct sql_statement *statement, int column);
int sql_columns(struct sql_statement *statement);
const char *sql_column_name(struct sql_statement *statement, int column);
int64_t sql_changes(struct sql *db);  /* rows of the last INSERT, UPDATE or DELETE */
int64_t sql_last_row(struct sql *db); /* rowid of the last INSERT */
