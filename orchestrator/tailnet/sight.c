#include "tailnet/sight.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "tailnet/local_api.h"

/* The daemon answers from memory. */
#define ASK_EVERY (100 * NS_PER_MS)

int sight_take(const char *socket, const struct ready_wish *wish, struct deadline deadline, struct sight *out,
               struct error *err)
{
    AUTO_SIGHT sight = {.control_url = NULL};
    if (local_api_status(socket, true, deadline, &sight.status, err) < 0 ||
        local_api_control_url(socket, deadline, &sight.control_url, err) < 0)
        return -1;
    sight.verdict = ready_judge(&sight.status, sight.control_url, wish);
    *out = sight;
    sight = (struct sight){.control_url = NULL};
    return 0;
}

static bool is_on_its_way(const struct sight *sight)
{
    static const char *const states[] = {"NoState", "Starting", "", NULL};
    return ready_is_on_its_way(sight->verdict) ||
           (sight->verdict == READY_NOT_RUNNING && text_is_one_of(sight->status.state, states));
}

int sight_settle(const char *socket, const struct ready_wish *wish, struct deadline deadline,
                 struct sight *out, struct error *err)
{
    for (;;) {
        AUTO_SIGHT sight = {.control_url = NULL};
        if (sight_take(socket, wish, deadline, &sight, err) < 0)
            return -1;
        if (!is_on_its_way(&sight) || deadline_left(deadline) <= ASK_EVERY) {
            *out = sight;
            sight = (struct sight){.control_url = NULL};
            return 0;
        }
        moment_sleep(ASK_EVERY);
    }
}

void sight_clear(struct sight *sight)
{
    tailnet_status_clear(&sight->status);
    free(sight->control_url);
    *sight = (struct sight){.control_url = NULL};
}
