#include "preflight/plan.h"
#include "ansible/inventory.h"
#include "ansible/vault_passwords.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "format/yaml.h"
#include "playbook/scan.h"
#include "preflight/ask_ansible.h"
#include "preflight/beyond.h"
#include "preflight/files.h"
#include "preflight/health.h"
#include "preflight/made.h"
#include "preflight/said.h"
#include "preflight/settings.h"
#include "preflight/tailnet.h"
#include "provider/planned.h"
#include "provider/provider.h"
#include "transport/choose.h"
#include "transport/key_agent.h"

#include <string.h>
#include <unistd.h>

/* Sockets that no run has: the text that is rendered for the questions must not change from one plan to
 * the next. */
static const char no_run[] = "00000000-0000-7000-8000-000000000000";

static char *phase_place(const struct plan_work *work, const struct phase *phase)
{
    return xasprintf("recipe %s, phase %s", work->recipe->name, phase->name);
}

/* ------------------------------------------------------------ what needs no Ansible */

static void choose_phase(struct plan_work *work, const struct words *wanted, const struct phase *phase)
{
    if (wanted && !words_have(wanted, phase->name))
        return;
    work->phases[work->phase_count++] = phase;
    if (!words_have(&work->playbooks, phase->playbook))
        words_add(&work->playbooks, phase->playbook);
}

static void choose_phases(struct plan_work *work, const struct words *wanted, bool bootstraps)
{
    const struct recipe *recipe = work->recipe;
    work->phases = xcalloc(recipe->phase_count + recipe->teardown_count + 2, sizeof(*work->phases));
    if (recipe->bootstrap && work->target->joins_tailnet)
        choose_phase(work, bootstraps ? NULL : wanted, recipe->bootstrap);
    for (size_t i = 0; i < recipe->phase_count; i++)
        choose_phase(work, wanted, &recipe->phases[i]);
    for (size_t i = 0; i < recipe->teardown_count; i++)
        choose_phase(work, wanted, &recipe->teardown[i]);
    for (size_t w = 0; wanted && w < wanted->count; w++) {
        const char *names[64] = {NULL};
        size_t count = 0;
        bool known = false;
        for (size_t i = 0; i < recipe->phase_count; i++) {
            known = known || text_is(recipe->phases[i].name, wanted->items[w]);
            if (count + 1 < COUNT_OF(names))
                names[count++] = recipe->phases[i].name;
        }
        const char *nearest = text_nearest(wanted->items[w], names);
        if (!known)
            plan_find(work->report, ERROR_USAGE, NULL, "recipe %s has no phase '%s'%s%s%s", recipe->name,
                      wanted->items[w], nearest ? ", did you mean '" : "", nearest ? nearest : "",
                      nearest ? "'?" : "");
    }
}

static void look_for_ansible(struct plan_work *work)
{
    const struct project *project = work->project;
    if (!project->ansible_found) {
        plan_find(
            work->report, ERROR_MISSING, NULL,
            "%s is not to be found; in the project's folder: " ANSIBLE_INSTALL_LINE
            " (or for the whole machine: apt-get install -y ansible-core), or name it with 'ansible:' in "
            "triphase.yml",
            project->ansible);
        return;
    }
    AUTO_ERROR err = ERROR_INIT;
    work->report->ansible_version = ansible_version(project->ansible, &err);
    if (!work->report->ansible_version)
        plan_find_error(work->report, NULL, &err);
}

static const struct tailnet_look *look_of(struct plan_work *work)
{
    if (!work->look.taken)
        tailnet_look_take(work->target->tailscale_socket, deadline_in(TAILNET_LOOK_S * NS_PER_S),
                          &work->look);
    return &work->look;
}

/* A way without one is not taken for such a phase (project_transports). */
static void require_tun(struct plan_work *work, const struct phase *phase, const char *place)
{
    const struct tailnet_look *look = look_of(work);
    AUTO_FREE char *mend = tailnet_look_mend(look);
    if (!project_transports(work->target, phase)->count)
        plan_find(work->report, ERROR_PROJECT, place,
                  "it requires a TUN, and the target's transports have none that has one: name another one "
                  "than tailnet-userspace, for the target or for this phase");
    if (!tun_is_usable(&look->tun))
        plan_find(work->report, ERROR_MISSING, place, "it requires a TUN device: %s", mend);
}

