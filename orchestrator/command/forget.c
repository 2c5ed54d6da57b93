/* triphase forget TARGET: the store stops believing in a machine that triphase cannot or need not remove. Nothing outside the project is touched; runs stay in the history. */
#include "action/provider.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/known_target.h"
#include "command/settle.h"
#include "command/store_access.h"
#include "data/history.h"
#include "data/layout.h"
#include "data/value.h"
#include "view/help.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

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
    if (machine && machine->directory && file_remove_tree(machine->directory, err) < 0)
        return -1;
    return file_remove_tree(folder, err);
}

/* A machine that is still to be found would be lost with its row. */
static bool still_there(const char *state, const char *target)
{
    AUTO_FREE char *store = layout_store(state);
    AUTO_SQL *db = NULL;
    AUTO_MACHINE *machine = NULL;
    AUTO_WORDS references = WORDS_INIT;
    if (history_open(store, &db, NULL) < 0 || history_machine(db, target, &machine, NULL) < 0 || !machine ||
        !machine->reference)
        return false;
    const struct provider *provider = provider_named(machine->provider);
    return provider && provider->claims_absence && provider->list(&references, NULL) == 0 &&
           words_have(&references, machine->reference);
}

int command_forget(struct command_context *context, int argc, char **argv)
{
    static const struct option options[] = {{"yes", no_argument, NULL, 'y'}, {0}};
    bool yes = false;
    optind = 0;
    for (int option; (option = getopt_long(argc, argv, "y", options, NULL)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        yes = true;
    }
    if (optind + 1 != argc) {
        help_problem("forget takes one target");
        return EXIT_BAD_USAGE;
    }
    const char *target = argv[optind];
    if (!value_is_name(target)) {
        AUTO_FREE char *why = value_name_problem(target);
        help_problem("forget takes a target's name: %s", why);
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
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
    AUTO_WORDS known = WORDS_INIT;
    if (known_targets(context, store, false, &known, &err) < 0 || known_target(&known, target, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    /* Held from here, and nothing of a dead run is at work any more: what is looked at now is what is forgotten. */
    AUTO_CLOSE int lock = -1;
    char id[ID_SIZE];
    id_make(id);
    if (settle_lock(state, target, id, &lock, &err) < 0 || settle_locked(state, target, &err) < 0) {
        help_problem("%s: %s", target, error_text(&err));
        return exit_code_of(&err);
    }
    if (still_there(state, target)) {
        help_problem(
            "%s is still there; 'triphase destroy %s' removes it, and then nothing is left to forget", target,
            target);
        return EXIT_PROVIDER;
    }
    if (!yes && !help_ask("Forget what is known of %s (its machine's row, its keys and state)?", target)) {
        help_problem("nothing was forgotten%s",
                     isatty(STDIN_FILENO) ? "" : ": without a terminal it needs --yes");
        return isatty(STDIN_FILENO) ? EXIT_CANCELLED : EXIT_BAD_USAGE;
    }
    if (forget(state, target, &err) < 0) {
        help_problem("%s: %s", target, error_text(&err));
        return exit_code_of(&err);
    }
    return EXIT_OK;
}
