/* The user's own file, config.yml: what is wrong in it is left out with a warning, and the next lower
 * layer counts. */
#pragma once
#include "base/words.h"
#include "config/draft.h"
#include "config/invoker.h"
#include "config/settings.h"

/* Where it is; malloc'ed, NULL without a home. */
char *user_file_path(const struct invoker *invoker, const char *const *environment, const char *given);
/* The keys that may stand at its top. */
const char *const *user_file_keys(void);
/* `path` NULL: the invoking user's $XDG_CONFIG_HOME/triphase/config.yml. An absent file is fine.
 * `draft`: of it as it is to become, or NULL. */
void user_file_read(struct settings *layers, const struct invoker *invoker, const char *const *environment,
                    const char *path, const struct config_draft *draft, struct words *warnings);
