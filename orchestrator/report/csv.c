/* CSV as in RFC 4180, for other programs: a line for each step of each run, each sum, each row of a
 * comparison. Names of columns and their order are the contract's. */
#include "base/memory.h"
#include "base/moment.h"
#include "report/format.h"

static void add_ms(struct table *table, int64_t ns, bool known)
{
    if (known)
        table_addf(table, TABLE_PLAIN, "%.6f", (double)ns / (double)NS_PER_MS);
    else
        table_add(table, NULL, TABLE_PLAIN);
}

static void add_accounts(const struct account *accounts, size_t count, struct text *out)
{
    static const struct table_column columns[] = {
        {.title = "run"},     {.title = "run_kind"}, {.title = "target"},      {.title = "recipe"},
        {.title = "ansible"}, {.title = "fresh"},    {.title = "partial"},     {.title = "seq"},
        {.title = "kind"},    {.title = "step"},     {.title = "attempt"},     {.title = "transport"},
        {.title = "outcome"}, {.title = "started"},  {.title = "duration_ms"}, {.title = "ok"},
        {.title = "changed"}, {.title = "failed"},   {.title = "skipped"},     {.title = "unreachable"},
        {.title = "ignored"}, {.title = "rescued"},  {.title = "accelerated"}, {.title = "accelerated_why"},
    };
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < count; i++) {
        const struct history_run *run = accounts[i].run;
        for (size_t k = 0; k < accounts[i].step_count; k++) {
            const struct history_step *step = &accounts[i].steps[k];
            AUTO_FREE char *started = moment_rfc3339(step->started_ns);
            const char *const of_run[] = {run->id,
                                          run->kind,
                                          run->target,
                                          run->recipe,
                                          run->ansible,
                                          run->fresh ? "true" : "false",
                                          run->partial ? "true" : "false"};
            for (size_t at = 0; at < COUNT_OF(of_run); at++)
                table_add(table, of_run[at], TABLE_PLAIN);
            table_addf(table, TABLE_PLAIN, "%d", step->seq);
            table_add(table, step->kind, TABLE_PLAIN);
            table_add(table, step->name, TABLE_PLAIN);
            table_addf(table, TABLE_PLAIN, "%d", step->attempt);
            table_add(table, step->transport, TABLE_PLAIN);
            table_add(table, account_step_outcome(&accounts[i], step), TABLE_PLAIN);
            table_add(table, started, TABLE_PLAIN);
            add_ms(table, step->duration_ns, step->duration_ns >= 0);
            const int64_t counts[] = {step->ok,          step->changed, step->failed, step->skipped,
                                      step->unreachable, step->ignored, step->rescued};
            for (size_t at = 0; at < COUNT_OF(counts); at++)
                table_addf(table, TABLE_PLAIN, "%lld", (long long)counts[at]);
            table_add(table, step->accelerated, TABLE_PLAIN);
            table_add(table, step->accelerated_why, TABLE_PLAIN);
        }
    }
    table_write_csv(table, out);
}

static void add_runs(const struct report_runs *runs, const struct table_look *look, struct text *out)
{
    (void)look;
    add_accounts(runs->accounts, runs->count, out);
}

static void add_sums(const struct history_sums *sums, enum history_by by, const struct table_look *look,
                     struct text *out)
{
    (void)look;
    enum { OF_ROLES = 3 }; /* the last columns */
    static const struct table_column columns[] = {
        {.title = "name"},    {.title = "host"},    {.title = "n"},      {.title = "ok"},
        {.title = "changed"}, {.title = "failed"},  {.title = "sum_ms"}, {.title = "max_ms"},
        {.title = "status"},  {.title = "started"}, {.title = "wall_ms"}};
    AUTO_TABLE *table =
        table_new(columns, COUNT_OF(columns) - (by == HISTORY_BY_ROLE ? 0 : (size_t)OF_ROLES));
    for (size_t i = 0; i < sums->count; i++) {
        const struct history_sum *sum = &sums->rows[i];
        table_add(table, sum->name, TABLE_PLAIN);
        table_add(table, sum->host, TABLE_PLAIN);
        const int64_t counts[] = {sum->n, sum->ok, sum->changed, sum->failed};
        for (size_t k = 0; k < COUNT_OF(counts); k++)
            table_addf(table, TABLE_PLAIN, "%lld", (long long)counts[k]);
        add_ms(table, sum->sum_ns, sum->sum_ns >= 0);
        add_ms(table, sum->max_ns, sum->max_ns >= 0);
        if (by != HISTORY_BY_ROLE)
            continue;
        AUTO_FREE char *started = moment_rfc3339(sum->started_ns);
        table_add(table, sum->status, TABLE_PLAIN);
        table_add(table, started, TABLE_PLAIN);
        add_ms(table, sum->wall_ns, sum->wall_ns >= 0);
    }
    table_write_csv(table, out);
}

