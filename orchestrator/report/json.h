/* Reports as JSON: the shape is that of docs/contract.md, "JSON", version 1. Owned by the caller. */
#pragma once
#include "figures/account.h"

/* `state`: the folder .triphase, which the paths of logs and event files are completed with. */
struct json *report_json_run(const struct account *account, const char *state);
struct json *report_json_runs(const struct account *accounts, size_t count, const char *state);
struct json *report_json_sums(const struct history_sums *sums, enum history_by by);
