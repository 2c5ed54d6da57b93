#include "base/number.h"

#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>

int number_parse(const char *text, int64_t least, int64_t most, int64_t *out, struct error *err)
{
    const char *at = text ? text : "";
    bool negative = least < 0 && *at == '-', good;
    int64_t value = 0;
    at += negative;
    for (good = isdigit((unsigned char)*at); good && isdigit((unsigned char)*at); at++) {
        int digit = *at - '0';
        good = !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_add_overflow(value, negative ? -digit : digit, &value);
    }
    if (good && !*at && value >= least && value <= most) {
        *out = value;
        return 0;
    }
    AUTO_FREE char *shown = text_shown(text ? text : "");
    return error_set(err, ERROR_USAGE, "takes a whole number from %lld to %lld, not '%s'", (long long)least,
                     (long long)most, shown);
}

int number_parse_int(const char *text, int least, int most, int *out, struct error *err)
{
    int64_t value = 0;
    if (number_parse(text, least, most, &value, err) < 0)
        return -1;
    *out = (int)value;
    return 0;
}

int64_t number_add(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (b < 0 ? INT64_MIN : INT64_MAX) : sum;
}
