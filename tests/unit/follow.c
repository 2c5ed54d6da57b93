/* Following a file: every line once, whatever is written, and however much; the
 * loop's timers stay on time. */
#include "process/follow.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LIMIT = 1 << 20 };

static struct loop *loop;
static struct follow *follow;
static char *path;
static int writer;

static struct {
    size_t lines, skipped, longest, stop_at, answers;
    struct text words; /* of short lines: "<line>|", a skipped one "!<length>|" */
} seen;

static void add(const char *text);

static void on_line(void *context, const char *line, size_t length, bool skipped)
{
    cr_expect_eq(context, &seen);
    cr_expect_eq(line[length], '\0');
    seen.lines++;
    seen.skipped += skipped;
    if (length > seen.longest)
        seen.longest = length;
    if (skipped)
        text_addf(&seen.words, "!%zu|", length);
    else if (length < 100 && seen.lines < 1000) {
        text_add_bytes(&seen.words, line, length);
        text_add_char(&seen.words, '|');
    }
    if (seen.answers && seen.answers--)
        add("again\n");
    if (seen.lines == seen.stop_at)
        follow_stop(&follow);
}

static void set_up(void)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(loop_new(&loop, &err), 0, "%s", error_text(&err));
    path = hostile_path("events");
    writer = -1;
}

static void tear_down(void)
{
    follow_stop(&follow);
    loop_free(loop);
    free(path);
    text_clear(&seen.words);
    fd_close(&writer);
    hostile_clean();
}

TestSuite(follow, .timeout = 60, .init = set_up, .fini = tear_down);

static void add_bytes(const char *bytes, size_t length)
{
    if (writer < 0)
        writer = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    cr_assert_geq(writer, 0);
    cr_assert_eq(file_write_all(writer, bytes, length), 0);
}

static void add(const char *text)
{
    add_bytes(text, strlen(text));
}

static void begin(void)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(follow_start(loop, path, LIMIT, on_line, &seen, &follow, &err), 0, "%s", error_text(&err));
}

static void stop(void *context)
{
    (void)context;
    loop_stop(loop);
}

/* Runs the loop until that many lines came, or 5 s, then a little more for what should not come. */
struct expectation {
    size_t lines;
    int64_t until;
    struct timer *timer;
};

static void look(void *context)
{
    struct expectation *wanted = context;
    if (seen.lines >= wanted->lines || moment_monotonic() > wanted->until)
        loop_stop(loop);
    else
        timer_arm(wanted->timer, 2 * NS_PER_MS);
}

static void run_until(size_t lines)
{
    struct expectation wanted = {.lines = lines, .until = moment_monotonic() + 5 * NS_PER_S};
    wanted.timer = loop_timer(loop, look, &wanted);
    timer_arm(wanted.timer, 0);
    loop_run(loop, NULL);
    timer_free(&wanted.timer);
    struct timer *more = loop_timer(loop, stop, NULL);
    timer_arm(more, 20 * NS_PER_MS);
    loop_run(loop, NULL);
    timer_free(&more);
    cr_expect_eq(seen.lines, lines, "%zu lines: %s", seen.lines, text_string(&seen.words));
}

Test(follow, lines_come_as_they_are_written)
{
    add("one\ntwo\n");
    begin();
    run_until(2);
    add("three\n");
    run_until(3);
    add("\n\nsix\n");
    run_until(6);
    cr_expect_str_eq(text_string(&seen.words), "one|two|three|||six|");
    cr_expect_eq(follow_offset(follow), 20);
}

Test(follow, file_that_comes_later_is_followed)
{
    begin();
    run_until(0);
    AUTO_FREE char *other = hostile_path("other");
    cr_assert_eq(file_replace(other, "not mine\n", 9, 0600, NULL), 0);
    run_until(0);
    add("one\n");
    run_until(1);
    add("two\n");
    run_until(2);
    cr_expect_str_eq(text_string(&seen.words), "one|two|");
}

Test(follow, file_that_is_moved_to_its_place_is_followed)
{
    AUTO_FREE char *other = hostile_path("other");
    cr_assert_eq(file_replace(other, "one\n", 4, 0600, NULL), 0);
    begin();
    run_until(0);
    cr_assert_eq(rename(other, path), 0);
    run_until(1);
    add("two\n");
    run_until(2);
}

