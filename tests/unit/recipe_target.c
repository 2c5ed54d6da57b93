/* What a recipe wants of every target of its kind: a layer of its own, above what is built in and below all
 * that the user says, field by field. */
#include "base/memory.h"
#include "base/text.h"
#include "folder.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(recipe_target, .timeout = 60, .fini = folder_clean);

#define PHASES "phases:\n  - {name: install, playbook: playbooks/install.yml}\n"

static void recipe(const char *target)
{
    folder_fill();
    AUTO_FREE char *text = xasprintf("%s" PHASES, target);
    folder_write("phases/vault.yml", text);
}

static void expect(const struct project *project, const char *path, const char *value)
{
    AUTO_FREE char *said = folder_explain(project, path);
    cr_assert_not_null(said, "%s", path);
    cr_expect_str_eq(said, value, "%s: %s", path, said);
}

Test(recipe_target, each_layer_above_it_takes_the_fields_that_it_gives_and_leaves_the_others)
{
    recipe("target:\n  user: a\n  port: 1\n  python: /a\n  env: [A]\n  deadline: 1m\n  groups: [a]\n"
           "  vars: {of_recipe: 1, of_user: 1, of_target: 1}\n  stage_deadline: {ready: 1m, tailnet: 1m}\n");
    folder_write("home/.config/triphase/config.yml",
                 "defaults: {port: 2, stage_deadline: {tailnet: 2m}, vars: {of_user: 2}}\n");
    folder_write(
        "triphase.yml",
        "project: demo\ndefaults: {python: /c}\nproviders: {sandbox: {env: [D]}}\ntargets:\n  vault:\n"
        "    recipe: vault\n    deadline: 5m\n    vars: {of_target: 5}\n");
    folder_environment("TRIPHASE_TARGETS_VAULT_GROUPS=[f]", NULL);
    AUTO_PROJECT *project = folder_load();
    AUTO_FREE char *users = folder_path("home/.config/triphase/config.yml");
    AUTO_FREE char *port = xasprintf("2 <- %s:1:12 | phases/vault.yml:3:3: 1", users);
    AUTO_FREE char *of_user = xasprintf("2 <- %s:1:59 | phases/vault.yml:8:24: 1", users);
    AUTO_FREE char *tailnet = xasprintf("2m <- %s:1:38 | phases/vault.yml:9:31: 1m | built-in: 2m", users);
    expect(project, "targets.vault.user", "a <- phases/vault.yml:2:3");
    expect(project, "targets.vault.port", port);
    expect(project, "targets.vault.python",
           "/c <- triphase.yml:2:12 | phases/vault.yml:4:3: /a | built-in: auto");
    expect(project, "targets.vault.env",
           "[D] <- triphase.yml:3:23 | phases/vault.yml:5:3: [A] | built-in: []");
    expect(project, "targets.vault.deadline",
           "5m <- triphase.yml:7:5 | phases/vault.yml:6:3: 1m | built-in: 2h");
    expect(project, "targets.vault.groups",
           "[f] <- environment TRIPHASE_TARGETS_VAULT_GROUPS | phases/vault.yml:7:3: [a] | built-in: []");
    expect(project, "targets.vault.vars.of_recipe", "1 <- phases/vault.yml:8:10");
    expect(project, "targets.vault.vars.of_user", of_user);
    expect(project, "targets.vault.vars.of_target", "5 <- triphase.yml:8:12 | phases/vault.yml:8:36: 1");
    expect(project, "targets.vault.stage_deadline.ready", "1m <- phases/vault.yml:9:20 | built-in: 60s");
    expect(project, "targets.vault.stage_deadline.tailnet", tailnet);
    const struct target *target = &project->targets[0];
    cr_expect_str_eq(target->user, "a");
    cr_expect_eq(target->port, 2);
    cr_expect_str_eq(target->groups.items[0], "f");
}

Test(recipe_target, it_counts_for_targets_of_that_recipe_alone)
{
    recipe("target: {user: deploy, groups: [kind]}\n");
    folder_write("phases/other.yml", PHASES);
    folder_write("triphase.yml", "project: demo\ntargets:\n  vault: {recipe: vault}\n  second: {recipe: "
                                 "vault}\n  other: {recipe: other}\n");
    AUTO_PROJECT *project = folder_load();
    cr_expect_str_eq(project->targets[0].user, "deploy");
    cr_expect_str_eq(project->targets[1].user, "deploy");
    cr_expect_eq(project->targets[2].groups.count, 0);
    expect(project, "targets.other.user", "null <- built-in (from the provider, else ssh's own)");
}

Test(recipe_target, what_says_which_host_it_is_does_not_belong_there)
{
    recipe("target:\n  provider: static\n  recipe: vault\n  address: 192.0.2.7\n  host_keys: accept-new\n  "
           "host_name: one\n"
           "  nonsense: 1\n  deadline: soon\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    static const char *const says[] = {
        "phases/vault.yml:2:3: 'provider' does not belong",
        "phases/vault.yml:3:3: 'recipe' does not belong",
        "phases/vault.yml:4:3: 'address' does not belong into 'recipes.vault.target', "
        "which is for every target of the recipe",
        "phases/vault.yml:5:3: 'host_keys' does not belong",
        "phases/vault.yml:6:3: 'host_name' does not belong",
        "phases/vault.yml:7:3: unknown key 'nonsense'",
        "phases/vault.yml:8:13: 'deadline': 'soon' is no duration"};
    for (size_t i = 0; i < COUNT_OF(says); i++)
        cr_has(said, says[i]);
}
