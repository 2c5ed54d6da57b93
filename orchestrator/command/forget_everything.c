#include "command/forget_everything.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "command/project_access.h"
#include "command/put_in_order.h"
#include "command/store_access.h"
#include "config/layout.h"
#include "control/settle.h"
#include "provider/places.h"
#include "sandbox/life.h"
#include "sandbox/owner.h"
#include "sandbox/root.h"
#include "store/history.h"
#include "store/identity.h"
#include "store/store.h"
#include "view/help.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#define LOCK_BOUND   (30 * NS_PER_S)
#define REMOVE_BOUND (60 * NS_PER_S)

int forget_agreed(bool yes, struct error *err, const char *question, ...)
{
    va_list args;
    va_start(args, question);
    AUTO_FREE char *text = xvasprintf(question, args);
    va_end(args);
    if (yes || help_ask("%s", text))
        return 0;
    return isatty(STDIN_FILENO)
               ? error_set(err, ERROR_CANCELLED, "nothing was forgotten")
               : error_set(err, ERROR_USAGE, "nothing was forgotten: without a terminal it needs --yes");
}

int forget_claim(const char *project_directory, char **original, struct error *err)
{
    if (put_in_order_project(project_directory, err) == 0)
        return 0;
    if (identity_is_copy(project_directory, original, NULL) <= 0)
        return -1;
    error_clear(err);
    return 1;
}

static bool lists(const struct listing *listing, const struct machine *machine)
{
    for (size_t i = 0; i < listing->count; i++)
        if (listing->items[i].machine && text_is(listing->items[i].machine, machine->id))
            return true;
    return listing_find(listing, machine->reference) != NULL;
}

int forget_still_there(const struct command_context *context, const char *store, const char *name,
                       struct error *err)
{
    AUTO_SQL *db = NULL;
    AUTO_MACHINE *machine = NULL;
    AUTO_LISTING found = {0};
    AUTO_PROJECT *project = NULL;
    if (history_open(store, &db, err) < 0 || history_machine(db, name, &machine, err) < 0)
        return -1;
    const struct provider *provider = machine ? provider_named(machine->provider) : NULL;
    if (!provider || machine_was_there(machine) || !machine->reference)
        return 0;
    /* Files that are wrong lead nowhere. */
    (void)project_access_load(context, NULL, &project, NULL, NULL);
    size_t count = 0;
    struct place *places = places_of(project, project ? &machine : NULL, project ? 1 : 0, &count);
    const struct place *place = places_find(places, count, machine->provider, name);
    int there = 0;
    if (!place || place->mute)
        help_note(
            "%s: whether it is still there nobody can be asked (neither the files nor its row name a '%s' "
            "that lists)",
            name, machine->provider);
    else
        there = provider->list(project, place->target, &found, err) < 0 ? -1 : lists(&found, machine);
    places_free(places, count);
    return there;
}

/* Sandboxes that are in the way, a line each; the others that are dead by name. */
static int judge_all(bool unjudged_alone, struct words *refused, struct words *dead, struct error *err)
{
    AUTO_LISTING found = {0};
    if (provider_sandbox.list(NULL, NULL, &found, err) < 0)
        return -1;
    for (size_t i = 0; i < found.count; i++) {
        const char *name = found.items[i].reference;
        char *said = NULL;
        enum sandbox_life life = sandbox_life_judge(name, &said);
        if (life == SANDBOX_DEAD)
            words_add(dead, name);
        else if (life == SANDBOX_UNJUDGED || !unjudged_alone)
            words_addf(refused, "%s is %s", name, said);
        free(said);
    }
    return 0;
}

static int refuse(const struct words *refused, const char *what, struct error *err)
{
    if (!refused->count)
        return 0;
    AUTO_TEXT list = TEXT_INIT;
    for (size_t i = 0; i < refused->count; i++)
        text_addf(&list, "%s%s", i ? "; " : "", refused->items[i]);
    return error_set(err, ERROR_PROVIDER, "%s: %s; 'triphase destroy' in its project removes one", what,
                     text_string(&list));
}

/* What went, a line each, also where the rest could not. */
static int tell(int status, const struct words *gone)
{
    for (size_t i = 0; i < gone->count; i++)
        help_note("removed: %s", gone->items[i]);
    if (status == 0 && !gone->count)
        help_note("removed: nothing, for nothing was there");
    return status;
}

/* The root trees go under the lock under which sandboxes are claimed. */
static int drop_trees(struct words *gone, struct error *err)
{
    AUTO_CLOSE int lock = sandbox_lock(LOCK_BOUND, err);
    AUTO_WORDS kept = WORDS_INIT, removed = WORDS_INIT;
    if (lock < 0)
        return -1;
    int status = root_drop_unused(&kept, &removed, err);
    for (size_t i = 0; i < removed.count; i++)
        words_addf(gone, "the root tree %s", removed.items[i]);
    if (status < 0)
        return -1;
    for (size_t i = 0; i < kept.count; i++)
        help_note("the root tree %s is in use and stays", kept.items[i]);
    return 0;
}

