/* triphase resume [RUN|TARGET]: goes on where a run broke off. */
#include "run/resume.h"
#include "ansible/arguments.h"
#include "ansible/host_variables.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/choose_run.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/launch.h"
#include "command/options.h"
#include "command/project_access.h"
#include "command/put_in_order.h"
#include "command/store_access.h"
#include "config/layout.h"
#include "control/reconcile.h"
#include "view/help.h"

#include <string.h>

struct asked {
    const char *word; /* run or target; NULL: whatever broke off */
    bool replan, detach;
    const char *const *arguments; /* behind --; NULL: none */
};

/* Of all targets the one whose last run broke off. *out NULL: there is none. */
static int choose_broken(struct sql *db, struct history_run **out, struct error *err)
{
    AUTO_WORDS targets = WORDS_INIT, names = WORDS_INIT;
    if (history_targets(db, &targets, err) < 0)
        return -1;
    struct history_run *found = NULL;
    AUTO_TEXT list = TEXT_INIT;
    for (size_t i = 0; i < targets.count; i++) {
        struct history_run *run = NULL;
        if (history_last_here(db, targets.items[i], &run, err) < 0) {
            history_run_free(found);
            return -1;
        }
        if (!run || !resume_broke_off(run)) {
            history_run_free(run);
            continue;
        }
        text_addf(&list, "%s%s (%s)", names.count ? ", " : "", id_shown(run->id), run->target);
        words_add(&names, run->id);
        history_run_free(found);
        found = run;
    }
    if (names.count > 1) {
        history_run_free(found);
        return error_set(err, ERROR_USAGE, "several runs broke off: %s; name one, or its target",
                         text_string(&list));
    }
    *out = found;
    return 0;
}

/* The run as it ended. One whose worker died is put in order first; one that goes on is busy. */
static int find_run(const char *state, const char *word, struct history_run **out, struct error *err)
{
    AUTO_FREE char *store = layout_store(state);
    for (int settled = 0;; settled++) {
        AUTO_SQL *db = NULL;
        struct history_run *run = NULL;
        if (history_open(store, &db, err) < 0 ||
            (word ? choose_run(db, word, &run, err) : choose_broken(db, &run, err)) < 0)
            return -1;
        if (run && run->merged) {
            error_set(err, ERROR_USAGE,
                      "run %s of %s was made on another machine (%s) and came here by a merge: it is gone on"
                      " with there",
                      id_shown(run->id), run->target, run->node ? run->node : "unknown");
            history_run_free(run);
            return -1;
        }
        if (!run || run->outcome) {
            *out = run;
            return 0;
        }
        AUTO_FREE char *id = xstrdup(run->id), *target = xstrdup(run->target);
        int64_t pid = run->pid;
        struct reconcile_look look = reconcile_look(run);
        history_run_free(run);
        if (look.alive)
            return error_set(err, ERROR_BUSY,
                             "%s is busy: run %s (process %lld) goes on; 'triphase attach %s' follows it",
                             target, id_shown(id), (long long)pid, id_shown(id));
        if (settled)
            return error_set(err, ERROR_USAGE,
                             "run %s of %s began on another machine and has no end: it is left as"
                             " it is",
                             id_shown(id), target);
        sql_cleanup(&db);
        db = NULL;
        if (put_in_order(state, target, err) < 0)
            return -1;
    }
}

static int take_arguments(const struct asked *asked, struct resume *resume, struct error *err)
{
    if (!resume->extra_digest && asked->arguments && asked->arguments[0])
        return error_set(
            err, ERROR_USAGE,
            "run %s is gone on with as it was begun; other arguments than its own make another run",
            id_shown(resume->parent));
    if (!resume->extra_digest)
        return 0;
    struct ansible_arguments given = {0};
    if (asked->arguments && asked->arguments[0] && ansible_arguments_check(asked->arguments, &given, err) < 0)
        return -1;
    bool same = text_is(given.extra_digest, resume->extra_digest);
    ansible_arguments_clear(&given);
    if (!same && !asked->replan)
        return error_set(
            err, ERROR_PROJECT,
            "run %s had -e arguments, which triphase does not keep: give the very same ones again behind"
            " --, or --replan",
            id_shown(resume->parent));
    words_clear(&resume->arguments);
    if (asked->arguments)
        words_add_list(&resume->arguments, asked->arguments);
    return 0;
}

