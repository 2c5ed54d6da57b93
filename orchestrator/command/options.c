#include "command/options.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "view/help.h"

#include <string.h>

int options_dashes(int argc, char **argv)
{
    int at = 0;
    while (at < argc && !text_is(argv[at], "--"))
        at++;
    return at;
}

static void refuse(const struct command *command, const char *word)
{
    const struct option *options = command->options;
    AUTO_FREE char *name = xstrndup(word, strcspn(word, "=")), *shown = text_shown(name);
    AUTO_WORDS names = WORDS_INIT;
    const char *begun = NULL;
    for (size_t i = 0; options[i].name; i++) {
        words_addf(&names, "--%s", options[i].name);
        if (!begun && strlen(name) > 2 && text_starts(names.items[i], name))
            begun = names.items[i];
    }
    const char *meant = begun ? begun : text_nearest(name, words_argv(&names));
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s has no option '%s'", command->help.name, shown);
    if (meant)
        text_addf(&out, "; did you mean '%s'?", meant);
    if (command->hands_on)
        text_addf(&out, "%s what is for ansible-playbook goes behind '--': triphase %s ... -- %s",
                  meant ? " Else" : ";", command->help.name, shown);
    else
        text_addf(&out, "%s 'triphase %s --help' lists them", meant ? "" : ";", command->help.name);
    help_problem("%s", text_string(&out));
}

/* How many words an option takes, itself included; 0 for one that the command does not have. */
static int words_of(const struct command *command, const char *word)
{
    if (word[1] != '-') {
        const char *letter = word[1] == ':' || !command->letters ? NULL : strchr(command->letters, word[1]);
        return !letter ? 0 : letter[1] == ':' && !word[2] ? 2 : 1;
    }
    size_t length = strcspn(word + 2, "=");
    for (const struct option *option = command->options; option->name; option++)
        if (strlen(option->name) == length && strncmp(option->name, word + 2, length) == 0)
            return option->has_arg == required_argument && !word[2 + length] ? 2 : 1;
    return 0;
}

static bool all_known(const struct command *command, int argc, char **argv)
{
    for (int at = 1, taken = 1; at < argc && !text_is(argv[at], "--"); at += taken) {
        taken = argv[at][0] == '-' && argv[at][1] ? words_of(command, argv[at]) : 1;
        if (!taken) {
            refuse(command, argv[at]);
            return false;
        }
    }
    return true;
}

int options_next(const struct command *command, int argc, char **argv)
{
    if (optind == 0 && !all_known(command, argc, argv))
        return '?';
    return getopt_long(argc, argv, command->letters ? command->letters : "", command->options, NULL);
}
