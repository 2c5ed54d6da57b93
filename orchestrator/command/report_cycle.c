#include "command/report_cycle.h"

#include "base/memory.h"
#include "report/cycle.h"

#include <errno.h>
#include <unistd.h>

/* The line of each step of each run, as in other reports. */
static void add_csv(const struct cycle *cycle, struct text *out)
{
    AUTO_FREE struct account *accounts = xcalloc(cycle->runs + 1, sizeof *accounts);
    size_t count = 0;
    for (size_t i = 0; i < cycle->count; i++) {
        if (cycle->rounds[i].create.run)
            accounts[count++] = cycle->rounds[i].create; /* borrowed */
        if (cycle->rounds[i].destroy.run)
            accounts[count++] = cycle->rounds[i].destroy;
    }
    report_csv(accounts, count, out);
}

static int print(const struct cycle *cycle, const struct cycle_summary *summary, bool rounds,
                 const struct report_output *output)
{
    AUTO_TEXT out = TEXT_INIT;
    struct table_look look = table_look_of(STDOUT_FILENO);
    bool markdown = output->form == REPORT_MARKDOWN;
    if (output->json)
        return report_output_json(cycle_json(cycle, summary));
    if (output->form == REPORT_CSV) {
        add_csv(cycle, &out);
        return table_print(&out);
    }
    if (rounds)
        cycle_view_rounds(cycle, markdown, &look, &out);
    text_add(&out, "\n");
    cycle_view_summary(cycle, summary, markdown, &look, &out);
    return table_print(&out);
}

int report_cycle_end(struct sql *db, const char *state, const char *group, bool rounds,
                     const struct report_output *output, struct error *err)
{
    struct cycle cycle;
    struct cycle_summary summary;
    if (cycle_load(db, state, group, 0, 0, &cycle, err) < 0)
        return -1;
    int result = cycle_sum_up(db, &cycle, &summary, err);
    if (result == 0) {
        if (print(&cycle, &summary, rounds, output) < 0)
            result = error_system(err, errno, "cannot write the report");
        cycle_summary_free(&summary);
    }
    cycle_free(&cycle);
    return result;
}

int report_cycle(struct sql *db, const char *state, const char *group, const struct report_output *output,
                 struct error *err)
{
    AUTO_FREE char *whole = NULL;
    if (history_group(db, text_is(group, "last") ? NULL : group, NULL, &whole, err) < 0)
        return -1;
    return report_cycle_end(db, state, whole, true, output, err);
}