/* Takes the lock of each target, and puts in order what dead runs left; `locks` has a descriptor for each. */
static int lock_all(const struct command_context *context, const char *state, bool is_copy, int **locks,
                    size_t *count, struct error *err)
{
    AUTO_FREE char *store = layout_store(state);
    AUTO_SQL *db = NULL;
    AUTO_WORDS targets = WORDS_INIT;
    int there = file_look(store, err);
    if (there <= 0)
        return there;
    if (store_prepare(store, err) < 0 || history_open(store, &db, err) < 0 ||
        history_targets(db, &targets, err) < 0)
        return -1;
    sql_close(TAKE(db));
    for (size_t i = 0; i < targets.count; i++) {
        const char *target = targets.items[i];
        char id[ID_SIZE];
        int lock = -1;
        id_make(id);
        if (settle_lock(state, target, id, &lock, err) < 0)
            return error_prefix(err, "%s", target);
        *locks = xreallocarray(*locks, *count + 1, sizeof **locks);
        (*locks)[(*count)++] = lock;
        int still = is_copy ? 0
                    : put_in_order_locked(state, target, err) < 0
                        ? -1
                        : forget_still_there(context, store, target, err);
        if (still)
            return still < 0
                       ? error_prefix(err, "%s", target)
                       : error_set(err, ERROR_PROVIDER,
                                   "%s of this project is still there; 'triphase destroy %s' removes it",
                                   target, target);
    }
    return 0;
}

static int drop_project(const struct command_context *context, const char *project, const char *state,
                        bool yes, struct words *gone, struct error *err)
{
    AUTO_FREE char *original = NULL;
    AUTO_FREE int *locks = NULL;
    AUTO_WORDS refused = WORDS_INIT, dead = WORDS_INIT;
    size_t count = 0;
    bool root = geteuid() == 0;
    int status = forget_claim(project, &original, err);
    if (status >= 0)
        status = lock_all(context, state, original != NULL, &locks, &count, err);
    /* An ordinary user makes no sandbox, and cannot see whose the others are. */
    if (status == 0 && root && !original)
        status = judge_all(true, &refused, &dead, err);
    if (status == 0)
        status = refuse(&refused, "nothing was forgotten, since these could be this project's", err);
    if (status == 0)
        status =
            forget_agreed(yes, err,
                          "Forget all that is known of the project in %s (its store, logs, keys and state)?",
                          project);
    if (status == 0 && (status = file_remove_tree(state, err)) == 0)
        words_addf(gone, "%s (the project's store, logs, keys and state)", state);
    for (size_t i = 0; i < count; i++)
        close(locks[i]);
    if (status == 0 && original)
        help_note("what is made belongs to the project in %s and was not touched", original);
    return status;
}

int forget_project(const struct command_context *context, bool yes, struct error *err)
{
    AUTO_FREE char *state = store_access_state(context, err);
    int there = state ? file_look(state, err) : -1;
    if (there < 0)
        return -1;
    AUTO_FREE char *project = file_parent(state);
    AUTO_WORDS gone = WORDS_INIT;
    int status = there > 0 ? drop_project(context, project, state, yes, &gone, err) : 0;
    if (status == 0 && geteuid() == 0 && file_is_dir(SANDBOX_CACHE))
        status = drop_trees(&gone, err);
    return tell(status, &gone);
}

/* Only while nobody else can have put anything there. */
static int drop_folders(struct words *gone, struct error *err)
{
    static const char *const folders[] = {SANDBOX_CACHE, SANDBOX_HOME};
    for (size_t i = 0; i < 2; i++) {
        AUTO_WORDS names = WORDS_INIT;
        if (file_list(folders[i], &names, err) < 0)
            return -1;
        bool locks_alone = true;
        for (size_t k = 0; k < names.count; k++)
            locks_alone =
                locks_alone && (text_is(names.items[k], "lock") || text_ends(names.items[k], ".lock"));
        bool there = file_exists(folders[i]);
        if (locks_alone && file_remove_tree(folders[i], err) < 0)
            return -1;
        if (locks_alone && there)
            words_addf(gone, "the folder %s", folders[i]);
    }
    return 0;
}

static int drop_dead(const struct words *dead, struct words *gone, struct error *err)
{
    for (size_t i = 0; i < dead->count; i++) {
        AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
        AUTO_MACHINE *machine = machine_new();
        if (sandbox_owner_read(dead->items[i], &owner, err) < 0)
            return -1;
        machine->id = xstrdup_or_null(owner.machine);
        machine->reference = xstrdup(dead->items[i]);
        if (provider_sandbox.remove(NULL, machine, REMOVE_BOUND, err) < 0)
            return -1;
        words_addf(gone, "what was left of the sandbox %s", dead->items[i]);
    }
    return 0;
}

int forget_machine(bool yes, struct error *err)
{
    AUTO_WORDS refused = WORDS_INIT, dead = WORDS_INIT, gone = WORDS_INIT;
    if (!file_exists(SANDBOX_HOME) && !file_exists(SANDBOX_CACHE))
        return tell(0, &gone);
    if (geteuid() != 0)
        return error_set(err, ERROR_MISSING,
                         "what triphase laid in " SANDBOX_HOME " and " SANDBOX_CACHE " is root's: use sudo");
    if (judge_all(false, &refused, &dead, err) < 0 ||
        refuse(&refused, "nothing was removed, since there are sandboxes", err) < 0 ||
        forget_agreed(yes, err, "Remove what triphase laid in " SANDBOX_HOME " and " SANDBOX_CACHE "?") < 0)
        return -1;
    int status = drop_dead(&dead, &gone, err);
    if (status == 0 && (status = drop_trees(&gone, err)) == 0)
        status = drop_folders(&gone, err);
    return tell(status, &gone);
}
