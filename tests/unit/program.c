/* Running a program to its end: always in a bounded time, whatever it and its
 * children do with their output. */
#include "process/program.h"

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

TestSuite(program, .timeout = 60, .fini = hostile_clean);

#define LONG (20 * NS_PER_S)

struct outcome {
    int result;
    struct child_end end;
    struct text out, error_out;
    struct error err;
    int64_t took;
};

static void outcome_free(struct outcome *outcome)
{
    text_clear(&outcome->out);
    text_clear(&outcome->error_out);
    error_clear(&outcome->err);
}

#define AUTO_OUTCOME __attribute__((cleanup(outcome_free))) struct outcome

static struct outcome run(const char *script, int64_t bound_ns, size_t limit, const char *input)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct program program = {.argv = argv, .bound_ns = bound_ns, .output_limit = limit, .input = input};
    struct outcome outcome = {.end.code = -1};
    int64_t begin = moment_monotonic();
    outcome.result = program_run(&program, &outcome.out, &outcome.error_out, &outcome.end, &outcome.err);
    outcome.took = moment_monotonic() - begin;
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1, "'%s' was not reaped", script);
    return outcome;
}

Test(program, output_and_code_are_handed_out)
{
    AUTO_OUTCOME got = run("echo to out; echo to err >&2; exit 3", LONG, 0, NULL);
    cr_assert_eq(got.result, 0, "%s", error_text(&got.err));
    cr_expect(got.end.exited && got.end.code == 3);
    cr_expect_str_eq(text_string(&got.out), "to out\n");
    cr_expect_str_eq(text_string(&got.error_out), "to err\n");
}

Test(program, output_is_added_behind_what_is_there)
{
    AUTO_TEXT text = TEXT_INIT;
    text_add(&text, "before ");
    cr_assert_eq(program_do(LONG, &text, NULL, "printf", "%s", "after", NULL), 0);
    cr_expect_str_eq(text_string(&text), "before after");
}

Test(program, flood_is_read_to_its_end_and_kept_to_its_limit)
{
    AUTO_OUTCOME got = run("head -c 100000000 /dev/zero; head -c 3000000 /dev/zero >&2; printf end; exit 5",
                           LONG, 1000, NULL);
    cr_assert_eq(got.result, 0, "%s", error_text(&got.err));
    cr_expect_eq(got.end.code, 5);
    cr_expect_eq(got.out.length, 1000);
    cr_expect_eq(got.error_out.length, 1000);
}

Test(program, endless_flood_ends_at_the_bound)
{
    AUTO_OUTCOME got = run("exec yes", 300 * NS_PER_MS, 1000, NULL);
    cr_expect_eq(got.result, -1);
    cr_expect_eq(got.err.kind, ERROR_DEADLINE);
    cr_expect_lt(got.took, 2 * NS_PER_S);
    cr_expect_geq(got.took, 300 * NS_PER_MS);
    cr_expect_eq(got.out.length, 0, "outputs are untouched on failure");
    cr_expect_eq(got.end.code, -1);
}

Test(program, one_that_ignores_term_or_stops_itself_ends_at_the_bound)
{
    static const char *const scripts[] = {
        "trap '' TERM INT HUP; echo sleeping >&2; while :; do sleep 1; done",
        "echo stopping >&2; kill -STOP $$",
        "echo closing >&2; exec <&- >&- 2>&-; while :; do sleep 1; done",
    };
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        AUTO_OUTCOME got = run(scripts[i], 200 * NS_PER_MS, 0, NULL);
        cr_expect_eq(got.result, -1);
        cr_expect_eq(got.err.kind, ERROR_DEADLINE, "%s", error_text(&got.err));
        cr_expect_lt(got.took, 2 * NS_PER_S);
        cr_expect(strstr(error_text(&got.err), "ing"), "its last words are told: %s", error_text(&got.err));
    }
}

Test(program, its_whole_group_is_ended_at_the_bound)
{
    AUTO_FREE char *path = hostile_path("pid");
    AUTO_FREE char *script = xasprintf("sleep 100 & echo $! >'%s'; wait", path);
    AUTO_OUTCOME got = run(script, 300 * NS_PER_MS, 0, NULL);
    cr_expect_eq(got.err.kind, ERROR_DEADLINE);
    AUTO_TEXT text = TEXT_INIT;
    cr_assert_eq(file_read(path, 100, &text, NULL), 0);
    pid_t pid = (pid_t)strtol(text_string(&text), NULL, 10);
    cr_assert_gt(pid, 1);
    cr_expect(hostile_wait(hostile_is_gone, &pid, 2000));
}

