/* The project's files: what is refused, where and in which words, and which of several layers counts. */
#include "folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/programs.h"
#include "config/schema.h"
#include "config/ssh_rules.h"
#include "event/outcome.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(config, .timeout = 60, .init = folder_fill, .fini = folder_clean);

/* A target `vault` with these lines in it, four blanks deep from line 4 on. */
static void with_target(const char *lines)
{
    AUTO_FREE char *text = xasprintf("project: demo\ntargets:\n  vault:\n%s\n    recipe: vault\n", lines);
    folder_write("triphase.yml", text);
}

Test(config, a_minimal_project_has_the_contracts_defaults)
{
    AUTO_PROJECT *project = folder_load();
    cr_assert_str_eq(project->name, "demo");
    cr_assert_eq(project->keep_ns, 90 * 86400 * NS_PER_S);
    cr_assert_eq(project->inventory.count, 0);
    cr_assert_eq(project->target_count, 1);
    const struct target *target = project_target(project, "vault", NULL);
    cr_assert_not_null(target);
    cr_assert_str_eq(target->provider, "sandbox");
    cr_assert(target->transport_auto);
    cr_assert_eq(target->transports.count, 1);
    cr_assert_str_eq(target->transports.items[0], "direct");
    cr_assert_null(target->address);
    cr_assert_null(target->user);
    cr_assert_null(target->key);
    cr_assert_eq(target->port, 0);
    cr_assert_null(target->python);
    cr_assert_eq(target->provision_ns, 300 * NS_PER_S);
    cr_assert_eq(target->root_tree_ns, 900 * NS_PER_S);
    cr_assert_eq(target->ready_ns, 60 * NS_PER_S);
    cr_assert_eq(target->transport_ns, 60 * NS_PER_S);
    cr_assert_eq(target->destroy_ns, 120 * NS_PER_S);
    cr_assert_str_eq(target->host_name, "vault");
    cr_assert_eq(target->deadline_ns, 7200 * NS_PER_S);
    cr_assert_not(target->protected);
    cr_assert_str_eq(target->root, "debian-12");
    cr_assert_eq(target->become_password.kind, SECRET_NONE);
    const struct recipe *recipe = project_recipe(project, "vault");
    cr_assert_eq(recipe->phase_count, 1);
    const struct phase *phase = &recipe->phases[0];
    cr_assert_eq(phase->limits.of[WATCHDOG_DEADLINE], 1800 * NS_PER_S);
    cr_assert_eq(phase->limits.of[WATCHDOG_SILENCE], 900 * NS_PER_S);
    cr_assert_eq(phase->limits.of[WATCHDOG_TASK], 0);
    cr_assert_eq(phase->limits.grace_ns, 5 * NS_PER_S);
    cr_assert_eq(phase->limits.transport_lost_ns, 10 * NS_PER_S);
    cr_assert_eq(phase->limits.host_silent_ns, 18 * NS_PER_S);
    cr_assert_eq(phase->limits.transport_grace_ns, 120 * NS_PER_S);
    cr_assert_eq(phase->attempts, 2);
    cr_assert_eq(phase->retry_on.count, 3);
    cr_assert_eq(phase->retry_pause_ns, 2 * NS_PER_S);
    cr_assert_eq(phase->transports.count, 0);
    cr_assert_not(phase->network_churn || phase->facts_cached || phase->lost_handlers_warn ||
                  phase->beyond_allowed);
    cr_assert_eq(phase->line, 2);
}

