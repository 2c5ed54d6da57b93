/* Two diagnoses side by side: which cells differ, and what that says of what else is different. */
#include "diagnose/compare.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static void add(struct diagnosis *to, const char *transport, const char *work, const char *ended)
{
    struct cell cell = {.transport = xstrdup(transport),
                        .client = xstrdup("libssh"),
                        .work = xstrdup(work),
                        .parameters = json_new_object(),
                        .ended = xstrdup(ended),
                        .ok = text_is(ended, "ok")};
    diagnosis_add(to, &cell);
}

static struct diagnosis taken(const char *transport, const char *network, const char *bulk)
{
    struct diagnosis made = {.duration_ns = -1};
    made.seen.node = xstrdup("here");
    made.seen.network = xstrdup(network);
    add(&made, transport, "echo", "ok");
    add(&made, transport, "bulk-down", bulk);
    return made;
}

/* How many differ, what changed beside them, and the words. */
static void expect(struct diagnosis before, struct diagnosis after, size_t differing, const char *changed,
                   const char *words)
{
    struct compared compared;
    compare_diagnoses(&before, &after, &compared);
    AUTO_FREE char *all = words_join(&compared.changed, " ");
    cr_expect(eq(sz, compared.differing, differing));
    cr_expect(eq(sz, compared.count, 2));
    cr_expect(eq(str, all, (char *)(uintptr_t)changed));
    cr_expect(strstr(compared.words, words) != NULL, "%s", compared.words);
    if (differing) {
        cr_expect(compared.rows[0].differs, "those that differ stand first");
        cr_expect(eq(str, compared.rows[0].before->work, "bulk-down"));
    }
    compared_clear(&compared);
    diagnosis_clear(&before);
    diagnosis_clear(&after);
}

Test(diagnose_compare, names_the_one_thing_that_changed_with_the_cells)
{
    expect(taken("direct", "eth0, mtu 1500", "stalled"), taken("direct", "eth0, mtu 1280", "ok"), 1,
           "network", "network alone: that may be it");
}

Test(diagnose_compare, tells_none_of_several_things_that_changed_together)
{
    expect(taken("tailnet-userspace", "eth0, in a container", "stalled"),
           taken("tailnet", "tailscale0", "ok"), 1, "network transport",
           "none of them is told from the others");
}

Test(diagnose_compare, blames_nothing_where_no_cell_differs_or_nothing_changed)
{
    expect(taken("direct", "eth0", "ok"), taken("direct", "eth1", "ok"), 0, "network",
           "no cell that both took");
    expect(taken("direct", "eth0", "stalled"), taken("direct", "eth0", "ok"), 1, "",
           "nothing that was looked at");
}
