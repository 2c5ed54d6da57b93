/* Dead or only quiet, where a tailscaled without a TUN has the connection: the judgement over what it
 * says. */
#include "transport/tailnet_health.h"

#include "base/moment.h"

#include <criterion/criterion.h>

#define LOST (10 * NS_PER_S)

struct story {
    struct tailnet_health health;
    struct tailnet_sight sight; /* the last one */
    enum path_state state;
};

static struct story begin(void)
{
    return (struct story){.sight = {.at_ns = 100 * NS_PER_S,
                                    .answered = true,
                                    .carries = true,
                                    .received = 1000,
                                    .sent = 500,
                                    .read = -1}};
}

/* A second goes by, in which so many bytes come and go. */
static void second(struct story *story, int64_t received, int64_t sent)
{
    story->sight.at_ns += NS_PER_S;
    story->sight.received += received;
    story->sight.sent += sent;
    story->state = tailnet_health_judge(&story->health, LOST, &story->sight);
}

/* Seconds until an end is said, at most 60; 0: never. */
static int ends_after(struct story *story, int64_t received, int64_t sent)
{
    for (int i = 1; i <= 60; i++) {
        second(story, received, sent);
        if (path_state_is_end(story->state))
            return i;
    }
    return 0;
}

static void live(struct story *story, int seconds)
{
    for (int i = 0; i < seconds; i++)
        second(story, i % 2 ? 130 : 0, i % 2 ? 130 : 0); /* ssh asks every 2 s */
}

Test(tailnet_health, bytes_that_go_out_and_none_that_come_are_the_end_within_the_bound)
{
    struct story story = begin();
    live(&story, 20);
    cr_assert_eq(story.state, PATH_ALIVE);
    int after = ends_after(&story, 0, 120);
    cr_assert(after >= 8 && after <= 10, "%d", after);
    cr_assert_eq(story.state, PATH_DEAD);
    cr_assert_str_eq(path_state_cause(story.state), "path-dead");
}

Test(tailnet_health, a_ping_is_asked_for_before_the_end_and_a_segment_puts_it_off)
{
    struct story story = begin();
    live(&story, 20);
    int knocked = 0;
    while (!story.health.knock && knocked < 20) {
        second(&story, 0, 120);
        knocked++;
    }
    cr_assert(knocked >= 6 && knocked <= 8, "%d", knocked);
    cr_assert_eq(story.state, PATH_BACKING_OFF);
    second(&story, 96, 60);
    cr_assert_eq(story.state, PATH_ALIVE);
    cr_assert_not(story.health.knock);
}

Test(tailnet_health, idle_but_well_is_never_the_end)
{
    struct story story = begin();
    live(&story, 20);
    cr_assert_eq(ends_after(&story, 0, 0), 0);
    cr_assert_eq(story.state, PATH_UNSEEN);
    live(&story, 20);
    cr_assert_eq(story.state, PATH_ALIVE);
}

Test(tailnet_health, the_last_acknowledgement_of_a_connection_is_no_silence)
{
    struct story story = begin();
    live(&story, 20);
    second(&story, 0, 40);
    cr_assert_eq(ends_after(&story, 0, 0), 0);
}

Test(tailnet_health, a_connection_that_begins_after_a_pause_has_time_of_its_own)
{
    struct story story = begin();
    live(&story, 4);
    cr_assert_eq(ends_after(&story, 0, 0), 0); /* a minute */
    int after = ends_after(&story, 0, 120);
    cr_assert(after >= 7 && after <= 10, "%d", after);
}

Test(tailnet_health, a_gap_of_half_the_bound_is_no_end)
{
    struct story story = begin();
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 5; i++) {
            second(&story, 0, 120);
            cr_assert_not(path_state_is_end(story.state));
        }
        second(&story, 100, 100);
    }
}

Test(tailnet_health, what_the_tunnel_says_by_itself_is_no_sign_of_the_connection)
{
    static const int64_t own[] = {32, 80, 92}; /* a keepalive, the answer to a ping, and to a handshake */
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        struct story story = begin();
        live(&story, 20);
        int after = ends_after(&story, own[i], 120);
        cr_assert(after >= 8 && after <= 10, "%lld: %d", (long long)own[i], after);
    }
}

