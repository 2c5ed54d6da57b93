#include "format/yaml_keys.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

#include <stdlib.h>
#include <string.h>

enum { MERGE_LIMIT = 1000 };

struct key_at {
    const char *key;
    struct node_place at;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key_at *left = a, *right = b;
    int order = strcmp(left->key, right->key);
    if (order)
        return order;
    return left->at.line != right->at.line ? left->at.line - right->at.line
                                           : left->at.column - right->at.column;
}

/* Takes every pair of this key out of the map. */
static void leave_out(struct yaml_keys *keys, struct node *map, const char *key)
{
    AUTO_FREE char *wanted = xstrdup(key);
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++) {
        if (text_is(map->keys[i], wanted)) {
            free(map->keys[i]);
            node_append(keys->kept, map->items[i]);
            continue;
        }
        map->keys[kept] = map->keys[i];
        map->where[kept] = map->where[i];
        map->items[kept++] = map->items[i];
    }
    map->count = kept;
}

/* By sorting, so that a map of very many keys costs no more than reading it did. */
void yaml_keys_check(struct yaml_keys *keys, struct node *map)
{
    if (map->count < 2)
        return;
    AUTO_WORDS twice = WORDS_INIT;
    size_t count = map->count;
    struct key_at *sorted = xcalloc(count, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = (struct key_at){map->keys[i], map->where[i]};
    qsort(sorted, count, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i].key, sorted[i - 1].key) == 0) {
            AUTO_FREE char *show = text_shown(sorted[i].key);
            yaml_faults_add(keys->faults, sorted[i].at, "'%s' stands here twice (first in line %d)", show,
                            sorted[i - 1].at.line);
            keys->twice++;
            if (keys->forgiving && keys->twice <= YAML_FAULTS_MOST)
                words_add(&twice, sorted[i].key);
        }
    }
    free(sorted);
    for (size_t i = 0; i < twice.count; i++)
        leave_out(keys, map, twice.items[i]);
}

/* Puts the pairs of a merge key's value behind the map's own, which win. */
static void merge_one(struct yaml_keys *keys, struct node *map, const struct node *from, struct node_place at)
{
    if (from->kind != NODE_MAP) {
        yaml_faults_add(keys->faults, at, "'<<' takes a map or a list of maps, not %s",
                        node_kind_name(from->kind));
        return;
    }
    if (from->count + map->count > MERGE_LIMIT) {
        yaml_faults_add(keys->faults, at, "'<<' of more than %d keys", (int)MERGE_LIMIT);
        return;
    }
    for (size_t i = 0; i < from->count; i++)
        if (!node_get(map, from->keys[i]))
            node_append_key(map, from->keys[i], from->where[i], node_copy(from->items[i]));
}

void yaml_keys_merge(struct yaml_keys *keys, struct node *map, const struct node *from, struct node_place at)
{
    if (from->kind != NODE_LIST) {
        merge_one(keys, map, from, at);
        return;
    }
    for (size_t i = 0; i < from->count; i++)
        merge_one(keys, map, from->items[i], at);
}
