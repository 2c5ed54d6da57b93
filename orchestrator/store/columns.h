/* The columns that events fill, each said once: the appender's statements, what the queue copies
 * and what a merge takes along are made of these lists. A new column is a line here, a member of
 * its name in event/event.h, and a migration in store/schema.c. X(column, moments of its row at
 * which it is written, rule) */
#pragma once
#include "event/event.h"
#include <stddef.h>
#include <stdint.h>

enum store_moment { ROW_BEGIN = 1, ROW_END = 2, ROW_LATER = 4 };
enum store_rule {
    RULE_SET,
    RULE_KNOWN,  /* -1 stands for "there is none" */
    RULE_KEEP,   /* an update with NULL leaves what stands there */
    RULE_GIVEN,  /* an update with 0 leaves what stands there */
    RULE_MOST,   /* of two values the greater one stays */
    RULE_WORD,   /* as the number of a row of `name` */
    RULE_STATUS, /* a task's status, as its number */
};

#define STORE_RUN_COLUMNS(X)                            \
    X(id, ROW_BEGIN, RULE_SET)                          \
    X(kind, ROW_BEGIN, RULE_SET)                        \
    X(target, ROW_BEGIN, RULE_SET)                      \
    X(recipe, ROW_BEGIN, RULE_SET)                      \
    X(provider, ROW_BEGIN, RULE_SET)                    \
    X(project, ROW_BEGIN, RULE_SET)                     \
    X(group_id, ROW_BEGIN, RULE_SET)                    \
    X(parent_id, ROW_BEGIN, RULE_SET)                   \
    X(machine_id, ROW_BEGIN | ROW_END, RULE_KEEP)       \
    X(ansible, ROW_BEGIN | ROW_END, RULE_KEEP)          \
    X(partial, ROW_BEGIN, RULE_SET)                     \
    X(fresh, ROW_BEGIN | ROW_END, RULE_SET)             \
    X(extra_digest, ROW_BEGIN, RULE_SET)                \
    X(plan, ROW_BEGIN | ROW_LATER | ROW_END, RULE_KEEP) \
    X(pid, ROW_BEGIN, RULE_SET)                         \
    X(pid_start, ROW_BEGIN, RULE_SET)                   \
    X(boot_id, ROW_BEGIN, RULE_SET)                     \
    X(node, ROW_BEGIN, RULE_SET)                        \
    X(started_ns, ROW_BEGIN, RULE_SET)                  \
    X(duration_ns, ROW_END, RULE_SET)                   \
    X(outcome, ROW_END, RULE_SET)                       \
    X(exit_code, ROW_END, RULE_SET)                     \
    X(message, ROW_END, RULE_SET)                       \
    X(verdict, ROW_END, RULE_SET)                       \
    X(seen, ROW_END, RULE_SET)

/* Paths from the state's folder, which mean nothing in another store. */
#define STORE_STEP_PATHS(X)     \
    X(log, ROW_BEGIN, RULE_SET) \
    X(events, ROW_BEGIN, RULE_SET)

#define STORE_STEP_COLUMNS(X)                                \
    X(kind, ROW_BEGIN, RULE_SET)                             \
    X(name, ROW_BEGIN, RULE_SET)                             \
    X(attempt, ROW_BEGIN, RULE_SET)                          \
    X(transport, ROW_BEGIN | ROW_END, RULE_KEEP)             \
    X(evidence, ROW_BEGIN | ROW_END, RULE_KEEP)              \
    X(scope, ROW_BEGIN | ROW_END, RULE_KEEP)                 \
    X(started_ns, ROW_BEGIN | ROW_END, RULE_GIVEN)           \
    X(started_monotonic_ns, ROW_BEGIN | ROW_END, RULE_GIVEN) \
    X(deadline_ns, ROW_BEGIN, RULE_SET)                      \
    X(duration_ns, ROW_END, RULE_SET)                        \
    X(outcome, ROW_END, RULE_SET)                            \
    X(cause, ROW_END, RULE_SET)                              \
    X(message, ROW_END, RULE_SET)                            \
    X(exit_code, ROW_END, RULE_KNOWN)                        \
    X(signal, ROW_END, RULE_KNOWN)                           \
    X(ok, ROW_END, RULE_SET)                                 \
    X(changed, ROW_END, RULE_SET)                            \
    X(failed, ROW_END, RULE_SET)                             \
    X(skipped, ROW_END, RULE_SET)                            \
    X(unreachable, ROW_END, RULE_SET)                        \
    X(ignored, ROW_END, RULE_SET)                            \
    X(rescued, ROW_END, RULE_SET)                            \
    X(cpu_usec, ROW_END, RULE_KNOWN)                         \
    X(survivors_here, ROW_END, RULE_KNOWN)                   \
    X(survivors_host, ROW_END | ROW_LATER, RULE_KNOWN)       \
    X(host_evidence, ROW_END | ROW_LATER, RULE_SET)          \
    X(event_bytes, ROW_END, RULE_MOST)                       \
    X(handlers_owed, ROW_END, RULE_SET)                      \
    X(verdict, ROW_END, RULE_SET)                            \
    X(seen, ROW_END, RULE_SET)                               \
    X(accelerated, ROW_BEGIN, RULE_SET)                      \
    X(accelerated_why, ROW_BEGIN, RULE_SET)