Test(tailnet_health, bytes_that_ssh_reads_are_a_sign_of_life)
{
    struct story story = begin();
    live(&story, 20);
    for (int i = 0; i < 40; i++) {
        story.sight.read = 1000 + i / 5;
        second(&story, 0, 120);
        cr_assert_not(path_state_is_end(story.state), "%d", i);
    }
    int after = ends_after(&story, 0, 120);
    cr_assert(after > 0 && after <= 10, "%d", after);
}

Test(tailnet_health, a_daemon_that_does_not_answer_is_the_end_within_the_bound)
{
    struct story story = begin();
    live(&story, 20);
    story.sight.answered = false;
    second(&story, 0, 0);
    cr_assert_eq(story.state, PATH_DAEMON_SILENT);
    int after = ends_after(&story, 0, 0);
    cr_assert(after >= 7 && after <= 9, "%d", after);
    cr_assert_eq(story.state, PATH_DAEMON_LOST);
    cr_assert_str_eq(path_state_cause(story.state), "daemon-silent");
}

Test(tailnet_health, a_daemon_that_comes_back_in_time_is_none)
{
    struct story story = begin();
    live(&story, 20);
    story.sight.answered = false;
    for (int i = 0; i < 5; i++)
        second(&story, 0, 0);
    story.sight.answered = true;
    story.sight.received = story.sight.sent = 0; /* it began anew */
    second(&story, 10, 10);
    cr_assert_eq(story.state, PATH_ALIVE);
}

Test(tailnet_health, a_daemon_that_left_its_tailnet_is_the_end_within_the_bound)
{
    struct story story = begin();
    live(&story, 20);
    story.sight.carries = false;
    int after = ends_after(&story, 0, 0);
    cr_assert(after >= 8 && after <= 10, "%d", after);
    cr_assert_eq(story.state, PATH_UNCARRIED_LOST);
    cr_assert_str_eq(path_state_cause(story.state), "not-carried");
}

Test(tailnet_health, time_in_which_nobody_looked_counts_for_nothing)
{
    struct story story = begin();
    live(&story, 20);
    second(&story, 0, 120);
    story.sight.at_ns += 300 * NS_PER_S; /* the machine slept */
    second(&story, 0, 120);
    cr_assert_not(path_state_is_end(story.state));
    story.sight.answered = false;
    story.sight.at_ns += 300 * NS_PER_S;
    second(&story, 0, 0);
    cr_assert_not(path_state_is_end(story.state));
}

Test(tailnet_health, it_is_looked_at_often_enough_for_a_short_bound)
{
    struct story story = begin();
    live(&story, 2);
    cr_assert_eq(tailnet_health_again(&story.health, LOST), NS_PER_S / 2);
    cr_assert_eq(tailnet_health_again(&story.health, 2 * NS_PER_S), NS_PER_S / 10);
    /* The end is said when it is due, and not when the next look would have been. */
    for (int i = 0; i < 8; i++)
        second(&story, 0, 120);
    int64_t at = story.sight.at_ns - tailnet_health_age(&story.health);
    story.sight.at_ns += tailnet_health_again(&story.health, LOST) - NS_PER_S;
    while (story.sight.at_ns - at < LOST - LOST / 20) {
        second(&story, 0, 120);
        cr_assert_leq(tailnet_health_again(&story.health, LOST), NS_PER_S / 2);
        story.sight.at_ns += tailnet_health_again(&story.health, LOST) - NS_PER_S;
    }
    cr_assert_leq(story.sight.at_ns - at, LOST - LOST / 25);
    story.sight.answered = false;
    second(&story, 0, 0);
    cr_assert_leq(tailnet_health_patience(&story.health, LOST, story.sight.at_ns), 2 * NS_PER_S);
    cr_assert_eq(tailnet_health_patience(&story.health, LOST, story.health.answered_ns + 9 * NS_PER_S),
                 NS_PER_S / 2);
}
