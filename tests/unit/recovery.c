/* The way from a broken attempt to the next one, and what is made of a host's answer: both without a host. */
#include "run/recovery.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "run/recovery_rows.h"
#include "stage/sweep_answer.h"

#include <criterion/criterion.h>
#include <string.h>

#define RUN "01a20523-9e41-78e8-b68f-602850211e0d"

static void broke(struct recovery *recovery, enum outcome outcome, bool again, bool look)
{
    const struct recovery_link link = {"7", "boot.1", 4200, 10 * NS_PER_S};
    recovery_broke(recovery, outcome_may_leave(outcome, NULL), again, look, RUN, 3, &link, 12 * NS_PER_S + 1);
}

static const char *step(struct recovery *recovery, bool well, int jobs)
{
    enum recovery_part part = recovery_next(recovery);
    recovery_ended(recovery, part, well, jobs);
    static const char *const names[] = {"sweep", "async", "pause", "transport", "make-up", "over"};
    return names[part];
}

Test(recovery_table, a_lost_connection_is_followed_by_a_look_jobs_a_pause_and_the_transport)
{
    struct recovery recovery = {0};
    broke(&recovery, OUTCOME_TRANSPORT_LOST, true, true);
    cr_expect_str_eq(step(&recovery, true, 2), "sweep");
    recovery_looked(&recovery, RUN, 3);
    cr_expect_str_eq(step(&recovery, true, 0), "async");
    cr_expect_str_eq(step(&recovery, true, 0), "pause");
    cr_expect_str_eq(step(&recovery, true, 0), "transport");
    cr_expect_str_eq(step(&recovery, true, 0), "over");
    recovery_clear(&recovery);
}

Test(recovery_table,
     a_look_that_nobody_could_make_is_made_up_for_behind_the_transport_and_its_jobs_waited_for)
{
    struct recovery recovery = {0};
    broke(&recovery, OUTCOME_UNREACHABLE, true, true);
    static const char *const expected[] = {"sweep", "pause", "transport", "make-up", "async", "over"};
    static const bool well[] = {false, true, true, true, true, true};
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        cr_expect_str_eq(step(&recovery, well[i], i == 3), expected[i]);
    recovery_clear(&recovery);
}

Test(recovery_table, the_last_attempt_and_a_cancelled_one_are_only_looked_after)
{
    struct recovery recovery = {0};
    broke(&recovery, OUTCOME_CANCELLED, false, true);
    cr_expect_str_eq(step(&recovery, true, 3), "sweep");
    cr_expect_str_eq(step(&recovery, true, 0), "over");
    recovery_clear(&recovery);
}

Test(recovery_table, nothing_comes_behind_an_attempt_that_came_to_its_own_end_and_a_second_cancel_only_owes)
{
    static const enum outcome own[] = {OUTCOME_OK, OUTCOME_FAILED, OUTCOME_INVALID};
    for (size_t i = 0; i < COUNT_OF(own); i++) {
        struct recovery recovery = {0};
        broke(&recovery, own[i], false, true);
        cr_expect_eq(recovery_next(&recovery), RECOVERY_OVER);
        cr_expect_eq(recovery.look_count, 0);
    }
    struct recovery recovery = {0};
    broke(&recovery, OUTCOME_CANCELLED, false, false);
    cr_expect_eq(recovery_next(&recovery), RECOVERY_OVER);
    cr_expect_eq(recovery.look_count, 1);
    recovery_clear(&recovery);
}

Test(recovery_table, what_an_earlier_run_owes_comes_behind_the_first_transport)
{
    struct recovery recovery = {0};
    recovery_owe(&recovery, RUN, 4, "{\"tried\":[{\"session\":\"1\"},{\"session\":\"9\",\"boot\":\"b.2\"}]}",
                 0);
    recovery_owe(&recovery, RUN, 5, "no JSON", 0);
    cr_expect_str_eq(recovery.looks[0].session, "9");
    cr_expect_str_eq(recovery.looks[0].boot, "b.2");
    cr_expect_null(recovery.looks[0].since);
    cr_expect_null(recovery.looks[1].session);
    cr_expect_eq(recovery_next(&recovery), RECOVERY_OVER);
    recovery_ended(&recovery, RECOVERY_TRANSPORT, true, 0);
    cr_expect_str_eq(step(&recovery, true, 1), "make-up");
    cr_expect_str_eq(step(&recovery, true, 0), "over", "no attempt follows for which jobs would have to end");
    recovery_clear(&recovery);
}

