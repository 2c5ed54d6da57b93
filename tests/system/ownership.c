/* Behind sudo everything in the project is the invoking user's, and what cannot be read or written
 * is never told as absent. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/lab.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(ownership, .timeout = 90);

enum { NOBODY = 65534 };

static struct text foreign;

static int add_foreign(const char *path, const struct stat *state, int kind, struct FTW *at)
{
    (void)kind;
    (void)at;
    if (state->st_uid != NOBODY)
        text_addf(&foreign, "%s is of %d\n", path, (int)state->st_uid);
    return 0;
}

static int give_away(const char *path, const struct stat *state, int kind, struct FTW *at)
{
    (void)state;
    (void)kind;
    (void)at;
    return lchown(path, NOBODY, NOBODY);
}

static void expect_theirs(struct lab *lab, const char *after)
{
    AUTO_FREE char *state = xasprintf("%s/.triphase", lab_folder(lab));
    text_truncate(&foreign, 0);
    cr_assert_eq(nftw(state, add_foreign, 16, FTW_PHYS), 0);
    cr_expect_eq(foreign.length, 0, "after %s:\n%s", after, text_string(&foreign));
}

/* As if nobody had called it by sudo, in a project of theirs. */
static struct lab *sudo_lab(void)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = lab_new();
    lab_static_project(
        lab, "",
        "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
        "    - ansible.builtin.copy: {content: x, dest: '{{ triphase_state_dir }}/kept', mode: '0600'}\n"
        "      delegate_to: localhost\n"
        "    - ansible.builtin.copy: {content: x, dest: '{{ triphase_machine_dir }}/kept', mode: '0600'}\n"
        "      delegate_to: localhost\n");
    lab_environment(lab, "SUDO_UID", "65534");
    lab_environment(lab, "SUDO_GID", "65534");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_USER", "root"); /* whom the lab's sshd lets in */
    return lab;
}

Test(ownership, behind_sudo_everything_in_the_project_is_the_invoking_users)
{
    struct lab *lab = sudo_lab();
    AUTO_FREE char *playbooks = xasprintf("%s/playbooks", lab_folder(lab));
    cr_assert_eq(nftw(playbooks, give_away, 16, FTW_PHYS), 0);
    struct lab_result planned = lab_run(lab, "plan", "host", NULL);
    cr_expect_eq(planned.code, 0, "%s", planned.err);
    expect_theirs(lab, "plan");
    struct lab_result created = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(created.code, 0, "%s%s", created.out, created.err);
    expect_theirs(lab, "create");
    cr_expect(lab_exists(lab, ".triphase/targets/host/state/kept"));
    AUTO_FREE char *ignore = lab_read(lab, ".triphase/.gitignore");
    cr_expect_str_eq(ignore, "*\n");
    AUTO_FREE char *copy = xasprintf("%s/.triphase/copy.db", lab_folder(lab));
    struct lab_result exported = lab_run(lab, "store", "export", copy, NULL);
    cr_expect_eq(exported.code, 0, "%s", exported.err);
    cr_expect_eq(lab_run(lab, "destroy", "host", "--yes", NULL).code, 0);
    expect_theirs(lab, "destroy");
}

/* A user for whom the state folder is closed is told so: not that nothing is there, and never with 0. */
Test(ownership, what_is_closed_to_this_user_is_not_told_as_absent)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = lab_new();
    lab_static_project(lab, "", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    AUTO_FREE char *state = xasprintf("%s/.triphase", lab_folder(lab));
    cr_assert_eq(chmod(lab_folder(lab), 0755), 0);
    cr_assert_eq(mkdir(state, 0700), 0);
    /* A copy of the program that they may run, as them. */
    AUTO_FREE char *as_nobody =
        xasprintf("[ -e %s/program ] || cp \"$1\" %s/program; shift; "
                  "set -- setpriv --reuid 65534 --regid 65534 --clear-groups %s/program \"$@\"",
                  lab_folder(lab), lab_folder(lab), lab_folder(lab));
    static const char *const commands[][4] = {{"status"},
                                              {"status", "host"},
                                              {"report"},
                                              {"events"},
                                              {"attach"},
                                              {"cancel"},
                                              {"cancel", "host"},
                                              {"destroy", "--all", "--yes"},
                                              {"destroy", "host", "--yes"},
                                              {"forget", "host", "--yes"},
                                              {"resume"},
                                              {"bundle"},
                                              {"store", "check"},
                                              {"run", "host"},
                                              {"create", "host"},
                                              {"inventory", "host"},
                                              {"plan", "host"}};
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const char *const *c = commands[i];
        struct lab_result said = lab_run_after(lab, as_nobody, c[0], c[1], c[2], c[3], NULL);
        cr_expect(said.code != 0, "%s %s: exit 0, %s%s", c[0], c[1] ? c[1] : "", said.out, said.err);
        cr_expect(strstr(said.err, "Permission denied") && strstr(said.err, "closed to this user"),
                  "%s %s: %s", c[0], c[1] ? c[1] : "", said.err);
        cr_expect_null(strstr(said.err, "no run yet"));
        cr_expect_null(strstr(said.out, "absent"));
    }
}

Test(ownership, a_read_only_project_and_a_full_disk_say_so_in_words)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = lab_new();
    lab_static_project(lab, "", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    AUTO_FREE char *state = xasprintf("%s/.triphase", lab_folder(lab));
    cr_assert_eq(mkdir(state, 0700), 0);
    const char *folder = lab_folder(lab);
    AUTO_FREE char *closed =
        xasprintf("mount --bind %s/.triphase %s/.triphase; mount -o remount,bind,ro %s/.triphase", folder,
                  folder, folder);
    AUTO_FREE char *full = xasprintf("mount -t tmpfs -o size=8k none %s/.triphase", folder);
    const struct {
        const char *mount, *reason, *meaning;
    } disks[] = {{closed, "Read-only file system", "nothing can be written there: mount it writable"},
                 {full, "disk is full", "make room on it (df -h, df -i)"}};
    for (size_t i = 0; i < COUNT_OF(disks); i++) {
        AUTO_FREE char *before =
            xasprintf("set -- unshare -m sh -c '%s; exec \"$@\"' sh \"$@\"", disks[i].mount);
        static const char *const commands[] = {"create", "run"};
        for (size_t c = 0; c < COUNT_OF(commands); c++) {
            struct lab_result said = lab_run_after(lab, before, commands[c], "host", NULL);
            cr_expect_eq(said.code, 70, "%s: %d %s", commands[c], said.code, said.err);
            cr_expect(strstr(said.err, disks[i].reason), "%s: %s", commands[c], said.err);
            cr_expect(strstr(said.err, disks[i].meaning), "%s: %s", commands[c], said.err);
        }
    }
}
