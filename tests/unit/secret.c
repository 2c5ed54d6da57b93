/* Secrets: only by their source, read when they are wanted, within bounds, and never repeated in a
 * message. */
#include "folder.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/secret.h"
#include "format/yaml.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(secret, .timeout = 60, .fini = folder_clean);

static struct node *node_of(const char *text)
{
    struct node *node = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    cr_assert_eq(yaml_read(text, strlen(text), "f", &node, &faults), 0, "%s", text);
    return node;
}

/* The value, or the message with a '!' before it. malloc'ed. */
static char *value_of(const char *text)
{
    AUTO_NODE *node = node_of(text);
    AUTO_FREE char *problem = secret_problem(node);
    cr_assert_null(problem, "%s", problem);
    struct secret secret;
    char *value = NULL;
    size_t length = 0;
    AUTO_ERROR err = ERROR_INIT;
    secret_from_node(node, "name", &secret);
    int result = secret_read(&secret, folder(), &value, &length, &err);
    secret_clear(&secret);
    if (result == 0) {
        cr_assert_eq(strlen(value), length);
        char *copy = xstrdup(value);
        memory_free_secret(value, length);
        return copy;
    }
    cr_assert_null(value);
    return xasprintf("!%d %s", (int)err.kind, error_text(&err));
}

Test(secret, what_is_no_source_is_refused_without_its_value)
{
    static const char *const bad[] = {"hunter2",
                                      "12345",
                                      "yes",
                                      "[hunter2]",
                                      "{}",
                                      "{file: hunter2, env: X}",
                                      "{fil: hunter2}",
                                      "{file: [hunter2]}",
                                      "{file: -hunter2}",
                                      "{env: 'hunter 2'}",
                                      "{env: 3}",
                                      "{fd: hunter2}",
                                      "{fd: 2}",
                                      "{fd: -1}",
                                      "{fd: 99999999999}",
                                      "{command: hunter2}",
                                      "{command: []}",
                                      "{command: [-hunter2]}",
                                      "{command: [a, [b]]}",
                                      "{command: ['']}",
                                      "~"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_NODE *node = node_of(bad[i]);
        AUTO_FREE char *problem = secret_problem(node);
        cr_assert_not_null(problem, "%s", bad[i]);
        if (!strstr(bad[i], "file: -")) /* a path is no secret */
            cr_has_not(problem, "hunter");
    }
}

Test(secret, a_file_is_read_relative_to_the_project_without_its_last_newline)
{
    folder_write("s/token", "two\nlines\n");
    folder_write("s/bare", "bare");
    folder_write("s/empty", "\n");
    AUTO_FREE char *first = value_of("{file: s/token}"), *second = value_of("{file: s/bare}"),
                   *empty = value_of("{file: s/empty}"), *none = value_of("{file: s/none}");
    cr_assert_str_eq(first, "two\nlines");
    cr_assert_str_eq(second, "bare");
    cr_has(empty, "it is empty");
    cr_has(none, "No such file");
    cr_has(none, "s/none");
    AUTO_FREE char *path = folder_path("s/token"), *absolute = xasprintf("{file: %s}", path),
                   *third = value_of(absolute);
    cr_assert_str_eq(third, "two\nlines");
}

Test(secret, more_than_64_kib_is_refused)
{
    AUTO_TEXT large = TEXT_INIT;
    for (int i = 0; i < 65536; i++)
        text_add_char(&large, 'x');
    folder_write("fits", text_string(&large));
    text_add_char(&large, 'x');
    folder_write("large", text_string(&large));
    AUTO_FREE char *fits = value_of("{file: fits}"), *refused = value_of("{file: large}");
    cr_assert_eq(strlen(fits), 65536);
    cr_has(refused, "larger than 65536 bytes");
    AUTO_FREE char *endless = value_of("{file: /dev/zero}");
    cr_has(endless, "larger than 65536 bytes");
    AUTO_FREE char *flood = value_of("{command: [head, -c, 200000, /dev/zero]}");
    cr_has(flood, "larger than 65536 bytes");
}

Test(secret, a_variable_and_a_descriptor_are_read)
{
    setenv("TEST_TOKEN", "from env", 1);
    AUTO_FREE char *env = value_of("{env: TEST_TOKEN}"), *unset = value_of("{env: TEST_TOKEN_NONE}");
    cr_assert_str_eq(env, "from env");
    cr_has(unset, "environment variable TEST_TOKEN_NONE: it is not set");
    int fd = memfd_create("secret", 0);
    cr_assert_geq(fd, 3);
    cr_assert_eq(write(fd, "from fd\n", 8), 8);
    AUTO_FREE char *source = xasprintf("{fd: %d}", fd), *once = value_of(source), *again = value_of(source);
    cr_assert_str_eq(once, "from fd");
    cr_assert_str_eq(again, "from fd", "a file can be read for each phase");
    cr_assert_eq(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    AUTO_FREE char *own = value_of(source);
    cr_has(own, "the descriptor is not open"); /* it is this process's own */
    close(fd);
    AUTO_FREE char *closed = value_of(source);
    cr_has(closed, "the descriptor is not open");
}

Test(secret, a_command_runs_in_the_projects_folder_and_its_failure_is_told)
{
    folder_write("place/x", "here");
    AUTO_FREE char *value = value_of("{command: [sh, -c, 'cat place/x; echo']}");
    cr_assert_str_eq(value, "here");
    AUTO_FREE char *failed = value_of("{command: [sh, -c, 'echo half a secret; echo locked >&2; exit 3']}");
    cr_has(failed, "secret from the command sh: it exited with 3: locked");
    cr_has_not(failed, "half");
    AUTO_FREE char *missing = value_of("{command: [no-such-program-here]}");
    cr_has(missing, "secret from the command no-such-program-here");
}

Test(secret, a_source_that_never_ends_is_not_waited_for_beyond_its_bound)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, 0), 0);
    struct secret never[] = {{.kind = SECRET_FD, .fd = ends[0]}, {.kind = SECRET_COMMAND}};
    words_add_all(&never[1].command, "sleep", "600", NULL);
    for (size_t i = 0; i < COUNT_OF(never); i++) {
        char *value = NULL;
        size_t length = 0;
        AUTO_ERROR err = ERROR_INIT;
        int64_t start = moment_monotonic();
        cr_assert_lt(secret_read_within(&never[i], folder(), NS_PER_S, &value, &length, &err), 0);
        cr_assert_eq(err.kind, ERROR_DEADLINE, "%s", error_text(&err));
        cr_assert_lt(moment_monotonic() - start, 20 * NS_PER_S);
        secret_clear(&never[i]);
    }
    close(ends[0]);
    close(ends[1]);
}

/* What it had told by then is the secret, or the beginning of it. */
Test(secret, a_command_that_is_ended_leaves_neither_its_output_nor_its_arguments_in_the_message)
{
    static const char *const scripts[] = {"echo pla\"\"nted; kill -9 $$ # argument",
                                          "echo pla\"\"nted; exec sleep 600 # argument",
                                          "echo pla\"\"nted; exit 3 # argument"};
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        struct secret secret = {.kind = SECRET_COMMAND};
        words_add_all(&secret.command, "sh", "-c", scripts[i], NULL);
        char *value = NULL;
        size_t length = 0;
        AUTO_ERROR err = ERROR_INIT;
        cr_assert_lt(secret_read_within(&secret, folder(), NS_PER_S, &value, &length, &err), 0);
        cr_has_not(error_text(&err), "planted");
        cr_has_not(error_text(&err), "argument");
        cr_has(error_text(&err), "secret from the command sh: ");
        secret_clear(&secret);
    }
}
