/* How far a step is and how long still, from earlier ones alone. */
#include "figures/estimate.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "view/estimate_view.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

TestSuite(estimate, .timeout = 60);

static const char two_hosts[] = "a:X@2 b:X@3 a:Y@10 b:Y@20";

/* "[HOST:]TASK@SECONDS[=OUTCOME]", of one that ended. */
static struct estimate_task task_of(char *text)
{
    char *at = strchr(text, '@'), *colon = strchr(text, ':'), *outcome = strchr(at, '=');
    struct estimate_task task = {.host = colon ? text : "h", .task = colon ? colon + 1 : text};
    task.ended_ns = strtoll(at + 1, NULL, 10) * NS_PER_S;
    task.unreachable = outcome && text_is(outcome + 1, "unreachable");
    task.status = outcome && text_is(outcome + 1, "changed")   ? STATUS_CHANGED
                  : outcome && text_is(outcome + 1, "failed")  ? STATUS_FAILED
                  : outcome && text_is(outcome + 1, "skipped") ? STATUS_SKIPPED
                                                               : STATUS_OK;
    *at = '\0';
    if (colon)
        *colon = '\0';
    return task;
}

static void each(struct estimate *estimate, const char *tasks,
                 void (*tell)(struct estimate *, const struct estimate_task *))
{
    AUTO_FREE char *text = xstrdup(tasks);
    char *state = NULL;
    for (char *word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        struct estimate_task task = task_of(word);
        tell(estimate, &task);
    }
}

static void earlier(struct estimate *estimate, int64_t seconds, const char *tasks)
{
    estimate_add(estimate, seconds * NS_PER_S, -1);
    each(estimate, tasks, estimate_add_task);
}

static void play(struct estimate *estimate, const char *hosts)
{
    AUTO_JSON *list = json_parse(hosts, strlen(hosts), NULL);
    estimate_play(estimate, list);
}

static void ended(struct estimate *estimate, const char *tasks)
{
    each(estimate, tasks, estimate_ended);
}

static struct estimate_figures look(const struct estimate *estimate, int64_t seconds)
{
    struct estimate_figures figures;
    estimate_look(estimate, seconds * NS_PER_S, &figures);
    return figures;
}

/* "PERCENT% LEFT (LEAST to MOST) of USUAL by N". */
static void expect(const struct estimate *estimate, int64_t seconds, const char *expected)
{
    struct estimate_figures figures = look(estimate, seconds);
    AUTO_FREE char *found =
        xasprintf("%d%% %lld (%lld to %lld) of %lld by %zu%s", figures.percent,
                  (long long)(figures.remaining_ns / NS_PER_S), (long long)(figures.low_ns / NS_PER_S),
                  (long long)(figures.high_ns / NS_PER_S), (long long)(figures.usual_ns / NS_PER_S),
                  figures.n,
                  figures.slower == ESTIMATE_SLOWER_TASK   ? " slow task"
                  : figures.slower == ESTIMATE_SLOWER_STEP ? " slow step"
                                                           : "");
    cr_expect(eq(str, found, (char *)expected), "after %lld s", (long long)seconds);
}

Test(estimate, where_no_earlier_one_is_known_nothing_is_told)
{
    struct estimate *estimate = estimate_new();
    estimate_began(estimate, "h", NULL, "A");
    ended(estimate, "A@2");
    struct estimate_figures figures = look(estimate, 10);
    cr_assert(eq(sz, figures.n, 0));
    cr_assert(estimate_view_words(&figures, ESTIMATE_RANGE) == NULL);
    estimate_free(estimate);
}

Test(estimate, what_is_left_is_what_came_behind_the_task_that_ended_last)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "A@10 B@50 C@90");
    expect(estimate, 0, "0% 100 (100 to 100) of 100 by 1");
    expect(estimate, 5, "5% 95 (95 to 95) of 100 by 1");
    ended(estimate, "A@30"); /* three times as long as it took then */
    expect(estimate, 30, "10% 90 (90 to 90) of 100 by 1");
    expect(estimate, 35, "15% 85 (85 to 85) of 100 by 1");
    ended(estimate, "B@40"); /* quicker */
    expect(estimate, 40, "50% 50 (50 to 50) of 100 by 1");
    ended(estimate, "C@80");
    expect(estimate, 89, "99% 1 (1 to 1) of 100 by 1");
    expect(estimate, 91, "99% 0 (0 to 1) of 100 by 1");
    estimate_free(estimate);
}

