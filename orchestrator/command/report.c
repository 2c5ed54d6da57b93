#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/words.h"
#include "command/choose_run.h"
#include "command/command.h"
#include "command/diagnose_compare.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/report_comparison.h"
#include "command/report_cycle.h"
#include "command/store_access.h"
#include "config/ansible_settings.h"
#include "report/format.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { LAST_MOST = 100000 };
enum by { BY_STEP, BY_ROLE, BY_TASK, BY_WHERE };

enum what { WHAT_RUNS, WHAT_COMPARE, WHAT_REGRESS, WHAT_CYCLE, WHAT_DIAGNOSE };

struct request {
    enum what what;
    const char *run, *other /* --compare: the second side */, *target, *group;
    int last; /* 0: one run */
    bool explain;
    enum by by;
    const struct report_format *format;
};

static int __attribute__((format(printf, 1, 2))) refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    help_problem("%s", message);
    return EXIT_BAD_USAGE;
}

static int find(const char *name, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (text_is(name, names[i]))
            return i;
    return -1;
}

static int parse_format(const char *name, const struct report_format **out)
{
    static const char *const later[] = {"html", "junit", "openmetrics", "prometheus", "trace", "otlp", NULL};
    const struct report_format *format = report_format_named(name);
    if (format) {
        *out = format;
        return EXIT_OK;
    }
    if (find(name, later) >= 0)
        return refuse("'--format %s' is not in this version", name);
    AUTO_TEXT names = TEXT_INIT;
    for (size_t i = 0; (format = report_format_at(i)); i++)
        text_addf(&names, "%s%s", i == 0 ? "" : report_format_at(i + 1) ? ", " : " or ", format->name);
    return refuse("there is no format '%s': %s", name, text_string(&names));
}

static int parse_by(const char *name, enum by *out)
{
    static const char *const names[] = {"step", "role", "task", "where", NULL};
    int at = find(name, names);
    if (at < 0)
        return refuse("a report is by step, role, task or where, not by '%s'", name);
    *out = (enum by)at;
    return EXIT_OK;
}

static int parse_last(const char *text, int *out)
{
    AUTO_ERROR why = ERROR_INIT;
    return number_parse_int(text, 1, LAST_MOST, out, &why) < 0 ? refuse("--last %s", error_text(&why))
                                                               : EXIT_OK;
}

/* What stands beside the options, and whether both go together. */
static int parse_names(int argc, char **argv, struct request *out)
{
    int names = argc - optind, most = out->what == WHAT_COMPARE ? 2 : out->what == WHAT_CYCLE ? 0 : 1;
    if (names > most)
        return refuse("report takes %d name%s here; '%s' is one too many", most, most == 1 ? "" : "s",
                      argv[optind + most]);
    if (out->what == WHAT_COMPARE && names < 2)
        return refuse("--compare takes two runs or cycles: report --compare A B");
    out->run = argv[optind];
    out->other = names == 2 ? argv[optind + 1] : NULL;
    if (out->what != WHAT_RUNS && (out->last || out->by != BY_STEP))
        return refuse("--last and --by do not go with --compare, --regress, --group and --diagnose");
    if (out->what == WHAT_DIAGNOSE && out->format != report_format_at(0) &&
        out->format != report_format_named("json"))
        return refuse("--diagnose is told as table or json, not as %s", out->format->name);
    if (out->explain && (out->what != WHAT_RUNS || out->last || out->by != BY_STEP))
        return refuse("--explain is told of one run: no other report goes with it");
    if (out->explain && !out->format->explanation)
        return refuse("--explain is told as table or json, not as %s", out->format->name);
    if (out->run && out->target && out->what != WHAT_COMPARE)
        return refuse("'%s' is named already; --target chooses another", out->run);
    return EXIT_OK;
}