Test(config, an_unknown_key_is_refused_with_its_place_and_the_nearest)
{
    folder_write("triphase.yml", "project: demo\nkep: 1d\ntargets:\n  vault:\n    recpie: vault\n    recipe: "
                                 "vault\n    stage_deadline: {redy: 1s}\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "triphase.yml:2:1: unknown key 'kep'; did you mean 'keep'?");
    cr_has(said, "triphase.yml:5:5: unknown key 'recpie'; did you mean 'recipe'?");
    cr_has(said, "triphase.yml:7:22: unknown key 'redy' in 'stage_deadline'; did you mean 'ready'?");
}

Test(config, every_fault_of_all_files_is_told_at_once)
{
    folder_write("triphase.yml", "project: Demo!\nkeep: soon\ntargets:\n  vault:\n    recipe: vault\n    "
                                 "port: 0\n    groups: web\n  2nd: {recipe: vault}\n");
    folder_write(
        "phases/vault.yml",
        "phases:\n  - name: install\n    playbook: playbooks/none.yml\n    attempts: many\nfases: []\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "triphase.yml:1:10: 'project': 'Demo!' is no name");
    cr_has(said, "triphase.yml:2:7: 'keep': 'soon' is no duration; write it like 90s, 5m or 1h30m");
    cr_has(said, "triphase.yml:6:11: 'port' takes a whole number from 1 to 65535");
    cr_has(said, "triphase.yml:7:13: 'groups' takes a list, not text");
    cr_has(said, "triphase.yml:8:3: target '2nd' is no name");
    cr_has(said, "phases/vault.yml:3:5: there is no playbook playbooks/none.yml");
    cr_has(said, "phases/vault.yml:4:15: 'attempts' takes a whole number from 1 to 100");
    cr_has(said, "phases/vault.yml:5:1: unknown key 'fases'; did you mean 'phases'?");
}

Test(config, what_cannot_be_seen_is_not_told_as_absent)
{
    AUTO_FREE char *circle = folder_path("circle");
    cr_assert_eq(symlink("circle", circle), 0);
    folder_write("triphase.yml",
                 "project: demo\ninventory: [circle/hosts]\ntargets:\n  vault:\n    recipe: vault\n");
    folder_write("phases/vault.yml", "phases:\n  - name: install\n    playbook: circle/install.yml\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "triphase.yml:2:1: cannot look at ");
    cr_has(said, "phases/vault.yml:3:5: cannot look at ");
    cr_has(said, "leads in a circle");
    cr_has_not(said, "there is no");
}

Test(config, very_many_faults_are_cut_and_counted)
{
    AUTO_TEXT text = TEXT_INIT;
    text_add(&text, "project: demo\n");
    for (int i = 0; i < 500; i++)
        text_addf(&text, "unknown%d: 1\n", i);
    folder_write("triphase.yml", text_string(&text));
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "triphase.yml:101:1: unknown key");
    cr_has_not(said, "triphase.yml:102:1");
    cr_has(said, "\nand 400 more");
}

Test(config, duplicate_keys_broken_yaml_and_bytes_are_refused)
{
    static const struct {
        const char *text, *says;
    } all[] = {
        {"project: demo\nproject: demo\n", "triphase.yml:2:1: 'project' stands here twice"},
        {"project: [demo\n", "triphase.yml:"},
        {"project: d\xe9mo\n", "triphase.yml:1:11: the byte 0xe9: the file is not UTF-8 text"},
        {"- a\n", "triphase.yml:1:1: the file takes a map that begins with 'project: NAME', not a list"},
        {"", "triphase.yml:1:1: the file takes a map that begins with 'project: NAME', not nothing"},
        {"targets: {}\n", "triphase.yml:1:1: the project has no 'project', which is required"},
        {"project: demo\ntargets: [vault]\n", "triphase.yml:2:10: 'targets' takes a map, not a list"},
        {"project: demo\ntargets: {vault: 3}\n",
         "triphase.yml:2:11: the target 'vault' takes a map, not a whole number"},
        {"project: demo\ntargets: {vault: {}}\n",
         "triphase.yml:2:11: target 'vault' has no 'recipe', which is required"},
        {"project: 12\n", "triphase.yml:1:10: 'project' takes a text, not a whole number; put it in quotes"},
        {"project: demo\ndefaults: {project: x}\n", "triphase.yml:2:12: unknown key 'project'"},
        {"project: demo\nproviders: {sandbox: {provider: static}}\n",
         "triphase.yml:2:23: 'provider' does not belong into 'providers.sandbox'"},
        {"project: demo\nproviders: {sandbocks: {}}\n",
         "unknown provider 'sandbocks'; did you mean 'sandbox'?"},
        {"project: demo\ninventory: [nowhere.yml]\n", "triphase.yml:2:1: there is no inventory nowhere.yml"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        folder_write("triphase.yml", all[i].text);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, all[i].says);
        cr_assert_eq(strchr(said, '\n'), NULL, "one line: %s", said);
    }
}

Test(config, files_may_begin_with_a_byte_order_mark)
{
    folder_write("triphase.yml", "\xef\xbb\xbfproject: demo\ntargets:\n  vault:\n    recipe: vault\n");
    folder_write("phases/vault.yml",
                 "\xef\xbb\xbfphases:\n  - name: install\n    playbook: playbooks/install.yml\n");
    folder_write("home/.config/triphase/config.yml", "\xef\xbb\xbfkeep: 5d\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert_str_eq(project->name, "demo");
    cr_assert_eq(project->warnings.count, 0, "%s", project->warnings.items[0]);
    cr_assert_eq(project->keep_ns, 5 * 24 * 3600 * 1000000000LL);
}

/* A file with each of the names as a key; all are told at once, and none as unknown. */
static void expect_later(const char *file, const char *before, const char *names, const char *behind)
{
    AUTO_TEXT content = TEXT_INIT;
    AUTO_WORDS all = WORDS_INIT;
    cr_assert_eq(words_add_split(&all, names), 0);
    text_add(&content, before);
    for (size_t i = 0; i < all.count; i++)
        text_addf(&content, "%s%s: {}", i ? ", " : "", all.items[i]);
    text_add(&content, behind);
    folder_write(file, text_string(&content));
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    for (size_t i = 0; i < all.count; i++) {
        AUTO_FREE char *says = xasprintf("'%s' is not in this version of triphase", all.items[i]);
        cr_has(said, says);
    }
    cr_has_not(said, "unknown key");
}

#define LATER_OF_A_TARGET "on"

Test(config, keys_of_later_versions_are_said_to_be_that)
{
    static const char *const lines[] = {"on: {ok: [x]}"};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        AUTO_FREE char *line = xasprintf("    %s", lines[i]);
        with_target(line);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, "is not in this version of triphase");
        cr_has(said, "triphase.yml:4:");
    }
    expect_later("triphase.yml", "{project: demo, ", "webhook otlp", "}\n");
    expect_later("triphase.yml", "project: demo\ntargets:\n  vault: {recipe: vault, ", LATER_OF_A_TARGET,
                 "}\n");
    expect_later("triphase.yml", "project: demo\ndefaults: {", LATER_OF_A_TARGET, "}\n");
}

Test(config, values_of_a_target_are_checked)
{
    static const struct {
        const char *line, *says;
    } all[] = {
        {"address: -oProxyCommand=x", "begins with '-'"},
        {"user: -x", "begins with '-'"},
        {"key: -x", "begins with '-'"},
        {"jump: -x", "begins with '-'"},
        {"jump: good@host,-x", "has a part that begins with '-'"},
        {"jump: me@-x", "has a part that begins with '-'"},
        {"address: \"a\\nb\"", "control character"},
        {"address: ''", "is empty"},
        {"address: a b", "blank"},
        {"port: '22'", "takes a whole number"},
        {"port: 70000", "takes a whole number"},
        {"user: 1000", "put it in quotes"},
        {"deadline: 90", "'90' is no duration"},
        {"deadline: 0s", "a duration of 0 makes no sense"},
        {"deadline: 1:30", "is no duration"},
        {"deadline: 1m2h", "is no duration"},
        {"deadline: [1m]", "takes a duration like 90s, 5m or 1h30m, not a list"},
        {"deadline:", "takes a duration"},
        {"protected: 1", "takes true or false"},
        {"provider: sandbax", "there is no 'sandbax'; write one of sandbox, static"},
        {"provider: static", "target 'vault' has no 'address'"},
        {"transport: carrier-pigeon", "there is no transport 'carrier-pigeon'"},
        {"transport: []", "leaves no way"},
        {"transport: [auto]", "'auto' stands alone"},
        {"transport: [direct, direct]", "stands here twice"},
        {"transport: [tailnet-userspce]", "did you mean 'tailnet-userspace'?"},
        {"python: python3", "neither 'auto' nor an absolute path"},
        {"host_name: all", "a group that Ansible makes itself"},
        {"host_name: a b", "no inventory name"},
        {"groups: [-x]", "no inventory name"},
        {"groups: [all]", "a group that Ansible makes itself"},
        {"peers: [vaullt]", "there is no target 'vaullt'; did you mean 'vault'?"},
        {"env: [A=B]", "no name of an environment variable"},
        {"root: debian-14", "there is no root tree 'debian-14'"},
        {"vars: [a]", "takes a map"},
        {"vars: {a-b: 1}", "no name of a variable"},
        {"vars: {triphase_run: 1}", "names that triphase sets itself"},
        {"host_keys: yes", "takes a list of public keys"},
        {"host_keys: [ssh-ed25519]", "no public host key"},
        {"host_keys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5\\nevil\"]", "no public host key"},
        {"host_keys: {fil: x}", "takes a list of public keys"},
        {"ssh_options: {A: b}", "takes a list"},
        {"ssh_options: [Compression]", "write it as Name=value"},
        {"ssh_options: ['Port 22']", "write it as Name=value"},
        {"ssh_options: [\"A=b\\nControlPath=c\"]", "control character"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *line = xasprintf("    %s", all[i].line);
        with_target(line);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, all[i].says);
        cr_has(said, "triphase.yml:");
        cr_assert_null(strchr(said, '\n'), "one line for %s: %s", all[i].line, said);
    }
}

Test(config, ssh_options_that_triphase_forces_are_refused_in_any_case)
{
    static const char *const forced[] = {"ControlPath",
                                         "ControlMaster",
                                         "ControlPersist",
                                         "ServerAliveInterval",
                                         "ServerAliveCountMax",
                                         "ProxyCommand",
                                         "ProxyJump",
                                         "UserKnownHostsFile",
                                         "HostKeyAlias",
                                         "StrictHostKeyChecking",
                                         "BatchMode",
                                         "GlobalKnownHostsFile",
                                         "KnownHostsCommand",
                                         "NoHostAuthenticationForLocalhost",
                                         "VerifyHostKeyDNS",
                                         "UpdateHostKeys",
                                         "CheckHostIP",
                                         "IdentityFile",
                                         "IdentityFile2",
                                         "IdentitiesOnly",
                                         "Port",
                                         "User",
                                         "HostName",
                                         "RemoteCommand",
                                         "RequestTTY",
                                         "SessionType",
                                         "StdinNull",
                                         "ForkAfterAuthentication",
                                         "Include"};
    for (size_t i = 0; i < COUNT_OF(forced); i++) {
        AUTO_FREE char *plain = xasprintf("%s=x", forced[i]), *lower = xstrdup(plain),
                       *upper = xstrdup(plain);
        for (char *at = lower; *at; at++)
            *at |= *at >= 'A' && *at <= 'Z' ? 0x20 : 0;
        for (char *at = upper; *at; at++)
            *at &= *at >= 'a' && *at <= 'z' ? ~0x20 : ~0;
        AUTO_FREE char *first = ssh_rules_option_problem(plain), *second = ssh_rules_option_problem(lower),
                       *third = ssh_rules_option_problem(upper);
        cr_assert(first && second && third, "%s", forced[i]);
        cr_has(first, "is triphase's own and cannot be set");
    }
    AUTO_FREE char *fine = ssh_rules_option_problem("Compression=yes"),
                   *also = ssh_rules_option_problem("ControlPathX=1");
    cr_assert(!fine && !also);
    with_target("    ssh_options: [Compression=yes, controlpath=/tmp/x]");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_has(said, "triphase.yml:4:36: 'ssh_options': the ssh option ControlPath is triphase's own");
}

Test(config, all_values_of_a_target_arrive)
{
    AUTO_FREE char *home = folder_path("home");
    with_target("    provider: static\n    transport: [tailnet, direct]\n    address: fe80::1%eth0\n    "
                "port: 2222\n    user: admin\n    key: ~/.ssh/id\n"
                "    jump: me@gate:2200\n    ssh_options: [Compression=yes]\n    host_keys: {file: "
                "keys.pub}\n    python: /usr/bin/python3\n"
                "    stage_deadline: {ready: 2m, provision: 1h}\n    host_name: v1.example.org\n    groups: "
                "[web-servers, db]\n    peers: [vault, other]\n"
                "    vars: {a: 0644, b: {c: '{{ d }}'}}\n    secrets: {token: {env: TOKEN}, other: {command: "
                "[pass, show, 7]}}\n"
                "    become_password: {file: ~/become}\n    key_passphrase: {fd: 7}\n    vault_passwords: "
                "{default: {file: v1}, prod.x: {env: V2}}\n"
                "    env: [HTTP_TOKEN]\n    deadline: 1h30m\n    protected: true\n    root: trees/my.tar\n   "
                " recipe: vault\n  other:");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = project_target(project, "vault", NULL);
    cr_assert_str_eq(target->provider, "static");
    cr_assert_not(target->transport_auto);
    cr_assert_str_eq(target->transports.items[0], "tailnet");
    cr_assert_str_eq(target->transports.items[1], "direct");
    cr_assert_str_eq(target->address, "fe80::1%eth0");
    cr_assert_eq(target->port, 2222);
    AUTO_FREE char *key = file_join(home, ".ssh/id"), *keys = folder_path("keys.pub"),
                   *root = folder_path("trees/my.tar");
    cr_assert_str_eq(target->key, key, "~/ is the home");
    cr_assert_str_eq(target->jump, "me@gate:2200");
    cr_assert_eq(target->host_key_kind, HOST_KEYS_FILE);
    cr_assert_str_eq(target->host_key_file, keys, "paths are relative to the project");
    cr_assert_str_eq(target->root, root);
    cr_assert_str_eq(target->python, "/usr/bin/python3");
    cr_assert_eq(target->ready_ns, 120 * NS_PER_S);
    cr_assert_eq(target->provision_ns, 3600 * NS_PER_S);
    cr_assert_eq(target->destroy_ns, 120 * NS_PER_S, "the other fields of the map keep their own layers");
    cr_assert_str_eq(target->host_name, "v1.example.org");
    cr_assert_eq(target->groups.count, 2);
    cr_assert_eq(target->peers.count, 1, "a target is not its own peer");
    cr_assert_str_eq(target->peers.items[0], "other");
    AUTO_FREE char *vars = node_flow(target->vars);
    cr_assert_str_eq(vars, "{a: 0644, b: {c: \"{{ d }}\"}}");
    cr_assert_eq(target->secret_count, 2);
    cr_assert_str_eq(target->secrets[0].name, "other");
    cr_assert_eq(target->secrets[0].kind, SECRET_COMMAND);
    cr_assert_str_eq(target->secrets[0].command.items[2], "7");
    cr_assert_str_eq(target->secrets[1].where, "TOKEN");
    cr_assert_eq(target->become_password.kind, SECRET_FILE);
    cr_assert_eq(target->key_passphrase.fd, 7);
    cr_assert_eq(target->vault_password_count, 2);
    cr_assert_str_eq(target->vault_passwords[1].name, "prod.x");
    cr_assert_eq(target->deadline_ns, 5400 * NS_PER_S);
    cr_assert(target->protected);
}

Test(config, layers_count_in_the_contracts_order_field_by_field)
{
    folder_write(
        "home/.config/triphase/config.yml",
        "keep: 1d\ndefaults: {root: debian-11, user: u1, port: 1, python: /u, stage_deadline: {ready: 1s}}\n"
        "providers: {sandbox: {user: u2, deadline: 2m}}\n");
    folder_write("triphase.yml",
                 "project: demo\ndefaults: {user: u3, port: 3, vars: {a: 3, b: 3}}\nproviders:\n  sandbox: "
                 "{user: u4, port: 4, vars: {b: 4, c: 4}}\n"
                 "  static: {user: never}\ntargets:\n  vault: {recipe: vault, port: 5, vars: {c: 5}}\n");
    folder_environment("TRIPHASE_DEFAULTS_USER=u6", "TRIPHASE_PROVIDERS_SANDBOX_USER=u7",
                       "TRIPHASE_TARGETS_VAULT_VARS_A=6", NULL);
    folder_sets("defaults.user=u8", "targets.vault.vars.d=8", NULL);
    AUTO_PROJECT *project = folder_load();
    const struct target *target = project_target(project, "vault", NULL);
    cr_assert_str_eq(target->user, "u8");
    cr_assert_eq(target->port, 5);
    cr_assert_str_eq(target->root, "debian-11");
    cr_assert_str_eq(target->python, "/u");
    cr_assert_eq(target->deadline_ns, 120 * NS_PER_S);
    cr_assert_eq(target->ready_ns, NS_PER_S);
    cr_assert_eq(project->keep_ns, 86400 * NS_PER_S);
    AUTO_FREE char *vars = node_flow(target->vars);
    cr_assert_str_eq(vars, "{a: 6, b: 4, c: 5, d: 8}");
    AUTO_FREE char *user = folder_explain(project, "targets.vault.user");
    AUTO_FREE char *file = folder_path("home/.config/triphase/config.yml");
    AUTO_FREE char *expected =
        xasprintf("u8 <- --set defaults.user | environment TRIPHASE_PROVIDERS_SANDBOX_USER: u7 | environment "
                  "TRIPHASE_DEFAULTS_USER: u6"
                  " | triphase.yml:4:13: u4 | triphase.yml:2:12: u3 | %s:3:23: u2 | %s:2:29: u1",
                  file, file);
    cr_assert_str_eq(user, expected);
    AUTO_FREE char *root = folder_explain(project, "targets.vault.root");
    cr_has(root, "debian-11 <- ");
    cr_has(root, " | built-in: debian-12");
    AUTO_FREE char *ready = folder_explain(project, "targets.vault.stage_deadline.ready");
    cr_has(ready, "1s <- ");
    AUTO_FREE char *address = folder_explain(project, "targets.vault.address");
    cr_assert_str_eq(address, "null <- built-in (from the provider)");
}

Test(config, the_users_own_file_only_warns_and_its_bad_fields_fall_through)
{
    folder_write("home/.config/triphase/config.yml",
                 "keep: soon\nproject: x\nwebhook: {url: x}\ndefaults: {root: debian-11, user: -x, usr: 1, "
                 "port: 7, port: 8, "
                 "on: {}, become_password: hunter2}\nproviders: {heztner: {}}\n");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = project_target(project, "vault", NULL);
    cr_assert_str_eq(target->root, "debian-11");
    cr_assert_null(target->user);
    cr_assert_eq(target->port, 0);
    cr_assert_eq(project->keep_ns, 90 * 86400 * NS_PER_S);
    AUTO_TEXT all = TEXT_INIT;
    for (size_t i = 0; i < project->warnings.count; i++)
        text_addf(&all, "%s\n", project->warnings.items[i]);
    static const char *const says[] = {"config.yml:1:7: 'keep'",
                                       "config.yml:2:1: unknown key 'project'",
                                       "'user': '-x' begins",
                                       "unknown key 'usr'",
                                       "'port' stands here twice",
                                       "'on' is not in this version",
                                       "'webhook' is not in this version",
                                       "'become_password' is a plain value",
                                       "unknown provider 'heztner'; did you mean 'hetzner'?"};
    for (size_t i = 0; i < COUNT_OF(says); i++)
        cr_has(text_string(&all), says[i]);
    cr_has_not(text_string(&all), "hunter2");
    cr_assert_eq(project->warnings.count, COUNT_OF(says));
    project_cleanup(&project);
    folder_write("home/.config/triphase/config.yml", "defaults: [unclosed\n");
    project = folder_load();
    cr_assert_eq(project->warnings.count, 1);
}

Test(config, a_bad_value_in_the_users_file_does_not_count_as_given)
{
    folder_write("home/.config/triphase/config.yml", "defaults: {recipe: No!}\n");
    folder_write("triphase.yml", "project: demo\ntargets:\n  vault: {}\n");
    AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
    cr_assert_str_eq(said, "triphase.yml:3:3: target 'vault' has no 'recipe', which is required");
}

Test(config, the_project_is_the_nearest_upwards)
{
    folder_write("a/b/c.txt", "");
    folder_write("sub/triphase.yml", "project: sub\n");
    AUTO_FREE char *below = folder_path("a/b"), *sub = folder_path("sub"),
                   *found = config_find_directory(below, NULL), *nearer = config_find_directory(sub, NULL);
    cr_assert_str_eq(found, folder());
    cr_assert_str_eq(nearer, sub);
    AUTO_FREE char *none = config_find_directory("/proc", NULL),
                   *absent = config_find_directory("/nonexistent", NULL);
    cr_assert_null(none);
    cr_assert_null(absent);
    struct project *project = NULL;
    AUTO_ERROR err = ERROR_INIT;
    struct config_sources sources = {"/proc", NULL, NULL, NULL, NULL};
    cr_assert_lt(config_load(&sources, &project, &err), 0);
    cr_assert_eq(err.kind, ERROR_PROJECT);
    cr_has(error_text(&err), "there is no triphase.yml in /proc or any folder above it");
}

/* In /tmp anybody may put one above the folder in which somebody else works. */
Test(config, a_project_of_a_stranger_is_taken_only_where_it_is_named)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    folder_write("sub/a.txt", "");
    folder_write("triphase.yml", "project: demo\n");
    AUTO_FREE char *file = folder_path("triphase.yml"), *below = folder_path("sub");
    cr_assert_eq(chown(file, 65534, 65534), 0);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *found = config_find_directory(below, &err),
                   *named = config_find_directory(folder(), NULL);
    cr_expect_null(found, "%s", found);
    cr_has(error_text(&err), "belongs to user 65534");
    cr_has(error_text(&err), "say so with -C ");
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect_str_eq(named, folder());
    cr_assert_eq(chown(below, 65534, 65534), 0);
    AUTO_FREE char *theirs = config_find_directory(below, NULL);
    cr_expect_str_eq(theirs, folder(), "root at work in a folder of theirs");
}

