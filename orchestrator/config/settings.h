/* Every value the user gave, by the path it was given for and the source it came from, and which one
 * counts. Paths are dotted: "keep", "defaults.root", "providers.sandbox.user", "targets.vault.vars.x",
 * "phases.vault.defaults.silence", "phases.vault.install.deadline". A key whose value is a map is kept per
 * field. */
#pragma once
#include "base/words.h"
#include "config/fault.h"
#include "config/provider_facts.h"
#include "config/schema.h"
#include "format/node.h"
#include <stdbool.h>
#include <stddef.h>

/* Lowest first. */
enum source {
    SOURCE_ANSIBLE,
    SOURCE_RECIPE,
    SOURCE_USER,
    SOURCE_PROJECT,
    SOURCE_ENVIRONMENT,
    SOURCE_SET,
    SOURCE_COUNT
};

struct setting {
    char *path;
    const struct key *key;
    char *origin;            /* "triphase.yml:7:5", "environment TRIPHASE_KEEP", "--set" */
    const struct node *node; /* owned by the layers' documents */
    enum source source;
    size_t order; /* of two of one source and path the later counts */
    bool good;    /* a bad one was refused: it never counts, but something was written there */
};

struct settings;
struct settings *settings_new(void);
void settings_free(struct settings *layers);
/* Takes over a document, whose nodes settings point into. */
const struct node *settings_own(struct settings *layers, struct node *document);
/* One value for `path`.`key` (path "" for project keys); checked; maps are taken apart into their fields.
 * `at` is where the key stands. */
void settings_add(struct settings *layers, enum source source, const char *path, const struct key *key,
                  const char *field, const struct node *node, struct node_place at,
                  const struct provenance *from, struct words *faults);
/* All keys of a map that belong to this scope; unknown ones are faults. Keys in `others` (NULL-terminated)
 * are left to the caller; with `shared` (defaults, a provider) the keys that belong only to a target or
 * phase itself are refused. */
void settings_add_map(struct settings *layers, enum source source, const char *path, enum key_scope scope,
                      bool shared, const struct node *map, const char *const *others,
                      const struct provenance *from, struct words *faults);

/* Where the values of one thing may stand, lowest first: {"recipes.vault.target", "defaults",
 * "providers.sandbox", "targets.vault"}. */
struct settings_view {
    struct settings *layers;
    enum key_scope scope;
    char *paths[4];
    size_t count;
    const struct provider_facts *facts; /* of a target's provider; NULL: it is of no target */
};
void settings_of_project(struct settings *layers, struct settings_view *out);
/* Its last path is the target's own, "targets.NAME"; the provider is the one that counts for it. */
void settings_of_target(struct settings *layers, const char *name, struct settings_view *out);
/* The same as if another provider counted for it. */
void settings_of_target_at(struct settings *layers, const char *name, const char *provider,
                           struct settings_view *out);
/* Its last path is the phase's own, "phases.RECIPE.NAME". */
void settings_of_phase(struct settings *layers, const char *recipe, const char *phase,
                       struct settings_view *out);
/* The path of what a recipe wants of every target of its kind. malloc'ed. */
char *settings_recipe_target(const char *recipe);
void settings_view_clear(struct settings_view *view);
#define AUTO_SETTINGS_VIEW __attribute__((cleanup(settings_view_clear))) struct settings_view

/* The one that counts, NULL when none was given. `field` is a key's name, or "vars.x". */
const struct setting *settings_top(const struct settings_view *view, const char *field);
/* Whether anything was written for it, good or bad, and where (the highest). */
const struct setting *settings_any(const struct settings_view *view, const char *field);
/* The value that counts: the setting's, else the built-in one, else NULL. */
const struct node *settings_node(const struct settings_view *view, const char *field);
/* All good ones from the highest down: returns how many, fills at most `room`. */
size_t settings_chain(const struct settings_view *view, const char *field, const struct setting **out,
                      size_t room);
/* Names of the entries of an open map in any of the view's places, sorted. */
void settings_view_entries(const struct settings_view *view, const char *key, struct words *out);
/* Names of the entries of open maps of that key anywhere, sorted. */
void settings_entries(struct settings *layers, const char *key, struct words *out);
/* The built-in value, of a target that which its provider has; NULL when there is none. */
const struct node *settings_preset(const struct settings_view *view, const struct key *key);
