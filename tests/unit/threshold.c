/* Halving between what was well and what was not. */
#include "diagnose/threshold.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct threshold begun(enum level level, double good, double bad)
{
    struct finding finding = {.level = (int)level, .good_most = good, .bad_least = bad};
    struct threshold threshold;
    cr_assert(threshold_begin(&finding, &threshold));
    return threshold;
}

/* Takes cells as a path would on which all that is larger than `limit` breaks. */
static void halve(struct threshold *threshold, const char *work, const char *parameter, double limit)
{
    struct cell cell;
    int taken = 0;
    while (threshold_next(threshold, "direct", &cell)) {
        double amount = (double)cell_parameter(&cell, parameter, -1);
        cr_expect(eq(str, cell.work, (char *)(uintptr_t)work));
        cr_expect(eq(str, cell.transport, (char *)(uintptr_t) "direct"));
        cr_assert(gt(dbl, amount, threshold->good));
        cr_assert(lt(dbl, amount, threshold->bad));
        cell.ok = amount <= limit;
        threshold_told(threshold, &cell);
        cell_clear(&cell);
        cr_assert(le(int, ++taken, THRESHOLD_STEPS));
    }
    cr_expect(eq(int, threshold->steps, taken));
    cr_expect(le(dbl, threshold->good, limit));
    cr_expect(gt(dbl, threshold->bad, limit));
}

Test(threshold, is_found_within_a_tenth_wherever_it_lies)
{
    static const double limits[] = {1000001, 1500000, 3000000, 5000000, 7999999};
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        struct threshold threshold = begun(LEVEL_VOLUME_DOWN, 1000000, 8000000);
        halve(&threshold, "bulk-down", "bytes", limits[i]);
        cr_expect(le(dbl, threshold.bad - threshold.good, threshold.bad / 10));
    }
}

Test(threshold, is_varied_by_the_work_that_asks_for_that_alone)
{
    struct threshold up = begun(LEVEL_VOLUME_UP, 1000000, 8000000), idle = begun(LEVEL_IDLE, 12, 75),
                     channels = begun(LEVEL_CHANNELS, 1, 8), age = begun(LEVEL_DURATION, 10, 90),
                     segment = begun(LEVEL_SEGMENT_DOWN, 600, 1500);
    halve(&up, "bulk-up", "bytes", 2000000);
    halve(&idle, "idle", "seconds", 40);
    halve(&channels, "channels", "count", 2);
    halve(&age, "trickle", "seconds", 33);
    halve(&segment, "bulk-down", "bytes", 1200);
    cr_expect(eq(dbl, channels.good, 2));
    cr_expect(eq(dbl, channels.bad, 3), "down to one, where a tenth is less");
}

Test(threshold, is_not_looked_for_where_nothing_can_be_halved)
{
    static const struct finding findings[] = {
        {.level = -1, .good_most = 1, .bad_least = 9},
        {.level = LEVEL_RATE, .good_most = 1, .bad_least = 9},
        {.level = LEVEL_BURSTS, .good_most = 1, .bad_least = 3},
        {.level = LEVEL_IDLE, .good_most = 75, .bad_least = 75},
        {.level = LEVEL_IDLE, .good_most = 90, .bad_least = 75},
    };
    struct threshold threshold;
    for (size_t i = 0; i < COUNT_OF(findings); i++)
        cr_expect(not(threshold_begin(&findings[i], &threshold)), "%zu", i);
}

/* One that comes and goes may tell against what was found: neither bound ever moves outwards. */
Test(threshold, never_becomes_wider_than_it_was)
{
    AUTO_JSON *parameters = json_new_object();
    struct threshold threshold = begun(LEVEL_IDLE, 30, 60);
    struct cell cell = {.work = "idle", .parameters = parameters};
    json_set_integer(parameters, "seconds", 90);
    threshold_told(&threshold, &cell);
    json_set_integer(parameters, "seconds", 10);
    cell.ok = true;
    threshold_told(&threshold, &cell);
    cr_expect(eq(dbl, threshold.good, 30));
    cr_expect(eq(dbl, threshold.bad, 60));
    AUTO_FREE char *said = threshold_text(&threshold);
    cr_expect(eq(str, said, (char *)(uintptr_t) "idle between 30 s (good) and 60 s (bad), in 2 cells"));
}
