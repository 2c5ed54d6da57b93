/* What is kept account of for a command on a channel: bytes, gaps and stalls, its allowance, its patience. */
#include "net/ssh_lane.h"

#include "base/memory.h"
#include "base/moment.h"

#include <criterion/criterion.h>
#include <string.h>

#define MS NS_PER_MS
static const int64_t start = INT64_C(1000) * NS_PER_S;

static struct ssh_lane running(const struct ssh_channel_work *work, struct ssh_channel_end *end)
{
    struct ssh_lane lane;
    ssh_lane_begin(&lane, work, end, start);
    lane.state = SSH_LANE_RUNNING;
    return lane;
}

Test(ssh_lane, one_that_never_came_further_says_so)
{
    const struct ssh_channel_work work = {.command = "true"};
    struct ssh_channel_end end;
    struct ssh_lane lane;
    ssh_lane_begin(&lane, &work, &end, start);
    ssh_lane_close(&lane, start + 3000 * MS);
    cr_assert(end.exit_code == -1 && end.begun_ns == -1 && end.first_byte_ns == -1 && end.last_byte_ns == -1);
    cr_assert_eq(end.end_ns, 3000 * MS);
    cr_assert(end.stalls == 0 && end.longest_gap_ns == 0, "what was not begun does not stall");
    cr_assert_eq(lane.state, SSH_LANE_ENDED);
}

Test(ssh_lane, a_gap_of_more_than_a_second_is_a_stall_also_the_one_before_the_end)
{
    static const struct {
        int64_t moved[4]; /* ms since the begin, 0: no more */
        int64_t closed, longest;
        int stalls;
    } cases[] = {
        {{500, 1500, 2500}, 3500, 1000, 0},
        {{500, 1501}, 2501, 1001, 1},
        {{1001, 2002, 2003}, 9000, 6997, 3},
        {{0}, 1001, 1001, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct ssh_channel_work work = {.command = "cat"};
        struct ssh_channel_end end;
        struct ssh_lane lane = running(&work, &end);
        for (const int64_t *at = cases[i].moved; *at; at++)
            ssh_lane_moved(&lane, start + *at * MS);
        ssh_lane_close(&lane, start + cases[i].closed * MS);
        cr_expect_eq(end.stalls, cases[i].stalls, "%zu: %d", i, end.stalls);
        cr_expect_eq(end.longest_gap_ns, cases[i].longest * MS, "%zu", i);
        cr_expect_eq(end.first_byte_ns, *cases[i].moved ? *cases[i].moved * MS : -1, "%zu", i);
    }
}

static void count_bytes(void *context, size_t count, int64_t at_ns)
{
    size_t *counted = context;
    *counted += at_ns == start ? count : 0;
}

Test(ssh_lane, all_that_comes_is_counted_and_told_and_only_so_much_is_kept)
{
    size_t told = 0;
    const struct ssh_channel_work work = {
        .command = "cat", .keep = 5, .on_bytes = count_bytes, .context = &told};
    struct ssh_channel_end end;
    struct ssh_lane lane = running(&work, &end);
    char much[SSH_LANE_SAID_MOST + 10];
    memset(much, 'x', sizeof much);
    ssh_lane_take(&lane, false, "abc", 3, start);
    ssh_lane_take(&lane, false, "defg", 4, start);
    ssh_lane_take(&lane, true, much, sizeof much, start);
    cr_assert_str_eq(text_string(&end.kept), "abcde");
    cr_assert_eq(end.said.length, SSH_LANE_SAID_MOST);
    cr_assert_eq(end.received, 7 + sizeof much);
    cr_assert_eq(told, 7 + sizeof much);
    ssh_channel_end_clear(&end);
}

Test(ssh_lane, a_throttled_one_may_read_what_its_time_allows_and_a_block_at_most)
{
    const struct ssh_channel_work slow = {.command = "cat", .throttle = 1000},
                                  fast = {.command = "cat", .throttle = 10000000},
                                  free_one = {.command = "cat"};
    struct ssh_channel_end end;
    struct ssh_lane lane = running(&slow, &end);
    end.received = 200;
    cr_assert_eq(ssh_lane_allowance(&lane, start + 500 * MS), 300);
    cr_assert_eq(ssh_lane_allowance(&lane, start + 200 * MS), 0);
    cr_assert_leq(ssh_lane_allowance(&lane, start), 0);
    lane.work = &fast;
    cr_assert_eq(ssh_lane_allowance(&lane, start + 500 * MS), SSH_LANE_BLOCK);
    lane.work = &free_one;
    cr_assert_eq(ssh_lane_allowance(&lane, start), SSH_LANE_BLOCK);
}

Test(ssh_lane, the_socket_is_left_alone_only_where_all_that_run_have_to_wait)
{
    const struct ssh_channel_work slow = {.command = "cat", .throttle = 1000}, other = {.command = "cat"};
    struct ssh_channel_end ends[2];
    struct ssh_lane lanes[2] = {running(&slow, &ends[0]), running(&slow, &ends[1])};
    cr_assert(ssh_lane_all_wait(lanes, 2, start) && ssh_lane_are_throttled(lanes, 2));
    cr_assert_not(ssh_lane_all_wait(lanes, 2, start + MS));
    lanes[1].work = &other;
    cr_assert(!ssh_lane_all_wait(lanes, 2, start) && ssh_lane_are_throttled(lanes, 2));
    lanes[1].state = SSH_LANE_ENDED;
    cr_assert(ssh_lane_all_wait(lanes, 2, start), "one that ended waits for nothing");
    lanes[1] = running(&slow, &ends[1]);
    lanes[1].state = SSH_LANE_OPENING;
    cr_assert_not(ssh_lane_all_wait(lanes, 2, start), "one that is opened needs the socket");
}

Test(ssh_lane, the_first_that_was_silent_for_too_long_is_waited_for_no_longer)
{
    const struct ssh_channel_work patient = {.command = "cat", .silence_ns = 60 * NS_PER_S},
                                  brief = {.command = "cat", .silence_ns = 2 * NS_PER_S},
                                  endless = {.command = "cat"};
    struct ssh_channel_end ends[3];
    struct ssh_lane lanes[3] = {running(&patient, &ends[0]), running(&brief, &ends[1]),
                                running(&endless, &ends[2])};
    struct deadline far = deadline_in(600 * NS_PER_S);
    ssh_lane_moved(&lanes[1], start + NS_PER_S);
    int64_t left = deadline_left(ssh_lane_patience(lanes, 3, start + NS_PER_S, far));
    cr_assert(left <= 2 * NS_PER_S && left > NS_PER_S, "%lld", (long long)left);
    cr_assert(deadline_over(ssh_lane_patience(lanes, 3, start + 3 * NS_PER_S, far)));
    ssh_lane_close(&lanes[1], start + 3 * NS_PER_S);
    cr_assert_not(deadline_over(ssh_lane_patience(lanes, 3, start + 3 * NS_PER_S, far)));
    cr_assert_eq(ssh_lane_patience(&lanes[2], 1, start, far).at_ns, far.at_ns);
}
