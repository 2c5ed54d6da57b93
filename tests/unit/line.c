/* Event lines: read as the callback plugin writes them, refused with a reason where they are not, never a
 * crash. */
#include "event/line.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/line_event.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char whole[] = "{\"v\":1,\"seq\":12,\"t\":1700000000123456789,\"m\":99,\"kind\":\"result\","
                            "\"host\":\"vault\",\"play\":\"P\",\"role\":\"r\","
                            "\"task\":\"T\",\"uuid\":\"u-1\",\"path\":\"a.yml:7\",\"action\":\"ansible."
                            "builtin.command\",\"status\":\"failed\",\"ignored\":true,"
                            "\"rescued\":null,\"duration_ns\":250000000,\"items\":3,\"async\":-1,\"poll\":0,"
                            "\"handler\":true,\"cause_text\":\"non-zero\"}";

static int parse(const char *text, struct line *line, struct error *err)
{
    return line_parse(text, strlen(text), line, err);
}

Test(line, a_result_is_read_whole)
{
    struct line line;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(parse(whole, &line, &err), 0, "%s", error_text(&err));
    cr_expect_eq(line.kind, LINE_RESULT);
    cr_expect_eq(line.status, STATUS_FAILED);
    cr_expect(line.seq == 12 && line.wall_ns == 1700000000123456789 && line.monotonic_ns == 99 &&
              line.items == 3);
    cr_expect_eq(line.duration_ns, 250000000);
    cr_expect_str_eq(line.host, "vault");
    cr_expect_str_eq(line.role, "r");
    cr_expect_str_eq(line.path, "a.yml:7");
    cr_expect_str_eq(line.cause_text, "non-zero");
    cr_expect(line.ignored && line.handler && line.async && !line.rescued);
    line_clear(&line);
}

Test(line, an_unreachable_host_with_another_host_key_is_told_in_two_lines)
{
    static const char text[] =
        "{\"v\":1,\"seq\":3,\"t\":1,\"m\":1,\"kind\":\"unreachable\",\"host\":\"box\",\"cause_text\":"
        "\"Failed to"
        " connect to the host via ssh: @@@@@@\\r\\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! "
        "@\\r\\nThe"
        " fingerprint for the ED25519 key sent by the remote host is\\r\\nSHA256:abc+/9.\\r\\nHost key for"
        " triphase-1 has changed and you have requested strict checking.\\r\\nHost key verification "
        "failed.\"}";
    struct line line;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(parse(text, &line, &err), 0, "%s", error_text(&err));
    cr_expect(strstr(line.cause_text,
                     "it shows ED25519 SHA256:abc+/9, and another is known\n'triphase trust box'"),
              "%s", line.cause_text);
    struct event rows[2];
    int count = line_events(&line, "r", 1, "direct", 0, rows);
    cr_assert_gt(count, 0);
    for (int i = 0; i < count; i++)
        if (rows[i].kind == EVENT_UNREACHABLE)
            cr_expect_str_eq(rows[i].unreachable.cause, "host-key");
    line_clear(&line);
}

static void expect_refused(const char *text, const char *reason)
{
    struct line line = {.seq = 4711};
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(parse(text, &line, &err), -1, "taken: %s", text);
    cr_expect(strstr(error_text(&err), reason), "%s", error_text(&err));
    cr_expect_eq(line.seq, 4711, "outputs are untouched on failure");
}

Test(line, what_is_no_event_line_is_refused_with_the_reason)
{
    expect_refused("[1]", "no JSON object");
    expect_refused("{\"v\":1,", "JSON, line 1");
    expect_refused("{\"v\":2,\"seq\":1,\"kind\":\"end\",\"count\":0}", "version 2");
    expect_refused("{\"v\":1,\"seq\":1,\"kind\":\"rest\\u001bult\"}", "unknown kind 'rest\\x1bult'");
    expect_refused("{\"v\":1,\"kind\":\"stats\"}", "no seq");
    expect_refused("{\"v\":1,\"seq\":\"7\",\"kind\":\"stats\"}", "no seq");
    expect_refused("{\"v\":1,\"seq\":-3,\"kind\":\"stats\"}", "no seq");
    expect_refused("{\"v\":1,\"seq\":1,\"kind\":\"result\",\"status\":\"fine\"}", "status");
    expect_refused("{\"v\":1,\"seq\":1,\"kind\":\"end\"}", "count");
}

