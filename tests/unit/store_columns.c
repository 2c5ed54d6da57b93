/* That what an event says arrives in the column of its name, through queue and appender, and
 * goes along with a merge. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "store/maintain.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>

TestSuite(store_columns, .fini = hostile_clean);

static const char run_id[] = "01890000-0000-7000-8000-000000000001",
                  parent_id[] = "01890000-0000-7000-8000-000000000002",
                  machine_id[] = "01890000-0000-7000-8000-000000000003";
static const char *const tables[] = {"run", "step", "task", "event", "machine"};

/* Each text is the name of its column, where it may be any; each number is one of its own. */
static struct event of_run(enum event_kind kind)
{
    return (struct event){.kind = kind,
                          .run = run_id,
                          .of_run = {.id = run_id,
                                     .kind = "kind",
                                     .target = "target",
                                     .recipe = "recipe",
                                     .provider = "provider",
                                     .project = "project",
                                     .group_id = "group_id",
                                     .parent_id = parent_id,
                                     .machine_id = machine_id,
                                     .ansible = "ansible",
                                     .partial = true,
                                     .fresh = true,
                                     .extra_digest = "extra_digest",
                                     .plan = "plan",
                                     .pid = 10,
                                     .pid_start = 11,
                                     .boot_id = "boot_id",
                                     .node = "node",
                                     .started_ns = 12,
                                     .duration_ns = 13,
                                     .outcome = OUTCOME_OK,
                                     .exit_code = 14,
                                     .message = "message",
                                     .verdict = "verdict",
                                     .seen = "seen"}};
}

static struct event of_step(enum event_kind kind)
{
    return (struct event){.kind = kind,
                          .run = run_id,
                          .step = 1,
                          .of_step = {.seq = 1,
                                      .kind = "kind",
                                      .name = "name",
                                      .attempt = 10,
                                      .transport = "transport",
                                      .evidence = "evidence",
                                      .scope = "scope",
                                      .log = "runs/log",
                                      .events = "runs/events",
                                      .started_ns = 11,
                                      .started_monotonic_ns = 12,
                                      .accelerated = "accelerated",
                                      .accelerated_why = "accelerated_why",
                                      .deadline_ns = 13,
                                      .duration_ns = 14,
                                      .outcome = OUTCOME_OK,
                                      .cause = "cause",
                                      .message = "message",
                                      .exit_code = 15,
                                      .signal = 16,
                                      .ok = 17,
                                      .changed = 18,
                                      .failed = 19,
                                      .skipped = 20,
                                      .unreachable = 21,
                                      .ignored = 22,
                                      .rescued = 23,
                                      .cpu_usec = 24,
                                      .survivors_here = 25,
                                      .survivors_host = 26,
                                      .host_evidence = "host_evidence",
                                      .event_bytes = 27,
                                      .handlers_owed = "handlers_owed",
                                      .verdict = "verdict",
                                      .seen = "seen"}};
}

static const struct event of_task = {.kind = EVENT_TASK,
                                     .run = run_id,
                                     .step = 1,
                                     .task = {.host = "host",
                                              .play = "play",
                                              .role = "role",
                                              .task = "task",
                                              .path = "path",
                                              .action = "action",
                                              .status = "failed",
                                              .rescued = true,
                                              .handler = true,
                                              .items = 10,
                                              .started_ns = 11,
                                              .duration_ns = 12,
                                              .message = "message"}};
static const struct event of_lost = {.kind = EVENT_UNREACHABLE,
                                     .run = run_id,
                                     .step = 1,
                                     .unreachable = {.host = "host",
                                                     .task = "task",
                                                     .cause = "cause",
                                                     .cause_source = "cause_source",
                                                     .message = "message",
                                                     .transport = "transport",
                                                     .ignored = true,
                                                     .at_ns = 10}};
static const struct event of_note = {
    .kind = EVENT_NOTE, .run = run_id, .step = 1, .note = {.kind = "kind", .detail = "detail", .at_ns = 11}};

static void put_machine(struct store_writer *writer)
{
    AUTO_MACHINE *machine = machine_new();
    machine->id = xstrdup(machine_id);
    machine->project = xstrdup("project");
    machine->target = xstrdup("target");
    machine->provider = xstrdup("provider");
    machine->reference = xstrdup("reference");
    machine->address = xstrdup("address");
    machine->port = 10;
    machine->made_ns = 11;
    machine->removed_ns = 12;
    machine->expires_ns = 13;
    store_writer_put(writer, &(struct event){.kind = EVENT_MACHINE, .machine = machine});
}

static void put_all(const char *path)
{
    const struct event events[] = {
        of_run(EVENT_RUN_BEGIN), of_step(EVENT_STEP_BEGIN), of_task, of_lost, of_note,
        of_step(EVENT_STEP_END), of_run(EVENT_RUN_END)};
    struct store_writer *writer;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(store_writer_start(path, &writer, &err), 0, "%s", error_text(&err));
    put_machine(writer);
    for (size_t i = 0; i < COUNT_OF(events); i++)
        store_writer_put(writer, &events[i]);
    cr_assert_eq(store_writer_stop(writer, 5 * NS_PER_S, &err), 0, "%s", error_text(&err));
}

/* "COLUMN=VALUE " for all columns of a table, in its order, one row behind the other; the words of tasks as
 * they are, without what each store numbers for itself. */
