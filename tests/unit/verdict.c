/* The outcome table of a phase, row by row, from event lines as the callback writes them. */
#include "verdict/verdict.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <string.h>

#define PLAY    "{\"v\":1,\"seq\":1,\"t\":1,\"m\":1,\"kind\":\"play_start\",\"hosts_count\":1}"
#define NO_PLAY "{\"v\":1,\"seq\":1,\"t\":1,\"m\":1,\"kind\":\"play_start\",\"hosts_count\":0}"
#define STATS(n, failures) \
    "{\"v\":1,\"seq\":" n  \
    ",\"t\":1,\"m\":1,\"kind\":\"stats\",\"hosts\":{\"h\":{\"ok\":1,\"failures\":" failures "}}}"
#define END(n, count) "{\"v\":1,\"seq\":" n ",\"t\":1,\"m\":1,\"kind\":\"end\",\"count\":" count "}"
#define RESULT(n, rest)   \
    "{\"v\":1,\"seq\":" n \
    ",\"t\":1,\"m\":1,\"kind\":\"result\",\"host\":\"h\",\"task\":\"T\",\"path\":\"p.yml:3\"," rest "}"
#define LOST(n, ignored)                                                                           \
    "{\"v\":1,\"seq\":" n                                                                          \
    ",\"t\":1,\"m\":1,\"kind\":\"unreachable\",\"host\":\"h\",\"task\":\"T\",\"ignored\":" ignored \
    ",\"cause_text\":\"gone\"}"

static const struct child_end exit_0 = {.exited = true, .code = 0}, exit_1 = {.exited = true, .code = 1},
                              exit_2 = {.exited = true, .code = 2}, exit_4 = {.exited = true, .code = 4},
                              killed = {.exited = false, .signal = 9};

static struct verdict judge(const struct child_end *end, enum ended_by by, bool oom,
                            const struct json *pending, const char *const *lines)
{
    struct tally tally = TALLY_INIT;
    tally_owe(&tally, pending);
    for (; *lines; lines++) {
        struct line line;
        if (line_parse(*lines, strlen(*lines), &line, NULL) < 0) {
            tally_bad_line(&tally);
            continue;
        }
        tally_line(&tally, &line);
        line_clear(&line);
    }
    struct evidence evidence = {.by = by,
                                .end = end,
                                .tally = &tally,
                                .out_of_memory = oom,
                                .log_tail = "first\nERROR! the reason\nlast\n"};
    struct verdict verdict = verdict_of_phase(&evidence);
    tally_clear(&tally);
    return verdict;
}

#define EXPECT(outcome_wanted, cause_wanted, end, by, oom, ...)                                           \
    do {                                                                                                  \
        struct verdict verdict_ =                                                                         \
            judge(end, by, oom, NULL, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL});            \
        cr_expect_str_eq(outcome_name(verdict_.outcome), outcome_wanted);                                 \
        const char *cause_ = cause_wanted;                                                                \
        cr_expect(cause_ ? verdict_.cause &&strcmp(verdict_.cause, cause_) == 0 : verdict_.cause == NULL, \
                  "cause is %s", verdict_.cause ? verdict_.cause : "none");                               \
        verdict_clear(&verdict_);                                                                         \
    } while (0)

Test(verdict, a_whole_record_without_trouble_is_ok)
{
    EXPECT("ok", NULL, &exit_0, ENDED_BY_ITSELF, false, PLAY, RESULT("2", "\"status\":\"changed\""),
           STATS("3", "0"), END("4", "3"));
}

Test(verdict, what_triphase_ended_is_named_after_its_reason_whatever_the_events_say)
{
    EXPECT("deadline", "deadline", &killed, ENDED_BY_DEADLINE, false, PLAY);
    EXPECT("silence", "silence", &killed, ENDED_BY_SILENCE, false, PLAY);
    EXPECT("task-timeout", "task", &killed, ENDED_BY_TASK, false, PLAY);
    EXPECT("transport-lost", "transport", &exit_4, ENDED_BY_TRANSPORT, false, PLAY, LOST("2", "false"));
    EXPECT("cancelled", NULL, &exit_0, ENDED_BY_CANCEL, false, PLAY, STATS("2", "0"), END("3", "2"));
}

