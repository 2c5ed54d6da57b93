/* Environment variables and --set: names to paths, what is reserved, what is refused. */
#include "folder.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/invoker.h"

#include <criterion/criterion.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

TestSuite(environment, .timeout = 60, .init = folder_fill, .fini = folder_clean);

Test(environment, every_kind_of_path_has_a_variable)
{
    folder_environment("TRIPHASE_PROJECT=other", "TRIPHASE_KEEP=1d",
                       "TRIPHASE_DEFAULTS_TRANSPORT=[tailnet, direct]",
                       "TRIPHASE_PROVIDERS_SANDBOX_ROOT=debian-11", "TRIPHASE_TARGETS_VAULT_HOST_NAME=v1",
                       "TRIPHASE_TARGETS_VAULT_STAGE_DEADLINE_READY=3s", "TRIPHASE_TARGETS_VAULT_PORT=2222",
                       "TRIPHASE_TARGETS_VAULT_ADDRESS=10.1", "TRIPHASE_TARGETS_VAULT_USER=1000",
                       "TRIPHASE_TARGETS_VAULT_PROTECTED=yes", "TRIPHASE_PHASES_VAULT_INSTALL_DEADLINE=7m",
                       "TRIPHASE_PHASES_VAULT_DEFAULTS_SILENCE=8m", "TRIPHASE_PHASES_VAULT_INSTALL_ARGS=[-v]",
                       "TRIPHASE_TARGETS_VAULT_BECOME_PASSWORD={env: SUDO_PASSWORD}", NULL);
    AUTO_PROJECT *project = folder_load();
    const struct target *target = &project->targets[0];
    const struct phase *phase = &project->recipes[0].phases[0];
    cr_assert_str_eq(project->name, "other");
    cr_assert_eq(project->keep_ns, 86400 * NS_PER_S);
    cr_assert_str_eq(target->transports.items[0], "tailnet");
    cr_assert_str_eq(target->root, "debian-11");
    cr_assert_str_eq(target->host_name, "v1");
    cr_assert_eq(target->ready_ns, 3 * NS_PER_S);
    cr_assert_eq(target->port, 2222);
    cr_assert_str_eq(target->address, "10.1", "a text is taken as it is");
    cr_assert_str_eq(target->user, "1000");
    cr_assert(target->protected);
    cr_assert_str_eq(target->become_password.where, "SUDO_PASSWORD");
    cr_assert_eq(phase->limits.of[WATCHDOG_DEADLINE], 420 * NS_PER_S);
    cr_assert_eq(phase->limits.of[WATCHDOG_SILENCE], 480 * NS_PER_S);
    cr_assert_str_eq(phase->args.items[0], "-v");
    AUTO_FREE char *said = folder_explain(project, "phases.vault.install.deadline");
    cr_assert_str_eq(said, "7m <- environment TRIPHASE_PHASES_VAULT_INSTALL_DEADLINE | built-in: 30m");
}

Test(environment, a_name_without_a_path_is_refused_with_the_nearest)
{
    folder_environment("TRIPHASE_TARGETS_VALT_ROOT=host", "TRIPHASE_PHASES_VAULT_INSTALL_DEADLIN=1m",
                       "TRIPHASE_PHASES_VAULT_INSTALL_NAME=x", NULL);
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "environment TRIPHASE_TARGETS_VALT_ROOT: there is no such setting in this project; the "
                 "nearest is TRIPHASE_TARGETS_VAULT_ROOT");
    cr_has(said, "environment TRIPHASE_PHASES_VAULT_INSTALL_DEADLIN: there is no such setting in this "
                 "project; the nearest is TRIPHASE_PHASES_VAULT_INSTALL_DEADLINE");
    cr_has(said, "environment TRIPHASE_PHASES_VAULT_INSTALL_NAME: there is no such");
}

Test(environment, a_name_with_two_paths_is_refused_with_both)
{
    folder_write("triphase.yml",
                 "project: demo\ntargets:\n  vault: {recipe: vault, vars: {a_b: 1, A_B: 2}}\n");
    folder_environment("TRIPHASE_TARGETS_VAULT_VARS_A_B=3", NULL);
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "environment TRIPHASE_TARGETS_VAULT_VARS_A_B: it could mean targets.vault.vars.");
    cr_has(said, "targets.vault.vars.a_b");
    cr_has(said, "targets.vault.vars.A_B");
}

