#include "store/history.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "config/text_rules.h"
#include "event/outcome.h"
#include "store/schema.h"

#include <stddef.h>
#include <string.h>

enum { BUSY_MS = 10000 };

int history_find(const char *path, struct sql **out, struct error *err)
{
    AUTO_SQL *db = NULL;
    int version = 0, there = file_look(path, err);
    if (there < 0 || (there && (sql_open(path, SQL_READ, BUSY_MS, &db, err) < 0 ||
                                store_version(db, path, &version, err) < 0)))
        return -1;
    if (version && version < STORE_VERSION)
        return error_set(err, ERROR_STORE,
                         "store %s is of an older triphase; the next command that makes or removes something"
                         " brings it up to date",
                         path);
    *out = version ? TAKE(db) : NULL;
    return 0;
}

int history_open(const char *path, struct sql **out, struct error *err)
{
    struct sql *db = NULL;
    if (history_find(path, &db, err) < 0)
        return -1;
    /* Nothing is wrong with a project in which nothing was done yet: there is nothing to be asked for. */
    if (!db)
        return error_set(err, ERROR_USAGE, "no run yet: there is no store %s; 'triphase create' makes one",
                         path);
    *out = db;
    return 0;
}

/* What becomes a path or a scope's name further on. */
static bool are_names(const char *target, const char *id, const char *machine)
{
    return target && value_is_name(target) && id && id_is(id) && (!machine || id_is(machine));
}

static const char strange[] =
    "the store has a %s with a name or an id that no triphase writes (%s); nothing is done with it, move the "
    "store away or put an older copy back";

static int read_machine(struct sql *db, const char *statement, const char *key, struct machine **out,
                        struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db, statement, &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, key);
    int row = sql_step(query, err);
    if (row < 0)
        return -1;
    if (row == 0) {
        *out = NULL;
        return 0;
    }
    const char *record = sql_text(query, 0);
    AUTO_JSON *json = json_parse(record ? record : "", record ? strlen(record) : 0, err);
    if (!json || !json_is_object(json))
        return error_set(
            err, ERROR_STORE,
            "the store's record of the machine %s is unreadable; 'triphase store check' says more", key);
    AUTO_FREE char *project = layout_project(sql_path(db));
    AUTO_MACHINE *machine = machine_from_row(json, project);
    if (!are_names(machine->target, machine->id, NULL))
        return error_set(err, ERROR_STORE, strange, "machine", key);
    *out = TAKE(machine);
    return 0;
}

int history_machine(struct sql *db, const char *target, struct machine **out, struct error *err)
{
    return read_machine(
        db, "SELECT record FROM machine WHERE target = ?1 AND removed_ns = 0 ORDER BY number DESC LIMIT 1",
        target, out, err);
}

int history_made(const char *store, const char *target, struct machine **out, struct error *err)
{
    AUTO_SQL *db = NULL;
    AUTO_MACHINE *machine = NULL;
    if (history_find(store, &db, err) < 0 || (db && history_machine(db, target, &machine, err) < 0))
        return -1;
    *out = machine && machine->made_ns ? TAKE(machine) : NULL;
    return 0;
}

int history_machine_by_id(struct sql *db, const char *id, struct machine **out, struct error *err)
{
    return read_machine(db, "SELECT record FROM machine WHERE id = ?1", id, out, err);
}

int history_targets(struct sql *db, struct words *out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    AUTO_WORDS found = WORDS_INIT;
    int row;
    if (sql_prepare(db,
                    "SELECT DISTINCT target FROM machine UNION SELECT DISTINCT target FROM run ORDER BY 1",
                    &query, err) < 0)
        return -1;
    while ((row = sql_step(query, err)) > 0) {
        if (!value_is_name(sql_text(query, 0)))
            return error_set(err, ERROR_STORE, strange, "target", sql_text(query, 0));
        words_add(&found, sql_text(query, 0));
    }
    if (row < 0)
        return -1;
    words_add_list(out, words_argv(&found));
    return 0;
}

