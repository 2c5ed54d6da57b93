/* How this machine and a target's host join a tailnet, as the project's files say: operator, tailnet, and
 * what a recipe wants of its targets. */
#include "folder.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/operator_load.h"
#include "config/project.h"
#include "config/tailnet_place.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

TestSuite(tailnet_keys, .timeout = 60, .init = folder_fill, .fini = folder_clean);

static void project_with(const char *of_project, const char *of_target)
{
    AUTO_FREE char *text =
        xasprintf("project: demo\n%stargets:\n  vault:\n    recipe: vault\n%s", of_project, of_target);
    folder_write("triphase.yml", text);
}

static void expect_words(const struct words *words, const char *wanted)
{
    AUTO_TEXT all = TEXT_INIT;
    for (size_t i = 0; i < words->count; i++)
        text_addf(&all, "%s%s", i ? " " : "", words->items[i]);
    cr_assert_str_eq(text_string(&all), wanted);
}

Test(tailnet_keys, where_nothing_is_given_nobody_joins_and_nothing_of_this_machine_is_changed)
{
    AUTO_PROJECT *project = folder_load();
    const struct operator_settings *operator= & project->operator_settings;
    const struct target *target = &project->targets[0];
    cr_assert_not(target->joins_tailnet);
    cr_assert_not(target->stale_remove || target->tailscale_ssh_accept);
    cr_assert_eq(target->tailnet_ns, 120 * NS_PER_S);
    cr_assert_eq(target->tailnet.auth_key.kind, SECRET_NONE);
    expect_words(&target->transports, "direct");
    AUTO_FREE char *own = tailnet_place_running_socket();
    cr_assert_str_eq(target->tailscale_socket ? target->tailscale_socket : "none", own ? own : "none");
    cr_assert_null(operator->socket);
    cr_assert_null(operator->login.login_server);
    cr_assert_null(operator->login.api);
    cr_assert_null(operator->login.hostname);
    cr_assert_null(operator->login.tailnet);
    cr_assert_eq(operator->login.tags.count, 0);
    cr_assert_not(operator->reusable || operator->ssh || operator->accept_routes ||
                  operator->accept_dns ||
                  operator->socks5);
    cr_assert_null(project_recipe(project, "vault")->bootstrap);
}

Test(tailnet_keys, all_of_the_operator_arrives)
{
    project_with("operator:\n"
                 "  socket: run/ts.sock\n"
                 "  hostname: op-1\n"
                 "  tags: [tag:op, 'tag:ci-2']\n"
                 "  login_server: https://hs.example.org:8443/\n"
                 "  api: http://[fd00::1]:8080/api/v2\n"
                 "  oauth: {id: {env: ID}, secret: {file: oauth}}\n"
                 "  api_key: {command: [keeper, api]}\n"
                 "  auth_key: {fd: 7}\n"
                 "  tailnet: me@example.com\n"
                 "  reusable: true\n"
                 "  ssh: true\n"
                 "  accept_routes: true\n"
                 "  accept_dns: true\n"
                 "  socks5: true\n",
                 "");
    AUTO_PROJECT *project = folder_load();
    AUTO_FREE char *socket = folder_path("run/ts.sock");
    const struct operator_settings *operator= & project->operator_settings;
    cr_assert_str_eq(operator->socket, socket);
    cr_assert_str_eq(operator->login.hostname, "op-1");
    expect_words(&operator->login.tags, "tag:op tag:ci-2");
    cr_assert_str_eq(operator->login.login_server, "https://hs.example.org:8443");
    cr_assert_str_eq(operator->login.api, "http://[fd00::1]:8080/api/v2");
    cr_assert_str_eq(operator->login.tailnet, "me@example.com");
    cr_assert_eq(operator->login.oauth_id.kind, SECRET_ENV);
    cr_assert_str_eq(operator->login.oauth_secret.where, "oauth");
    cr_assert_eq(operator->login.api_key.kind, SECRET_COMMAND);
    cr_assert_eq(operator->login.auth_key.fd, 7);
    cr_assert(operator->reusable && operator->ssh && operator->accept_routes &&
              operator->accept_dns &&
              operator->socks5);
    cr_assert_str_eq(project->targets[0].tailscale_socket, socket);
    cr_assert_not(project->targets[0].joins_tailnet, "the operator's is never the target's");
    folder_environment("TAILSCALE_SOCKET=/run/x.sock", NULL);
    project_cleanup(&project);
    project = folder_load();
    cr_assert_str_eq(project->targets[0].tailscale_socket, "/run/x.sock");
    cr_assert_str_eq(project->operator_settings.socket, socket);
}