Test(estimate, a_task_that_takes_its_time_takes_nothing_from_what_comes_behind_it)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "A@10 B@12 C@90");
    ended(estimate, "A@10");
    expect(estimate, 14, "12% 88 (88 to 90) of 100 by 1"); /* as much again as it is over */
    expect(estimate, 60, "12% 88 (88 to 136) of 100 by 1 slow task");
    estimate_free(estimate);
}

Test(estimate, of_several_the_median_is_told_and_how_far_they_lie_apart)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "A@10 B@90");
    earlier(estimate, 60, "A@10 B@50");
    earlier(estimate, 80, "A@10 B@70");
    ended(estimate, "A@10");
    expect(estimate, 20, "25% 60 (40 to 80) of 80 by 3");
    estimate_free(estimate);
}

Test(estimate, of_ten_the_shortest_and_the_longest_are_left_out)
{
    struct estimate *estimate = estimate_new();
    for (int i = 0; i < 10; i++)
        earlier(estimate, i == 3 ? 1 : i == 6 ? 900 : 80, "");
    expect(estimate, 0, "0% 80 (80 to 80) of 80 by 10");
    estimate_free(estimate);
}

Test(estimate, a_task_that_no_earlier_one_had_widens_the_range_upwards_and_is_no_part_of_what_was)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "A@10 B@50 C@90");
    ended(estimate, "A@10");
    estimate_began(estimate, "h", NULL, "new");
    expect(estimate, 40, "10% 90 (90 to 120) of 100 by 1"); /* it may last as long again */
    expect(estimate, 90, "10% 90 (90 to 170) of 100 by 1"); /* and was never seen to be slow */
    ended(estimate, "new@90");
    expect(estimate, 90, "10% 90 (90 to 162) of 100 by 1");
    ended(estimate, "B@130"); /* as quick as then */
    expect(estimate, 130, "50% 50 (50 to 90) of 100 by 1 slow step");
    estimate_free(estimate);
}

Test(estimate, slower_than_ever_is_told_of_a_task_beyond_the_longest_by_a_quarter_and_two_seconds)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "A@10 B@14 C@90");
    earlier(estimate, 100, "A@10 B@18 C@90");
    ended(estimate, "A@10");
    estimate_began(estimate, "h", NULL, "B");
    cr_assert(eq(int, look(estimate, 22).slower, ESTIMATE_NOT_SLOWER));
    cr_assert(eq(int, look(estimate, 23).slower, ESTIMATE_SLOWER_TASK));
    ended(estimate, "B@23");
    cr_assert(eq(int, look(estimate, 23).slower, ESTIMATE_NOT_SLOWER), "it is over");
    estimate_free(estimate);
}

Test(estimate, slower_than_ever_is_told_of_the_whole_whatever_it_is_at)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 20, "A@10");
    earlier(estimate, 40, "A@10");
    ended(estimate, "A@10");
    estimate_began(estimate, "h", NULL, "new");
    cr_assert(eq(int, look(estimate, 52).slower, ESTIMATE_NOT_SLOWER));
    cr_assert(eq(int, look(estimate, 53).slower, ESTIMATE_SLOWER_STEP));
    estimate_free(estimate);
}

Test(estimate, a_playbook_that_is_another_one_by_now_has_no_earlier_ones)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "A@10 B@20 C@30 D@40 E@50 F@60");
    ended(estimate, "A@10 new-1@20 B@30 new-2@40 new-3@50 C@60"); /* half of it is the same */
    cr_assert(eq(sz, look(estimate, 60).n, 1));
    ended(estimate, "new-4@70 new-5@80 new-6@90 new-7@100 new-8@110 new-9@120");
    cr_assert(eq(sz, look(estimate, 120).n, 0));
    cr_assert(eq(int, look(estimate, 900).slower, ESTIMATE_NOT_SLOWER), "nothing is known");
    estimate_free(estimate);
}

Test(estimate, a_second_run_is_told_from_a_first_one_by_what_became_of_its_tasks)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 600, "A@10=changed B@20=changed C@500=changed");
    earlier(estimate, 30, "A@10 B@15 C@25");
    expect(estimate, 0, "0% 315 (30 to 600) of 315 by 2"); /* nothing tells them apart yet */
    ended(estimate, "A@10");
    ended(estimate, "B@15");
    expect(estimate, 15, "50% 15 (15 to 15) of 30 by 1");
    estimate_free(estimate);
}