static const struct option options[] = {
    {"target", required_argument, NULL, 't'},
    {"last", required_argument, NULL, 'l'},
    {"by", required_argument, NULL, 'b'},
    {"format", required_argument, NULL, 'f'},
    {"json", no_argument, NULL, 'j'},
    {"compare", no_argument, NULL, 'c'},
    {"regress", no_argument, NULL, 'r'},
    {"group", required_argument, NULL, 'g'},
    {"explain", no_argument, NULL, 'e'},
    {"diagnose", no_argument, NULL, 'd'},
    {0},
};

static int parse(const struct command *command, int argc, char **argv, struct request *out)
{
    int code = EXIT_OK;
    optind = 0;
    for (int option; code == EXIT_OK && (option = options_next(command, argc, argv)) != -1;) {
        enum what what = option == 'c'   ? WHAT_COMPARE
                         : option == 'r' ? WHAT_REGRESS
                         : option == 'd' ? WHAT_DIAGNOSE
                                         : WHAT_CYCLE;
        switch (option) {
        case 't':
            out->target = optarg;
            break;
        case 'l':
            code = parse_last(optarg, &out->last);
            break;
        case 'b':
            code = parse_by(optarg, &out->by);
            break;
        case 'f':
            code = parse_format(optarg, &out->format);
            break;
        case 'j':
            out->format = report_format_named("json");
            break;
        case 'e':
            out->explain = true;
            break;
        case 'c':
        case 'r':
        case 'g':
        case 'd':
            if (out->what != WHAT_RUNS && out->what != what)
                return refuse(
                    "--compare, --regress, --group and --diagnose are reports of their own: one at a time");
            out->what = what;
            if (option == 'g')
                out->group = optarg;
            break;
        default:
            return EXIT_BAD_USAGE;
        }
    }
    return code == EXIT_OK ? parse_names(argc, argv, out) : code;
}

/* The runs that are asked for, newest first. */
static int choose(struct sql *db, const struct request *request, struct history_run ***out, struct error *err)
{
    if (request->last)
        return choose_run_last(db, request->run, request->target, request->last, out, err);
    struct history_run *run;
    if (choose_run_shown(db, request->run, request->target, &run, err) < 0)
        return -1;
    *out = xcalloc(2, sizeof **out);
    (*out)[0] = run;
    return 0;
}

static int report_by(struct sql *db, struct history_run *const *runs, const struct request *request,
                     struct error *err)
{
    AUTO_WORDS ids = WORDS_INIT;
    AUTO_TEXT out = TEXT_INIT;
    struct history_sums sums;
    struct table_look look = table_look_of(STDOUT_FILENO);
    enum history_by by = request->by == BY_ROLE ? HISTORY_BY_ROLE : HISTORY_BY_TASK;
    for (; *runs; runs++)
        words_add(&ids, (*runs)->id);
    if (history_sums(db, words_argv(&ids), by, request->format->sums_most, &sums, err) < 0)
        return -1;
    request->format->sums(&sums, by, &look, &out);
    history_sums_clear(&sums);
    return table_print(&out) < 0 ? error_system(err, errno, "cannot write the report") : 0;
}

/* Where the seconds of the runs' phases went. Of the user's settings counts what they say now. */
static int report_where_of(struct sql *db, const char *state, struct history_run *const *runs,
                           const struct request *request, struct error *err)
{
    AUTO_WORDS ids = WORDS_INIT;
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ANSIBLE_SETTINGS settings = {0};
    AUTO_FREE char *directory = file_parent(state);
    struct table_look look = table_look_of(STDOUT_FILENO);
    struct report_wheres wheres = {.rows = NULL};
    struct history_where *rows;
    for (; *runs; runs++, wheres.runs++)
        words_add(&ids, (*runs)->id);
    if (history_where(db, words_argv(&ids), &rows, &wheres.count, err) < 0)
        return -1;
    if (ansible_settings_read(directory, NULL, &settings, NULL) == 0) {
        const struct ansible_setting *pipelining = &settings.of[SETTING_PIPELINING];
        wheres.no_pipelining = pipelining->value && !ansible_setting_is_yes(pipelining);
        wheres.setting = pipelining->origin;
    }
    wheres.rows = rows;
    request->format->wheres(&wheres, &look, &out);
    history_where_free(rows, wheres.count);
    return table_print(&out) < 0 ? error_system(err, errno, "cannot write the report") : 0;
}

