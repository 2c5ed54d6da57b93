#include "command/report_cycle.h"

#include "base/memory.h"

#include <errno.h>
#include <unistd.h>

int report_cycle_end(struct sql *db, const char *state, const char *group, bool rounds,
                     const struct report_format *format, struct error *err)
{
    struct cycle cycle;
    struct cycle_summary summary;
    if (cycle_load(db, state, group, 0, 0, &cycle, err) < 0)
        return -1;
    int result = cycle_sum_up(db, &cycle, &summary, err);
    if (result == 0) {
        AUTO_TEXT out = TEXT_INIT;
        struct table_look look = table_look_of(STDOUT_FILENO);
        format->cycle(&cycle, &summary, rounds, &look, &out);
        if (table_print(&out) < 0)
            result = error_system(err, errno, "cannot write the report");
        cycle_summary_clear(&summary);
    }
    cycle_clear(&cycle);
    return result;
}

int report_cycle(struct sql *db, const char *state, const char *group, const struct report_format *format,
                 struct error *err)
{
    AUTO_FREE char *whole = NULL;
    if (history_group(db, text_is(group, "last") ? NULL : group, NULL, &whole, err) < 0)
        return -1;
    return report_cycle_end(db, state, whole, true, format, err);
}
