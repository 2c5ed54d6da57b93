#include "base/number.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>

enum { UNTOUCHED = -77 };

/* What is made of it from -1000 to 1000, UNTOUCHED where it is refused. */
static int read_as(const char *text)
{
    int value = UNTOUCHED;
    AUTO_ERROR err = ERROR_INIT;
    int status = number_parse_int(text, -1000, 1000, &value, &err);
    cr_assert_eq(status < 0, value == UNTOUCHED, "'%s'", text ? text : "(null)");
    cr_assert_eq(err.kind, status < 0 ? ERROR_USAGE : ERROR_NONE);
    return value;
}

Test(base_number, digits_alone_are_a_number)
{
    cr_assert_eq(read_as("0"), 0);
    cr_assert_eq(read_as("7"), 7);
    cr_assert_eq(read_as("010"), 10, "decimal, whatever it begins with");
    cr_assert_eq(read_as("1000"), 1000);
    cr_assert_eq(read_as("-12"), -12);
}

Test(base_number, what_is_not_a_number_in_full_is_refused_and_changes_nothing)
{
    static const char *const refused[] = {"",      "4x",  "x4",  "4 ",   " 4",  "\t4", "4\n",
                                          "+4",    "--4", "-",   "0x10", "4.0", "4e1", "4,5",
                                          "1_000", "４",  "4 5", "- 4",  "inf", "nan"};
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        cr_assert_eq(read_as(refused[i]), UNTOUCHED, "'%s'", refused[i]);
    cr_assert_eq(read_as(NULL), UNTOUCHED);
}

Test(base_number, the_bounds_are_in_and_what_is_beyond_is_refused)
{
    int64_t value = UNTOUCHED;
    cr_assert_eq(number_parse("1", 1, 64, &value, NULL), 0);
    cr_assert_eq(number_parse("64", 1, 64, &value, NULL), 0);
    cr_assert_eq(value, 64);
    cr_assert_lt(number_parse("0", 1, 64, &value, NULL), 0);
    cr_assert_lt(number_parse("65", 1, 64, &value, NULL), 0);
    cr_assert_lt(number_parse("-0", 0, 64, &value, NULL), 0, "a sign where no number below 0 is taken");
    cr_assert_eq(value, 64);
}

Test(base_number, what_no_integer_holds_is_refused_and_not_cut_to_the_nearest)
{
    int64_t value = UNTOUCHED;
    cr_assert_eq(number_parse("9223372036854775807", INT64_MIN, INT64_MAX, &value, NULL), 0);
    cr_assert_eq(value, INT64_MAX);
    cr_assert_eq(number_parse("-9223372036854775808", INT64_MIN, INT64_MAX, &value, NULL), 0);
    cr_assert_eq(value, INT64_MIN);
    static const char *const refused[] = {"9223372036854775808", "-9223372036854775809",
                                          "18446744073709551617", "99999999999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        cr_assert_lt(number_parse(refused[i], INT64_MIN, INT64_MAX, &value, NULL), 0, "'%s'", refused[i]);
    cr_assert_eq(value, INT64_MIN);
}

Test(base_number, the_message_says_what_would_be_taken_and_what_was_given_printably)
{
    int value;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_lt(number_parse_int("4\033[x", 1, 64, &value, &err), 0);
    cr_assert_str_eq(error_text(&err), "takes a whole number from 1 to 64, not '4\\x1b[x'");
}
