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

static bool hands_on(const char *command)
{
    static const char *const commands[] = {"plan", "create", "run", "resume", "cycle"};
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (text_is(commands[i], command))
            return true;
    return false;
}

static void refuse(const char *command, const char *word, const struct option *options)
{
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
    text_addf(&out, "%s has no option '%s'", command, shown);
    if (meant)
        text_addf(&out, "; did you mean '%s'?", meant);
    if (hands_on(command))
        text_addf(&out, "%s what is for ansible-playbook goes behind '--': triphase %s ... -- %s",
                  meant ? " Else" : ";", command, shown);
    else
        text_addf(&out, "%s 'triphase %s --help' lists them", meant ? "" : ";", command);
    help_problem("%s", text_string(&out));
}

/* How many words an option takes, itself included; 0 for one that the command does not have. */
static int words_of(const char *word, const char *letters, const struct option *options)
{
    if (word[1] != '-') {
        const char *letter = word[1] == ':' ? NULL : strchr(letters, word[1]);
        return !letter ? 0 : letter[1] == ':' && !word[2] ? 2 : 1;
    }
    size_t length = strcspn(word + 2, "=");
    for (; options->name; options++)
        if (strlen(options->name) == length && strncmp(options->name, word + 2, length) == 0)
            return options->has_arg == required_argument && !word[2 + length] ? 2 : 1;
    return 0;
}

static bool all_known(int argc, char **argv, const char *letters, const struct option *options)
{
    /* getopt's own messages begin with "triphase COMMAND". */
    const char *command = text_starts(argv[0], "triphase ") ? argv[0] + strlen("triphase ") : argv[0];
    for (int at = 1, taken = 1; at < argc && !text_is(argv[at], "--"); at += taken) {
        taken = argv[at][0] == '-' && argv[at][1] ? words_of(argv[at], letters, options) : 1;
        if (!taken) {
            refuse(command, argv[at], options);
            return false;
        }
    }
    return true;
}

int options_next(int argc, char **argv, const char *letters, const struct option *options)
{
    if (optind == 0 && !all_known(argc, argv, letters, options))
        return '?';
    return getopt_long(argc, argv, letters, options, NULL);
}
