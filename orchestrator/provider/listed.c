#include "provider/listed.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdlib.h>

void listing_clear(struct listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        struct listed *item = &listing->items[i];
        char *texts[] = {item->reference, item->what,    item->project_id,
                         item->target,    item->machine, item->kept_by};
        for (size_t j = 0; j < COUNT_OF(texts); j++)
            free(texts[j]);
    }
    free(listing->items);
    *listing = (struct listing){0};
}

struct listed *listing_add(struct listing *listing)
{
    listing->items = xreallocarray(listing->items, listing->count + 1, sizeof *listing->items);
    listing->items[listing->count] = (struct listed){0};
    return &listing->items[listing->count++];
}

const struct listed *listing_find(const struct listing *listing, const char *reference)
{
    for (size_t i = 0; i < listing->count; i++)
        if (text_is(listing->items[i].reference, reference))
            return &listing->items[i];
    return NULL;
}
