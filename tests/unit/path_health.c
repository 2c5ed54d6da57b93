/* Dead or only busy: what series of looks at a connection mean. Each look is what a kernel showed in such a
 * case (seconds since the last keepalive that got through). */
#include "transport/path_health.h"

#include "base/memory.h"
#include "base/moment.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct path_limits limits = {.lost_ns = 10 * NS_PER_S, .silent_ns = 18 * NS_PER_S};

static int64_t seconds(double value)
{
    return (int64_t)(value * (double)NS_PER_S);
}

/* A look: `acked` seconds since the last acknowledgement, with so many segments waiting, tried again
 * `backoff` times, the next try due in `due`. */
static struct path_sample look(double at, double acked, unsigned unacked, unsigned backoff, double due)
{
    return (struct path_sample){.at_ns = seconds(100 + at),
                                .tcp = {.state = "established",
                                        .established = true,
                                        .unacked = unacked,
                                        .backoff = backoff,
                                        .retransmits = backoff,
                                        .ack_age_ns = seconds(acked),
                                        .received_age_ns = seconds(acked),
                                        .timer = unacked ? TCP_TIMER_RETRANSMIT : TCP_TIMER_NONE,
                                        .timer_ns = seconds(due)}};
}

static struct path_sample stopped_at(double at)
{
    struct path_sample sample = look(at, at, 0, 0, 0);
    sample.stopped = true;
    return sample;
}

static enum path_state judge(struct path_health *health, struct path_sample sample, int64_t *again)
{
    int64_t ignored;
    return path_health_judge(health, &limits, &sample, again ? again : &ignored);
}

/* A packet at `sent` and all behind it come to nothing; the kernel's tries follow a first timer of `rto`, and
 * new connections get an answer from `back` on. Gives the second after the last acknowledgement at which it
 * was called dead; 0: never. */
static double dead_after(double sent, double rto, double back, double until)
{
    struct path_health health = {0};
    for (double at = 0.05; at < until;) {
        unsigned tries = 0;
        double next = sent + rto;
        for (double pause = rto; next < at; next += pause) {
            tries++;
            pause *= 2;
        }
        int64_t again;
        bool asked = health.knock;
        struct path_sample sample = look(at, at, at > sent, tries, next - at);
        sample.answered = asked && at > back;
        if (judge(&health, sample, &again) == PATH_DEAD)
            return asked ? at : -1;
        cr_assert(again > 0 && (again <= NS_PER_S || health.state == PATH_ALIVE));
        at += (double)again / (double)NS_PER_S;
    }
    return 0;
}

/* On a busy connection the packets vanish with the last sign, on an idle one up to 2 s behind it: ten seconds
 * are over for neither, on no path whose first try comes within a second. */
Test(path_health, packets_that_vanish_for_good_are_a_dead_path_within_ten_seconds_of_the_last_sign)
{
    for (double rto = 0.2; rto < 1.05; rto += 0.01)
        for (double sent = 0.01; sent < 2; sent += 0.1) {
            double after = dead_after(sent, rto, 1000, 60);
            cr_assert(after >= 9.49 && after < 9.6, "rto %.2f, sent at %.2f: %.3f", rto, sent, after);
        }
}

/* Only this connection is dead, as behind a gateway that forgot it. The next try of the kernel may be due
 * just behind the limit: it is heard, and that costs a quarter of the limit at most. */
Test(path_health,
     a_connection_that_is_dead_while_new_ones_are_answered_is_ended_a_quarter_of_the_limit_behind_it)
{
    for (double rto = 0.2; rto < 1.2; rto += 0.01) {
        double after = dead_after(2, rto, 0, 60);
        cr_assert(after >= 9.49 && after <= 12.6, "rto %.2f: %.3f", rto, after);
    }
}

/* 5 s of silence can begin anywhere between two keepalives, and the path may be as slow as it likes: what
 * comes back is seen at the kernel's next try. */
Test(path_health, packets_dropped_for_five_seconds_are_no_end_however_slow_the_path)
{
    for (double rto = 0.2; rto < 0.9; rto += 0.01)
        for (double begin = 0; begin < 2; begin += 0.1) {
            /* A new connection is answered from begin + 5 on, the first try behind it is acknowledged: dead
             * must not have been said before. */
            double next = 2 + rto;
            for (double pause = rto; next <= begin + 5; next += pause)
                pause *= 2;
            double after = dead_after(2, rto, begin + 5, 60);
            cr_assert(after > next, "rto %.2f, from %.1f: called dead at %.2f, acknowledged at %.2f", rto,
                      begin, after, next);
        }
}

