/* Who is told that a run ends with the last logout, and how to mend it. */
#include "preflight/linger.h"

#include "base/file.h"
#include "base/memory.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(linger, .fini = folder_clean);

enum { NOBODY = 65534 }; /* a user whom every machine has */

static void make(const char *name)
{
    AUTO_FREE char *path = file_join(folder(), name);
    cr_assert_eq(file_make_dirs(path, 0700, NULL), 0);
}

Test(linger, a_user_whom_systemd_ends_at_logout_is_told_the_command_that_mends_it)
{
    make("run/systemd/system");
    AUTO_FREE char *warning = linger_warning(NOBODY, folder());
    cr_assert_not_null(warning);
    cr_expect(strstr(warning, "loginctl enable-linger nobody"), "%s", warning);
}

Test(linger, nobody_is_told_who_lingers_or_is_root_or_has_no_systemd)
{
    cr_expect_null(linger_warning(NOBODY, folder()));
    make("run/systemd/system");
    cr_expect_null(linger_warning(0, folder()));
    make("var/lib/systemd/linger/nobody");
    cr_expect_null(linger_warning(NOBODY, folder()));
}