static int print_accounts(const struct account *accounts, size_t count, const char *state,
                          const struct request *request, struct error *err)
{
    AUTO_TEXT out = TEXT_INIT;
    struct table_look look = table_look_of(STDOUT_FILENO);
    struct report_runs runs = {accounts, count, request->last > 0, state};
    if (request->explain)
        request->format->explanation(accounts, &look, &out);
    else
        request->format->runs(&runs, &look, &out);
    return table_print(&out) < 0 ? error_system(err, errno, "cannot write the report") : 0;
}

static int report_steps(struct sql *db, const char *state, struct history_run **runs,
                        const struct request *request, struct error *err)
{
    size_t wanted = 0, count = 0;
    while (runs[wanted])
        wanted++;
    struct account *accounts = xcalloc(wanted, sizeof *accounts);
    int result = 0;
    for (; result == 0 && count < wanted; count++)
        result = account_load(db, state, TAKE(runs[count]), &accounts[count], err);
    if (result == 0)
        result = print_accounts(accounts, count, state, request, err);
    for (size_t i = 0; i < count; i++)
        account_clear(&accounts[i]);
    /* Those not reached by a failure are still the array's. */
    for (size_t i = count; i < wanted; i++)
        history_run_free(TAKE(runs[i]));
    free(accounts);
    return result;
}

/* The run, or the runs, that were asked for. */
static int report_chosen(struct sql *db, const char *state, const struct request *request, struct error *err)
{
    struct history_run **runs = NULL;
    int result = choose(db, request, &runs, err);
    if (result == 0)
        result = request->by == BY_STEP    ? report_steps(db, state, runs, request, err)
                 : request->by == BY_WHERE ? report_where_of(db, state, runs, request, err)
                                           : report_by(db, runs, request, err);
    history_runs_free(runs);
    return result;
}

static int call(struct command_context *context, int argc, char **argv)
{
    struct request request = {.format = report_format_at(0)};
    int code = parse(context->command, argc, argv, &request);
    if (code != EXIT_OK)
        return code;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *state = NULL;
    AUTO_SQL *db = NULL;
    int result = store_access_open(context, &state, &db, &err);
    /* One moment of the store, whatever a worker writes meanwhile. */
    if (result == 0)
        sql_step_aside(&db);
    if (result == 0)
        result = sql_run(db, "BEGIN", &err);
    if (result == 0 && request.what == WHAT_COMPARE)
        result = report_compare(db, request.run, request.other, request.target, request.format, &code, &err);
    else if (result == 0 && request.what == WHAT_REGRESS)
        result = report_regress(db, request.run, request.target, request.format, &code, &err);
    else if (result == 0 && request.what == WHAT_DIAGNOSE)
        result = diagnose_report(db, request.target ? request.target : request.run,
                                 request.format == report_format_named("json"), &code, &err);
    else if (result == 0 && request.what == WHAT_CYCLE)
        result = report_cycle(db, state, request.group, request.format, &err);
    else if (result == 0)
        result = report_chosen(db, state, &request, &err);
    if (result < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    return code;
}

const struct command command_report = {
    .help = {"report",
             "[RUN|TARGET | --group CYCLE | --compare A B | --regress [RUN] | --diagnose [TARGET]] [--target "
             "NAME] [--last N]"
             " [--by step|role|task|where] [--format table|json|csv|md] [--explain]",
             "where the time went; with --explain why a run ended as it did"},
    .options = options,
    .run = call,
};
