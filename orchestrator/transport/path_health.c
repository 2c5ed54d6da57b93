#include "transport/path_health.h"

#include "base/memory.h"
#include "base/moment.h"
#include "transport/ssh_options.h"

enum {
    BACKOFF_LEAST = 3,  /* doublings: three tries in a row came to nothing, which loss alone hardly does */
    ANSWER_LATE_S = 6,  /* ssh asks every 2 s: two questions without an answer */
    VAIN_S = 1,         /* far more than an answer takes */
    GAP_MOST_S = 5,     /* looks further apart than that do not show one stop */
    UNSEEN_S = 5,       /* between looks where no connection says when the next is worth it */
    SIGN_OLD_MS = 7500, /* a sign of life so old is worth a look, however long the limits are */
    FLOOR_PART = 10,    /* of lost_ns: the least time between looks, unless a second is less */
    END_PART = 20, /* of lost_ns: so long before it the end is said, so that all is over when it has passed */
    KNOCK_PART = 4,       /* of lost_ns: so long before it a new connection is tried */
    LAST_CHANCE_PART = 4, /* of lost_ns: for a try that is due within that time behind it the end waits */
};

struct look {
    const struct path_health *health;
    const struct path_limits *limits;
    const struct path_sample *sample;
};

static bool unseen(const struct look *l)
{
    return !l->sample->tcp.state;
}

/* Where the address of this end is gone (a tailscaled that was killed took its TUN along), nothing that is
 * sent leaves the machine: to the kernel nothing is on its way, and it knocks with the data itself at
 * doubled intervals. A host that does not take more answers each knock, so there the last sign is never
 * older. */
static bool knocks_in_vain(const struct tcp_state *tcp)
{
    return tcp->timer == TCP_TIMER_WINDOW && tcp->send_queue > 0 &&
           tcp->ack_age_ns > tcp->sent_age_ns + VAIN_S * NS_PER_S;
}

static bool is_owed(const struct tcp_state *tcp)
{
    return tcp->unacked > 0 || knocks_in_vain(tcp);
}

static bool backing_off(const struct look *l)
{
    return is_owed(&l->sample->tcp) && l->sample->tcp.backoff >= BACKOFF_LEAST;
}

/* The kernel tries again at doubled intervals, so a path that has come back shows only at the next try. Where
 * a new connection got an answer, one that is due shortly is heard before the end is said: with it a gap of
 * half of lost_ns can never look like the end, however long the way of a packet is. */
static int64_t left_ns(const struct look *l)
{
    const struct tcp_state *tcp = &l->sample->tcp;
    int64_t lost = l->limits->lost_ns, left = lost - lost / END_PART - tcp->ack_age_ns;
    if (left > 0 || !l->sample->answered || tcp->timer != TCP_TIMER_RETRANSMIT)
        return left;
    int64_t heard = tcp->timer_ns + tcp->rtt_ns * 2 + 50 * NS_PER_MS;
    return tcp->ack_age_ns + heard < lost + lost / LAST_CHANCE_PART ? heard : left;
}

/* Until a new connection is worth a try. */
static int64_t left_to_knock_ns(const struct look *l)
{
    int64_t lost = l->limits->lost_ns;
    return lost - lost / KNOCK_PART - l->sample->tcp.ack_age_ns;
}

/* Age is counted from the last acknowledgement, which is older than the first byte that was not:
 * packets vanish after it. */
static bool dead(const struct look *l)
{
    return backing_off(l) && left_ns(l) <= 0 && l->health->knock;
}

static bool stopped(const struct look *l)
{
    return l->sample->stopped;
}

static bool lost(const struct look *l)
{
    return stopped(l) && l->sample->at_ns - l->health->stopped_ns >= l->limits->silent_ns;
}

static bool silent(const struct look *l)
{
    const struct tcp_state *tcp = &l->sample->tcp;
    return tcp->received_age_ns >= ANSWER_LATE_S * NS_PER_S && tcp->ack_age_ns < tcp->received_age_ns;
}

