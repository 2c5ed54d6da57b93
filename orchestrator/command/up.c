/* triphase up [--tun|--userspace] [--own] [--within DURATION] [--json], triphase up --down: this machine in
 * its tailnet, and out of it. */
#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "config/invoker.h"
#include "config/operator_load.h"
#include "config/programs.h"
#include "process/child.h"
#include "tailnet/bring_down.h"
#include "tailnet/bring_up.h"
#include "view/up_view.h"

#include <unistd.h>

#define WITHIN (2 * 60 * NS_PER_S)

static const struct option options[] = {{"tun", no_argument, NULL, 't'},
                                        {"userspace", no_argument, NULL, 'u'},
                                        {"own", no_argument, NULL, 'o'},
                                        {"down", no_argument, NULL, 'd'},
                                        {"within", required_argument, NULL, 'w'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

struct wish {
    enum bring_up_mode mode;
    bool tun, userspace, own, down, json;
    int64_t within_ns;
};

/* EXIT_OK, or the code of what is wrong, which was said. */
static int read_words(struct command_context *context, int argc, char **argv, struct wish *wish)
{
    AUTO_ERROR err = ERROR_INIT;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        wish->tun = wish->tun || option == 't';
        wish->userspace = wish->userspace || option == 'u';
        wish->own = wish->own || option == 'o';
        wish->down = wish->down || option == 'd';
        wish->json = wish->json || option == 'j';
        if (option == 'w' && duration_parse(optarg, &wish->within_ns, &err) < 0) {
            help_problem("--within: %s", error_text(&err));
            return EXIT_BAD_USAGE;
        }
    }
    if (optind < argc)
        help_problem("up takes no argument '%s'", argv[optind]);
    else if (wish->tun && wish->userspace)
        help_problem("--tun and --userspace exclude each other");
    else if (wish->down && (wish->tun || wish->userspace || wish->own))
        help_problem(
            "--down ends what 'triphase up' started, whatever it is: it takes neither --own nor --tun nor "
            "--userspace");
    else
        return EXIT_OK;
    return EXIT_BAD_USAGE;
}

/* An API that is out of reach is a service that lacks; not Running in time is a way that is not there. */
static int code_of(const struct error *err)
{
    switch (err->kind) {
    case ERROR_UNREACHABLE:
        return EXIT_MISSING;
    case ERROR_DEADLINE:
        return EXIT_UNREACHABLE;
    default:
        return exit_code_of(err);
    }
}

static void tell(void *context, const char *line)
{
    (void)context;
    help_note("%s", line);
}

/* What the files say, in a project or without one. */
struct said {
    struct operator_settings settings;
    char *directory; /* NULL: nothing was found */
};

static int load(const struct command_context *context, struct said *out, struct error *err)
{
    AUTO_WORDS warnings = WORDS_INIT;
    AUTO_FREE char *program = programs_own();
    struct config_sources sources = {.start = context->directory,
                                     .environment = (const char *const *)environ,
                                     .sets = context->sets,
                                     .program = program};
    const struct secret *secret;
    if (operator_load(&sources, &out->settings, &out->directory, &warnings, err) < 0)
        return -1;
    for (size_t i = 0; i < warnings.count; i++)
        help_note("warning: %s", warnings.items[i]);
    for (size_t i = 0; (secret = tailnet_login_secret(&out->settings.login, i, NULL)); i++)
        if (secret->kind == SECRET_ENV)
            child_keep_back(secret->where);
    return 0;
}

static int go_up(const struct wish *wish, const struct said *said)
{
    const char *named = environment_value((const char *const *)environ, "TAILSCALE_SOCKET");
    struct bring_up_order order = {.settings = &said->settings,
                                   .directory = said->directory,
                                   .socket = named ? named : said->settings.socket,
                                   .mode = wish->mode,
                                   .own = wish->own,
                                   .tell = tell};
    AUTO_BRING_UP_END end = {.socket = NULL};
    AUTO_ERROR err = ERROR_INIT;
    if (bring_up(&order, deadline_in(wish->within_ns), &end, &err) < 0) {
        help_problem("%s", error_text(&err));
        return code_of(&err);
    }
    return (wish->json ? up_view_print_json(&end) : up_view_print(&end)) < 0 ? EXIT_INTERNAL : EXIT_OK;
}

static int go_down(const struct wish *wish, const struct said *said)
{
    struct bring_down_order order = {.settings = said->directory ? &said->settings : NULL,
                                     .directory = said->directory,
                                     .tell = tell};
    AUTO_BRING_DOWN_END end = {.name = NULL};
    AUTO_ERROR err = ERROR_INIT;
    if (bring_down(&order, deadline_in(wish->within_ns), &end, &err) < 0) {
        help_problem("%s", error_text(&err));
        return code_of(&err);
    }
    if ((wish->json ? up_view_print_down_json(&end) : up_view_print_down(&end)) < 0)
        return EXIT_INTERNAL;
    return end.left.count ? EXIT_PROVIDER : EXIT_OK;
}

/* What runs is ended whatever the files say now. */
static int act(const struct wish *wish, const struct said *said, const struct error *why)
{
    if (wish->down && !said->directory)
        help_note("warning: the files cannot be read, so no API is asked: %s", error_text(why));
    if (wish->down)
        return go_down(wish, said);
    if (said->directory)
        return go_up(wish, said);
    help_problem("%s", error_text(why));
    return exit_code_of(why);
}

static int call(struct command_context *context, int argc, char **argv)
{
    struct wish wish = {.within_ns = WITHIN};
    struct said said = {.directory = NULL};
    AUTO_ERROR err = ERROR_INIT;
    int code = read_words(context, argc, argv, &wish);
    if (code != EXIT_OK)
        return code;
    wish.mode = wish.tun ? BRING_UP_TUN : wish.userspace ? BRING_UP_USERSPACE : BRING_UP_BY_EVIDENCE;
    (void)load(context, &said, &err);
    code = act(&wish, &said, &err);
    operator_settings_clear(&said.settings);
    free(said.directory);
    return code;
}

const struct command command_up = {
    .help = {"up",
             "[--tun|--userspace] [--own] [--within DURATION] [--json] | --down [--within DURATION] [--json]",
             "brings this machine into its tailnet, and out of it"},
    .options = options,
    .run = call,
};
