/* phases/<recipe>.yml. */
#pragma once
#include "base/words.h"
#include "config/draft.h"
#include "config/settings.h"

enum outline_kind { OUTLINE_TARGET, OUTLINE_BOOTSTRAP, OUTLINE_PHASE, OUTLINE_VERIFY, OUTLINE_TEARDOWN };

/* A phase or target by name and where it stands. */
struct outline {
    char *name;
    struct node_place at;
    enum outline_kind kind;
};

struct outlines {
    struct outline *items;
    size_t count;
};
void outlines_add(struct outlines *outlines, const char *name, struct node_place at, enum outline_kind kind);
void outlines_clear(struct outlines *outlines);

/* Reads the recipe's values, what it wants of its targets, and its phases in order (`bootstrap`, `phases`,
 * `verify`, `teardown`). `origin` is where the recipe is named, for the fault of an absent
 * one; `draft` is of its file as it is to become, or NULL. */
void recipe_file_read(struct settings *layers, const char *directory, const char *name, const char *origin,
                      const struct config_draft *draft, struct outlines *outlines, struct words *faults);
