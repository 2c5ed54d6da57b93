/* Members that objects of several reports have in common, in the order in which they stand there
 * (docs/contract.md, "JSON"). */
#pragma once
#include "figures/account.h"
#include "figures/statistics.h"
#include "format/json.h"
#include <stdint.h>

/* Milliseconds; null of what is negative, not known. */
void report_json_set_ms(struct json *object, const char *key, int64_t ns);
/* Which step it is and how it ended: kind, name, attempt, transport, outcome. */
void report_json_set_step(struct json *object, const struct account *account,
                          const struct history_step *step);
/* How a step's host came to be known (event/machine.h), malloc'ed; NULL: it says nothing of that. */
char *report_known_by(const struct history_step *step);
/* What is held apart and how long it took: transport, fresh, ansible, n, min_ms,
 * median_ms, p95_ms, max_ms. */
void report_json_set_statistic(struct json *object, const struct statistic *row);
