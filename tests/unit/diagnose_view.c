/* What is seen of a diagnosis while it goes on, and of connections that broke when it has. */
#include "view/diagnose_view.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define cr_has(text, part) cr_expect(strstr((text), (part)) != NULL, "'%s' does not say '%s'", (text), (part))

static struct matrix planned(void)
{
    struct matrix matrix;
    struct matrix_wish wish = {.size = MATRIX_FULL};
    words_add(&wish.transports, "direct");
    matrix_plan(&wish, &matrix);
    words_clear(&wish.transports);
    return matrix;
}

static void end(struct matrix *matrix, size_t at, const char *ended)
{
    matrix->cells[at].cell.ended = xstrdup(ended);
    matrix->cells[at].cell.ok = text_is(ended, "ok");
    matrix->cells[at].cell.duration_ns = 8 * NS_PER_S;
}

/* Stderr becomes `to`; what was before. */
static int divert(int to)
{
    int before = dup(STDERR_FILENO);
    cr_assert(ge(int, dup2(to, STDERR_FILENO), 0));
    return before;
}

static char *heard(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    AUTO_TEXT all = TEXT_INIT;
    char bytes[4096];
    for (ssize_t got; poll(&look, 1, 100) > 0 && (got = read(fd, bytes, sizeof bytes)) > 0;)
        text_add_bytes(&all, bytes, (size_t)got);
    return text_take(&all);
}

static int terminal(int *inside)
{
    int outside = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    cr_assert(ge(int, outside, 0));
    cr_assert(eq(int, grantpt(outside) + unlockpt(outside), 0));
    *inside = open(ptsname(outside), O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(ge(int, *inside, 0));
    return outside;
}

/* Two of one lane end, one of them badly, then a second passes. */
static char *followed(int to, int from, size_t taken_before)
{
    struct matrix matrix = planned();
    for (size_t i = 0; i < taken_before; i++)
        end(&matrix, i, "ok");
    (void)matrix_reckon(&matrix, MATRIX_FULL);
    int before = divert(to);
    struct diagnose_progress *progress = diagnose_progress_new(&matrix);
    for (size_t i = taken_before; i < taken_before + 2; i++) {
        diagnose_progress_begun(progress, i);
        end(&matrix, i, i % 2 ? "stalled" : "ok");
        diagnose_progress_taken(progress, i, &matrix.cells[i].cell);
    }
    diagnose_progress_passed(progress);
    diagnose_progress_free(progress);
    divert(before);
    close(before);
    char *said = heard(from);
    matrix_clear(&matrix);
    return said;
}

Test(diagnose_view, a_terminal_has_one_line_with_what_is_taken_what_is_bad_and_how_long_it_takes_yet)
{
    int inside, outside = terminal(&inside);
    AUTO_FREE char *said = followed(inside, outside, 0);

    cr_has(said, "cells in 7 lanes: about 5m31s on a path that is well");
    cr_has(said, "\r\x1b[K0 of ");
    cr_has(said, "echo by libssh");
    cr_has(said, "\r\x1b[Kdirect: echo by openssh: stalled after 8.00s");
    cr_has(said, "\r\x1b[K2 of ");
    cr_has(said, "cells, 1 bad, 0.00s (about 5m31s left)");
    cr_expect(eq(str, said + strlen(said) - 4, (char *)(uintptr_t) "\r\x1b[K"),
              "it is gone when all is over");
    close(inside);
    close(outside);
}

Test(diagnose_view, elsewhere_there_is_the_estimate_and_a_line_for_each_that_is_bad_and_no_more)
{
    int ends[2];
    cr_assert(eq(int, pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0));
    AUTO_FREE char *said = followed(ends[1], ends[0], 0);

    size_t lines = 0;
    for (const char *at = said; (at = strchr(at, '\n')); at++)
        lines++;
    cr_expect(eq(sz, lines, 2), "%s", said);
    cr_expect(eq(ptr, strchr(said, '\r'), NULL), "%s", said);
    close(ends[0]);
    close(ends[1]);
}

Test(diagnose_view, what_an_earlier_one_took_is_counted_and_not_reckoned_with_again)
{
    int inside, outside = terminal(&inside);
    struct matrix matrix = planned();
    size_t count = matrix.count;
    matrix_clear(&matrix);
    AUTO_FREE char *said = followed(inside, outside, count - 2);
    AUTO_FREE char *last = xasprintf("%zu of %zu cells, 1 bad, ", count, count);

    cr_has(said, "2 cells in 2 lanes, ");
    cr_has(said, "more are taken already: about");
    cr_has(said, last);
    cr_has(strstr(said, last), "s (about 0.00s left)");
    close(inside);
    close(outside);
}

Test(diagnose_view, says_of_each_connection_that_broke_in_what_state_it_was)
{
    struct cell cells[] = {
        {.transport = (char *)(uintptr_t) "direct",
         .client = (char *)(uintptr_t) "libssh",
         .work = (char *)(uintptr_t) "echo",
         .parameters = json_new_object(),
         .ok = true,
         .ended = (char *)(uintptr_t) "ok",
         .tcp_state = (char *)(uintptr_t) "closed, that is well"},
        {.transport = (char *)(uintptr_t) "direct",
         .client = (char *)(uintptr_t) "openssh",
         .work = (char *)(uintptr_t) "bulk-down",
         .parameters = json_new_object(),
         .ended = (char *)(uintptr_t) "stalled",
         .tcp_state = (char *)(uintptr_t) "established, 4 segments sent again"},
    };
    struct diagnosis diagnosis = {.id = (char *)(uintptr_t) "0123456789abcdef",
                                  .target = (char *)(uintptr_t) "host",
                                  .cells = cells,
                                  .count = 2};
    AUTO_TEXT out = TEXT_INIT;
    const struct table_look look = {.width = 100};
    diagnosis_conclude(&diagnosis);

    diagnose_view(&diagnosis, &look, &out);

    cr_has(text_string(&out),
           "  TCP:      bulk-down by openssh over direct: established, 4 segments sent again\n");
    cr_expect(eq(ptr, strstr(text_string(&out), "closed, that is well"), NULL));
    conclusion_clear(&diagnosis.said);
    json_free(cells[0].parameters);
    json_free(cells[1].parameters);
}
