/* triphase ssh TARGET [-- COMMAND]: becomes ssh, with the arguments that the inventory has. */
#include "action/key_agent.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/exit_code.h"
#include "command/reach.h"
#include "data/layout.h"
#include "mechanism/guard.h"
#include "view/help.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* An agent for as long as this process lives, which is going to be ssh: a guard ends it then, however that comes. */
static int start_agent(const struct reach *reach, char **directory, struct error *err)
{
    char id[ID_SIZE];
    id_make(id);
    AUTO_FREE char *sockets = layout_sockets(id, transport_name(reach->kind));
    AUTO_FREE char *name = xasprintf("ssh-%s", id), *marker = xasprintf("TRIPHASE_RUN=%s", id);
    struct scope scope = {.fd = -1};
    struct child guard = CHILD_INIT;
    if (layout_make_sockets(sockets, err) < 0 || scope_open(name, marker, &scope, err) < 0)
        return -1;
    struct key_agent agent = {reach->project, sockets, &scope, marker};
    int status = guard_start(&scope, sockets, -1, &guard, err);
    if (status == 0)
        status = key_agent_load(&agent, reach->target, reach->machine, err);
    child_close(&guard);
    scope_close(&scope);
    if (status == 0)
        *directory = TAKE(sockets);
    return status;
}

int command_ssh(struct command_context *context, int argc, char **argv)
{
    bool ends = argc > 2 && text_is(argv[2], "--");
    if (argc < 2 || argv[1][0] == '-' || (argc > 2 && !ends)) {
        help_problem("ssh takes one target, and a command behind --: triphase ssh TARGET [-- COMMAND]");
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    struct reach reach = {0};
    if (reach_find(context, argv[1], NULL, true, &reach, &err) < 0) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    if (!reach.made) {
        help_problem("nothing is made for the target '%s' yet; 'triphase create %s' makes it", argv[1],
                     argv[1]);
        reach_free(&reach);
        return EXIT_BAD_USAGE;
    }
    AUTO_FREE char *agent = NULL;
    /* A master of a run is the run's: this is a connection of its own. */
    if ((ssh_needs_agent(reach.machine, reach.target) && start_agent(&reach, &agent, &err) < 0) ||
        ssh_arguments_make(reach.machine, reach.target, reach.kind, NULL, agent, SSH_ALIVE_INTERVAL, 8, &ssh,
                           &err) < 0) {
        help_problem("%s", error_text(&err));
        reach_free(&reach);
        return exit_code_of(&err);
    }
    const struct secret *passphrase = &reach.target->key_passphrase;
    if (passphrase->kind == SECRET_ENV)
        unsetenv(passphrase->where);
    reach_free(&reach);
    AUTO_WORDS words = WORDS_INIT;
    words_add(&words, "ssh");
    /* A person at a terminal may be asked for a passphrase. */
    if (isatty(STDIN_FILENO))
        words_add_all(&words, "-o", "BatchMode=no", NULL);
    words_add_list(&words, words_argv(&ssh.options));
    words_add_all(&words, "--", ssh.host, NULL);
    for (int i = 3; i < argc; i++)
        words_add(&words, argv[i]);
    execvp("ssh", words.items);
    help_problem("cannot start ssh: %s; install Debian's package openssh-client", strerror(errno));
    return EXIT_MISSING;
}
