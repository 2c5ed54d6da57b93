/* triphase inventory TARGET [--explain] [--transport NAME] [--json]: renders without contact. */
#include "ansible/inventory.h"
#include "ansible/peers.h"
#include "base/memory.h"
#include "base/moment.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/project_access.h"
#include "config/layout.h"
#include "control/reach.h"
#include "tailnet/look_told.h"
#include "transport/route.h"
#include "view/help.h"
#include "view/inventory_view.h"

#define UNMADE "00000000-0000-7000-8000-000000000000"

/* The sockets of whoever uses the rendered inventory by hand: the machine's own, apart from any run's. */
static int find_sockets(const struct reach *reach, char **out, struct error *err)
{
    AUTO_FREE char *path = layout_sockets(reach->made ? reach->machine->id : UNMADE, reach->kind);
    if (reach->made && layout_make_sockets(path, err) < 0)
        return -1;
    *out = TAKE(path);
    return 0;
}

static int render(const struct reach *reach, char **yaml, struct error *err)
{
    AUTO_FREE char *sockets = NULL;
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    struct transport_route route = {0};
    if (find_sockets(reach, &sockets, err) < 0 ||
        ssh_arguments_make(reach->machine, reach->target, reach->kind, sockets, NULL, SSH_ALIVE_INTERVAL, 8,
                           &ssh, err) < 0)
        return -1;
    /* Only ssh knows what %C stands for; without an address, or without ssh, nobody does. */
    if (ssh.host)
        (void)transport_resolve(&ssh, &route, NULL);
    AUTO_PEERS peers = PEERS_INIT;
    AUTO_FREE char *state = layout_state(reach->project->directory);
    if (peers_find(reach->project, reach->target, state, reach->made ? reach->machine->id : UNMADE, 8,
                   PEERS_LENIENT, &peers, err) < 0) {
        transport_route_clear(&route);
        return -1;
    }
    struct inventory_request request = {.project = reach->project,
                                        .host = {reach->target, reach->machine, reach->kind, &ssh,
                                                 route.control_path},
                                        .peers = peers.hosts,
                                        .peer_count = peers.count};
    int result = inventory_render(&request, yaml, NULL, err);
    transport_route_clear(&route);
    return result;
}

/* From the look that the choice of the transport was made from; where no tailnet was in question, from one of
 * its own. */
static void look(struct reach *reach, struct json **tun, struct json **looked)
{
    const char *address = reach->made ? machine_address(reach->machine, TRANSPORT_TAILNET) : NULL;
    if (!reach->look.taken)
        tailnet_look_take(reach->target->tailscale_socket, deadline_in(TAILNET_LOOK_S * NS_PER_S),
                          &reach->look);
    *tun = tun_json(&reach->look.tun);
    *looked = look_told(&reach->look, address, reach->target->control_server);
}

/* EXIT_OK, or the code of what is wrong, which was said. */
static int show(struct reach *reach, bool found, const char *yaml, bool explain, bool as_json)
{
    AUTO_JSON *tun = NULL, *looked = NULL;
    if (explain || as_json)
        look(reach, &tun, &looked);
    struct inventory_view view = {.target = reach->target->name,
                                  .transport = found ? transport_name(reach->kind) : NULL,
                                  .yaml = yaml,
                                  .evidence = reach->evidence,
                                  .tun = tun,
                                  .looked = looked,
                                  .made = reach->made};
    if ((as_json ? inventory_view_print_json(&view) : inventory_view_print(&view, explain)) == 0)
        return EXIT_OK;
    help_problem("cannot write to standard output");
    return EXIT_INTERNAL;
}

static const struct option options[] = {{"explain", no_argument, NULL, 'e'},
                                        {"transport", required_argument, NULL, 't'},
                                        {"json", no_argument, NULL, 'j'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool explain = false, json = false;
    const char *transport = NULL;
    optind = 0;
    for (int option; (option = options_next(context->command, argc, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        explain = explain || option == 'e';
        json = json || option == 'j';
        if (option == 't')
            transport = optarg;
    }
    if (argc - optind != 1) {
        help_problem("inventory takes one target: triphase inventory TARGET");
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
    AUTO_PROJECT *project = NULL;
    const struct target *target = NULL;
    struct reach reach = {0};
    AUTO_FREE char *yaml = NULL;
    AUTO_WORDS said = WORDS_INIT;
    bool found = project_access_load(context, argv[optind], &project, &target, &err) == 0 &&
                 reach_find(project, target, transport, NULL, &said, &reach, &err) == 0;
    help_notes(&said);
    /* Where no way can be used the evidence is what was asked for, too. */
    bool shown = found ? render(&reach, &yaml, &err) == 0 : reach.evidence && (explain || json);
    int code = shown ? show(&reach, found, yaml, explain, json) : EXIT_OK;
    reach_clear(&reach);
    if (err.kind == ERROR_NONE || code != EXIT_OK)
        return code;
    help_problem("%s", error_text(&err));
    return exit_code_of(&err);
}

const struct command command_inventory = {
    .help = {"inventory", "TARGET [--explain] [--transport NAME] [--json]",
             "the rendered inventory, and the evidence for it"},
    .options = options,
    .run = call,
};
