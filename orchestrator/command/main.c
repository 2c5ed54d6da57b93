/* The program's entry: global options, then one command of the table. */
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "command/command.h"
#include "command/exit_code.h"

#include <locale.h>
#include <signal.h>
#include <string.h>

extern const struct command command_init, command_doctor, command_plan, command_create, command_run,
    command_resume, command_attach, command_cancel, command_destroy, command_cycle, command_status,
    command_ssh, command_probe, command_diagnose, command_inventory, command_report, command_events,
    command_bundle, command_config, command_trust, command_forget, command_store, command_sweep, command_up,
    command_drift, command_stage;

/* In the order of the help; the last is hidden: the body of a stage, run by the
 * worker as a supervised child. */
static const struct command *const commands[] = {
    &command_init,   &command_doctor,   &command_plan,      &command_create, &command_run,    &command_resume,
    &command_attach, &command_cancel,   &command_destroy,   &command_cycle,  &command_status, &command_ssh,
    &command_probe,  &command_diagnose, &command_inventory, &command_report, &command_events, &command_bundle,
    &command_config, &command_trust,    &command_forget,    &command_sweep,  &command_store,  &command_up,
    &command_drift,  &command_stage,
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
        if (text_is(commands[i]->help.name, name))
            return commands[i];
    return NULL;
}

static int unknown_command(const char *name)
{
    const char *names[COUNT_OF(commands) + 1] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (commands[i]->help.usage)
            names[count++] = commands[i]->help.name;
    static const char *const later[] = {"logs", "serve", "completion", NULL};
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
        lines[i] = commands[i]->help;
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
    context.command = command;
    return command->run(&context, argc - at, argv + at);
}
