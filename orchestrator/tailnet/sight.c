#include "tailnet/sight.h"

#include "base/memory.h"
#include "base/text.h"
#include "tailnet/local_api.h"
#include "tailnet/news.h"

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
    AUTO_CLOSE int news = news_open(socket, deadline);
    for (;;) {
        AUTO_SIGHT sight = {.control_url = NULL};
        if (sight_take(socket, wish, deadline, &sight, err) < 0)
            return -1;
        if (!is_on_its_way(&sight) || deadline_over(deadline)) {
            *out = sight;
            sight = (struct sight){.control_url = NULL};
            return 0;
        }
        news_await(&news, deadline);
    }
}

void sight_clear(struct sight *sight)
{
    tailnet_status_clear(&sight->status);
    free(sight->control_url);
    *sight = (struct sight){.control_url = NULL};
}