#define RUN_COLUMNS                                                                                          \
    "SELECT id, kind, target, recipe, provider, ansible, outcome, message, plan, machine_id, extra_digest, " \
    "boot_id, node, group_id,"                                                                               \
    " parent_id, verdict, seen, partial, fresh, coalesce(exit_code, -1), started_ns, coalesce(duration_ns, " \
    "-1), "                                                                                                  \
    "coalesce(pid, 0), coalesce(pid_start, 0), merged"                                                       \
    " FROM run "

static char *column(struct sql_statement *row, int at)
{
    return xstrdup_or_null(sql_text(row, at));
}

static struct history_run *run_of(struct sql_statement *row)
{
    struct history_run *run = xcalloc(1, sizeof *run);
    char **const texts[] = {&run->id,       &run->kind,       &run->target,       &run->recipe,
                            &run->provider, &run->ansible,    &run->outcome,      &run->message,
                            &run->plan,     &run->machine_id, &run->extra_digest, &run->boot_id,
                            &run->node,     &run->group_id,   &run->parent_id,    &run->verdict,
                            &run->seen};
    int at = 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = column(row, at++);
    run->partial = sql_integer(row, at++) != 0;
    run->fresh = sql_integer(row, at++) != 0;
    run->exit_code = (int)sql_integer(row, at++);
    run->started_ns = sql_integer(row, at++);
    run->duration_ns = sql_integer(row, at++);
    run->pid = sql_integer(row, at++);
    run->pid_start = sql_integer(row, at++);
    run->merged = sql_integer(row, at++) != 0;
    return run;
}

void history_run_free(struct history_run *run)
{
    if (!run)
        return;
    char *const texts[] = {run->id,           run->kind,    run->target,  run->recipe,   run->provider,
                           run->ansible,      run->outcome, run->message, run->plan,     run->machine_id,
                           run->extra_digest, run->boot_id, run->node,    run->group_id, run->parent_id,
                           run->verdict,      run->seen};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    free(run);
}

void history_runs_free(struct history_run **runs)
{
    for (size_t i = 0; runs && runs[i]; i++)
        history_run_free(runs[i]);
    free(runs);
}

/* All rows of a query over RUN_COLUMNS, NULL-terminated. `text` is ?1 and `limit` ?2, where the statement
 * has them. */
static int read_runs(struct sql *db, const char *statement, const char *text, int64_t limit,
                     struct history_run ***out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db, statement, &query, err) < 0)
        return -1;
    if (text)
        sql_bind_text(query, 1, text);
    if (limit)
        sql_bind_integer(query, 2, limit);
    struct history_run **runs = xcalloc(1, sizeof *runs);
    size_t count = 0;
    int row;
    while ((row = sql_step(query, err)) > 0) {
        runs = xreallocarray(runs, count + 2, sizeof *runs);
        const struct history_run *run = runs[count++] = run_of(query);
        runs[count] = NULL;
        if (!are_names(run->target, run->id, run->machine_id)) {
            row = error_set(err, ERROR_STORE, strange, "run", run->id ? run->id : "");
            break;
        }
    }
    if (row < 0) {
        history_runs_free(runs);
        return -1;
    }
    *out = runs;
    return 0;
}

static int choose(struct history_run **runs, const char *id, struct history_run **out, struct error *err)
{
    if (!runs[0])
        return error_set(err, ERROR_USAGE,
                         "there is no run '%s' in the store; 'triphase report --last 20' lists the latest",
                         id);
    if (runs[1]) {
        AUTO_TEXT names = TEXT_INIT;
        for (size_t i = 0; runs[i]; i++)
            text_addf(&names, "%s%s", i ? ", " : "", runs[i]->id);
        return error_set(err, ERROR_USAGE, "'%s' is the short id of several runs: %s; give one whole", id,
                         text_string(&names));
    }
    *out = TAKE(runs[0]);
    return 0;
}

int history_run(struct sql *db, const char *id, const char *target, struct history_run **out,
                struct error *err)
{
    struct history_run **runs;
    if (id) {
        const char *by =
            id_is(id) ? RUN_COLUMNS "WHERE id = ?1" : RUN_COLUMNS "WHERE substr(id, -8) = ?1 ORDER BY number";
        if (read_runs(db, by, id, 0, &runs, err) < 0)
            return -1;
        int result = choose(runs, id, out, err);
        history_runs_free(runs);
        return result;
    }
    if (history_last_runs(db, target, 1, &runs, err) < 0)
        return -1;
    *out = TAKE(runs[0]);
    history_runs_free(runs);
    return 0;
}