Test(line, text_is_bounded_and_printable)
{
    AUTO_TEXT text = TEXT_INIT;
    text_add(&text, "{\"v\":1,\"seq\":1,\"kind\":\"task_start\",\"host\":\"\\u001b[31mred\\u009b\",\"cause_"
                    "text\":\"a\\r\\nb\",\"task\":\"");
    for (int i = 0; i < 3000; i++)
        text_add(&text, "\xc3\xa4");
    text_add(&text, "\"}");
    struct line line;
    cr_assert_eq(line_parse(text.bytes, text.length, &line, NULL), 0);
    cr_expect_str_eq(line.host, "\\x1b[31mred\\xc2\\x9b");
    cr_expect_str_eq(line.cause_text, "a  b");
    cr_expect_eq(strlen(line.task), 1024);
    cr_expect(text_is_utf8(line.task, strlen(line.task)));
    line_clear(&line);
}

Test(line, false_numbers_cannot_overflow_a_sum)
{
    struct line line;
    cr_assert_eq(parse("{\"v\":1,\"seq\":1,\"kind\":\"result\",\"status\":\"ok\",\"duration_ns\":"
                       "9223372036854775807,\"items\":-9,\"t\":-1}",
                       &line, NULL),
                 0);
    cr_expect(line.duration_ns > 0 && line.duration_ns <= 100 * 86400 * NS_PER_S);
    cr_expect(line.items == 0 && line.wall_ns == 0);
    line_clear(&line);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Flat lines are read without the JSON parser; a space in front sends the same line there. Both must find
 * the same in whatever comes. */
Test(line, the_quick_way_and_the_parser_agree)
{
    static const char *const lines[] = {
        whole,
        "{\"v\":1,\"seq\":3,\"kind\":\"end\",\"count\":2}",
        "{\"v\":1,\"seq\":3,\"t\":1,\"m\":2,\"kind\":\"task_start\",\"task\":\"T\",\"async\":60,\"poll\":5,"
        "\"handler\":true}",
        "{\"v\":1,\"seq\":3,\"kind\":\"unreachable\",\"host\":\"h\",\"ignored\":true,\"cause_text\":\"\"}",
        "{\"v\":1,\"seq\":3,\"seq\":4,\"kind\":\"end\",\"count\":2}",
        "{\"v\":1,\"seq\":9223372036854775808,\"kind\":\"end\",\"count\":2}",
        "{\"v\":1,\"seq\":03,\"kind\":\"end\",\"count\":2}",
        "{\"v\":1,\"seq\":-0,\"kind\":\"end\",\"count\":2}",
        "{\"v\":1,\"seq\":true,\"kind\":\"end\",\"count\":2}",
        "{\"v\":\"1\",\"seq\":3,\"kind\":\"end\",\"count\":2}",
        "{\"v\":1,\"seq\":3,\"kind\":\"end\",\"count\":2,}",
        "{\"v\":1,\"seq\":3,\"kind\":\"end\",\"count\":2}x",
        "{}",
        "",
    };
    static const char bytes[] = "{}\",:0123456789-truefalsn\\ [e.\x7f\xc3";
    srand(2);
    int taken = 0;
    for (int round = 0; round < 40000; round++) {
        const char *line = lines[round % (int)COUNT_OF(lines)];
        size_t length = strlen(line);
        AUTO_FREE char *copy = xasprintf(" %s", line);
        for (int change = 0; round >= (int)COUNT_OF(lines) && length && change < 1 + round % 3; change++)
            copy[1 + (size_t)rand() % length] = bytes[(size_t)rand() % (sizeof bytes - 1)];
        struct line quick = {0}, slow = {0};
        int first = line_parse(copy + 1, length, &quick, NULL),
            second = line_parse(copy, length + 1, &slow, NULL);
        cr_assert_eq(first, second, "%s", copy);
        if (first == 0) {
            taken++;
            cr_assert(quick.kind == slow.kind && quick.seq == slow.seq && quick.wall_ns == slow.wall_ns &&
                          quick.monotonic_ns == slow.monotonic_ns && quick.status == slow.status &&
                          quick.async == slow.async && quick.ignored == slow.ignored &&
                          quick.rescued == slow.rescued && quick.handler == slow.handler &&
                          quick.items == slow.items && quick.duration_ns == slow.duration_ns &&
                          quick.count == slow.count,
                      "%s", copy);
            cr_assert(same(quick.host, slow.host) && same(quick.play, slow.play) &&
                          same(quick.role, slow.role) && same(quick.task, slow.task) &&
                          same(quick.uuid, slow.uuid) && same(quick.path, slow.path) &&
                          same(quick.action, slow.action) && same(quick.cause_text, slow.cause_text),
                      "%s", copy);
        }
        line_clear(&quick);
        line_clear(&slow);
    }
    cr_expect_gt(taken, 300, "%d", taken);
}

/* Every byte of a line changed, lost or doubled: an answer each time. Run under the sanitizers this is the
 * point. */
Test(line, changed_bytes_get_an_answer)
{
    size_t length = strlen(whole);
    AUTO_FREE char *copy = xmalloc(length + 1);
    srand(1);
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, whole, length + 1);
        size_t now = length;
        for (int change = 0; change < 1 + round % 4; change++) {
            size_t at = (size_t)rand() % now;
            if (rand() % 3 == 0)
                memmove(copy + at, copy + at + 1, now-- - at);
            else
                copy[at] = (char)rand();
        }
        AUTO_FREE char *exact = xmalloc(now); /* so that a byte read behind the end shows */
        memcpy(exact, copy, now);
        struct line line = {0};
        if (line_parse(exact, now, &line, NULL) == 0)
            line_clear(&line);
    }
}

