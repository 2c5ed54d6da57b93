/* What a run saw of its target's health: a strip over the run's length, what it adds up to, and each window
 * in which it was not healthy any more. */
#pragma once
#include "figures/account.h"
#include "format/json.h"
#include "view/table.h"

/* The section of a report; nothing where nobody looked. */
void report_health_add(const struct account *account, const struct table_look *look, struct text *out);
/* {via, healthy, first_healthy, first_healthy_ms, unhealthy_ms, windows: […]}; NULL where nobody looked. */
struct json *report_health_json(const struct account *account);
