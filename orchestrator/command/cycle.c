/* triphase cycle TARGET -n N: create and destroy again and again, each by the very machinery of the command
 * of that name; the runs carry one group_id. */
#include "report/cycle.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/launch.h"
#include "command/options.h"
#include "command/project_access.h"
#include "command/report_cycle.h"
#include "command/sweep_unknown.h"
#include "config/layout.h"
#include "control/leftovers.h"
#include "view/estate_view.h"
#include "view/help.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { ROUNDS_MOST = 100000 };

struct request {
    const char *target;
    const char *const *arguments; /* behind --, or NULL */
    int rounds;
    bool until_failure, keep_last, yes, json;
};

struct cycling {
    const struct request *request;
    struct project *project;
    const char *const *sets;
    char *state, *store;
    char group[ID_SIZE];
    struct words phases;
    size_t runs, rounds; /* that were printed */
    int code;
    bool titled;
};

static const struct option options[] = {
    {"rounds", required_argument, NULL, 'n'}, {"until-failure", no_argument, NULL, 'u'},
    {"keep-last", no_argument, NULL, 'k'},    {"yes", no_argument, NULL, 'y'},
    {"json", no_argument, NULL, 'j'},         {0}};

static int parse(const struct command *command, int argc, char **argv, struct request *out)
{
    int dashes = options_dashes(argc, argv);
    optind = 0;
    for (int option; (option = options_next(command, dashes, argv)) != -1;) {
        AUTO_ERROR why = ERROR_INIT;
        if (option == '?')
            return EXIT_BAD_USAGE;
        out->until_failure |= option == 'u';
        out->keep_last |= option == 'k';
        out->yes |= option == 'y';
        out->json |= option == 'j';
        if (option != 'n')
            continue;
        if (number_parse_int(optarg, 1, ROUNDS_MOST, &out->rounds, &why) < 0) {
            help_problem("-n %s", error_text(&why));
            return exit_code_of(&why);
        }
    }
    if (optind + 1 != dashes || !out->rounds) {
        help_problem("cycle needs one target and a number of rounds: triphase cycle TARGET -n N");
        return EXIT_BAD_USAGE;
    }
    out->target = argv[optind];
    out->arguments = dashes < argc ? (const char *const *)argv + dashes + 1 : NULL;
    return EXIT_OK;
}

/* Between two runs nobody reads the signals; they wait, blocked. */
static bool is_cancelled(void)
{
    sigset_t waiting;
    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1);
}

static void block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* One create or destroy; its exit code. */
static int go(struct cycling *cycling, const char *kind)
{
    static const char *const all_phases[] = {NULL};
    const char *const targets[] = {cycling->request->target, NULL};
    struct launch what = {.kind = kind,
                          .project = cycling->project,
                          .project_directory = cycling->project->directory,
                          .targets = targets,
                          .phases = all_phases,
                          .arguments = text_is(kind, "create") ? cycling->request->arguments : NULL,
                          .sets = cycling->sets,
                          .group_id = cycling->group,
                          .jobs = 1};
    int code = launch(&what);
    if (is_cancelled())
        code = EXIT_CANCELLED;
    cycling->code = exit_code_worse(cycling->code, code);
    return code;
}

/* What the round's rows say, those not printed yet. */
static int load_round(struct cycling *cycling, struct cycle *out, struct error *err)
{
    AUTO_SQL *db = NULL;
    return history_open(cycling->store, &db, err) < 0
               ? -1
               : cycle_load(db, cycling->state, cycling->group, cycling->runs, cycling->rounds, out, err);
}

/* After a destroy that ended well, and so says that all is gone: what is left is looked
 * for, and noted with its run. */
