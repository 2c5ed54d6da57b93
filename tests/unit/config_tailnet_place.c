/* The place of this machine's own tailscaled: where it is, what is written there, who may not enter. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/tailnet_place.h"
#include "process/child.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Root's place is one folder of the machine, so the tests are somebody else, who has a folder of their
 * own. */
static char folder[] = "/tmp/triphase-place.XXXXXX";

static void become_a_user(void)
{
    cr_assert_not_null(mkdtemp(folder));
    if (geteuid() == 0)
        cr_assert(chown(folder, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    setenv("XDG_STATE_HOME", folder, 1);
}

static void leave(void)
{
    file_remove_tree(folder, NULL);
}

static struct tailnet_place_daemon this_process(void)
{
    struct tailnet_place_daemon daemon = {.id = "one life",
                                          .pid = getpid(),
                                          .start = process_start_time(getpid()),
                                          .tun = true,
                                          .socks5 = 1055};
    AUTO_FREE char *boot = process_boot_id();
    memcpy(daemon.boot, boot, strlen(boot) + 1);
    return daemon;
}

TestSuite(config_tailnet_place, .init = become_a_user, .fini = leave);

Test(config_tailnet_place_of_root, is_in_var_lib_whatever_the_environment_says)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    setenv("XDG_STATE_HOME", "/tmp", 1);
    AUTO_FREE char *directory = tailnet_place_directory();
    cr_expect_str_eq(directory, "/var/lib/triphase-tailnet");
}

Test(config_tailnet_place, of_a_user_is_in_its_state_home_else_in_its_home)
{
    AUTO_FREE char *in_state = tailnet_place_directory(), *expected = file_join(folder, "triphase/tailnet");
    cr_expect_str_eq(in_state, expected);

    unsetenv("XDG_STATE_HOME");
    setenv("HOME", "/home/somebody", 1);
    AUTO_FREE char *in_home = tailnet_place_directory();
    cr_expect_str_eq(in_home, "/home/somebody/.local/state/triphase/tailnet");
}

Test(config_tailnet_place, what_is_written_is_read_and_its_socket_is_the_running_one)
{
    struct tailnet_place_daemon written = this_process(), read = {.pid = 0};
    AUTO_FREE char *path = tailnet_place_socket();

    cr_assert_eq(tailnet_place_make(NULL), 0);
    cr_assert_eq(tailnet_place_read(&read, NULL), 0, "nothing is there yet");
    cr_assert_eq(tailnet_place_write(&written, NULL), 0);
    cr_assert_eq(tailnet_place_read(&read, NULL), 1);

    AUTO_FREE char *running = tailnet_place_running_socket();
    cr_expect_str_eq(read.id, "one life");
    cr_expect(read.pid == getpid() && read.tun && read.socks5 == 1055);
    cr_expect_str_eq(running, path);
}

Test(config_tailnet_place, a_pid_that_another_process_has_now_is_not_ours)
{
    struct tailnet_place_daemon written = this_process();
    written.start++;
    cr_assert_eq(tailnet_place_make(NULL), 0);
    cr_assert_eq(tailnet_place_write(&written, NULL), 0);
    AUTO_FREE char *running = tailnet_place_running_socket();
    cr_expect_null(running);
}

Test(config_tailnet_place, one_of_an_earlier_boot_is_not_running)
{
    struct tailnet_place_daemon written = this_process();
    written.boot[0] = written.boot[0] == 'a' ? 'b' : 'a';
    cr_assert_eq(tailnet_place_make(NULL), 0);
    cr_assert_eq(tailnet_place_write(&written, NULL), 0);
    AUTO_FREE char *running = tailnet_place_running_socket();
    cr_expect_null(running);
}

Test(config_tailnet_place, a_folder_that_others_could_read_is_closed_to_them)
{
    struct stat state;
    AUTO_FREE char *directory = tailnet_place_directory();
    cr_assert_eq(tailnet_place_make(NULL), 0);
    cr_assert_eq(chmod(directory, 0755), 0);
    cr_assert_eq(tailnet_place_make(NULL), 0);
    cr_assert_eq(stat(directory, &state), 0);
    cr_expect_eq(state.st_mode & 07777, 0700);
}

Test(config_tailnet_place, a_folder_that_others_may_write_in_is_refused)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *directory = tailnet_place_directory();
    cr_assert_eq(tailnet_place_make(NULL), 0);
    cr_assert_eq(chmod(directory, 0722), 0);
    cr_assert_eq(tailnet_place_make(&err), -1);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect_not_null(strstr(error_text(&err), "mode 0722"), "%s", error_text(&err));
}

Test(config_tailnet_place, a_path_too_long_for_a_socket_is_refused_before_anything_is_made)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *far = xasprintf("%s/%0100d", folder, 0);
    setenv("XDG_STATE_HOME", far, 1);
    cr_assert_eq(tailnet_place_make(&err), -1);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect_not(file_exists(far));
}

Test(config_tailnet_place, a_record_that_says_something_else_is_told_and_never_taken_for_nothing)
{
    AUTO_ERROR err = ERROR_INIT;
    struct tailnet_place_daemon read;
    AUTO_FREE char *path = tailnet_place_file("daemon.json");
    cr_assert_eq(tailnet_place_make(NULL), 0);
    cr_assert_eq(file_replace(path, "{\"pid\": 1}", 10, 0600, NULL), 0);
    cr_assert_eq(tailnet_place_read(&read, &err), -1);
    cr_expect_eq(err.kind, ERROR_PROJECT);
}
