#include "report/files.h"

#include "base/memory.h"
#include "format/json.h"
#include "report/json.h"
#include "report/text.h"

static void add_table(const struct account *account, const char *state, struct text *out)
{
    static const struct table_look look = {.utf8 = true};
    (void)state;
    report_run(account, &look, out);
}

static void add_json(const struct account *account, const char *state, struct text *out)
{
    AUTO_JSON *report = report_json_run(account, state);
    AUTO_FREE char *pretty = json_pretty(report);
    text_addf(out, "%s\n", pretty);
}

static void add_csv(const struct account *account, const char *state, struct text *out)
{
    (void)state;
    report_csv(account, 1, out);
}

static void add_markdown(const struct account *account, const char *state, struct text *out)
{
    (void)state;
    report_run_markdown(account, out);
}

const struct report_file report_files[REPORT_FILES] = {{"report.txt", add_table},
                                                       {"report.json", add_json},
                                                       {"report.csv", add_csv},
                                                       {"report.md", add_markdown}};
