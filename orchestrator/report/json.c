#include "report/json.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "event/machine.h"
#include "report/comparison.h"
#include "report/cycle.h"
#include "report/explain.h"
#include "report/first_boot.h"
#include "report/format.h"
#include "report/health.h"
#include "report/json_parts.h"
#include "report/path.h"
#include "report/told.h"

static void set_moment(struct json *object, const char *key, int64_t wall_ns)
{
    AUTO_FREE char *text = moment_rfc3339(wall_ns);
    json_set_string(object, key, text);
}

static void set_known(struct json *object, const char *key, int64_t value)
{
    json_set(object, key, value < 0 ? json_new_null() : json_new_integer(value));
}

static void set_path(struct json *object, const char *key, const char *state, const char *path)
{
    AUTO_FREE char *whole = path ? layout_stored(state, path) : NULL;
    json_set_string(object, key, whole);
}

static struct json *run_object(const struct account *account)
{
    const struct history_run *run = account->run;
    struct json *object = json_new_object();
    json_set_string(object, "id", run->id);
    json_set_string(object, "kind", run->kind);
    json_set_string(object, "target", run->target);
    json_set_string(object, "provider", run->provider);
    json_set_string(object, "outcome", account->outcome);
    set_known(object, "exit", run->outcome ? run->exit_code : -1);
    json_set_bool(object, "partial", run->partial);
    json_set_bool(object, "fresh", run->fresh);
    set_moment(object, "started", run->started_ns);
    report_json_set_ms(object, "duration_ms", run->outcome ? run->duration_ns : -1);
    json_set_string(object, "ansible", run->ansible);
    json_set_string(object, "recipe", run->recipe);
    json_set_string(object, "message", run->message);
    json_set_bool(object, "dry_run", account->dry_run);
    if (run->parent_id)
        json_set_string(object, "parent", run->parent_id);
    if (!run->outcome)
        json_set_integer(object, "unread_event_bytes", account->unread_bytes);
    return object;
}

static struct json *step_object(const struct account *account, const struct history_step *step,
                                const char *state)
{
    struct json *object = json_new_object();
    json_set_integer(object, "seq", step->seq);
    report_json_set_step(object, account, step);
    set_moment(object, "started", step->started_ns);
    report_json_set_ms(object, "duration_ms", step->duration_ns);
    json_set_integer(object, "ok", step->ok);
    json_set_integer(object, "changed", step->changed);
    json_set_integer(object, "failed", step->failed);
    json_set_integer(object, "skipped", step->skipped);
    json_set_integer(object, "unreachable", step->unreachable);
    json_set_integer(object, "ignored", step->ignored);
    json_set_integer(object, "rescued", step->rescued);
    json_set_string(object, "scope", step->scope);
    struct json *survivors = json_new_object();
    set_known(survivors, "here", step->survivors_here);
    set_known(survivors, "host", step->survivors_host);
    json_set_string(survivors, "host_evidence", step->host_evidence);
    json_set(object, "survivors", survivors);
    set_path(object, "log", state, step->log);
    set_path(object, "events", state, step->events);
    json_set_string(object, "accelerated", step->accelerated);
    json_set_string(object, "accelerated_why", step->accelerated_why);
    json_set_string(object, "cause", step->cause);
    json_set_string(object, "message", step->message);
    AUTO_FREE char *known_by = report_known_by(step);
    if (known_by)
        json_set_string(object, MACHINE_HOST_KEYS_BY, known_by);
    struct json *path = report_path_json(account, step);
    if (path)
        json_set(object, "path", path);
    struct json *boot = report_first_boot_json(account, step);
    if (boot)
        json_set(object, "first_boot", boot);
    return object;
}

static struct json *lost_object(const struct history_lost *lost)
{
    struct json *object = json_new_object();
    set_moment(object, "at", lost->at_ns);
    json_set_integer(object, "step", lost->step);
    json_set_string(object, "host", lost->host);
    json_set_string(object, "task", lost->task);
    json_set_string(object, "cause", lost->cause);
    json_set_string(object, "cause_source", lost->cause_source);
    json_set_string(object, "message", lost->message);
    json_set_bool(object, "ignored", lost->ignored);
    json_set_string(object, "transport", lost->transport);
    return object;
}

/* The runs that a resume goes on with, the first one first, and what all of them and it took together. */
static struct json *chain_object(const struct account *account)
{
    struct json *object = json_new_object(), *runs = json_new_array();
    int64_t duration = account->run->outcome ? account->run->duration_ns : -1;
    int64_t phases = account->phases_ns, stages = account->stages_ns;
    for (size_t i = 0; i < account->chain_count; i++) {
        const struct account_link *link = &account->chain[i];
        struct json *run = json_new_object();
        json_set_string(run, "id", link->run);
        json_set_string(run, "kind", link->kind);
        json_set_string(run, "outcome", link->outcome);
        report_json_set_ms(run, "duration_ms", link->duration_ns);
        report_json_set_ms(run, "phases_ms", link->phases_ns);
        report_json_set_ms(run, "stages_ms", link->stages_ns);
        json_append(runs, run);
        if (duration >= 0 &&
            (link->duration_ns < 0 || __builtin_add_overflow(duration, link->duration_ns, &duration)))
            duration = -1;
        if (__builtin_add_overflow(phases, link->phases_ns, &phases))
            phases = INT64_MAX;
        if (__builtin_add_overflow(stages, link->stages_ns, &stages))
            stages = INT64_MAX;
    }
    json_set(object, "runs", runs);
    report_json_set_ms(object, "duration_ms", duration);
    report_json_set_ms(object, "phases_ms", phases);
    report_json_set_ms(object, "stages_ms", stages);
    return object;
}

