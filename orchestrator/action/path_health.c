#include "action/path_health.h"

#include "base/memory.h"
#include "base/moment.h"

enum {
    BACKOFF_LEAST = 3,    /* doublings: three tries in a row came to nothing, which loss alone hardly does */
    ANSWER_LATE_S = 6,    /* ssh asks every 2 s: two questions without an answer */
    GAP_MOST_S = 5,       /* looks further apart than that do not show one stop */
    LAST_CHANCE_PART = 4, /* of lost_ns: for a try that is due within that time the end waits */
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

static bool backing_off(const struct look *l)
{
    return l->sample->tcp.unacked > 0 && l->sample->tcp.backoff >= BACKOFF_LEAST;
}

/* The kernel tries again at doubled intervals, so a path that has come back shows only at the next try. One that is due shortly is heard before the end is said: with
 * it a gap of half of lost_ns can never look like the end, however long the way of a packet is. */
static int64_t left_ns(const struct look *l)
{
    const struct tcp_state *tcp = &l->sample->tcp;
    int64_t chance = l->limits->lost_ns / LAST_CHANCE_PART, left = l->limits->lost_ns - tcp->ack_age_ns;
    if (left > 0 || tcp->timer != TCP_TIMER_RETRANSMIT)
        return left;
    int64_t answered = tcp->timer_ns + tcp->rtt_ns * 2 + 50 * NS_PER_MS;
    return tcp->ack_age_ns + answered < l->limits->lost_ns + chance ? answered : left;
}

/* Age is counted from the last acknowledgement, which is older than the first byte that was not: packets vanish after it. */
static bool dead(const struct look *l)
{
    return backing_off(l) && left_ns(l) <= 0;
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

enum path_state path_health_judge(struct path_health *health, const struct path_limits *limits,
                                  const struct path_sample *sample, int64_t *again_ns)
{
    struct look look = {health, limits, sample};
    if (!sample->stopped || !health->stopped_ns || sample->at_ns - health->last_ns > GAP_MOST_S * NS_PER_S)
        health->stopped_ns = sample->stopped ? sample->at_ns : 0;
    size_t row = 0;
    while (!table[row].seen(&look))
        row++;
    health->last_ns = sample->at_ns;
    health->state = table[row].state;
    int64_t left = health->state == PATH_BACKING_OFF ? left_ns(&look) : NS_PER_S;
    *again_ns = left > 0 && left < NS_PER_S ? left : NS_PER_S;
    return health->state;
}

bool path_state_is_end(enum path_state state)
{
    return state == PATH_DEAD || state == PATH_MASTER_LOST;
}

const char *path_state_cause(enum path_state state)
{
    static const char *const causes[] = {[PATH_BACKING_OFF] = "path-dead",
                                         [PATH_DEAD] = "path-dead",
                                         [PATH_HOST_SILENT] = "host-silent",
                                         [PATH_MASTER_STOPPED] = "master-stopped",
                                         [PATH_MASTER_LOST] = "master-stopped"};
    return (size_t)state < COUNT_OF(causes) ? causes[state] : NULL;
}