static void say_skipped(const char *target, const char *phase, bool replan, const struct words *untold)
{
    AUTO_TEXT open = TEXT_INIT;
    size_t length = strlen(phase);
    for (size_t i = 0; i < untold->count; i++)
        if (text_starts(untold->items[i], phase) && text_starts(untold->items[i] + length, ": "))
            text_addf(&open, "%s%s", open.length ? "; " : "", untold->items[i] + length + 2);
    if (replan)
        help_note("%s: %s is skipped: it is completed, and --replan says that what it used does not matter",
                  target, phase);
    else if (open.length)
        help_note("%s: %s is skipped: it is completed; whether what it used is unchanged cannot be told for "
                  "all of it: %s",
                  target, phase, text_string(&open));
    else
        help_note("%s: %s is skipped: it is completed, and what it used is unchanged", target, phase);
}

/* A line for each step that is skipped, and why; and for what is not skipped though it may seem so. */
static void say_what(const struct history_run *run, const struct resume *resume, bool replan,
                     const struct words *untold)
{
    help_note("%s: goes on with run %s (%s), which ended as %s%s%s", run->target, id_shown(run->id),
              run->kind, run->outcome, resume->at ? " at " : "", resume->at ? resume->at : "");
    for (size_t i = 0; i < resume->done.count; i++)
        say_skipped(run->target, resume->done.items[i], replan, untold);
    for (size_t i = 0; i < resume->unsure.count; i++)
        help_note("%s: %s runs again: it ended ok, but what it used was not recorded", run->target,
                  resume->unsure.items[i]);
    if (resume->partial)
        help_note("%s: the run was partial: no phase of it counts as completed, and all of them run again",
                  run->target);
    if (resume->machine_id && text_is(resume->does, "create") && !text_is(resume->at, "provision"))
        help_note("%s: the machine that was made is verified", run->target);
    if (resume->owed)
        help_note("%s: %s gets %zu handler(s) that were notified and never ran", run->target, resume->owed_at,
                  json_count(resume->owed));
}

static int check(const struct resume *resume, const struct history_run *run, const struct project *project,
                 const struct target *target, bool replan, struct words *untold)
{
    AUTO_WORDS reasons = WORDS_INIT;
    resume_compare(resume, project, target, &reasons, untold);
    if (replan) {
        for (size_t i = 0; i < reasons.count; i++)
            help_note("%s: warning: %s", run->target, reasons.items[i]);
        return EXIT_OK;
    }
    if (!reasons.count)
        return EXIT_OK;
    AUTO_TEXT list = TEXT_INIT;
    for (size_t i = 0; i < reasons.count; i++)
        text_addf(&list, "\n  %s", reasons.items[i]);
    help_problem(
        "%s: run %s cannot be gone on with:%s\n  'triphase create %s' runs all phases; --replan goes on all"
        " the same",
        run->target, id_shown(run->id), text_string(&list), run->target);
    return EXIT_PROJECT;
}