Test(verdict, a_death_by_signal_is_child_crashed_and_the_oom_killer_is_told_apart)
{
    EXPECT("child-crashed", "signal", &killed, ENDED_BY_ITSELF, false, PLAY);
    EXPECT("child-crashed", "oom", &killed, ENDED_BY_ITSELF, true, PLAY);
}

Test(verdict, nothing_begun_or_no_host_matched_is_invalid)
{
    EXPECT("invalid", "not-started", &exit_1, ENDED_BY_ITSELF, false);
    EXPECT("invalid", "not-started", &exit_0, ENDED_BY_ITSELF, false);
    EXPECT("invalid", "no-hosts", &exit_0, ENDED_BY_ITSELF, false, NO_PLAY, END("2", "1"));
}

Test(verdict, an_aborted_play_is_failed_and_one_that_stops_without_end_is_child_crashed)
{
    EXPECT("failed", "aborted", &exit_2, ENDED_BY_ITSELF, false, PLAY);
    EXPECT("child-crashed", "no-end", &exit_0, ENDED_BY_ITSELF, false, PLAY);
}

Test(verdict, an_unreachable_host_counts_whatever_the_exit_code_says)
{
    EXPECT("unreachable", NULL, &exit_0, ENDED_BY_ITSELF, false, PLAY, LOST("2", "false"), STATS("3", "0"),
           END("4", "3"));
    EXPECT("unreachable", NULL, &exit_4, ENDED_BY_ITSELF, false, PLAY, LOST("2", "false"), STATS("3", "0"),
           END("4", "3"));
}

Test(verdict, an_ignored_unreachable_or_one_cleared_by_later_work_lets_the_phase_be_ok)
{
    EXPECT("ok", NULL, &exit_0, ENDED_BY_ITSELF, false, PLAY, LOST("2", "true"), STATS("3", "0"),
           END("4", "3"));
    EXPECT("ok", NULL, &exit_0, ENDED_BY_ITSELF, false, PLAY, LOST("2", "false"),
           RESULT("3", "\"status\":\"ok\""), STATS("4", "0"), END("5", "4"));
}

#define LOST_AT(n, host, delegate)                                                                         \
    "{\"v\":1,\"seq\":" n ",\"t\":1,\"m\":1,\"kind\":\"unreachable\",\"host\":\"" host "\",\"task\":\"T\"" \
    ",\"delegate\":\"" delegate "\",\"ignored\":false,\"cause_text\":\"gone: " host " " delegate "\"}"

static struct verdict judge_own(const char *own, const char *const *lines)
{
    AUTO_WORDS hosts = WORDS_INIT;
    words_add_all(&hosts, own, "peer", NULL);
    struct tally tally = TALLY_INIT;
    tally.own = &hosts;
    for (; *lines; lines++) {
        struct line line;
        cr_assert_eq(line_parse(*lines, strlen(*lines), &line, NULL), 0);
        tally_line(&tally, &line);
        line_clear(&line);
    }
    struct evidence evidence = {.end = &exit_4, .tally = &tally, .log_tail = ""};
    struct verdict verdict = verdict_of_phase(&evidence);
    tally_clear(&tally);
    return verdict;
}