Test(line, what_ssh_repeats_of_a_server_is_printable_in_the_ledger)
{
    struct line line;
    struct event rows[2];
    AUTO_FREE char *log =
        xstrdup("debug1: x\nssh: connect to host \x1b[31mh\xff port 22: Connection timed out\r\n");
    static const char lost[] =
        "{\"v\":1,\"seq\":1,\"kind\":\"unreachable\",\"host\":\"h\",\"cause_text\":\"\"}";
    cr_assert_eq(line_parse(lost, strlen(lost), &line, NULL), 0);
    cr_assert_eq(line_events(&line, "run", 1, "direct", 0, rows), 2);
    line_event_explain(&rows[0], log);
    cr_expect_str_eq(rows[0].unreachable.cause, "connect-timeout");
    cr_expect_str_eq(rows[0].unreachable.message,
                     "ssh: connect to host ?[31mh? port 22: Connection timed out");
    line_clear(&line);
}

Test(line, what_a_master_wrote_as_it_ended_tells_the_cause)
{
    static const char lost[] =
        "{\"v\":1,\"seq\":1,\"kind\":\"unreachable\",\"host\":\"h\",\"cause_text\":\"exit status 255\"}";
    static const struct {
        const char *log, *cause, *source, *message;
    } cases[] = {
        {"Authenticated to h (via proxy) using \"publickey\".\n", "rc-255", "message", "exit status 255"},
        {"Authenticated to h (via proxy) using \"publickey\".\nTransferred: sent 1, received 2 bytes, in 0.1 "
         "seconds\nBytes per second: sent 1, received 2\n",
         "reset", "master-log", "the host closed the connection"},
        {"Read from remote host h: Connection reset by peer\nclient_loop: send disconnect: Broken pipe\n",
         "reset", "master-log", "Read from remote host h: Connection reset by peer"},
        {"client_loop: send disconnect: Broken pipe\nTransferred: sent 1, received 2 bytes, in 0.1 seconds\n",
         "reset", "master-log", "client_loop: send disconnect: Broken pipe"},
        {"Timeout, server h not responding.\n", "keepalive-timeout", "master-log",
         "Timeout, server h not responding."},
        {"Killed by signal 15.\n", "mux-lost", "master-log", "Killed by signal 15."},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct line line;
        struct event rows[2];
        AUTO_FREE char *log = xstrdup(cases[i].log);
        cr_assert_eq(line_parse(lost, strlen(lost), &line, NULL), 0);
        cr_assert_eq(line_events(&line, "run", 1, "direct", 0, rows), 2);
        line_event_explain(&rows[0], log);
        cr_expect_str_eq(rows[0].unreachable.cause, cases[i].cause, "%s", cases[i].log);
        cr_expect_str_eq(rows[0].unreachable.cause_source, cases[i].source);
        cr_expect_str_eq(rows[0].unreachable.message, cases[i].message);
        line_clear(&line);
    }
}