/* run, steps, unreachable, total and what was told, as they stand in a report of one run and of several. */
static void set_account(struct json *object, const struct account *account, const char *state)
{
    json_set(object, "run", run_object(account));
    struct json *steps = json_new_array(), *lost = json_new_array(), *total = json_new_object();
    for (size_t i = 0; i < account->step_count; i++)
        json_append(steps, step_object(account, &account->steps[i], state));
    for (size_t i = 0; i < account->lost_count; i++)
        json_append(lost, lost_object(&account->lost[i]));
    report_json_set_ms(total, "duration_ms", account->run->outcome ? account->run->duration_ns : -1);
    report_json_set_ms(total, "phases_ms", account->phases_ns);
    report_json_set_ms(total, "stages_ms", account->stages_ns);
    json_set(object, "steps", steps);
    json_set(object, "unreachable", lost);
    json_set(object, "total", total);
    struct json *health = report_health_json(account);
    if (health)
        json_set(object, "health", health);
    if (account->confirm)
        json_set(object, "confirm", json_keep(account->confirm));
    if (account->told_count)
        json_set(object, "told", report_told_json(account));
    if (account->chain_count)
        json_set(object, "resumes", chain_object(account));
}

struct json *report_json_run(const struct account *account, const char *state)
{
    struct json *object = json_new_object();
    json_set_integer(object, "version", 1);
    set_account(object, account, state);
    return object;
}

static struct json *statistic_object(const struct statistic *row)
{
    struct json *object = json_new_object();
    json_set_string(object, "target", row->target);
    json_set_string(object, "recipe", row->recipe);
    json_set_string(object, "step", row->step);
    report_json_set_statistic(object, row);
    if (row->extra_digest)
        json_set_string(object, "extra_digest", row->extra_digest);
    return object;
}

struct json *report_json_runs(const struct account *accounts, size_t count, const char *state)
{
    struct json *object = json_new_object(), *runs = json_new_array(), *rows = json_new_array();
    struct statistics *statistics = statistics_new();
    for (size_t i = 0; i < count; i++) {
        struct json *run = json_new_object();
        set_account(run, &accounts[i], state);
        json_append(runs, run);
        statistics_add(statistics, accounts[i].run, accounts[i].steps, accounts[i].step_count);
    }
    size_t length;
    const struct statistic *result = statistics_result(statistics, &length);
    for (size_t i = 0; i < length; i++)
        json_append(rows, statistic_object(&result[i]));
    statistics_free(statistics);
    json_set_integer(object, "version", 1);
    json_set(object, "runs", runs);
    json_set(object, "statistics", rows);
    return object;
}

struct json *report_json_sums(const struct history_sums *sums, enum history_by by)
{
    struct json *object = json_new_object(), *rows = json_new_array();
    for (size_t i = 0; i < sums->count; i++) {
        const struct history_sum *sum = &sums->rows[i];
        struct json *row = json_new_object();
        json_set_string(row, "name", sum->name);
        json_set_string(row, "host", sum->host);
        json_set_integer(row, "n", sum->n);
        json_set_integer(row, "ok", sum->ok);
        json_set_integer(row, "changed", sum->changed);
        json_set_integer(row, "failed", sum->failed);
        report_json_set_ms(row, "sum_ms", sum->sum_ns);
        report_json_set_ms(row, "max_ms", sum->max_ns);
        if (by == HISTORY_BY_ROLE) {
            json_set_string(row, "status", sum->status);
            set_moment(row, "started", sum->started_ns);
            report_json_set_ms(row, "wall_ms", sum->wall_ns);
        }
        json_append(rows, row);
    }
    json_set_integer(object, "version", 1);
    json_set_string(object, "by", by == HISTORY_BY_ROLE ? "role" : "task");
    json_set(object, "rows", rows);
    return object;
}

/* ---------------------------------------------------------------- the format */

static void add(struct json *json, struct text *out)
{
    AUTO_FREE char *pretty = json_pretty(json);
    text_addf(out, "%s\n", pretty);
    json_free(json);
}

static void add_runs(const struct report_runs *runs, const struct table_look *look, struct text *out)
{
    (void)look;
    add(runs->several ? report_json_runs(runs->accounts, runs->count, runs->state)
                      : report_json_run(runs->accounts, runs->state),
        out);
}

static void add_explanation(const struct account *account, const struct table_look *look, struct text *out)
{
    (void)look;
    add(explain_json(account), out);
}

static void add_sums(const struct history_sums *sums, enum history_by by, const struct table_look *look,
                     struct text *out)
{
    (void)look;
    add(report_json_sums(sums, by), out);
}

static void add_wheres(const struct report_wheres *wheres, const struct table_look *look, struct text *out)
{
    (void)look;
    add(report_where_json(wheres), out);
}

static void add_comparison(const struct comparison *comparison, bool evidence, const struct table_look *look,
                           struct text *out)
{
    (void)look;
    add(comparison_json(comparison, evidence), out);
}

static void add_cycle(const struct cycle *cycle, const struct cycle_summary *summary, bool rounds,
                      const struct table_look *look, struct text *out)
{
    (void)rounds;
    (void)look;
    add(cycle_json(cycle, summary), out);
}

const struct report_format report_format_json = {.name = "json",
                                                 .file = "report.json",
                                                 .runs = add_runs,
                                                 .explanation = add_explanation,
                                                 .sums = add_sums,
                                                 .wheres = add_wheres,
                                                 .comparison = add_comparison,
                                                 .cycle = add_cycle};
