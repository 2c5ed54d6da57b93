/* The program's entry: global options, then one command of the table. */
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "command/command.h"
#include "command/exit_code.h"

#include <locale.h>
#include <signal.h>
#include <string.h>

static const struct command commands[] = {
    {{"init", "[DIR]", "lay down a project from what is built into the program"}, command_init},
    {{"doctor", "[--json]", "what this machine has and lacks, and what mends it"}, command_doctor},
    {{"plan", "[TARGET] [--contact] [--again] [--json] [-- ANSIBLE ARGUMENTS]",
      "check everything that can be checked before anything is made; --contact asks the host too"},
     command_plan},
    {{"create", "[TARGET...] [--jobs N] [--detach] [--yes] [-- ANSIBLE ARGUMENTS]",
      "make hosts and run their phases"},
     command_create},
    {{"run", "TARGET [PHASE...] [--check-idempotent] [--detach] [-- ANSIBLE ARGUMENTS]",
      "run phases on a made target"},
     command_run},
    {{"resume", "[RUN|TARGET] [--replan] [--detach] [-- ANSIBLE ARGUMENTS]", "go on where a run broke off"},
     command_resume},
    {{"attach", "[RUN|TARGET] [--no-cancel]", "follow a run that goes on, and end as it ends"},
     command_attach},
    {{"cancel", "[RUN|TARGET] [--now] [--json]", "end a run, and say when nothing of it is left"},
     command_cancel},
    {{"destroy", "TARGET...|--all [--yes] [--keep-state] [--no-teardown] [--detach]",
      "remove what was made and verify its absence"},
     command_destroy},
    {{"cycle", "TARGET -n N [--until-failure] [--keep-last] [--yes] [--json] [-- ANSIBLE ARGUMENTS]",
      "create and destroy again and again, with a row for each round"},
     command_cycle},
    {{"status", "[TARGET...] [--json]", "what is there, and what runs"}, command_status},
    {{"ssh", "TARGET [--] [COMMAND...]", "a shell or command on the host, over its transport"}, command_ssh},
    {{"inventory", "TARGET [--explain] [--transport NAME] [--json]",
      "the rendered inventory, and the evidence for it"},
     command_inventory},
    {{"report",
      "[RUN|TARGET | --group CYCLE | --compare A B | --regress [RUN]] [--target NAME] [--last N]"
      " [--by step|role|task] [--format table|json|csv|md]",
      "where the time went"},
     command_report},
    {{"events", "[RUN|TARGET] [--target NAME] [--follow] [--json]", "what happened in a run besides tasks"},
     command_events},
    {{"bundle", "[RUN|TARGET] [--target NAME] [-o FILE] [--format zst|gz] [--no-host] [--json]",
      "one archive of a run to mail, from here and from its host, secrets redacted"},
     command_bundle},
    {{"config", "[TARGET] [--json]", "each effective value, its origin and what it hides"}, command_config},
    {{"trust", "TARGET [--yes] [--json]", "take a changed host key, after both fingerprints were shown"},
     command_trust},
    {{"forget", "TARGET|--everything [--this-machine] [--yes]",
      "drop what is known of a target, or of the project"},
     command_forget},
    {{"store", "check|prune|export|merge", "look after the store"}, command_store},
    {{"stage", NULL, NULL}, command_stage},
};

static void end_as_cancelled(int number)
{
    (void)number;
    _exit(EXIT_CANCELLED);
}

/* Until a command has begun something that has to be ended in order, and takes them itself. */
static void take_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct sigaction action;
        if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
            action.sa_handler = end_as_cancelled;
            sigaction(numbers[i], &action, NULL);
        }
    }
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (text_is(commands[i].help.name, name))
            return &commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[COUNT_OF(commands) + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (commands[i].help.usage)
            names[count++] = commands[i].help.name;
    static const char *const later[] = {"probe", "diagnose", "up", NULL};
    for (size_t i = 0; later[i]; i++)
        if (text_is(later[i], name)) {
            help_problem("'triphase %s' is not in this version", name);
            return EXIT_BAD_USAGE;
        }
    const char *nearest = text_nearest(name, names);
    help_problem("there is no command '%s'%s%s%s; 'triphase --help' lists them", name,
                 nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'" : "");
    return EXIT_BAD_USAGE;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && !text_is(argv[i], "--"); i++)
        if (text_is(argv[i], "--help") || text_is(argv[i], "-h"))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    /* A reader of ours that goes away is an error of write(2), not a death without a word. */
    signal(SIGPIPE, SIG_IGN);
    setlocale(LC_CTYPE, "");
    AUTO_WORDS sets = WORDS_INIT;
    struct command_context context = {0};
    struct help_line lines[COUNT_OF(commands)];
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        lines[i] = commands[i].help;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        bool takes_value = text_is(argv[at], "-C") || text_is(argv[at], "--set");
        if (takes_value && at + 1 == argc) {
            help_problem("%s needs a value", argv[at]);
            return EXIT_BAD_USAGE;
        }
        if (text_is(argv[at], "-C")) {
            context.directory = argv[++at];
        } else if (text_is(argv[at], "--set")) {
            words_add(&sets, argv[++at]);
        } else if (text_is(argv[at], "--version")) {
            return help_version() < 0 ? EXIT_INTERNAL : EXIT_OK;
        } else if (text_is(argv[at], "--help") || text_is(argv[at], "-h")) {
            return help_all(lines, COUNT_OF(commands)) < 0 ? EXIT_INTERNAL : EXIT_OK;
        } else {
            help_problem("there is no global option '%s'; 'triphase --help' lists them", argv[at]);
            return EXIT_BAD_USAGE;
        }
    }
    if (at == argc) {
        help_all(lines, COUNT_OF(commands));
        return EXIT_BAD_USAGE;
    }
    const struct command *command = find(argv[at]);
    if (!command)
        return unknown_command(argv[at]);
    if (command->help.usage && wants_help(argc - at, argv + at))
        return help_command(&command->help) < 0 ? EXIT_INTERNAL : EXIT_OK;
    context.sets = words_argv(&sets);
    if (command->help.usage)
        take_signals();
    /* getopt's own messages begin with this word */
    AUTO_FREE char *title = xasprintf("triphase %s", argv[at]);
    argv[at] = title;
    return command->run(&context, argc - at, argv + at);
}
