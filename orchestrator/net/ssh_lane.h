/* One command on a channel of its own, as it is kept account of: bytes, gaps, what it may read and how long
 * it may be silent. Pure; moments are monotonic. */
#pragma once
#include "net/ssh_session.h"

enum { SSH_LANE_BLOCK = 32 * 1024, SSH_LANE_SAID_MOST = 4096 };
enum ssh_lane_state { SSH_LANE_OPENING, SSH_LANE_ASKING, SSH_LANE_RUNNING, SSH_LANE_ENDED };

struct ssh_channel_struct;
struct ssh_lane {
    const struct ssh_channel_work *work;
    struct ssh_channel_end *end;
    struct ssh_channel_struct *channel;
    enum ssh_lane_state state;
    int64_t since, moved; /* the call's begin, the last byte either way; monotonic */
    bool said_all;        /* its stdin was ended */
};

/* One that is about to open; its end is filled as of one that never came further. */
void ssh_lane_begin(struct ssh_lane *lane, const struct ssh_channel_work *work, struct ssh_channel_end *end,
                    int64_t now);
/* Bytes moved, either way. */
void ssh_lane_moved(struct ssh_lane *lane, int64_t now);
/* So many came: they are counted, and kept as far as there is room. */
void ssh_lane_take(struct ssh_lane *lane, bool of_errors, const char *bytes, size_t count, int64_t now);
void ssh_lane_close(struct ssh_lane *lane, int64_t now);
/* Bytes that it may read now, at most a block; a throttled one none for a while (0 or less). */
int64_t ssh_lane_allowance(const struct ssh_lane *lane, int64_t now);
/* Of all: whether every one that still runs waits for its allowance; whether one that runs is throttled; when
 * the first will have been silent for too long, the deadline at the latest. */
bool ssh_lane_all_wait(const struct ssh_lane *lanes, size_t count, int64_t now);
bool ssh_lane_are_throttled(const struct ssh_lane *lanes, size_t count);
struct deadline ssh_lane_patience(const struct ssh_lane *lanes, size_t count, int64_t now,
                                  struct deadline deadline);