Test(config, ansible_and_inventory_are_looked_for)
{
    folder_write("bin/ansible-playbook", "#!/bin/sh\n");
    folder_write("inventory/hosts.yml", "");
    AUTO_FREE char *program = folder_path("bin/ansible-playbook"), *bin = folder_path("bin");
    chmod(program, 0755);
    AUTO_PROJECT *project = folder_load();
    cr_assert_not(project->ansible_found);
    cr_assert_str_eq(project->ansible, "ansible-playbook");
    cr_assert_eq(project->inventory.count, 1);
    cr_assert_str_eq(project->inventory.items[0], "inventory");
    project_cleanup(&project);
    AUTO_FREE char *path = xasprintf("PATH=/nonexistent:%s", bin);
    folder_environment(path, NULL);
    project = folder_load();
    cr_assert(project->ansible_found);
    cr_assert_str_eq(project->ansible, program);
    project_cleanup(&project);
    folder_environment("TRIPHASE_ANSIBLE=bin/ansible-playbook", "TRIPHASE_INVENTORY=['a,b', inventory]",
                       NULL);
    project = folder_load();
    cr_assert(project->ansible_found);
    cr_assert_str_eq(project->ansible, program, "relative to the project");
    cr_assert_eq(project->inventory.count, 2);
}

