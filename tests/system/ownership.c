/* Behind sudo everything in the project is the invoking user's, and what cannot be read or written is never told as absent. */
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
