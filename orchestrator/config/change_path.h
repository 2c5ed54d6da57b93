/* Which file a setting's path is written in, and where in it. */
#pragma once
#include "config/draft.h"
#include "config/environment.h"
#include "config/invoker.h"
#include "format/yaml_edit.h"

struct change_file {
    char *path, *name; /* absolute, and as messages call it */
    bool user;
    char *recipe; /* of phases/<recipe>.yml, else NULL */
};
/* The file of a setting's path. `directory` NULL: of the user's own file. */
int change_file_of(const char *directory, const char *user_path, const char *path, struct change_file *out,
                   struct error *err);
void change_file_clear(struct change_file *file);

struct change_place {
    struct spots spots; /* of that file */
    struct spot_key at; /* which key it is */
    struct yaml_step steps[YAML_EDIT_DEEPEST];
    size_t depth, stays; /* as yaml_edit takes them */
};
/* `tree` is what the file holds. An unknown path is a fault. */
int change_place_find(const struct change_file *file, const struct node *tree, const char *path,
                      const char *shown, struct change_place *out, struct words *faults);
void change_place_clear(struct change_place *place);
