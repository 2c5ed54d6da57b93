/* Work that may take long and has to be done by this program itself (reading secrets, digests of
 * files), in a child beside the worker's loop: in the run's scope, so that it ends with the run, and
 * with the worker at the latest. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "process/loop.h"
#include "process/scope.h"

struct aside;
/* In the child: what it finds goes to `out`. */
typedef int aside_work(const void *what, struct text *out, struct error *err);
/* In the parent, from the loop: the result, or with `failure` why there is none. The aside is over then and
 * forgotten by whoever started it. The bytes are wiped afterwards. */
typedef void aside_done(void *context, const char *bytes, size_t length, const struct error *failure);

/* `marker`: NAME=VALUE for what the child starts. */
int aside_start(struct loop *loop, const struct scope *scope, const char *marker, aside_work *work,
                const void *what, aside_done *done, void *context, struct aside **out, struct error *err);
/* Ends it; nobody is told. What it started is the scope's. */
void aside_stop(struct aside **aside);
