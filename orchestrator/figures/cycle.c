#include "figures/cycle.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json_words.h"
#include "store/store.h"

#include <string.h>

enum { BUSY_MS = 10000 };

static int count_events(struct sql *db, const char *run, struct cycle_round *round, struct error *err)
{
    struct history_event *events;
    size_t count;
    if (history_events(db, run, 0, &events, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        round->watchdogs += text_is(events[i].kind, "watchdog");
        round->retries += text_is(events[i].kind, "retry");
        if (!text_is(events[i].kind, "leftovers") || !events[i].detail)
            continue;
        AUTO_JSON *detail = json_parse(events[i].detail, strlen(events[i].detail), NULL);
        round->leftovers = (int)json_get_integer(detail, "count", -1);
    }
    history_events_free(events, count);
    return 0;
}

static void take_account(struct cycle *cycle, struct cycle_round *round, const struct account *account)
{
    const struct history_run *run = account->run;
    bool first = !round->outcome || text_is(round->outcome, "ok");
    if (first) {
        round->outcome = account->outcome;
        round->exit_code = run->outcome ? run->exit_code : -1;
    }
    round->total_ns += run->duration_ns > 0 ? run->duration_ns : 0;
    round->unreachable += account->lost_count;
    for (size_t i = 0; i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        round->recovered += step->attempt > 1 && text_is(step->outcome, "ok");
        if (text_is(step->kind, "phase") && !text_is(run->kind, "destroy") &&
            !words_have(&cycle->phases, step->name))
            words_add(&cycle->phases, step->name);
    }
}

static struct cycle_round *round_for(struct cycle *cycle, const struct history_run *run, size_t *number)
{
    bool destroy = text_is(run->kind, "destroy");
    struct cycle_round *last = cycle->count ? &cycle->rounds[cycle->count - 1] : NULL;
    if (destroy && last && !last->destroy.run)
        return last;
    cycle->rounds = xreallocarray(cycle->rounds, cycle->count + 1, sizeof *cycle->rounds);
    struct cycle_round *round = &cycle->rounds[cycle->count++];
    *round = (struct cycle_round){.number = destroy ? *number : ++*number, .leftovers = -1};
    return round;
}

int cycle_load(struct sql *db, const char *state, const char *group, size_t skip, size_t rounds,
               struct cycle *out, struct error *err)
{
    struct cycle cycle = {.phases = WORDS_INIT};
    struct history_run **runs;
    if (history_group_runs(db, group, skip, &runs, err) < 0)
        return -1;
    int status = 0;
    cycle.group = xstrdup(group);
    for (size_t i = 0; runs[i] && status == 0; i++, cycle.runs++) {
        struct cycle_round *round = round_for(&cycle, runs[i], &rounds);
        struct account *account = text_is(runs[i]->kind, "destroy") ? &round->destroy : &round->create;
        if (!cycle.target)
            cycle.target = xstrdup_or_null(runs[i]->target);
        /* The account takes the run over; the array keeps the place, so that what
         * was not reached is found. */
        struct history_run *run = runs[i];
        runs[i] = xcalloc(1, sizeof *run);
        status = account_load(db, state, run, account, err);
        if (status == 0)
            status = count_events(db, account->run->id, round, err);
        if (status == 0)
            take_account(&cycle, round, account);
    }
    history_runs_free(runs);
    if (status < 0) {
        cycle_clear(&cycle);
        return -1;
    }
    for (size_t i = 0; i < cycle.count; i++)
        if (cycle.rounds[i].leftovers > 0 && text_is(cycle.rounds[i].outcome, "ok"))
            cycle.rounds[i].outcome = outcome_name(OUTCOME_LEFTOVER);
    *out = cycle;
    return 0;
}

void cycle_clear(struct cycle *cycle)
{
    for (size_t i = 0; i < cycle->count; i++) {
        account_clear(&cycle->rounds[i].create);
        account_clear(&cycle->rounds[i].destroy);
    }
    free(cycle->rounds);
    free(cycle->group);
    free(cycle->target);
    words_clear(&cycle->phases);
    *cycle = (struct cycle){0};
}

static int64_t time_in(const struct account *account, const char *step)
{
    int64_t sum = -1;
    for (size_t i = 0; account->run && i < account->step_count; i++)
        if (text_is(account->steps[i].name, step) && account->steps[i].duration_ns >= 0)
            sum = (sum < 0 ? 0 : sum) + account->steps[i].duration_ns;
    return sum;
}

int64_t cycle_time(const struct cycle_round *round, const char *step)
{
    int64_t made = time_in(&round->create, step);
    return made >= 0 ? made : time_in(&round->destroy, step);
}

int cycle_store_leftovers(const char *store, const char *run, const struct words *left, struct error *err)
{
    AUTO_SQL *db = NULL;
    struct store_appender *appender = NULL;
    AUTO_JSON *detail = json_new_object();
    json_set_integer(detail, "count", (int64_t)left->count);
    json_set(detail, "left", json_words_array(left));
    AUTO_FREE char *text = json_compact(detail);
    struct event event = {.kind = EVENT_NOTE,
                          .run = run,
                          .note = {.kind = "leftovers", .detail = text, .at_ns = moment_wall()}};
    if (sql_open(store, SQL_WRITE, BUSY_MS, &db, err) < 0 || store_appender_new(db, &appender, err) < 0)
        return -1;
    int status = sql_begin(db, err);
    if (status == 0 &&
        (store_appender_begin(appender, err) < 0 || store_appender_put(appender, &event, err) < 0 ||
         store_appender_flush(appender, err) < 0 || sql_commit(db, err) < 0)) {
        sql_rollback(db);
        status = -1;
    }
    store_appender_free(appender);
    return status;
}

/* ---------------------------------------------------------------- summary */

static int add_earlier(struct sql *db, const char *id, struct cycle_summary *summary, struct error *err)
{
    size_t at = summary->earlier_count;
    summary->earlier_runs = xreallocarray(summary->earlier_runs, at + 1, sizeof *summary->earlier_runs);
    summary->earlier_steps = xreallocarray(summary->earlier_steps, at + 1, sizeof *summary->earlier_steps);
    summary->earlier_counts = xreallocarray(summary->earlier_counts, at + 1, sizeof *summary->earlier_counts);
    summary->earlier_steps[at] = NULL;
    summary->earlier_counts[at] = 0;
    if (history_run(db, id, NULL, &summary->earlier_runs[at], err) < 0)
        return -1;
    summary->earlier_count++;
    if (history_steps(db, id, &summary->earlier_steps[at], &summary->earlier_counts[at], err) < 0)
        return -1;
    statistics_add(summary->earlier, summary->earlier_runs[at], summary->earlier_steps[at],
                   summary->earlier_counts[at]);
    return 0;
}

/* Of a round whose create is earlier the destroy is too: the run after it in its cycle. That of a
 * round 0 comes after none. */
static int add_earlier_destroys(struct sql *db, const char *group, struct cycle_summary *summary,
                                struct error *err)
{
    struct history_run **runs;
    int status = 0;
    if (history_group_runs(db, group, 0, &runs, err) < 0)
        return -1;
    for (size_t i = 1; status == 0 && runs[0] && runs[i]; i++)
        if (text_is(runs[i]->kind, "destroy") && words_have(&summary->trend.before.runs, runs[i - 1]->id))
            status = add_earlier(db, runs[i]->id, summary, err);
    history_runs_free(runs);
    return status;
}

static int load_earlier(struct sql *db, struct cycle_summary *summary, struct error *err)
{
    AUTO_WORDS groups = WORDS_INIT;
    const struct words *ids = &summary->trend.before.runs;
    for (size_t i = 0; i < ids->count; i++) {
        if (add_earlier(db, ids->items[i], summary, err) < 0)
            return -1;
        words_add(&groups, summary->earlier_runs[i]->group_id);
    }
    words_sort_unique(&groups);
    for (size_t i = 0; i < groups.count; i++)
        if (add_earlier_destroys(db, groups.items[i], summary, err) < 0)
            return -1;
    return 0;
}

static void add_step(struct cycle_summary *summary, const struct statistic *now)
{
    size_t count;
    const struct statistic *earlier = statistics_result(summary->earlier, &count);
    summary->steps = xreallocarray(summary->steps, summary->step_count + 1, sizeof *summary->steps);
    struct cycle_step *step = &summary->steps[summary->step_count++];
    *step = (struct cycle_step){.now = *now, .earlier_median_ns = -1};
    for (size_t i = 0; i < count; i++)
        if (statistics_alike(&earlier[i], now)) {
            step->earlier_n = earlier[i].n;
            step->earlier_median_ns = earlier[i].median_ns;
        }
    for (size_t i = 0; i < summary->trend.count && now->fresh; i++) {
        const struct comparison_row *row = &summary->trend.rows[i];
        if (row->judged.level == REGRESSION_PHASE && text_is(row->step, now->step) &&
            text_is(row->transport, now->transport) && text_is(row->accelerated, now->accelerated))
            step->judged = &row->judged;
    }
}

int cycle_sum_up(struct sql *db, const struct cycle *cycle, struct cycle_summary *out, struct error *err)
{
    struct cycle_summary summary = {.statistics = statistics_new(), .earlier = statistics_new()};
    if (comparison_trend(db, cycle->group, &summary.trend, err) < 0 || load_earlier(db, &summary, err) < 0) {
        cycle_summary_clear(&summary);
        return -1;
    }
    /* Destroys come last, so that steps stand in the order of a round. */
    for (int destroy = 0; destroy < 2; destroy++)
        for (size_t i = 0; i < cycle->count; i++) {
            const struct cycle_round *round = &cycle->rounds[i];
            const struct account *account = destroy ? &round->destroy : &round->create;
            if (account->run && round->number)
                statistics_add(summary.statistics, account->run, account->steps, account->step_count);
        }
    size_t count;
    const struct statistic *now = statistics_result(summary.statistics, &count);
    for (size_t i = 0; i < count; i++)
        add_step(&summary, &now[i]);
    for (size_t i = 0; i < cycle->count; i++) {
        const struct cycle_round *round = &cycle->rounds[i];
        bool ok = text_is(round->outcome, "ok");
        summary.ok += ok && round->number;
        summary.failed += !ok;
        summary.unreachable += round->unreachable;
        summary.watchdogs += round->watchdogs;
        summary.retries += round->retries;
        summary.recovered += round->recovered;
        summary.leftovers += round->leftovers > 0 ? (size_t)round->leftovers : 0;
    }
    *out = summary;
    return 0;
}

void cycle_summary_clear(struct cycle_summary *summary)
{
    for (size_t i = 0; i < summary->earlier_count; i++) {
        history_run_free(summary->earlier_runs[i]);
        history_steps_free(summary->earlier_steps[i], summary->earlier_counts[i]);
    }
    free(summary->earlier_runs);
    free(summary->earlier_steps);
    free(summary->earlier_counts);
    free(summary->steps);
    statistics_free(summary->statistics);
    statistics_free(summary->earlier);
    comparison_clear(&summary->trend);
    *summary = (struct cycle_summary){0};
}
