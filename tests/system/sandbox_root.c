/* Root trees that were begun and not finished. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/sandbox.h"
#include "sandbox/root.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(sandbox_root, .timeout = 60);

/* A cache of the test's own, where it has rights to mount; gone with its mount namespace. */
static struct rig *begin(void)
{
    rig_go_private();
    rig_shell("mkdir -p " SANDBOX_CACHE " && mount -t tmpfs tmpfs " SANDBOX_CACHE);
    return rig_new(NULL);
}

static void expect_failure(const struct rig *rig, const char *root, const char *why)
{
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_lt(root_parts(root, rig->project, 30 * NS_PER_S, &owner, &err), 0);
    cr_expect(strstr(error_text(&err), why), "%s", error_text(&err));
}

static void expect_no_mounts(void)
{
    AUTO_FREE char *mounts = rig_output("grep -c ' " SANDBOX_CACHE "/' /proc/self/mountinfo || true");
    cr_expect_str_eq(mounts, "0\n");
}

Test(sandbox_root, what_a_build_that_was_killed_left_mounted_does_not_stand_in_the_way)
{
    struct rig *rig = begin();
    rig_shell("mkdir '%s/tree' && tar --create --file '%s/empty.tar' --directory '%s/tree' .", rig->project,
              rig->project, rig->project);
    expect_failure(rig, "./empty.tar", "systemd");
    rig_shell("cd " SANDBOX_CACHE
              " && unfinished=$(ls -d tar-*.lock) && unfinished=${unfinished%%.lock}.building && "
              "mkdir -p $unfinished/proc $unfinished/dev && mount -t proc proc $unfinished/proc && mount -t "
              "tmpfs t $unfinished/dev");
    expect_failure(rig, "./empty.tar", "systemd");
    expect_no_mounts();
}

/* In place of mmdebstrap one that ends in the middle, since when the real one is killed cannot be told. */
Test(sandbox_root, a_build_that_dies_leaves_nothing_mounted)
{
    struct rig *rig = begin();
    AUTO_FREE char *folder = file_join(rig->project, "bin");
    AUTO_FREE char *path = xasprintf("%s:%s", folder, getenv("PATH"));
    AUTO_FREE char *program = file_join(folder, "mmdebstrap");
    rig_shell("mkdir '%s'", folder);
    rig_plant(
        program,
        "#!/bin/sh\nfor word; do case $word in */*.building) tree=$word ;; esac; done\n"
        "mkdir -p \"$tree/proc\" && mount -t proc proc \"$tree/proc\" && echo mounted >&2\nkill -KILL $$\n");
    rig_shell("chmod +x '%s'", program);
    setenv("PATH", path, 1);
    expect_failure(rig, "debian-12", "mounted");
    expect_no_mounts();
}