/* Also in STORE_EACH_WORD of store/batch.h. */
#define STORE_TASK_WORDS(X)       \
    X(host, ROW_BEGIN, RULE_WORD) \
    X(play, ROW_BEGIN, RULE_WORD) \
    X(role, ROW_BEGIN, RULE_WORD) \
    X(task, ROW_BEGIN, RULE_WORD) \
    X(path, ROW_BEGIN, RULE_WORD) \
    X(action, ROW_BEGIN, RULE_WORD)

#define STORE_TASK_COLUMNS(X)           \
    X(status, ROW_BEGIN, RULE_STATUS)   \
    X(items, ROW_BEGIN, RULE_SET)       \
    X(started_ns, ROW_BEGIN, RULE_SET)  \
    X(duration_ns, ROW_BEGIN, RULE_SET) \
    X(message, ROW_BEGIN, RULE_SET)

#define STORE_UNREACHABLE_COLUMNS(X)     \
    X(host, ROW_BEGIN, RULE_SET)         \
    X(task, ROW_BEGIN, RULE_SET)         \
    X(cause, ROW_BEGIN, RULE_SET)        \
    X(cause_source, ROW_BEGIN, RULE_SET) \
    X(message, ROW_BEGIN, RULE_SET)      \
    X(ignored, ROW_BEGIN, RULE_SET)      \
    X(transport, ROW_BEGIN, RULE_SET)

#define STORE_NOTE_COLUMNS(X)    \
    X(kind, ROW_BEGIN, RULE_SET) \
    X(detail, ROW_BEGIN, RULE_SET)

#define STORE_SAMPLE_COLUMNS(X)       \
    X(kind, ROW_BEGIN, RULE_SET)      \
    X(healthy, ROW_BEGIN, RULE_KNOWN) \
    X(detail, ROW_BEGIN, RULE_SET)

/* Of struct machine; what else it has is in the column `record`. */
#define STORE_MACHINE_COLUMNS(X)       \
    X(id, ROW_BEGIN, RULE_SET)         \
    X(project, ROW_BEGIN, RULE_SET)    \
    X(target, ROW_BEGIN, RULE_SET)     \
    X(provider, ROW_BEGIN, RULE_SET)   \
    X(reference, ROW_BEGIN, RULE_SET)  \
    X(address, ROW_BEGIN, RULE_SET)    \
    X(port, ROW_BEGIN, RULE_SET)       \
    X(made_ns, ROW_BEGIN, RULE_SET)    \
    X(removed_ns, ROW_BEGIN, RULE_SET) \
    X(expires_ns, ROW_BEGIN, RULE_SET)

/* As text for statements: ", id, kind" and so on. */
#define STORE_NAME(column, moments, rule) ", " #column

enum { STORE_KEYS_MOST = 4 };
/* What an event does to a table. The keys are not in the event, or stand elsewhere in it: they are the
 * statement's first parameters, and its columns follow. */
struct store_row {
    const char *verb; /* of what adds a row; NULL: an update */
    const char *table;
    const char *keys[STORE_KEYS_MOST];  /* up to the first NULL; of an update they say which row */
    const struct store_column *columns; /* of all moments */
    size_t count;
    enum store_moment moment;
};
struct store_column {
    const char *name;
    size_t offset; /* in the event; of a machine in the machine */
    enum store_type { STORE_TEXT, STORE_LONG, STORE_INT, STORE_FLAG, STORE_OUTCOME } type;
    enum store_rule rule;
    unsigned moments;
};

/* NULL for a kind that no event has. */
const struct store_row *store_row_of(enum event_kind kind);
/* Malloc'ed. */
char *store_row_statement(const struct store_row *row);
size_t store_row_keys(const struct store_row *row);
/* What the event (or machine) has for a column; an outcome by its name, NULL where there is none. */
const char *store_column_text(const struct store_column *column, const void *owner);
int64_t store_column_number(const struct store_column *column, const void *owner);