int history_last_here(struct sql *db, const char *target, struct history_run **out, struct error *err)
{
    struct history_run **runs;
    if (history_last_runs(db, target, 1, &runs, err) < 0)
        return -1;
    *out = runs[0] && !runs[0]->merged ? TAKE(runs[0]) : NULL;
    history_runs_free(runs);
    return 0;
}

/* A drift that is over hides no run that did something. */
#define SHOWN "(kind IS NOT 'drift' OR outcome IS NULL)"

int history_last_runs(struct sql *db, const char *target, int limit, struct history_run ***out,
                      struct error *err)
{
    return read_runs(db,
                     target ? RUN_COLUMNS "WHERE target = ?1 AND " SHOWN " ORDER BY " HISTORY_NEWEST_FIRST
                                          " LIMIT ?2"
                            : RUN_COLUMNS "WHERE " SHOWN " ORDER BY " HISTORY_NEWEST_FIRST " LIMIT ?2",
                     target, limit, out, err);
}

int history_open_runs(struct sql *db, const char *target, struct history_run ***out, struct error *err)
{
    return read_runs(db,
                     target ? RUN_COLUMNS "WHERE outcome IS NULL AND target = ?1 ORDER BY number"
                            : RUN_COLUMNS
                         "WHERE outcome IS NULL ORDER BY +number", /* few: not by all runs' order */
                     target, 0, out, err);
}

static void read_step(struct sql_statement *row, struct history_step *step)
{
    int at = 0;
    int *const numbers[] = {&step->seq,    &step->attempt,        &step->exit_code,
                            &step->signal, &step->survivors_here, &step->survivors_host};
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        *numbers[i] = (int)sql_integer(row, at++);
    char **const texts[] = {&step->kind,    &step->name,          &step->transport,   &step->outcome,
                            &step->cause,   &step->message,       &step->scope,       &step->log,
                            &step->events,  &step->host_evidence, &step->evidence,    &step->handlers_owed,
                            &step->verdict, &step->seen,          &step->accelerated, &step->accelerated_why};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = column(row, at++);
    int64_t *const wide[] = {&step->started_ns, &step->duration_ns, &step->deadline_ns,
                             &step->ok,         &step->changed,     &step->failed,
                             &step->skipped,    &step->unreachable, &step->ignored,
                             &step->rescued,    &step->event_bytes, &step->started_monotonic_ns};
    for (size_t i = 0; i < COUNT_OF(wide); i++)
        *wide[i] = sql_integer(row, at++);
}

int history_group_runs(struct sql *db, const char *group, size_t skip, struct history_run ***out,
                       struct error *err)
{
    return read_runs(db, RUN_COLUMNS "WHERE group_id = ?1 ORDER BY number LIMIT -1 OFFSET coalesce(?2, 0)",
                     group, (int64_t)skip, out, err);
}

int history_group(struct sql *db, const char *id, const char *target, char **out, struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db,
                    "SELECT group_id FROM run WHERE group_id IS NOT NULL AND (?1 IS NULL OR group_id = ?1"
                    "  OR (length(?1) = 8 AND substr(group_id, -8) = ?1)) AND (?2 IS NULL OR target = ?2)"
                    " GROUP BY group_id ORDER BY min(merged), max(number) DESC LIMIT 2",
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, id);
    sql_bind_text(query, 2, target);
    int row = sql_step(query, err);
    if (row < 0)
        return -1;
    if (row == 0)
        return error_set(err, ERROR_USAGE,
                         "there is no cycle%s%s%s%s in the store; 'triphase cycle' makes one", id ? " " : "",
                         id ? id : "", target ? " of " : "", target ? target : "");
    AUTO_FREE char *found = xstrdup_or_null(sql_text(query, 0));
    if (id && sql_step(query, err) > 0)
        return error_set(err, ERROR_USAGE, "'%s' is the short id of several cycles; give one whole", id);
    *out = TAKE(found);
    return 0;
}

char *history_ids(const char *const *runs)
{
    AUTO_JSON *ids = json_new_array();
    for (; *runs; runs++)
        json_append(ids, json_new_string(*runs));
    return json_compact(ids);
}

