/* Following runs while they go: one redrawn line per target on a terminal, above it a line for each step that
 * ended; elsewhere Ansible's own output as it comes. Reads only what the workers write (journal, step logs,
 * event files; on a terminal, once for each step, what the store has of earlier ones), so it can be lost or
 * killed without a trace. Everything goes to stderr. */
#pragma once
#include "base/error.h"
#include "process/loop.h"
#include "redact/redact.h"
#include <stdbool.h>
#include <sys/types.h>

struct live;
/* `terminal`: redrawn lines and, unless `plain`, colour. `several`: streamed lines say whose they are. */
struct live *live_new(struct loop *loop, bool terminal, bool plain, bool several);
/* `state`: the .triphase folder. */
int live_add(struct live *live, const char *state, const char *target, const char *run, struct error *err);
/* The same for a run that goes on already, or is over: what has been so far is told in short, a line for each
 * step that ended; from now on it is followed. */
int live_join(struct live *live, const char *state, const char *target, const char *run, struct error *err);
/* The process that works on the run: what it knows as secret is not shown. */
void live_worker(struct live *live, const char *run, pid_t pid);
/* What is known as secret of a run, to be added to where its worker is gone: then what has the shape of a
 * secret is not shown either. NULL: it is not shown. */
struct redact_rules *live_rules(struct live *live, const char *run);
/* The run's worker was just told to end it, by who follows: says so, and what a second time does. `live`
 * may be NULL: nobody looks. */
void live_ending(struct live *live, const char *run);
/* The run's worker is gone: shows what is left to read and, where it failed, why: task, host, place, message,
 * the log's last 20 lines and its path. `crashed` says that the worker died without storing its end; `why`,
 * where known, is what it said of that or how it died. */
void live_done(struct live *live, const char *run, bool crashed, const char *why);
void live_free(struct live *live);
