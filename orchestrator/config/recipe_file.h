/* phases/<recipe>.yml. */
#pragma once
#include "base/words.h"
#include "config/settings.h"

/* A phase or target by name and where it stands. */
struct outline {
    char *name;
    struct node_place at;
    bool teardown;
};

struct outlines {
    struct outline *items;
    size_t count;
};
void outlines_add(struct outlines *outlines, const char *name, struct node_place at, bool teardown);
void outlines_clear(struct outlines *outlines);

/* Reads the recipe's values, and its phases in order (`phases` first, then `teardown`). `origin` is where
 * the recipe is named, for the fault of an absent one. */
void recipe_file_read(struct settings *layers, const char *directory, const char *name, const char *origin,
                      struct outlines *outlines, struct words *faults);
