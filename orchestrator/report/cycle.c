#include "report/cycle.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "report/comparison.h"
#include "report/json_parts.h"
#include "report/text.h"

#include <string.h>

/* Titles are as wide as what will stand below them, since a row is printed before the next one is known. */
enum { NUMBER_WIDTH = 5, OUTCOME_WIDTH = 14, TIME_WIDTH = 7, COLUMNS_MOST = 64 };

static void add_duration(struct table *table, int64_t ns, enum table_style style)
{
    AUTO_FREE char *text = ns < 0 ? NULL : duration_show(ns);
    table_add(table, text ? text : "-", style);
}

struct round_columns {
    struct table_column columns[COLUMNS_MOST];
    char *titles[COLUMNS_MOST];
    size_t count, phases;
};

static void add_column(struct round_columns *all, const char *title, int width, bool right, int drop)
{
    all->titles[all->count] = xasprintf("%*s", right ? width : -width, title);
    all->columns[all->count] =
        (struct table_column){.title = all->titles[all->count], .right = right, .drop = drop};
    all->count++;
}

static void set_up(struct round_columns *all, const char *const *phases)
{
    *all = (struct round_columns){.count = 0};
    add_column(all, "round", NUMBER_WIDTH, true, 0);
    add_column(all, "outcome", OUTCOME_WIDTH, false, 0);
    add_column(all, "total", TIME_WIDTH, true, 0);
    add_column(all, "provision", TIME_WIDTH, true, 2);
    for (; phases[all->phases] && all->count + 8 < COLUMNS_MOST; all->phases++)
        add_column(all, phases[all->phases], TIME_WIDTH, true, 0);
    add_column(all, "destroy", TIME_WIDTH, true, 3);
    add_column(all, "unreach", 0, true, 0);
    add_column(all, "watchdog", 0, true, 4);
    add_column(all, "retries", 0, true, 4);
    add_column(all, "left", 0, true, 0);
    add_column(all, "run", 8, false, 1);
}

static void tear_down(struct round_columns *all)
{
    for (size_t i = 0; i < all->count; i++)
        free(all->titles[i]);
}

static void add_count(struct table *table, size_t count)
{
    table_addf(table, count ? TABLE_BAD : TABLE_DIM, "%zu", count);
}

static void add_round(struct table *table, const struct round_columns *all, const struct cycle_round *round,
                      const char *const *phases)
{
    const struct history_run *run = round->create.run ? round->create.run : round->destroy.run;
    table_addf(table, TABLE_DIM, "%zu", round->number);
    table_add(table, round->outcome, report_outcome_style(round->outcome));
    add_duration(table, round->total_ns, TABLE_BOLD);
    add_duration(table, cycle_time(round, "provision"), TABLE_PLAIN);
    for (size_t i = 0; i < all->phases; i++)
        add_duration(table, cycle_time(round, phases[i]), TABLE_PLAIN);
    add_duration(table, cycle_time(round, "destroy"), TABLE_PLAIN);
    add_count(table, round->unreachable);
    add_count(table, round->watchdogs);
    add_count(table, round->retries);
    if (round->leftovers < 0)
        table_add(table, "-", TABLE_DIM);
    else
        add_count(table, (size_t)round->leftovers);
    table_add(table, id_shown(run->id), TABLE_DIM);
}

void cycle_view_round(const struct cycle_round *round, const char *const *phases, bool titles,
                      const struct table_look *look, struct text *out)
{
    struct round_columns all;
    set_up(&all, phases);
    AUTO_TABLE *table = table_new(all.columns, all.count);
    AUTO_TEXT text = TEXT_INIT;
    add_round(table, &all, round, phases);
    table_write(table, look, &text);
    const char *row = strchr(text_string(&text), '\n') + 1;
    text_add(out, titles ? text_string(&text) : row);
    tear_down(&all);
}

void cycle_view_rounds(const struct cycle *cycle, const struct table_look *look, struct text *out)
{
    struct round_columns all;
    const char *const *phases = words_argv(&cycle->phases);
    set_up(&all, phases);
    AUTO_TABLE *table = table_new(all.columns, all.count);
    for (size_t i = 0; i < cycle->count; i++)
        add_round(table, &all, &cycle->rounds[i], phases);
    table_write(table, look, out);
    tear_down(&all);
}

/* ---------------------------------------------------------------- summary */

static const char *trend_of(const struct cycle_step *step)
{
    if (!step->earlier_n)
        return "nothing earlier";
    return step->judged ? regression_verdict_name(step->judged->verdict) : "-";
}

