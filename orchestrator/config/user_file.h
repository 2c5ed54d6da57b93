/* The user's own file, config.yml: what is wrong in it is left out with a warning, and the next lower
 * layer counts. */
#pragma once
#include "base/words.h"
#include "config/invoker.h"
#include "config/settings.h"

/* `path` NULL: the invoking user's $XDG_CONFIG_HOME/triphase/config.yml. An absent file is fine. */
void user_file_read(struct settings *layers, const struct invoker *invoker, const char *const *environment,
                    const char *path, struct words *warnings);
