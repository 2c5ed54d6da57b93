#include "net/ssh_lane.h"

#include "base/moment.h"

/* A longer gap is a stall. */
#define STALL NS_PER_S

void ssh_lane_begin(struct ssh_lane *lane, const struct ssh_channel_work *work, struct ssh_channel_end *end,
                    int64_t now)
{
    *end = (struct ssh_channel_end){
        .exit_code = -1, .begun_ns = -1, .first_byte_ns = -1, .last_byte_ns = -1, .end_ns = -1};
    *lane = (struct ssh_lane){.work = work, .end = end, .since = now, .moved = now};
}

static void note_gap(struct ssh_lane *lane, int64_t now)
{
    int64_t gap = now - lane->moved;
    if (gap > lane->end->longest_gap_ns)
        lane->end->longest_gap_ns = gap;
    lane->end->stalls += gap > STALL;
    lane->moved = now;
}

void ssh_lane_moved(struct ssh_lane *lane, int64_t now)
{
    note_gap(lane, now);
    if (lane->end->first_byte_ns < 0)
        lane->end->first_byte_ns = now - lane->since;
    lane->end->last_byte_ns = now - lane->since;
}

static void keep(struct text *text, size_t most, const char *bytes, size_t count)
{
    size_t room = most > text->length ? most - text->length : 0;
    text_add_bytes(text, bytes, count < room ? count : room);
}

void ssh_lane_take(struct ssh_lane *lane, bool of_errors, const char *bytes, size_t count, int64_t now)
{
    ssh_lane_moved(lane, now);
    lane->end->received += (uint64_t)count;
    keep(of_errors ? &lane->end->said : &lane->end->kept, of_errors ? SSH_LANE_SAID_MOST : lane->work->keep,
         bytes, count);
    if (lane->work->on_bytes)
        lane->work->on_bytes(lane->work->context, count, now);
}

void ssh_lane_close(struct ssh_lane *lane, int64_t now)
{
    if (lane->state == SSH_LANE_RUNNING)
        note_gap(lane, now);
    lane->end->end_ns = now - lane->since;
    lane->state = SSH_LANE_ENDED;
}

int64_t ssh_lane_allowance(const struct ssh_lane *lane, int64_t now)
{
    if (!lane->work->throttle)
        return SSH_LANE_BLOCK;
    int64_t ms = (now - lane->since) / NS_PER_MS;
    int64_t left = lane->work->throttle * ms / 1000 - (int64_t)lane->end->received;
    return left > SSH_LANE_BLOCK ? SSH_LANE_BLOCK : left;
}

bool ssh_lane_all_wait(const struct ssh_lane *lanes, size_t count, int64_t now)
{
    for (size_t i = 0; i < count; i++)
        if (lanes[i].state != SSH_LANE_ENDED &&
            (lanes[i].state != SSH_LANE_RUNNING || ssh_lane_allowance(&lanes[i], now) > 0))
            return false;
    return true;
}

bool ssh_lane_are_throttled(const struct ssh_lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lanes[i].state == SSH_LANE_RUNNING && lanes[i].work->throttle)
            return true;
    return false;
}

struct deadline ssh_lane_patience(const struct ssh_lane *lanes, size_t count, int64_t now,
                                  struct deadline deadline)
{
    for (size_t i = 0; i < count; i++)
        if (lanes[i].state != SSH_LANE_ENDED && lanes[i].work->silence_ns)
            deadline =
                deadline_earlier(deadline, deadline_in(lanes[i].moved + lanes[i].work->silence_ns - now));
    return deadline;
}
