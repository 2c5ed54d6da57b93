/* One setting is written into its file or taken out of it: only what resolves, and no other byte. */
#include "config/change.h"
#include "config/change_write.h"
#include "folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(change, .timeout = 60, .fini = folder_clean);

#define PROJECT                                                                                           \
    "# Hosts of ours\nproject: demo\n\ntargets:\n  vault:   # the one\n    recipe: vault\n    deadline: " \
    "1h  # long enough\n"
#define RECIPE "phases:\n  - name: install  # first\n    playbook: playbooks/install.yml\n    silence: 5m\n"

static const char *given_environment;

static void fill(void)
{
    folder_fill();
    folder_write("triphase.yml", PROJECT);
    folder_write("phases/vault.yml", RECIPE);
}

static int change(struct config_change change, struct config_changed *out, struct error *err)
{
    AUTO_WORDS environment = WORDS_INIT;
    words_addf(&environment, "HOME=%s/home", folder());
    if (given_environment)
        words_add(&environment, given_environment);
    struct config_sources sources = {folder(), words_argv(&environment), NULL, NULL, NULL};
    return config_change(&sources, &change, out, err);
}

static void set(const char *path, const char *value)
{
    AUTO_CONFIG_CHANGED changed = {.file = NULL};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(change((struct config_change){.path = path, .value = value}, &changed, &err), 0, "%s=%s: %s",
                 path, value, error_text(&err));
}

/* The message; the files are as they were. malloc'ed. */
static char *refused(struct config_change wanted)
{
    AUTO_CONFIG_CHANGED changed = {.file = NULL};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(change(wanted, &changed, &err), -1, "%s=%s", wanted.path, wanted.value);
    cr_assert_eq(err.kind, ERROR_PROJECT, "%s", error_text(&err));
    return xstrdup(error_text(&err));
}

static void expect_file(const char *name, const char *text)
{
    AUTO_FREE char *path = folder_path(name);
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_read(path, 1 << 20, &out, &err), 0, "%s", error_text(&err));
    cr_assert_str_eq(text_string(&out), text);
}

Test(change, a_setting_is_written_where_it_belongs_and_told_with_what_it_was)
{
    fill();
    AUTO_CONFIG_CHANGED changed = {.file = NULL};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(
        change((struct config_change){"targets.vault.deadline", "90m", false, false}, &changed, &err), 0);
    cr_assert_str_eq(changed.file, "triphase.yml");
    cr_assert_str_eq(changed.before, "1h");
    cr_assert_str_eq(changed.after, "90m");
    cr_assert(changed.changes);
    cr_assert_eq(changed.counts.count, 0);
    expect_file("triphase.yml",
                "# Hosts of ours\nproject: demo\n\ntargets:\n  vault:   # the one\n    recipe: vault\n"
                "    deadline: 90m  # long enough\n");
    set("targets.vault.deadline", "1h");
    expect_file("triphase.yml", PROJECT);
    set("keep", "30d");
    set("targets.vault.stage_deadline.ready", "2m");
    set("providers.sandbox.root", "debian-13");
    expect_file("triphase.yml", PROJECT "    stage_deadline:\n      ready: 2m\nkeep: 30d\nproviders:\n"
                                        "  sandbox:\n    root: debian-13\n");
}

Test(change, a_setting_of_a_phase_goes_into_its_recipes_file)
{
    fill();
    set("phases.vault.install.silence", "7m");
    set("phases.vault.install.grace", "0s");
    set("phases.vault.defaults.attempts", "3");
    expect_file("phases/vault.yml",
                "phases:\n  - name: install  # first\n    playbook: playbooks/install.yml\n"
                "    silence: 7m\n    grace: 0s\ndefaults:\n  attempts: 3\n");
    expect_file("triphase.yml", PROJECT);
}

Test(change, a_setting_of_a_phase_that_only_looks_or_takes_away_goes_into_its_own_list)
{
    fill();
    static const char recipe[] = "phases:\n  - name: install\n    playbook: playbooks/install.yml\n"
                                 "verify:\n  - name: look\n    playbook: playbooks/install.yml\n"
                                 "teardown:\n  - name: bye\n    playbook: playbooks/install.yml\n";
    folder_write("phases/vault.yml", recipe);
    set("phases.vault.look.silence", "7m");
    set("phases.vault.bye.silence", "8m");
    expect_file("phases/vault.yml",
                "phases:\n  - name: install\n    playbook: playbooks/install.yml\n"
                "verify:\n  - name: look\n    playbook: playbooks/install.yml\n    silence: 7m\n"
                "teardown:\n  - name: bye\n    playbook: playbooks/install.yml\n    silence: 8m\n");
}