Test(verdict, a_host_beyond_the_target_and_its_peers_never_makes_the_phase_unreachable)
{
    static const struct {
        const char *own, *lines[6], *outcome, *says;
    } cases[] = {
        {"mine", {PLAY, LOST("2", "false"), STATS("3", "0"), END("4", "3")}, "failed", "h was UNREACHABLE"},
        {"h", {PLAY, LOST("2", "false"), STATS("3", "0"), END("4", "3")}, "unreachable", "h was UNREACHABLE"},
        {"h", {PLAY, LOST_AT("2", "h", "prod"), STATS("3", "0"), END("4", "3")}, "failed", "gone: h prod"},
        {"h",
         {PLAY, LOST_AT("2", "h", "peer"), STATS("3", "0"), END("4", "3")},
         "unreachable",
         "gone: h peer"},
        {"h", {PLAY, LOST_AT("2", "h", "localhost"), STATS("3", "0"), END("4", "3")}, "unreachable", "gone"},
        {"h",
         {PLAY, LOST_AT("2", "other", "h"), STATS("3", "0"), END("4", "3")},
         "unreachable",
         "gone: other h"},
        {"h",
         {PLAY, LOST_AT("2", "peer", "peer"), LOST_AT("3", "h", "prod"), STATS("4", "0"), END("5", "4")},
         "unreachable",
         "gone: peer peer"},
        {"h",
         {PLAY, LOST_AT("2", "h", "prod"), RESULT("3", "\"status\":\"ok\""), STATS("4", "0"), END("5", "4")},
         "child-crashed",
         ""},
        {"h",
         {PLAY, LOST_AT("2", "h", "prod"), STATS("3", "1"), END("4", "3")},
         "failed",
         "1 task(s) failed"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct verdict verdict = judge_own(cases[i].own, cases[i].lines);
        cr_expect_str_eq(outcome_name(verdict.outcome), cases[i].outcome, "%zu: %s", i, verdict.message);
        cr_expect(strstr(verdict.message, cases[i].says), "%zu: %s", i, verdict.message);
        verdict_clear(&verdict);
    }
}

Test(verdict, failed_tasks_count_unless_rescued_or_ignored)
{
    EXPECT("failed", NULL, &exit_2, ENDED_BY_ITSELF, false, PLAY,
           RESULT("2", "\"status\":\"failed\",\"rescued\":false"), STATS("3", "1"), END("4", "3"));
    EXPECT("ok", NULL, &exit_0, ENDED_BY_ITSELF, false, PLAY,
           RESULT("2", "\"status\":\"failed\",\"rescued\":true"), STATS("3", "0"), END("4", "3"));
    EXPECT("ok", NULL, &exit_0, ENDED_BY_ITSELF, false, PLAY,
           RESULT("2", "\"status\":\"failed\",\"ignored\":true"), STATS("3", "0"), END("4", "3"));
}

Test(verdict, a_gap_a_bad_line_or_a_wrong_count_proves_nothing_and_fails)
{
    EXPECT("failed", "events-incomplete", &exit_0, ENDED_BY_ITSELF, false, PLAY, STATS("3", "0"),
           END("4", "2"));
    EXPECT("failed", "events-incomplete", &exit_0, ENDED_BY_ITSELF, false, PLAY, "\x01\x02", STATS("2", "0"),
           END("3", "2"));
    EXPECT("failed", "events-incomplete", &exit_0, ENDED_BY_ITSELF, false, PLAY, STATS("2", "0"),
           END("3", "7"));
}

Test(verdict, an_exit_code_that_no_event_explains_is_child_crashed)
{
    EXPECT("child-crashed", "exit-code", &exit_2, ENDED_BY_ITSELF, false, PLAY, STATS("2", "0"),
           END("3", "2"));
}

#define NEVER_RAN(n, host)                                                                          \
    "{\"v\":1,\"seq\":" n ",\"t\":1,\"m\":1,\"kind\":\"never_ran\",\"host\":\"" host "\",\"play\":" \
    "\"P\",\"cause_text\":\"never ran: play 'P' left this host out\"}"

Test(verdict, hosts_that_a_play_left_out_are_named_where_no_task_failed)
{
    const char *const lines[] = {
        PLAY, NEVER_RAN("2", "b"), NEVER_RAN("3", "c"), NEVER_RAN("4", "b"), STATS("5", "0"), END("6", "5"),
        NULL};
    struct verdict left = judge(&exit_2, ENDED_BY_ITSELF, false, NULL, lines),
                   cleared = judge(&exit_0, ENDED_BY_ITSELF, false, NULL, lines);
    cr_expect(left.outcome == OUTCOME_FAILED && cleared.outcome == OUTCOME_FAILED);
    cr_expect_str_eq(left.cause, "left-out");
    cr_expect_str_eq(left.message, "b never ran: play 'P' left this host out; so it is with 1 more");
    verdict_clear(&left);
    verdict_clear(&cleared);
}

Test(verdict, handlers_an_earlier_attempt_owed_fail_it_until_they_ran)
{
    const char *text = "[{\"host\":\"h\",\"handler\":\"restart it\"}]";
    AUTO_JSON *pending = json_parse(text, strlen(text), NULL);
    const char *const without[] = {PLAY, STATS("2", "0"), END("3", "2"), NULL};
    const char *const with[] = {
        PLAY,
        "{\"v\":1,\"seq\":2,\"t\":1,\"m\":1,\"kind\":\"handler\",\"uuid\":\"u\",\"names\":[\"restart it\"]}",
        RESULT("3", "\"status\":\"changed\",\"handler\":true,\"uuid\":\"u\""),
        STATS("4", "0"),
        END("5", "4"),
        NULL};

    struct verdict owed = judge(&exit_0, ENDED_BY_ITSELF, false, pending, without);
    struct verdict paid = judge(&exit_0, ENDED_BY_ITSELF, false, pending, with);

    cr_expect_str_eq(outcome_name(owed.outcome), "failed");
    cr_expect_str_eq(owed.cause, "handlers-lost");
    cr_expect(strstr(owed.message, "restart it"), "the message names the handler: %s", owed.message);
    cr_expect_str_eq(outcome_name(paid.outcome), "ok");
    verdict_clear(&owed);
    verdict_clear(&paid);
}

#define NOTIFY(n, host)                                                                                \
    "{\"v\":1,\"seq\":" n ",\"t\":1,\"m\":1,\"kind\":\"notify\",\"host\":\"" host "\",\"task\":\"T\"," \
    "\"handlers\":[\"restart it\"]}"
#define HANDLER(n, rest)                                                                    \
    "{\"v\":1,\"seq\":" n ",\"t\":1,\"m\":1,\"kind\":\"handler\",\"uuid\":\"u\",\"names\":" \
    "[\"restart it\"]" rest "}"
#define RAN RESULT("5", "\"status\":\"changed\",\"handler\":true,\"uuid\":\"u\"")

Test(verdict, a_process_that_stays_behind_the_end_of_its_tasks_is_judged_by_these_alone)
{
    EXPECT("ok", "did-not-leave", &killed, ENDED_BY_STAYING, false, PLAY, STATS("2", "0"), END("3", "2"));
    EXPECT("ok", "did-not-leave", &killed, ENDED_BY_STAYING, true, PLAY, STATS("2", "0"), END("3", "2"));
    EXPECT("ok", "did-not-leave", &exit_4, ENDED_BY_STAYING, false, PLAY, STATS("2", "0"), END("3", "2"));
    EXPECT("failed", NULL, &killed, ENDED_BY_STAYING, false, PLAY, STATS("2", "1"), END("3", "2"));
    EXPECT("unreachable", NULL, &killed, ENDED_BY_STAYING, false, PLAY, LOST("2", "false"), STATS("3", "0"),
           END("4", "3"));
    EXPECT("invalid", "no-hosts", &killed, ENDED_BY_STAYING, false, NO_PLAY, END("2", "1"));
    EXPECT("failed", "events-incomplete", &killed, ENDED_BY_STAYING, false, PLAY, END("2", "7"));
}

Test(verdict, a_handler_that_was_notified_and_never_ran_is_a_warning_that_names_it)
{
    const char *const lines[] = {PLAY, NOTIFY("2", "h"), STATS("3", "0"), END("4", "3"), NULL};
    struct verdict dropped = judge(&exit_0, ENDED_BY_ITSELF, false, NULL, lines);
    struct verdict both = judge(&killed, ENDED_BY_STAYING, false, NULL, lines);
    cr_expect(dropped.outcome == OUTCOME_OK && both.outcome == OUTCOME_OK);
    cr_expect_str_eq(dropped.cause, "handlers-dropped");
    cr_expect_str_eq(both.cause, "did-not-leave");
    cr_expect(strstr(dropped.message, "'restart it' on h"), "%s", dropped.message);
    cr_expect(strstr(both.message, "did not leave") && strstr(both.message, "'restart it' on h"), "%s",
              both.message);
    verdict_clear(&dropped);
    verdict_clear(&both);
}

Test(verdict, a_handler_of_run_once_that_ran_on_one_host_ran_for_all)
{
    EXPECT("ok", NULL, &exit_0, ENDED_BY_ITSELF, false, PLAY, NOTIFY("2", "h"), NOTIFY("3", "other"),
           HANDLER("4", ",\"once\":true"), RAN, STATS("6", "0"), END("7", "6"));
    EXPECT("ok", "handlers-dropped", &exit_0, ENDED_BY_ITSELF, false, PLAY, NOTIFY("2", "h"),
           NOTIFY("3", "other"), HANDLER("4", ""), RAN, STATS("6", "0"), END("7", "6"));
}

Test(verdict, the_message_of_a_failure_names_task_host_and_place)
{
    const char *const lines[] = {
        PLAY, RESULT("2", "\"status\":\"failed\",\"rescued\":false,\"cause_text\":\"no such unit\""),
        STATS("3", "1"), END("4", "3"), NULL};
    struct verdict verdict = judge(&exit_2, ENDED_BY_ITSELF, false, NULL, lines);
    cr_expect(strstr(verdict.message, "'T'") && strstr(verdict.message, " h ") &&
                  strstr(verdict.message, "p.yml:3") && strstr(verdict.message, "no such unit"),
              "%s", verdict.message);
    verdict_clear(&verdict);
}

Test(verdict, an_abort_is_explained_by_the_line_of_the_log_that_says_error)
{
    const char *const lines[] = {NULL};
    struct verdict verdict = judge(&exit_4, ENDED_BY_ITSELF, false, NULL, lines);
    cr_expect(strstr(verdict.message, "ERROR! the reason"), "%s", verdict.message);
    verdict_clear(&verdict);
}

static struct verdict judge_path(enum ended_by by, const char *cause, const char *words, const char *run,
                                 bool unreachable)
{
    struct tally tally = TALLY_INIT;
    struct line line;
    const char *const lines[] = {PLAY, LOST("2", "false"), STATS("3", "0"), END("4", "3")};
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        if (i == 1 && !unreachable)
            continue;
        cr_assert_eq(line_parse(lines[i], strlen(lines[i]), &line, NULL), 0);
        tally_line(&tally, &line);
        line_clear(&line);
    }
    struct evidence evidence = {.by = by,
                                .end = &exit_4,
                                .tally = &tally,
                                .log_tail = "",
                                .path_cause = cause,
                                .path_words = words,
                                .looked_at = run};
    struct verdict verdict = verdict_of_phase(&evidence);
    tally_clear(&tally);
    return verdict;
}

