/* Which cells a diagnosis takes. */
#include "diagnose/matrix.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "diagnose/levels.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct matrix planned(enum matrix_size size, bool changes)
{
    struct matrix matrix;
    struct matrix_wish wish = {.size = size, .changes = changes};
    words_add_all(&wish.transports, "direct", "tailnet-userspace", NULL);
    words_add(&wish.masters, "/run/cp");
    matrix_plan(&wish, &matrix);
    words_clear(&wish.transports);
    words_clear(&wish.masters);
    return matrix;
}

static size_t count_of(const struct matrix *matrix, const char *work)
{
    size_t found = 0;
    for (size_t i = 0; i < matrix->count; i++)
        found += text_is(matrix->cells[i].cell.work, work);
    return found;
}

Test(matrix, a_quick_one_is_bounded_below_a_minute_and_a_full_one_has_all_of_the_usual)
{
    struct matrix quick = planned(MATRIX_QUICK, true), usual = planned(MATRIX_USUAL, false),
                  full = planned(MATRIX_FULL, false);
    cr_expect(lt(i64, quick.bound_ns, 60 * NS_PER_S));
    cr_expect(lt(i64, quick.reckoned_ns, quick.bound_ns));
    cr_expect(lt(sz, quick.count, usual.count));
    for (size_t i = 0; i < usual.count; i++) {
        bool found = false;
        for (size_t j = 0; j < full.count; j++)
            found |= cell_is_alike(&usual.cells[i].cell, &full.cells[j].cell);
        cr_expect(found, "%s", usual.cells[i].cell.work);
    }
    matrix_clear(&quick);
    matrix_clear(&usual);
    matrix_clear(&full);
}

Test(matrix, writes_and_installs_only_where_that_is_allowed)
{
    struct matrix without = planned(MATRIX_FULL, false), with = planned(MATRIX_FULL, true);
    cr_expect(eq(sz, count_of(&without, "package") + count_of(&without, "disk"), 0));
    cr_expect(eq(sz, count_of(&with, "package"), 2));
    cr_expect(eq(sz, count_of(&with, "disk"), 2));
    matrix_clear(&without);
    matrix_clear(&with);
}

Test(matrix, what_is_left_is_reckoned_by_its_longest_lane_and_what_has_ended_is_no_part_of_it)
{
    struct matrix matrix = planned(MATRIX_FULL, false);
    int64_t *begun = xcalloc(matrix.count, sizeof *begun);
    int64_t whole = matrix.reckoned_ns, now = 1000 * NS_PER_S;
    size_t longest = 0;
    for (size_t i = 0; i < matrix.count; i++)
        if (matrix.cells[i].reckoned_ns == whole)
            longest = i;

    cr_expect(eq(i64, matrix_left_ns(&matrix, begun, now), whole));
    for (size_t i = 0; i < matrix.count; i++)
        if (matrix.cells[i].reckoned_ns == whole)
            begun[i] = now - 100 * NS_PER_S;
    cr_expect(eq(i64, matrix_left_ns(&matrix, begun, now), whole - 100 * NS_PER_S),
              "time passes in all of them");
    cr_expect(lt(i64, matrix_left_ns(&matrix, begun, now + whole), whole / 2),
              "one that is late counts for nothing");
    for (size_t i = 0; i < matrix.count; i++)
        if (i != longest)
            matrix.cells[i].cell.ended = xstrdup("ok");
    cr_expect(eq(sz, matrix_reckon(&matrix, MATRIX_FULL), 1));
    cr_expect(eq(i64, matrix.reckoned_ns, whole));
    cr_expect(eq(i64, matrix.bound_ns, matrix.cells[longest].bound_ns));
    matrix.cells[longest].cell.ended = xstrdup("ok");
    cr_expect(eq(i64, matrix_left_ns(&matrix, begun, now), 0));
    free(begun);
    matrix_clear(&matrix);
}

Test(matrix, begins_with_the_echo_on_each_transport_and_rides_on_a_master_once)
{
    struct matrix matrix = planned(MATRIX_USUAL, false);
    size_t rides = 0;
    for (size_t i = 0; i < matrix.count; i++) {
        const struct cell *cell = &matrix.cells[i].cell;
        bool first = i == 0 || !text_is(matrix.cells[i - 1].cell.transport, cell->transport);
        if (first)
            cr_expect(eq(str, cell->work, "echo"));
        rides += json_get(cell->parameters, "master") != NULL;
        cr_expect(lt(i64, matrix.cells[i].reckoned_ns, matrix.cells[i].bound_ns));
    }
    cr_expect(eq(sz, rides, 1));
    matrix_clear(&matrix);
}

/* What of a usual matrix goes beyond the echo in each thing that is varied. */
Test(matrix, varies_each_thing_that_a_conclusion_may_name)
{
    struct matrix matrix = planned(MATRIX_USUAL, false);
    struct levels most = {0};
    for (size_t i = 0; i < matrix.count; i++) {
        struct levels levels;
        struct cell cell = matrix.cells[i].cell;
        cell.ok = true;
        cell.duration_ns = matrix.cells[i].reckoned_ns;
        levels_of(&cell, &levels);
        for (int level = 0; level < LEVEL_COUNT; level++)
            if (levels.of[level] > most.of[level])
                most.of[level] = levels.of[level];
    }
    cr_expect(ge(dbl, most.of[LEVEL_SEGMENT_DOWN], 1500));
    cr_expect(ge(dbl, most.of[LEVEL_SEGMENT_UP], 1500));
    cr_expect(ge(dbl, most.of[LEVEL_IDLE], 60));
    cr_expect(ge(dbl, most.of[LEVEL_CHANNELS], 8));
    cr_expect(ge(dbl, most.of[LEVEL_VOLUME_DOWN], 8e6));
    cr_expect(ge(dbl, most.of[LEVEL_VOLUME_UP], 8e6));
    cr_expect(ge(dbl, most.of[LEVEL_DURATION], 90));
    cr_expect(gt(dbl, most.of[LEVEL_RATE], 0));
    cr_expect(ge(dbl, most.of[LEVEL_BURSTS], 3));
    matrix_clear(&matrix);
}
