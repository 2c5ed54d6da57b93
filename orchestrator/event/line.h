/* One line of a step's event file, as the callback plugin writes it (docs/contract.md, "Event lines"; the
 * fields are in callback/triphase_events.py). Bytes come from outside: whatever they hold, the answer is a
 * filled struct or a refusal, never a crash; text is bounded and printable. */
#pragma once
#include "base/error.h"
#include "format/json.h"
#include <stdbool.h>
#include <stdint.h>

enum line_kind {
    LINE_PLAY_START,
    LINE_NO_HOSTS,
    LINE_TASK_START,
    LINE_HOST_START,
    LINE_RESULT,
    LINE_ASYNC_POLL,
    LINE_HANDLER,
    LINE_NOTIFY,
    LINE_UNREACHABLE,
    LINE_STATS,
    LINE_END,
    LINE_REFUSED,
    LINE_NEVER_RAN, /* a host that its play did not come to: host, play, cause_text */
    LINE_TOLD       /* what a module has to say: host, task fields, subject, text, detail */
};
enum line_status { STATUS_OK, STATUS_CHANGED, STATUS_FAILED, STATUS_SKIPPED };

struct line {
    enum line_kind kind;
    int64_t seq, wall_ns, monotonic_ns;
    const char *host, *play, *role, *task, *uuid, *path, *action,
        *delegate,                                    /* whom the task was given to in the host's place */
        *cause_text;                                  /* NULL when absent; borrowed from the line */
    enum line_status status;                          /* LINE_RESULT */
    bool async, ignored, rescued, handler, unchecked; /* unchecked: check mode kept it from its work */
    int64_t items, duration_ns, count;                /* count: of LINE_END */
    /* the whole line of the kinds that have more than these (play_start, handler, notify, stats, refused);
     * of others it may be NULL */
    struct json *json;
    char *note; /* of LINE_TOLD, which always has one: the JSON text that its row has as detail */
    char *told; /* what cause_text is, where it is put in other words */
    char *copy; /* where the text lies when there is no JSON */
};

/* Fails on what is no object, a wrong "v", an unknown kind (the message says which), a missing seq. */
int line_parse(const char *bytes, size_t length, struct line *out, struct error *err);
void line_clear(struct line *line);