Test(estimate, one_task_that_came_out_otherwise_makes_no_other_kind_of_it)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "A@10=changed B@90");
    earlier(estimate, 80, "A@10 B@70");
    ended(estimate, "A@10");
    expect(estimate, 10, "11% 80 (70 to 90) of 90 by 2");
    estimate_free(estimate);
}

Test(estimate, what_is_left_out_this_time_is_passed_with_what_comes_behind_it)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "A@10 only-then@60 B@70 C@90");
    ended(estimate, "A@10 B@20");
    expect(estimate, 20, "70% 30 (30 to 30) of 100 by 1");
    estimate_free(estimate);
}

Test(estimate, tasks_of_one_name_are_counted)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "A@10 A@50 A@90");
    ended(estimate, "A@10 A@20");
    expect(estimate, 20, "50% 50 (50 to 50) of 100 by 1");
    estimate_free(estimate);
}

Test(estimate, of_several_hosts_the_one_that_is_furthest_behind_counts)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 30, two_hosts);
    play(estimate, "[\"a\", \"b\"]");
    ended(estimate, "b:X@1 b:Y@2"); /* by `strategy: free` */
    expect(estimate, 2, "6% 28 (28 to 28) of 30 by 1");
    ended(estimate, "a:X@5");
    expect(estimate, 5, "10% 27 (27 to 27) of 30 by 1");
    ended(estimate, "a:Y@9");
    expect(estimate, 9, "66% 10 (10 to 10) of 30 by 1");
    estimate_free(estimate);
}

Test(estimate, a_host_that_is_lost_or_has_no_part_in_the_play_keeps_nobody_from_being_further_on)
{
    struct estimate *lost = estimate_new(), *without = estimate_new();
    earlier(lost, 30, two_hosts);
    earlier(without, 30, two_hosts);
    play(lost, "[\"a\", \"b\"]");
    ended(lost, "a:X@2=unreachable b:X@3 b:Y@9");
    expect(lost, 9, "66% 10 (10 to 10) of 30 by 1");
    play(without, "[\"a\", \"b\"]");
    ended(without, "a:X@2 b:X@3");
    play(without, "[\"b\"]");
    ended(without, "b:Y@9");
    expect(without, 9, "66% 10 (10 to 10) of 30 by 1");
    estimate_free(lost);
    estimate_free(without);
}

Test(estimate, how_long_the_run_goes_on_behind_it_is_told_where_it_is_known)
{
    struct estimate *estimate = estimate_new();
    estimate_add(estimate, 10 * NS_PER_S, -1);
    cr_expect(eq(i64, look(estimate, 0).behind_ns, -1));
    estimate_add(estimate, 10 * NS_PER_S, 30 * NS_PER_S);
    estimate_add(estimate, 10 * NS_PER_S, 50 * NS_PER_S);
    cr_expect(eq(i64, look(estimate, 0).behind_ns, 40 * NS_PER_S));
    estimate_free(estimate);
}

Test(estimate, a_stage_which_has_no_tasks_is_told_by_its_time)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 20, "");
    earlier(estimate, 10, "");
    expect(estimate, 5, "37% 10 (5 to 15) of 15 by 2");
    expect(estimate, 24, "99% 0 (0 to 4) of 15 by 2");
    expect(estimate, 28, "99% 0 (0 to 8) of 15 by 2 slow step");
    estimate_free(estimate);
}

Test(estimate, numbers_that_no_clock_measured_do_no_harm)
{
    struct estimate *estimate = estimate_new();
    estimate_add(estimate, INT64_MAX, INT64_MAX);
    estimate_add_task(estimate, &(struct estimate_task){.task = "A", .ended_ns = INT64_MAX});
    estimate_add_task(estimate, &(struct estimate_task){.ended_ns = INT64_MIN});
    estimate_add(estimate, INT64_MIN, INT64_MIN);
    estimate_ended(estimate, &(struct estimate_task){.task = "A", .ended_ns = INT64_MIN});
    estimate_ended(estimate, &(struct estimate_task){.task = "B", .ended_ns = INT64_MAX});
    struct estimate_figures figures;
    estimate_look(estimate, INT64_MIN, &figures);
    estimate_look(estimate, INT64_MAX, &figures);
    cr_assert(figures.n >= 1 && figures.percent >= 0 && figures.percent <= 99);
    cr_assert(figures.low_ns <= figures.remaining_ns && figures.remaining_ns <= figures.high_ns);
    estimate_free(estimate);
    estimate = estimate_new();
    estimate_add(estimate, INT64_MAX, INT64_MAX);
    cr_expect(eq(int, look(estimate, 10).slower, ESTIMATE_NOT_SLOWER));
    estimate_free(estimate);
}

