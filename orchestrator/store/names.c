#include "store/names.h"

#include "base/memory.h"

#include <stdbool.h>
#include <string.h>

/* Memory of a worker is counted: 32 KiB of slots and at most 64 KiB of words. */
enum { SLOTS = 1024, WORD_LIMIT = 768, BYTE_LIMIT = 64 * 1024 };

struct slot {
    uint32_t hash;
    uint32_t offset; /* of the word, 0: free */
    int64_t number;
};

struct store_names {
    struct slot slots[SLOTS];
    size_t count;
    char *bytes; /* the words one behind the other; made with the first one, byte 0 unused */
    size_t used;
};

static uint32_t hash_of(const char *word)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *word; word++)
        hash = (hash ^ (unsigned char)*word) * 16777619u;
    return hash;
}

/* The word's slot, or the free one where it would stand. */
static size_t place(const struct store_names *names, const char *word, uint32_t hash)
{
    size_t at = hash % SLOTS;
    while (names->slots[at].offset &&
           !(names->slots[at].hash == hash && strcmp(names->bytes + names->slots[at].offset, word) == 0))
        at = (at + 1) % SLOTS;
    return at;
}

struct store_names *store_names_new(void)
{
    return xcalloc(1, sizeof(struct store_names));
}

void store_names_free(struct store_names *names)
{
    if (names) {
        free(names->bytes);
        free(names);
    }
}

void store_names_clear(struct store_names *names)
{
    memset(names->slots, 0, sizeof names->slots);
    names->count = 0;
    names->used = 1;
}

int64_t store_names_find(const struct store_names *names, const char *word)
{
    return names->slots[place(names, word, hash_of(word))].number;
}

void store_names_keep(struct store_names *names, const char *word, int64_t number)
{
    size_t length = strlen(word) + 1;
    if (length > BYTE_LIMIT / 16)
        return;
    if (!names->bytes) {
        names->bytes = xmalloc(BYTE_LIMIT);
        names->used = 1;
    }
    if (names->count == WORD_LIMIT || names->used + length > BYTE_LIMIT)
        store_names_clear(names);
    uint32_t hash = hash_of(word);
    struct slot *slot = &names->slots[place(names, word, hash)];
    if (!slot->offset) {
        memcpy(names->bytes + names->used, word, length);
        *slot = (struct slot){.hash = hash, .offset = (uint32_t)names->used};
        names->used += length;
        names->count++;
    }
    slot->number = number;
}