static int count_leftovers(struct cycling *cycling, struct error *err)
{
    struct cycle part;
    AUTO_WORDS runs = WORDS_INIT, left = WORDS_INIT;
    if (load_round(cycling, &part, err) < 0)
        return -1;
    const struct history_run *made = part.count ? part.rounds[part.count - 1].create.run : NULL,
                             *gone = part.count ? part.rounds[part.count - 1].destroy.run : NULL;
    int status = 0;
    if (gone && gone->exit_code == EXIT_OK) {
        if (made)
            words_add(&runs, made->id);
        words_add(&runs, gone->id);
        status =
            leftovers_look(cycling->state, gone->provider, gone->machine_id, words_argv(&runs), &left, err);
        if (status == 0)
            status = cycle_store_leftovers(cycling->store, gone->id, &left, err);
    }
    for (size_t i = 0; i < left.count; i++)
        help_problem("%s: left after destroy: %s", cycling->request->target, left.items[i]);
    if (left.count)
        cycling->code = exit_code_worse(cycling->code, EXIT_PROVIDER);
    cycle_clear(&part);
    return status < 0 ? -1 : (int)left.count;
}

/* The rows of the rounds that are over. */
static int print_rounds(struct cycling *cycling, struct error *err)
{
    struct cycle part;
    AUTO_TEXT out = TEXT_INIT;
    struct table_look look = table_look_of(STDOUT_FILENO);
    if (load_round(cycling, &part, err) < 0)
        return -1;
    for (size_t i = 0; i < part.count; i++) {
        cycle_view_round(&part.rounds[i], words_argv(&cycling->phases), !cycling->titled, &look, &out);
        cycling->titled = true;
        cycling->rounds = part.rounds[i].number;
    }
    cycling->runs += part.runs;
    cycle_clear(&part);
    if (!cycling->request->json && table_print(&out) < 0)
        return error_system(err, errno, "cannot write the round's row");
    return 0;
}

static int took_trouble(struct cycling *cycling, const struct error *err)
{
    help_problem("%s", error_text(err));
    cycling->code = exit_code_worse(cycling->code, exit_code_of(err));
    return -1;
}

static bool is_made(const struct cycling *cycling)
{
    AUTO_SQL *db = NULL;
    AUTO_MACHINE *machine = NULL;
    return history_find(cycling->store, &db, NULL) == 0 && db &&
           history_machine(db, cycling->request->target, &machine, NULL) == 0 && machine;
}

static void say_kept(const struct cycling *cycling)
{
    const char *target = cycling->request->target;
    if (is_made(cycling))
        help_note("%s: the machine is kept; 'triphase destroy %s' removes it", target, target);
}

/* Removes the machine and counts what is left; -1: the cycle cannot go on. */
static int destroy(struct cycling *cycling)
{
    AUTO_ERROR err = ERROR_INIT;
    int code = go(cycling, "destroy");
    if (count_leftovers(cycling, &err) < 0)
        return took_trouble(cycling, &err);
    if (code == EXIT_CANCELLED)
        say_kept(cycling);
    else if (code != EXIT_OK && code != EXIT_BUSY) /* of a busy target nothing was tried */
        help_note("%s: the machine could not be removed, so the cycle ends here", cycling->request->target);
    return code == EXIT_OK ? 0 : -1;
}

/* Whether the create has a row, or was refused before it could begin: then the next one would be as well. */
static bool has_begun(struct cycling *cycling)
{
    struct cycle part;
    if (load_round(cycling, &part, NULL) < 0)
        return false;
    bool begun = part.count && part.rounds[part.count - 1].create.run;
    cycle_clear(&part);
    return begun;
}

/* -1: it was the last one. */
static int run_round(struct cycling *cycling, bool last)
{
    const struct request *request = cycling->request;
    int code = go(cycling, "create");
    bool cancelled = code == EXIT_CANCELLED, keeps = last && request->keep_last;
    if (!has_begun(cycling))
        return -1;
    if (cancelled || keeps || (code != EXIT_OK && request->until_failure)) {
        say_kept(cycling);
        return -1;
    }
    return destroy(cycling);
}

/* What is there already is removed as round 0. */
static void run_rounds(struct cycling *cycling)
{
    AUTO_ERROR err = ERROR_INIT;
    int status = 0;
    block_signals();
    for (int round = is_made(cycling) ? 0 : 1; status == 0 && round <= cycling->request->rounds; round++) {
        if (is_cancelled()) {
            cycling->code = EXIT_CANCELLED;
            break;
        }
        status = round ? run_round(cycling, round == cycling->request->rounds) : destroy(cycling);
        if (print_rounds(cycling, &err) < 0)
            status = took_trouble(cycling, &err);
    }
}