Test(follow, half_lines_wait_for_their_end)
{
    begin();
    add("ha");
    run_until(0);
    cr_expect_eq(follow_offset(follow), 0, "a later reader has to begin before the half line");
    add("lf");
    run_until(0);
    add(" a line\nand");
    run_until(1);
    cr_expect_eq(follow_offset(follow), 12);
    cr_expect_eq(follow_drain(follow, false, NULL), 0);
    cr_expect_eq(seen.lines, 1);
    cr_expect_eq(follow_drain(follow, true, NULL), 0);
    cr_expect_str_eq(text_string(&seen.words), "half a line|and|");
    cr_expect_eq(follow_offset(follow), 15);
}

Test(follow, binary_bytes_are_handed_out_as_they_are)
{
    begin();
    add_bytes("a\0b\n\xff\xfe\n", 7);
    run_until(2);
    cr_expect_eq(memcmp(text_string(&seen.words), "a\0b|\xff\xfe|", 7), 0);
}

Test(follow, lines_over_the_limit_are_skipped_and_counted)
{
    AUTO_FREE char *block = xmalloc(LIMIT);
    memset(block, 'x', LIMIT);
    begin();
    add("before\n");
    for (int i = 0; i < 10; i++)
        add_bytes(block, LIMIT); /* 10 MB, and no newline yet */
    run_until(1);
    add("\nafter\n");
    add_bytes(block, LIMIT); /* just the limit */
    add("\n");
    add_bytes(block, LIMIT);
    add("y\n"); /* one more */
    add("end\n");
    run_until(6);
    cr_expect_eq(seen.skipped, 2);
    cr_expect_eq(seen.longest, LIMIT);
    cr_expect_str_eq(text_string(&seen.words), "before|!256|after|!256|end|");
    struct stat state;
    cr_assert_eq(stat(path, &state), 0);
    cr_expect_eq(follow_offset(follow), state.st_size);
}

Test(follow, file_that_was_cut_off_is_at_its_end)
{
    begin();
    add("one\ntwo\n");
    run_until(2);
    cr_assert_eq(truncate(path, 0), 0);
    run_until(2);
    add("again\n");
    run_until(2);
    add("and again, longer than before\n");
    run_until(2);
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(follow_drain(follow, true, &err), -1);
    cr_expect(strstr(error_text(&err), "cut off behind byte 8"), "%s", error_text(&err));
    cr_expect_eq(follow_offset(follow), 8);
}

/* The writer is as fast as the reader: each line that is handed out is followed by another. */
Test(follow, drain_reads_at_once_and_ends_though_the_writer_does_not)
{
    begin();
    add("one\ntwo\nthree\n");
    seen.answers = 1000;
    cr_expect_eq(follow_drain(follow, false, NULL), 0);
    cr_expect_eq(seen.lines, 3);
    cr_expect_eq(follow_drain(follow, false, NULL), 0);
    cr_expect_eq(seen.lines, 6);
}

Test(follow, drain_of_a_file_that_never_came_is_empty)
{
    begin();
    cr_expect_eq(follow_drain(follow, true, NULL), 0);
    cr_expect_eq(seen.lines, 0);
    cr_expect_eq(follow_offset(follow), 0);
}

Test(follow, callback_may_stop_it)
{
    seen.stop_at = 2;
    begin();
    add("one\ntwo\nthree\n");
    run_until(2);
    cr_expect_null(follow);
    seen.stop_at = 4;
    begin();
    cr_expect_eq(follow_drain(follow, false, NULL), 0);
    cr_expect_null(follow);
    cr_expect_eq(seen.lines, 4);
}

Test(follow, what_is_no_regular_file_is_refused_and_stalls_nobody)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(follow_start(loop, path, LIMIT, on_line, &seen, &follow, &err), -1);
    cr_expect_null(follow);
    cr_expect(strstr(error_text(&err), "regular"), "%s", error_text(&err));
    AUTO_FREE char *nowhere = hostile_path("no-folder/events");
    cr_expect_eq(follow_start(loop, nowhere, LIMIT, on_line, &seen, &follow, &err), -1,
                 "the folder must be there");
}

Test(follow, fifo_put_in_its_place_later_stalls_nobody)
{
    begin();
    cr_assert_eq(mkfifo(path, 0600), 0);
    run_until(0);
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(follow_drain(follow, true, &err), -1);
}

Test(follow, goes_on_without_inotify)
{
    hostile_deny(SYS_inotify_init1, EMFILE);
    begin();
    add("one\n");
    run_until(1);
    add("two\n");
    run_until(2);
}

struct lines {
    int64_t offset, told[8];
    size_t count, skipped;
};

