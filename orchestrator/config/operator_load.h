/* `operator` for what is done before there is a project. */
#pragma once
#include "config/config.h"
#include "config/tailnet_login.h"

/* From the project where one is found as config_load finds it, with its faults; else from the user's own
 * file, the environment (TRIPHASE_OPERATOR_*) and --set (operator.*) alone. `directory` gets the folder that
 * relative paths are of: the project's, else the current one; free it. What is wrong in the user's file goes
 * to `warnings`. `socks5` is set too where the health of a target is to go by it (health.via proxy). The
 * caller frees `out` with operator_settings_clear. */
int operator_load(const struct config_sources *sources, struct operator_settings *out, char **directory,
                  struct words *warnings, struct error *err);