Test(environment, a_target_and_a_key_that_read_alike_are_told_apart_or_refused)
{
    /* vault + key_passphrase and vault-key + passphrase… only the former is a key. */
    folder_write("triphase.yml",
                 "project: demo\ntargets:\n  vault: {recipe: vault}\n  vault-stage: {recipe: vault}\n");
    folder_environment("TRIPHASE_TARGETS_VAULT_STAGE_DEADLINE=5m", NULL);
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "it could mean targets.vault.stage_deadline or targets.vault-stage.deadline; use --set");
}

Test(environment, reserved_and_empty_names_are_no_configuration)
{
    folder_environment("TRIPHASE_RUN=x", "TRIPHASE_STEP=x", "TRIPHASE_EVENTS=x", "TRIPHASE_NO_CGROUP=1",
                       "TRIPHASE_PENDING_HANDLERS=x", "TRIPHASE_EXPECT=x",
                       "TRIPHASE_TARGETS_VAULT_ROOT=", "TRIPHASE_NONSENSE=", "TRIPHASER=x",
                       "triphase_keep=1d", NULL);
    AUTO_PROJECT *project = folder_load();
    cr_assert_str_eq(project->targets[0].root, "debian-12");
}

Test(environment, bad_values_are_told_with_the_variables_name)
{
    folder_environment("TRIPHASE_KEEP=soon", "TRIPHASE_DEFAULTS_GROUPS=[a", "TRIPHASE_DEFAULTS_ON=1d",
                       "TRIPHASE_DEFAULTS_ROOT=d\xe9", "TRIPHASE_DEFAULTS_KEY=-x",
                       "TRIPHASE_DEFAULTS_SECRETS_X=1", NULL);
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "environment TRIPHASE_KEEP: 'keep': 'soon' is no duration");
    cr_has(said, "environment TRIPHASE_DEFAULTS_GROUPS:");
    cr_has(said, "environment TRIPHASE_DEFAULTS_ON: 'on' is not in this version");
    cr_has(said, "environment TRIPHASE_DEFAULTS_ROOT: the value is not UTF-8 text");
    cr_has(said, "environment TRIPHASE_DEFAULTS_KEY: 'key': '-x' begins with '-'");
}

Test(environment, a_secret_given_plainly_is_refused_and_never_repeated)
{
    static const char *const values[] = {"hunter2",      "*hunter2",
                                         "!hunter2 x",   "[hunter2",
                                         "{hunter2: x}", "{env: hunter2-x}",
                                         "'hunter2",     "{file: hunter2, env: b}"};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        AUTO_FREE char *entry = xasprintf("TRIPHASE_TARGETS_VAULT_BECOME_PASSWORD=%s", values[i]);
        folder_environment(entry, NULL);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, "environment TRIPHASE_TARGETS_VAULT_BECOME_PASSWORD:");
        cr_has_not(said, "hunter2");
    }
    folder_environment(NULL, NULL);
    folder_sets("targets.vault.secrets.token=hunter2", NULL);
    AUTO_FREE char *said = folder_refusal(ERROR_USAGE);
    cr_has_not(said, "hunter2");
}

Test(environment, of_a_map_and_its_field_the_field_counts)
{
    folder_environment("TRIPHASE_DEFAULTS_STAGE_DEADLINE_READY=2s",
                       "TRIPHASE_DEFAULTS_STAGE_DEADLINE={ready: 1s, destroy: 1s}", NULL);
    AUTO_PROJECT *project = folder_load();
    cr_assert_eq(project->targets[0].ready_ns, 2 * NS_PER_S);
    cr_assert_eq(project->targets[0].destroy_ns, NS_PER_S);
}

Test(environment, it_can_choose_recipe_and_provider_before_the_recipe_is_read)
{
    folder_write("phases/web.yml", "phases: [{name: serve, playbook: playbooks/install.yml}]\n");
    folder_environment("TRIPHASE_TARGETS_VAULT_RECIPE=web", "TRIPHASE_PHASES_WEB_SERVE_ATTEMPTS=5",
                       "TRIPHASE_DEFAULTS_PROVIDER=static", "TRIPHASE_PROVIDERS_STATIC_ADDRESS=10.0.0.9",
                       NULL);
    AUTO_PROJECT *project = folder_load();
    cr_assert_str_eq(project->targets[0].recipe, "web");
    cr_assert_eq(project->recipes[0].phases[0].attempts, 5);
    cr_assert_str_eq(project->targets[0].provider, "static");
    cr_assert_str_eq(project->targets[0].address, "10.0.0.9");
}