Test(program, closed_output_is_not_its_end)
{
    AUTO_OUTCOME got = run("exec >&- 2>&-; sleep 0.3; exit 4", LONG, 0, NULL);
    cr_assert_eq(got.result, 0, "%s", error_text(&got.err));
    cr_expect_eq(got.end.code, 4);
    cr_expect_geq(got.took, 250 * NS_PER_MS);
}

/* A daemon keeps both pipes open; it is not waited for, and it is not ended either: it may be
 * what the program is for. */
Test(program, daemon_that_holds_the_pipes_holds_nobody_up)
{
    AUTO_FREE char *path = hostile_path("pid");
    AUTO_FREE char *script = xasprintf("setsid sleep 100 & echo $! >'%s'; echo done", path);
    AUTO_OUTCOME got = run(script, LONG, 0, NULL);
    cr_assert_eq(got.result, 0, "%s", error_text(&got.err));
    cr_expect_lt(got.took, 3 * NS_PER_S);
    cr_expect_str_eq(text_string(&got.out), "done\n");
    AUTO_TEXT text = TEXT_INIT;
    cr_assert_eq(file_read(path, 100, &text, NULL), 0);
    pid_t pid = (pid_t)strtol(text_string(&text), NULL, 10);
    cr_assert_gt(pid, 1);
    cr_expect_not(hostile_is_gone(&pid));
    kill(pid, SIGKILL);
}

Test(program, daemon_that_floods_the_pipes_holds_nobody_up)
{
    AUTO_FREE char *path = hostile_path("pid");
    AUTO_FREE char *script = xasprintf("setsid yes & echo $! >'%s'", path);
    AUTO_OUTCOME got = run(script, LONG, 1000, NULL);
    AUTO_TEXT text = TEXT_INIT;
    cr_assert_eq(file_read(path, 100, &text, NULL), 0);
    pid_t pid = (pid_t)strtol(text_string(&text), NULL, 10);
    cr_assert_gt(pid, 1);
    kill(pid, SIGKILL);
    cr_expect_eq(got.result, 0, "%s", error_text(&got.err));
    cr_expect_lt(got.took, 3 * NS_PER_S);
}

Test(program, death_by_a_signal_is_a_failure)
{
    AUTO_OUTCOME got = run("echo last words >&2; kill -SEGV $$", LONG, 0, NULL);
    cr_expect_eq(got.result, -1);
    cr_expect_eq(got.err.kind, ERROR_SYSTEM);
    cr_expect(strstr(error_text(&got.err), "SEGV"), "%s", error_text(&got.err));
    cr_expect(strstr(error_text(&got.err), "last words"), "%s", error_text(&got.err));
    cr_expect_eq(got.error_out.length, 0, "outputs are untouched on failure");
}

Test(program, missing_one_is_told_apart)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(program_do(LONG, NULL, &err, "no-such-program-here", NULL), -1);
    cr_expect_eq(err.kind, ERROR_MISSING);
    cr_expect_eq(program_do(LONG, NULL, &err, "/no/such/program", NULL), -1);
    cr_expect_eq(err.kind, ERROR_MISSING);
}

Test(program, input_arrives_whole_and_stalls_nobody)
{
    AUTO_TEXT input = TEXT_INIT;
    for (int i = 0; i < 100000; i++)
        text_addf(&input, "%09d\n", i); /* more than a pipe holds */
    AUTO_OUTCOME all = run("cat", LONG, 2000000, text_string(&input));
    cr_expect_str_eq(text_string(&all.out), text_string(&input));
    AUTO_OUTCOME none = run("exit 0", LONG, 0, text_string(&input));
    cr_expect_eq(none.result, 0);
    AUTO_OUTCOME null = run("readlink /proc/$$/fd/0", LONG, 0, NULL);
    cr_expect_str_eq(text_string(&null.out), "/dev/null\n");
}

