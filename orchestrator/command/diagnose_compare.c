#include "command/diagnose_compare.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "command/exit_code.h"
#include "command/store_access.h"
#include "store/diagnoses.h"
#include "view/diagnose_view.h"

#include <errno.h>
#include <unistd.h>

enum { FILE_MOST = 16 << 20 };
#define WEEK (INT64_C(7) * 24 * 3600 * NS_PER_S)

static int print(const struct diagnosis *before, const struct diagnosis *after, bool json, int *code,
                 struct error *err)
{
    AUTO_TEXT out = TEXT_INIT;
    struct compared compared;
    struct table_look look = table_look_of(STDOUT_FILENO);
    compare_diagnoses(before, after, &compared);
    if (json) {
        AUTO_JSON *object = compared_json(&compared);
        AUTO_FREE char *text = json_pretty(object);
        text_addf(&out, "%s\n", text);
    } else {
        diagnose_view_compared(before, after, &compared, &look, &out);
    }
    *code = compared.differing ? EXIT_FOUND : EXIT_OK;
    compared_clear(&compared);
    return table_print(&out) < 0 ? error_system(err, errno, "cannot write the comparison") : 0;
}

static int read_file(const char *path, struct diagnosis *out, struct error *err)
{
    AUTO_TEXT text = TEXT_INIT;
    if (file_read(path, FILE_MOST, &text, err) < 0)
        return -1;
    AUTO_JSON *object = json_parse(text_string(&text), text.length, err);
    if (!object || diagnosis_of_json(object, out, err) < 0)
        return error_prefix(err, "%s", path);
    return 0;
}

static int find(const struct command_context *context, const char *name, struct diagnosis *out,
                struct error *err)
{
    if (file_exists(name))
        return read_file(name, out, err);
    AUTO_FREE char *state = NULL;
    AUTO_SQL *db = NULL;
    AUTO_JSON *found = NULL;
    if (store_access_open(context, &state, &db, err) < 0 || diagnoses_load(db, name, NULL, &found, err) < 0)
        return -1;
    if (!found)
        return error_set(
            err, ERROR_USAGE,
            "there is no diagnosis '%s', in the store or as a file; it takes an id, last, previous, or "
            "what `diagnose --json` wrote",
            name);
    return diagnosis_of_json(found, out, err);
}

int diagnose_compare(const struct command_context *context, const char *before, const char *after, bool json)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_DIAGNOSIS first = {0}, second = {0};
    int code = EXIT_OK;
    if (find(context, before, &first, &err) < 0 || find(context, after, &second, &err) < 0 ||
        print(&first, &second, json, &code, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    return code;
}

int diagnose_report(struct sql *db, const char *target, bool json, int *code, struct error *err)
{
    AUTO_JSON *now = NULL, *then = NULL;
    AUTO_DIAGNOSIS after = {0}, before = {0};
    if (diagnoses_load(db, "last", target, &now, err) < 0)
        return -1;
    if (!now)
        return error_set(err, ERROR_USAGE,
                         "no diagnosis is in the store yet%s%s; 'triphase diagnose TARGET' makes one",
                         target ? " of " : "", target ? target : "");
    if (diagnosis_of_json(now, &after, err) < 0 ||
        diagnoses_earlier(db, after.target, after.started_ns - WEEK, &then, err) < 0)
        return -1;
    if (!then)
        return error_set(err, ERROR_USAGE, "there is one diagnosis of %s alone, and none to set it against",
                         after.target);
    return diagnosis_of_json(then, &before, err) < 0 ? -1 : print(&before, &after, json, code, err);
}
