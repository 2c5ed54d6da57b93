#include "transport/tailnet_health.h"

#include "base/memory.h"
#include "base/moment.h"
#include "transport/ssh_options.h"

enum {
    SEGMENT = 96,      /* in bytes of the tunnel: an acknowledgement of TCP, with the time in it */
    RISES_LEAST = 3,   /* an acknowledgement of our own, the last word of a connection, is one */
    GAP_MOST_S = 5,    /* looks further apart than that: nobody looked in between */
    LOOK_MS = 500,     /* between looks */
    LOOK_PART = 20,    /* of lost_ns, where that is less */
    FLOOR_PART = 100,  /* of lost_ns: the least */
    PATIENCE_PART = 5, /* of lost_ns: the most that is waited for an answer */
    END_PART = 20,     /* as in path_health.c */
    KNOCK_PART = 4,
};

struct look {
    const struct tailnet_health *health;
    int64_t lost_ns, at_ns;
    const struct tailnet_sight *sight;
};

static bool is_over(const struct look *l, int64_t since_ns)
{
    return l->at_ns - since_ns >= l->lost_ns - l->lost_ns / END_PART;
}

/* Bytes that go out after a long silence are not that silence's: ssh would have asked within its interval. */
static int64_t silent_since(const struct tailnet_health *health)
{
    int64_t asked = health->asked_ns - SSH_ALIVE_INTERVAL * NS_PER_S;
    return asked > health->received_ns ? asked : health->received_ns;
}

static bool unanswered(const struct look *l)
{
    return l->health->rises >= RISES_LEAST;
}

static bool dead(const struct look *l)
{
    return unanswered(l) && l->health->knock && is_over(l, silent_since(l->health));
}

static bool daemon_silent(const struct look *l)
{
    return !l->sight->answered;
}

static bool daemon_lost(const struct look *l)
{
    return daemon_silent(l) && is_over(l, l->health->answered_ns);
}

static bool uncarried(const struct look *l)
{
    return !l->sight->carries;
}

static bool uncarried_lost(const struct look *l)
{
    return uncarried(l) && is_over(l, l->health->carried_ns);
}

static bool quiet(const struct look *l)
{
    return !l->health->asked_ns && l->at_ns - l->health->received_ns > SSH_ALIVE_INTERVAL * 2 * NS_PER_S;
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
    {daemon_lost, PATH_DAEMON_LOST},
    {daemon_silent, PATH_DAEMON_SILENT},
    {uncarried_lost, PATH_UNCARRIED_LOST},
    {uncarried, PATH_UNCARRIED},
    {dead, PATH_DEAD},
    {unanswered, PATH_BACKING_OFF},
    {quiet, PATH_UNSEEN},
    {always, PATH_ALIVE},
};

static void begin(struct tailnet_health *health, const struct tailnet_sight *sight)
{
    int64_t at = sight->at_ns;
    *health = (struct tailnet_health){
        .begun = true, .last_ns = at, .answered_ns = at, .carried_ns = at, .received_ns = at};
}

/* As if the clock had stood still meanwhile. */
static void forget_gap(struct tailnet_health *health, int64_t at_ns)
{
    int64_t gap = at_ns - health->last_ns;
    if (gap <= GAP_MOST_S * NS_PER_S)
        return;
    health->answered_ns += gap;
    health->carried_ns += gap;
    health->received_ns += gap;
    health->asked_ns += health->asked_ns ? gap : 0;
}

/* A counter that is less than before is a daemon's that began anew: its bytes came since. */
static void count(struct tailnet_health *health, const struct tailnet_sight *sight)
{
    bool came = sight->received < health->received || sight->received - health->received >= SEGMENT ||
                (sight->read > health->read && health->read >= 0);
    bool went = sight->sent != health->sent;
    if (came) {
        health->received_ns = sight->at_ns;
        health->asked_ns = 0;
        health->rises = 0;
    } else if (went && health->rises++ == 0) {
        health->asked_ns = sight->at_ns;
    }
    health->received = sight->received;
    health->sent = sight->sent;
    health->read = sight->read;
}

enum path_state tailnet_health_judge(struct tailnet_health *health, int64_t lost_ns,
                                     const struct tailnet_sight *sight)
{
    if (!health->begun)
        begin(health, sight);
    forget_gap(health, sight->at_ns);
    health->last_ns = sight->at_ns;
    if (sight->answered)
        health->answered_ns = sight->at_ns;
    if (sight->answered && sight->carries) {
        health->carried_ns = sight->at_ns;
        count(health, sight);
    }
    struct look look = {health, lost_ns, sight->at_ns, sight};
    size_t row = 0;
    while (!table[row].seen(&look))
        row++;
    health->state = table[row].state;
    health->knock =
        unanswered(&look) && sight->at_ns - silent_since(health) >= lost_ns - lost_ns / KNOCK_PART;
    return health->state;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t tailnet_health_again(const struct tailnet_health *health, int64_t lost_ns)
{
    int64_t look = least(LOOK_MS * NS_PER_MS, lost_ns / LOOK_PART), floor = lost_ns / FLOOR_PART;
    if (health->state == PATH_DAEMON_SILENT)
        return floor; /* the wait for its answer is a pause already */
    if (health->state != PATH_BACKING_OFF && health->state != PATH_UNCARRIED)
        return look;
    int64_t left = lost_ns - lost_ns / END_PART - tailnet_health_age(health);
    return left > floor ? least(left, look) : floor;
}

int64_t tailnet_health_patience(const struct tailnet_health *health, int64_t lost_ns, int64_t now_ns)
{
    int64_t most = lost_ns / PATIENCE_PART, floor = lost_ns / FLOOR_PART;
    int64_t left = lost_ns - lost_ns / END_PART - (now_ns - health->answered_ns);
    if (!health->begun || left > most)
        return most;
    return left > floor ? left : floor;
}

int64_t tailnet_health_age(const struct tailnet_health *health)
{
    switch (health->state) {
    case PATH_DAEMON_SILENT:
    case PATH_DAEMON_LOST:
        return health->last_ns - health->answered_ns;
    case PATH_UNCARRIED:
    case PATH_UNCARRIED_LOST:
        return health->last_ns - health->carried_ns;
    default:
        return health->last_ns - silent_since(health);
    }
}
