/* From the values of a target's cloud keys to a struct. */
#pragma once
#include "config/invoker.h"
#include "config/project.h"
#include "config/settings.h"

/* `directory` is the project's, `place` is where the target stands. What a cloud needs is asked for only
 * where the target's provider is one; what is given for another is kept for the day it is switched. */
void cloud_keys_target(const struct settings_view *view, const char *directory, const struct invoker *invoker,
                       const char *place, struct words *faults, struct target *out);
/* HETZNER_BASE_IMAGE, where it is set and not blank: the image of every target, unless the environment says
 * it by triphase's own names. */
void cloud_keys_environment(struct settings *layers, const char *const *environment, struct words *faults);
