/* What a phase was given in sealed memory is known as secret. */
#include "redact/sealed.h"

#include "base/file.h"
#include "base/memory.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char said[] = "swordfish, open sesame, vaultword, boxhost";

static void expect_known(const struct redact_rules *rules)
{
    AUTO_TEXT out = TEXT_INIT;
    cr_expect_eq(redact_text(rules, said, strlen(said), &out), 3U);
    cr_expect_str_eq(text_string(&out), "[REDACTED a], [REDACTED b], [REDACTED c], boxhost");
}

Test(redact_sealed, what_was_put_there_is_known_and_a_damaged_one_is_no_danger)
{
    struct redact_rules *rules = redact_rules_new();
    AUTO_CLOSE int fd = memfd_create(REDACT_SEALED_NAME, MFD_CLOEXEC),
                   torn = memfd_create("torn", MFD_CLOEXEC);
    cr_assert(redact_sealed_put(fd, "a", "swordfish", 9, NULL) == 0 &&
              redact_sealed_put(fd, "b", "open sesame", 11, NULL) == 0 &&
              redact_sealed_put(fd, "c", "vaultword", 9, NULL) == 0);
    cr_assert_eq(file_write_all(torn,
                                "kind\0"
                                "99\0short",
                                13),
                 0);
    redact_sealed_add(rules, fd);
    redact_sealed_add(rules, torn);
    redact_sealed_add(rules, -1);
    expect_known(rules);
    redact_rules_free(rules);
}

Test(redact_sealed, one_that_was_put_there_beside_its_key_is_none_elsewhere)
{
    struct redact_rules *rules = redact_rules_new();
    AUTO_CLOSE int fd = memfd_create(REDACT_SEALED_NAME, MFD_CLOEXEC);
    AUTO_TEXT out = TEXT_INIT;
    static const char text[] = "boxhost, owner: boxhost";
    cr_assert_eq(redact_sealed_put(fd, REDACT_BESIDE "owner", "boxhost", 7, NULL), 0);
    redact_sealed_add(rules, fd);
    redact_text(rules, text, strlen(text), &out);
    cr_expect_str_eq(text_string(&out), "boxhost, owner: [REDACTED vaulted]");
    redact_rules_free(rules);
}

/* The callback tells names in a memory of its own: either may be read first. */
Test(redact_sealed, a_value_gives_way_to_a_name_that_is_told_before_it_or_behind_it)
{
    static const char text[] = "TASK [gardener], owner: gardener, correct-horse";
    static const char *const orders[][3] = {{"secret owner", REDACT_NAME, "secret owner"},
                                            {REDACT_NAME, "secret owner", REDACT_NAME}};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        struct redact_rules *rules = redact_rules_new();
        AUTO_CLOSE int fd = memfd_create(REDACT_SEALED_NAME, MFD_CLOEXEC);
        AUTO_TEXT out = TEXT_INIT;
        for (size_t at = 0; at < COUNT_OF(orders[i]); at++)
            cr_assert_eq(redact_sealed_put(fd, orders[i][at], "gardener", 8, NULL), 0);
        cr_assert_eq(redact_sealed_put(fd, "secret other", "correct-horse", 13, NULL), 0);
        redact_sealed_add(rules, fd);
        redact_text(rules, text, strlen(text), &out);
        cr_expect_str_eq(text_string(&out),
                         "TASK [gardener], owner: [REDACTED vaulted], [REDACTED secret other]");
        redact_rules_free(rules);
    }
}

Test(redact_sealed,
     another_process_of_the_user_learns_them_from_the_one_that_holds_them_and_what_comes_to_that)
{
    struct redact_rules *rules = redact_rules_new();
    AUTO_CLOSE int fd = memfd_create(REDACT_SEALED_NAME, MFD_CLOEXEC);
    cr_assert_eq(redact_sealed_put(fd, "a", "swordfish", 9, NULL), 0);
    struct redact_sealed *sealed = redact_sealed_of(getpid());
    redact_sealed_learn(sealed, rules);
    cr_expect_eq(redact_rules_count(rules), 1U);
    /* One of them in two pieces, as another process may meet it. */
    cr_assert(redact_sealed_put(fd, "b", "open sesame", 11, NULL) == 0 &&
              file_write_all(fd, "c\0009\0vault", 9) == 0);
    redact_sealed_learn(sealed, rules);
    cr_expect_eq(redact_rules_count(rules), 2U);
    cr_assert_eq(file_write_all(fd, "word", 4), 0);
    redact_sealed_learn(sealed, rules);
    redact_sealed_learn(sealed, rules);
    expect_known(rules);
    redact_sealed_free(sealed);
    redact_rules_free(rules);
}
