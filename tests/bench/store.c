/* The store under load, for 40-store.py:
 *   store fill DATABASE TASKS      rows of TASKS tasks, 200 a run in 4 phases, as a thousand runs leave them
 *   store one DATABASE TASKS       one run of them: 500 hosts, four phases, each task once on each host
 *   store put DATABASE EVENTS      EVENTS tasks through the writer thread; then counts them
 *   store lines DATABASE EVENTS    the same, each parsed from its JSON line first
 *   store memory DATABASE EVENTS   the writer's own memory after EVENTS tasks at 1000 a second, as a lively
 *                                  play makes them
 * Prints seconds and events a second, or KiB. */
#include "store/store.h"
#include "base/error.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/line.h"
#include "event/line_event.h"
#include "unit/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void must(int result, struct error *err)
{
    if (result < 0) {
        fprintf(stderr, "store bench: %s\n", error_text(err));
        exit(70);
    }
}

/* Six steps as the recipe vault has them, of lengths that differ. */
static struct event step_event(enum event_kind kind, const char *id, int seq, int64_t at)
{
    static const char *const names[] = {"provision", "transport", "bootstrap",
                                        "install",   "converge",  "finalize"};
    struct event event = rows_step(kind, id, seq);
    event.of_step.kind = seq < 3 ? "stage" : "phase";
    event.of_step.name = names[seq - 1];
    event.of_step.started_ns = at;
    event.of_step.duration_ns = (seq * 3 + at % 997) * NS_PER_MS;
    return event;
}

static struct event task_event(const char *id, int step, int64_t i, char task[64], char path[64])
{
    static const char *const roles[] = {"vault_install", "vault_configure", "vault_service", NULL};
    snprintf(task, 64, "Task number %" PRId64 " of the play", i % 50);
    snprintf(path, 64, "/srv/project/playbooks/roles/r/tasks/main.yml:%" PRId64, i % 50 * 7);
    struct event event = rows_task(id, step, roles[i % 4], task, i % 9 ? "ok" : "changed");
    event.task.play = "Install the vault";
    event.task.path = path;
    event.task.action = "ansible.builtin.command";
    event.task.started_ns = moment_wall();
    event.task.duration_ns = 1000000 + i * 7919 % 900000000;
    event.task.message = i % 1000 == 999 ? "non-zero return code" : NULL;
    return event;
}

static void put_run(struct store_appender *appender, int64_t *task, int64_t tasks)
{
    char id[ID_SIZE], name[64], path[64];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    int64_t at = moment_wall();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, at);
    must(store_appender_put(appender, &event, &err), &err);
    for (int seq = 1; seq <= 6; seq++) {
        event = step_event(EVENT_STEP_BEGIN, id, seq, at);
        must(store_appender_put(appender, &event, &err), &err);
        for (int i = 0; seq > 2 && i < 50 && *task < tasks; i++) {
            event = task_event(id, seq, (*task)++, name, path);
            must(store_appender_put(appender, &event, &err), &err);
        }
        event = step_event(EVENT_STEP_END, id, seq, at);
        must(store_appender_put(appender, &event, &err), &err);
    }
    event = rows_run(EVENT_RUN_END, id, at);
    must(store_appender_put(appender, &event, &err), &err);
}

enum { HOSTS = 500, PHASES = 4 };

/* A run of a fleet: each row is of another task or another host, the worst for whatever sums them. */
static void put_fleet(struct store_appender *appender, int64_t tasks)
{
    char id[ID_SIZE], name[64], path[64], host[64];
    AUTO_ERROR err = ERROR_INIT;
    id_make(id);
    int64_t at = moment_wall();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, at);
    must(store_appender_put(appender, &event, &err), &err);
    for (int seq = 1; seq <= 2 + PHASES; seq++) {
        event = step_event(EVENT_STEP_BEGIN, id, seq, at);
        must(store_appender_put(appender, &event, &err), &err);
        int64_t mine = seq > 2 ? tasks / PHASES + (seq == 2 + PHASES ? tasks % PHASES : 0) : 0;
        for (int64_t i = 0; i < mine; i++) {
            event = task_event(id, seq, i, name, path);
            snprintf(name, sizeof name, "Task number %" PRId64 " of phase %d", i / HOSTS, seq - 2);
            snprintf(path, sizeof path, "/srv/project/playbooks/phase%d.yml:%" PRId64, seq - 2,
                     i / HOSTS * 7 + 3);
            snprintf(host, sizeof host, "node-%03" PRId64 ".example.net", i % HOSTS);
            event.task.host = host;
            event.task.role = i / HOSTS % 3 ? "fleet_base" : NULL;
            must(store_appender_put(appender, &event, &err), &err);
        }
        event = step_event(EVENT_STEP_END, id, seq, at);
        must(store_appender_put(appender, &event, &err), &err);
    }
    event = rows_run(EVENT_RUN_END, id, at);
    must(store_appender_put(appender, &event, &err), &err);
}

static void fill(const char *path, int64_t tasks, bool one)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SQL *db = NULL;
    struct store_appender *appender;
    must(store_prepare(path, &err), &err);
    must(sql_open(path, SQL_WRITE, 10000, &db, &err), &err);
    must(sql_run(db, "PRAGMA synchronous = OFF", &err), &err);
    must(store_appender_new(db, &appender, &err), &err);
    if (one) {
        must(sql_begin(db, &err), &err);
        put_fleet(appender, tasks);
        must(sql_commit(db, &err), &err);
    }
    for (int64_t task = 0; !one && task < tasks;) {
        must(sql_begin(db, &err), &err);
        for (int i = 0; i < 50 && task < tasks; i++)
            put_run(appender, &task, tasks);
        must(sql_commit(db, &err), &err);
    }
    store_appender_free(appender);
}

