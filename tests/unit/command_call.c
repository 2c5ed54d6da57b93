/* One call of a program of the user's, from its request to what is known of its end: pure but for the
 * program, which is sh. */
#include "folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/child.h"
#include "provider/command_call.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(command_call, .timeout = 60, .fini = folder_clean);

static struct secret token;
static struct target target;
static struct words named; /* by `env` of the target */

/* Calls `make`, which is this script, with a secret `token`; its stderr goes to the file `log`. */
static struct command_said call(const char *script, const char *secret, int64_t bound_ns)
{
    struct command_said said = COMMAND_SAID_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *log = folder_path("log");
    folder_write("script", script);
    folder_write("token", secret);
    token = (struct secret){.name = (char *)"token", .kind = SECRET_FILE, .where = (char *)"token"};
    target = (struct target){.name = (char *)"box", .secrets = &token, .secret_count = 1, .env = named};
    words_add_all(&target.make, "sh", "script", NULL);
    const struct command_request request = {.kind = COMMAND_MAKE,
                                            .target = &target,
                                            .project = "demo",
                                            .directory = folder(),
                                            .bound_ns = bound_ns};
    cr_assert(freopen(log, "w", stderr));
    int status = command_call(&request, &said, &err);
    cr_assert_eq(status, 0, "%s", error_text(&err));
    words_clear(&target.make);
    return said;
}

static char *written(const char *name)
{
    AUTO_FREE char *path = folder_path(name);
    AUTO_TEXT content = TEXT_INIT;
    cr_assert_eq(file_read(path, 1 << 22, &content, NULL), 0, "%s", name);
    return text_take(&content);
}

static char *answer_of(const struct command_said *said)
{
    return said->answer ? json_compact(said->answer) : xstrdup("none");
}

#define LONG (20 * NS_PER_S)

Test(command_call, the_request_is_one_line_on_its_stdin_and_its_answer_one_object_on_its_stdout)
{
    AUTO_COMMAND_SAID said = call("cat >request; echo '{\"address\": \"192.0.2.7\"}'", "of-no-use", LONG);
    AUTO_FREE char *answer = answer_of(&said), *request = written("request");
    cr_expect_str_eq(answer, "{\"address\":\"192.0.2.7\"}");
    cr_expect_eq(said.code, 0);
    cr_expect_eq(said.why.kind, ERROR_NONE, "%s", error_text(&said.why));
    cr_expect_eq(strchr(request, '\n'), request + strlen(request) - 1);
    cr_has(request, "\"version\":1,\"call\":\"make\"");
    cr_has(request, "\"within_s\":20");
}

Test(command_call,
     a_secret_is_a_file_of_memory_that_the_program_and_its_children_read_and_stands_nowhere_else)
{
    AUTO_COMMAND_SAID said = call("cat >request; tr '\\0' '\\n' </proc/self/environ >environ; tr '\\0' '\\n' "
                                  "</proc/$$/cmdline >words\n"
                                  "path=$(sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/' request); sh -c \"cat "
                                  "$path\" >read; echo '{}'",
                                  "of-no-use-elsewhere", LONG);
    AUTO_FREE char *read = written("read"), *request = written("request"), *environ = written("environ"),
                   *words = written("words");
    cr_expect_str_eq(read, "of-no-use-elsewhere");
    cr_has(request, "\"secrets\":{\"token\":\"/proc/self/fd/");
    cr_has_not(request, "of-no-use");
    cr_has_not(environ, "of-no-use");
    cr_has_not(words, "of-no-use");
}

Test(command_call, the_environment_is_the_callers_without_what_holds_a_secret_that_env_does_not_name)
{
    setenv("HCLOUD_TOKEN", "of-the-cloud", 1);
    setenv("DB_PASSWORD", "of-a-secret", 1);
    setenv("REGION", "here", 1);
    child_keep_back("DB_PASSWORD");
    AUTO_COMMAND_SAID none = call("env >environ; echo '{}'", "of-no-use", LONG);
    AUTO_FREE char *without = written("environ");
    cr_has(without, "REGION=here\n");
    cr_has_not(without, "HCLOUD_TOKEN");
    cr_has_not(without, "of-a-secret");

    words_add_all(&named, "HCLOUD_TOKEN", "DB_PASSWORD", NULL);
    AUTO_COMMAND_SAID all = call("env >environ; echo '{}'", "of-no-use", LONG);
    AUTO_FREE char *with = written("environ");
    cr_has(with, "HCLOUD_TOKEN=of-the-cloud\n");
    cr_has(with, "DB_PASSWORD=of-a-secret\n");
    words_clear(&named);
}

