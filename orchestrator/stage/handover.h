/* What passes between a worker and its stage's process: request and answer as JSON in memory files, and in
 * the request what the project's files alone do not tell. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "format/json.h"

/* What a target and its peers have that the project's files alone do not tell (ansible/host_variables.h): put
 * into a stage's request by the worker, taken from there by the stage's own process, which read the files
 * anew. `target` NULL: nothing; `project` NULL: nothing of peers. */
void handover_put_targets(const struct project *project, const struct target *target, struct json *request);
void handover_take_targets(struct project *project, const struct json *request);
/* A memfd that holds the value's compact text, sealed when `sealed`; -1 with an error. The caller closes. */
int handover_memfd(const char *name, const struct json *value, bool sealed, struct error *err);
/* Reads such a descriptor from its start; NULL when it holds no JSON. */
struct json *handover_read(int fd);
int handover_write(int fd, const struct json *value, struct error *err);
