/* Identifiers: UUID version 7 (RFC 9562), so that rows of several stores sort by time and merge. */
#pragma once
#include <stdbool.h>

enum { ID_SIZE = 37 }; /* 36 characters and the NUL */

/* A new id in lower-case hex with dashes, in time order within this process. */
void id_make(char out[ID_SIZE]);
bool id_is(const char *text);
/* The last `digits` hex digits (at most 12, all in the last group): a pointer into `id`. Short ids have 8. */
const char *id_tail(const char *id, int digits);
/* The short form, as text for people shows it (JSON has the whole one): a pointer into `id`; what is
 * no id is shown as it is. */
const char *id_shown(const char *id);
