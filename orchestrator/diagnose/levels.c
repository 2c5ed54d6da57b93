#include "diagnose/levels.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <string.h>

/* The largest that goes over the wire whatever was written at once, and what of it shows that such ones pass;
 * ssh's own packet around a short line. */
enum {
    SEGMENT_MOST = 1500,
    SEGMENTS_PASSED = 8192,
    SEGMENT_SMALL = 200,
    SPEED_LEAST_BYTES = 32768,
    SPEED_WHOLE_BYTES = 500000
};

enum {
    DOWN = 1,
    UP = 2,
    LARGE = 4 /* writes as much at once as goes */,
    IDLES = 8,
    ALONE = 16 /* nothing but bytes */,
    MIXED = 32,
    SLOW = 64
};

/* What each work asks of the path. Bursts are ranked by how much of what a package's installation does is in
 * them. */
static const struct {
    const char *work;
    int does, bursts;
} works[] = {
    {"echo", DOWN, 0},
    {"idle", DOWN | IDLES, 0},
    {"trickle", DOWN, 0},
    {"bulk-down", DOWN | LARGE | ALONE, 0},
    {"bulk-up", UP | LARGE | ALONE, 0},
    {"throttled", DOWN | LARGE | SLOW, 0},
    {"bursts", DOWN | LARGE, 1},
    {"idle-burst", DOWN | LARGE | IDLES, 1},
    {"disk", DOWN | MIXED, 2},
    {"processes", DOWN | MIXED, 3},
    {"package", DOWN | MIXED, 4},
    {"channels", DOWN | LARGE, 0},
};

static const struct {
    const char *variable, *direction, *unit;
} facts[LEVEL_COUNT] = {
    [LEVEL_SEGMENT_DOWN] = {"mtu", " from the host", "bytes at once"},
    [LEVEL_SEGMENT_UP] = {"mtu", " to the host", "bytes at once"},
    [LEVEL_IDLE] = {"idle", "", "s"},
    [LEVEL_CHANNELS] = {"channels", "", "at once"},
    [LEVEL_VOLUME_DOWN] = {"volume", " from the host", "B"},
    [LEVEL_VOLUME_UP] = {"volume", " to the host", "B"},
    [LEVEL_DURATION] = {"duration", "", "s"},
    [LEVEL_RATE] = {"rate", "", "B/s"},
    [LEVEL_BURSTS] = {"burstiness", "", NULL},
};

static int row_of(const char *work)
{
    for (size_t i = 0; i < COUNT_OF(works); i++)
        if (text_is(works[i].work, work))
            return (int)i;
    return -1;
}

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

/* What may be large is so against the path, and is not for it. */
static double segment_of(const struct cell *cell, int does, double bytes)
{
    /* A login of OpenSSH's client exchanges keys of more than a kilobyte. */
    bool login = bytes <= 0 && !text_is(cell->client, "libssh");
    bool large = does & LARGE || (!cell->ok && (does & MIXED || login));
    double most = (double)cell_parameter(cell, "segment",
                                         large ? SEGMENT_MOST : cell_parameter(cell, "rate", SEGMENT_SMALL));
    double wanted = (double)cell_parameter(cell, "bytes", large ? SEGMENT_MOST : SEGMENT_SMALL);
    most = lesser(lesser(most, wanted), SEGMENT_MOST);
    /* One that broke off later has shown that they pass. */
    return !cell->ok && bytes >= SEGMENTS_PASSED ? 0 : most;
}

void levels_of(const struct cell *cell, struct levels *out)
{
    int row = row_of(cell->work), does = row < 0 ? DOWN : works[row].does;
    double seconds = (double)cell_parameter(cell, "seconds", 0), bytes = (double)cell->bytes;
    int64_t rate = cell_parameter(cell, "rate", 0);
    *out = (struct levels){0};
    if (cell->ok && bytes < (double)cell_parameter(cell, "bytes", 0))
        bytes = (double)cell_parameter(cell, "bytes", 0);
    /* The other clients ask for a sign of life every 2 s: theirs is no silence. */
    out->of[LEVEL_IDLE] = does & IDLES && text_is(cell->client, "libssh") ? seconds : 0;
    out->of[LEVEL_CHANNELS] = text_is(cell->work, "channels") ? (double)cell_parameter(cell, "count", 1) : 1;
    out->of[LEVEL_BURSTS] = row < 0 ? 0 : works[row].bursts;
    out->of[LEVEL_RATE] = rate > 0 && does & SLOW ? 1 / (double)rate : 0;
    /* That a silent connection is dead shows when it is used again. */
    out->of[LEVEL_DURATION] = (double)(cell->ok ? cell->duration_ns : cell->last_good_ns) / NS_PER_S;
    if (!cell->ok && does & IDLES)
        out->of[LEVEL_DURATION] = seconds;
    out->of[does & UP ? LEVEL_VOLUME_UP : LEVEL_VOLUME_DOWN] = bytes;
    out->of[does & UP ? LEVEL_SEGMENT_UP : LEVEL_SEGMENT_DOWN] = segment_of(cell, does, bytes);
}

const char *level_variable(enum level level)
{
    return facts[level].variable;
}

const char *level_direction(enum level level)
{
    return facts[level].direction;
}

static char *bytes_text(double bytes, const char *unit)
{
    static const char *const larger[] = {"", "k", "M", "G"};
    size_t at = 0;
    while (bytes >= 1000 && at + 1 < COUNT_OF(larger)) {
        bytes /= 1000;
        at++;
    }
    return xasprintf(at && bytes < 100 ? "%.1f %s%s" : "%.0f %s%s", bytes, larger[at], unit);
}

char *level_text(enum level level, double value)
{
    if (level == LEVEL_BURSTS) {
        const char *work = "no bursts";
        for (size_t i = 0; i < COUNT_OF(works); i++)
            if (works[i].bursts == (int)value && value > 0)
                work = works[i].work;
        return xstrdup(text_is(work, "idle-burst") ? "bursts" : work);
    }
    if (level == LEVEL_RATE)
        return value > 0 ? bytes_text(1 / value, "B/s") : xstrdup("full speed");
    if (level == LEVEL_VOLUME_DOWN || level == LEVEL_VOLUME_UP)
        return bytes_text(value, "B");
    return xasprintf(value < 10 && level == LEVEL_DURATION ? "%.1f %s" : "%.0f %s", value, facts[level].unit);
}

/* Of one that is whole the login is a part, so that it has to be larger. */
double level_speed(const struct cell *cell)
{
    int row = row_of(cell->work);
    if (row < 0 || !(works[row].does & ALONE) ||
        cell->bytes < (cell->ok ? SPEED_WHOLE_BYTES : SPEED_LEAST_BYTES) || cell->duration_ns <= 0)
        return -1;
    int64_t took = cell->ok ? cell->duration_ns : cell->last_good_ns;
    return took > 0 ? (double)cell->bytes * NS_PER_S / (double)took : -1;
}