Test(verdict, a_lost_connection_says_whether_the_path_or_the_host_was_it_and_where_to_look)
{
    struct verdict verdict =
        judge_path(ENDED_BY_TRANSPORT, "path-dead", "h:22 has acknowledged nothing", "1234abcd", false);
    cr_expect_str_eq(verdict.cause, "path-dead");
    cr_expect(strstr(verdict.message, "h:22 has acknowledged nothing") &&
                  strstr(verdict.message, "triphase events 1234abcd"),
              "%s", verdict.message);
    verdict_clear(&verdict);

    verdict = judge_path(ENDED_BY_ITSELF, "host-silent", "its sshd has not answered", NULL, true);
    cr_expect_eq(verdict.outcome, OUTCOME_UNREACHABLE);
    cr_expect_str_eq(verdict.cause, "host-silent");
    cr_expect(strstr(verdict.message, "its sshd has not answered") && !strstr(verdict.message, "events"),
              "%s", verdict.message);
    verdict_clear(&verdict);

    /* What the path is like has nothing to do with a deadline's name. */
    verdict = judge_path(ENDED_BY_DEADLINE, "host-silent", "silent", "1234abcd", true);
    cr_expect_str_eq(verdict.cause, "deadline");
    verdict_clear(&verdict);
}

Test(verdict, a_child_that_could_not_be_started_is_no_fault_of_the_project)
{
    const struct child_end none = {.exited = true, .code = -1};
    EXPECT("child-crashed", "not-started", &none, ENDED_BY_ITSELF, false);
    EXPECT("cancelled", NULL, &none, ENDED_BY_CANCEL, false);
}

