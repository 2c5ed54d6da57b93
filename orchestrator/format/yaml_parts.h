/* The parts of a YAML text in the order they stand in, each with the bytes that it is written with: for who
 * changes one of them and leaves all others as they are (format/yaml_edit.h). */
#pragma once
#include "base/words.h"
#include <stdbool.h>
#include <stddef.h>

enum yaml_part_kind { YAML_PART_SCALAR, YAML_PART_ALIAS, YAML_PART_LIST, YAML_PART_MAP, YAML_PART_END };

struct yaml_part {
    enum yaml_part_kind kind;
    /* Bytes of the text, of a list or map those of its first token; of an empty value both are where it
     * would stand. */
    size_t begin, end;
    bool flow;     /* a list or map in brackets or braces */
    bool anchored; /* has an &anchor */
    bool tagged;
    char quote; /* of a scalar: '\'', '"', '|', '>', or 0 when plain */
    char *text; /* of a scalar its value, of an alias the anchor's name */
};

struct yaml_parts {
    struct yaml_part *items; /* each list and map is followed by what is in it and an end */
    size_t count;
};

/* Of one document that yaml_read takes (format/yaml.h). 0, or -1 with a fault. */
int yaml_parts_read(const char *bytes, size_t length, const char *name, struct yaml_parts *out,
                    struct words *faults);
void yaml_parts_clear(struct yaml_parts *parts);
#define AUTO_YAML_PARTS __attribute__((cleanup(yaml_parts_clear))) struct yaml_parts
