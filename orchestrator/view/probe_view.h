/* The ways to a host side by side, as `probe` shows them. */
#pragma once
#include "format/json.h"

/* Both write to stdout; -1 when that failed. */
int probe_view_print(const struct json *report);
int probe_view_print_json(const struct json *report);
