/* Tasks that restart what carries their own connection while it waits for them. */
#pragma once
#include "base/words.h"
#include "format/node.h"

/* Adds the services that hang on the connection and that the task restarts or stops; none where it does so in
 * the background (async). `module`: without its collection, with its arguments. */
void restart_find(const struct node *task, const char *module, const struct node *arguments,
                  struct words *out);
