/* triphase status [TARGET]: reads only; changes no row and ends nothing. */
#include "base/memory.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/known_target.h"
#include "command/options.h"
#include "command/project_access.h"
#include "config/config.h"
#include "config/layout.h"
#include "provider/made_look.h"
#include "view/estate_view.h"
#include "view/help.h"
#include "view/status_view.h"

#include <unistd.h>

struct found {
    struct machine *machine;
    struct history_run *run;
    struct made made;
    struct earlier_now now;
};

static int read_rows(const char *state, const char *store, const struct words *targets,
                     struct status_row *rows, struct found *found, struct error *err)
{
    AUTO_SQL *db = NULL;
    if (history_find(store, &db, err) < 0)
        return -1;
    for (size_t i = 0; db && i < targets->count; i++) {
        if (history_machine(db, targets->items[i], &found[i].machine, err) < 0 ||
            history_last_here(db, targets->items[i], &found[i].run, err) < 0)
            return -1;
        rows[i].machine = found[i].machine;
        rows[i].run = found[i].run;
        if (!found[i].run || found[i].run->outcome)
            continue;
        rows[i].look = reconcile_look(found[i].run);
        if (!rows[i].look.alive)
            continue;
        if (earlier_now(db, state, found[i].run, &found[i].now, NULL) == 0)
            rows[i].now = &found[i].now;
    }
    return 0;
}

/* What is there beside what the files say of it. */
static void compare(const struct project *project, size_t count, struct status_row *rows, struct found *found)
{
    for (size_t i = 0; project && i < count; i++) {
        const struct target *target = project_target(project, rows[i].target, NULL);
        rows[i].unnamed = !target;
        if (!target || !found[i].machine)
            continue;
        made_look(project, target, found[i].machine, &found[i].made, NULL);
        rows[i].made = &found[i].made;
    }
}

/* All, or those that were asked for. Files that are wrong do not hide what was made. */
static int choose(const struct command_context *context, const char *store, int argc, char **argv,
                  struct words *out, struct error *err)
{
    AUTO_WORDS known = WORDS_INIT;
    if (known_targets(context, store, argc == 0, argc ? &known : out, err) < 0)
        return -1;
    for (int i = 0; i < argc; i++) {
        if (known_target(&known, argv[i], err) < 0)
            return -1;
        words_add(out, argv[i]);
    }
    return 0;
}

static const struct option options[] = {{"all", no_argument, NULL, 'a'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

struct request {
    bool json, all;
};

static int print(const struct request *request, const struct status_row *rows, size_t count,
                 const struct estate *beyond)
{
    return (request->json ? status_view_print_json(rows, count, beyond)
                          : status_view_print(rows, count, beyond)) < 0
               ? EXIT_INTERNAL
               : EXIT_OK;
}

/* What the providers have that no row of the store knows: they are asked, which may take its time. */
static int show_beyond(const struct request *request, const struct project *project,
                       const struct status_row *rows, size_t count, struct error *err)
{
    AUTO_ESTATE beyond = {0};
    AUTO_WORDS unasked = WORDS_INIT;
    if (estate_look(project, NULL, &beyond, err) < 0)
        return -1;
    int code = estate_view_unasked(&beyond, &unasked) ? EXIT_MISSING : EXIT_OK;
    help_notes(&unasked);
    return exit_code_worse(code, print(request, rows, count, &beyond));
}

static int show(const struct command_context *context, const struct request *request, const char *state,
                const char *store, const struct words *targets, struct status_row *rows, struct found *found,
                struct error *err)
{
    AUTO_PROJECT *project = NULL;
    if (read_rows(state, store, targets, rows, found, err) < 0)
        return -1;
    if (project_access_load(context, NULL, &project, NULL, request->all ? err : NULL) < 0 && request->all)
        return -1;
    compare(project, targets->count, rows, found);
    return request->all ? show_beyond(request, project, rows, targets->count, err)
                        : print(request, rows, targets->count, NULL);
}

static int call(struct command_context *context, int argc, char **argv)
{
    struct request request = {0};
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        request.json |= option == 'j';
        request.all |= option == 'a';
    }
    if (request.all && optind < argc) {
        help_problem("status takes targets, or --all");
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *directory = config_find_directory(context->directory, &err);
    if (!directory) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    AUTO_FREE char *state = layout_state(directory), *store = layout_store(state);
    AUTO_WORDS targets = WORDS_INIT;
    if (choose(context, store, argc - optind, argv + optind, &targets, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    struct status_row *rows = xcalloc(targets.count, sizeof *rows);
    struct found *found = xcalloc(targets.count, sizeof *found);
    for (size_t i = 0; i < targets.count; i++)
        rows[i].target = targets.items[i];
    int code = show(context, &request, state, store, &targets, rows, found, &err);
    if (code < 0) {
        help_problem("%s", error_text(&err));
        code = exit_code_of(&err);
    }
    for (size_t i = 0; i < targets.count; i++) {
        machine_free(found[i].machine);
        history_run_free(found[i].run);
        made_clear(&found[i].made);
        earlier_now_clear(&found[i].now);
    }
    free(rows);
    free(found);
    return code;
}

const struct command command_status = {
    .help = {"status", "[TARGET...|--all] [--json]", "what is there, and what runs"},
    .options = options,
    .run = call,
};