static int go_on(struct command_context *context, const struct asked *asked, const char *directory,
                 const struct history_run *run, struct resume *resume)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_PROJECT *project = NULL;
    bool destroy = text_is(resume->does, "destroy");
    const struct target *target = NULL;
    if (project_access_load(context, run->target, &project, &target, &err) < 0) {
        if (!destroy) {
            help_problem("%s", error_text(&err));
            return exit_code_of(&err);
        }
        help_note(
            "warning: the project's files cannot be used (%s); what was made is removed all the same, without"
            " teardown phases",
            error_text(&err));
        error_clear(&err);
    }
    if (project && target)
        host_variables_fill(project, run->target, NULL);
    if (destroy && target && target->protected) {
        help_problem("%s is protected; set 'protected: false' for it to destroy it", target->name);
        return EXIT_PROJECT;
    }
    if (take_arguments(asked, resume, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    AUTO_WORDS untold = WORDS_INIT;
    int code = check(resume, run, project, target, asked->replan, &untold);
    if (code != EXIT_OK)
        return code;
    say_what(run, resume, asked->replan, &untold);
    const char *const targets[] = {run->target, NULL};
    struct launch what = {.kind = "resume",
                          .resume = resume,
                          .project = project,
                          .project_directory = project ? project->directory : directory,
                          .targets = targets,
                          .phases = words_argv(&resume->asked),
                          .arguments = words_argv(&resume->arguments),
                          .sets = context->sets,
                          .jobs = 1,
                          .detach = asked->detach,
                          .check_idempotent = resume->check_idempotent,
                          .keep_state = resume->keep_state,
                          .no_teardown = resume->no_teardown};
    return launch(&what);
}

static int act(struct command_context *context, const struct asked *asked, struct error *err)
{
    AUTO_FREE char *directory = config_find_directory(context->directory, NULL);
    AUTO_FREE char *state = NULL;
    AUTO_SQL *db = NULL;
    struct history_run *run = NULL;
    struct resume resume = {0};
    if (store_access_open(context, &state, &db, err) < 0)
        return exit_code_of(err);
    sql_cleanup(&db);
    db = NULL;
    if (find_run(state, asked->word, &run, err) < 0)
        return exit_code_of(err);
    if (run && text_is(run->kind, "drift")) {
        error_set(err, ERROR_USAGE, "run %s of %s looked for drift alone: there is nothing to go on with",
                  id_shown(run->id), run->target);
        history_run_free(run);
        return exit_code_of(err);
    }
    if (!run || !resume_broke_off(run)) {
        help_note("%s%snothing to resume%s%s", run ? run->target : "", run ? ": " : "",
                  run ? ": the run ended as " : "", run ? run->outcome : "");
        history_run_free(run);
        return EXIT_OK;
    }
    AUTO_FREE char *store = layout_store(state);
    int code = EXIT_OK;
    if (history_open(store, &db, err) < 0 || resume_find(db, run, &resume, err) < 0)
        code = exit_code_of(err);
    sql_cleanup(&db);
    db = NULL;
    if (code == EXIT_OK)
        code = go_on(context, asked, directory, run, &resume);
    resume_clear(&resume);
    history_run_free(run);
    return code;
}

static const struct option options[] = {{"replan", no_argument, NULL, 'r'},
                                        {"detach", no_argument, NULL, 'd'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    int dashes = options_dashes(argc, argv);
    struct asked asked = {.arguments = dashes < argc ? (const char *const *)argv + dashes + 1 : NULL};
    optind = 0;
    for (int option; (option = options_next(context->command, dashes, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        asked.replan |= option == 'r';
        asked.detach |= option == 'd';
    }
    if (dashes - optind > 1) {
        help_problem("resume takes one run or target; '%s' is one too many", argv[optind + 1]);
        return EXIT_BAD_USAGE;
    }
    asked.word = optind < dashes ? argv[optind] : NULL;
    AUTO_ERROR err = ERROR_INIT;
    int code = act(context, &asked, &err);
    if (err.kind != ERROR_NONE)
        help_problem("%s", error_text(&err));
    return code;
}

const struct command command_resume = {
    .help = {"resume", "[RUN|TARGET] [--replan] [--detach] [-- ANSIBLE ARGUMENTS]",
             "go on where a run broke off"},
    .options = options,
    .hands_on = true,
    .run = call,
};
