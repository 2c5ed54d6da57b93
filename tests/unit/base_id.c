/* Identifiers: UUIDs of version 7, each its own, in the order they were made. */
#include "base/id.h"

#include "base/memory.h"
#include "base/moment.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(base_id, .timeout = 10);

Test(base_id, ids_are_well_formed_and_in_time_order)
{
    char last[ID_SIZE] = "";
    for (int i = 0; i < 20000; i++) {
        char id[ID_SIZE];
        id_make(id);
        cr_assert(id_is(id), "%s", id);
        cr_assert_eq(id[14], '7', "version: %s", id);
        cr_assert_not_null(strchr("89ab", id[19]), "variant: %s", id);
        cr_assert_gt(strcmp(id, last), 0, "%s came after %s", id, last);
        memcpy(last, id, sizeof last);
    }
}

Test(base_id, first_48_bits_are_the_time)
{
    char id[ID_SIZE], digits[13];
    int64_t before = moment_wall() / NS_PER_MS;
    id_make(id);
    int64_t after = moment_wall() / NS_PER_MS;
    memcpy(digits, id, 8);
    memcpy(digits + 8, id + 9, 4);
    digits[12] = '\0';
    int64_t made = (int64_t)strtoull(digits, NULL, 16);
    cr_expect(made >= before && made <= after, "%s", id);
}

Test(base_id, what_is_no_id_is_refused)
{
    static const char *const all[] = {"",
                                      "01890000-0000-7000-8000-0123456789a",
                                      "01890000-0000-7000-8000-0123456789abc",
                                      "01890000-0000-7000-8000-0123456789AB",
                                      "01890000x0000-7000-8000-0123456789ab",
                                      "01890000-0000-7000-8000-0123456789a-",
                                      "../../../../../../../../etc/passwd00",
                                      "01890000-0000-7000-8000-0123456789g0"};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        cr_expect_not(id_is(all[i]), "%s", all[i]);
    cr_expect(id_is("01890000-0000-7000-8000-0123456789ab"));
}

Test(base_id, short_ids_are_its_end)
{
    cr_expect_str_eq(id_tail("01890000-0000-7000-8000-0123456789ab", 8), "456789ab");
    cr_expect_str_eq(id_tail("01890000-0000-7000-8000-0123456789ab", 12), "0123456789ab");
}