/* Whoever looks was stopped himself, or had patience until now: nobody has knocked, so that comes first,
 * and what it finds counts. */
Test(path_health, a_path_that_is_dead_for_long_when_it_is_seen_first_is_knocked_at_before_the_end_is_said)
{
    struct path_health health = {0};
    int64_t again;
    cr_assert_eq(judge(&health, look(0, 40, 3, 6, 20), &again), PATH_BACKING_OFF);
    cr_assert(health.knock);
    cr_assert(again <= NS_PER_S / 2);
    cr_assert_eq(judge(&health, look(0.5, 40.5, 3, 6, 19.5), NULL), PATH_DEAD);
}

Test(path_health, a_limit_of_two_seconds_is_kept_and_knocked_at_first)
{
    const struct path_limits two = {.lost_ns = 2 * NS_PER_S, .silent_ns = 18 * NS_PER_S};
    struct path_health health = {0};
    bool asked = false;
    double at = 0.05;
    for (enum path_state state = PATH_UNSEEN; state != PATH_DEAD;) {
        int64_t again;
        asked = health.knock;
        struct path_sample sample = look(at, at, at > 0.01, at > 1.41 ? 3 : 1, 5);
        state = path_health_judge(&health, &two, &sample, &again);
        cr_assert(at < 3);
        at += state == PATH_DEAD ? 0 : (double)again / (double)NS_PER_S;
    }
    cr_assert(asked);
    cr_assert(at >= 1.89 && at <= 2.15, "%.3f", at);
}

/* Limits of two minutes, as a task that outlives a lost connection has them: what is seen of a stop or a
 * silent host is not a minute old. */
Test(path_health, long_limits_do_not_mean_that_nobody_looks)
{
    const struct path_limits patient = {.lost_ns = 120 * NS_PER_S, .silent_ns = 120 * NS_PER_S};
    struct path_health health = {0};
    struct path_sample well = look(0, 1, 0, 0, 0);
    int64_t again;
    path_health_judge(&health, &patient, &well, &again);
    cr_assert_leq(again, 15 * NS_PER_S / 2);
}

Test(path_health, a_stop_between_two_looks_counts_from_when_the_master_fell_silent)
{
    struct path_health health = {0};
    judge(&health, look(0, 0.5, 0, 0, 0), NULL);
    struct path_sample stopped = stopped_at(7);
    stopped.tcp.sent_age_ns = stopped.tcp.received_age_ns = 7 * NS_PER_S;
    for (double at = 7; at < 19.9; at += 1) {
        stopped.at_ns = seconds(100 + at);
        cr_assert_eq(judge(&health, stopped, NULL), PATH_MASTER_STOPPED, "after %.0f s", at);
    }
    stopped.at_ns = seconds(120);
    cr_assert_eq(judge(&health, stopped, NULL), PATH_MASTER_LOST);
}

/* What is well is looked at when the last sign would be old enough to mean something, a stopped master within
 * half of what it may be stopped. */
Test(path_health, a_connection_that_is_well_is_not_looked_at_before_it_could_be_otherwise)
{
    struct path_health health = {0};
    int64_t again;
    judge(&health, look(0, 0.5, 0, 0, 0), &again);
    cr_assert_eq(again, 7 * NS_PER_S);
    struct path_sample unanswered = look(0, 0.5, 0, 0, 0);
    unanswered.tcp.received_age_ns = 3 * NS_PER_S;
    judge(&health, unanswered, &again);
    cr_assert_eq(again, 9 * NS_PER_S / 2);
    struct path_limits short_ones = {.lost_ns = 10 * NS_PER_S, .silent_ns = 4 * NS_PER_S};
    path_health_judge(&health, &short_ones, &unanswered, &again);
    cr_assert_eq(again, NS_PER_S);
}

Test(path_health, what_is_acknowledged_is_alive_and_without_an_answer_the_host_is_silent)
{
    struct path_health health = {0};
    cr_assert_eq(judge(&health, look(0, 0.3, 0, 0, 0), NULL), PATH_ALIVE);
    struct path_sample busy = look(1, 1.9, 0, 0, 0);
    for (int at = 1; at < 60; at++) {
        busy.at_ns = seconds(100 + at);
        busy.tcp.received_age_ns = seconds(at);
        enum path_state expected = at < 6 ? PATH_ALIVE : PATH_HOST_SILENT;
        cr_assert_eq(judge(&health, busy, NULL), expected, "after %d s", at);
    }
    busy.tcp.received_age_ns = 0;
    busy.at_ns += NS_PER_S;
    cr_assert_eq(judge(&health, busy, NULL), PATH_ALIVE);
}

