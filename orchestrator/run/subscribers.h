/* Who hears what a run tells, a row each: they are opened in this order. */
#pragma once
#include "event/subscriber.h"
#include <stddef.h>

extern const struct subscriber *const run_subscribers[];
extern const size_t run_subscribers_count;