static void look_for_requirements(struct plan_work *work)
{
    for (size_t i = 0; i < work->phase_count; i++) {
        const struct phase *phase = work->phases[i];
        AUTO_FREE char *place = phase_place(work, phase);
        for (size_t r = 0; r < phase->require_count; r++) {
            const struct requirement *need = &phase->requires[r];
            if (!need->program) {
                require_tun(work, phase, place);
                continue;
            }
            AUTO_FREE char *path = ansible_find_required(work->project, need);
            if (!path)
                plan_find(work->report, ERROR_MISSING, place,
                          "the program %s is missing (looked beside %s, among its Python packages, in .venv/ "
                          "and in "
                          "PATH)%s%s",
                          need->program, work->project->ansible, need->install ? "; install it with: " : "",
                          need->install ? need->install : "");
        }
    }
}

/* As a run will say it: what the provider looks up for that is looked up now, and nothing is made. */
static int plan_machine(const struct plan_work *work, const struct provider *provider, struct error *err)
{
    AUTO_MACHINE *machine = machine_new();
    machine->id = xstrdup(no_run);
    machine->project = xstrdup(work->project->name);
    machine->target = xstrdup(work->target->name);
    machine->provider = xstrdup(work->target->provider);
    machine->directory = xasprintf("%s/machines/%s", work->state, no_run);
    return provider->plan(work->target, machine, err);
}

static void look_for_provider(struct plan_work *work, bool made)
{
    AUTO_ERROR err = ERROR_INIT;
    const struct provider *provider = provider_named(work->target->provider);
    if (!provider)
        plan_find(work->report, ERROR_PROJECT, NULL, "the provider %s is not in this version",
                  work->target->provider);
    else if (!made && (provider->check(work->target, &err) < 0 || plan_machine(work, provider, &err) < 0))
        plan_find_error(work->report, NULL, &err);
}

/* What makes hosts looks for it too; one that is made is still reached with it. */
static void look_for_ssh(struct plan_work *work, bool made)
{
    AUTO_FREE char *path = file_find_program("ssh", NULL);
    if (made && !path)
        plan_find(work->report, ERROR_MISSING, NULL,
                  "the program ssh is missing, and every host is reached with it: apt-get install -y "
                  "openssh-client");
}

/* Of a way that works and is known for what it does to long connections. */
static void warn_of_userspace(struct plan_work *work, const char *place)
{
    AUTO_FREE char *mend = tailnet_look_mend(look_of(work));
    plan_find_once(
        work->report, ERROR_NONE, place,
        xasprintf("the host is reached without a TUN (tailnet-userspace): connections that are long "
                  "or carry much may stall there; %s",
                  mend ? mend : "see 'triphase inventory --explain'"));
}

static void warn_of_start(struct plan_work *work, const char *place)
{
    plan_find_once(work->report, ERROR_NONE, place,
                   xasprintf("tailscaled at %s is in the state %s: a run waits until it is Running, within "
                             "the time of its stage transport",
                             work->look.tun.daemon_socket, work->look.status.state));
}

static void look_for_transport(struct plan_work *work, const struct phase *phase, const char *place)
{
    AUTO_ERROR err = ERROR_INIT;
    enum transport_kind kind;
    const struct transport_question question = {.names = project_transports(work->target, phase),
                                                .target = work->target,
                                                .machine = work->machine,
                                                .for_contact = true,
                                                .look = &work->look};
    if (transport_choose(&question, &kind, phase ? NULL : &work->report->evidence, &err) < 0)
        plan_find_error(work->report, place, &err);
    else if (transport_is_starting(kind, &work->look))
        warn_of_start(work, place);
    if (err.kind == ERROR_NONE && kind == TRANSPORT_TAILNET_USERSPACE)
        warn_of_userspace(work, place);
}

static void look_for_transports(struct plan_work *work)
{
    look_for_transport(work, NULL, NULL);
    for (size_t i = 0; i < work->phase_count; i++) {
        const struct phase *phase = work->phases[i];
        const struct words *names = project_transports(work->target, phase);
        AUTO_FREE char *place = phase_place(work, phase);
        if (names != &work->target->transports && names->count)
            look_for_transport(work, phase, place);
    }
}