Test(environment, a_variable_that_only_a_recipe_names_is_given_by_its_path)
{
    folder_write("phases/vault.yml", "target: {vars: {colour: red}}\n"
                                     "phases: [{name: install, playbook: playbooks/install.yml}]\n");
    folder_environment("TRIPHASE_TARGETS_VAULT_VARS_COLOUR=blue", NULL);
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "TRIPHASE_TARGETS_VAULT_VARS_COLOUR: there is no such setting");
    folder_environment("TRIPHASE_TARGETS_VAULT_VARS_COLOUR=", NULL);
    folder_sets("targets.vault.vars.colour=blue", NULL);
    AUTO_PROJECT *project = folder_load();
    AUTO_FREE char *vars = node_flow(project->targets[0].vars);
    cr_assert_str_eq(vars, "{colour: blue}");
}

Test(environment, set_beats_the_environment_and_is_a_usage_error_when_wrong)
{
    folder_environment("TRIPHASE_TARGETS_VAULT_ROOT=debian-11", NULL);
    folder_sets("targets.vault.root=debian-13", "phases.vault.install.silence=1m",
                "targets.vault.vars.new={a: [1]}", "targets.vault.port=1", "targets.vault.port=2", NULL);
    AUTO_PROJECT *project = folder_load();
    cr_assert_str_eq(project->targets[0].root, "debian-13");
    cr_assert_eq(project->targets[0].port, 2, "of two the last counts");
    cr_assert_eq(project->recipes[0].phases[0].limits.of[WATCHDOG_SILENCE], 60 * NS_PER_S);
    AUTO_FREE char *said = folder_explain(project, "targets.vault.root");
    cr_assert_str_eq(said, "debian-13 <- --set targets.vault.root | environment TRIPHASE_TARGETS_VAULT_ROOT: "
                           "debian-11 | built-in: debian-12");
    AUTO_FREE char *vars = node_flow(project->targets[0].vars);
    cr_assert_str_eq(vars, "{new: {a: [1]}}");
    folder_sets("targets.vault.rot=host", "keep", "phases.vault.install.name=x", "keep=never",
                "targets.vault.vars.=1", NULL);
    AUTO_FREE char *refusal = folder_refusal(ERROR_USAGE);
    cr_has(refusal, "--set targets.vault.rot: there is no such setting in this project; the nearest is "
                    "targets.vault.root");
    cr_has(refusal, "--set keep: no value; write it as PATH=YAML");
    cr_has(refusal, "--set phases.vault.install.name: there is no such");
    cr_has(refusal, "--set keep: 'keep': 'never' is no duration");
    cr_has(refusal, "--set targets.vault.vars.: there is no such");
}

Test(environment, an_older_name_of_the_tailscale_socket_works)
{
    folder_environment("TAILSCALE_SOCKET=/run/x.sock", NULL);
    AUTO_PROJECT *project = folder_load();
    cr_assert_str_eq(project->targets[0].tailscale_socket, "/run/x.sock");
}

Test(environment, behind_sudo_the_user_is_the_one_who_called_it)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    const struct passwd *entry = getpwnam("www-data");
    if (!entry)
        entry = getpwnam("nobody");
    cr_assert_not_null(entry);
    AUTO_FREE char *uid = xasprintf("SUDO_UID=%u", (unsigned)entry->pw_uid), *home = xstrdup(entry->pw_dir);
    uid_t user = entry->pw_uid;
    const char *const behind[] = {"HOME=/root", "XDG_CONFIG_HOME=/tmp/evil", uid, NULL};
    AUTO_INVOKER invoker;
    invoker_find(behind, &invoker);
    cr_assert(invoker.behind_sudo);
    cr_assert_eq(invoker.uid, user);
    cr_assert_str_eq(invoker.home, home);
    AUTO_FREE char *config = invoker_config_directory(&invoker, behind),
                   *expanded = invoker_expand(&invoker, "~/x");
    cr_assert(text_starts(config, home), "%s", config);
    cr_assert(text_starts(expanded, home), "%s", expanded);
    static const char *const odd[] = {"SUDO_UID=",   "SUDO_UID=abc",
                                      "SUDO_UID=-1", "SUDO_UID=99999999999999999999",
                                      "SUDO_UID=0",  "SUDO_UID=4294967295"};
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        const char *const list[] = {"HOME=/root", odd[i], NULL};
        AUTO_INVOKER plain;
        invoker_find(list, &plain);
        cr_assert_not(plain.behind_sudo, "%s", odd[i]);
    }
    const char *const alone[] = {"HOME=/home/me", "XDG_CONFIG_HOME=/xdg", NULL};
    AUTO_INVOKER self;
    invoker_find(alone, &self);
    AUTO_FREE char *own = invoker_config_directory(&self, alone);
    cr_assert_str_eq(own, "/xdg/triphase");
}
