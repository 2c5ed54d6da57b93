/* What is said and asked is what a terminal may show: bytes of hosts and files do nothing to it. */
#include "view/help.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <pty.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(help, .timeout = 30);

Test(help, a_question_shows_what_a_terminal_would_act_on_and_keeps_its_lines)
{
    char said[512] = "";
    size_t length = 0;
    int terminal = -1;
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    cr_assert(child >= 0);
    if (child == 0)
        _exit(help_ask("Remove \x1b]0;x\x07%s?\nAll of it?", "a\rb\x9b") ? 0 : 1);
    while (!strstr(said, "[y/N] ")) {
        ssize_t got = read(terminal, said + length, sizeof said - 1 - length);
        cr_assert(got > 0, "it never asked: %s", said);
        length += (size_t)got;
    }
    cr_assert_eq(write(terminal, "y\n", 2), 2);
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    close(terminal);
    cr_expect_null(strpbrk(said, "\x1b\x07\x9b"), "%s", said);
    cr_expect(strstr(said, "Remove ") && strstr(said, "?\r\nAll of it? [y/N] "), "%s", said);
    cr_expect_null(strstr(said, "a\rb"));
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "y is yes");
}
