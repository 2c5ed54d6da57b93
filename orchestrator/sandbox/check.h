/* What this machine has and lacks to run sandboxes. Changes nothing. */
#pragma once
#include "base/error.h"
#include "base/facts.h"
#include "config/config.h"

/* `root` is the target's setting (NULL: the default). */
void sandbox_facts(const char *root, struct facts *out);
/* 0, or ERROR_MISSING that names every missing fact and how to mend it. */
int sandbox_check(const struct target *target, struct error *err);