static const struct {
    const char *path, *value, *says;
} refusals[] = {
    {"targets.vault.deadlin", "1h", "the nearest is targets.vault.deadline"},
    {"targets.vaults.deadline", "1h", "the nearest is targets.vault.deadline"},
    {"nonsense", "1", "there is no such setting in this project"},
    {"targets.vault.deadline", "soon",
     "targets.vault.deadline: 'deadline': 'soon' is no duration; write it like 90s, 5m or 1h30m"},
    {"targets.vault.protected", "7", "'protected' takes true or false, not a whole number"},
    {"targets.vault.port", "70000", "'port' takes a whole number from 1 to 65535"},
    {"targets.vault.stage_deadline", "{redy: 1m}",
     "unknown key 'redy' in 'stage_deadline'; did you mean 'ready'?"},
    {"targets.vault.groups", "[a", "targets.vault.groups:"},
    {"targets.vault.provider", "sandbx", "there is no 'sandbx'; write one of sandbox"},
    {"targets.vault.secrets.token", "hunter2", "{env: NAME}"},
    {"targets.vault.peers", "[nobody]", "'peers': there is no target 'nobody'"},
    {"targets.vault.recipe", "other", "there is no recipe 'other'"},
    {"targets.vault.provider", "static", "address"},
    {"targets.vault.on", "x", "'on' is not in this version"},
    {"vault.ttl", "6h", "the nearest is targets.vault.ttl"},
    {"targets.vault.port", "", "the value is empty; 'triphase config unset' takes a setting out"},
    {"targets.vault.peers", " ", "the value is empty"},
    {"targets.vault.vars.size", "",
     "the value is empty; 'triphase config unset' takes a setting out, and an empty "
     "text is '\"\"'"},
    {"targets.vault.image", "", "image"},
    {"phases.vault.install.silense", "1m", "the nearest is phases.vault.install.silence"},
    {"phases.vault.target.user", "admin",
     "stands in phases/vault.yml under 'target', which no path leads to"},
    {"phases.other.install.silence", "1m", "there is no recipe of that name"},
    {"phases.vault.install.name", "other", "there is no such setting"},
    {"phases.vault.install.playbook", "playbooks/gone.yml", "there is no playbook playbooks/gone.yml"},
};

Test(change, what_reading_would_refuse_is_not_written)
{
    fill();
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        AUTO_FREE char *said =
            refused((struct config_change){.path = refusals[i].path, .value = refusals[i].value});
        cr_expect(strstr(said, refusals[i].says), "%s: %s", refusals[i].path, said);
        cr_expect_null(strstr(said, "hunter2"));
        expect_file("triphase.yml", PROJECT);
        expect_file("phases/vault.yml", RECIPE);
    }
}

Test(change, a_fault_that_the_file_has_elsewhere_keeps_nobody_from_mending_it)
{
    fill();
    folder_write("triphase.yml", PROJECT "    port: many\n    deadlin: 1h\n");
    set("targets.vault.port", "22");
    expect_file("triphase.yml", PROJECT "    port: 22\n    deadlin: 1h\n");
    AUTO_CONFIG_CHANGED changed = {.file = NULL};
    AUTO_ERROR err = ERROR_INIT;
    /* The fault stands in another line then. */
    cr_assert_eq(change((struct config_change){.path = "targets.vault.port"}, &changed, &err), 0, "%s",
                 error_text(&err));
    expect_file("triphase.yml", PROJECT "    deadlin: 1h\n");
}

Test(change, a_plain_secret_that_is_replaced_is_not_told)
{
    fill();
    folder_write("triphase.yml", PROJECT "    become_password: hunter2\n    secrets: {token: hunter2}\n");
    static const char *const paths[] = {"targets.vault.become_password", "targets.vault.secrets.token"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO_CONFIG_CHANGED changed = {.file = NULL};
        AUTO_ERROR err = ERROR_INIT;
        cr_assert_eq(change((struct config_change){.path = paths[i], .value = "{env: A}"}, &changed, &err), 0,
                     "%s", error_text(&err));
        cr_expect_str_eq(changed.before, "(not shown)");
        cr_expect_str_eq(changed.after, "{env: A}");
        for (size_t j = 0; j < changed.lines.count; j++)
            cr_has_not(changed.lines.items[j], "hunter2");
    }
}

