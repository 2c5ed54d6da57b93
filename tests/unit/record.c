#include "unit/record.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>

struct record record_start(void)
{
    AUTO_ERROR err = ERROR_INIT;
    struct record record = {.state = hostile_path(".triphase")};
    cr_assert_eq(file_make_dirs(record.state, 0700, &err), 0, "%s", error_text(&err));
    record.path = file_join(record.state, "store.db");
    cr_assert_eq(store_prepare(record.path, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_open(record.path, SQL_WRITE, 1000, &record.db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(store_appender_new(record.db, &record.appender, &err), 0, "%s", error_text(&err));
    return record;
}

void record_end(struct record *record)
{
    store_appender_free(record->appender);
    sql_close(record->db);
    free(record->state);
    free(record->path);
}

void record_put(struct record *record, const struct event *event)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_begin(record->db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(store_appender_begin(record->appender, &err), 0, "%s", error_text(&err));
    cr_assert_eq(store_appender_put(record->appender, event, &err), 0, "%s", error_text(&err));
    cr_assert_eq(store_appender_flush(record->appender, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_commit(record->db, &err), 0, "%s", error_text(&err));
}

void record_whole(struct record *record, const char *id, int64_t started_ns, int64_t phase_ns)
{
    struct event event = rows_run(EVENT_RUN_BEGIN, id, started_ns);
    record_put(record, &event);
    event = rows_step(EVENT_STEP_BEGIN, id, 1);
    record_put(record, &event);
    event = rows_step(EVENT_STEP_END, id, 1);
    event.of_step.duration_ns = phase_ns;
    record_put(record, &event);
    event = rows_run(EVENT_RUN_END, id, started_ns);
    record_put(record, &event);
}

int64_t record_number(struct record *record, const char *query)
{
    AUTO_ERROR err = ERROR_INIT;
    int64_t number = 0;
    cr_assert_eq(sql_query_integer(record->db, query, -1, &number, &err), 0, "%s", error_text(&err));
    return number;
}