/* Loss: segments are sent again, the timer is doubled, and then one gets through. */
Test(path_health, loss_and_a_choked_path_are_no_end)
{
    struct path_health health = {0};
    for (int at = 1; at < 600; at++) {
        struct path_sample sample = look(at, at % 7, 3, (unsigned)(at % 7), 1);
        enum path_state state = judge(&health, sample, NULL);
        cr_assert(state == PATH_ALIVE || state == PATH_BACKING_OFF, "%d", state);
    }
}

/* A window that the host closed is asked after again and again, without data, and that is answered. */
Test(path_health, a_host_that_takes_no_more_data_but_says_so_is_no_dead_path)
{
    struct path_health health = {0};
    struct path_sample closed = look(0, 0, 0, 6, 3);
    closed.tcp.timer = TCP_TIMER_WINDOW;
    closed.tcp.send_queue = 60000;
    for (int at = 1; at < 300; at++) {
        closed.at_ns = seconds(100 + at);
        closed.tcp.ack_age_ns = seconds(at % 13);
        closed.tcp.sent_age_ns = seconds(at);
        cr_assert_neq(judge(&health, closed, NULL), PATH_DEAD);
    }
}

/* Nothing on its way: nothing is known of the path, however long ago the last word was. */
Test(path_health, a_quiet_connection_is_no_evidence)
{
    struct path_health health = {0};
    for (int at = 1; at < 300; at++)
        cr_assert_not(path_state_is_end(judge(&health, look(at, at, 0, 0, 0), NULL)));
    cr_assert_not(path_state_is_end(judge(&health, look(300, 300, 1, 1, 0.2), NULL)),
                  "one that is sent at last is not lost at once");
}

Test(path_health, a_master_that_stays_stopped_is_lost_when_a_silent_host_would_be)
{
    struct path_health health = {0};
    for (int at = 0; at < 18; at++)
        cr_assert_eq(judge(&health, stopped_at(at), NULL), PATH_MASTER_STOPPED, "after %d s", at);
    cr_assert_eq(judge(&health, stopped_at(18), NULL), PATH_MASTER_LOST);
}

Test(path_health, a_master_that_was_stopped_twice_was_not_stopped_in_between)
{
    struct path_health health = {0};
    for (int at = 0; at < 12; at++)
        judge(&health, stopped_at(at), NULL);
    cr_assert_eq(judge(&health, look(12, 0, 0, 0, 0), NULL), PATH_ALIVE);
    for (int at = 13; at < 30; at++)
        cr_assert_eq(judge(&health, stopped_at(at), NULL), PATH_MASTER_STOPPED);
    /* Whoever looks was stopped himself meanwhile. */
    cr_assert_eq(judge(&health, stopped_at(60), NULL), PATH_MASTER_STOPPED);
}

Test(path_health, where_there_is_no_connection_there_is_nothing_to_judge)
{
    struct path_health health = {0};
    int64_t again = 0;
    cr_assert_eq(judge(&health, (struct path_sample){.at_ns = 1}, &again), PATH_UNSEEN);
    cr_assert_eq(again, 5 * NS_PER_S);
    cr_assert_null(path_state_cause(PATH_UNSEEN));
    cr_assert_str_eq(path_state_cause(PATH_DEAD), "path-dead");
    cr_assert_str_eq(path_state_cause(PATH_HOST_SILENT), "host-silent");
}

/* The kernel's looks at a connection over a TUN whose daemon was killed: nothing is on its way, the timer is
 * the one of a closed window. Seconds since the last sign, since it last sent, doublings so far. */
Test(path_health, a_connection_whose_own_address_is_gone_is_a_dead_path_too)
{
    static const struct {
        double acked, sent;
        unsigned backoff;
    } looks[] = {{1.5, 1.5, 0}, {2.6, 0.4, 1}, {3.7, 0.1, 3},  {4.8, 0.8, 3}, {5.9, 0.5, 4},
                 {7.0, 1.0, 4}, {8.1, 0.1, 4}, {9.2, 0.05, 5}, {9.6, 0.3, 5}};
    struct path_health health = {0};
    for (size_t i = 0; i < COUNT_OF(looks); i++) {
        struct path_sample sample = look(looks[i].acked, looks[i].acked, 0, looks[i].backoff, 0.1);
        sample.tcp.sent_age_ns = seconds(looks[i].sent);
        sample.tcp.send_queue = 100;
        sample.tcp.timer = i ? TCP_TIMER_WINDOW : TCP_TIMER_NONE;
        enum path_state state = judge(&health, sample, NULL);
        cr_expect_eq(state == PATH_DEAD, i == COUNT_OF(looks) - 1, "%zu: %d", i, (int)state);
    }
}
