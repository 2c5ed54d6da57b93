/* Bytes in a file of memory that nobody changes any more: for a program's stdin, and for a secret that it
 * reads by the path of a descriptor. Mode 0600, at its start, gone with the last process that holds it. */
#pragma once
#include "base/error.h"
#include <stddef.h>

/* The descriptor, CLOEXEC; -1 with an ERROR_SYSTEM. The caller closes. */
int sealed_file(const char *name, const char *bytes, size_t length, struct error *err);
