/* An interpreter that waits for its phase: whose process it may become. */
#include "ansible/warm.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(warm, .timeout = 60, .fini = hostile_clean);

/* Debian's ansible-playbook, started ahead with `environment`. What it says of itself once it was taken for
 * the environment `taken` is in *out, malloc'ed. -1 when it was not taken. */
static int take(const char *const *environment, const char *const *taken, char **out, struct error *err)
{
    AUTO_FREE char *folder = getcwd(NULL, 0);
    AUTO_FREE char *launcher = file_join(folder, "launcher/triphase_launch.py");
    AUTO_CLOSE int log = memfd_create("log", MFD_CLOEXEC);
    const char *const argv[] = {"/usr/bin/python3", launcher, "/usr/bin/ansible-playbook", "--version", NULL};
    struct child_plan plan = {.argv = argv,
                              .environment = taken,
                              .directory = folder,
                              .in = -1,
                              .out = log,
                              .error = log,
                              .scope = hostile_scope(SCOPE_CGROUP)};
    struct spare *spare = NULL;
    struct child child = CHILD_INIT;
    cr_assert_eq(warm_start(argv, environment, folder, plan.scope, &spare, err), 0, "%s", error_text(err));
    int result = warm_take(&spare, &plan, &child, err);
    cr_expect_null(spare, "neither taken nor dismissed");
    if (result < 0)
        return -1;
    hostile_end(&child);
    AUTO_FREE char *path = xasprintf("/proc/self/fd/%d", log);
    AUTO_TEXT text = TEXT_INIT;
    cr_assert_eq(file_read(path, 1 << 16, &text, NULL), 0);
    *out = text_take(&text);
    return 0;
}

#define PATHS "PATH=/usr/bin:/bin"

Test(warm, it_becomes_the_process_of_a_phase_that_differs_in_what_the_phase_alone_knows)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *shown = NULL;
    const char *const begun[] = {PATHS, "ANSIBLE_LIBRARY=/of/begun", NULL};
    const char *const phase[] = {"TRIPHASE_STEP=3", "ANSIBLE_LIBRARY=/of/begun", PATHS, NULL};
    cr_assert_eq(take(begun, phase, &shown, &err), 0, "%s", error_text(&err));
    cr_expect(strstr(shown, "['/of/begun']"), "%s", shown);
}

Test(warm, one_that_was_started_in_another_environment_is_not_the_phases)
{
    static const char *const phases[][4] = {{PATHS, "ANSIBLE_LIBRARY=/of/phase", NULL},
                                            {PATHS, NULL},
                                            {PATHS, "ANSIBLE_LIBRARY=/of/begun", "ANSIBLE_DEBUG=1", NULL}};
    const char *const begun[] = {PATHS, "ANSIBLE_LIBRARY=/of/begun", NULL};
    for (size_t i = 0; i < COUNT_OF(phases); i++) {
        AUTO_ERROR err = ERROR_INIT;
        AUTO_FREE char *shown = NULL;
        cr_expect_eq(take(begun, phases[i], &shown, &err), -1, "%s", shown);
        cr_expect(strstr(error_text(&err), "another environment"), "%s", error_text(&err));
    }
}
