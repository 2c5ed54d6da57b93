/* triphase plan [TARGET] [--json] [--contact] [-- ARGUMENTS]: everything that can be checked
 * before anything is made. */
#include "preflight/plan.h"
#include "ansible/host_variables.h"
#include "base/memory.h"
#include "base/text.h"
#include "command/command.h"
#include "command/exit_code.h"
#include "command/options.h"
#include "command/plan_contact.h"
#include "command/project_access.h"
#include "view/help.h"
#include "view/plan_view.h"

#include <stdio.h>

static int unwritten(void)
{
    help_problem("cannot write to standard output");
    return EXIT_INTERNAL;
}

/* One target; its exit code. */
static int plan_one(struct project *project, const struct target *target, const struct plan_options *options,
                    bool contact, struct json *list)
{
    AUTO_ERROR err = ERROR_INIT, failed = ERROR_INIT;
    struct plan_report report = {0};
    host_variables_fill(project, target->name, NULL);
    if (plan_check(project, target, options, &report, &err) < 0) {
        help_problem("%s: %s", target->name, error_text(&err));
        return exit_code_of(&err);
    }
    int result = plan_error(&report, &err) < 0 ? exit_code_of(&err) : EXIT_OK;
    if (contact && plan_contact(project, target, report.ansible_version, &report.contact, &failed) < 0)
        result = exit_code_worse(result, exit_code_of(&failed));
    if (list)
        json_append(list, plan_json(&report));
    else if (plan_view_print(project, target, &report) < 0)
        result = unwritten();
    plan_report_clear(&report);
    return result;
}

static int plan_all(struct command_context *context, const char *name, const struct plan_options *options,
                    bool contact, bool json)
{
    AUTO_PROJECT *project = NULL;
    const struct target *target = NULL;
    int opened = project_access_open(context, name, &project, &target);
    if (opened != EXIT_OK)
        return opened;
    AUTO_JSON *list = json ? json_new_array() : NULL;
    int code = EXIT_OK;
    for (size_t i = 0; i < project->target_count; i++)
        if (!target || target == &project->targets[i])
            code = exit_code_worse(code, plan_one(project, &project->targets[i], options, contact, list));
    if (list) {
        AUTO_JSON *object = json_new_object();
        json_set_integer(object, "version", 1);
        json_set(object, "plans", TAKE(list));
        AUTO_FREE char *text = json_pretty(object);
        if (puts(text) < 0 || fflush(stdout) != 0)
            code = unwritten();
    }
    return code;
}

static const struct option options[] = {{"json", no_argument, NULL, 'j'},
                                        {"again", no_argument, NULL, 'a'},
                                        {"contact", no_argument, NULL, 'c'},
                                        {0}};

static int call(struct command_context *context, int argc, char **argv)
{
    bool json = false, again = false, contact = false;
    int dashes = options_dashes(argc, argv);
    optind = 0;
    for (int option; (option = options_next(context->command, dashes, argv)) != -1;) {
        if (option == '?')
            return EXIT_BAD_USAGE;
        json = json || option == 'j';
        again = again || option == 'a';
        contact = contact || option == 'c';
    }
    if (dashes - optind > 1) {
        help_problem("plan takes one target at most; 'triphase plan' looks at all");
        return EXIT_BAD_USAGE;
    }
    AUTO_ERROR err = ERROR_INIT;
    struct ansible_arguments arguments = {0};
    struct plan_options how = {.forget = again};
    if (dashes + 1 < argc) {
        how.arguments = &arguments;
        if (ansible_arguments_check((const char *const *)argv + dashes + 1, &arguments, &err) < 0) {
            help_problem("%s", error_text(&err));
            return EXIT_BAD_USAGE;
        }
    }
    int code = plan_all(context, optind < dashes ? argv[optind] : NULL, &how, contact, json);
    ansible_arguments_clear(&arguments);
    return code;
}

const struct command command_plan = {
    .help =
        {"plan", "[TARGET] [--contact] [--again] [--json] [-- ANSIBLE ARGUMENTS]",
         "check everything that can be checked before anything is made; --contact asks host and cloud too"},
    .options = options,
    .hands_on = true,
    .run = call,
};