/* `machine` NULL: not made yet, or not known. */
static void look_for_key(struct plan_work *work, const struct target *target, const struct machine *machine)
{
    AUTO_MACHINE *planned = machine ? NULL : planned_machine(work->project, target);
    AUTO_ERROR err = ERROR_INIT;
    if (key_agent_check(work->project, target, machine ? machine : planned, &err) < 0)
        plan_find_error(work->report, NULL, &err);
}

/* What opens the keys of the target and of its peers. */
static void look_for_keys(struct plan_work *work, const struct machine *machine)
{
    look_for_key(work, work->target, machine);
    for (size_t i = 0; i < work->target->peers.count; i++) {
        const struct target *peer = project_target(work->project, work->target->peers.items[i], NULL);
        if (peer)
            look_for_key(work, peer, NULL);
    }
}

static void look_at_phase_arguments(struct plan_work *work)
{
    for (size_t i = 0; i < work->phase_count; i++) {
        struct ansible_arguments arguments = {0};
        AUTO_ERROR err = ERROR_INIT;
        if (ansible_arguments_check(words_argv(&work->phases[i]->args), &arguments, &err) == 0) {
            ansible_arguments_clear(&arguments);
            continue;
        }
        AUTO_FREE char *place = phase_place(work, work->phases[i]);
        plan_find(work->report, ERROR_PROJECT, place, "args: %s", error_text(&err));
    }
}

/* What the user's inventories say of the host was asked before. */
static void look_at_variables(struct plan_work *work)
{
    for (size_t i = 0; i < work->target->refused.count; i++)
        plan_find(work->report, ERROR_PROJECT, NULL, "%s", work->target->refused.items[i]);
    for (size_t i = 0; i < work->target->noted.count; i++)
        plan_find(work->report, ERROR_NONE, NULL, "%s", work->target->noted.items[i]);
}

/* Renders as it will be, but without a machine. */
static void render(struct plan_work *work)
{
    const struct target *target = work->target;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_MACHINE *machine = planned_machine(work->project, target);
    enum transport_kind kind;
    const struct transport_question question = {.names = &target->transports,
                                                .target = target,
                                                .look = &work->look};
    if (transport_choose(&question, &kind, NULL, NULL) < 0)
        kind = TRANSPORT_DIRECT;
    AUTO_FREE char *sockets = layout_sockets(no_run, kind);
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    if (ssh_arguments_make(machine, target, kind, sockets, sockets, SSH_ALIVE_INTERVAL, 8, &ssh, &err) == 0) {
        struct inventory_request request = {.project = work->project,
                                            .host = {target, machine, kind, &ssh, NULL},
                                            .run = no_run};
        if (inventory_render(&request, &work->inventory, &work->expect, &err) == 0)
            return;
    }
    plan_find_error(work->report, NULL, &err);
}

/* Whether one -e value sets the variable. */
static bool extra_sets(const struct project *project, const char *extra, const char *variable)
{
    AUTO_NODE *values = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    if (*extra == '@') {
        AUTO_FREE char *path = file_join(project->directory, extra + 1);
        (void)yaml_read_file(path, path, &values, &faults);
    } else if (*extra == '{') {
        (void)yaml_read(extra, strlen(extra), "-e", &values, &faults);
    } else {
        size_t length = strlen(variable);
        for (const char *at = strstr(extra, variable); at; at = strstr(at + 1, variable))
            if ((at == extra || at[-1] == ' ') && at[length] == '=')
                return true;
        return false;
    }
    return node_get(values, variable) != NULL;
}

static bool is_answered(const struct plan_work *work, const struct phase *phase, const char *variable)
{
    const struct target *target = work->target;
    if (node_get(phase->vars, variable))
        return true;
    for (size_t i = 0; i < target->secret_count; i++)
        if (text_is(target->secrets[i].name, variable))
            return true;
    struct ansible_arguments own = {0};
    (void)ansible_arguments_check(words_argv(&phase->args), &own, NULL);
    bool found = false;
    for (size_t i = 0; i < own.extra.count; i++)
        found = found || extra_sets(work->project, own.extra.items[i], variable);
    const struct ansible_arguments *given = work->arguments;
    for (size_t i = 0; given && i < given->extra.count; i++)
        found = found || extra_sets(work->project, given->extra.items[i], variable);
    ansible_arguments_clear(&own);
    return found;
}

