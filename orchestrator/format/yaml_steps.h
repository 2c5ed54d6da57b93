/* Where in a YAML tree a value is, and whether a change of it did what was asked for and nothing else. */
#pragma once
#include "format/node.h"
#include <stdbool.h>
#include <stddef.h>

struct yaml_step {
    char *key;
    bool named; /* not a key, but the item of a list whose `name` is this */
};

/* The value at a path of a tree, NULL where none is. Borrowed. */
const struct node *yaml_steps_find(const struct node *tree, const struct yaml_step *path, size_t depth);

/* The same value, wherever it stands and however it is written. */
bool yaml_steps_equal(const struct node *a, const struct node *b);
/* Whether `after` has `value` at the path (NULL: nothing), and everything else as `before`. Maps on the way
 * may have come or gone where they are empty. */
bool yaml_steps_as_asked(const struct node *before, const struct node *after, const struct yaml_step *path,
                         size_t depth, const struct node *value);
