/* What a person reads of a way to a host that was not taken to its end. */
#pragma once
#include "base/error.h"
#include "config/transport_kind.h"
#include "transport/login.h"

/* "no login" for "auth", and so on for each rung of transport/route.h; what it does
 * not know stays as it is. */
const char *rung_means(const char *rung);
/* ERROR_UNREACHABLE of a login that failed: target, way, rung, class and what ssh said of it; of a
 * host key that is not the known one, the target's or that of a host on the way, two lines in place of
 * ssh's paragraph. Always -1. */
int login_error(const struct login *login, const struct transport_route *route, const char *target,
                enum transport_kind kind, struct error *err);
