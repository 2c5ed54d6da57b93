#include "provider/account.h"

#include "base/memory.h"
#include "base/text.h"
#include "provider/hetzner_account.h"

#include <inttypes.h>

int account_try(const struct project *project, const struct target *target, int64_t bound_ns, char **said,
                struct error *err)
{
    AUTO_CLOUD_API *api = NULL;
    AUTO_JSON *answer = NULL;
    AUTO_ERROR why = ERROR_INIT;
    if (cloud_api_open(&target->cloud, project->directory, deadline_in(bound_ns), &api, err) < 0)
        return -1;
    if (cloud_api_get(api, "/servers?per_page=1", &answer, NULL, &why) < 0) {
        if (why.kind == ERROR_PROVIDER || why.kind == ERROR_DEADLINE)
            why.kind = ERROR_UNREACHABLE;
        return error_move(err, &why);
    }
    const struct json *pages = json_get(json_get(answer, "meta"), "pagination");
    int64_t servers = json_get_integer(pages, "total_entries", 0);
    *said = xasprintf("%s takes the token, and shows %" PRId64
                      " server%s; whether it permits writing shows when something is made",
                      target->cloud.endpoint, servers, servers == 1 ? "" : "s");
    return 0;
}
