/* A file as it is to become, for a look at what that would do before it is written. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "format/node.h"

struct config_draft {
    const char *path; /* as the reader of the file names it */
    const char *bytes;
    size_t length;
};

struct config_sources;
struct project;
/* config_load with one file as it is to become; NULL: as all are. */
int config_load_draft(const struct config_sources *sources, const struct config_draft *draft,
                      struct project **out, struct error *err);
/* NULL has none. */
bool draft_is_of(const struct config_draft *draft, const char *path);
/* As yaml_read_file, of the draft where it is of this file. */
int draft_read(const struct config_draft *draft, const char *path, const char *name, struct node **out,
               struct words *faults);
