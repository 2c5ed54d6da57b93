/* What became of a bundle: its path on stdout, what it lacks on stderr. */
#pragma once
#include "format/json.h"
#include <stdint.h>

/* Notes on stderr: parts that are missing, and secrets that could not be redacted by value. */
void bundle_view_note(const struct json *manifest);
/* The path, or {"version","path","size","manifest"}. -1 when stdout could not be written. */
int bundle_view_print(const char *path, int64_t size, struct json *manifest, bool json);
