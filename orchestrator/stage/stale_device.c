#include "stage/stale_device.h"

#include "base/memory.h"
#include "base/text.h"

/* By its address; of one that broke off before it was seen only the name is known, which was free then. */
static bool is_device(const struct json *known, const struct tailnet_seen *seen)
{
    const char *address = json_get_string(known, "address", NULL),
               *name = json_get_string(known, "name", NULL);
    return address ? words_have(&seen->addresses, address) : name && tailnet_sight_is_called(seen, name);
}

char *stale_device_stays(const struct target *target, const struct json *known,
                         const struct tailnet_sight *sight, const struct tailnet_seen *seen)
{
    const struct words *tags = &target->tailnet.tags;
    if (!target->stale_remove)
        return xstrdup("'stale: remove' would remove one that is not connected, carries all of the target's "
                       "tags and belongs to none of your machines");
    if (!sight->api || !seen->id)
        return xasprintf("it can be removed by the API only, and that cannot be asked%s%s",
                         sight->why ? ": " : "", sight->why ? sight->why : "");
    if (seen->connected)
        return xstrdup("it is connected, so it is left alone");
    for (size_t i = 0; i < tags->count; i++)
        if (!words_have(&seen->tags, tags->items[i]))
            return xasprintf("it does not carry %s, so it is left alone", tags->items[i]);
    if (!tags->count)
        return xstrdup("the target has no tags by which it could be known as its own");
    for (size_t i = 0; i < json_count(known); i++)
        if (is_device(json_at(known, i), seen))
            return xasprintf("it is the machine of target %s",
                             json_get_string(json_at(known, i), "target", "?"));
    return NULL;
}
