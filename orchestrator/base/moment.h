/* Points in time and durations. All are int64 nanoseconds: wall clock since 1970 UTC, monotonic
 * since boot. Timers and durations use the monotonic clock only, so that nothing depends on the
 * wall clock going forward. */
#pragma once
#include "base/error.h"
#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

int64_t moment_wall(void);
int64_t moment_monotonic(void);
/* Sleeps that long, whatever signals come; at once where it is not positive. */
void moment_sleep(int64_t ns);
/* "2026-01-02T03:04:05.123456789Z", malloc'ed. */
char *moment_rfc3339(int64_t wall_ns);
/* The other way round, with a zone too ("+01:00"); 0 for what lies outside of 1970 to 2200 and for anything
 * else. */
int64_t moment_from_rfc3339(const char *text);
/* "03:04:05" local time, malloc'ed. */
char *moment_clock(int64_t wall_ns);
/* `90s`, `5m`, `1h30m`, `500ms`, `90d`; each unit at most once, largest first, no sign, no space. Fails on
 * everything else, on zero-length text and above 10 years. `0s` is 0. */
int duration_parse(const char *text, int64_t *out_ns, struct error *err);
/* Short for people: `0.35s`, `12.1s`, `2m05s`, `1h02m`. malloc'ed. */
char *duration_show(int64_t ns);
/* The two largest units, for ages: `3 h 12 m`, `2 d 4 h`, `40 s`. malloc'ed. */
char *duration_rough(int64_t ns);
/* The form duration_parse reads, exact: `1h30m`, `90s` becomes `1m30s`. malloc'ed. */
char *duration_text(int64_t ns);
