/* triphase trust TARGET [--yes] [--json]: takes a changed host key, after the known and
 * the shown one were told. */
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/project_access.h"
#include "command/put_in_order.h"
#include "command/store_access.h"
#include "config/layout.h"
#include "control/settle.h"
#include "provider/made_look.h"
#include "store/history.h"
#include "transport/choose.h"
#include "transport/known_hosts.h"
#include "transport/offered_key.h"
#include "view/help.h"
#include "view/trust_view.h"

#include <string.h>
#include <unistd.h>

struct trust {
    struct project *project;
    const struct target *target;
    char *state, *store;
    struct machine *machine; /* the row */
    struct machine *now;     /* how it is reached */
    char *offered;           /* "TYPE KEY" */
    struct trust_view view;
};

static bool is_marked(const char *line)
{
    return *line == '@';
}

/* A key stands in lines that may have more behind it. */
static bool holds(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    return at && strchr(" \t\r\n", at[strlen(key)]);
}

static int find_row(struct trust *trust, struct error *err)
{
    machine_free(TAKE(trust->machine));
    if (history_made(trust->store, trust->target->name, &trust->machine, err) < 0)
        return -1;
    return trust->machine ? 0
                          : error_set(err, ERROR_USAGE,
                                      "nothing is made for this target yet; 'triphase create %s' makes it",
                                      trust->target->name);
}

/* What else differs stands against it: that host is not the one that the files name. */
static int look(struct trust *trust, struct error *err)
{
    AUTO_MADE made = MADE_INIT;
    made_look(trust->project, trust->target, trust->machine, &made, &trust->now);
    for (size_t i = 0; i < made.count; i++)
        if (made.items[i].effect == MADE_REFUSES && !text_is(made.items[i].key, "host_keys"))
            return made_refuse(&made, trust->target, trust->machine, false, err);
    made_look_marks(trust->target, trust->machine);
    known_hosts_learn(trust->machine);
    known_hosts_learn(trust->now);
    return 0;
}

static int ask_host(struct trust *trust, struct error *err)
{
    enum transport_kind kind;
    struct deadline contact = deadline_in(trust->target->transport_ns);
    if (transport_choose_for(trust->target, trust->now, &contact, &kind, err) < 0 ||
        offered_key_ask(trust->now, trust->target, kind, trust->target->transport_ns, &trust->offered, err) <
            0)
        return -1;
    trust->view.target = trust->target->name;
    trust->view.address = machine_address(trust->now, kind);
    trust->view.port = trust->now->port;
    for (size_t i = 0; i < trust->machine->host_keys.count; i++) {
        const char *line = trust->machine->host_keys.items[i];
        char *print;
        trust->view.unchanged |= !is_marked(line) && holds(line, trust->offered);
        if (is_marked(line))
            continue;
        if (offered_key_fingerprint(line, &print, err) < 0)
            return -1;
        words_own(&trust->view.known, print);
    }
    return offered_key_fingerprint(trust->offered, &trust->view.offered, err);
}

static int check_revoked(const struct trust *trust, struct error *err)
{
    for (size_t i = 0; i < trust->machine->host_keys.count; i++)
        if (text_starts(trust->machine->host_keys.items[i], "@revoked") &&
            holds(trust->machine->host_keys.items[i], trust->offered))
            return error_set(err, ERROR_PROJECT,
                             "the key that the host shows is revoked in your known_hosts");
    return 0;
}

/* What the user wrote down of the host counts before what it shows. */
static int check_offered(const struct trust *trust, struct error *err)
{
    const struct target *target = trust->target;
    if (target->host_key_kind != HOST_KEYS_LIST && target->host_key_kind != HOST_KEYS_FILE)
        return 0;
    AUTO_MACHINE *shown = machine_copy(trust->machine);
    words_clear(&shown->host_keys);
    words_add(&shown->host_keys, trust->offered);
    if (!made_host_keys_differ(target, shown))
        return 0;
    return error_set(
        err, ERROR_PROJECT,
        "the files pin its host_keys, and the key that it shows is none of them: if it is right, say it "
        "there first:\n  %s",
        trust->offered);
}

