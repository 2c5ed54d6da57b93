/* Locks: one holder, who can be named; free when every process that shares it is gone;
 * looking disturbs nobody. */
#include "process/lock.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(lock, .timeout = 60, .fini = hostile_clean);

static const struct lock_owner first = {
    .run = "01890000-0000-7000-8000-0123456789ab", .pid = 4711, .start = 815, .boot = "boot-1"};
static const struct lock_owner second = {
    .run = "01890000-0000-7000-8000-000000000002", .pid = 4712, .start = 816, .boot = "boot-1"};

Test(lock, busy_names_run_and_process_of_the_holder)
{
    AUTO_FREE char *path = hostile_path("lock");
    AUTO_ERROR err = ERROR_INIT;
    AUTO_CLOSE int fd = -1;
    int other = 4711;
    cr_assert_eq(lock_take(path, &first, &fd, &err), 0, "%s", error_text(&err));
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    cr_expect_eq(lock_take(path, &second, &other, &err), -1);
    cr_expect_eq(err.kind, ERROR_BUSY);
    cr_expect(strstr(error_text(&err), " 456789ab "), "%s", error_text(&err));
    cr_expect(strstr(error_text(&err), "'triphase cancel 456789ab'"), "%s", error_text(&err));
    cr_expect_not(strstr(error_text(&err), first.run), "%s", error_text(&err));
    cr_expect(strstr(error_text(&err), "4711"), "%s", error_text(&err));
    cr_expect_eq(other, 4711, "outputs are untouched on failure");
    fd_close(&fd);
    cr_expect_eq(lock_take(path, &second, &fd, &err), 0, "%s", error_text(&err));
}

Test(lock, looking_tells_who_and_whether_held)
{
    AUTO_FREE char *path = hostile_path("lock");
    AUTO_ERROR err = ERROR_INIT;
    AUTO_CLOSE int fd = -1;
    struct lock_owner seen;
    bool held = false;
    cr_expect_eq(lock_look(path, &seen, &held, &err), -1, "there is none yet");
    cr_expect_not(file_exists(path), "looking made it");
    cr_assert_eq(lock_take(path, &first, &fd, &err), 0);
    cr_assert_eq(lock_look(path, &seen, &held, &err), 0, "%s", error_text(&err));
    cr_expect(held);
    cr_expect_str_eq(seen.run, first.run);
    cr_expect_str_eq(seen.boot, first.boot);
    cr_expect(seen.pid == first.pid && seen.start == first.start);
    cr_assert_eq(lock_write(fd, &(struct lock_owner){.run = "r", .pid = 2, .start = 3, .boot = "b"}, &err),
                 0);
    cr_assert_eq(lock_look(path, &seen, &held, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(seen.run, "r", "a shorter owner leaves nothing of the longer one");
    fd_close(&fd);
    cr_assert_eq(lock_look(path, &seen, &held, &err), 0);
    cr_expect_not(held, "it stays readable when it is free");
}

Test(lock, is_shared_with_a_forked_process_and_free_only_after_both)
{
    AUTO_FREE char *path = hostile_path("lock");
    int fd, other, ends[2];
    cr_assert_eq(lock_take(path, &first, &fd, NULL), 0);
    cr_assert_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(ends[1]);
        ssize_t ignored = read(ends[0], &byte, 1);
        (void)ignored;
        _exit(0);
    }
    close(fd);
    cr_expect_eq(lock_take(path, &second, &other, NULL), -1, "the other process has it still");
    close(ends[1]);
    waitpid(pid, NULL, 0);
    cr_assert_eq(lock_take(path, &second, &other, NULL), 0);
    close(other);
    close(ends[0]);
}

Test(lock, hostile_content_is_an_error_and_no_owner)
{
    static const char *const contents[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"run\":\"x\"}",
        "{\"run\":\"x\",\"pid\":-1,\"start\":1,\"boot\":\"b\"}",
        "{\"run\":\"x\",\"pid\":99999999999,\"start\":1,\"boot\":\"b\"}",
        "{\"run\":5,\"pid\":1,\"start\":1,\"boot\":\"b\"}",
        "{\"run\":\"0123456789012345678901234567890123456789\",\"pid\":1,\"start\":1,\"boot\":\"b\"}"};
    AUTO_FREE char *path = hostile_path("lock");
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        struct lock_owner seen = {.pid = 77};
        bool held = true;
        AUTO_ERROR err = ERROR_INIT;
        cr_assert_eq(file_replace(path, contents[i], strlen(contents[i]), 0600, NULL), 0);
        cr_expect_eq(lock_look(path, &seen, &held, &err), -1, "%s", contents[i]);
        cr_expect(seen.pid == 77 && held);
        AUTO_CLOSE int fd = -1;
        cr_expect_eq(lock_take(path, &first, &fd, &err), 0, "and it can be taken all the same: %s",
                     error_text(&err));
    }
}

Test(lock, replaced_file_is_not_taken_for_the_lock)
{
    AUTO_FREE char *path = hostile_path("lock");
    AUTO_FREE char *link = hostile_path("link");
    AUTO_CLOSE int fd = -1;
    AUTO_CLOSE int other = -1;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(symlink("lock", link), 0);
    cr_expect_eq(lock_take(link, &first, &fd, &err), -1, "a link is not followed");
    cr_assert_eq(lock_take(path, &first, &fd, NULL), 0);
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(lock_take(path, &second, &other, NULL), 0, "the new file is a lock of its own");
    cr_expect(file_exists(path));
}

/* Looking holds the file for an instant; who takes it meanwhile must not be told that it is busy. */
Test(lock, looking_never_makes_a_free_lock_busy)
{
    AUTO_FREE char *path = hostile_path("lock");
    AUTO_ERROR err = ERROR_INIT;
    AUTO_CLOSE int fd = -1;
    cr_assert_eq(lock_take(path, &first, &fd, NULL), 0);
    fd_close(&fd);
    pid_t lookers[2];
    int ends[2];
    char ready[2];
    cr_assert_eq(pipe(ends), 0);
    for (size_t i = 0; i < COUNT_OF(lookers); i++) {
        lookers[i] = fork();
        for (long looks = 0; lookers[i] == 0; looks++) {
            struct lock_owner seen;
            bool held;
            lock_look(path, &seen, &held, NULL);
            if (looks == 100 && write(ends[1], "x", 1) < 0)
                _exit(1);
        }
    }
    for (size_t i = 0; i < COUNT_OF(ready); i++)
        cr_assert_eq(read(ends[0], ready + i, 1), 1);
    int taken = 0, tried = 0;
    for (int64_t until = moment_monotonic() + NS_PER_S / 2; moment_monotonic() < until; tried++) {
        taken += lock_take(path, &first, &fd, &err) == 0;
        fd_close(&fd);
    }
    for (size_t i = 0; i < COUNT_OF(lookers); i++) {
        kill(lookers[i], SIGKILL);
        waitpid(lookers[i], NULL, 0);
    }
    cr_expect_eq(taken, tried, "%d of %d: %s", taken, tried, error_text(&err));
    close(ends[0]);
    close(ends[1]);
}
