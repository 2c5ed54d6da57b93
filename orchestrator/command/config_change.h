/* triphase config set and config unset. */
#pragma once
#include "command/command.h"

struct config_change_call {
    bool set, user, dry, json;
};
/* `words` are those behind `set` or `unset`; returns the exit code. */
int config_change_call(struct command_context *context, const struct config_change_call *call, int count,
                       char **words);
