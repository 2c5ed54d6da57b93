/* Tables for people, as wide and as colourful as the terminal. */
#include "base/memory.h"
#include "report/comparison.h"
#include "report/cycle.h"
#include "report/format.h"
#include "report/text.h"

static void add_runs(const struct report_runs *runs, const struct table_look *look, struct text *out)
{
    if (runs->several)
        report_runs(runs->accounts, runs->count, look, out);
    else
        report_run(runs->accounts, look, out);
}

static void add_sums(const struct history_sum *sums, size_t count, enum history_by by,
                     const struct table_look *look, struct text *out)
{
    report_sums(sums, count, by, false, look, out);
}

static void add_comparison(const struct comparison *comparison, bool evidence, const struct table_look *look,
                           struct text *out)
{
    comparison_view(comparison, evidence, false, look, out);
}

static void add_cycle(const struct cycle *cycle, const struct cycle_summary *summary, bool rounds,
                      const struct table_look *look, struct text *out)
{
    if (rounds)
        cycle_view_rounds(cycle, false, look, out);
    text_add(out, "\n");
    cycle_view_summary(cycle, summary, false, look, out);
}

const struct report_format report_format_table = {.name = "table",
                                                  .file = "report.txt",
                                                  .runs = add_runs,
                                                  .sums = add_sums,
                                                  .comparison = add_comparison,
                                                  .cycle = add_cycle};
