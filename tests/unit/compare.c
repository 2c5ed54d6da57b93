/* Two diagnoses side by side. */
#include "diagnose/compare.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static void take(struct diagnosis *diagnosis, const char *transport, const char *work, int64_t bytes,
                 const char *ended)
{
    struct cell cell = {.transport = xstrdup(transport),
                        .client = xstrdup("libssh"),
                        .work = xstrdup(work),
                        .parameters = json_new_object(),
                        .ok = text_is(ended, "ok"),
                        .ended = xstrdup(ended)};
    if (bytes)
        json_set_integer(cell.parameters, "bytes", bytes);
    diagnosis_add(diagnosis, &cell);
}

static struct diagnosis taken(const char *transport, const char *network, const char *bulk)
{
    struct diagnosis made = {.seen = SURROUNDINGS_INIT};
    made.seen.node = xstrdup("here");
    made.seen.network = xstrdup(network);
    take(&made, transport, "echo", 0, "ok");
    take(&made, transport, "bulk-down", 8000000, bulk);
    diagnosis_conclude(&made);
    return made;
}

static void expect_words(const struct compared *compared, const char *part)
{
    cr_expect(strstr(compared->words, part) != NULL, "'%s' does not say '%s'", compared->words, part);
}

Test(compare, of_two_alike_ones_nothing_differs)
{
    AUTO_DIAGNOSIS a = taken("direct", "eth0", "ok"), b = taken("direct", "eth0", "ok");
    struct compared compared;
    compare_diagnoses(&a, &b, &compared);
    cr_expect(eq(sz, compared.differing, 0));
    cr_expect(eq(sz, compared.count, 2));
    cr_expect(eq(sz, compared.changed.count, 0));
    expect_words(&compared, "no cell that both took");
    compared_clear(&compared);
}

Test(compare, what_differs_comes_first_and_the_one_thing_that_changed_may_be_it)
{
    AUTO_DIAGNOSIS a = taken("direct", "eth0, mtu 1500", "ok"),
                   b = taken("direct", "eth0, mtu 1280", "stalled");
    struct compared compared;
    compare_diagnoses(&a, &b, &compared);
    cr_expect(eq(sz, compared.differing, 1));
    cr_assert(eq(sz, compared.count, 2));
    cr_expect(compared.rows[0].differs);
    cr_expect(eq(str, compared.rows[0].before->work, (char *)(uintptr_t) "bulk-down"));
    expect_words(&compared, "network alone");
    compared_clear(&compared);
}

Test(compare, of_two_things_that_changed_none_is_told_from_the_other)
{
    AUTO_DIAGNOSIS a = taken("direct", "eth0", "ok"), b = taken("tailnet-userspace", "eth1", "reset");
    struct compared compared;
    compare_diagnoses(&a, &b, &compared);
    cr_expect(eq(sz, compared.differing, 1), "set beside each other over different transports");
    cr_expect(eq(sz, compared.changed.count, 2));
    expect_words(&compared, "change one at a time");
    compared_clear(&compared);
}

Test(compare, where_nothing_changed_beside_the_cells_it_says_so)
{
    AUTO_DIAGNOSIS a = taken("direct", "eth0", "ok"), b = taken("direct", "eth0", "reset");
    struct compared compared;
    compare_diagnoses(&a, &b, &compared);
    expect_words(&compared, "it comes and goes");
    compared_clear(&compared);
}

Test(compare, what_one_side_did_not_take_is_no_difference_and_of_alike_ones_the_last_counts)
{
    AUTO_DIAGNOSIS a = taken("direct", "eth0", "reset"), b = taken("direct", "eth0", "ok");
    struct compared compared;
    take(&a, "direct", "bulk-down", 8000000, "ok");
    take(&a, "direct", "channels", 0, "ok");
    take(&b, "direct", "bursts", 0, "stalled");
    take(&b, "direct", "disk", 0, "skipped");
    compare_diagnoses(&a, &b, &compared);
    cr_expect(eq(sz, compared.differing, 0));
    cr_expect(eq(sz, compared.count, 4), "echo, bulk-down, channels, bursts: what was skipped is none");
    cr_expect(compared.rows[compared.count - 1].before == NULL);
    compared_clear(&compared);
}
