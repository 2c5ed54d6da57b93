/* triphase forget TARGET: the store stops believing in a machine that triphase cannot or need not remove.
 * Nothing outside the project is touched; runs stay in the history. */
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/forget_everything.h"
#include "command/known_target.h"
#include "command/options.h"
#include "command/put_in_order.h"
#include "command/store_access.h"
#include "config/layout.h"
#include "config/text_rules.h"
#include "control/settle.h"
#include "store/history.h"
#include "store/store.h"
#include "view/help.h"

#include <stdio.h>

/* Under the target's lock. */
static int forget(const char *state, const char *target, struct error *err)
{
    AUTO_FREE char *store = layout_store(state);
    AUTO_SQL *db = NULL;
    AUTO_MACHINE *machine = NULL;
    if (history_open(store, &db, err) < 0 || history_machine(db, target, &machine, err) < 0)
        return -1;
    sql_cleanup(&db);
    db = NULL;
    AUTO_FREE char *folder = layout_target_state(state, target);
    if (machine)
        machine->removed_ns = moment_wall();
    if (machine && store_access_put_machine(store, machine, err) < 0)
        return -1;
    AUTO_FREE char *keys = machine ? layout_machine(state, machine->id) : NULL;
    if (keys && file_remove_tree(keys, err) < 0)
        return -1;
    return file_remove_tree(folder, err);
}

static int forget_target(const struct command_context *context, const char *state, const char *target,
                         bool yes, struct error *err)
{
    AUTO_FREE char *store = layout_store(state);
    AUTO_FREE char *project = file_parent(state);
    AUTO_FREE char *original = NULL;
    AUTO_CLOSE int lock = -1;
    char id[ID_SIZE];
    id_make(id);
    AUTO_WORDS known = WORDS_INIT;
    /* A slip of the pen is told. */
    if (forget_claim(project, &original, err) < 0 || store_prepare(store, err) < 0 ||
        known_targets(context, store, false, &known, err) < 0 || known_target(&known, target, err) < 0)
        return -1;
    /* Held from here, and nothing of a dead run is at work any more: what is looked at
     * now is what is forgotten. */
    if (settle_lock(state, target, id, &lock, err) < 0 ||
        (!original && put_in_order_locked(state, target, err) < 0))
        return -1;
    int there = original ? 0 : forget_still_there(context, store, target, err);
    if (there)
        return there < 0
                   ? -1
                   : error_set(err, ERROR_PROVIDER,
                               "it is still there; 'triphase destroy %s' removes it, and then nothing is "
                               "left to forget",
                               target);
    if (forget_agreed(yes, err, "Forget what is known of %s (its machine's row, its keys and state)?",
                      target) < 0)
        return -1;
    if (forget(state, target, err) < 0)
        return -1;
    if (original)
        help_note("%s: forgotten here; what is made of it belongs to the project in %s and was not touched",
                  target, original);
    return 0;
}

static const struct option options[] = {{"yes", no_argument, NULL, 'y'},
                                        {"everything", no_argument, NULL, 'e'},
                                        {"this-machine", no_argument, NULL, 'm'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool yes = false, everything = false, machine = false;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        yes |= option == 'y';
        everything |= option == 'e';
        machine |= option == 'm';
    }
    AUTO_ERROR err = ERROR_INIT;
    if (everything && optind == argc) {
        if ((machine ? forget_machine(yes, &err) : forget_project(context, yes, &err)) == 0)
            return EXIT_OK;
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    if (everything || machine || optind + 1 != argc) {
        help_problem("forget takes one target, or --everything");
        return EXIT_BAD_USAGE;
    }
    const char *target = argv[optind];
    if (!value_is_name(target)) {
        AUTO_FREE char *why = value_name_problem(target);
        help_problem("forget takes a target's name: %s", why);
        return EXIT_BAD_USAGE;
    }
    AUTO_FREE char *state = store_access_state(context, &err);
    AUTO_FREE char *store = state ? layout_store(state) : NULL;
    int there = store ? file_look(store, &err) : -1;
    if (there < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    if (there == 0) {
        help_problem("no run yet: nothing is known of '%s'", target);
        return EXIT_PROJECT;
    }
    if (forget_target(context, state, target, yes, &err) < 0) {
        help_problem("%s: %s", target, error_text(&err));
        return exit_code_of(&err);
    }
    return EXIT_OK;
}

const struct command command_forget = {
    .help = {"forget", "TARGET|--everything [--this-machine] [--yes]",
             "drop what is known of a target, or of the project"},
    .options = options,
    .letters = "y",
    .run = call,
};
