/* The argument of --transport where a command takes several: names with commas between, the option once or
 * more. */
#pragma once
#include "base/words.h"

/* Adds each name once. EXIT_OK, or EXIT_BAD_USAGE after saying which there is none of. */
int transport_names_add(const char *list, struct words *out);