Test(verdict, a_message_is_printable_and_bounded_whatever_a_line_says)
{
    AUTO_FREE char *lines = xmalloc(40000);
    static const char head[] =
        "{\"v\":1,\"seq\":1,\"kind\":\"refused\",\"variable\":\"\\u001b[2J\",\"found\":\"";
    memcpy(lines, head, sizeof head - 1);
    memset(lines + sizeof head - 1, 'x', 30000);
    memcpy(lines + sizeof head - 1 + 30000, "\"}", 3);
    struct verdict verdict = judge(&exit_0, ENDED_BY_ITSELF, false, NULL, (const char *const[]){lines, NULL});
    cr_assert_eq(verdict.outcome, OUTCOME_INVALID);
    cr_expect(strstr(verdict.message, "\\x1b[2J") != NULL, "%.60s", verdict.message);
    cr_expect_leq(strlen(verdict.message), 4 * 8192);
    verdict_clear(&verdict);
}

static void feed(struct tally *tally, int64_t seq, const char *rest)
{
    struct line line;
    AUTO_FREE char *bytes =
        xasprintf("{\"v\":1,\"seq\":%lld,\"t\":1,\"m\":1,\"kind\":%s}", (long long)seq, rest);
    cr_assert_eq(line_parse(bytes, strlen(bytes), &line, NULL), 0, "%s", rest);
    tally_line(tally, &line);
    line_clear(&line);
}