Test(change, what_is_so_already_is_not_written)
{
    fill();
    AUTO_FREE char *path = folder_path("triphase.yml");
    struct stat before, after;
    cr_assert_eq(stat(path, &before), 0);
    static const struct config_change same[] = {{.path = "targets.vault.deadline", .value = "1h"},
                                                {.path = "targets.vault.deadline", .value = "\"1h\""},
                                                {.path = "targets.vault.user"}};
    for (size_t i = 0; i < COUNT_OF(same); i++) {
        AUTO_CONFIG_CHANGED changed = {.file = NULL};
        AUTO_ERROR err = ERROR_INIT;
        cr_assert_eq(change(same[i], &changed, &err), 0, "%s", error_text(&err));
        cr_assert_not(changed.changes);
        cr_assert_eq(stat(path, &after), 0);
        cr_assert_eq(before.st_ino, after.st_ino);
    }
    expect_file("triphase.yml", PROJECT);
}

Test(change, what_is_required_is_not_taken_out_and_what_is_taken_out_tells_what_counts_now)
{
    fill();
    AUTO_FREE char *recipe = refused((struct config_change){.path = "targets.vault.recipe"});
    cr_has(recipe, "recipe");
    AUTO_FREE char *project = refused((struct config_change){.path = "project"});
    cr_has(project, "project");
    AUTO_FREE char *playbook = refused((struct config_change){.path = "phases.vault.install.playbook"});
    cr_has(playbook, "playbook");
    expect_file("triphase.yml", PROJECT);
    AUTO_CONFIG_CHANGED changed = {.file = NULL};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(change((struct config_change){.path = "targets.vault.deadline"}, &changed, &err), 0);
    cr_assert_null(changed.after);
    cr_assert_eq(changed.counts.count, 1);
    cr_assert_str_eq(changed.counts.items[0], "built-in: 2h");
}

Test(change, the_layer_that_hides_what_was_written_is_told)
{
    fill();
    given_environment = "TRIPHASE_TARGETS_VAULT_DEADLINE=3h";
    AUTO_CONFIG_CHANGED own = {.file = NULL}, shared = {.file = NULL};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(change((struct config_change){.path = "targets.vault.deadline", .value = "2h"}, &own, &err),
                 0);
    cr_assert_eq(own.counts.count, 1);
    cr_assert_str_eq(own.counts.items[0], "environment TRIPHASE_TARGETS_VAULT_DEADLINE: 3h");
    given_environment = NULL;
    cr_assert_eq(change((struct config_change){.path = "defaults.deadline", .value = "5h"}, &shared, &err),
                 0);
    cr_assert_eq(shared.counts.count, 1);
    cr_assert_str_eq(shared.counts.items[0], "vault: triphase.yml:7:5: 2h");
}

Test(change, what_a_provider_has_built_in_is_told_in_place_of_what_was_taken_out)
{
    fill();
    folder_write("triphase.yml",
                 "project: demo\ntargets:\n  vault:\n    provider: hetzner\n    recipe: vault\n"
                 "    server_type: cx23\n    stage_deadline: {provision: 7m}\n");
    AUTO_CONFIG_CHANGED changed = {.file = NULL};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(change((struct config_change){"targets.vault.stage_deadline.provision", NULL, false, false},
                        &changed, &err),
                 0, "%s", error_text(&err));
    cr_assert_eq(changed.counts.count, 1);
    cr_assert_str_eq(changed.counts.items[0], "built-in: 10m");
}

Test(change, a_fault_that_only_the_environment_hides_is_refused)
{
    fill();
    given_environment = "TRIPHASE_TARGETS_VAULT_PROVIDER=sandbox";
    AUTO_FREE char *said =
        refused((struct config_change){.path = "targets.vault.provider", .value = "static"});
    cr_has(said, "address");
    given_environment = NULL;
    expect_file("triphase.yml", PROJECT);
}

#define ENVELOPES                                                                                 \
    "providers:\n  static: {address: 192.0.2.7, user: \"admin\", port: 2222}  # the old one\n"    \
    "  sandbox:\n    # small\n    root: debian-11\n    user: root\n"                              \
    "  hetzner:  # when it counts\n    server_type: cx23\n    user: cloud\n    location: [nbg1, " \
    "fsn1]\n"

static void expect_target(const char *address, const char *user, int port, const char *root)
{
    AUTO_PROJECT *project = folder_load();
    const struct target *target = &project->targets[0];
    cr_expect(text_is(target->address, address), "%s", target->address);
    cr_expect_str_eq(target->user, user);
    cr_expect_eq(target->port, port);
    cr_expect_str_eq(target->root, root);
}