Test(line, what_a_module_told_is_bounded_and_printable_and_becomes_one_row)
{
    AUTO_FREE char *large = xasprintf("{\"a\":\"%05000d\"}", 0);
    const char *const details[] = {"{\"a\":[1,\"x\"]}", large, "[1]", "null"};
    for (size_t i = 0; i < COUNT_OF(details); i++) {
        struct line line;
        AUTO_ERROR err = ERROR_INIT;
        AUTO_FREE char *text =
            xasprintf("{\"v\":1,\"seq\":3,\"t\":9,\"m\":1,\"kind\":\"told\",\"host\":\"box\",\"role\":\"r\","
                      "\"task\":\"T\",\"uuid\":\"u\",\"subject\":\"st\\u001bate\",\"text\":\"%0*d\","
                      "\"detail\":%s}",
                      3000, 0, details[i]);
        cr_assert_eq(parse(text, &line, &err), 0, "%s", error_text(&err));
        struct event rows[2];
        cr_assert_eq(line_events(&line, "r", 4, "direct", 77, rows), 1);
        cr_expect(rows[0].kind == EVENT_NOTE && rows[0].step == 4 && rows[0].event_bytes == 77 &&
                  rows[0].note.at_ns == 9);
        cr_expect_str_eq(rows[0].note.kind, "told");
        AUTO_JSON *note = json_parse(rows[0].note.detail, strlen(rows[0].note.detail), NULL);
        AUTO_FREE char *detail = json_compact(json_get(note, "detail"));
        cr_expect_str_eq(detail, i == 0 ? details[0] : "{}");
        cr_expect_str_eq(json_get_string(note, "subject", ""), "st\\x1bate");
        cr_expect_str_eq(json_get_string(note, "role", ""), "r");
        cr_expect_eq(strlen(json_get_string(note, "text", "")), 512);
        line_clear(&line);
    }
    expect_refused("{\"v\":1,\"seq\":1,\"kind\":\"told\",\"subject\":\"a\"}", "without a subject or a text");
}

Test(line, what_check_mode_passed_over_is_no_change_and_said_to_be_that)
{
    struct line line;
    struct event rows[2];
    cr_assert_eq(
        parse("{\"v\":1,\"seq\":1,\"kind\":\"result\",\"host\":\"h\",\"task\":\"T\",\"status\":\"skipped\","
              "\"unchecked\":true}",
              &line, NULL),
        0);
    cr_expect(line.unchecked && line_events(&line, "r", 1, "direct", 0, rows) == 1 && rows[0].task.unchecked);
    line_clear(&line);
}
