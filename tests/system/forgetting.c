/* forget --everything and make uninstall take what is theirs, and nothing that is alive, of others, or cannot
 * be judged. All in namespaces of the test's own. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/lab.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

TestSuite(forgetting, .timeout = 90);

/* The command with /var and network of its own, filled by `setup`; afterwards `left` in the lab's
 * folder lists what is there. */
static struct lab_result run_privately(struct lab *lab, const char *setup, const char *a, const char *b,
                                       const char *c, const char *d)
{
    AUTO_FREE char *before = xasprintf("set -- unshare -mn sh -c 'mount -t tmpfs none /var/lib && mount -t "
                                       "tmpfs none /var/cache && mkdir -p /run/netns "
                                       "&& mount -t tmpfs none /run/netns && cd /var && mkdir -p "
                                       "lib/triphase cache/triphase && { %s; }; \"$@\"; "
                                       "code=$?; ls -d lib/triphase cache/triphase cache/triphase/* >%s/left "
                                       "2>/dev/null; exit $code' sh \"$@\"",
                                       setup, lab_folder(lab));
    return lab_run_after(lab, before, a, b, c, d, NULL);
}

static void hold(struct lab *lab, struct lab_result got, int code, const char *says, const char *left)
{
    AUTO_FREE char *list = lab_read(lab, "left");
    cr_expect_eq(got.code, code, "%d instead of %d: %s%s", got.code, code, got.out, got.err);
    cr_expect(strstr(got.err, says), "'%s' is not said: %s", says, got.err);
    cr_expect_str_eq(list, left);
}

/* A note of a sandbox of another project, whose folder is there, over the tree y. */
#define OTHERS                                                                                             \
    "mkdir -p cache/triphase/debian-x-1 cache/triphase/debian-y-2 lib/triphase/tp0123456789 lib/other/m; " \
    "echo "                                                                                                \
    "\"{\\\"machine\\\":\\\"01890000-0000-7000-8000-010123456789\\\",\\\"project\\\":\\\"others\\\","      \
    "\\\"target\\\":\\\"web\\\","                                                                          \
    "\\\"path\\\":\\\"/var/lib/other\\\",\\\"directory\\\":\\\"/var/lib/other/"                            \
    "m\\\",\\\"parts\\\":[{\\\"at\\\":\\\"\\\","                                                           \
    "\\\"lower\\\":\\\"/var/cache/triphase/debian-y-2\\\"}]}\" >lib/triphase/tp0123456789/owner.json"

Test(forgetting, everything_of_a_project_goes_and_nothing_of_others)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = lab_new();
    lab_static_project(lab, "", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 0);
    struct lab_result unasked = run_privately(lab, ":", "forget", "--everything", NULL, NULL);
    hold(lab, unasked, 64, "--yes", "cache/triphase\nlib/triphase\n");
    cr_expect(lab_exists(lab, ".triphase/store.db"));
    struct lab_result unjudged =
        run_privately(lab, "mkdir lib/triphase/tp0123456789; echo x >lib/triphase/tp0123456789/owner.json",
                      "forget", "--everything", "--yes", NULL);
    hold(lab, unjudged, 3, "tp0123456789 is a sandbox whose owner cannot be read",
         "cache/triphase\nlib/triphase\n");
    cr_expect(lab_exists(lab, ".triphase/store.db"));
    struct lab_result gone = run_privately(lab, OTHERS, "forget", "--everything", "--yes", NULL);
    hold(lab, gone, 0, "debian-y-2 is in use",
         "cache/triphase\ncache/triphase/debian-x-1.lock\ncache/triphase/debian-y-2\ncache/triphase/"
         "debian-y-2.lock\n"
         "lib/triphase\n");
    cr_expect_not(lab_exists(lab, ".triphase"));
    cr_expect(lab_exists(lab, "triphase.yml"));
    AUTO_FREE char *project = xasprintf("removed: %s/.triphase (", lab_folder(lab));
    cr_expect(strstr(gone.err, project), "%s", gone.err);
    cr_expect(strstr(gone.err, "removed: the root tree /var/cache/triphase/debian-x-1\n"), "%s", gone.err);
    cr_expect_not(strstr(gone.err, "removed: the root tree /var/cache/triphase/debian-y-2"), "%s", gone.err);
    struct lab_result again = run_privately(lab, ":", "forget", "--everything", "--yes", NULL);
    hold(lab, again, 0, "removed: nothing", "cache/triphase\nlib/triphase\n");
}

