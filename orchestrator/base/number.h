/* Whole numbers as somebody wrote them. What is not such a number in full is refused,
 * never read as far as it goes. And sums of such that nobody has looked at. */
#pragma once
#include "base/error.h"
#include <stdint.h>

/* Decimal digits, with a '-' before them where `least` is below 0, and nothing else: no '+', no space, no
 * other base, nothing behind them. Fails with ERROR_USAGE for anything else (NULL and "" too) and for what
 * lies outside of `least` to `most`; the message begins with "takes a whole number from", so that a caller
 * puts before it what does. */
int number_parse(const char *text, int64_t least, int64_t most, int64_t *out, struct error *err);
/* The same into an int. */
int number_parse_int(const char *text, int least, int most, int *out, struct error *err);
/* The sum; where that has no room, the end of what has: rows of a foreign store may hold any number. */
int64_t number_add(int64_t a, int64_t b);