Test(change, flipping_the_provider_and_back_loses_nothing_and_rewrites_nothing)
{
    static const char *const texts[] = {PROJECT "    provider: sandbox  # or static\n" ENVELOPES,
                                        PROJECT "    provider: 'sandbox'\n" ENVELOPES,
                                        PROJECT "    provider: \"sandbox\"\n" ENVELOPES};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        fill();
        folder_write("triphase.yml", texts[i]);
        expect_target(NULL, "root", 0, "debian-11");
        set("targets.vault.provider", "static");
        expect_target("192.0.2.7", "admin", 2222, "debian-12");
        set("targets.vault.provider", "hetzner");
        expect_target(NULL, "cloud", 0, "debian-12");
        AUTO_PROJECT *project = folder_load();
        cr_expect_str_eq(project->targets[0].cloud.server_type, "cx23");
        cr_expect_eq(project->targets[0].cloud.locations.count, 2);
        set("targets.vault.provider", "sandbox");
        expect_target(NULL, "root", 0, "debian-11");
        expect_file("triphase.yml", texts[i]);
    }
}

/* The user's own file */

static int set_users(const char *path, const char *value, struct error *err)
{
    AUTO_CONFIG_CHANGED changed = {.file = NULL};
    return change((struct config_change){.path = path, .value = value, .user = true}, &changed, err);
}

Test(change, the_users_own_file_is_made_for_the_user_alone)
{
    fill();
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(set_users("defaults.deadline", "4h", &err), 0, "%s", error_text(&err));
    expect_file("home/.config/triphase/config.yml", "defaults:\n  deadline: 4h\n");
    AUTO_FREE char *file = folder_path("home/.config/triphase/config.yml"), *above = file_parent(file);
    struct stat state;
    cr_assert(stat(file, &state) == 0 && (state.st_mode & 07777) == 0600);
    cr_assert(stat(above, &state) == 0 && (state.st_mode & 07777) == 0700);
    expect_file("triphase.yml", PROJECT);
}

Test(change, the_users_own_file_takes_its_own_keys_alone_and_is_written_strictly)
{
    static const char *const rows[][3] = {
        {"targets.vault.deadline", "1h", "the user's own file takes"},
        {"project", "other", "the user's own file takes"},
        {"inventory", "[x]", "the user's own file takes"},
        {"phases.vault.install.silence", "1m", "the user's own file takes"},
        {"defaults.deadlin", "1h", "the nearest is defaults.deadline"},
        {"defaults.deadline", "soon", "'soon' is no duration"},
        {"operator.auth_key", "tskey-auth-x", "{env: NAME}"},
    };
    fill();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_FREE char *said =
            refused((struct config_change){.path = rows[i][0], .value = rows[i][1], .user = true});
        cr_expect(strstr(said, rows[i][2]), "%s: %s", rows[i][0], said);
        cr_expect_null(strstr(said, "tskey"), "%s", said);
    }
    AUTO_FREE char *above = folder_path("home");
    cr_assert_not(file_exists(above));
}

Test(change, a_malformed_field_of_the_users_file_stays_as_it_is_and_its_siblings_are_changed)
{
    fill();
    folder_write("home/.config/triphase/config.yml",
                 "keep: soon\nkeep2: 1\ndefaults:\n  deadline: 4h # mine\n");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(set_users("defaults.deadline", "5h", &err), 0, "%s", error_text(&err));
    expect_file("home/.config/triphase/config.yml",
                "keep: soon\nkeep2: 1\ndefaults:\n  deadline: 5h # mine\n");
    cr_assert_eq(set_users("keep", "9d", &err), 0, "%s", error_text(&err));
    expect_file("home/.config/triphase/config.yml", "keep: 9d\nkeep2: 1\ndefaults:\n  deadline: 5h # mine\n");
    folder_write("home/.config/triphase/config.yml", "keep: 8d\ndefaults: {user: a, user: b}\n");
    cr_assert_eq(set_users("keep", "9d", &err), 0, "%s", error_text(&err));
    expect_file("home/.config/triphase/config.yml", "keep: 9d\ndefaults: {user: a, user: b}\n");
    AUTO_FREE char *twice =
        refused((struct config_change){.path = "defaults.user", .value = "c", .user = true});
    cr_has(twice, "'user' stands here twice");
    folder_write("home/.config/triphase/config.yml", "keep: [9d\n");
    AUTO_FREE char *said = refused((struct config_change){.path = "keep", .value = "8d", .user = true});
    cr_has(said, "config.yml:2:1:");
    expect_file("home/.config/triphase/config.yml", "keep: [9d\n");
}

