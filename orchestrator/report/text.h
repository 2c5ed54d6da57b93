/* Reports of runs as text: a table for people, and Markdown, as the look says. What is printed comes
 * from the account alone. */
#pragma once
#include "figures/account.h"
#include "view/table.h"

/* One run: head line, its steps, what was unreachable, why it failed, the sums. */
void report_run(const struct account *account, const struct table_look *look, struct text *out);
/* Its head line alone. */
void report_head(const struct account *account, const struct table_look *look, struct text *out);
/* Several runs, newest first, and the statistics over them. */
void report_runs(const struct account *accounts, size_t count, const struct table_look *look,
                 struct text *out);
/* Sums by role or task; behind them how many more there are. */
void report_sums(const struct history_sums *sums, enum history_by by, const struct table_look *look,
                 struct text *out);
/* More lines than that nobody reads: what shows them to people shows the longest. */
enum { REPORT_SUMS_MOST = 10000 };
/* "2026-01-02 03:04:05", local time. */
void report_add_date(struct text *out, int64_t wall_ns);
enum table_style report_outcome_style(const char *outcome);