static void tell(struct estimate *estimate, int64_t seconds, const char *words)
{
    AUTO_FREE char *text = xasprintf("{\"v\":1,\"seq\":1,\"t\":0,\"m\":%lld,%s}",
                                     (long long)((1000 + seconds) * NS_PER_S), words);
    struct line line;
    cr_assert(line_parse(text, strlen(text), &line, NULL) == 0, "%s", text);
    estimate_line(estimate, &line, 1000 * NS_PER_S, 1050 * NS_PER_S);
    line_clear(&line);
}

Test(estimate, lines_of_the_event_file_tell_it_and_what_comes_from_the_future_is_now)
{
    struct estimate *estimate = estimate_new();
    earlier(estimate, 100, "b:B@5 a:A@8 a:C@10 a:B@60");
    tell(estimate, 1, "\"kind\":\"play_start\",\"play\":\"P\",\"hosts_count\":2,\"hosts\":[\"a\",\"b\"]");
    tell(estimate, 1, "\"kind\":\"result\",\"host\":\"a\",\"task\":\"A\",\"status\":\"ok\"");
    expect(estimate, 1, "1% 99 (99 to 99) of 100 by 1"); /* b is behind */
    tell(estimate, 2, "\"kind\":\"play_start\",\"play\":\"Q\",\"hosts_count\":1,\"hosts\":[\"a\"]");
    tell(estimate, 2, "\"kind\":\"result\",\"host\":\"a\",\"task\":\"C\",\"status\":\"ok\"");
    expect(estimate, 2, "10% 90 (90 to 90) of 100 by 1");
    tell(estimate, 3, "\"kind\":\"host_start\",\"host\":\"a\",\"task\":\"new\"");
    expect(estimate, 22, "10% 90 (90 to 110) of 100 by 1");
    tell(estimate, 4, "\"kind\":\"host_start\",\"host\":\"a\",\"task\":\"B\"");
    expect(estimate, 22, "30% 70 (70 to 70) of 100 by 1");
    tell(estimate, 9000, "\"kind\":\"unreachable\",\"host\":\"a\",\"task\":\"B\"");
    expect(estimate, 52, "62% 38 (38 to 38) of 100 by 1");
    estimate_free(estimate);
}

static void expect_words(struct estimate_figures figures, enum estimate_detail detail, const char *expected)
{
    AUTO_FREE char *words = estimate_view_words(&figures, detail);
    cr_expect(eq(str, words, (char *)expected));
}

Test(estimate, the_range_is_said_where_it_is_wide_and_what_comes_behind_where_it_is_worth_it)
{
    struct estimate_figures wide = {.n = 3,
                                    .percent = 62,
                                    .remaining_ns = 41 * NS_PER_S,
                                    .low_ns = 24 * NS_PER_S,
                                    .high_ns = 71 * NS_PER_S,
                                    .usual_ns = 64 * NS_PER_S,
                                    .behind_ns = 121 * NS_PER_S},
                            narrow = wide, slow = wide,
                            near = {.n = 3, .percent = 99, .high_ns = 4 * NS_PER_S};
    narrow.low_ns = 38 * NS_PER_S;
    narrow.high_ns = 43 * NS_PER_S;
    slow.slower = ESTIMATE_SLOWER_TASK;
    narrow.behind_ns = 4 * NS_PER_S;
    expect_words(wide, ESTIMATE_RANGE, "62 %, about 40s (25s to 1m10s), usually 1m5s, then 2m more");
    expect_words(wide, ESTIMATE_USUAL, "62 %, about 40s, usually 1m5s, then 2m more");
    expect_words(wide, ESTIMATE_BEHIND, "62 %, about 40s, then 2m more");
    expect_words(wide, ESTIMATE_SHORT, "62 %, about 40s");
    expect_words(narrow, ESTIMATE_RANGE, "62 %, about 40s, usually 1m5s");
    expect_words(slow, ESTIMATE_RANGE, "62 %, slower than ever seen, usually 1m5s");
    expect_words(slow, ESTIMATE_SHORT, "62 %, slower than ever seen");
    expect_words(near, ESTIMATE_RANGE, "99 %, about 1s, usually 1s");
}