static void expect_programs(const char *environment, const char *program, const char *before,
                            const char *after)
{
    const char *const list[] = {"PATH=/usr/bin:/bin", environment, NULL};
    AUTO_FREE char *path = programs_path(folder(), list, program),
                   *expected = xasprintf("%s/usr/bin:/bin%s", before, after);
    cr_expect_str_eq(path, expected);
}

Test(config, programs_are_looked_for_in_the_projects_environment_in_PATH_and_beside_the_program)
{
    AUTO_FREE char *program = folder_path("checkout/build/triphase"), *own = folder_path(".venv/bin"),
                   *checkout = folder_path("checkout/.venv/bin"), *before = xasprintf("%s:", own),
                   *after = xasprintf(":%s", checkout), *last = xasprintf(":%s:%s", own, checkout);
    expect_programs(NULL, program, "", "");
    folder_write(".venv/bin/x", "");
    folder_write("checkout/.venv/bin/x", "");
    expect_programs(NULL, NULL, before, "");
    expect_programs(NULL, program, before, after);
    expect_programs("VIRTUAL_ENV=/somewhere", program, "", last);
    expect_programs("VIRTUAL_ENV=", program, before, after);
}

Test(config, an_unknown_target_is_a_usage_error_with_the_nearest)
{
    AUTO_PROJECT *project = folder_load();
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_null(project_target(project, "valt", &err));
    cr_assert_eq(err.kind, ERROR_USAGE);
    cr_has(error_text(&err), "there is no target 'valt'");
    cr_has(error_text(&err), "did you mean 'vault'?");
}