/* A line as the callback plugin writes it. */
static void add_line(struct text *line, int64_t seq, const struct event_task *task)
{
    text_truncate(line, 0);
    text_addf(line,
              "{\"v\":1,\"seq\":%" PRId64 ",\"t\":%" PRId64 ",\"m\":%" PRId64
              ",\"kind\":\"result\",\"host\":\"%s\",\"play\":\"%s\",\"role\":\"r\","
              "\"task\":\"%s\",\"uuid\":\"0242ac11-0002-9f5c-1f3a-0000000000%02d\",\"path\":\"%s\","
              "\"action\":\"%s\",\"status\":\"%s\","
              "\"duration_ns\":%" PRId64 "}",
              seq, task->started_ns, task->started_ns / 2, task->host, task->play, task->task,
              (int)(seq % 100), task->path, task->action, task->status, task->duration_ns);
}

static void put(const char *path, int64_t count, bool parse)
{
    AUTO_ERROR err = ERROR_INIT;
    struct store_writer *writer;
    char id[ID_SIZE], name[64], where[64];
    AUTO_TEXT all = TEXT_INIT;
    size_t *ends = xcalloc((size_t)count + 1, sizeof *ends);
    id_make(id);
    for (int64_t i = 0; parse && i < count; i++) {
        AUTO_TEXT line = TEXT_INIT;
        struct event event = task_event(id, 3, i, name, where);
        add_line(&line, i + 1, &event.task);
        text_add_bytes(&all, line.bytes, line.length);
        ends[i + 1] = all.length;
    }
    must(store_prepare(path, &err), &err);
    must(store_writer_start(path, &writer, &err), &err);
    struct event event = rows_run(EVENT_RUN_BEGIN, id, moment_wall());
    store_writer_put(writer, &event);
    event = step_event(EVENT_STEP_BEGIN, id, 3, moment_wall());
    store_writer_put(writer, &event);
    int64_t start = moment_monotonic(), longest = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t before = moment_monotonic();
        struct line line = {0};
        if (parse) {
            must(line_parse(all.bytes + ends[i], ends[i + 1] - ends[i], &line, &err), &err);
            struct event rows[2];
            if (line_events(&line, id, 3, "direct", (int64_t)ends[i + 1], rows) != 1)
                abort();
            event = rows[0];
        } else {
            event = task_event(id, 3, i, name, where);
        }
        store_writer_put(writer, &event);
        line_clear(&line);
        int64_t took = moment_monotonic() - before;
        longest = took > longest ? took : longest;
    }
    int64_t queued = moment_monotonic() - start;
    event = step_event(EVENT_STEP_END, id, 3, moment_wall());
    store_writer_put(writer, &event);
    must(store_writer_stop(writer, 60 * NS_PER_S, &err), &err);
    int64_t took = moment_monotonic() - start, found;
    AUTO_SQL *db = NULL;
    must(sql_open(path, SQL_READ, 10000, &db, &err), &err);
    AUTO_FREE char *query = xasprintf(
        "SELECT count(*) FROM task JOIN step ON step.number = task.step JOIN run ON run.number = step.run"
        " WHERE run.id = '%s'",
        id);
    must(sql_query_integer(db, query, 0, &found, &err), &err);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("%" PRId64 " of %" PRId64 " events, %.3f s to the disk (%.3f s in the caller, longest put %.2f"
           " ms), %.0f events/s, peak %ld KiB\n",
           found, count, (double)took / 1e9, (double)queued / 1e9, (double)longest / 1e6,
           (double)count / ((double)took / 1e9), usage.ru_maxrss);
    free(ends);
    if (found != count)
        exit(1);
}

/* Private memory of this process in KiB. */
static long private_kib(void)
{
    AUTO_TEXT text = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    long sum = 0;
    must(file_read("/proc/self/smaps_rollup", 65536, &text, &err), &err);
    for (const char *at = text_string(&text); (at = strstr(at, "Private_")); at++)
        sum += strtol(strchr(at, ':') + 1, NULL, 10);
    return sum;
}

static void memory(const char *path, int64_t count)
{
    AUTO_ERROR err = ERROR_INIT;
    struct store_writer *writer;
    char id[ID_SIZE], name[64], where[64];
    id_make(id);
    must(store_prepare(path, &err), &err);
    long before = private_kib();
    must(store_writer_start(path, &writer, &err), &err);
    struct event event = rows_run(EVENT_RUN_BEGIN, id, moment_wall());
    store_writer_put(writer, &event);
    event = step_event(EVENT_STEP_BEGIN, id, 3, moment_wall());
    store_writer_put(writer, &event);
    for (int64_t i = 0; i < count; i++) {
        event = task_event(id, 3, i, name, where);
        store_writer_put(writer, &event);
        usleep(1000);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("private memory %ld KiB without a writer, %ld KiB with one at work; CPU %.1f us an event\n",
           before, private_kib(),
           (double)(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec +
                    usage.ru_stime.tv_sec * 1000000 + usage.ru_stime.tv_usec) /
               (double)count);
    must(store_writer_stop(writer, 60 * NS_PER_S, &err), &err);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 64;
    int64_t count = strtoll(argv[3], NULL, 10);
    if (text_is(argv[1], "fill") || text_is(argv[1], "one"))
        fill(argv[2], count, text_is(argv[1], "one"));
    else if (text_is(argv[1], "memory"))
        memory(argv[2], count);
    else
        put(argv[2], count, text_is(argv[1], "lines"));
    return 0;
}
