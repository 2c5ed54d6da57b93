/* What the user asked for: triphase.yml, phases/<recipe>.yml, the user's file, the environment and --set,
 * resolved per field into plain structs. The keys, types, defaults and layers are those
 * of docs/contract.md, "Project files" and "Keys". */
#pragma once
#include "base/error.h"
#include "config/project.h"
#include "config/secret.h"

struct config_sources {
    const char *start; /* -C or the current folder: the project is the nearest triphase.yml upwards */
    const char *const *environment; /* NAME=VALUE list, NULL-terminated */
    const char *const *sets;        /* "PATH=YAML" list, NULL-terminated, may be NULL */
    const char *user_file; /* NULL: $XDG_CONFIG_HOME/triphase/config.yml, the invoking user's behind sudo */
    /* the running program, beside whose checkout programs are looked for too
     * (config/programs.h); may be NULL */
    const char *program;
};

/* All faults of a file at once in one ERROR_PROJECT message, a line each "file:line:column: …" (files
 * relative to the project's folder). ERROR_PROJECT too where no project is found. */
int config_load(const struct config_sources *sources, struct project **out, struct error *err);

/* Every effective value: called once per key in contract order. `value` is YAML flow text (a secret's
 * source, never its value), `origin` like "built-in", "triphase.yml:7:5", "environment
 * TRIPHASE_TARGETS_VAULT_ROOT", "--set"; `hidden` lists what it hides as "origin: value" lines,
 * NULL-terminated. */
typedef void config_explain_function(void *context, const char *path, const char *value, const char *origin,
                                     const char *const *hidden);
/* `target` NULL: project keys and all targets. */
void config_explain(const struct project *project, const struct target *target,
                    config_explain_function *function, void *context);
/* The nearest folder upwards from `start` (NULL: the current one) that holds a triphase.yml: an
 * absolute path, malloc'ed; NULL with ERROR_PROJECT when there is none, or above `start` one of a user
 * who is neither root nor the one who runs or called this nor the owner of `start`, with ERROR_SYSTEM
 * where that cannot be seen. */
char *config_find_directory(const char *start, struct error *err);