/* What the playbooks themselves say. `dynamic` gets those whose plays may match hosts that no inventory
 * knows. */
static void scan(struct plan_work *work, struct words *dynamic)
{
    for (size_t i = 0; i < work->playbooks.count; i++) {
        const char *playbook = work->playbooks.items[i];
        struct scan found = {0};
        scan_playbook(work->project, playbook, &found);
        for (size_t k = 0; k < found.count; k++) {
            const struct scan_item *item = &found.items[k];
            if (item->kind == SCAN_TEMPLATED || item->kind == SCAN_DYNAMIC) {
                plan_find(work->report, ERROR_NONE, item->where,
                          item->kind == SCAN_TEMPLATED ? "the host pattern '%s' is templated: which hosts it "
                                                         "matches is known only when it runs"
                                                       : "%s makes hosts or groups while it runs: which "
                                                         "hosts later plays match is not known before",
                          item->text);
                words_add(dynamic, playbook);
            } else if (item->kind == SCAN_RESTART) {
                plan_find(work->report, ERROR_NONE, item->where,
                          "%s is stopped or restarted while the task's own connection may run over it; where "
                          "that cuts it the task is lost: give the task 'async: 60' "
                          "and 'poll: 5', and its phase 'network_churn: true'",
                          item->text);
            }
            if (item->kind == SCAN_NAME)
                plan_files_name(work, item->where, item->text);
            plan_said(work, playbook, item);
            plan_beyond_keep(work, playbook, item);
            for (size_t p = 0; item->kind == SCAN_PROMPT && p < work->phase_count; p++)
                if (text_is(work->phases[p]->playbook, playbook) &&
                    !is_answered(work, work->phases[p], item->text)) {
                    AUTO_FREE char *place = phase_place(work, work->phases[p]);
                    plan_find(work->report, ERROR_PROJECT, item->where,
                              "vars_prompt asks for %s, and nobody answers a supervised phase (%s); give it "
                              "a value under the phase's vars, the target's secrets, or with "
                              "'-- -e %s=…'",
                              item->text, place, item->text);
                }
        }
        scan_clear(&found);
    }
    plan_said_by_inventories(work);
}

int plan_check(const struct project *project, const struct target *target, const struct plan_options *options,
               struct plan_report *out, struct error *err)
{
    struct plan_report report = {.target = xstrdup(target->name)};
    struct plan_work work = {.project = project,
                             .target = target,
                             .recipe = project_recipe(project, target->recipe),
                             .arguments = options->arguments,
                             .forget = options->forget,
                             .questions_ns = options->questions_ns,
                             .report = &report,
                             .machine = options->machine,
                             .environment =
                                 options->environment ? options->environment : (const char *const *)environ,
                             .state = layout_state(project->directory)};
    AUTO_WORDS dynamic = WORDS_INIT;
    int result = ansible_settings_read(project->directory, work.environment, &work.settings, err);
    if (result == 0)
        result = layout_make(work.state, err);
    if (result == 0) {
        choose_phases(&work, options->phases, options->bootstraps);
        look_for_ansible(&work);
        look_for_requirements(&work);
        look_for_provider(&work, options->machine != NULL);
        look_for_ssh(&work, options->machine != NULL);
        plan_made(project, target, work.state, options->create, options->peers_seen_to, &report);
        look_for_transports(&work);
        plan_tailnet(&report, target, options->machine, work.recipe);
        plan_health(&report, target);
        look_for_keys(&work, options->machine);
        plan_files_look(&work, options->machine);
        look_at_phase_arguments(&work);
        look_at_variables(&work);
        plan_settings(&report, project, target, &work.settings);
        render(&work);
        scan(&work, &dynamic);
        if (project->ansible_found && work.inventory && work.playbooks.count)
            plan_ask_ansible(&work, &dynamic);
    }
    vault_passwords_forget();
    ansible_settings_clear(&work.settings);
    words_clear(&work.playbooks);
    scan_clear(&work.delegates);
    words_clear(&work.patterns);
    tailnet_look_clear(&work.look);
    json_free(work.expect);
    free(work.inventory);
    free(work.phases);
    free(work.state);
    if (result < 0) {
        plan_report_clear(&report);
        return -1;
    }
    *out = report;
    return 0;
}
