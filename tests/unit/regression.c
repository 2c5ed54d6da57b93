/* What got slower: the rank test against values of another program (SciPy 1.x: mannwhitneyu, method exact and
 * asymptotic; with ties, all ways counted by itertools), and the judgement on it. */
#include "figures/regression.h"

#include "base/memory.h"
#include "base/moment.h"
#include "figures/ranks.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#define P(before, after) rank_test(before, COUNT_OF(before), after, COUNT_OF(after))

Test(rank_test, gives_the_exact_p_of_few_values)
{
    static const int64_t low[] = {1, 2, 3, 4, 5}, high[] = {6, 7, 8, 9, 10};
    static const int64_t before[] = {12, 15, 11, 19, 13, 16}, after[] = {14, 21, 18, 22, 17, 25, 20};
    cr_expect(epsilon_eq(dbl, P(low, high), 0.003968253968253968, 1e-12));
    cr_expect(epsilon_eq(dbl, P(high, low), 1, 1e-12));
    cr_expect(epsilon_eq(dbl, P(before, after), 0.011072261072261072, 1e-12));
}

Test(rank_test, is_exact_whichever_side_has_fewer_values)
{
    static const int64_t three[] = {5, 6, 7}, eight[] = {1, 2, 3, 4, 8, 9, 10, 11};
    cr_expect(epsilon_eq(dbl, P(three, eight), 0.5393939393939394, 1e-12));
    cr_expect(epsilon_eq(dbl, P(eight, three), 0.5393939393939394, 1e-12));
}

Test(rank_test, gives_the_exact_p_with_ties)
{
    static const int64_t before[] = {1, 2, 2, 3, 3, 3}, after[] = {2, 3, 3, 4, 5}, same[] = {7, 7, 7};
    cr_expect(epsilon_eq(dbl, P(before, after), 0.10822510822510822, 1e-12));
    cr_expect(epsilon_eq(dbl, P(same, same), 1, 1e-12));
}

Test(rank_test, approximates_for_many_values_with_and_without_many_ties)
{
    int64_t before[60], shifted[60], tied[60];
    for (int i = 0; i < 60; i++) {
        before[i] = i % 7 * 10;
        shifted[i] = i % 9 * 10 + 5;
        tied[i] = i % 7 * 10 + (i % 2 ? 10 : 0);
    }
    cr_expect(epsilon_eq(dbl, P(before, shifted), 0.001112914726190684, 1e-9));
    cr_expect(epsilon_eq(dbl, P(before, tied), 0.10268801807177314, 1e-9));
}

Test(rank_test, shift_is_the_median_of_all_differences)
{
    static const int64_t before[] = {120, 150, 110, 190, 130, 160},
                         after[] = {140, 210, 180, 220, 170, 250, 200};
    cr_expect(eq(i64, rank_test_shift(before, 6, after, 7), 55));
    cr_expect(eq(i64, rank_test_median(before, 6), 140));
    cr_expect(eq(i64, rank_test_median(after, 7), 200));
}

Test(rank_test, of_nothing_says_nothing)
{
    static const int64_t one[] = {1};
    cr_expect(eq(dbl, rank_test(NULL, 0, one, 1), 1));
    cr_expect(eq(dbl, rank_test_least(0, 5), 1));
    cr_expect(epsilon_eq(dbl, rank_test_least(5, 5), 1.0 / 252, 1e-15));
}

/* Times in tenths of seconds around 10 s: n values that differ by up to 1 %. */
static void around(int64_t *out, size_t n, int64_t tenths)
{
    for (size_t i = 0; i < n; i++)
        out[i] = tenths * NS_PER_S / 10 + (int64_t)(i * 37 % n) * tenths * NS_PER_S / 10 / 100 / (int64_t)n;
}

static struct regression phase(const int64_t *before, size_t before_count, const int64_t *after,
                               size_t after_count)
{
    return (struct regression){
        .before = before, .before_count = before_count, .after = after, .after_count = after_count};
}

Test(regression, names_what_two_cycles_show_to_be_slower)
{
    int64_t before[8], after[8];
    around(before, 8, 100);
    around(after, 8, 120);
    struct regression row = phase(before, 8, after, 8);
    regression_judge(&row, 1);
    cr_expect(eq(int, row.verdict, REGRESSION_SLOWER));
    cr_expect(eq(int, row.test, REGRESSION_RANKS));
    cr_expect(row.shift_ns > 19 * NS_PER_S / 10 && row.shift_ns < 22 * NS_PER_S / 10);
}

Test(regression, is_no_news_below_a_tenth_or_a_fifth_of_a_second_however_sure)
{
    int64_t before[12], after[12], quick[12], quicker[12];
    around(before, 12, 100);
    around(after, 12, 108);
    around(quick, 12, 1);
    around(quicker, 12, 2); /* twice as slow, by 0.1 s */
    struct regression rows[] = {phase(before, 12, after, 12), phase(quick, 12, quicker, 12)};
    regression_judge(rows, 2);
    cr_expect(eq(int, rows[0].verdict, REGRESSION_NOT_SLOWER));
    cr_expect(eq(int, rows[1].verdict, REGRESSION_NOT_SLOWER));
}

