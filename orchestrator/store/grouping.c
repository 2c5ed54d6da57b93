#include "store/grouping.h"

#include "base/memory.h"

#include <string.h>

enum { SLOTS_LEAST = 64 };

/* The row is looked at only where its hash is the same: with many rows each look waits for memory. */
struct slot {
    uint32_t row; /* its number + 1; 0: free */
    uint32_t hash;
};

struct grouping {
    char *rows;
    size_t size, count, room;
    struct slot *slots;
    size_t mask;
};

struct grouping *grouping_new(size_t row_size)
{
    struct grouping *grouping = xcalloc(1, sizeof *grouping);
    grouping->size = row_size;
    grouping->mask = SLOTS_LEAST - 1;
    grouping->slots = xcalloc(SLOTS_LEAST, sizeof *grouping->slots);
    return grouping;
}

void grouping_free(struct grouping *grouping)
{
    if (!grouping)
        return;
    free(grouping->rows);
    free(grouping->slots);
    free(grouping);
}

size_t grouping_count(const struct grouping *grouping)
{
    return grouping->count;
}

void *grouping_at(const struct grouping *grouping, size_t index)
{
    return grouping->rows + index * grouping->size;
}

size_t grouping_index(const struct grouping *grouping, const void *row)
{
    return (size_t)((const char *)row - grouping->rows) / grouping->size;
}

static uint32_t hash_of(const int64_t key[GROUPING_KEYS])
{
    uint64_t mixed = 0;
    for (size_t i = 0; i < GROUPING_KEYS; i++) {
        mixed = (mixed ^ (uint64_t)key[i]) * UINT64_C(0x9e3779b97f4a7c15);
        mixed ^= mixed >> 29;
    }
    return (uint32_t)(mixed ^ mixed >> 32);
}

/* The slot of this key, or the free one that it gets. */
static struct slot *slot_of(const struct grouping *grouping, const int64_t key[GROUPING_KEYS], uint32_t hash)
{
    size_t at = hash & grouping->mask;
    for (; grouping->slots[at].row; at = (at + 1) & grouping->mask)
        if (grouping->slots[at].hash == hash &&
            !memcmp(grouping_at(grouping, grouping->slots[at].row - 1), key, sizeof(int64_t[GROUPING_KEYS])))
            break;
    return &grouping->slots[at];
}

/* Never more than half full. */
static void widen(struct grouping *grouping)
{
    struct slot *old = grouping->slots;
    size_t slots = grouping->mask + 1;
    grouping->slots = xcalloc(slots * 2, sizeof *grouping->slots);
    grouping->mask = slots * 2 - 1;
    for (size_t i = 0; i < slots; i++) {
        size_t at = old[i].hash & grouping->mask;
        if (!old[i].row)
            continue;
        while (grouping->slots[at].row)
            at = (at + 1) & grouping->mask;
        grouping->slots[at] = old[i];
    }
    free(old);
}

void *grouping_find(struct grouping *grouping, const int64_t key[GROUPING_KEYS])
{
    uint32_t hash = hash_of(key);
    struct slot *slot = slot_of(grouping, key, hash);
    if (slot->row)
        return grouping_at(grouping, slot->row - 1);
    if (grouping->count > INT32_MAX)
        abort();
    if (grouping->count == grouping->room) {
        grouping->room = grouping->room ? grouping->room * 2 : SLOTS_LEAST;
        grouping->rows = xreallocarray(grouping->rows, grouping->room, grouping->size);
    }
    char *row = grouping_at(grouping, grouping->count++);
    memset(row, 0, grouping->size);
    memcpy(row, key, sizeof(int64_t[GROUPING_KEYS]));
    *slot = (struct slot){(uint32_t)grouping->count, hash};
    if (grouping->count * 2 > grouping->mask)
        widen(grouping);
    return row;
}
