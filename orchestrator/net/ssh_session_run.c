#include "net/ssh_handle.h"
#include "net/ssh_lane.h"
#include "net/ssh_library.h"
#include "net/ssh_session.h"

#include "base/memory.h"
#include "base/moment.h"

/* Whether anything came. */
static bool take_in(struct ssh_lane *lane, bool of_errors)
{
    char block[SSH_LANE_BLOCK];
    int64_t now = moment_monotonic(), room = of_errors ? SSH_LANE_BLOCK : ssh_lane_allowance(lane, now);
    int count = room > 0 ? ssh.channel_read_nonblocking(lane->channel, block, (uint32_t)room, of_errors) : 0;
    if (count <= 0)
        return false;
    ssh_lane_take(lane, of_errors, block, (size_t)count, now);
    return true;
}

static bool give(struct ssh_session *session, struct ssh_lane *lane)
{
    static const char zeros[SSH_LANE_BLOCK];
    const struct ssh_channel_work *work = lane->work;
    size_t left = work->input_bytes - (size_t)lane->end->sent;
    if (lane->said_all || !ssh_handle_may_write(session))
        return false;
    if (!left && work->holds)
        return false;
    if (!left) {
        lane->said_all = true;
        ssh.channel_send_eof(lane->channel);
        return true;
    }
    const char *from = work->input ? work->input + lane->end->sent : zeros;
    int count =
        ssh.channel_write(lane->channel, from, (uint32_t)(left < SSH_LANE_BLOCK ? left : SSH_LANE_BLOCK));
    if (count <= 0)
        return false;
    ssh_lane_moved(lane, moment_monotonic());
    lane->end->sent += (uint64_t)count;
    return true;
}

static bool go_on(struct ssh_session *session, struct ssh_lane *lane)
{
    bool moved = take_in(lane, false);
    moved |= take_in(lane, true);
    /* What came with the other's. */
    moved |= take_in(lane, false);
    moved |= give(session, lane);
    if (moved || !ssh.is_connected(session->handle))
        return moved;
    int code = ssh.channel_get_exit_status(lane->channel);
    bool eof = ssh.channel_is_eof(lane->channel);
    if (!ssh.channel_is_closed(lane->channel) && !(eof && code >= 0))
        return false;
    lane->end->exit_code = code >= 0 ? code : -1;
    lane->end->ended = true;
    ssh_lane_close(lane, moment_monotonic());
    return true;
}

/* Whether a step was done. */
static bool step(struct ssh_session *session, struct ssh_lane *lane)
{
    int result;
    switch (lane->state) {
    case SSH_LANE_OPENING:
        result = ssh.channel_open_session(lane->channel);
        break;
    case SSH_LANE_ASKING:
        result = ssh.channel_request_exec(lane->channel, lane->work->command);
        break;
    case SSH_LANE_RUNNING:
        return go_on(session, lane);
    default:
        return false;
    }
    if (result == SSH_LATER)
        return false;
    if (result != SSH_DONE) {
        lane->end->refused = ssh.is_connected(session->handle);
        text_add(&lane->end->said, ssh.get_error(session->handle));
        ssh_lane_close(lane, moment_monotonic());
        return true;
    }
    if (lane->state == SSH_LANE_ASKING) {
        lane->moved = moment_monotonic();
        lane->end->begun_ns = lane->moved - lane->since;
    }
    lane->state++;
    return true;
}

/* 1 all ended, 0 go on, -1 over. */
static int turn(struct ssh_session *session, struct ssh_lane *lanes, size_t count, struct deadline deadline,
                struct error *err)
{
    bool moved = false;
    size_t ended = 0;
    for (size_t i = 0; i < count; i++) {
        moved |= step(session, &lanes[i]);
        ended += lanes[i].state == SSH_LANE_ENDED;
    }
    if (!ssh.is_connected(session->handle))
        return ssh_handle_fail(session, SSH_RUNG_DONE, "running a command on the host", err);
    if (ended == count)
        return 1;
    /* A flood never lets it wait, so the clock is asked each time. */
    deadline = ssh_lane_patience(lanes, count, moment_monotonic(), deadline);
    if (deadline_over(deadline))
        return ssh_handle_fail_late(session, "running a command on the host", err);
    struct deadline soon = deadline_earlier(deadline, deadline_in(10 * NS_PER_MS));
    /* Reading of one channel libssh may take in what is another's, or the end of all: the socket says
     * nothing of that any more. */
    struct deadline again = deadline_in(20 * NS_PER_MS);
    /* Where all wait for their allowance the socket is left alone: so the other side feels the throttle. */
    if (ssh_lane_all_wait(lanes, count, moment_monotonic()))
        (void)deadline_poll(NULL, 0, soon);
    else if (!moved)
        (void)ssh_handle_await(session, ssh_lane_are_throttled(lanes, count)
                                            ? soon
                                            : deadline_earlier(deadline, again));
    return 0;
}

int ssh_session_run(struct ssh_session *session, const struct ssh_channel_work *works, size_t count,
                    struct deadline deadline, struct ssh_channel_end *ends, struct error *err)
{
    AUTO_FREE struct ssh_lane *lanes = xcalloc(count, sizeof *lanes);
    int64_t now = moment_monotonic();
    for (size_t i = 0; i < count; i++) {
        ssh_lane_begin(&lanes[i], &works[i], &ends[i], now);
        lanes[i].channel = ssh.channel_new(session->handle);
    }
    int result = 0;
    while (result == 0)
        result = turn(session, lanes, count, deadline, err);
    for (size_t i = 0; i < count; i++) {
        if (lanes[i].state != SSH_LANE_ENDED)
            ssh_lane_close(&lanes[i], moment_monotonic());
        ssh.channel_free(lanes[i].channel);
    }
    return result < 0 ? -1 : 0;
}

void ssh_channel_end_clear(struct ssh_channel_end *end)
{
    text_clear(&end->kept);
    text_clear(&end->said);
}