static bool always(const struct look *l)
{
    (void)l;
    return true;
}

/* The first row that fits. */
static const struct {
    bool (*seen)(const struct look *);
    enum path_state state;
} table[] = {
    {dead, PATH_DEAD},
    {lost, PATH_MASTER_LOST},
    {backing_off, PATH_BACKING_OFF},
    {stopped, PATH_MASTER_STOPPED},
    {unseen, PATH_UNSEEN},
    {silent, PATH_HOST_SILENT},
    {always, PATH_ALIVE},
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long a look in this state holds. A connection that is well shows a sign every 2 s, so that nothing can
 * be told of it before such a sign is much older. */
static int64_t again_ns(const struct look *l, enum path_state state)
{
    const struct tcp_state *tcp = &l->sample->tcp;
    const struct path_limits *limits = l->limits;
    int64_t floor = least(NS_PER_S, limits->lost_ns / FLOOR_PART), wait = NS_PER_S;
    if (state == PATH_UNSEEN) {
        wait = UNSEEN_S * NS_PER_S;
    } else if (state == PATH_ALIVE) {
        int64_t sign = tcp->ack_age_ns > tcp->received_age_ns ? tcp->ack_age_ns : tcp->received_age_ns;
        int64_t old = least(limits->lost_ns - limits->lost_ns / KNOCK_PART, limits->silent_ns / 2);
        wait = least(old, SIGN_OLD_MS * NS_PER_MS) - sign;
    } else if (state == PATH_BACKING_OFF) {
        int64_t knock = left_to_knock_ns(l), left = knock > 0 ? knock : left_ns(l);
        /* Over, but nobody has knocked yet: what was asked for now has that long. */
        return left > 0 ? least(left, NS_PER_S) : limits->lost_ns / END_PART;
    }
    return wait > floor ? wait : floor;
}

/* When it was stopped: a master that runs has asked or heard something within its interval. Not before the
 * last look, which saw it run. */
static int64_t stopped_since(const struct path_health *health, const struct path_sample *sample)
{
    const struct tcp_state *tcp = &sample->tcp;
    int64_t quiet = least(tcp->sent_age_ns, tcp->received_age_ns) - SSH_ALIVE_INTERVAL * NS_PER_S;
    int64_t since = tcp->state && quiet > 0 ? least(quiet, sample->at_ns - health->last_ns) : 0;
    return sample->at_ns - (health->last_ns ? since : 0);
}

enum path_state path_health_judge(struct path_health *health, const struct path_limits *limits,
                                  const struct path_sample *sample, int64_t *again)
{
    struct look look = {health, limits, sample};
    if (!sample->stopped || !health->stopped_ns || sample->at_ns - health->last_ns > GAP_MOST_S * NS_PER_S)
        health->stopped_ns = sample->stopped ? stopped_since(health, sample) : 0;
    size_t row = 0;
    while (!table[row].seen(&look))
        row++;
    health->last_ns = sample->at_ns;
    health->state = table[row].state;
    health->knock = is_owed(&sample->tcp) && left_to_knock_ns(&look) <= 0;
    *again = again_ns(&look, health->state);
    return health->state;
}

bool path_state_is_end(enum path_state state)
{
    return state == PATH_DEAD || state == PATH_MASTER_LOST || state == PATH_DAEMON_LOST ||
           state == PATH_UNCARRIED_LOST;
}

const char *path_state_cause(enum path_state state)
{
    static const char *const causes[] = {
        [PATH_BACKING_OFF] = "path-dead",      [PATH_DEAD] = "path-dead",
        [PATH_HOST_SILENT] = "host-silent",    [PATH_MASTER_STOPPED] = "master-stopped",
        [PATH_MASTER_LOST] = "master-stopped", [PATH_DAEMON_SILENT] = "daemon-silent",
        [PATH_DAEMON_LOST] = "daemon-silent",  [PATH_UNCARRIED] = "not-carried",
        [PATH_UNCARRIED_LOST] = "not-carried"};
    return (size_t)state < COUNT_OF(causes) ? causes[state] : NULL;
}
