/* Environment variables and --set: from names to paths of the project. */
#pragma once
#include "base/words.h"
#include "config/settings.h"

/* The places of a project where keys may stand. */
struct spot {
    char *path; /* "", "defaults", "targets.vault", "phases.vault.install" */
    enum key_scope scope;
};
struct spots {
    struct spot *items;
    size_t count;
};
void spots_add(struct spots *spots, enum key_scope scope, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Those of every project: its own, `defaults` and each provider's. */
void spots_add_shared(struct spots *spots);
void spots_clear(struct spots *spots);

/* One key at one of the spots: what a path or a name stands for. */
struct spot_key {
    const struct spot *spot;
    const struct key *key;
    char *field; /* of an open map, else NULL */
};
/* What an exact path stands for. -1 with a fault that names the nearest; `place` begins the fault. The
 * caller frees the field. */
int environment_find(const struct spots *spots, const char *path, const char *place, struct spot_key *out,
                     struct words *faults);
/* A value's text as a node: YAML, but texts as they are, so that nobody has to quote an address or a path
 * twice. NULL with a fault. */
struct node *environment_read_value(const struct key *key, const char *field, const char *text,
                                    const char *place, struct words *faults);

/* What TRIPHASE_* variables say for the keys of these spots. Names under TRIPHASE_PHASES_ are looked at
 * only with `phases`, all others only without: the recipes, and so their spots, are known later. A name
 * that fits no path, or two, is a fault. Empty values are as if absent. */
void environment_add(struct settings *layers, const struct spots *spots, bool phases,
                     const char *const *environment, struct words *faults);
/* The same for "PATH=YAML" texts, whose paths are exact. */
void environment_add_sets(struct settings *layers, const struct spots *spots, bool phases,
                          const char *const *sets, struct words *faults);
