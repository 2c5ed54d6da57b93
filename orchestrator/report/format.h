/* The forms that reports come in: a const row of calls, one file each, named in report/format.c and nowhere
 * else. All write to `out`, for whoever prints, saves or packs it. */
#pragma once
#include "figures/account.h"
#include "figures/comparison.h"
#include "figures/cycle.h"
#include "report/where.h"
#include "view/table.h"

struct report_runs {
    const struct account *accounts; /* newest first */
    size_t count;
    bool several;      /* were asked for, however many there are: with the statistics over them */
    const char *state; /* the folder .triphase, which paths of logs and event files are completed with */
};

struct report_format {
    const char *name; /* as in --format */
    const char *file; /* what a bundle calls its report of one run */
    void (*runs)(const struct report_runs *runs, const struct table_look *look, struct text *out);
    /* Why one run ended as it did, and each of its steps. NULL: not in this form. */
    void (*explanation)(const struct account *account, const struct table_look *look, struct text *out);
    /* Sums by role or task. */
    void (*sums)(const struct history_sums *sums, enum history_by by, const struct table_look *look,
                 struct text *out);
    /* Where the seconds of phases went. */
    void (*wheres)(const struct report_wheres *wheres, const struct table_look *look, struct text *out);
    size_t sums_most; /* how many by task it is for; 0: however many there are */
    /* `evidence`: with that for the transports of both sides. */
    void (*comparison)(const struct comparison *comparison, bool evidence, const struct table_look *look,
                       struct text *out);
    /* `rounds`: with each of them, not their sum alone. */
    void (*cycle)(const struct cycle *cycle, const struct cycle_summary *summary, bool rounds,
                  const struct table_look *look, struct text *out);
};

/* The first is what a report is without --format. NULL behind the last. */
const struct report_format *report_format_at(size_t index);
/* NULL when there is none of that name. */
const struct report_format *report_format_named(const char *name);