Test(recovery_table, a_full_list_of_debts_has_room_for_what_broke_just_now)
{
    struct recovery recovery = {0};
    for (int i = 0; i < RECOVERY_LOOKS_MOST + 3; i++)
        recovery_owe(&recovery, RUN, 10 + i, NULL, 0);
    broke(&recovery, OUTCOME_SILENCE, false, true);
    cr_expect_eq(recovery.look_count, RECOVERY_LOOKS_MOST);
    cr_expect_eq(recovery.looks[RECOVERY_LOOKS_MOST - 1].step, 3);
    recovery_clear(&recovery);
}

Test(recovery_table, bounds_hold_the_grace_and_a_cancelled_run_waits_for_little_more)
{
    struct recovery recovery = {0};
    struct target target = {.sweep_ns = 30 * NS_PER_S};
    struct phase phase = {.limits.host_grace_ns = 20 * NS_PER_S};
    cr_expect_eq(recovery_bound(&recovery, RECOVERY_SWEEP, &target, &phase, false, 1), 30 * NS_PER_S);
    cr_expect_eq(recovery_bound(&recovery, RECOVERY_SWEEP, &target, &phase, true, 1), 24 * NS_PER_S);
    phase.limits.host_grace_ns = 60 * NS_PER_S;
    cr_expect_eq(recovery_bound(&recovery, RECOVERY_MAKE_UP, &target, &phase, false, 1), 70 * NS_PER_S);
    cr_expect_eq(recovery_bound(&recovery, RECOVERY_ASYNC, &target, &phase, false, 99 * NS_PER_S),
                 99 * NS_PER_S);
}

Test(recovery_table, the_last_look_at_a_host_that_was_lost_takes_four_seconds_beside_the_grace)
{
    struct recovery recovery = {.lost = true};
    struct target target = {.sweep_ns = 30 * NS_PER_S};
    struct phase phase = {.limits.host_grace_ns = 5 * NS_PER_S};
    cr_expect_eq(recovery_bound(&recovery, RECOVERY_SWEEP, &target, &phase, false, 1), 9 * NS_PER_S);
    AUTO_JSON *last = recovery_request(&recovery, RECOVERY_SWEEP, RUN, &phase);
    cr_expect_eq(json_get_integer(last, "connect_ns", 0), 4 * NS_PER_S);
    /* Where another attempt follows there is all the time. */
    recovery.again = true;
    cr_expect_eq(recovery_bound(&recovery, RECOVERY_SWEEP, &target, &phase, false, 1), 30 * NS_PER_S);
    AUTO_JSON *other = recovery_request(&recovery, RECOVERY_SWEEP, RUN, &phase);
    cr_expect_eq(json_get_integer(other, "connect_ns", 0), 0);
}

#define HEAD "motd of the host\ntriphase-sweep n1\nwho 0\nboot b-1.20\nunit session-4.scope\n"
#define TAIL "jobs 0\nend n1\n"

static int read_answer(const char *text, size_t looks, struct sweep_answer *answer)
{
    return sweep_answer_read(text, strlen(text), "n1", looks, answer, NULL);
}

Test(sweep_answer, what_was_found_is_said_in_one_line)
{
    struct sweep_answer answer;
    cr_assert_eq(read_answer(HEAD "look 0 5 1 2 3 1 seen\nleft 0 17 apt-get\nleft 0 18 other\njob j1.2\n"
                                  "jobs 1\nend n1\n",
                             1, &answer),
                 0);
    AUTO_FREE char *evidence = sweep_answer_evidence(&answer, 0);
    cr_expect_str_eq(
        evidence, "looked at environment, argv and logind session; 5 found, 3 ended (KILL for 1); left: 17 "
                  "apt-get, 18 other; left alone: 3 of async jobs, 1 of services");
    cr_expect_eq(answer.jobs, 1);
    cr_expect_str_eq(answer.ids[0], "j1.2");
}