static struct table *steps_table(const struct cycle_summary *summary)
{
    static const struct table_column columns[] = {
        {.title = "step", .shrinks = 14},
        {.title = "transport", .drop = 2, .shrinks = 11},
        {.title = "n", .right = true},
        {.title = "min", .right = true},
        {.title = "median", .right = true},
        {.title = "p95", .right = true},
        {.title = "max", .right = true},
        {.title = "sd", .right = true},
        {.title = "earlier n", .right = true, .drop = 3},
        {.title = "median", .right = true},
        {.title = "change", .right = true},
        {.title = "trend", .drop = 1},
    };
    struct table *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < summary->step_count; i++) {
        const struct cycle_step *step = &summary->steps[i];
        bool slower = step->judged && step->judged->verdict == REGRESSION_SLOWER;
        table_add(table, step->now.step, TABLE_BOLD);
        table_add(table, step->now.transport ? step->now.transport : "-", TABLE_PLAIN);
        table_addf(table, TABLE_DIM, "%zu", step->now.n);
        const int64_t times[] = {step->now.min_ns, step->now.median_ns, step->now.p95_ns, step->now.max_ns,
                                 step->now.deviation_ns};
        for (size_t k = 0; k < COUNT_OF(times); k++)
            add_duration(table, times[k], TABLE_PLAIN);
        table_addf(table, TABLE_DIM, "%zu", step->earlier_n);
        add_duration(table, step->earlier_median_ns, TABLE_PLAIN);
        if (step->earlier_median_ns > 0)
            table_addf(table, TABLE_PLAIN, "%+.0f %%",
                       (double)(step->now.median_ns - step->earlier_median_ns) * 100 /
                           (double)step->earlier_median_ns);
        else
            table_add(table, "-", TABLE_DIM);
        table_add(table, trend_of(step), slower ? TABLE_BAD : TABLE_DIM);
    }
    return table;
}

void cycle_view_summary(const struct cycle *cycle, const struct cycle_summary *summary,
                        const struct table_look *look, struct text *out)
{
    AUTO_TABLE *steps = steps_table(summary);
    table_write(steps, look, out);
    text_addf(
        out,
        "\ncycle %s of %s: %zu ok, %zu not; UNREACHABLE %zu, watchdogs %zu, retries %zu (recovered %zu), "
        "leftovers %zu\n",
        id_shown(cycle->group), cycle->target ? cycle->target : "?", summary->ok, summary->failed,
        summary->unreachable, summary->watchdogs, summary->retries, summary->recovered, summary->leftovers);
}

/* ---------------------------------------------------------------- JSON */

static void set_run(struct json *object, const char *key, const struct account *account, struct json *steps)
{
    json_set_string(object, key, account->run ? account->run->id : NULL);
    for (size_t i = 0; account->run && i < account->step_count; i++) {
        const struct history_step *step = &account->steps[i];
        struct json *one = json_new_object();
        json_set_string(one, "run", key);
        report_json_set_step(one, account, step);
        report_json_set_ms(one, "duration_ms", step->duration_ns);
        json_append(steps, one);
    }
}

static struct json *round_json(const struct cycle_round *round)
{
    struct json *object = json_new_object(), *steps = json_new_array();
    json_set_integer(object, "round", (int64_t)round->number);
    json_set_string(object, "outcome", round->outcome);
    json_set(object, "exit", round->exit_code < 0 ? json_new_null() : json_new_integer(round->exit_code));
    report_json_set_ms(object, "total_ms", round->total_ns);
    set_run(object, "create", &round->create, steps);
    set_run(object, "destroy", &round->destroy, steps);
    json_set(object, "steps", steps);
    json_set_integer(object, "unreachable", (int64_t)round->unreachable);
    json_set_integer(object, "watchdogs", (int64_t)round->watchdogs);
    json_set_integer(object, "retries", (int64_t)round->retries);
    json_set_integer(object, "recovered", (int64_t)round->recovered);
    json_set(object, "leftovers",
             round->leftovers < 0 ? json_new_null() : json_new_integer(round->leftovers));
    return object;
}

static struct json *step_json(const struct cycle_step *step)
{
    struct json *object = json_new_object();
    json_set_string(object, "step", step->now.step);
    json_set_string(object, "recipe", step->now.recipe);
    report_json_set_statistic(object, &step->now);
    report_json_set_ms(object, "sd_ms", step->now.deviation_ns);
    json_set_integer(object, "earlier_n", (int64_t)step->earlier_n);
    report_json_set_ms(object, "earlier_median_ms", step->earlier_median_ns);
    json_set_string(object, "trend", step->judged ? regression_verdict_name(step->judged->verdict) : NULL);
    return object;
}

struct json *cycle_json(const struct cycle *cycle, const struct cycle_summary *summary)
{
    struct json *object = json_new_object(), *rounds = json_new_array(), *steps = json_new_array(),
                *counts = json_new_object();
    json_set_integer(object, "version", 1);
    json_set_string(object, "group", cycle->group);
    json_set_string(object, "target", cycle->target);
    for (size_t i = 0; i < cycle->count; i++)
        json_append(rounds, round_json(&cycle->rounds[i]));
    for (size_t i = 0; i < summary->step_count; i++)
        json_append(steps, step_json(&summary->steps[i]));
    json_set(object, "rounds", rounds);
    json_set(object, "statistics", steps);
    json_set_integer(counts, "ok", (int64_t)summary->ok);
    json_set_integer(counts, "not_ok", (int64_t)summary->failed);
    json_set_integer(counts, "unreachable", (int64_t)summary->unreachable);
    json_set_integer(counts, "watchdogs", (int64_t)summary->watchdogs);
    json_set_integer(counts, "retries", (int64_t)summary->retries);
    json_set_integer(counts, "recovered", (int64_t)summary->recovered);
    json_set_integer(counts, "leftovers", (int64_t)summary->leftovers);
    json_set(object, "counts", counts);
    json_set(object, "trend", comparison_json(&summary->trend, false));
    return object;
}