Test(config, shared_maps_by_anchors_and_empty_maps_are_fine)
{
    folder_write("triphase.yml", "project: demo\ndefaults:\nproviders:\ntargets:\n  one: &one\n    recipe: "
                                 "vault\n    vars:\n    groups:\n  two:\n    <<: *one\n    port: 2\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert_eq(project->target_count, 2);
    cr_assert_str_eq(project->targets[1].recipe, "vault");
    cr_assert_null(project->targets[0].vars);
    cr_assert_str_eq(project->targets[0].name, "one", "targets keep their order");
}

Test(config, hostile_bytes_in_any_file_never_crash)
{
    static const char seed[] = "project: demo\ndefaults: {root: host, vars: {a: [1, {b: c}]}, secrets: {x: "
                               "{fd: 3}}}\ntargets:\n  vault: {recipe: vault, transport: [direct], "
                               "host_keys: accept-new, stage_deadline: {ready: 1s}, peers: [vault]}\n";
    static const char recipe[] =
        "defaults: {facts: cached}\nphases:\n  - {name: install, playbook: playbooks/install.yml, require: "
        "[tun, {program: p}], args: [-v, 1]}\nteardown: []\n";
    unsigned state = 7;
    for (int round = 0; round < 1500; round++) {
        bool in_recipe = round % 2;
        char bytes[sizeof seed + sizeof recipe];
        size_t size = in_recipe ? sizeof recipe : sizeof seed;
        memcpy(bytes, in_recipe ? recipe : seed, size);
        for (int change = 0; change < 1 + round % 4; change++) {
            state = state * 1103515245u + 12345u;
            size_t at = (state >> 8) % (size - 1);
            state = state * 1103515245u + 12345u;
            bytes[at] = (state & 0x300) ? "[]{}&*!|>'\"%@`:,?-#\n\t ~0a\x01\xff"[(state >> 16) % 26]
                                        : bytes[(state >> 16) % (size - 1)];
        }
        folder_write("triphase.yml", in_recipe ? seed : bytes);
        folder_write("phases/vault.yml", in_recipe ? bytes : recipe);
        AUTO_PROJECT *project = NULL;
        AUTO_ERROR err = ERROR_INIT;
        static const char *const environment[] = {"HOME=/nonexistent", NULL};
        struct config_sources sources = {folder(), environment, NULL, NULL, NULL};
        int result = config_load(&sources, &project, &err);
        cr_assert(result == 0 ? project != NULL : !project && *error_text(&err) && err.kind == ERROR_PROJECT,
                  "%s", bytes);
        if (project) {
            AUTO_FREE char *ignored = folder_explain(project, "keep");
            cr_assert_not_null(ignored);
        }
    }
}

Test(config, the_built_in_values_pass_their_own_checks)
{
    const struct key *key;
    for (size_t i = 0; (key = schema_key(i)); i++) {
        if (!key->preset)
            continue;
        const char *path = key->scope == SCOPE_PROJECT  ? ""
                           : key->scope == SCOPE_TARGET ? "defaults."
                                                        : "phases.vault.defaults.";
        AUTO_FREE char *set = xasprintf("%s%s=%s", path, key->name, key->preset);
        folder_sets(set, NULL);
        AUTO_PROJECT *project = folder_load();
        cr_assert_not_null(project);
    }
}

/* The page with its roff escapes taken out. malloc'ed. */
static char *manual(void)
{
    AUTO_TEXT page = TEXT_INIT, out = TEXT_INIT;
    if (file_read("docs/triphase.yml.5", 1 << 20, &page, NULL) < 0)
        cr_skip_test("not run from the checkout");
    for (const char *at = text_string(&page); *at; at++) {
        if (text_starts(at, "\\-"))
            text_add_char(&out, *++at);
        else if (text_starts(at, "\\f"))
            at += 2;
        else
            text_add_char(&out, *at);
    }
    return text_take(&out);
}

Test(config, the_manual_names_every_key_with_its_default_and_variable)
{
    AUTO_FREE char *page = manual();
    const struct key *key;
    for (size_t i = 0; (key = schema_key(i)); i++) {
        cr_has(page, key->name);
        if (key->flags & KEY_LATER)
            continue;
        AUTO_FREE char *head = xasprintf("\n.TP\n%s - ", key->name);
        AUTO_FREE char *variable = xasprintf("%s%s",
                                             key->scope == SCOPE_PROJECT  ? "TRIPHASE_"
                                             : key->scope == SCOPE_TARGET ? "TRIPHASE_TARGETS_TARGET_"
                                                                          : "TRIPHASE_PHASES_RECIPE_PHASE_",
                                             key->name);
        for (char *at = variable; *at; at++)
            *at = *at == '.' ? '_' : *at >= 'a' && *at <= 'z' ? (char)(*at - 32) : *at;
        /* Targets and phases have keys of the same name: the entry is the one of this scope. */
        const char *from = strstr(page, key->scope == SCOPE_PROJECT  ? ".SH TRIPHASE.YML"
                                        : key->scope == SCOPE_TARGET ? ".SS Target keys"
                                                                     : ".SS Phase keys");
        const char *entry = from ? strstr(from, head) : NULL;
        cr_assert_not_null(entry, "no entry for %s", key->name);
        const char *next = strstr(entry + 1, "\n.TP");
        AUTO_FREE char *text = next ? xstrndup(entry, (size_t)(next - entry)) : xstrdup(entry);
        if (key->preset) {
            AUTO_FREE char *preset = xasprintf("default: %s", key->preset);
            cr_has(text, preset);
        }
        if (!(key->scope == SCOPE_PHASE && key->flags & KEY_OWN) && !(key->flags & KEY_FILE))
            cr_has(text, variable);
    }
}

/* The line of a table below a heading that names the word in its first cell. malloc'ed, NULL: none. */
static char *contract_row(const char *page, const char *heading, const char *word)
{
    AUTO_FREE char *named = xasprintf("`%s`", word);
    const char *at = strstr(page, heading), *next = at ? strstr(at + 1, "\n#") : NULL;
    for (at = at ? strchr(at + 1, '\n') : NULL; at && (!next || at < next); at = strchr(at + 1, '\n')) {
        AUTO_FREE char *line = xstrndup(at + 1, strcspn(at + 1, "\n"));
        const char *found = text_starts(line, "| ") ? strstr(line, named) : NULL;
        if (found && found < strchr(line + 1, '|'))
            return TAKE(line);
    }
    return NULL;
}

static bool has_word(const char *text, const char *word)
{
    static const char between[] = " `\n";
    for (const char *at = text; (at = strstr(at, word)); at++)
        if (at > text && strchr(between, at[-1]) && strchr(between, at[strlen(word)]))
            return true;
    return false;
}

Test(config, the_contract_names_every_key_with_its_default_and_every_outcome)
{
    AUTO_TEXT page = TEXT_INIT;
    if (file_read("docs/contract.md", 1 << 20, &page, NULL) < 0)
        cr_skip_test("not run from the checkout");
    const char *outcomes = strstr(text_string(&page), "\n## Outcomes");
    const char *kept_free = strstr(text_string(&page), "\n## Kept free");
    cr_assert(outcomes && kept_free);
    const struct key *key;
    for (size_t i = 0; (key = schema_key(i)); i++) {
        const char *heading = key->scope == SCOPE_PROJECT  ? "\n### Of the project"
                              : key->scope == SCOPE_TARGET ? "\n### Of a target"
                                                           : "\n### Of a phase";
        if (key->flags & KEY_LATER) {
            cr_expect(has_word(kept_free, key->name), "'%s' is not kept free there", key->name);
            continue;
        }
        AUTO_FREE char *name = xstrndup(key->name, strcspn(key->name, "."));
        AUTO_FREE char *row = contract_row(text_string(&page), heading, name);
        cr_assert_not_null(row, "no row for %s", key->name);
        cr_has(row, key->name[strlen(name)] ? key->name + strlen(name) + 1 : name);
        if (key->preset)
            cr_has(row, key->preset);
        for (const char *const *choice = key->names ? key->names() : key->choices; choice && *choice;
             choice++)
            cr_has(row, *choice);
    }
    AUTO_FREE char *told = xstrndup(outcomes, (size_t)(strstr(outcomes, "\n|") - outcomes));
    for (enum outcome outcome = OUTCOME_NONE; outcome < outcome_count(); outcome++)
        cr_expect(!outcome_name(outcome) || strstr(told, outcome_name(outcome)) ||
                      strstr(kept_free, outcome_name(outcome)),
                  "no %s", outcome_name(outcome));
}

/* ------------------------------------------------------------ Ansible's own settings */

Test(config, ansibles_settings_count_where_no_key_is_set)
{
    folder_write("ansible.cfg",
                 "[defaults]\nremote_user = deploy\nremote_port = 2222\nprivate_key_file = "
                 "keys/one\ninterpreter_python = /opt/python\n[ssh_connection]\nssh_common_args = "
                 "-J hop\n");
    with_target("    provider: static\n    address: 192.0.2.7\n    port: 22");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = &project->targets[0];
    AUTO_FREE char *key = folder_path("keys/one");
    cr_assert_str_eq(target->user, "deploy");
    cr_assert_eq(target->port, 22, "a key beats a setting");
    cr_assert_str_eq(target->key, key);
    cr_assert_str_eq(target->python, "/opt/python");
    cr_assert_str_eq(target->ssh_common_args, "-J hop");
    project_cleanup(&project);
    folder_environment("ANSIBLE_REMOTE_USER=other", "ANSIBLE_PYTHON_INTERPRETER=auto_silent", NULL);
    project = folder_load();
    cr_assert_str_eq(project->targets[0].user, "other");
    cr_assert_null(project->targets[0].python, "to be found names no interpreter");
}

Test(config, a_sandbox_has_a_key_of_its_own)
{
    folder_write("ansible.cfg", "[defaults]\nprivate_key_file = keys/one\nremote_user = deploy\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert_null(project->targets[0].key);
    cr_assert_str_eq(project->targets[0].user, "deploy");
}

Test(config, a_setting_that_no_key_could_take_is_warned_of)
{
    folder_write("ansible.cfg", "[defaults]\nremote_port = many\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert_eq(project->targets[0].port, 0);
    cr_assert_eq(project->warnings.count, 1);
    cr_has(project->warnings.items[0], "ansible.cfg:2");
}

Test(config, inventories_are_triphases_then_those_of_the_environment_then_of_ansible_cfg)
{
    folder_write("inventory", "box\n");
    AUTO_PROJECT *project = folder_load();
    cr_assert_eq(project->inventory.count, 1, "a file of that name is one too");
    project_cleanup(&project);
    folder_write("ansible.cfg", "[defaults]\ninventory = hosts.ini, /elsewhere\n");
    project = folder_load();
    cr_assert_eq(project->inventory.count, 2);
    cr_assert_str_eq(project->inventory.items[0], "hosts.ini");
    cr_assert_str_eq(project->inventory.items[1], "/elsewhere");
    project_cleanup(&project);
    folder_environment("ANSIBLE_INVENTORY=other.ini", NULL);
    project = folder_load();
    cr_assert_eq(project->inventory.count, 1);
    cr_assert_str_eq(project->inventory.items[0], "other.ini");
    project_cleanup(&project);
    folder_environment("ANSIBLE_INVENTORY=other.ini", "TRIPHASE_INVENTORY=[inventory]", NULL);
    project = folder_load();
    cr_assert_str_eq(project->inventory.items[0], "inventory");
}
