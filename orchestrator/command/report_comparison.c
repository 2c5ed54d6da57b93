#include "command/report_comparison.h"

#include "command/exit_code.h"

#include <errno.h>
#include <unistd.h>

/* Prints it, and lets go of it. */
static int print(struct comparison *comparison, bool evidence, const struct report_format *format, int *code,
                 struct error *err)
{
    AUTO_TEXT out = TEXT_INIT;
    struct table_look look = table_look_of(STDOUT_FILENO);
    format->comparison(comparison, evidence, &look, &out);
    int result = table_print(&out);
    int why = errno;
    *code = comparison->slower ? EXIT_FOUND : EXIT_OK;
    comparison_clear(comparison);
    return result < 0 ? error_system(err, why, "cannot write the report") : 0;
}

int report_compare(struct sql *db, const char *before, const char *after, const char *target,
                   const struct report_format *format, int *code, struct error *err)
{
    struct comparison comparison;
    if (comparison_compare(db, before, after, target, &comparison, err) < 0)
        return -1;
    return print(&comparison, true, format, code, err);
}

int report_regress(struct sql *db, const char *after, const char *target, const struct report_format *format,
                   int *code, struct error *err)
{
    struct comparison comparison;
    if (comparison_regress(db, after, target, &comparison, err) < 0)
        return -1;
    return print(&comparison, false, format, code, err);
}
