/* Tables for people, as wide and as colourful as the terminal; and the same as Markdown, for a
 * pull request or a ticket. */
#include "report/comparison.h"
#include "report/cycle.h"
#include "report/explain.h"
#include "report/format.h"
#include "report/text.h"

/* Of no terminal. */
static const struct table_look as_markdown = {.utf8 = true, .markdown = true};

static void add_runs(const struct report_runs *runs, const struct table_look *look, struct text *out)
{
    if (runs->several)
        report_runs(runs->accounts, runs->count, look, out);
    else
        report_run(runs->accounts, look, out);
}

static void add_sums(const struct history_sums *sums, enum history_by by, const struct table_look *look,
                     struct text *out)
{
    report_sums(sums, by, look, out);
}

static void add_comparison(const struct comparison *comparison, bool evidence, const struct table_look *look,
                           struct text *out)
{
    comparison_view(comparison, evidence, look, out);
}

static void add_cycle(const struct cycle *cycle, const struct cycle_summary *summary, bool rounds,
                      const struct table_look *look, struct text *out)
{
    if (rounds)
        cycle_view_rounds(cycle, look, out);
    text_add(out, "\n");
    cycle_view_summary(cycle, summary, look, out);
}

static void add_runs_markdown(const struct report_runs *runs, const struct table_look *look, struct text *out)
{
    (void)look;
    add_runs(runs, &as_markdown, out);
}

static void add_sums_markdown(const struct history_sums *sums, enum history_by by,
                              const struct table_look *look, struct text *out)
{
    (void)look;
    add_sums(sums, by, &as_markdown, out);
}

static void add_wheres_markdown(const struct report_wheres *wheres, const struct table_look *look,
                                struct text *out)
{
    (void)look;
    report_where(wheres, &as_markdown, out);
}

static void add_comparison_markdown(const struct comparison *comparison, bool evidence,
                                    const struct table_look *look, struct text *out)
{
    (void)look;
    add_comparison(comparison, evidence, &as_markdown, out);
}

static void add_cycle_markdown(const struct cycle *cycle, const struct cycle_summary *summary, bool rounds,
                               const struct table_look *look, struct text *out)
{
    (void)look;
    add_cycle(cycle, summary, rounds, &as_markdown, out);
}

const struct report_format report_format_table = {.name = "table",
                                                  .file = "report.txt",
                                                  .runs = add_runs,
                                                  .explanation = explain_view,
                                                  .sums = add_sums,
                                                  .wheres = report_where,
                                                  .sums_most = REPORT_SUMS_MOST,
                                                  .comparison = add_comparison,
                                                  .cycle = add_cycle};
const struct report_format report_format_md = {.name = "md",
                                               .file = "report.md",
                                               .runs = add_runs_markdown,
                                               .sums = add_sums_markdown,
                                               .wheres = add_wheres_markdown,
                                               .comparison = add_comparison_markdown,
                                               .cycle = add_cycle_markdown};