static void print_end(struct cycling *cycling)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SQL *db = NULL;
    const struct report_format *format = report_format_named(cycling->request->json ? "json" : "table");
    if (!cycling->runs)
        return; /* it was refused: nothing began */
    if (history_open(cycling->store, &db, &err) < 0 ||
        report_cycle_end(db, cycling->state, cycling->group, false, format, &err) < 0)
        took_trouble(cycling, &err);
}

/* What of the target is past its time and in no store, for the question; NULL: nothing. */
static char *overdue_of(const struct estate *overdue)
{
    AUTO_TEXT out = TEXT_INIT;
    for (size_t i = 0; i < overdue->count; i++) {
        const struct estate_item *item = &overdue->items[i];
        if (item->due == DUE_GOES && !item->machine)
            text_addf(&out, "%s%s (%s)", out.length ? ", " : "", item->listed->reference, item->why);
    }
    return out.length ? text_take(&out) : NULL;
}

/* That nobody could be asked is no reason to make nothing. */
static void look_overdue(const struct project *project, const struct request *request, struct estate *out)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_WORDS lines = WORDS_INIT;
    if (estate_look(project, request->target, out, &err) < 0)
        help_note("warning: what is past its time could not be looked for: %s", error_text(&err));
    else if (estate_view_unasked(out, &lines))
        help_notes(&lines);
}

static int may_begin(const struct request *request, const struct project *project,
                     const struct target *target, struct estate *overdue)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *first = overdue_of(overdue);
    if (target->protected) {
        help_problem("%s is protected; set 'protected: false' for it to cycle it", target->name);
        return EXIT_PROJECT;
    }
    if (request->yes)
        return EXIT_OK;
    bool agreed = first ? help_ask("Remove %s, and then destroy and create %s %d times?", first, target->name,
                                   request->rounds)
                        : help_ask("Destroy and create %s %d times?", target->name, request->rounds);
    if (!agreed) {
        bool asked = isatty(STDIN_FILENO);
        help_problem("nothing was done%s", asked ? "" : ": without a terminal it needs --yes");
        return asked ? EXIT_CANCELLED : EXIT_BAD_USAGE;
    }
    if (first && estate_look_again(project, target->name, overdue, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    return EXIT_OK;
}

static int call(struct command_context *context, int argc, char **argv)
{
    struct request request = {0};
    int code = parse(context->command, argc, argv, &request);
    if (code != EXIT_OK)
        return code;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_PROJECT *project = NULL;
    const struct target *target = NULL;
    if (project_access_load(context, request.target, &project, &target, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    AUTO_ESTATE overdue = {0};
    if (!target->protected)
        look_overdue(project, &request, &overdue);
    code = may_begin(&request, project, target, &overdue);
    if (code != EXIT_OK)
        return code;
    if (sweep_unknown(project, &overdue, &err) < 0)
        return exit_code_of(&err);
    AUTO_FREE char *state = layout_state(project->directory), *store = layout_store(state);
    struct cycling cycling = {.request = &request,
                              .project = project,
                              .sets = context->sets,
                              .state = state,
                              .store = store,
                              .phases = WORDS_INIT};
    const struct recipe *recipe = project_recipe(project, target->recipe);
    for (size_t i = 0; i < recipe->phase_count; i++)
        words_add(&cycling.phases, recipe->phases[i].name);
    id_make(cycling.group);
    run_rounds(&cycling);
    print_end(&cycling);
    words_clear(&cycling.phases);
    return cycling.code;
}

const struct command command_cycle = {
    .help = {"cycle", "TARGET -n N [--until-failure] [--keep-last] [--yes] [--json] [-- ANSIBLE ARGUMENTS]",
             "create and destroy again and again, with a row for each round"},
    .options = options,
    .letters = "n:y",
    .hands_on = true,
    .run = call,
};
