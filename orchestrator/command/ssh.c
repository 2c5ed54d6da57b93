/* triphase ssh TARGET [-- COMMAND]: logs in with the arguments that the inventory has, and
 * becomes ssh over that login. */
#include "base/memory.h"
#include "base/text.h"
#include "command/exit_code.h"
#include "command/project_access.h"
#include "control/reach.h"
#include "process/child.h"
#include "view/help.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int call(struct command_context *context, int argc, char **argv)
{
    bool ends = argc > 2 && text_is(argv[2], "--");
    if (argc < 2 || argv[1][0] == '-' || (argc > 2 && !ends && argv[2][0] == '-')) {
        help_problem("ssh takes one target, and a command behind it: triphase ssh TARGET [--] [COMMAND...]");
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    AUTO_PROJECT *project = NULL;
    const struct target *target = NULL;
    struct reach reach = {0};
    AUTO_WORDS said = WORDS_INIT;
    bool found = project_access_load(context, argv[1], &project, &target, &err) == 0;
    if (found) {
        struct deadline contact = deadline_in(target->transport_ns);
        found = reach_find(project, target, NULL, &contact, &said, &reach, &err) == 0;
    }
    help_notes(&said);
    if (!found) {
        help_problem("%s", error_text(&err));
        reach_clear(&reach);
        return exit_code_of(&err);
    }
    if (!reach.made) {
        help_problem("nothing is made for the target '%s' yet; 'triphase create %s' makes it", argv[1],
                     argv[1]);
        reach_clear(&reach);
        return EXIT_BAD_USAGE;
    }
    /* A person at a terminal may be asked for a passphrase. */
    bool may_answer = isatty(STDIN_FILENO);
    /* Paths in ssh's arguments (-F of an ansible.cfg, for one) start there, as for a run. A master of a run
     * is the run's: this is a connection of its own. */
    if (chdir(project->directory) < 0)
        error_system(&err, errno, "cannot go to the project's folder %s", project->directory);
    else
        (void)reach_log_in(&reach, may_answer, &ssh, &err);
    reach_clear(&reach);
    if (err.kind != ERROR_NONE) {
        help_problem("%s", error_text(&err));
        return exit_code_of(&err);
    }
    AUTO_WORDS words = WORDS_INIT, environment = WORDS_INIT;
    child_inherited(&environment);
    words_add_all(&words, "ssh", "-o", "ControlMaster=no", NULL);
    if (may_answer)
        words_add_all(&words, "-o", "BatchMode=no", NULL);
    words_add_list(&words, words_argv(&ssh.options));
    words_add_all(&words, "--", ssh.host, NULL);
    for (int i = ends ? 3 : 2; i < argc; i++)
        words_add(&words, argv[i]);
    execvpe("ssh", words.items, (char *const *)words_argv(&environment));
    help_problem("cannot start ssh: %s; install Debian's package openssh-client", strerror(errno));
    return EXIT_MISSING;
}

const struct command command_ssh = {
    .help = {"ssh", "TARGET [--] [COMMAND...]", "a shell or command on the host, over its transport"},
    .run = call,
};