static void add_wheres(const struct report_wheres *wheres, const struct table_look *look, struct text *out)
{
    (void)look;
    static const struct table_column columns[] = {
        {.title = "phase"},
        {.title = "n"},
        {.title = "whole_ms"},
        {.title = "start_ms"},
        {.title = "facts_ms"},
        {.title = "host_ms"},
        {.title = "controller_ms"},
        {.title = "between_ms"},
        {.title = "end_ms"},
        {.title = "host_tasks"},
        {.title = "controller_tasks"},
    };
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < wheres->count; i++) {
        const struct history_where *row = &wheres->rows[i];
        table_add(table, row->phase ? row->phase : "all", TABLE_PLAIN);
        table_addf(table, TABLE_PLAIN, "%lld", (long long)row->n);
        add_ms(table, row->whole_ns, true);
        for (int k = 0; k < WHERE_COUNT; k++)
            add_ms(table, row->ns[k], true);
        table_addf(table, TABLE_PLAIN, "%lld", (long long)row->tasks[WHERE_HOST]);
        table_addf(table, TABLE_PLAIN, "%lld", (long long)row->tasks[WHERE_CONTROLLER]);
    }
    table_write_csv(table, out);
}

static void add_comparison(const struct comparison *comparison, bool evidence, const struct table_look *look,
                           struct text *out)
{
    (void)evidence;
    (void)look;
    static const struct table_column columns[] = {
        {.title = "verdict"},  {.title = "level"},
        {.title = "step"},     {.title = "role"},
        {.title = "task"},     {.title = "transport"},
        {.title = "before_n"}, {.title = "before_median_ms"},
        {.title = "after_n"},  {.title = "after_median_ms"},
        {.title = "shift_ms"}, {.title = "test"},
        {.title = "p"},        {.title = "differs"},
    };
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    for (size_t i = 0; i < comparison->count; i++) {
        const struct comparison_row *row = &comparison->rows[i];
        const struct regression *judged = &row->judged;
        const char *const cells[] = {regression_verdict_name(judged->verdict),
                                     regression_level_name(judged->level),
                                     row->step,
                                     row->role,
                                     row->task,
                                     row->transport};
        for (size_t k = 0; k < COUNT_OF(cells); k++)
            table_add(table, cells[k], TABLE_PLAIN);
        table_addf(table, TABLE_PLAIN, "%zu", judged->before_count);
        add_ms(table, judged->before_median_ns, judged->before_count > 0);
        table_addf(table, TABLE_PLAIN, "%zu", judged->after_count);
        add_ms(table, judged->after_median_ns, judged->after_count > 0);
        add_ms(table, judged->shift_ns, judged->before_count && judged->after_count);
        table_add(table, regression_test_name(judged->test), TABLE_PLAIN);
        if (judged->p < 0)
            table_add(table, NULL, TABLE_PLAIN);
        else
            table_addf(table, TABLE_PLAIN, "%.6g", judged->p);
        table_add(table, row->differs, TABLE_PLAIN);
    }
    table_write_csv(table, out);
}

/* The line of each step of each run, as in other reports. */
static void add_cycle(const struct cycle *cycle, const struct cycle_summary *summary, bool rounds,
                      const struct table_look *look, struct text *out)
{
    (void)summary;
    (void)rounds;
    (void)look;
    AUTO_FREE struct account *accounts = xcalloc(cycle->runs + 1, sizeof *accounts);
    size_t count = 0;
    for (size_t i = 0; i < cycle->count; i++) {
        if (cycle->rounds[i].create.run)
            accounts[count++] = cycle->rounds[i].create; /* borrowed */
        if (cycle->rounds[i].destroy.run)
            accounts[count++] = cycle->rounds[i].destroy;
    }
    add_accounts(accounts, count, out);
}

const struct report_format report_format_csv = {.name = "csv",
                                                .file = "report.csv",
                                                .runs = add_runs,
                                                .sums = add_sums,
                                                .wheres = add_wheres,
                                                .comparison = add_comparison,
                                                .cycle = add_cycle};
