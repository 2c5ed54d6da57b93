/* The bodies of stages: what triphase does itself and may block (making a machine, verifying a transport, removing a machine). Each runs in a child of the worker,
 * in the step's scope under its deadline; request and result are JSON over two descriptors, so nothing of it is in argv. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"

/* A stage's request, made by the worker. Keys: stage, target, machine, run, transports, bound_ns, keep_state, drop_masters, starting (struct
 * transport_request), knocked_ns (when somebody knocked at the host, monotonic: nothing connects to it for KNOCK_APART_S); and those of stage/sweep.h. */
/* Runs the body. `target` may be NULL for "destroy" only. Fills *result: {"machine":…} and for "transport" also "transport", "session", "boot", "host_ticks", "at_ns" and "evidence". */
int stage_run(const char *stage, const struct project *project, const struct target *target,
              const struct json *request, struct json **result, struct error *err);
/* What a target has that the project's files alone do not tell (ansible/host_variables.h): put into a stage's request by the
 * worker, taken from there by the stage's own process, which read the files anew. `target` NULL: nothing. */
void stage_hand_over(const struct target *target, struct json *request);
void stage_take_over(struct target *target, const struct json *request);
/* A memfd that holds the value's compact text, sealed when `sealed`; -1 with an error. The caller closes. */
int stage_memfd(const char *name, const struct json *value, bool sealed, struct error *err);
/* Reads such a descriptor from its start; NULL when it holds no JSON. */
struct json *stage_read(int fd);
int stage_write(int fd, const struct json *value, struct error *err);