Test(sweep_answer, whoever_is_not_root_and_a_host_without_sessions_are_said)
{
    struct sweep_answer answer;
    cr_assert_eq(
        read_answer("triphase-sweep n1\nwho 1000\nboot unknown\nunit -\nlook 0 0 0 0 0 0 unknown\n" TAIL, 1,
                    &answer),
        0);
    AUTO_FREE char *evidence = sweep_answer_evidence(&answer, 0);
    cr_expect(strstr(evidence, "no logind session") && strstr(evidence, "as user 1000 without sudo"), "%s",
              evidence);
}

Test(sweep_answer, what_is_no_answer_is_refused_as_a_whole)
{
    static const char *const hostile[] = {
        "",
        "motd",
        HEAD,                                                       /* cut off */
        HEAD "look 0 0 0 0 0 0 seen\njobs 0\n",                     /* likewise */
        HEAD TAIL,                                                  /* a step left out */
        HEAD "look 0 0 0 0 0 0 seen\nlook 0 9 0 0 0 0 seen\n" TAIL, /* twice */
        HEAD "look 1 0 0 0 0 0 seen\n" TAIL,                        /* a step that was not asked about */
        HEAD "look 0 -1 0 0 0 0 seen\n" TAIL,
        HEAD "look 0 99999999999999999999 0 0 0 0 seen\n" TAIL,
        HEAD "look 0 1 0 2 0 0 seen\n" TAIL, /* more left than found */
        HEAD "look 0 0 0 0 0 0 perhaps\n" TAIL,
        HEAD "look 0 0 0 0 0 seen\n" TAIL,
        HEAD "look 0 0 0 0 0 0 seen\nleft 0 1 a\033[2Jb\n" TAIL,
        HEAD "look 0 0 0 0 0 0 seen\nleft 7 1 a\n" TAIL,
        HEAD "look 0 0 0 0 0 0 seen\nwhatever\n" TAIL,
        HEAD "look 0 0 0 0 0 0 seen\njobs 0\nend n2\n", /* another's answer */
        "triphase-sweep n2\nwho 0\nlook 0 0 0 0 0 0 seen\njobs 0\nend n2\n",
    };
    for (size_t i = 0; i < COUNT_OF(hostile); i++) {
        struct sweep_answer answer;
        cr_expect_eq(read_answer(hostile[i], 1, &answer), -1, "%zu was taken", i);
    }
}

Test(sweep_answer, endless_names_and_jobs_are_bounded)
{
    AUTO_TEXT text = TEXT_INIT;
    text_add(&text, HEAD "look 0 900 0 900 0 0 seen\n");
    for (int i = 0; i < 900; i++)
        text_addf(
            &text,
            "left 0 %d aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\njob %d\n",
            i, i);
    text_add(&text, TAIL);
    struct sweep_answer answer;
    cr_assert_eq(read_answer(text_string(&text), 1, &answer), 0);
    cr_expect_eq(answer.looks[0].named, SWEEP_NAMED_MOST);
    cr_expect_eq(answer.id_count, SWEEP_NAMED_MOST);
    AUTO_FREE char *evidence = sweep_answer_evidence(&answer, 0);
    cr_expect_lt(strlen(evidence), 600);
}

Test(recovery_table, when_a_step_began_is_reckoned_by_the_clock_of_its_host)
{
    struct recovery recovery = {0};
    broke(&recovery, OUTCOME_UNREACHABLE, false, true);
    recovery_owe(&recovery, RUN, 4,
                 "{\"tried\":[{\"session\":\"9\",\"host_ticks\":77,\"at_ns\":5000000000}]}", 3605 * NS_PER_S);
    recovery_owe(&recovery, RUN, 5,
                 "{\"tried\":[{\"session\":\"9\",\"host_ticks\":77,\"at_ns\":5000000000}]}", 0);
    cr_expect_str_eq(recovery.looks[0].since, "4200+1", "two seconds, less what clocks may differ");
    cr_expect_str_eq(recovery.looks[1].since, "77+3596");
    cr_expect_null(recovery.looks[2].since, "a step before its connection");
    recovery_clear(&recovery);
}
