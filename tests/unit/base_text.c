/* Strings: growing, what is valid UTF-8, what is safe on a terminal and in a shell, which name was meant. */
#include "base/text.h"

#include "base/memory.h"
#include "base/moment.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

TestSuite(base_text, .timeout = 30);

Test(base_text, lines_of_a_message_stay_lines_and_each_is_printable)
{
    AUTO_TEXT text = TEXT_INIT;
    text_add_printable_lines(&text, "one\x1b[31m\ntwo\r\r\n\nth\rree\n", "\n  ");
    cr_expect_str_eq(text_string(&text), "one\\x1b[31m\n  two\n  \n  th\\x0dree");
    AUTO_TEXT empty = TEXT_INIT;
    text_add_printable_lines(&empty, "", "\n  ");
    cr_expect_str_eq(text_string(&empty), "");
}

Test(base_text, grows_and_stays_terminated)
{
    AUTO_TEXT text = TEXT_INIT;
    cr_expect_str_eq(text_string(&text), "");
    AUTO_TEXT wanted = TEXT_INIT;
    for (int i = 0; i < 1000; i++) {
        text_addf(&text, "%d,", i);
        cr_assert_eq(text.bytes[text.length], '\0');
        cr_assert_leq(text.length + 1, text.room);
    }
    cr_expect(text_starts(text_string(&text), "0,1,2,"));
    cr_expect(text_ends(text_string(&text), ",998,999,"));
    text_add_bytes(&wanted, "a\0b", 3);
    cr_expect_eq(wanted.length, 3);
    text_add_bytes(&wanted, NULL, 0);
    cr_expect_eq(wanted.length, 3);
}

Test(base_text, the_end_can_be_dropped)
{
    AUTO_TEXT text = TEXT_INIT;
    text_truncate(&text, 0);
    text_add(&text, "0123456789");
    text_truncate(&text, 100);
    cr_expect_str_eq(text_string(&text), "0123456789");
    text_truncate(&text, 4);
    cr_expect_str_eq(text_string(&text), "0123");
    text_truncate(&text, 0);
    cr_expect_str_eq(text_string(&text), "");
    cr_expect_eq(text.length, 0);
}

Test(base_text, taking_moves_the_string_out)
{
    AUTO_TEXT text = TEXT_INIT;
    AUTO_FREE char *empty = text_take(&text);
    cr_expect_str_eq(empty, "");
    text_add(&text, "word");
    AUTO_FREE char *word = text_take(&text);
    cr_expect_str_eq(word, "word");
    cr_expect_eq(text.length, 0);
    cr_expect_str_eq(text_string(&text), "");
}

Test(base_text, comparing_takes_null_for_equal_to_null_alone)
{
    cr_expect(text_is(NULL, NULL));
    cr_expect_not(text_is(NULL, ""));
    cr_expect_not(text_is("", NULL));
    cr_expect(text_is("a", "a"));
    cr_expect(text_starts("abc", "") && text_ends("abc", "") && text_ends("abc", "abc"));
    cr_expect_not(text_ends("bc", "abc"));
    cr_expect_not(text_starts("ab", "abc"));
}

Test(base_text, utf8_is_what_rfc_3629_says)
{
    static const char *const good[] = {
        "", "plain", "µ", "€", "𝄞", "\x7f", "\xc2\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "a\xe2\x82",
                                      "\xc3\x28"};
    for (size_t i = 0; i < COUNT_OF(good); i++)
        cr_expect(text_is_utf8(good[i], strlen(good[i])), "good %zu", i);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        cr_expect_not(text_is_utf8(bad[i], strlen(bad[i])), "bad %zu", i);
    cr_expect_not(text_is_utf8("a\0b", 3), "a NUL is no text");
}

Test(base_text, printable_form_has_no_control_characters)
{
    static const struct {
        const char *bytes, *wanted;
        size_t length;
    } all[] = {
        {"plain ä€𝄞", "plain ä€𝄞", 15},
        {"\x1b[31mred", "\\x1b[31mred", 8},
        {"a\0b", "a\\x00b", 3},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m", 5},
        {"\xff\xc3(", "\\xff\\xc3(", 3},
        {"tab\tnl\n\x7f", "tab\\x09nl\\x0a\\x7f", 8},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_TEXT out = TEXT_INIT;
        text_add_printable(&out, all[i].bytes, all[i].length);
        cr_expect_str_eq(text_string(&out), all[i].wanted);
        cr_expect(text_is_utf8(text_string(&out), out.length));
    }
}

