#include "base/moment.h"

#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t moment_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

int64_t moment_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

void moment_sleep(int64_t ns)
{
    struct timespec left = {ns / NS_PER_S, ns % NS_PER_S};
    while (ns > 0 && nanosleep(&left, &left) < 0 && errno == EINTR) {}
}

char *moment_rfc3339(int64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm parts;
    char date[40];
    if (!gmtime_r(&seconds, &parts) || !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts))
        return xstrdup("0000-00-00T00:00:00.000000000Z");
    return xasprintf("%s.%09dZ", date, (int)(wall_ns % NS_PER_S));
}

int64_t moment_from_rfc3339(const char *text)
{
    struct tm tm = {0};
    int end = 0, hours = 0, minutes = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec, &end) < 6 ||
        !end || tm.tm_year < 1970 || tm.tm_year > 2200)
        return 0;
    int64_t ns = 0, east = 0;
    const char *rest = text + end;
    if (*rest == '.')
        for (int64_t part = NS_PER_S / 10; *++rest >= '0' && *rest <= '9'; part /= 10)
            ns += (*rest - '0') * part;
    if (sscanf(rest, "%3d:%2d", &hours, &minutes) == 2)
        east = hours * INT64_C(3600) + (*rest == '-' ? -minutes : minutes) * INT64_C(60);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return ((int64_t)timegm(&tm) - east) * NS_PER_S + ns;
}

char *moment_clock(int64_t wall_ns)
{
    time_t seconds = (time_t)(wall_ns / NS_PER_S);
    struct tm parts;
    char clock[16];
    if (!localtime_r(&seconds, &parts) || !strftime(clock, sizeof clock, "%H:%M:%S", &parts))
        return xstrdup("--:--:--");
    return xstrdup(clock);
}

static const struct {
    const char *name;
    int64_t ns;
} units[] = {
    {"d", 86400 * NS_PER_S}, {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S}, {"ms", NS_PER_MS},
};

int duration_parse(const char *text, int64_t *out_ns, struct error *err)
{
    const int64_t limit = INT64_C(3653) * 86400 * NS_PER_S;
    int64_t total = 0;
    size_t next_unit = 0;
    const char *at = text;
    if (!*at)
        goto bad;
    while (*at) {
        int64_t number = 0;
        size_t digits = 0;
        for (; isdigit((unsigned char)*at); at++, digits++) {
            if (number > limit / 10)
                goto bad;
            number = number * 10 + (*at - '0');
        }
        size_t letters = 0;
        while (isalpha((unsigned char)at[letters]))
            letters++;
        size_t unit = next_unit;
        while (unit < COUNT_OF(units) &&
               !(strlen(units[unit].name) == letters && memcmp(units[unit].name, at, letters) == 0))
            unit++;
        if (!digits || unit == COUNT_OF(units) || number > (limit - total) / units[unit].ns)
            goto bad;
        total += number * units[unit].ns;
        next_unit = unit + 1;
        at += letters;
    }
    *out_ns = total;
    return 0;
bad:
    return error_set(err, ERROR_PROJECT, "'%.40s' is no duration; write it like 90s, 5m or 1h30m", text);
}

char *duration_show(int64_t ns)
{
    double seconds = (double)ns / (double)NS_PER_S;
    long long whole = (long long)(ns / NS_PER_S);
    if (seconds < 10)
        return xasprintf("%.2fs", seconds);
    if (seconds < 60)
        return xasprintf("%.1fs", seconds);
    if (whole < 3600)
        return xasprintf("%lldm%02llds", whole / 60, whole % 60);
    return xasprintf("%lldh%02lldm", whole / 3600, whole / 60 % 60);
}

char *duration_rough(int64_t ns)
{
    enum { MINUTES = 2, SECONDS = 3 }; /* of the units */
    size_t at = 0;
    while (at < SECONDS && ns < units[at].ns)
        at++;
    long long first = ns > 0 ? ns / units[at].ns : 0;
    /* Seconds beside minutes are of no use for an age. */
    long long second = at < MINUTES ? ns % units[at].ns / units[at + 1].ns : 0;
    return second ? xasprintf("%lld %s %lld %s", first, units[at].name, second, units[at + 1].name)
                  : xasprintf("%lld %s", first, units[at].name);
}

char *duration_text(int64_t ns)
{
    AUTO_TEXT out = TEXT_INIT;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (ns >= units[i].ns) {
            text_addf(&out, "%lld%s", (long long)(ns / units[i].ns), units[i].name);
            ns %= units[i].ns;
        }
    }
    if (!out.length)
        text_add(&out, "0s");
    return text_take(&out);
}