Test(regression, a_stray_value_alarms_nobody)
{
    int64_t before[10], after[10], one[1];
    around(before, 10, 20);
    around(after, 10, 20);
    after[3] += 50 * NS_PER_S;
    before[7] += NS_PER_S;
    one[0] = 3 * NS_PER_S; /* a second more, as once before */
    struct regression rows[] = {phase(before, 10, after, 10), phase(before, 10, one, 1)};
    regression_judge(rows, 2);
    cr_expect(eq(int, rows[0].verdict, REGRESSION_NOT_SLOWER));
    cr_expect(eq(int, rows[1].test, REGRESSION_MARGIN));
    cr_expect(eq(int, rows[1].verdict, REGRESSION_NOT_SLOWER));
}

Test(regression, what_strayed_elsewhere_may_stray_here)
{
    int64_t calm[10], wild[10], one[1] = {3 * NS_PER_S};
    around(calm, 10, 20);
    around(wild, 10, 20);
    wild[0] += NS_PER_S;
    struct regression rows[] = {phase(calm, 10, one, 1), phase(wild, 10, wild, 1)};
    regression_judge(rows, 2);
    cr_expect(eq(int, rows[0].verdict, REGRESSION_NOT_SLOWER));
    rows[0] = phase(calm, 10, one, 1);
    regression_judge(rows, 1);
    cr_expect(eq(int, rows[0].verdict, REGRESSION_SLOWER), "without the other it is far beyond all");
}

Test(regression, names_a_single_run_far_beyond_its_history)
{
    int64_t before[10], one[1] = {30 * NS_PER_S};
    around(before, 10, 200);
    struct regression row = phase(before, 10, one, 1);
    regression_judge(&row, 1);
    cr_expect(eq(int, row.verdict, REGRESSION_SLOWER));
    cr_expect(eq(int, row.test, REGRESSION_MARGIN));
    cr_expect(lt(dbl, row.p, 0));
}

Test(regression, says_that_too_few_values_are_too_few)
{
    int64_t before[9], after[3], one[1] = {90 * NS_PER_S};
    around(before, 9, 100);
    around(after, 3, 900);
    struct regression rows[] = {phase(before, 9, one, 1), phase(before, 3, after, 3),
                                phase(before, 9, NULL, 0)};
    regression_judge(rows, 3);
    for (size_t i = 0; i < 3; i++) {
        cr_expect(eq(int, rows[i].verdict, REGRESSION_TOO_FEW), "row %zu", i);
        cr_expect(eq(int, rows[i].test, REGRESSION_NO_TEST));
    }
}

Test(regression, pays_for_looking_at_many_things)
{
    /* 1 of 252 is below 5 % alone, not among forty. */
    int64_t before[5], after[5];
    struct regression rows[40];
    around(before, 5, 100);
    around(after, 5, 150);
    for (size_t i = 0; i < 40; i++)
        rows[i] = phase(before, 5, after, 5);
    regression_judge(rows, 1);
    cr_expect(eq(int, rows[0].verdict, REGRESSION_SLOWER));
    cr_expect(epsilon_eq(dbl, rows[0].p, 3.0 / 252, 1e-12), "a third of the alpha for each level");
    rows[0].verdict = REGRESSION_TOO_FEW;
    regression_judge(rows, 40);
    cr_expect(eq(int, rows[0].verdict, REGRESSION_TOO_FEW));
}

Test(regression, holm_lets_the_clear_ones_through_first)
{
    int64_t before[8], slower[8], hardly[8];
    around(before, 8, 100);
    around(slower, 8, 150);
    around(hardly, 8, 110);
    hardly[0] += 2 * NS_PER_S;
    struct regression rows[] = {phase(before, 8, hardly, 8), phase(before, 8, slower, 8)};
    regression_judge(rows, 2);
    cr_expect(eq(int, rows[1].verdict, REGRESSION_SLOWER));
    cr_expect(epsilon_eq(dbl, rows[1].p, 2 * 3.0 / 12870, 1e-12));
    cr_expect(eq(int, rows[0].verdict, REGRESSION_NOT_SLOWER));
}

Test(regression, leaves_alone_what_is_not_alike)
{
    int64_t before[10], after[10];
    around(before, 10, 100);
    around(after, 10, 900);
    struct regression row = phase(before, 10, after, 10);
    row.verdict = REGRESSION_UNLIKE;
    regression_judge(&row, 1);
    cr_expect(eq(int, row.verdict, REGRESSION_UNLIKE));
    cr_expect(eq(i64, row.after_median_ns > row.before_median_ns, 1));
}
