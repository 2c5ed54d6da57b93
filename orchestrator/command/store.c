#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/given_path.h"
#include "command/options.h"
#include "command/project_access.h"
#include "command/store_access.h"
#include "config/layout.h"
#include "format/json_words.h"
#include "store/maintain.h"
#include "view/table.h"

#include <errno.h>
#include <unistd.h>

struct request {
    struct command_context *context;
    char *state, *path; /* .triphase and its store */
    const char *file;   /* the operand */
    const char *keep;
    bool json;
};

static int print(struct json *json, const char *line, struct error *err)
{
    AUTO_FREE char *pretty = json ? json_pretty(json) : NULL;
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s\n", pretty ? pretty : line);
    json_free(json);
    return table_print(&out) < 0 ? error_system(err, errno, "cannot write to standard output") : 0;
}

static int check(const struct request *request, struct error *err)
{
    AUTO_WORDS findings = WORDS_INIT;
    AUTO_FREE char *summary = NULL;
    if (store_check(request->path, &findings, &summary, err) < 0)
        return -1;
    struct json *json = NULL;
    AUTO_TEXT text = TEXT_INIT;
    if (request->json) {
        json = json_new_object();
        json_set_integer(json, "version", 1);
        json_set_bool(json, "sound", findings.count == 0);
        json_set(json, "findings", json_words_array(&findings));
    }
    for (size_t i = 0; i < findings.count; i++)
        text_addf(&text, "%s%s", i ? "\n" : "", findings.items[i]);
    if (!findings.count)
        text_addf(&text, "sound: %s", summary);
    if (print(json, text_string(&text), err) < 0)
        return -1;
    return findings.count ? EXIT_FOUND : EXIT_OK;
}

static int keep_of(const struct request *request, int64_t *out, struct error *err)
{
    if (request->keep) {
        if (duration_parse(request->keep, out, err) == 0)
            return 0;
        error_prefix(err, "--keep");
        err->kind = ERROR_USAGE;
        return -1;
    }
    AUTO_PROJECT *project = NULL;
    if (project_access_load(request->context, NULL, &project, NULL, err) < 0)
        return -1;
    *out = project->keep_ns;
    return 0;
}

static int prune(const struct request *request, struct error *err)
{
    int64_t keep, known, now = moment_wall();
    struct store_pruned pruned;
    if (keep_of(request, &keep, err) < 0 || store_newest(request->path, &known, err) < 0 ||
        store_prune(request->path, request->state, (known < now ? known : now) - keep, &pruned, err) < 0)
        return -1;
    struct json *json = NULL;
    AUTO_FREE char *shown = duration_text(keep);
    AUTO_FREE char *line = xasprintf("removed what ended more than %s before %s, but for the last 20 runs of "
                                     "each target: %lld runs, %lld removed"
                                     " machines, %lld folders without a run",
                                     shown, known < now ? "the newest run" : "now", (long long)pruned.runs,
                                     (long long)pruned.machines, (long long)pruned.folders);
    if (request->json) {
        json = json_new_object();
        json_set_integer(json, "version", 1);
        json_set_integer(json, "runs", pruned.runs);
        json_set_integer(json, "machines", pruned.machines);
        json_set_integer(json, "folders", pruned.folders);
    }
    return print(json, line, err) < 0 ? -1 : EXIT_OK;
}

static int export_to(const struct request *request, struct error *err)
{
    return given_path_new_file("store export", request->file, false, err) < 0 ||
                   store_export(request->path, request->file, err) < 0
               ? -1
               : EXIT_OK;
}

static int merge(const struct request *request, struct error *err)
{
    struct store_merged merged;
    if (given_path_file("store merge", request->file, err) < 0 || layout_make(request->state, err) < 0 ||
        store_merge(request->path, request->file, &merged, err) < 0)
        return -1;
    AUTO_FREE char *line =
        xasprintf("added %lld runs and %lld removed machines; left out %lld runs that are here already, %lld"
                  " without an outcome, and %lld machines that are there",
                  (long long)merged.runs, (long long)merged.machines, (long long)merged.known,
                  (long long)merged.unfinished, (long long)merged.present);
    struct json *json = NULL;
    if (request->json) {
        json = json_new_object();
        json_set_integer(json, "version", 1);
        json_set_integer(json, "runs", merged.runs);
        json_set_integer(json, "machines", merged.machines);
        json_set_integer(json, "known", merged.known);
        json_set_integer(json, "unfinished", merged.unfinished);
        json_set_integer(json, "present", merged.present);
    }
    return print(json, line, err) < 0 ? -1 : EXIT_OK;
}

static const struct {
    const char *name;
    bool file; /* takes one */
    int (*run)(const struct request *request, struct error *err);
} actions[] = {
    {"check", false, check}, {"prune", false, prune}, {"export", true, export_to}, {"merge", true, merge}};

static const struct option options[] = {{"keep", required_argument, NULL, 'k'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

static int parse(const struct command *command, int argc, char **argv, struct request *out, size_t *action)
{
    optind = 0;
    for (int option; (option = options_next(command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        out->json |= option == 'j';
        if (option == 'k')
            out->keep = optarg;
    }
    const char *name = optind < argc ? argv[optind++] : "";
    for (*action = 0; *action < COUNT_OF(actions) && !text_is(actions[*action].name, name);)
        (*action)++;
    if (*action == COUNT_OF(actions)) {
        help_problem("store needs one of: check, prune, export FILE, merge FILE");
        return EXIT_BAD_USAGE;
    }
    out->file = optind < argc ? argv[optind++] : NULL;
    if (optind < argc || !out->file == actions[*action].file) {
        help_problem("store %s takes %s", name, actions[*action].file ? "one file" : "nothing more");
        return EXIT_BAD_USAGE;
    }
    if (out->keep && !text_is(name, "prune")) {
        help_problem("--keep belongs to 'store prune'");
        return EXIT_BAD_USAGE;
    }
    return EXIT_OK;
}

static int call(struct command_context *context, int argc, char **argv)
{
    struct request request = {.context = context};
    size_t action;
    int code = parse(context->command, argc, argv, &request, &action);
    if (code != EXIT_OK)
        return code;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *state = store_access_state(context, &err);
    AUTO_FREE char *path = state ? layout_store(state) : NULL;
    request.state = state;
    request.path = path;
    int result = state ? actions[action].run(&request, &err) : -1;
    if (result < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    return result;
}

const struct command command_store = {
    .help = {"store", "check|prune|export|merge", "look after the store"},
    .options = options,
    .run = call,
};
