#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/accelerate.h"
#include "figures/statistics.h"
#include "report/text.h"

static void add_duration(struct table *table, int64_t ns)
{
    AUTO_FREE char *text = ns < 0 ? NULL : duration_show(ns);
    table_add(table, text ? text : "-", TABLE_PLAIN);
}

static struct table *runs_table(const struct account *accounts, size_t count)
{
    static const struct table_column columns[] = {
        {.title = "started"},
        {.title = "run"},
        {.title = "target", .shrinks = 12},
        {.title = "kind", .drop = 2},
        {.title = "outcome"},
        {.title = "total", .right = true},
        {.title = "phases", .right = true},
        {.title = "stages", .right = true, .drop = 1},
        {.title = "unreachable", .right = true, .drop = 3},
        {.title = "", .drop = 4},
    };
    struct table *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        const struct history_run *run = accounts[i].run;
        AUTO_TEXT date = TEXT_INIT;
        report_add_date(&date, run->started_ns);
        table_add(table, text_string(&date), TABLE_PLAIN);
        table_add(table, id_shown(run->id), TABLE_PLAIN);
        table_add(table, run->target, TABLE_BOLD);
        table_add(table, run->kind, TABLE_PLAIN);
        table_add(table, accounts[i].outcome, report_outcome_style(accounts[i].outcome));
        add_duration(table, run->duration_ns);
        add_duration(table, accounts[i].phases_ns);
        add_duration(table, accounts[i].stages_ns);
        table_addf(table, accounts[i].lost_count ? TABLE_BAD : TABLE_DIM, "%zu", accounts[i].lost_count);
        table_add(table,
                  accounts[i].dry_run ? "dry run"
                  : run->partial      ? "partial"
                  : run->extra_digest ? "-e"
                                      : "",
                  TABLE_DIM);
    }
    return table;
}

static struct table *statistics_table(const struct account *accounts, size_t count)
{
    static const struct table_column columns[] = {
        {.title = "target", .shrinks = 12},
        {.title = "recipe", .drop = 2},
        {.title = "step", .shrinks = 14},
        {.title = "transport", .shrinks = 11},
        {.title = "fresh", .drop = 4},
        {.title = "ansible", .drop = 3},
        {.title = "-e", .drop = 1},
        {.title = "n", .right = true},
        {.title = "min", .right = true},
        {.title = "median", .right = true},
        {.title = "p95", .right = true},
        {.title = "max", .right = true},
        {.title = "accelerate"}, /* where not all are as usual */
    };
    struct statistics *statistics = statistics_new();
    for (size_t i = 0; i < count; i++)
        statistics_add(statistics, accounts[i].run, accounts[i].steps, accounts[i].step_count);
    size_t length;
    const struct statistic *rows = statistics_result(statistics, &length);
    bool usual = true;
    for (size_t i = 0; i < length; i++)
        usual &= text_is(rows[i].accelerated, accelerate_name(ACCELERATE_WARM));
    struct table *table = table_new(columns, COUNT_OF(columns) - usual);
    for (size_t i = 0; i < length; i++) {
        const struct statistic *row = &rows[i];
        AUTO_FREE char *digest = row->extra_digest ? xstrndup(row->extra_digest, 8) : NULL;
        const char *const cells[] = {
            row->target,  row->recipe, row->step, row->transport, row->fresh ? "yes" : "no",
            row->ansible, digest};
        for (size_t k = 0; k < COUNT_OF(cells); k++)
            table_add(table, cells[k] ? cells[k] : "-", k == 2 ? TABLE_BOLD : TABLE_PLAIN);
        table_addf(table, TABLE_DIM, "%zu", row->n);
        const int64_t times[] = {row->min_ns, row->median_ns, row->p95_ns, row->max_ns};
        for (size_t k = 0; k < COUNT_OF(times); k++)
            add_duration(table, times[k]);
        if (!usual)
            table_add(table, row->accelerated, TABLE_PLAIN);
    }
    statistics_free(statistics);
    return table;
}

