/* The store: .triphase/store.db, SQLite in WAL (on network and FUSE file systems journal_mode DELETE),
 * STRICT tables, user_version migrations, and the documented views of docs/contract.md, "Store". This header
 * is the writing half (one writer thread with a bounded queue) and what acting commands need; reading for
 * reports is store/history.h. */
#pragma once
#include "base/error.h"
#include "event/event.h"
#include "format/sql.h"

/* Makes or migrates it (0600, its folder must exist). A store from a newer triphase is refused, never
 * touched: ERROR_STORE. */
int store_prepare(const char *path, struct error *err);

/* The writer thread. `notify` is an eventfd the writer signals whenever the committed ticket moved or it
 * failed. */
struct store_writer;
int store_writer_start(const char *path, struct store_writer **out, struct error *err);
/* Copies the event into the queue and returns its ticket (from 1). Begin and end of runs and steps are
 * committed before later ones and waited for by the caller through the loop; tasks are committed in
 * batches (at most 50 ms late). Blocks for at most 1 s when the queue (64 MiB) is full; a writer that wrote
 * nothing in that time counts as failed. While another process has the lock there is no such limit: what
 * comes in that time is kept in memory. Never touches the disk in the caller's thread. */
uint64_t store_writer_put(struct store_writer *writer, const struct event *event);
int store_writer_notify_fd(const struct store_writer *writer); /* owned by the writer; EPOLLIN */
/* Highest ticket that is on disk (durable for begin/end: synchronous FULL at those commits). Clears the
 * eventfd. */
uint64_t store_writer_committed(struct store_writer *writer);
/* Whether it waits for a lock that another process has: a delay, and no failure. */
bool store_writer_is_held(const struct store_writer *writer);
/* When it last did, monotonic; 0: never. What it does then has its time from that moment. */
int64_t store_writer_held_at(const struct store_writer *writer);
/* From now on it has failed when such a lock is held for so long, not for 10 min: somebody wants an end. */
void store_writer_hurry(struct store_writer *writer, int64_t held_ns);
/* NULL while all is well; else why writing ended for good (disk full, I/O error, locked for longer than 10
 * min). Borrowed. */
const char *store_writer_failure(const struct store_writer *writer);
/* Writes what is queued (at most bound_ns from the last moment at which another process had the lock), joins,
 * closes. 0, or -1 with what failed. Frees it in any case. */
int store_writer_stop(struct store_writer *writer, int64_t bound_ns, struct error *err);

/* Applies events on an own connection, inside the caller's transaction (the writer's own; merging, tests
 * and benchmarks use it too). Words of tasks that are known already are remembered: after a rollback the
 * appender must be freed. */
struct store_appender;
int store_appender_new(struct sql *db, struct store_appender **out, struct error *err);
/* At the start of each transaction: forgets words when another process has changed the store. */
int store_appender_begin(struct store_appender *appender, struct error *err);
int store_appender_put(struct store_appender *appender, const struct event *event, struct error *err);
/* Before each commit: writes how much of the step's event file the rows stand for. */
int store_appender_flush(struct store_appender *appender, struct error *err);
void store_appender_free(struct store_appender *appender);