int history_steps(struct sql *db, const char *run, struct history_step **out, size_t *count,
                  struct error *err)
{
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db,
                    "SELECT seq, attempt, coalesce(exit_code, -1), coalesce(signal, -1),"
                    " coalesce(survivors_here, -1),"
                    " coalesce(survivors_host, -1), kind, name, transport, outcome, cause, message, scope,"
                    " log, events, host_evidence,"
                    " evidence, handlers_owed, verdict, seen, accelerated, accelerated_why, started_ns, "
                    "coalesce(duration_ns, -1), deadline_ns, ok,"
                    " changed, failed, skipped,"
                    " unreachable, ignored, rescued, event_bytes, started_monotonic_ns"
                    " FROM step WHERE run = (SELECT number FROM run WHERE id = ?1) ORDER BY seq",
                    &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, run);
    struct history_step *steps = NULL;
    size_t length = 0;
    int row;
    while ((row = sql_step(query, err)) > 0) {
        steps = xreallocarray(steps, length + 1, sizeof *steps);
        steps[length] = (struct history_step){0};
        read_step(query, &steps[length++]);
    }
    if (row < 0) {
        history_steps_free(steps, length);
        return -1;
    }
    *out = steps;
    *count = length;
    return 0;
}

void history_steps_free(struct history_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *const texts[] = {steps[i].kind,           steps[i].name,     steps[i].transport,
                               steps[i].outcome,        steps[i].cause,    steps[i].message,
                               steps[i].scope,          steps[i].log,      steps[i].events,
                               steps[i].host_evidence,  steps[i].evidence, steps[i].handlers_owed,
                               steps[i].verdict,        steps[i].seen,     steps[i].accelerated,
                               steps[i].accelerated_why};
        for (size_t k = 0; k < COUNT_OF(texts); k++)
            free(texts[k]);
    }
    free(steps);
}

/* A machine is its target's only one while it is there, so what a run without its id (one that died before it
 * could say) did after all that name another was done on it. */
int history_unlooked(struct sql *db, const struct machine *machine, int most, struct history_unlooked **out,
                     size_t *count, struct error *err)
{
    AUTO_TEXT text = TEXT_INIT;
    text_add(
        &text,
        "SELECT run.id, step.evidence, step.seq, step.started_monotonic_ns FROM step JOIN run ON run.number "
        "= step.run"
        " WHERE run.number IN (SELECT number FROM run WHERE target = ?1 AND merged = 0 ORDER BY number DESC "
        "LIMIT 50)"
        " AND (run.machine_id = ?2 OR (run.machine_id IS NULL AND run.number > (SELECT coalesce(max(number), "
        "0)"
        " FROM run WHERE target = ?1 AND merged = 0 AND machine_id <> ?2))) AND step.kind = 'phase'"
        " AND step.transport IS NOT NULL AND step.survivors_host IS NULL AND (step.outcome IN (''");
    for (enum outcome outcome = OUTCOME_OK; outcome < outcome_count(); outcome++)
        if (outcome_may_leave(outcome, NULL))
            text_addf(&text, ", '%s'", outcome_name(outcome));
    text_add(&text, ") OR step.cause = '" OUTCOME_CAUSE_ABORTED
                    "') ORDER BY run.number DESC, step.seq DESC LIMIT ?3");
    AUTO_STATEMENT *query = NULL;
    if (sql_prepare(db, text_string(&text), &query, err) < 0)
        return -1;
    sql_bind_text(query, 1, machine->target);
    sql_bind_text(query, 2, machine->id);
    sql_bind_integer(query, 3, most);
    struct history_unlooked *list = NULL;
    size_t length = 0;
    int row;
    while ((row = sql_step(query, err)) > 0) {
        list = xreallocarray(list, length + 1, sizeof *list);
        list[length++] = (struct history_unlooked){column(query, 0), column(query, 1),
                                                   (int)sql_integer(query, 2), sql_integer(query, 3)};
    }
    if (row < 0) {
        history_unlooked_free(list, length);
        return -1;
    }
    *out = list;
    *count = length;
    return 0;
}

void history_unlooked_free(struct history_unlooked *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i].run);
        free(list[i].evidence);
    }
    free(list);
}