Test(forgetting, what_is_on_the_machine_goes_only_where_no_sandbox_is_alive_or_unjudged)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = lab_new();
    struct lab_result alive = run_privately(lab, OTHERS, "forget", "--everything", "--this-machine", "--yes");
    hold(lab, alive, 3, "tp0123456789 is a sandbox of target web of project others (/var/lib/other)",
         "cache/triphase\ncache/triphase/debian-x-1\ncache/triphase/debian-y-2\nlib/triphase\n");
    struct lab_result unjudged = run_privately(lab, "ip link add tpaaaaaaaaaa type veth peer name x",
                                               "forget", "--everything", "--this-machine", "--yes");
    hold(lab, unjudged, 3, "tpaaaaaaaaaa is a sandbox of a triphase whose folder",
         "cache/triphase\nlib/triphase\n");
    struct lab_result gone = run_privately(lab, "mkdir cache/triphase/debian-x-1 lib/triphase/tp0123456789",
                                           "forget", "--everything", "--this-machine", "--yes");
    hold(lab, gone, 0, "removed: what was left of the sandbox tp0123456789\n", "");
    cr_expect(strstr(gone.err, "removed: the root tree /var/cache/triphase/debian-x-1\n"), "%s", gone.err);
    cr_expect(strstr(gone.err, "removed: the folder /var/cache/triphase\n"), "%s", gone.err);
    cr_expect(strstr(gone.err, "removed: the folder /var/lib/triphase\n"), "%s", gone.err);
}

/* `make uninstall` as root does it, of a program that was installed in `into`. */
static struct lab_result uninstall(struct lab *lab, const char *setup, const char *into,
                                   const char *variables)
{
    AUTO_FREE char *here = getcwd(NULL, 0);
    AUTO_FREE char *all = xasprintf("%s; unset MAKEFLAGS; mkdir -p %s && cp \"$1\" %s/triphase && "
                                    "set -- make -C %s uninstall %s",
                                    setup, into, into, here, variables);
    return run_privately(lab, all, "status", NULL, NULL, NULL);
}

Test(forgetting, uninstall_goes_only_where_no_sandbox_is_alive_and_names_whose_it_is)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = lab_new();
    AUTO_FREE char *prefix = xasprintf("PREFIX=%s/prefix DESTDIR=", lab_folder(lab)),
                   *bin = xasprintf("%s/prefix/bin", lab_folder(lab));
    struct lab_result alive = uninstall(lab, OTHERS, bin, prefix);
    hold(lab, alive, 2, "tp0123456789 is a sandbox of target web of project others (/var/lib/other)",
         "cache/triphase\ncache/triphase/debian-x-1\ncache/triphase/debian-y-2\nlib/triphase\n");
    cr_expect(lab_exists(lab, "prefix/bin/triphase"));
    struct lab_result unjudged =
        uninstall(lab, "mkdir lib/triphase/tp0123456789; echo x >lib/triphase/tp0123456789/owner.json", bin,
                  prefix);
    hold(lab, unjudged, 2, "tp0123456789 is a sandbox whose owner cannot be read",
         "cache/triphase\nlib/triphase\n");
    cr_expect(lab_exists(lab, "prefix/bin/triphase"));
    struct lab_result gone = uninstall(lab, "mkdir cache/triphase/debian-x-1", bin, prefix);
    hold(lab, gone, 0, "", "");
    cr_expect_not(lab_exists(lab, "prefix/bin/triphase"));
}

/* A packager's staged tree has nothing of this machine's. */
Test(forgetting, uninstall_with_destdir_touches_nothing_below_var)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = lab_new();
    AUTO_FREE char *bin = xasprintf("%s/staged/usr/bin", lab_folder(lab)),
                   *staged = xasprintf("PREFIX=/usr DESTDIR=%s/staged", lab_folder(lab));
    struct lab_result gone = uninstall(lab, "mkdir cache/triphase/debian-x-1", bin, staged);
    hold(lab, gone, 0, "", "cache/triphase\ncache/triphase/debian-x-1\nlib/triphase\n");
    cr_expect_not(lab_exists(lab, "staged/usr/bin/triphase"));
}
