/* Whether a change of a YAML text did what was asked for, and nothing else. */
#pragma once
#include "format/yaml_edit.h"

/* The same value, wherever it stands and however it is written. */
bool yaml_edit_equal(const struct node *a, const struct node *b);
/* Whether `after` has `value` at the path (NULL: nothing), and everything else as `before`. Maps on the way
 * may have come or gone where they are empty. */
bool yaml_edit_as_asked(const struct node *before, const struct node *after, const struct yaml_step *path,
                        size_t depth, const struct node *value);
