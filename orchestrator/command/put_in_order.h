/* What commands that act do first (control/settle.h), and say: what was found, and that a run that died is
 * one that failed by triphase's own fault. */
#pragma once
#include "base/error.h"

int put_in_order_project(const char *project_directory, struct error *err);
/* Under the target's lock. */
int put_in_order_locked(const char *state, const char *target, struct error *err);
/* Takes the lock for it, and lets it go. */
int put_in_order(const char *state, const char *target, struct error *err);