Test(tailnet_keys, a_target_with_a_tailnet_joins_it_and_auto_goes_over_it)
{
    project_with("", "    tailnet:\n"
                     "      tags: [tag:vault]\n"
                     "      hostname: vault-1\n"
                     "      login_server: http://192.0.2.1:8080\n"
                     "      api: https://api.example.org/api/v2/\n"
                     "      oauth: {id: {env: ID}, secret: {env: SECRET}}\n"
                     "      api_key: {env: API}\n"
                     "      auth_key: {file: key}\n"
                     "      stale: remove\n"
                     "      tailscale_ssh: accept\n"
                     "    stage_deadline: {tailnet: 90s}\n");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = &project->targets[0];
    cr_assert(target->joins_tailnet && target->stale_remove && target->tailscale_ssh_accept);
    expect_words(&target->tailnet.tags, "tag:vault");
    cr_assert_str_eq(target->tailnet.hostname, "vault-1");
    cr_assert_str_eq(target->tailnet.login_server, "http://192.0.2.1:8080");
    cr_assert_str_eq(target->tailnet.api, "https://api.example.org/api/v2");
    cr_assert_str_eq(target->tailnet.oauth_id.where, "ID");
    cr_assert_str_eq(target->tailnet.oauth_secret.where, "SECRET");
    cr_assert_str_eq(target->tailnet.api_key.where, "API");
    cr_assert_str_eq(target->tailnet.auth_key.where, "key");
    cr_assert_eq(target->tailnet_ns, 90 * NS_PER_S);
    cr_assert(target->transport_auto);
    expect_words(&target->transports, "tailnet tailnet-userspace");
    cr_assert_null(project->operator_settings.login.hostname, "the target's is never the operator's");
    cr_assert_eq(project->operator_settings.login.auth_key.kind, SECRET_NONE);
}

