/* What a host's cloud-init did in its first boot, from its own record (/run/cloud-init/status.json, the same
 * since its version 0.7) and from what `cloud-init status --format json` says where it knows that. Pure. */
#pragma once
#include "base/text.h"
#include "base/words.h"
#include "stage/ready_answer.h"

/* Its stages in the order they began: a list of {stage, started_ns, finished_ns, errors}, by this machine's
 * clock, which read `now_ns` when the host was asked; finished_ns null: it has not ended. The end of all of
 * it comes last, as "boot-finished". */
struct json *cloud_init_stages(const struct ready_answer *answer, int64_t now_ns);
/* Whether it failed; `why` gets "modules-config: …" for each error. */
bool cloud_init_failed(const struct ready_answer *answer, struct words *why);
/* Whether it came through with what it calls recoverable errors; `why` gets them. */
bool cloud_init_degraded(const struct ready_answer *answer, struct words *why);
/* The stage that it is in: "modules-final"; malloc'ed, NULL: not told. */
char *cloud_init_busy(const struct ready_answer *answer);
