/* What one attempt's event lines add up to: the evidence its outcome is judged by. Fed
 * one line after the other. */
#pragma once
#include "base/words.h"
#include "event/line.h"
#include "format/json.h"
#include <stdbool.h>
#include <stdint.h>

struct tally_host;

struct tally {
    int64_t lines, bad, last_seq; /* lines: good ones; bad: no event, or over the limit */
    bool gap;                     /* a seq was missing or came twice */
    bool end, async;              /* async: a task was asynchronous */
    int64_t end_count;
    int64_t play_starts, matched; /* plays begun; of these with at least one host */
    /* results; ok without changed; failed: neither ignored nor rescued */
    int64_t ok, changed, failed, skipped, unreachable, ignored, rescued;
    int64_t stats_failures;                                      /* -1 before the stats line */
    char *failed_task, *failed_host, *failed_path, *failed_text; /* of the last failure that counts */
    char *changed_task, *changed_host, *changed_path;            /* of the first change */
    /* of the last UNREACHABLE that was not ignored; one that counts goes before one of a host beyond */
    char *lost_task, *lost_host, *lost_text;
    char *refused; /* why the callback ended the run, NULL */
    /* what was started last, and a host that worked on it last; or what tally_stand said */
    char *task, *task_host, *task_path;
    bool stands;
    struct words files; /* in which tasks stand that were started, each once */
    struct tally_host *hosts;
    size_t host_count, *places, place_room; /* places: numbers of hosts by their names' hashes */
    /* the hosts that the step is about, borrowed; NULL: all are. Others are beyond */
    const struct words *own;
    /* hosts that had no part in a play of theirs, the first of them, and what was said of it */
    int64_t never_ran;
    char *never_ran_host, *never_ran_text;
    int64_t lost_beyond; /* lost hosts that are beyond, or were for a delegate that is */
    int64_t lost;        /* of these */
};

#define TALLY_INIT           \
    {                        \
        .stats_failures = -1 \
    }
void tally_line(struct tally *tally, const struct line *line);
void tally_bad_line(struct tally *tally);
/* What the process was at when it was ended: no line that comes afterwards changes it. */
void tally_stand(struct tally *tally, const char *task, const char *host, const char *path);
/* What earlier attempts owe (a JSON list of {host, handler}), before the first line. */
void tally_owe(struct tally *tally, const struct json *pending);
/* Hosts that were UNREACHABLE, not ignored, and took no part afterwards. */
int64_t tally_lost_hosts(const struct tally *tally);
/* Handlers notified and not run, as a JSON list of {host, handler}; `earlier` counts only those that earlier
 * attempts owed. NULL when there are none; the caller frees it. */
struct json *tally_owed(const struct tally *tally, bool earlier);
void tally_clear(struct tally *tally);
