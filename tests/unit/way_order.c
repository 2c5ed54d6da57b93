/* In which order a run takes the ways to its host. */
#include "run/way_order.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

static struct json *evidence(const char *text)
{
    struct json *value = json_parse(text, strlen(text), NULL);
    cr_assert_not_null(value, "%s", text);
    return value;
}

static const char all[] = "tailnet tailnet-userspace direct";

/* In which order those of the list are taken, in one line. malloc'ed. */
static char *listed(const struct way_order *order, const char *list)
{
    AUTO_WORDS names = WORDS_INIT, out = WORDS_INIT;
    AUTO_FREE char *copy = xstrdup(list);
    struct text line = TEXT_INIT;
    char *rest = NULL;
    for (char *name = strtok_r(copy, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        words_add(&names, name);
    way_order_list(order, &names, &out);
    for (size_t i = 0; i < out.count; i++)
        text_addf(&line, "%s%s", i ? " " : "", out.items[i]);
    return text_take(&line);
}

Test(way_order, what_broke_an_attempt_and_fails_again_goes_behind_for_this_run)
{
    struct way_order order = {0};
    AUTO_FREE char *from = NULL, *second = NULL;
    AUTO_JSON *dead = evidence("{\"tried\":[{\"name\":\"tailnet\",\"cause\":\"connect-timeout\"},"
                               "{\"name\":\"tailnet-userspace\",\"cause\":null}]}");
    AUTO_JSON *gone = evidence("{\"tried\":[{\"name\":\"direct\",\"cause\":null}],\"transports\":"
                               "[{\"name\":\"tailnet-userspace\",\"usable\":false}]}");
    way_order_broke(&order, "tailnet");
    cr_assert(way_order_verified(&order, "tailnet-userspace", dead, &from));
    cr_assert_str_eq(from, "tailnet");
    AUTO_FREE char *once = listed(&order, all);
    cr_assert_str_eq(once, "tailnet-userspace direct tailnet");
    way_order_broke(&order, "tailnet-userspace");
    cr_assert(way_order_verified(&order, "direct", gone, &second), "what cannot even be tried failed too");
    AUTO_FREE char *twice = listed(&order, all);
    cr_assert_str_eq(twice, "direct tailnet tailnet-userspace");
    way_order_clear(&order);
}

Test(way_order, one_that_is_verified_again_or_broke_nothing_keeps_its_place)
{
    struct way_order order = {0};
    AUTO_FREE char *from = NULL;
    AUTO_JSON *tried = evidence("{\"tried\":[{\"name\":\"tailnet\",\"cause\":\"connect-timeout\"}]}");
    cr_assert_not(way_order_verified(&order, "direct", tried, &from), "it broke no attempt");
    way_order_broke(&order, "tailnet");
    cr_assert_not(way_order_verified(&order, "tailnet", tried, &from), "it came back in a later round");
    cr_assert_not(way_order_verified(&order, "direct", tried, &from), "it broke nothing since it came back");
    way_order_broke(&order, "direct");
    cr_assert_not(way_order_verified(&order, "tailnet", tried, &from), "direct was not tried");
    AUTO_FREE char *line = listed(&order, all);
    cr_assert_str_eq(line, "tailnet tailnet-userspace direct");
    way_order_clear(&order);
}

Test(way_order, the_only_one_of_a_list_is_taken_again_however_often_it_failed_and_none_comes_in_from_outside)
{
    struct way_order order = {0};
    AUTO_FREE char *from = NULL;
    AUTO_JSON *dead = evidence("{\"tried\":[{\"name\":\"tailnet\",\"cause\":\"connect-timeout\"},"
                               "{\"name\":\"direct\",\"cause\":null}]}");
    way_order_broke(&order, "tailnet");
    cr_assert(way_order_verified(&order, "direct", dead, &from));
    /* Another phase has a list of its own. */
    AUTO_FREE char *itself = listed(&order, "tailnet"), *others = listed(&order, "direct"),
                   *turned = listed(&order, "tailnet direct tailnet-userspace");
    cr_assert_str_eq(itself, "tailnet");
    cr_assert_str_eq(others, "direct");
    cr_assert_str_eq(turned, "direct tailnet-userspace tailnet");
    way_order_broke(&order, "tailnet");
    cr_assert_str_eq(order.suspect, "tailnet", "it is verified anew like any other");
    way_order_clear(&order);
}