/* Asked of a real shell. */
Test(base_text, quoted_word_is_one_word_for_a_shell)
{
    static const char *const words[] = {
        "plain", "",   "two words", "it's", "'",     "''\"\"", "$HOME `id` $(id)", "a\nb", "*", "~", "-n",
        "\\",    "!x", "#",         "ä",    ";|&<>", "a=b"};
    AUTO_TEXT script = TEXT_INIT;
    AUTO_TEXT wanted = TEXT_INIT;
    text_add(&script, "printf '<%s>'");
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        text_add_char(&script, ' ');
        text_add_shell_word(&script, words[i]);
        text_addf(&wanted, "<%s>", words[i]);
    }
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(program_do(10 * NS_PER_S, &out, &err, "sh", "-c", text_string(&script), NULL), 0, "%s",
                 error_text(&err));
    cr_expect_str_eq(text_string(&out), text_string(&wanted));
}

Test(base_text, nearest_name_is_found_when_it_is_near)
{
    static const char *const names[] = {"deadline", "silence", "attempts", "transport", NULL};
    cr_expect_str_eq(text_nearest("deadlin", names), "deadline");
    cr_expect_str_eq(text_nearest("dedaline", names), "deadline");
    cr_expect_str_eq(text_nearest("transprot", names), "transport");
    cr_expect_null(text_nearest("colour", names));
    cr_expect_eq(text_distance("port", "prot"), 1, "neighbours that changed places are one edit");
    cr_expect_null(text_nearest("xyz", (const char *const[]){NULL}));
    cr_expect_eq(text_distance("kitten", "sitting"), 3);
    cr_expect_eq(text_distance("", "abc"), 3);
    cr_expect_eq(text_distance("same", "same"), 0);
    char longer[1000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cr_expect_eq(text_distance(longer, longer), 0, "names of any length are safe");
}

Test(base_text, no_name_is_suggested_that_differs_in_more_than_a_third)
{
    static const struct {
        const char *name, *other, *wanted;
    } pairs[] = {
        {"become", "beyond", NULL},
        {"fases", "phases", "phases"},
        {"sandbocks", "sandbox", "sandbox"},
        {"kye", "key", "key"},
        {"ky", "key", "key"},
        {"user", "vars", NULL},
        {"on", "id", NULL},
        {"no", "on", NULL},
        /* What both begin with makes no two names near. */
        {"targets.vault.become", "targets.vault.beyond", NULL},
        {"TRIPHASE_TARGETS_VAULT_BECOME", "TRIPHASE_TARGETS_VAULT_BEYOND", NULL},
        {"TRIPHASE_TARGETS_VAULT_ROT", "TRIPHASE_TARGETS_VAULT_ROOT", "TRIPHASE_TARGETS_VAULT_ROOT"},
        {"targts.vault.root", "targets.vault.root", "targets.vault.root"},
        {"--jsn", "--json", "--json"},
        {"a.target.whose.name.is.so.long.that.it.fills.all.that.is.compared.become",
         "a.target.whose.name.is.so.long.that.it.fills.all.that.is.compared.silence", NULL},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *nearest = text_nearest(pairs[i].name, (const char *const[]){pairs[i].other, NULL});
        cr_expect(nearest == pairs[i].wanted || (nearest && pairs[i].wanted), "%s: %s", pairs[i].name,
                  nearest ? nearest : "none");
    }
}

Test(base_text, somebodys_text_is_shown_short_printable_and_cut_between_characters)
{
    AUTO_FREE char *whole = text_shown("a\x1b"),
                   *sixty = text_shown("012345678901234567890123456789012345678901234567890123456789"),
                   *cut =
                       text_shown("01234567890123456789012345678901234567890123456789012345678\u00e4\u00e4");
    cr_expect_str_eq(whole, "a\\x1b");
    cr_expect_eq(strlen(sixty), 60U);
    cr_expect_str_eq(cut, "01234567890123456789012345678901234567890123456789012345678...");
}

Test(base_text, a_word_is_found_in_a_list_and_in_none_that_is_not_there)
{
    static const char *const list[] = {"a", "b", NULL};
    cr_expect(text_is_one_of("b", list));
    cr_expect_not(text_is_one_of("c", list));
    cr_expect_not(text_is_one_of(NULL, list));
    cr_expect_not(text_is_one_of("a", NULL));
}
