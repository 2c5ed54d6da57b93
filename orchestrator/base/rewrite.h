/* A file that is there gets another content: it is either the old or the new one, and keeps its mode, owner
 * and group. ERROR_SYSTEM: also where it may not be written. A link is refused. */
#pragma once
#include "base/error.h"
#include <stddef.h>

int file_rewrite(const char *path, const void *bytes, size_t length, struct error *err);