static void note_line(void *context, const char *line, size_t length, bool is_skipped)
{
    (void)line;
    (void)length;
    struct lines *lines = context;
    cr_assert_lt(lines->count, COUNT_OF(lines->told));
    lines->told[lines->count++] = lines->offset;
    lines->skipped += is_skipped;
}

/* More than a gigabyte in one line, which is a hole: as any other that is too long. */
Test(follow, a_whole_file_of_any_size_is_read_line_by_line)
{
    struct lines lines = {0};
    AUTO_ERROR err = ERROR_INIT;
    int64_t large = INT64_C(1200) << 20;
    add("one\n");
    cr_assert_eq(ftruncate(writer, large), 0);
    cr_assert_eq(lseek(writer, 0, SEEK_END), large);
    add("\ntwo\nhalf");
    cr_assert_eq(follow_whole(path, 1 << 20, note_line, &lines, &lines.offset, &err), 0, "%s",
                 error_text(&err));
    cr_assert_eq(lines.count, 3);
    cr_expect(lines.told[0] == 4 && lines.told[1] == large + 1 && lines.told[2] == large + 5);
    cr_expect_eq(lines.skipped, 1);
    cr_expect_eq(follow_whole("/nonexistent/file", 1 << 20, note_line, &lines, &lines.offset, &err), 0);
    cr_expect_eq(lines.count, 3);
}

Test(follow, stopping_closes_its_descriptors)
{
    int before = hostile_descriptors();
    add("one\n");
    fd_close(&writer);
    for (int i = 0; i < 3; i++) {
        begin();
        run_until(seen.lines + 1);
        follow_stop(&follow);
        follow_stop(&follow);
    }
    cr_expect_eq(hostile_descriptors(), before);
}

struct turns {
    int64_t last, most;
    struct timer *timer;
    size_t wanted;
};

static void next_turn(void *context)
{
    struct turns *turns = context;
    int64_t now = follow_offset(follow);
    if (now - turns->last > turns->most)
        turns->most = now - turns->last;
    turns->last = now;
    if (seen.lines >= turns->wanted)
        loop_stop(loop);
    else
        timer_arm(turns->timer, 0);
}

Test(follow, turn_of_the_loop_reads_a_quarter_of_a_mebibyte_at_most)
{
    static char line[1000];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 8000; i++)
        add_bytes(line, sizeof line);
    begin();
    struct turns turns = {.wanted = 8000};
    turns.timer = loop_timer(loop, next_turn, &turns);
    timer_arm(turns.timer, 0);
    cr_expect_eq(loop_run(loop, NULL), 0);
    cr_expect_leq(turns.most, (256 << 10) + (int)sizeof line);
    cr_expect_eq(seen.lines, 8000);
}

struct clockwork {
    int64_t due, worst;
    struct timer *timer;
    size_t wanted;
    int64_t until;
};

static void tick(void *context)
{
    struct clockwork *clockwork = context;
    int64_t now = moment_monotonic();
    if (now - clockwork->due > clockwork->worst)
        clockwork->worst = now - clockwork->due;
    if (seen.lines >= clockwork->wanted || now > clockwork->until) {
        loop_stop(loop);
        return;
    }
    clockwork->due = now + 50 * NS_PER_MS;
    timer_arm(clockwork->timer, 50 * NS_PER_MS);
}

Test(follow, flood_is_read_whole_and_timers_stay_on_time)
{
    /* 100 MB in lines of 100 bytes. */
    begin();
    AUTO_FREE char *script = xasprintf(
        "echo ready >&9; exec awk 'BEGIN { for (i = 0; i < 1000000; i++) printf \"%%099d\\n\", i }' >>'%s'",
        path);
    struct clockwork clockwork = {.wanted = 1000000, .until = moment_monotonic() + 40 * NS_PER_S};
    clockwork.timer = loop_timer(loop, tick, &clockwork);
    clockwork.due = moment_monotonic() + 50 * NS_PER_MS;
    struct child child = hostile_start(NULL, script);
    timer_arm(clockwork.timer, 50 * NS_PER_MS);
    clockwork.due = moment_monotonic() + 50 * NS_PER_MS;
    cr_expect_eq(loop_run(loop, NULL), 0);
    child_signal(&child, SIGKILL);
    hostile_end(&child);
    cr_expect_eq(seen.lines, 1000000);
    cr_expect_eq(seen.skipped, 0);
    cr_expect_eq(follow_offset(follow), 100000000);
    cr_expect_lt(clockwork.worst, hostile_is_instrumented() ? NS_PER_S : 100 * NS_PER_MS, "%lld us late",
                 (long long)clockwork.worst / 1000);
}
