/* Lists of words: always an argv or an environment, owning what they hold. */
#include "base/words.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>

TestSuite(base_words, .timeout = 10);

Test(base_words, list_is_always_null_terminated)
{
    AUTO_WORDS words = WORDS_INIT;
    cr_expect_not_null(words_argv(&words));
    cr_expect_null(words_argv(&words)[0]);
    for (size_t i = 0; i < 100; i++) {
        words_addf(&words, "%zu", i);
        cr_assert_eq(words.count, i + 1);
        cr_assert_null(words.items[words.count]);
    }
    words_add_all(&words, "a", "b", NULL);
    words_add_list(&words, (const char *const[]){"c", "d", NULL});
    words_own(&words, xstrdup("e"));
    cr_expect_eq(words.count, 105);
    cr_expect_str_eq(words_argv(&words)[99], "99");
    cr_expect_str_eq(words_argv(&words)[104], "e");
    cr_expect(words_have(&words, "c"));
    cr_expect_not(words_have(&words, "f"));
    words_clear(&words);
    cr_expect_null(words_argv(&words)[0]);
}

Test(base_words, joining_puts_the_word_between_and_nothing_around)
{
    AUTO_WORDS words = WORDS_INIT;
    AUTO_FREE char *none = words_join(&words, ", ");
    words_add(&words, "a");
    AUTO_FREE char *one = words_join(&words, ", ");
    words_add(&words, "b");
    AUTO_FREE char *two = words_join(&words, ", ");
    cr_expect_str_eq(none, "");
    cr_expect_str_eq(one, "a");
    cr_expect_str_eq(two, "a, b");
}

Test(base_words, sorting_drops_what_is_there_twice)
{
    AUTO_WORDS words = WORDS_INIT;
    words_sort_unique(&words);
    words_add_all(&words, "b", "a", "c", "a", "b", "b", "B", NULL);
    words_sort_unique(&words);
    cr_assert_eq(words.count, 4);
    cr_expect_str_eq(words.items[0], "B");
    cr_expect_str_eq(words.items[1], "a");
    cr_expect_str_eq(words.items[2], "b");
    cr_expect_str_eq(words.items[3], "c");
    cr_expect_null(words.items[4]);
}

Test(base_words, environment_has_each_name_once)
{
    AUTO_WORDS environment = WORDS_INIT;
    words_add_all(&environment, "PATHX=no", "EMPTY=", NULL);
    words_set_env(&environment, "PATH", "/bin");
    words_set_env(&environment, "PATH", "/usr/bin:/bin=x");
    cr_expect_eq(environment.count, 3);
    cr_expect_str_eq(words_env(&environment, "PATH"), "/usr/bin:/bin=x");
    cr_expect_str_eq(words_env(&environment, "PATHX"), "no");
    cr_expect_str_eq(words_env(&environment, "EMPTY"), "");
    cr_expect_null(words_env(&environment, "PAT"));
    words_set_env(&environment, "EMPTY", "full");
    cr_expect_str_eq(environment.items[1], "EMPTY=full");
}
