#include "run/way_order.h"

#include "base/memory.h"
#include "base/text.h"

void way_order_broke(struct way_order *order, const char *transport)
{
    if (!transport)
        return;
    free(order->suspect);
    order->suspect = xstrdup(transport);
}

/* Tried and refused, or not even tried because of what it lacks here by now. */
static bool failed_again(const struct json *evidence, const char *name)
{
    const struct json *tried = json_get(evidence, "tried"), *weighed = json_get(evidence, "transports");
    for (size_t i = 0; i < json_count(tried); i++)
        if (text_is(json_get_string(json_at(tried, i), "name", ""), name) &&
            json_get_string(json_at(tried, i), "cause", NULL))
            return true;
    for (size_t i = 0; i < json_count(weighed); i++)
        if (text_is(json_get_string(json_at(weighed, i), "name", ""), name) &&
            !json_get_bool(json_at(weighed, i), "usable"))
            return true;
    return false;
}

bool way_order_verified(struct way_order *order, const char *transport, const struct json *evidence,
                        char **from)
{
    AUTO_FREE char *suspect = TAKE(order->suspect);
    if (!suspect || text_is(suspect, transport) || !failed_again(evidence, suspect))
        return false;
    if (!words_have(&order->behind, suspect))
        words_add(&order->behind, suspect);
    *from = TAKE(suspect);
    return true;
}

void way_order_list(const struct way_order *order, const struct words *names, struct words *out)
{
    for (size_t i = 0; i < names->count; i++)
        if (!words_have(&order->behind, names->items[i]))
            words_add(out, names->items[i]);
    for (size_t i = 0; i < order->behind.count; i++)
        if (words_have(names, order->behind.items[i]))
            words_add(out, order->behind.items[i]);
}

void way_order_clear(struct way_order *order)
{
    free(TAKE(order->suspect));
    words_clear(&order->behind);
}
