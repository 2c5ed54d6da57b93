/* What is said of one run by the commands that begin, follow and end it from elsewhere. */
#pragma once
#include "format/json.h"
#include <stddef.h>

/* A run goes on by itself: its target and id to stdout, how to reach it to stderr. */
void run_view_begun(const char *target, const char *run);
/* A document of facts to stdout. -1 when it could not be written. */
int run_view_json(const struct json *document);
