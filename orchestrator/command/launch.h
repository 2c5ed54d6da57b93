/* What create, run, resume and destroy share: lock, reconcile, plan, a worker per target, and
 * following them to their ends. */
#pragma once
#include "command/launch_request.h"

/* Refuses what can be refused for every target before anything is made for any; the exit code that counts. */
int launch(const struct launch *launch);
/* Whether --detach can be had: nobody stays to begin later targets. Says why not. */
bool launch_may_detach(size_t targets, int jobs);