Test(program, folder_and_environment_are_those_given)
{
    const char *const argv[] = {"sh", "-c", "pwd; env", NULL};
    const char *const environment[] = {"PATH=/usr/bin:/bin", "ONLY=this", NULL};
    struct program program = {
        .argv = argv, .environment = environment, .directory = "/usr", .bound_ns = LONG};
    AUTO_TEXT out = TEXT_INIT;
    cr_assert_eq(program_run(&program, &out, NULL, NULL, NULL), 0);
    cr_expect(text_starts(text_string(&out), "/usr\n"));
    cr_expect(strstr(text_string(&out), "ONLY=this\n"));
    cr_expect_null(strstr(text_string(&out), "HOME="));
}

Test(program, runs_in_the_scope_given)
{
    struct scope *scope = hostile_scope(SCOPE_CGROUP);
    const char *const argv[] = {"cat", "/proc/self/cgroup", NULL};
    struct program program = {.argv = argv, .bound_ns = LONG, .scope = scope};
    AUTO_TEXT out = TEXT_INIT;
    cr_assert_eq(program_run(&program, &out, NULL, NULL, NULL), 0);
    cr_expect(strstr(text_string(&out), strstr(scope->path, "/test-")));
}

Test(program, failed_code_is_told_with_the_last_line)
{
    static const struct {
        const char *script, *wanted;
    } all[] = {
        {"echo first >&2; echo the reason >&2; echo; exit 9", "exited with 9: the reason"},
        {"echo to stdout; exit 1", "exited with 1: to stdout"},
        {"printf 'bell \\007 \\n\\n\\n' >&2; exit 2", "exited with 2: bell \\x07"},
        {"exit 8", "exited with 8"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_ERROR err = ERROR_INIT;
        AUTO_TEXT out = TEXT_INIT;
        cr_expect_eq(program_do(LONG, &out, &err, "sh", "-c", all[i].script, NULL), -1);
        cr_expect(text_ends(error_text(&err), all[i].wanted), "%s", error_text(&err));
        cr_expect_eq(out.length, 0);
    }
}

Test(program, nothing_leaks_whatever_happens)
{
    int before = hostile_descriptors();
    AUTO_OUTCOME fine = run("cat", LONG, 0, "input");
    AUTO_OUTCOME late = run("sleep 100", 50 * NS_PER_MS, 0, "input");
    program_do(LONG, NULL, NULL, "/no/such/program", NULL);
    cr_expect_eq(hostile_descriptors(), before);
}

Test(program, lack_of_descriptors_is_a_clear_failure)
{
    struct rlimit limit = {.rlim_cur = 8, .rlim_max = 8};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT out = TEXT_INIT;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while (dup(0) >= 0)
        ;
    cr_expect_eq(program_do(LONG, &out, &err, "true", NULL), -1);
    cr_expect(strstr(error_text(&err), "Too many open files"), "%s", error_text(&err));
}

/* The program waits until what it said has been passed on: it would not end otherwise. */
Test(program, what_it_says_goes_on_as_it_comes)
{
    int ends[2];
    cr_assert(pipe2(ends, O_CLOEXEC) == 0);
    AUTO_FREE char *path = xasprintf("/tmp/triphase-echo.%d", (int)getpid());
    pid_t reader = fork();
    if (reader == 0) {
        char bytes[16] = "";
        ssize_t got = read(ends[0], bytes, sizeof bytes - 1);
        int fd =
            got > 0 && strcmp(bytes, "first\n") == 0 ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
        _exit(fd < 0);
    }
    AUTO_FREE char *script =
        xasprintf("echo first; until [ -e %s ]; do sleep 0.01; done; echo last >&2", path);
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct program program = {.argv = argv, .bound_ns = 20 * NS_PER_S, .echo = ends[1]};
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    int result = program_do_all(&program, &out, &err);
    unlink(path);
    close(ends[1]);
    char rest[16] = "";
    ssize_t got = read(ends[0], rest, sizeof rest - 1);
    close(ends[0]);
    waitpid(reader, NULL, 0);
    cr_assert_eq(result, 0, "%s", error_text(&err));
    cr_expect_str_eq(text_string(&out), "first\n");
    cr_expect(got == 5 && strcmp(rest, "last\n") == 0, "'%s'", rest);
}