static int take(struct trust *trust, struct error *err)
{
    struct machine *machine = trust->machine;
    AUTO_WORDS keys = WORDS_INIT;
    for (size_t i = 0; i < machine->host_keys.count; i++)
        if (is_marked(machine->host_keys.items[i]))
            words_add(&keys, machine->host_keys.items[i]);
    words_add(&keys, trust->offered);
    words_clear(&machine->host_keys);
    words_add_list(&machine->host_keys, words_argv(&keys));
    if (store_access_put_machine(trust->store, machine, err) < 0)
        return -1;
    /* One that accept-new learned would stay. */
    AUTO_FREE char *path = file_join(machine->directory, "known_hosts");
    unlink(path);
    return known_hosts_write(machine, trust->target, trust->project->directory, err);
}

static void say_more(const struct trust *trust)
{
    const struct machine *machine = trust->machine;
    if (!machine_was_there(machine))
        help_note(
            "%s: triphase made this host with a key of its own: another one is there only where something on "
            "the host, or something else at its address, brought it",
            trust->target->name);
}

static int agree(const struct trust *trust, bool yes)
{
    say_more(trust);
    if (yes || help_ask("Take the key that %s shows in place of what is known?", trust->target->name))
        return EXIT_OK;
    bool asked = isatty(STDIN_FILENO);
    help_problem("nothing was taken%s", asked ? "" : ": without a terminal it needs --yes");
    return asked ? EXIT_CANCELLED : EXIT_BAD_USAGE;
}

/* Under the target's lock: no run may verify the machine at the same time. */
static int act(struct trust *trust, bool yes, bool json, struct error *err)
{
    AUTO_CLOSE int lock = -1;
    char id[ID_SIZE];
    id_make(id);
    if (find_row(trust, err) < 0 || put_in_order_project(trust->project->directory, err) < 0 ||
        settle_lock(trust->state, trust->target->name, id, &lock, err) < 0 ||
        put_in_order_locked(trust->state, trust->target->name, err) < 0 || find_row(trust, err) < 0 ||
        look(trust, err) < 0 || ask_host(trust, err) < 0)
        return -1;
    if (!json && trust_view_print(&trust->view) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot write to standard output");
    if (check_revoked(trust, err) < 0)
        return -1;
    if (!trust->view.unchanged) {
        int code = check_offered(trust, err) < 0 ? -1 : agree(trust, yes);
        if (code != EXIT_OK)
            return code;
        if (take(trust, err) < 0)
            return -1;
        trust->view.taken = true;
    }
    if (json && trust_view_print_json(&trust->view) < 0)
        return error_set(err, ERROR_SYSTEM, "cannot write to standard output");
    if (trust->view.unchanged)
        help_note("%s: the key is known already, nothing is to be taken", trust->target->name);
    else if (trust->target->host_key_kind == HOST_KEYS_DEFAULT && machine_was_there(trust->machine))
        help_note(
            "%s: taken; your own known_hosts may still have the former key: ssh-keygen -R drops it there",
            trust->target->name);
    else
        help_note("%s: taken", trust->target->name);
    return EXIT_OK;
}

static const struct option options[] = {{"yes", no_argument, NULL, 'y'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool yes = false, json = false;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        yes |= option == 'y';
        json |= option == 'j';
    }
    if (optind + 1 != argc) {
        help_problem("trust takes one target");
        return EXIT_BAD_USAGE;
    }
    AUTO_PROJECT *project = NULL;
    struct trust trust = {0};
    int opened = project_access_open(context, argv[optind], &project, &trust.target);
    if (opened != EXIT_OK)
        return opened;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *state = layout_state(project->directory), *store = layout_store(state);
    trust.project = project;
    trust.state = state;
    trust.store = store;
    int code = act(&trust, yes, json, &err);
    if (code < 0) {
        help_problem("%s: %s", trust.target->name, error_text(&err));
        code = exit_code_of(&err);
    }
    machine_free(trust.machine);
    machine_free(trust.now);
    free(trust.offered);
    words_clear(&trust.view.known);
    free(trust.view.offered);
    return code;
}

const struct command command_trust = {
    .help = {"trust", "TARGET [--yes] [--json]",
             "take a changed host key, after both fingerprints were shown"},
    .options = options,
    .letters = "y",
    .run = call,
};