Test(tailnet_keys, a_control_server_and_credentials_for_all_make_no_target_join_by_themselves)
{
    folder_write("triphase.yml",
                 "project: demo\ndefaults: {tailnet: {login_server: 'https://hs', api_key: {env: API}}}\n"
                 "targets:\n  vault: {recipe: vault}\n  web: {recipe: vault, tailnet: {tags: [tag:w]}}\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert_not(project->targets[0].joins_tailnet);
    expect_words(&project->targets[0].transports, "direct");
    cr_assert(project->targets[1].joins_tailnet);
    cr_assert_str_eq(project->targets[1].tailnet.login_server, "https://hs");
    cr_assert_eq(project->targets[1].tailnet.api_key.kind, SECRET_ENV);
    project_with("", "    tailnet: {tailscale_ssh: accept}\n");
    project_cleanup(&project);
    project = folder_load();
    cr_assert(project->targets[0].tailscale_ssh_accept && !project->targets[0].joins_tailnet);
    project_with("", "    tailnet: {login_server: 'https://hs'}\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "triphase.yml:3:3: 'tailnet' of the target names neither 'tags' nor an 'auth_key'");
}

Test(tailnet_keys, auto_of_a_phase_is_what_it_is_for_the_target)
{
    folder_write("triphase.yml", "project: demo\ntargets:\n  plain: {recipe: vault}\n"
                                 "  joined: {recipe: vault, transport: direct, tailnet: {tags: [tag:x]}}\n");
    folder_write("phases/vault.yml",
                 "phases:\n  - {name: install, playbook: playbooks/install.yml, transport: auto}\n"
                 "  - {name: other, playbook: playbooks/install.yml}\n"
                 "  - {name: third, playbook: playbooks/install.yml, transport: tailnet}\n");
    AUTO_PROJECT *project = folder_load();
    const struct recipe *recipe = project_recipe(project, "vault");
    expect_words(project_transports(&project->targets[0], &recipe->phases[0]), "direct");
    expect_words(project_transports(&project->targets[1], &recipe->phases[0]), "tailnet tailnet-userspace");
    expect_words(project_transports(&project->targets[1], &recipe->phases[1]), "direct");
    expect_words(project_transports(&project->targets[1], &recipe->phases[2]), "tailnet");
    expect_words(project_transports(&project->targets[1], NULL), "direct");
}

Test(tailnet_keys, values_are_checked_each_with_its_place)
{
    static const struct {
        const char *line, *says;
    } all[] = {
        {"tags: vault", "'tailnet.tags' takes a list, not text"},
        {"tags: [vault]", "'vault' is no tag: write it like tag:server"},
        {"tags: ['tag:1x']", "'tag:1x' is no tag"},
        {"tags: ['tag:a b']", "'tag:a b' is no tag"},
        {"tags: ['tag:']", "'tag:' is no tag"},
        {"hostname: a_b", "'a_b' is no name of a device"},
        {"hostname: -x", "'-x' is no name of a device"},
        {"hostname: a.b", "'a.b' is no name of a device"},
        {"login_server: hs.example.org", "'hs.example.org' is no URL: write it like https://"},
        {"login_server: 'ftp://hs'", "is no URL"},
        {"login_server: 'https://'", "names no host and port"},
        {"login_server: 'https://a:b'", "names no host and port"},
        {"login_server: 'https://-x'", "names no host and port"},
        {"login_server: 'https://[::1'", "names no host and port"},
        {"login_server: 'https://me:secret@hs'", "is no plain URL"},
        {"api: 'https://hs/?x=1'", "is no plain URL"},
        {"api: 'https://hs/#x'", "is no plain URL"},
        {"api: 'https://h s'", "is no plain URL"},
        {"api: \"https://h\\ns\"", "is no URL"},
        {"stale: keep", "'tailnet.stale': there is no 'keep'; write one of refuse, remove"},
        {"tailscale_ssh: true", "'tailnet.tailscale_ssh' takes one of its words"},
        {"auth_key: tskey-auth-x", "'tailnet.auth_key' is a plain value; a secret is given as"},
        {"oauth: {id: {env: A}}", "'tailnet.oauth' has its 'id' but no 'secret'"},
        {"oauth: {secret: {env: A}}", "'tailnet.oauth' has its 'secret' but no 'id'"},
        {"oauth: {key: {env: A}}", "unknown key 'key' in 'tailnet.oauth'"},
        {"oauth: {env: A}", "unknown key 'env' in 'tailnet.oauth'"},
        {"tag: [tag:x]", "unknown key 'tag' in 'tailnet'; did you mean 'tags'?"},
        {"socket: /x", "unknown key 'socket' in 'tailnet'"},
        {"tailnet: example.com", "unknown key 'tailnet' in 'tailnet'"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *lines = xasprintf("    tailnet:\n      %s\n", all[i].line);
        project_with("", lines);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, all[i].says);
        cr_has(said, "triphase.yml:6:");
        cr_has_not(said, "tskey-auth-x");
    }
    project_with("operator:\n  ssh: maybe\n  oauth: {id: {env: A}}\n  stale: remove\n  socks: true\n"
                 "  tailnet: our net\n",
                 "");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "triphase.yml:3:8: 'operator.ssh' takes true or false");
    cr_has(said, "triphase.yml:4:11: 'operator.oauth' has its 'id' but no 'secret'");
    cr_has(said, "triphase.yml:5:3: unknown key 'stale' in 'operator'");
    cr_has(said, "triphase.yml:6:3: unknown key 'socks' in 'operator'; did you mean 'socks5'?");
    cr_has(said, "triphase.yml:7:12: 'operator.tailnet': 'our net' is no name of a tailnet");
}

Test(tailnet_keys, the_users_own_file_may_hold_the_operator_and_the_environment_beats_both)
{
    folder_write("home/.config/triphase/config.yml", "operator: {hostname: mine, tailnet: example.com, ssh: "
                                                     "maybe, auth_key: {file: ~/key}, tags: [tag:user]}\n");
    project_with("operator: {tags: [tag:project]}\n", "    tailnet: {tags: [tag:x]}\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert_str_eq(project->operator_settings.login.hostname, "mine");
    cr_assert_str_eq(project->operator_settings.login.tailnet, "example.com");
    cr_assert_eq(project->operator_settings.login.auth_key.kind, SECRET_FILE);
    expect_words(&project->operator_settings.login.tags, "tag:project");
    cr_assert_eq(project->warnings.count, 1);
    cr_has(project->warnings.items[0], "'operator.ssh' takes true or false");
    project_cleanup(&project);
    folder_environment("TRIPHASE_OPERATOR_HOSTNAME=other", "TRIPHASE_OPERATOR_TAILNET=tail1.ts.net",
                       "TRIPHASE_OPERATOR_OAUTH_ID={env: ID}", "TRIPHASE_OPERATOR_OAUTH_SECRET={env: S}",
                       "TRIPHASE_OPERATOR_SOCKS5=true", "TRIPHASE_TARGETS_VAULT_TAILNET_STALE=remove",
                       "TRIPHASE_TARGETS_VAULT_TAILNET_AUTH_KEY={fd: 9}",
                       "TRIPHASE_DEFAULTS_TAILNET_LOGIN_SERVER=https://hs", NULL);
    folder_sets("operator.tags=[tag:set]", NULL);
    project = folder_load();
    cr_assert_str_eq(project->operator_settings.login.hostname, "other");
    cr_assert_str_eq(project->operator_settings.login.tailnet, "tail1.ts.net");
    cr_assert_eq(project->operator_settings.login.oauth_id.kind, SECRET_ENV);
    cr_assert(project->operator_settings.socks5);
    expect_words(&project->operator_settings.login.tags, "tag:set");
    cr_assert(project->targets[0].stale_remove);
    cr_assert_eq(project->targets[0].tailnet.auth_key.fd, 9);
    cr_assert_str_eq(project->targets[0].tailnet.login_server, "https://hs");
}

Test(tailnet_keys, config_shows_each_with_its_origin_and_of_a_secret_only_its_source)
{
    project_with("operator: {oauth: {id: {env: ID}, secret: {file: s}}}\n",
                 "    tailnet: {tags: [tag:x], auth_key: {env: KEY}}\n");
    folder_write("phases/vault.yml", "target: {groups: [g]}\n"
                                     "bootstrap: {playbook: playbooks/install.yml, deadline: 4m}\n"
                                     "phases:\n  - {name: install, playbook: playbooks/install.yml}\n");
    AUTO_PROJECT *project = folder_load();
    AUTO_FREE char *id = folder_explain(project, "operator.oauth.id"),
                   *routes = folder_explain(project, "operator.accept_routes"),
                   *key = folder_explain(project, "targets.vault.tailnet.auth_key"),
                   *stale = folder_explain(project, "targets.vault.tailnet.stale"),
                   *groups = folder_explain(project, "targets.vault.groups"),
                   *deadline = folder_explain(project, "phases.vault.bootstrap.deadline"),
                   *whole = folder_explain(project, "operator");
    cr_assert_str_eq(id, "{env: ID} <- triphase.yml:2:20");
    cr_has(routes, "false <- built-in");
    cr_has(key, "{env: KEY} <- triphase.yml:6:");
    cr_has(stale, "refuse <- built-in");
    cr_has(groups, "[g] <- phases/vault.yml:1:10 | built-in: []");
    cr_has(deadline, "4m <- phases/vault.yml:2:46");
    cr_assert_null(whole);
}

static struct words kept;

static void keep(const char *name)
{
    words_add(&kept, name);
}

Test(tailnet_keys, their_secrets_are_secrets_like_all_others)
{
    project_with(
        "operator: {oauth: {id: {env: A}, secret: {env: B}}, api_key: {fd: 5}, auth_key: {env: C}}\n",
        "    tailnet: {tags: [tag:x], oauth: {id: {env: D}, secret: {fd: 6}}, api_key: {env: E},\n"
        "              auth_key: {env: F}}\n    become_password: {env: G}\n");
    AUTO_PROJECT *project = folder_load();
    kept = (struct words)WORDS_INIT;
    project_secret_variables(project, keep);
    words_sort_unique(&kept);
    expect_words(&kept, "A B C D E F G");
    words_clear(&kept);
    cr_assert(project_reads(project, 5) && project_reads(project, 6));
    cr_assert_not(project_reads(project, 4));
}

Test(tailnet_keys, what_a_recipe_wants_of_its_targets_counts_below_all_that_the_user_says)
{
    folder_write("phases/vault.yml", "target:\n  groups: [recipe]\n  vars: {a: recipe, b: recipe}\n"
                                     "  deadline: 1h\n  tailnet: {tags: [tag:recipe]}\n"
                                     "phases:\n  - {name: install, playbook: playbooks/install.yml}\n");
    folder_write("home/.config/triphase/config.yml", "defaults: {deadline: 3h}\n");
    project_with("defaults: {vars: {b: project}}\n", "    groups: [target]\n");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = &project->targets[0];
    expect_words(&target->groups, "target");
    cr_assert_str_eq(node_get(target->vars, "a")->text, "recipe");
    cr_assert_str_eq(node_get(target->vars, "b")->text, "project");
    cr_assert_eq(target->deadline_ns, 3 * 3600 * NS_PER_S);
    cr_assert(target->joins_tailnet);
    expect_words(&target->tailnet.tags, "tag:recipe");
}

Test(tailnet_keys, what_a_recipe_may_not_say_of_its_targets_is_refused_with_its_place)
{
    folder_write("phases/vault.yml",
                 "target:\n  provider: static\n  recipe: other\n  port: many\n  nonsense: 1\n"
                 "phases:\n  - {name: install, playbook: playbooks/install.yml}\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "phases/vault.yml:2:3: 'provider' does not belong into 'recipes.vault.target'");
    cr_has(said, "phases/vault.yml:3:3: 'recipe' does not belong into 'recipes.vault.target'");
    cr_has(said, "phases/vault.yml:4:9: 'port' takes a whole number");
    cr_has(said, "phases/vault.yml:5:3: unknown key 'nonsense'");
}

Test(tailnet_keys, a_bootstrap_is_one_phase_over_direct_with_a_name_of_its_own)
{
    folder_write("phases/vault.yml",
                 "defaults: {attempts: 5, transport: tailnet}\nbootstrap: {playbook: playbooks/install.yml}\n"
                 "phases:\n  - {name: install, playbook: playbooks/install.yml}\n");
    project_with("", "    transport: tailnet\n");
    folder_environment("TRIPHASE_PHASES_VAULT_BOOTSTRAP_DEADLINE=3m", NULL);
    AUTO_PROJECT *project = folder_load();
    const struct recipe *recipe = project_recipe(project, "vault");
    const struct phase *phase = recipe->bootstrap;
    cr_assert_not_null(phase);
    cr_assert_str_eq(phase->name, "bootstrap");
    cr_assert_eq(phase->attempts, 5);
    cr_assert_eq(phase->limits.of[WATCHDOG_DEADLINE], 180 * NS_PER_S);
    expect_words(project_transports(&project->targets[0], phase), "direct");
    cr_assert_eq(recipe->phase_count, 1);

    static const struct {
        const char *line, *says;
    } all[] = {
        {"[]", "phases/vault.yml:1:12: 'bootstrap' takes a map, not a list"},
        {"{name: install, playbook: playbooks/install.yml}",
         "phases/vault.yml:3:12: a second phase 'install' (first in line 1)"},
        {"{playbook: playbooks/install.yml, transport: tailnet}",
         "phases/vault.yml:1:57: 'bootstrap' goes over direct"},
        {"{deadline: 1m}", "phases/vault.yml:1:12: phase 'bootstrap' has no 'playbook', which is required"},
        {"{name: A b, playbook: playbooks/install.yml}", "phases/vault.yml:1:19: 'name': 'A b' is no name"},
    };
    folder_environment("HOME=/nowhere", NULL);
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *text =
            xasprintf("bootstrap: %s\nphases:\n  - {name: install, playbook: playbooks/install.yml}\n",
                      all[i].line);
        folder_write("phases/vault.yml", text);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, all[i].says);
    }
}

static int load_operator(const char *start, const char *const *environment, const char *const *sets,
                         struct operator_settings *out, char **directory, struct error *err)
{
    AUTO_FREE char *user_file = folder_path("user.yml");
    AUTO_WORDS warnings = WORDS_INIT;
    struct config_sources sources = {
        .start = start, .environment = environment, .sets = sets, .user_file = user_file};
    return operator_load(&sources, out, directory, &warnings, err);
}

Test(tailnet_keys, the_operators_are_there_before_there_is_a_project)
{
    const char *const environment[] = {"TRIPHASE_OPERATOR_SSH=true", "TRIPHASE_TARGETS_X_ROOT=y", NULL};
    const char *const sets[] = {"operator.hostname=set", "targets.x.root=y", NULL};
    const char *const wrong[] = {"TRIPHASE_OPERATOR_SHH=true", NULL};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *directory = NULL;
    struct operator_settings settings = {0};
    folder_write("user.yml", "operator: {tags: [tag:user], hostname: user}\n");
    AUTO_FREE char *project = folder_path("triphase.yml");
    cr_assert_eq(unlink(project), 0);
    cr_assert_eq(chdir(folder()), 0);
    cr_assert_eq(load_operator(NULL, environment, sets, &settings, &directory, &err), 0, "%s",
                 error_text(&err));
    cr_assert_str_eq(directory, folder());
    cr_assert_str_eq(settings.login.hostname, "set");
    cr_assert(settings.ssh);
    expect_words(&settings.login.tags, "tag:user");
    operator_settings_clear(&settings);
    cr_assert_lt(load_operator(NULL, wrong, NULL, &settings, &directory, &err), 0);
    cr_assert_eq(err.kind, ERROR_PROJECT);
    cr_has(error_text(&err), "the nearest is TRIPHASE_OPERATOR_SSH");
    cr_assert_lt(load_operator("/nonexistent", environment, NULL, &settings, &directory, &err), 0,
                 "a folder that was named has to be one");
}

Test(tailnet_keys, where_there_is_a_project_the_operator_is_the_projects_and_its_faults_count)
{
    const char *const environment[] = {"TRIPHASE_OPERATOR_SSH=true", NULL};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *directory = NULL;
    struct operator_settings settings = {0};
    project_with("operator: {hostname: project}\n", "");
    cr_assert_eq(load_operator(folder(), environment, NULL, &settings, &directory, &err), 0, "%s",
                 error_text(&err));
    cr_assert_str_eq(settings.login.hostname, "project");
    cr_assert(settings.ssh);
    operator_settings_clear(&settings);
    project_with("operator: {hostname: a b}\n", "");
    cr_assert_lt(load_operator(folder(), environment, NULL, &settings, &directory, &err), 0);
    cr_has(error_text(&err), "triphase.yml:2:22: 'operator.hostname'");
}
