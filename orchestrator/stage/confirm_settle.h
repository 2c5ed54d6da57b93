/* The body of the stage `confirm`: ways back that were left armed on the host are put back now, unless the
 * host has done so, and told. Blocking. */
#pragma once
#include "stage/sweep.h"

/* Its name. */
#define STAGE_CONFIRM "confirm"

/* Request: "confirm": [{"run", "step", "id"}], transport, bound_ns. Fills result: "settled": [{"run", "step",
 * "detail"}], each detail as that of a note `confirm`, and "warning" where something was put back. */
int confirm_settle(const struct host *host, const struct json *request, struct json *result,
                   struct error *err);
