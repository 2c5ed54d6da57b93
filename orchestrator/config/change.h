/* One setting is written into its file, or taken out of it: strict where reading may be tolerant, with every
 * other byte as it was (format/yaml_edit.h). */
#pragma once
#include "config/config.h"

struct config_change {
    const char *path;  /* as --set has it */
    const char *value; /* YAML flow text as with --set; NULL: taken out */
    bool user;         /* in the user's own file */
    bool dry;          /* only looked at */
};

struct config_changed {
    char *file; /* as messages call it: relative to the project's folder, or the user's whole path */
    char *before, *after; /* YAML flow text; NULL: nothing */
    bool changes;         /* the file is another one now (or would be, of a dry one) */
    struct words lines;   /* "-was" and "+becomes" */
    struct words counts;  /* what counts in its place: "[targets.web: ]ORIGIN: VALUE" */
};

/* ERROR_PROJECT: the path is unknown, the value not what the key takes, or the file cannot be changed there,
 * or would have a fault that it has not; then nothing was written. ERROR_BUSY: another change was under way
 * all the time. */
int config_change(const struct config_sources *sources, const struct config_change *change,
                  struct config_changed *out, struct error *err);
void config_changed_clear(struct config_changed *changed);
#define AUTO_CONFIG_CHANGED __attribute__((cleanup(config_changed_clear))) struct config_changed
