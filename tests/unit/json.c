/* JSON: what is refused, what reads as absent, and what comes out again. */
#include "format/json.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct json *parse(const char *text)
{
    return json_parse(text, strlen(text), NULL);
}

Test(json, a_fault_is_named_by_line_and_column)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_null(json_parse("{\n\"a\": nope}", 12, &err));
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect(strstr(error_text(&err), "line 2, column"), "%s", error_text(&err));
}

Test(json, duplicate_keys_nul_bytes_rests_and_deep_nesting_are_refused)
{
    cr_expect_null(parse("{\"a\":1,\"a\":2}"));
    cr_expect_null(parse("\"\\u0000\""));
    cr_expect_null(json_parse("\"a\0b\"", 5, NULL));
    cr_expect_null(parse("{} {}"));
    cr_expect_null(parse(""));
    cr_expect_null(parse("\"\xff\""));
    char deep[2 * 65 + 1] = "";
    memset(deep, '[', 65);
    memset(deep + 65, ']', 65);
    cr_expect_null(parse(deep), "65 levels");
    AUTO_JSON *fits = json_parse(deep + 1, 128, NULL);
    cr_expect_not_null(fits, "64 levels");
    AUTO_JSON *quoted =
        parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"");
    cr_expect_not_null(quoted, "brackets in a string are no levels");
}

Test(json, a_wrong_type_reads_as_absent)
{
    AUTO_JSON *json =
        parse("{\"s\":\"x\",\"n\":7,\"r\":2.9,\"huge\":1e300,\"t\":true,\"null\":null,\"list\":[1]}");
    cr_assert_not_null(json);
    cr_expect_str_eq(json_get_string(json, "s", "?"), "x");
    cr_expect_str_eq(json_get_string(json, "n", "?"), "?");
    cr_expect_eq(json_get_integer(json, "n", -1), 7);
    cr_expect_eq(json_get_integer(json, "r", -1), 2, "a real is cut");
    cr_expect_eq(json_get_integer(json, "huge", -1), -1, "what is no int64 is no integer");
    cr_expect_eq(json_get_integer(json, "s", -1), -1);
    cr_expect(json_get_bool(json, "t"));
    cr_expect_not(json_get_bool(json, "n"));
    cr_expect_null(json_get(NULL, "x"));
    cr_expect_null(json_get(json_get(json, "list"), "x"));
    cr_expect_eq(json_count(json_get(json, "s")), 0);
    cr_expect_eq(json_integer(json_at(json_get(json, "list"), 0), -1), 1);
    cr_expect_null(json_at(json_get(json, "list"), 1));
}

Test(json, any_text_and_any_number_can_be_written)
{
    AUTO_JSON *json = json_new_object();
    json_set_string(json, "text", "a\xff\n");
    json_set_string(json, "none", NULL);
    json_set(json, "nan", json_new_real(NAN));
    json_set(json, "ms", json_new_real(12.345));
    json_set_integer(json, "least", INT64_MIN);
    AUTO_FREE char *line = json_compact(json);
    cr_expect_str_eq(line, "{\"text\":\"a\\\\xff\\\\x0a\",\"none\":null,\"nan\":null,\"ms\":12.345,\"least\":"
                           "-9223372036854775808}");
}

Test(json, members_are_walked_in_the_order_they_were_set)
{
    AUTO_JSON *json = parse("{\"z\":1,\"a\":2}");
    const char *key;
    struct json *value;
    AUTO_TEXT seen = TEXT_INIT;
    for (void *at = NULL; json_each(json, &at, &key, &value);)
        text_addf(&seen, "%s%lld", key, (long long)json_integer(value, 0));
    cr_expect_str_eq(text_string(&seen), "z1a2");
    AUTO_JSON *empty = json_new_object();
    void *at = NULL;
    cr_expect_eq(json_each(empty, &at, &key, &value), 0);
}

Test(json, an_array_keeps_what_came_last)
{
    AUTO_JSON *array = json_new_array();
    for (int i = 0; i < 5; i++)
        json_append(array, json_new_integer(i));
    json_keep_last(array, 7);
    cr_expect_eq(json_count(array), 5);
    json_keep_last(array, 2);
    AUTO_FREE char *left = json_compact(array);
    cr_expect_str_eq(left, "[3,4]");
    json_keep_last(array, 0);
    cr_expect_eq(json_count(array), 0);
}
