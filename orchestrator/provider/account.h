/* Whether the account of a target's cloud lets one in, asked with one request that changes nothing. */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include <stdint.h>

/* 0 and `said` (malloc'ed): where, and what of the account shows that it is the right one. Else -1 with the
 * API's own words: ERROR_UNREACHABLE where nobody answers or the cloud cannot do it now, ERROR_PROJECT where
 * it refuses. Only for a provider that is a cloud. */
int account_try(const struct project *project, const struct target *target, int64_t bound_ns, char **said,
                struct error *err);
