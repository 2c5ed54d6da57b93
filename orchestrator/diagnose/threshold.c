#include "diagnose/threshold.h"

#include "base/memory.h"
#include "base/text.h"

/* By which work, and by what of it, each is varied; and the finest step that is worth a cell. */
static const struct {
    const char *work, *parameter;
    double finest;
} ways[LEVEL_COUNT] = {
    [LEVEL_SEGMENT_DOWN] = {"bulk-down", "bytes", 8},
    [LEVEL_SEGMENT_UP] = {"bulk-up", "bytes", 8},
    [LEVEL_IDLE] = {"idle", "seconds", 1},
    [LEVEL_CHANNELS] = {"channels", "count", 1},
    [LEVEL_VOLUME_DOWN] = {"bulk-down", "bytes", 4096},
    [LEVEL_VOLUME_UP] = {"bulk-up", "bytes", 4096},
    [LEVEL_DURATION] = {"trickle", "seconds", 1},
};

bool threshold_begin(const struct finding *finding, struct threshold *out)
{
    if (finding->level < 0 || !ways[finding->level].work || finding->bad_least <= finding->good_most)
        return false;
    *out = (struct threshold){(enum level)finding->level, finding->good_most, finding->bad_least, 0};
    return true;
}

bool threshold_next(const struct threshold *threshold, const char *transport, struct cell *out)
{
    double apart = threshold->bad - threshold->good, finest = ways[threshold->level].finest;
    if (apart <= finest || apart <= threshold->bad / 10 || threshold->steps >= THRESHOLD_STEPS)
        return false;
    int64_t amount = (int64_t)(threshold->good + apart / 2);
    *out = (struct cell){.transport = xstrdup(transport),
                         .client = xstrdup("libssh"),
                         .work = xstrdup(ways[threshold->level].work),
                         .parameters = json_new_object()};
    json_set_integer(out->parameters, ways[threshold->level].parameter, amount);
    if (threshold->level == LEVEL_DURATION)
        json_set_integer(out->parameters, "rate", 100);
    return true;
}

void threshold_told(struct threshold *threshold, const struct cell *cell)
{
    double amount = (double)cell_parameter(cell, ways[threshold->level].parameter, 0);
    threshold->steps++;
    if (cell->ok)
        threshold->good = amount > threshold->good ? amount : threshold->good;
    else
        threshold->bad = amount < threshold->bad ? amount : threshold->bad;
}

char *threshold_text(const struct threshold *threshold)
{
    AUTO_FREE char *good = level_text(threshold->level, threshold->good);
    AUTO_FREE char *bad = level_text(threshold->level, threshold->bad);
    return xasprintf("%s%s between %s (good) and %s (bad), in %d cells", level_variable(threshold->level),
                     level_direction(threshold->level), good, bad, threshold->steps);
}