Test(verdict, no_number_of_hosts_and_handlers_is_too_many_to_be_counted, .timeout = 60)
{
    enum { HOSTS = 2000, HANDLERS = 5, NOTIFIED = 300 };
    struct tally tally = TALLY_INIT;
    AUTO_TEXT many = TEXT_INIT;
    int64_t seq = 0;
    for (int i = 0; i < NOTIFIED; i++)
        text_addf(&many, "%s\"n%d\"", i ? "," : "", i);
    AUTO_FREE char *notified =
        xasprintf("\"notify\",\"host\":\"first\",\"handlers\":[%s]", text_string(&many));
    feed(&tally, ++seq, "\"play_start\",\"hosts_count\":2000");
    feed(&tally, ++seq, notified);
    for (int i = 0; i < HOSTS; i++) {
        AUTO_FREE char *notify =
            xasprintf("\"notify\",\"host\":\"h%d\",\"handlers\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", i);
        feed(&tally, ++seq, notify);
    }
    AUTO_JSON *owed = tally_owed(&tally, false);
    cr_expect_eq(json_count(owed), HOSTS * HANDLERS + NOTIFIED);
    for (int handler = 0; handler < HANDLERS; handler++) {
        AUTO_FREE char *start =
            xasprintf("\"handler\",\"uuid\":\"u%d\",\"names\":[\"%c\"]", handler, 'a' + handler);
        feed(&tally, ++seq, start);
        for (int i = 0; i < HOSTS; i++) {
            AUTO_FREE char *over =
                xasprintf("\"result\",\"status\":\"ok\",\"handler\":true,\"uuid\":\"u%d\",\"host\":\"h%d\"",
                          handler, i);
            feed(&tally, ++seq, over);
        }
    }
    AUTO_JSON *left = tally_owed(&tally, false);
    cr_expect_eq(json_count(left), NOTIFIED, "each host paid its own");
    cr_expect_eq(tally.bad, 0, "many are no fault");
    cr_expect_not(tally.gap);
    tally_clear(&tally);
}

Test(verdict, what_a_process_was_at_when_it_was_ended_stays_whatever_comes_behind)
{
    struct tally tally = TALLY_INIT;
    feed(&tally, 1, "\"task_start\",\"task\":\"slow\",\"uuid\":\"s\",\"path\":\"x.yml:1\"");
    feed(&tally, 2, "\"task_start\",\"task\":\"quick\",\"uuid\":\"q\",\"path\":\"x.yml:2\"");
    feed(&tally, 3, "\"result\",\"status\":\"ok\",\"uuid\":\"q\",\"host\":\"innocent\"");
    tally_stand(&tally, "slow", "stuck", "x.yml:1");
    feed(&tally, 4, "\"task_start\",\"task\":\"quick\",\"uuid\":\"q\",\"path\":\"x.yml:2\"");
    feed(&tally, 5, "\"result\",\"status\":\"ok\",\"uuid\":\"q\",\"host\":\"innocent\"");
    struct evidence evidence = {.by = ENDED_BY_TASK, .end = &killed, .tally = &tally, .log_tail = ""};
    struct verdict verdict = verdict_of_phase(&evidence);
    cr_expect_str_eq(verdict.message, "in task 'slow' on stuck at x.yml:1");
    verdict_clear(&verdict);
    tally_clear(&tally);
}
