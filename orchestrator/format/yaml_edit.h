/* Changes one value of a YAML text where it stands: every other byte of the text (comments, order, quotes,
 * indentation, ends of lines) stays as it is. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "format/node.h"
#include "format/yaml_steps.h"
#include <stdbool.h>
#include <stddef.h>

enum { YAML_EDIT_DEEPEST = 8 };

struct yaml_edit {
    const char *bytes;
    size_t length;
    const char *name; /* of the file, as messages call it */
    const struct yaml_step *path;
    size_t depth;   /* of the path, at most YAML_EDIT_DEEPEST */
    size_t stays;   /* so many of its first steps stay when nothing is left in them */
    bool forgiving; /* read as by yaml_read_forgiving */
};

/* The whole text with `value` at the path, in flow style; parents that are missing come at the end of theirs.
 * `value` NULL: without the value there, and without the maps above it that it leaves empty. The result was
 * read anew, and has that very value there and all others as before; where that cannot be had (an anchor,
 * an alias or a merge key at the spot, a key that stands twice, no map on the way), ERROR_PROJECT says why,
 * with its place. */
int yaml_edit(const struct yaml_edit *edit, const struct node *value, struct text *out, struct error *err);