void report_runs(const struct account *accounts, size_t count, const struct table_look *look,
                 struct text *out)
{
    AUTO_TABLE *runs = runs_table(accounts, count);
    AUTO_TABLE *statistics = statistics_table(accounts, count);
    table_write(runs, look, out);
    text_add(out, "\n");
    table_write(statistics, look, out);
}

/* What became of a role, as a step's outcome is shown. */
static enum table_style status_style(const char *status)
{
    return text_is(status, "failed")    ? TABLE_BAD
           : text_is(status, "changed") ? TABLE_WARN
           : text_is(status, "skipped") ? TABLE_DIM
                                        : TABLE_GOOD;
}

static void add_sum_row(struct table *table, const struct history_sum *sum, enum history_by by, double whole)
{
    table_add(table, sum->name ? sum->name : "(no role)", TABLE_BOLD);
    table_add(table, sum->host ? sum->host : "-", TABLE_PLAIN);
    if (by == HISTORY_BY_ROLE) {
        AUTO_FREE char *clock = moment_clock(sum->started_ns);
        table_add(table, sum->status, status_style(sum->status));
        table_add(table, clock, TABLE_DIM);
        add_duration(table, sum->wall_ns);
    }
    table_addf(table, TABLE_DIM, "%lld", (long long)sum->n);
    table_addf(table, TABLE_PLAIN, "%lld", (long long)sum->ok);
    table_addf(table, sum->changed ? TABLE_WARN : TABLE_DIM, "%lld", (long long)sum->changed);
    table_addf(table, sum->failed ? TABLE_BAD : TABLE_DIM, "%lld", (long long)sum->failed);
    add_duration(table, sum->sum_ns);
    table_add_share(table, whole > 0 && !sum->whole ? (double)sum->sum_ns / whole : -1);
    add_duration(table, sum->max_ns);
}

void report_sums(const struct history_sums *sums, enum history_by by, const struct table_look *look,
                 struct text *out)
{
    static const struct table_column of_roles[] = {
        {.title = "role", .shrinks = 20},
        {.title = "host", .shrinks = 12, .drop = 2},
        {.title = "status"},
        {.title = "started", .drop = 4},
        {.title = "wall", .right = true},
        {.title = "n", .right = true, .drop = 3},
        {.title = "ok", .right = true, .drop = 1},
        {.title = "changed", .right = true},
        {.title = "failed", .right = true},
        {.title = "sum", .right = true},
        {.title = "share", .bar = true, .drop = 5},
        {.title = "longest", .right = true, .drop = 6},
    };
    static const struct table_column of_tasks[] = {
        {.title = "task", .shrinks = 24},    {.title = "host", .shrinks = 12, .drop = 2},
        {.title = "n", .right = true},       {.title = "ok", .right = true, .drop = 1},
        {.title = "changed", .right = true}, {.title = "failed", .right = true},
        {.title = "sum", .right = true},     {.title = "share", .bar = true},
        {.title = "longest", .right = true},
    };
    AUTO_TABLE *table = by == HISTORY_BY_ROLE ? table_new(of_roles, COUNT_OF(of_roles))
                                              : table_new(of_tasks, COUNT_OF(of_tasks));
    double whole = (double)sums->left_out_ns;
    for (size_t i = 0; i < sums->count; i++)
        whole += sums->rows[i].whole ? 0 : (double)sums->rows[i].sum_ns;
    for (size_t i = 0; i < sums->count; i++)
        add_sum_row(table, &sums->rows[i], by, whole);
    table_write(table, look, out);
    if (!sums->left_out)
        return;
    AUTO_FREE char *shorter = duration_show(sums->left_out_ns);
    text_addf(out, "\nand %zu more, none longer, %s in sum: --format csv or json has all\n", sums->left_out,
              shorter);
}
