/* Durations are read exactly as documented and nothing else is; points in time are written for
 * machines and for people. */
#include "base/moment.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

TestSuite(base_moment, .timeout = 10);

#define MINUTE (60 * NS_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

Test(base_moment, durations_are_read_and_written_back_exactly)
{
    static const struct {
        const char *text;
        int64_t ns;
        const char *canonical;
    } all[] = {
        {"0s", 0, "0s"},
        {"90s", 90 * NS_PER_S, "1m30s"},
        {"5m", 5 * MINUTE, "5m"},
        {"1h30m", 90 * MINUTE, "1h30m"},
        {"500ms", 500 * NS_PER_MS, "500ms"},
        {"90d", 90 * DAY, "90d"},
        {"1d2h3m4s5ms", DAY + 2 * HOUR + 3 * MINUTE + 4 * NS_PER_S + 5 * NS_PER_MS, "1d2h3m4s5ms"},
        {"0001s", NS_PER_S, "1s"},
        {"3653d", 3653 * DAY, "3653d"},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        int64_t ns = -1, again = -1;
        AUTO_ERROR err = ERROR_INIT;
        cr_assert_eq(duration_parse(all[i].text, &ns, &err), 0, "%s: %s", all[i].text, error_text(&err));
        cr_expect_eq(ns, all[i].ns, "%s", all[i].text);
        AUTO_FREE char *text = duration_text(ns);
        cr_expect_str_eq(text, all[i].canonical);
        cr_assert_eq(duration_parse(text, &again, NULL), 0);
        cr_expect_eq(again, ns);
    }
}

Test(base_moment, everything_else_is_no_duration)
{
    static const char *const all[] = {"",
                                      "5",
                                      "m",
                                      "-5m",
                                      "+5m",
                                      "5 m",
                                      " 5m",
                                      "5m ",
                                      "1.5h",
                                      "5M",
                                      "30m1h",
                                      "1m1m",
                                      "1h90",
                                      "5min",
                                      "3654d",
                                      "9999999999999999999s",
                                      "99999999999999999999999999999999d",
                                      "0x10s",
                                      "5µs",
                                      "1e3s",
                                      "s5"};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        int64_t ns = 77;
        AUTO_ERROR err = ERROR_INIT;
        cr_expect_eq(duration_parse(all[i], &ns, &err), -1, "'%s' was read as %lld", all[i], (long long)ns);
        cr_expect_eq(ns, 77, "outputs are untouched on failure");
        cr_expect_eq(err.kind, ERROR_PROJECT);
    }
}

Test(base_moment, short_form_is_for_people)
{
    static const struct {
        int64_t ns;
        const char *text;
    } all[] = {{0, "0.00s"},
               {350 * NS_PER_MS, "0.35s"},
               {12100 * NS_PER_MS, "12.1s"},
               {125 * NS_PER_S, "2m05s"},
               {3720 * NS_PER_S, "1h02m"},
               {25 * HOUR, "25h00m"}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *text = duration_show(all[i].ns);
        cr_expect_str_eq(text, all[i].text);
    }
}

Test(base_moment, points_in_time_are_written_to_the_nanosecond)
{
    AUTO_FREE char *epoch = moment_rfc3339(0);
    cr_expect_str_eq(epoch, "1970-01-01T00:00:00.000000000Z");
    AUTO_FREE char *some = moment_rfc3339(INT64_C(1767323045123456789));
    cr_expect_str_eq(some, "2026-01-02T03:04:05.123456789Z");
    AUTO_FREE char *last = moment_rfc3339(INT64_MAX);
    cr_expect_str_eq(last, "2262-04-11T23:47:16.854775807Z");
    setenv("TZ", "UTC-2", 1);
    tzset();
    AUTO_FREE char *clock = moment_clock(INT64_C(1767323045123456789));
    cr_expect_str_eq(clock, "05:04:05", "local time");
}

Test(base_moment, monotonic_clock_does_not_go_back)
{
    int64_t last = moment_monotonic();
    for (int i = 0; i < 1000; i++) {
        int64_t now = moment_monotonic();
        cr_assert_geq(now, last);
        last = now;
    }
    cr_expect_gt(moment_wall(), INT64_C(1700000000) * NS_PER_S);
}