Test(command_call, a_secret_that_it_says_or_answers_is_taken_out_wherever_what_it_said_goes)
{
    /* In two pieces, for the log gets it as it comes; quoted and in base64 too. */
    AUTO_COMMAND_SAID said = call(
        "printf 'the token is fed-by' >&2; sleep 0.1; printf -- '-the-test in two, "
        "\"fed-by\\\\u002dthe-test\"\\n' "
        ">&2; printf 'fed-by-the-test' | base64 >&2\n"
        "echo '{\"address\": \"192.0.2.7\", \"reference\": \"fed-by-the-test\", \"data\": {\"t\": [\"a "
        "fed-by-the-test z\"], \"fed-by-the-test\": 1}}'; echo 'failed with fed-by-the-test' >&2; exit 4",
        "fed-by-the-test", LONG);
    AUTO_FREE char *answer = answer_of(&said), *log = written("log");
    cr_has(log, "the token is [REDACTED secret token] in two");
    cr_has_not(log, "fed-by");
    cr_has_not(log, "ZmVkLWJ5LXRoZS10ZXN0");
    cr_expect_str_eq(
        answer, "{\"address\":\"192.0.2.7\",\"reference\":\"[REDACTED secret token]\",\"data\":{\"t\":[\"a "
                "[REDACTED secret token] z\"],\"[REDACTED secret token]\":1}}");
    cr_expect_str_eq(error_text(&said.why), "sh exited with 4: failed with [REDACTED secret token]");
}

Test(command_call, what_could_have_become_a_secret_and_did_not_is_told_at_the_end)
{
    AUTO_COMMAND_SAID said = call("printf 'in the end fed' >&2; exit 1", "fed-by-the-test", LONG);
    AUTO_FREE char *log = written("log");
    cr_expect_str_eq(log, "in the end fed");
    cr_expect_str_eq(error_text(&said.why), "sh exited with 1: in the end fed");
}

Test(command_call, a_secret_is_in_no_message_of_one_that_was_killed)
{
    AUTO_COMMAND_SAID killed = call("echo 'with fed-by-the-test' >&2; kill -9 $$", "fed-by-the-test", LONG);
    cr_has(error_text(&killed.why), "signal 9");
    cr_has(error_text(&killed.why), "with [REDACTED secret token]");
    AUTO_COMMAND_SAID late =
        call("echo 'with fed-by-the-test' >&2; sleep 60", "fed-by-the-test", 2 * NS_PER_S);
    cr_has(error_text(&late.why), "did not end within 2.00s and was killed: with [REDACTED secret token]");
    AUTO_COMMAND_SAID torn = call("echo '{\"t\": fed-by-the-test'", "fed-by-the-test", LONG);
    cr_has(error_text(&torn.why), "its answer is no JSON");
    cr_has_not(error_text(&torn.why), "fed-by");
}

Test(command_call, more_than_one_mib_is_no_answer_and_so_much_is_one)
{
    static const char script[] = "python3 -c 'import sys; sys.stdout.write(\"{\\\"data\\\": \\\"\" + \"x\" * "
                                 "(%d - 12) + \"\\\"}\" + sys.argv[1])' '%s'";
    AUTO_FREE char *whole = xasprintf(script, COMMAND_ANSWER_MOST, ""),
                   *more = xasprintf(script, COMMAND_ANSWER_MOST, " ");
    AUTO_COMMAND_SAID most = call(whole, "of-no-use", LONG);
    cr_expect_eq(most.why.kind, ERROR_NONE, "%s", error_text(&most.why));
    cr_expect(most.answer != NULL);
    AUTO_COMMAND_SAID above = call(more, "of-no-use", LONG);
    cr_has(error_text(&above.why), "exited with 0, but its answer has more than 1 MiB");
    cr_expect_null(above.answer);
}

