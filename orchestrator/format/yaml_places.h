/* A YAML text as a tree of its parts: which bytes each key and value is written with. */
#pragma once
#include "format/yaml_parts.h"

struct yaml_place {
    const struct yaml_part *part; /* borrowed from the parts */
    size_t begin, end;            /* the whole, without the comment and the end of line behind it */
    size_t count;                 /* of what is in a list or map */
    struct yaml_place **keys;     /* of a map */
    struct yaml_place **items;
};

/* NULL: the text holds no value at all. */
struct yaml_place *yaml_places_make(const struct yaml_parts *parts, const char *bytes);
void yaml_places_free(struct yaml_place *place);
void yaml_places_cleanup(struct yaml_place **place);
#define AUTO_YAML_PLACES __attribute__((cleanup(yaml_places_cleanup))) struct yaml_place
/* A scalar that says nothing: an empty one, `null` or `~`. */
bool yaml_places_is_empty(const struct yaml_place *place);
/* How many entries of a map have this key; `at` gets the last one's index. */
size_t yaml_places_find(const struct yaml_place *map, const char *key, size_t *at);
/* Whether it or anything in it has an anchor. */
bool yaml_places_has_anchor(const struct yaml_place *place);

/* Lines of a text: where the one with this byte begins, and where it ends, before its line break. */
size_t yaml_places_line(const char *bytes, size_t at);
size_t yaml_places_line_end(const char *bytes, size_t length, size_t at);
/* How long the line break is that stands at this byte; 0: the text ends there. */
size_t yaml_places_break(const char *bytes, size_t length, size_t at);
