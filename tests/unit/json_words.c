/* Lists of words in JSON: what comes back, and what is passed over. */
#include "format/json_words.h"

#include "base/memory.h"

#include <criterion/criterion.h>
#include <string.h>

Test(json_words, what_was_written_is_read_again_behind_what_is_there)
{
    AUTO_WORDS words = WORDS_INIT, none = WORDS_INIT, read = WORDS_INIT;
    words_add_all(&words, "b", "", "a b", NULL);
    AUTO_JSON *array = json_words_array(&words), *empty = json_words_array(&none);
    AUTO_FREE char *text = json_compact(array), *of_none = json_compact(empty);
    words_add(&read, "first");
    json_words_add(array, &read);
    AUTO_FREE char *all = words_join(&read, "|");
    cr_expect_str_eq(text, "[\"b\",\"\",\"a b\"]");
    cr_expect_str_eq(of_none, "[]");
    cr_expect_str_eq(all, "first|b||a b");
}

Test(json_words, what_is_no_text_or_no_list_adds_nothing)
{
    static const char mixed[] = "[1, \"a\", null, [\"b\"], \"c\"]", object[] = "{\"a\": \"b\"}";
    AUTO_WORDS read = WORDS_INIT;
    AUTO_JSON *list = json_parse(mixed, strlen(mixed), NULL),
              *no_list = json_parse(object, strlen(object), NULL);
    json_words_add(list, &read);
    json_words_add(no_list, &read);
    json_words_add(NULL, &read);
    AUTO_FREE char *all = words_join(&read, "|");
    cr_expect_str_eq(all, "a|c");
}
