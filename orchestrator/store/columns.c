#include "store/columns.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

/* The type is the member's own. */
#define COLUMN(owner, member, column, moments, rule) \
    {#column, offsetof(struct owner, member),               \
     _Generic(((struct owner *)0)->member,                  \
         const char *: STORE_TEXT,                          \
         char *: STORE_TEXT,                                \
         int64_t: STORE_LONG,                               \
         int: STORE_INT,                                    \
         bool: STORE_FLAG,                                  \
         enum outcome: STORE_OUTCOME),                      \
     rule, moments},
#define RUN(column, moments, rule)         COLUMN(event, of_run.column, column, moments, rule)
#define STEP(column, moments, rule)        COLUMN(event, of_step.column, column, moments, rule)
#define TASK(column, moments, rule)        COLUMN(event, task.column, column, moments, rule)
#define UNREACHABLE(column, moments, rule) COLUMN(event, unreachable.column, column, moments, rule)
#define NOTE(column, moments, rule)        COLUMN(event, note.column, column, moments, rule)
#define SAMPLE(column, moments, rule)      COLUMN(event, sample.column, column, moments, rule)
#define MACHINE(column, moments, rule)     COLUMN(machine, column, column, moments, rule)

/* clang-format off */
static const struct store_column run_columns[] = {STORE_RUN_COLUMNS(RUN)};
static const struct store_column step_columns[] = {STORE_STEP_PATHS(STEP) STORE_STEP_COLUMNS(STEP)};
static const struct store_column task_columns[] = {STORE_TASK_WORDS(TASK) STORE_TASK_COLUMNS(TASK)};
static const struct store_column unreachable_columns[] = {STORE_UNREACHABLE_COLUMNS(UNREACHABLE)};
static const struct store_column note_columns[] = {STORE_NOTE_COLUMNS(NOTE)};
static const struct store_column sample_columns[] = {STORE_SAMPLE_COLUMNS(SAMPLE)};
static const struct store_column machine_columns[] = {STORE_MACHINE_COLUMNS(MACHINE)};

#define OF(columns) columns, COUNT_OF(columns)
static const struct store_row rows[EVENT_SAMPLE + 1] = {
    [EVENT_RUN_BEGIN] = {"INSERT INTO", "run", {NULL}, OF(run_columns), ROW_BEGIN},
    [EVENT_RUN_PLAN] = {NULL, "run", {"number"}, OF(run_columns), ROW_LATER},
    [EVENT_RUN_END] = {NULL, "run", {"number"}, OF(run_columns), ROW_END},
    [EVENT_STEP_BEGIN] = {"INSERT INTO", "step", {"run", "seq"}, OF(step_columns), ROW_BEGIN},
    [EVENT_STEP_END] = {NULL, "step", {"run", "seq"}, OF(step_columns), ROW_END},
    [EVENT_HOST_LOOK] = {NULL, "step", {"run", "seq"}, OF(step_columns), ROW_LATER},
    [EVENT_TASK] = {"INSERT INTO", "task", {"step", "seq", "flags"}, OF(task_columns), ROW_BEGIN},
    /* A line that is read again after a crash, since only a part of its rows had been
     * committed, adds no second one. */
    [EVENT_UNREACHABLE] = {"INSERT OR IGNORE INTO", "event", {"run", "step", "at_ns", "kind"}, OF(unreachable_columns), ROW_BEGIN},
    [EVENT_NOTE] = {"INSERT INTO", "event", {"run", "step", "at_ns"}, OF(note_columns), ROW_BEGIN},
    /* Two of a moment are one. */
    [EVENT_SAMPLE] = {"INSERT OR IGNORE INTO", "sample", {"run", "at_ns"}, OF(sample_columns), ROW_BEGIN},
    [EVENT_MACHINE] = {"INSERT OR REPLACE INTO", "machine", {"number", "record"}, OF(machine_columns), ROW_BEGIN},
};
#undef OF
/* clang-format on */

const struct store_row *store_row_of(enum event_kind kind)
{
    return (size_t)kind < COUNT_OF(rows) ? &rows[kind] : NULL;
}

size_t store_row_keys(const struct store_row *row)
{
    size_t count = 0;
    while (count < STORE_KEYS_MOST && row->keys[count])
        count++;
    return count;
}

static char *insertion(const struct store_row *row)
{
    AUTO_TEXT names = TEXT_INIT, places = TEXT_INIT;
    for (size_t i = 0; i < store_row_keys(row); i++) {
        text_addf(&names, ", %s", row->keys[i]);
        text_add(&places, ", ?");
    }
    for (size_t i = 0; i < row->count; i++)
        if (row->columns[i].moments & row->moment) {
            text_addf(&names, ", %s", row->columns[i].name);
            text_add(&places, ", ?");
        }
    return xasprintf("%s %s (%s) VALUES (%s)", row->verb, row->table, text_string(&names) + 2,
                     text_string(&places) + 2);
}

static void add_assignment(struct text *text, const struct store_column *column, size_t at)
{
    static const char *const before[] = {
        [RULE_KEEP] = "coalesce(", [RULE_GIVEN] = "coalesce(nullif(", [RULE_MOST] = "max("};
    bool merged = column->rule == RULE_KEEP || column->rule == RULE_GIVEN || column->rule == RULE_MOST;
    text_addf(text, ", %s = ", column->name);
    if (merged)
        text_addf(text, "%s?%zu%s, %s)", before[column->rule], at, column->rule == RULE_GIVEN ? ", 0)" : "",
                  column->name);
    else
        text_addf(text, "?%zu", at);
}

static char *update(const struct store_row *row)
{
    AUTO_TEXT columns = TEXT_INIT, where = TEXT_INIT;
    size_t at = store_row_keys(row);
    for (size_t i = 0; i < at; i++)
        text_addf(&where, " AND %s = ?%zu", row->keys[i], i + 1);
    for (size_t i = 0; i < row->count; i++)
        if (row->columns[i].moments & row->moment)
            add_assignment(&columns, &row->columns[i], ++at);
    return xasprintf("UPDATE %s SET %s WHERE %s", row->table, text_string(&columns) + 2,
                     text_string(&where) + strlen(" AND "));
}

char *store_row_statement(const struct store_row *row)
{
    return row->verb ? insertion(row) : update(row);
}

const char *store_column_text(const struct store_column *column, const void *owner)
{
    const void *member = (const char *)owner + column->offset;
    const char *text;
    enum outcome outcome;
    if (column->type == STORE_OUTCOME) {
        memcpy(&outcome, member, sizeof outcome);
        return outcome == OUTCOME_NONE ? NULL : outcome_name(outcome);
    }
    memcpy(&text, member, sizeof text);
    return text;
}

int64_t store_column_number(const struct store_column *column, const void *owner)
{
    const void *member = (const char *)owner + column->offset;
    if (column->type == STORE_LONG)
        return *(const int64_t *)member;
    return column->type == STORE_INT ? *(const int *)member : *(const bool *)member;
}
