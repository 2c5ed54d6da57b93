/* What one look at a target's health saw, and which looks are kept. Pure. */
#pragma once
#include "config/health_settings.h"
#include "format/json.h"
#include <stdbool.h>
#include <stdint.h>

struct health_sight {
    bool healthy;
    bool early; /* not healthy, and a code that is to be expected before it is for the first time */
    int code;   /* of the answer; 0: there was none */
    const char
        *cause; /* of one that is not healthy: "http-503", "refused", "timeout", …; NULL: it is healthy */
    const char *message; /* the same in words; may be NULL */
    const char *via;     /* "network", "ssh", "proxy" */
    int64_t at_ns;       /* wall: when it was answered well; else when it was asked, or the way there went */
    int64_t took_ns;     /* -1: it was not asked */
};

/* Of a status: healthy, early and code; `cause` gets room for "http-NNN". */
enum { HEALTH_CAUSE_SIZE = 16 };
void health_sight_judge(const struct health_settings *settings, int status, char cause[HEALTH_CAUSE_SIZE],
                        struct health_sight *out);
/* {via, code (null: none), cause, error, early, ms}: the detail of a sample. */
struct json *health_sight_json(const struct health_sight *sight);

/* Which looks are kept: the first, each whose health or cause differs from the one before, one in
 * HEALTH_KEPT_S; and the last, which whoever looks keeps at the end (`unkept`). So the windows between
 * changes are exact, and a long run does not fill the store. */
enum { HEALTH_KEPT_S = 15 };
struct health_kept {
    bool any, healthy, unkept;
    char cause[32];
    int64_t kept_ns; /* wall, of the last one that was kept */
};
enum health_worth {
    HEALTH_PASSED_OVER,
    HEALTH_KEPT,    /* nothing is new */
    HEALTH_CHANGED, /* the first, or another than before */
};
enum health_worth health_kept_take(struct health_kept *kept, const struct health_sight *sight);