static char *contents(const char *path, const char *table)
{
    static const char *const words[] = {"host", "play", "role", "task", "path", "action", NULL};
    static const char *const own[] = {"number", "merged", NULL};
    AUTO_SQL *db = NULL;
    AUTO_STATEMENT *query = NULL;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT out = TEXT_INIT;
    AUTO_FREE char *all = xasprintf("SELECT * FROM %s ORDER BY 1, 2", table);
    cr_assert_eq(sql_open(path, SQL_READ, 1000, &db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_prepare(db, all, &query, &err), 0, "%s", error_text(&err));
    while (sql_step(query, &err) > 0)
        for (int i = 0; i < sql_columns(query); i++) {
            const char *name = sql_column_name(query, i);
            AUTO_FREE char *word = xasprintf("SELECT count(*) FROM name WHERE number = %lld AND text = '%s'",
                                             (long long)sql_integer(query, i), name);
            int64_t right = 0;
            if (text_is_one_of(name, own))
                continue;
            if (text_is(table, "task") && text_is_one_of(name, words)) {
                cr_assert_eq(sql_query_integer(db, word, 0, &right, &err), 0, "%s", error_text(&err));
                text_addf(&out, "%s=%s ", name, right ? name : "wrong");
            } else {
                text_addf(&out, "%s=%s ", name, sql_is_null(query, i) ? "NULL" : sql_text(query, i));
            }
        }
    return xstrdup(text_string(&out));
}

Test(store_columns, each_holds_the_member_of_its_name)
{
    static const char *const wanted[] = {
        "id=01890000-0000-7000-8000-000000000001 kind=kind target=target recipe=recipe provider=provider "
        "project=project group_id=group_id parent_id=01890000-0000-7000-8000-000000000002 "
        "machine_id=01890000-0000-7000-8000-000000000003 ansible=ansible partial=1 fresh=1 "
        "extra_digest=extra_digest plan=plan pid=10 pid_start=11 boot_id=boot_id node=node started_ns=12 "
        "duration_ns=13 outcome=ok exit_code=14 message=message verdict=verdict seen=seen ",
        "run=1 seq=1 kind=kind name=name attempt=10 transport=transport evidence=evidence scope=scope "
        "log=runs/log events=runs/events started_ns=11 started_monotonic_ns=12 deadline_ns=13 duration_ns=14 "
        "outcome=ok cause=cause message=message exit_code=15 signal=16 ok=17 changed=18 failed=19 skipped=20 "
        "unreachable=21 ignored=22 rescued=23 cpu_usec=24 survivors_here=25 survivors_host=26 "
        "host_evidence=host_evidence event_bytes=27 handlers_owed=handlers_owed verdict=verdict seen=seen "
        "accelerated=accelerated accelerated_why=accelerated_why ",
        "step=1 seq=1 host=host play=play role=role task=task path=path action=action status=3 flags=10 "
        "items=10 started_ns=11 duration_ns=12 message=message ",
        "run=1 step=1 at_ns=10 kind=unreachable detail=NULL host=host task=task cause=cause "
        "cause_source=cause_source message=message ignored=1 transport=transport "
        "run=1 step=1 at_ns=11 kind=kind detail=detail host=NULL task=NULL cause=NULL cause_source=NULL "
        "message=NULL ignored=NULL transport=NULL ",
        "id=01890000-0000-7000-8000-000000000003 project=project target=target provider=provider "
        "reference=reference address=address port=10 made_ns=11 removed_ns=12 record=",
    };
    struct record record = record_start();
    put_all(record.path);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        AUTO_FREE char *found = contents(record.path, tables[i]);
        /* A machine's record is JSON of all it has. */
        cr_expect(strncmp(found, wanted[i], strlen(wanted[i])) == 0 &&
                      (i == 4 || strlen(found) == strlen(wanted[i])),
                  "%s: %s", tables[i], found);
    }
    record_end(&record);
}

Test(store_columns, a_merge_takes_each_along)
{
    struct record record = record_start();
    AUTO_FREE char *here = hostile_path("here.db");
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    put_all(record.path);
    cr_assert_eq(store_merge(here, record.path, &merged, &err), 0, "%s", error_text(&err));
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        AUTO_FREE char *theirs = contents(record.path, tables[i]), *ours = contents(here, tables[i]);
        cr_expect_str_eq(ours, theirs, "%s", tables[i]);
    }
    record_end(&record);
}

Test(store_columns, an_end_that_does_not_know_leaves_what_the_beginning_said)
{
    struct record record = record_start();
    struct event event = of_run(EVENT_RUN_BEGIN);
    record_put(&record, &event);
    event = of_step(EVENT_STEP_BEGIN);
    record_put(&record, &event);
    event = (struct event){.kind = EVENT_STEP_END,
                           .run = run_id,
                           .of_step = {.seq = 1,
                                       .outcome = OUTCOME_OK,
                                       .exit_code = -1,
                                       .signal = -1,
                                       .cpu_usec = -1,
                                       .survivors_here = -1,
                                       .survivors_host = -1}};
    record_put(&record, &event);
    event = (struct event){.kind = EVENT_RUN_END, .run = run_id, .of_run = {.outcome = OUTCOME_OK}};
    record_put(&record, &event);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM step WHERE transport = 'transport' AND evidence"
                                        " = 'evidence' AND scope = 'scope' AND started_ns = 11 AND"
                                        " started_monotonic_ns = 12"),
                 1);
    cr_expect_eq(record_number(&record,
                               "SELECT count(*) FROM step WHERE coalesce(exit_code, signal, cpu_usec,"
                               " survivors_here, survivors_host) IS NULL AND outcome = 'ok'"),
                 1, "what there is none of is NULL");
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run WHERE plan = 'plan' AND ansible = 'ansible'"
                                        " AND machine_id IS NOT NULL AND outcome = 'ok'"),
                 1);
    record_end(&record);
}
