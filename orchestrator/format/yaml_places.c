#include "format/yaml_places.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/node.h"

#include <string.h>

struct maker {
    const struct yaml_parts *parts;
    const char *bytes;
    size_t at;
};

/* libyaml lets a block scalar end behind the empty lines that follow it, which are part of it only where `+`
 * says so. */
static size_t block_scalar_end(const char *bytes, const struct yaml_part *part)
{
    size_t end = part->end;
    const char *header = memchr(bytes + part->begin, part->quote, end - part->begin);
    bool keeps = header && header[1 + strspn(header + 1, "123456789")] == '+';
    if (keeps) {
        if (end > part->begin && bytes[end - 1] == '\n')
            end--;
        return end > part->begin && bytes[end - 1] == '\r' ? end - 1 : end;
    }
    while (end > part->begin && strchr(" \t\r\n", bytes[end - 1]))
        end--;
    return end;
}

static struct yaml_place *make(struct maker *maker)
{
    const struct yaml_part *part = &maker->parts->items[maker->at++];
    struct yaml_place *place = xcalloc(1, sizeof *place);
    *place = (struct yaml_place){.part = part, .begin = part->begin, .end = part->end};
    if (part->kind == YAML_PART_SCALAR && (part->quote == '|' || part->quote == '>'))
        place->end = block_scalar_end(maker->bytes, part);
    if (part->kind != YAML_PART_LIST && part->kind != YAML_PART_MAP)
        return place;
    while (maker->parts->items[maker->at].kind != YAML_PART_END) {
        place->items = xreallocarray(place->items, place->count + 1, sizeof *place->items);
        if (part->kind == YAML_PART_MAP) {
            place->keys = xreallocarray(place->keys, place->count + 1, sizeof *place->keys);
            place->keys[place->count] = make(maker);
        }
        struct yaml_place *item = make(maker);
        place->items[place->count++] = item;
        place->end = item->end;
    }
    const struct yaml_part *end = &maker->parts->items[maker->at++];
    if (part->flow)
        place->end = end->end;
    return place;
}

struct yaml_place *yaml_places_make(const struct yaml_parts *parts, const char *bytes)
{
    struct maker maker = {parts, bytes, 0};
    return parts->count ? make(&maker) : NULL;
}

void yaml_places_free(struct yaml_place *place)
{
    if (!place)
        return;
    for (size_t i = 0; i < place->count; i++) {
        if (place->keys)
            yaml_places_free(place->keys[i]);
        yaml_places_free(place->items[i]);
    }
    free(place->keys);
    free(place->items);
    free(place);
}

void yaml_places_cleanup(struct yaml_place **place)
{
    yaml_places_free(*place);
    *place = NULL;
}

bool yaml_places_is_empty(const struct yaml_place *place)
{
    const struct yaml_part *part = place->part;
    if (part->kind != YAML_PART_SCALAR || part->quote || part->tagged)
        return false;
    AUTO_NODE *node = node_new_plain(part->text);
    return node->kind == NODE_NULL;
}

size_t yaml_places_find(const struct yaml_place *map, const char *key, size_t *at)
{
    size_t found = 0;
    for (size_t i = 0; map->keys && i < map->count; i++) {
        const struct yaml_part *part = map->keys[i]->part;
        if (part->kind == YAML_PART_SCALAR && text_is(part->text, key)) {
            *at = i;
            found++;
        }
    }
    return found;
}

bool yaml_places_has_anchor(const struct yaml_place *place)
{
    bool has = place->part->anchored;
    for (size_t i = 0; !has && i < place->count; i++)
        has = yaml_places_has_anchor(place->items[i]) || (place->keys && place->keys[i]->part->anchored);
    return has;
}

size_t yaml_places_line(const char *bytes, size_t at)
{
    while (at && bytes[at - 1] != '\n')
        at--;
    return at;
}

size_t yaml_places_line_end(const char *bytes, size_t length, size_t at)
{
    while (at < length && !yaml_places_break(bytes, length, at))
        at++;
    return at;
}

size_t yaml_places_break(const char *bytes, size_t length, size_t at)
{
    if (at < length && bytes[at] == '\n')
        return 1;
    return at + 1 < length && bytes[at] == '\r' && bytes[at + 1] == '\n' ? 2 : 0;
}
