/* Looks at a target's health: which are kept, and the spans of time that are told from them. */
#include "figures/health.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "health/sight.h"

#include <criterion/criterion.h>

static const int expected[] = {200, 429, 0}, early[] = {501, 0};
static const struct health_settings settings = {.expect = (int *)(uintptr_t)expected,
                                                .before = (int *)(uintptr_t)early};

Test(health_windows, a_status_is_healthy_or_early_or_a_cause_of_its_own)
{
    static const struct {
        int status;
        bool healthy, early;
        const char *cause;
    } cases[] = {{200, true, false, NULL},        {429, true, false, NULL},
                 {501, false, true, "http-501"},  {500, false, false, "http-500"},
                 {503, false, false, "http-503"}, {302, false, false, "http-302"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct health_sight sight = {0};
        char cause[HEALTH_CAUSE_SIZE];
        health_sight_judge(&settings, cases[i].status, cause, &sight);
        cr_expect(sight.healthy == cases[i].healthy && sight.early == cases[i].early, "%d", cases[i].status);
        cr_expect(text_is(sight.cause, cases[i].cause), "%d", cases[i].status);
        cr_expect_eq(sight.code, cases[i].status);
    }
}

static enum health_worth take(struct health_kept *kept, int64_t at_s, const char *cause)
{
    const struct health_sight sight = {.healthy = !cause, .cause = cause, .at_ns = at_s * NS_PER_S};
    return health_kept_take(kept, &sight);
}

Test(health_windows, the_first_each_change_and_one_in_a_while_are_kept_and_the_last_is_owed)
{
    struct health_kept kept = {0};
    cr_assert_eq(take(&kept, 100, "refused"), HEALTH_CHANGED, "the first");
    cr_assert_eq(take(&kept, 102, "refused"), HEALTH_PASSED_OVER);
    cr_assert(kept.unkept, "if it ends here that one is to be kept");
    cr_assert_eq(take(&kept, 104, "http-503"), HEALTH_CHANGED, "another cause");
    cr_assert_not(kept.unkept);
    cr_assert_eq(take(&kept, 106, "http-500"), HEALTH_CHANGED, "503 and 500 are told apart");
    cr_assert_eq(take(&kept, 108, NULL), HEALTH_CHANGED);
    for (int at = 110; at < 108 + HEALTH_KEPT_S; at += 2)
        cr_assert_eq(take(&kept, at, NULL), HEALTH_PASSED_OVER);
    cr_assert_eq(take(&kept, 108 + HEALTH_KEPT_S, NULL), HEALTH_KEPT);
    cr_assert_eq(take(&kept, 50, NULL), HEALTH_KEPT, "the clock went back");
}

Test(health_windows, a_long_run_keeps_few_of_its_looks)
{
    struct health_kept kept = {0};
    int count = 0;
    for (int at = 0; at < 7200; at += 2)
        count += take(&kept, 1000 + at, at % 600 < 100 ? "timeout" : NULL) != HEALTH_PASSED_OVER;
    cr_assert_leq(count, 7200 / HEALTH_KEPT_S + 2 * 12 + 1);
}

static struct history_health sample(int64_t at_s, const char *cause)
{
    return (struct history_health){.at_ns = at_s * NS_PER_S,
                                   .healthy = !cause,
                                   .cause = (char *)(uintptr_t)cause,
                                   .via = (char *)(uintptr_t) "ssh"};
}

Test(health_windows, spans_meet_and_each_window_has_its_causes_and_the_step_it_fell_in)
{
    struct history_step steps[] = {
        {.seq = 1, .name = (char *)(uintptr_t) "provision", .started_ns = 0},
        {.seq = 2, .name = (char *)(uintptr_t) "install", .started_ns = 15 * NS_PER_S},
        {.seq = 3, .name = (char *)(uintptr_t) "converge", .started_ns = 40 * NS_PER_S}};
    const struct history_health samples[] = {
        sample(10, "refused"),  sample(18, "http-501"), sample(20, NULL),       sample(35, NULL),
        sample(42, "http-503"), sample(44, "http-500"), sample(45, "http-503"), sample(47, NULL),
        sample(60, "timeout"),  sample(65, "timeout"),
    };
    struct health_account account;
    health_account_make(samples, COUNT_OF(samples), steps, COUNT_OF(steps), &account);
    cr_assert_eq(account.count, 5);
    static const struct {
        enum health_state state;
        int64_t from, to;
        const char *step, *causes;
    } wanted[] = {{HEALTH_NOT_YET, 10, 20, "provision", "refused http-501"},
                  {HEALTH_HEALTHY, 20, 42, "install", ""},
                  {HEALTH_UNHEALTHY, 42, 47, "converge", "http-503 http-500"},
                  {HEALTH_HEALTHY, 47, 60, "converge", ""},
                  {HEALTH_UNHEALTHY, 60, 65, "converge", "timeout"}};
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        const struct health_span *span = &account.spans[i];
        AUTO_FREE char *causes = words_join(&span->causes, " ");
        cr_expect_eq(span->state, wanted[i].state, "%zu", i);
        cr_expect_eq(span->from_ns, wanted[i].from * NS_PER_S, "%zu", i);
        cr_expect_eq(span->to_ns, wanted[i].to * NS_PER_S, "%zu", i);
        cr_expect_str_eq(span->step->name, wanted[i].step, "%zu", i);
        cr_expect_str_eq(causes, wanted[i].causes, "%zu", i);
        cr_expect_eq(span->open, i + 1 == COUNT_OF(wanted), "%zu", i);
    }
    cr_assert_eq(account.first_healthy_ns, 20 * NS_PER_S);
    cr_assert_eq(account.unhealthy_ns, 10 * NS_PER_S);
    cr_assert_eq(account.windows, 2);
    cr_assert_str_eq(account.via, "ssh");
    health_account_clear(&account);
}

Test(health_windows, of_nothing_and_of_what_was_never_healthy_nothing_is_made_up)
{
    struct health_account account;
    health_account_make(NULL, 0, NULL, 0, &account);
    cr_assert(account.count == 0 && account.first_healthy_ns == 0 && account.windows == 0);
    const struct history_health samples[] = {sample(5, "no-ca"), sample(9, "refused")};
    health_account_make(samples, 2, NULL, 0, &account);
    cr_assert_eq(account.count, 1);
    cr_assert(account.spans[0].state == HEALTH_NOT_YET && account.spans[0].open && !account.spans[0].step);
    cr_assert_eq(account.first_healthy_ns, 0);
    cr_assert_eq(account.unhealthy_ns, 0);
    health_account_clear(&account);
}
