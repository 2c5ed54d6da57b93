/* The bodies of stages: what triphase does itself and may block (making a machine, verifying a transport,
 * removing a machine). Each runs in a child of the worker, in the step's scope under its deadline; request
 * and result are JSON over two descriptors, so nothing of it is in argv. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"
#include <stdbool.h>

/* A stage's request, made by the worker. Keys: stage, target, machine, run, transports, bound_ns, keep_state,
 * drop_masters, starting (struct transport_request), knocked_ns (when somebody knocked at the host,
 * monotonic: nothing connects to it for KNOCK_APART_S); and those of stage/sweep.h and stage/host_ready.h. */
/* Those that see that a host is in its tailnet: before what would bring it there, and behind it. */
#define STAGE_BEFORE_JOINING "tailnet-look"
#define STAGE_JOINED         "tailnet"
bool stage_joins(const char *stage);
/* Runs the body. `target` may be NULL for "destroy" only. Fills *result: {"machine":…} and for "transport"
 * also "transport", "session", "boot", "host_ticks", "at_ns" and "evidence"; for "tailnet-look" and
 * "tailnet" what stage/join_look.h and join_verify.h say; for "destroy" "evidence", where the machine was
 * in a tailnet. */
int stage_run(const char *stage, const struct project *project, const struct target *target,
              const struct json *request, struct json **result, struct error *err);