static int set_behind_sudo(const char *file, struct error *err)
{
    AUTO_CONFIG_CHANGED changed = {.file = NULL};
    AUTO_WORDS environment = WORDS_INIT;
    words_add_all(&environment, "SUDO_UID=65534", "SUDO_GID=65534", NULL);
    struct config_sources sources = {folder(), words_argv(&environment), NULL, file, NULL};
    struct config_change wanted = {.path = "keep", .value = "9d", .user = true};
    return config_change(&sources, &wanted, &changed, err);
}

Test(change, behind_sudo_the_users_file_is_written_with_that_users_rights)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    fill();
    AUTO_FREE char *file = folder_path("theirs/new/config.yml"), *theirs = folder_path("theirs");
    AUTO_FREE char *link = folder_path("theirs/link.yml"), *roots = folder_path("roots.yml");
    AUTO_ERROR err = ERROR_INIT;
    struct stat state;
    folder_write("theirs/x", "");
    folder_write("roots.yml", "keep: 1d\n");
    cr_assert_eq(chown(folder(), 65534, 65534), 0);
    cr_assert_eq(chown(theirs, 65534, 65534), 0);
    cr_assert_eq(set_behind_sudo(file, &err), 0, "%s", error_text(&err));
    expect_file("theirs/new/config.yml", "keep: 9d\n");
    cr_assert(stat(file, &state) == 0 && state.st_uid == 65534 && (state.st_mode & 07777) == 0600);
    cr_assert_eq(geteuid(), 0);
    cr_assert_eq(symlink(roots, link), 0);
    cr_assert_eq(set_behind_sudo(link, &err), -1);
    expect_file("roots.yml", "keep: 1d\n");
    cr_assert_eq(geteuid(), 0);
}

/* The file itself */

Test(change, mode_and_owner_are_kept_and_a_links_target_is_written)
{
    fill();
    AUTO_FREE char *path = folder_path("triphase.yml"), *real = folder_path("elsewhere/real.yml");
    folder_write("elsewhere/real.yml", PROJECT);
    unlink(path);
    cr_assert_eq(symlink("elsewhere/real.yml", path), 0);
    cr_assert_eq(chmod(real, 0640), 0);
    if (geteuid() == 0)
        cr_assert_eq(chown(real, 1234, 4321), 0);
    set("targets.vault.deadline", "2h");
    struct stat state;
    cr_assert_eq(lstat(path, &state), 0);
    cr_assert(S_ISLNK(state.st_mode));
    cr_assert_eq(lstat(real, &state), 0);
    cr_assert_eq(state.st_mode & 07777, 0640);
    cr_assert(geteuid() != 0 || (state.st_uid == 1234 && state.st_gid == 4321));
    AUTO_WORDS names = WORDS_INIT;
    AUTO_FREE char *folder_of_it = file_parent(real);
    cr_assert_eq(file_list(folder_of_it, &names, NULL), 0);
    cr_assert_eq(names.count, 1, "something was left beside it");
}

Test(change, a_file_that_something_else_changed_meanwhile_is_left_alone)
{
    fill();
    AUTO_FREE char *path = folder_path("triphase.yml");
    struct change_write write;
    AUTO_TEXT ours = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    text_add(&ours, "project: ours\n");
    folder_write("triphase.yml", "project: demo\n");
    cr_assert_eq(change_write_begin(path, NULL, false, &write, &err), 0, "%s", error_text(&err));
    folder_write("triphase.yml", "project: them\n"); /* as long as what was read */
    cr_assert_eq(change_write_put(&write, &ours, &err), -1);
    cr_assert_eq(err.kind, ERROR_BUSY);
    change_write_end(&write);
    expect_file("triphase.yml", "project: them\n");
}

Test(change, of_changes_at_once_none_is_lost)
{
    enum { WRITERS = 4, ROUNDS = 8 };
    pid_t pids[WRITERS];
    fill();
    for (int i = 0; i < WRITERS; i++) {
        if ((pids[i] = fork()) != 0)
            continue;
        for (int round = 0; round < ROUNDS; round++) {
            AUTO_FREE char *name = xasprintf("targets.vault.vars.w%d_%d", i, round);
            AUTO_CONFIG_CHANGED changed = {.file = NULL};
            if (change((struct config_change){.path = name, .value = "1"}, &changed, NULL) < 0)
                _exit(1);
        }
        _exit(0);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = 0;
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_assert_eq(status, 0);
    }
    AUTO_PROJECT *project = folder_load();
    cr_assert_eq(project->targets[0].vars->count, WRITERS * ROUNDS);
}