Test(command_call, what_follows_the_object_is_refused_and_so_is_half_of_one)
{
    static const char *const scripts[] = {"echo '{} {}'",
                                          "echo '{}x'",
                                          "echo hello; echo '{}'",
                                          "echo '{}'; echo done",
                                          "printf '{\"a\": 1'",
                                          "echo '[]'",
                                          "echo null",
                                          "printf '\\n \\n'",
                                          "true",
                                          "printf '{}\\0'",
                                          "echo '{\"a\": 1, \"a\": 2}'"};
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        AUTO_COMMAND_SAID said = call(scripts[i], "of-no-use", LONG);
        cr_expect_null(said.answer, "%s", scripts[i]);
        cr_expect_eq(said.why.kind, ERROR_PROVIDER, "%s", scripts[i]);
        cr_has(error_text(&said.why), "exited with 0, but it");
    }
}

Test(command_call, an_exit_code_is_told_with_the_last_words_and_the_answer_is_kept)
{
    AUTO_COMMAND_SAID said =
        call("echo '{\"reference\": \"i-1\"}'; echo first >&2; echo last >&2; exit 75", "of-no-use", LONG);
    AUTO_FREE char *answer = answer_of(&said);
    cr_expect_eq(said.code, COMMAND_TRANSIENT);
    cr_expect_str_eq(error_text(&said.why), "sh exited with 75: last");
    cr_expect_str_eq(answer, "{\"reference\":\"i-1\"}");
}

Test(command_call, at_its_bound_the_program_and_what_it_started_are_gone)
{
    int64_t before = moment_monotonic();
    AUTO_COMMAND_SAID said =
        call("sleep 60 & echo $! >pid; echo '{\"reference\": \"i-1\"}'; (sleep 60 & echo $! >>pid); wait",
             "of-no-use", 2 * NS_PER_S);
    AUTO_FREE char *pids = written("pid"), *answer = answer_of(&said);
    cr_has(error_text(&said.why), "sh did not end within 2.00s and was killed");
    cr_expect_eq(said.code, -1);
    cr_expect_str_eq(answer, "{\"reference\":\"i-1\"}");
    cr_expect_lt(moment_monotonic() - before, 10 * NS_PER_S);
    char *rest = NULL;
    int count = 0;
    for (char *pid = strtok_r(pids, "\n", &rest); pid; pid = strtok_r(NULL, "\n", &rest), count++) {
        AUTO_FREE char *path = xasprintf("/proc/%s/cmdline", pid);
        AUTO_TEXT words = TEXT_INIT;
        /* Killed, though maybe not buried yet: nothing is left of its words. */
        bool gone = file_read(path, 4096, &words, NULL) < 0 || !words.length;
        for (int i = 0; i < 500 && !gone; i++) {
            moment_sleep(10 * NS_PER_MS);
            text_truncate(&words, 0);
            gone = file_read(path, 4096, &words, NULL) < 0 || !words.length;
        }
        cr_expect(gone, "process %s is still there: %s", pid, text_string(&words));
    }
    cr_expect_eq(count, 2);
}

Test(command_call, a_program_that_is_not_there_is_told_as_missing)
{
    struct command_said said = COMMAND_SAID_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct target none = {.name = (char *)"box"};
    words_add(&none.make, "./not-there");
    const struct command_request request = {
        .kind = COMMAND_MAKE, .target = &none, .project = "demo", .directory = folder(), .bound_ns = LONG};
    cr_expect_eq(command_call(&request, &said, &err), -1);
    cr_expect_eq(err.kind, ERROR_MISSING, "%s", error_text(&err));
    words_clear(&none.make);
}

Test(command_call, the_program_that_was_written_down_is_called_whatever_the_file_says_now)
{
    AUTO_COMMAND_SAID said = COMMAND_SAID_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_MACHINE *machine = machine_new();
    struct target now = {.name = (char *)"box"};
    folder_write("then", "echo '{\"state\": \"absent\"}'");
    words_add_all(&now.remove, "sh", "then", NULL);
    command_request_note(&now, machine);
    words_clear(&now.remove);
    words_add(&now.remove, "./not-there");
    const struct command_request request = {.kind = COMMAND_REMOVE,
                                            .target = &now,
                                            .machine = machine,
                                            .project = "demo",
                                            .directory = folder(),
                                            .bound_ns = LONG};
    cr_assert_eq(command_call(&request, &said, &err), 0, "%s", error_text(&err));
    AUTO_FREE char *answer = answer_of(&said);
    cr_expect_str_eq(answer, "{\"state\":\"absent\"}");
    words_clear(&now.remove);
}
