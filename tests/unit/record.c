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

struct event record_run(enum event_kind kind, const char *id, int64_t started_ns)
{
    return (struct event){.kind = kind,
                          .run = id,
                          .of_run = {.id = id,
                                     .kind = "create",
                                     .target = "vault",
                                     .recipe = "vault",
                                     .provider = "sandbox",
                                     .project = "test",
                                     .ansible = "2.19.14",
                                     .fresh = true,
                                     .pid = 1,
                                     .pid_start = 1,
                                     .boot_id = "another boot",
                                     .node = "here",
                                     .started_ns = started_ns,
                                     .duration_ns = 2 * NS_PER_S,
                                     .outcome = OUTCOME_OK}};
}

struct event record_step(enum event_kind kind, const char *id, int seq)
{
    return (struct event){.kind = kind,
                          .run = id,
                          .step = seq,
                          .of_step = {.seq = seq,
                                      .kind = "phase",
                                      .name = "install",
                                      .attempt = 1,
                                      .transport = "direct",
                                      .scope = "cgroup",
                                      .log = "runs/r/01-install.1.log",
                                      .events = "runs/r/01-install.1.events.ndjson",
                                      .started_ns = 1700000000 * NS_PER_S,
                                      .deadline_ns = 1800 * NS_PER_S,
                                      .duration_ns = 1500 * NS_PER_MS,
                                      .outcome = OUTCOME_OK,
                                      .exit_code = 0,
                                      .signal = -1,
                                      .ok = 3,
                                      .changed = 1,
                                      .cpu_usec = -1,
                                      .survivors_host = -1,
                                      .host_evidence = "nobody looked"}};
}

struct event record_task(const char *id, int step, const char *role, const char *task, const char *status)
{
    return (struct event){.kind = EVENT_TASK,
                          .run = id,
                          .step = step,
                          .task = {.host = "vault",
                                   .play = "P",
                                   .role = role,
                                   .task = task,
                                   .path = "p.yml:3",
                                   .action = "command",
                                   .status = status,
                                   .started_ns = 1700000001 * NS_PER_S,
                                   .duration_ns = 250 * NS_PER_MS}};
}

void record_whole(struct record *record, const char *id, int64_t started_ns, int64_t phase_ns)
{
    struct event event = record_run(EVENT_RUN_BEGIN, id, started_ns);
    record_put(record, &event);
    event = record_step(EVENT_STEP_BEGIN, id, 1);
    record_put(record, &event);
    event = record_step(EVENT_STEP_END, id, 1);
    event.of_step.duration_ns = phase_ns;
    record_put(record, &event);
    event = record_run(EVENT_RUN_END, id, started_ns);
    record_put(record, &event);
}

int64_t record_number(struct record *record, const char *query)
{
    AUTO_ERROR err = ERROR_INIT;
    int64_t number = 0;
    cr_assert_eq(sql_query_integer(record->db, query, -1, &number, &err), 0, "%s", error_text(&err));
    return number;
}
