#include "stage/health_wait.h"

#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/step_log.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { PACKET_MOST = 65536 };

/* The next look; NULL with an error: the bound is over, or nobody looks any more. */
static struct json *next_look(int fd, struct deadline deadline, struct error *err)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    AUTO_FREE char *packet = xmalloc(PACKET_MOST);
    int64_t left = deadline_left(deadline);
    int count = poll(&ready, 1, (int)((left + NS_PER_MS - 1) / NS_PER_MS));
    if (count == 0 || left == 0) {
        error_set(err, ERROR_DEADLINE, "the bound is over");
        return NULL;
    }
    ssize_t size = count > 0 ? recv(fd, packet, PACKET_MOST, 0) : -1;
    if (size <= 0) {
        error_set(err, ERROR_SYSTEM, "the run's worker says nothing more of the host's health");
        return NULL;
    }
    struct json *look = json_parse(packet, (size_t)size, NULL);
    return look ? look : json_new_object();
}

/* In the log, once for each that differs. */
static void say(const struct json *look, const struct json *before)
{
    const char *cause = json_get_string(look, "cause", "");
    if (!before || !text_is(cause, json_get_string(before, "cause", "")))
        step_log_say("not healthy: %s", json_get_string(look, "message", cause));
}

static int too_late(const struct json *last, int64_t bound, struct json *result, struct error *err)
{
    const char *cause = json_get_string(last, "cause", "never-asked");
    AUTO_FREE char *within = duration_show(bound);
    json_set_string(result, "cause", cause);
    return error_set(
        err, ERROR_DEADLINE,
        "the host is not healthy within %s of the last phase (health.within): %s; 'triphase report' "
        "has the times",
        within, last ? json_get_string(last, "message", cause) : "nothing led there to ask it");
}

int health_wait(const struct json *request, struct json *result, struct error *err)
{
    int fd = (int)json_get_integer(request, "health_fd", -1);
    int64_t bound = json_get_integer(request, "bound_ns", 0), since = moment_monotonic();
    struct deadline deadline = deadline_in(bound);
    AUTO_JSON *last = NULL;
    for (;;) {
        AUTO_ERROR why = ERROR_INIT;
        struct json *look = next_look(fd, deadline, &why);
        if (!look && why.kind == ERROR_DEADLINE)
            return too_late(last, bound, result, err);
        if (!look)
            return error_move(err, &why);
        if (json_get_bool(look, "healthy")) {
            struct json *evidence = json_new_object();
            json_set_string(evidence, "via", json_get_string(look, "via", NULL));
            json_set_integer(evidence, "waited_ms", (moment_monotonic() - since) / NS_PER_MS);
            json_set(result, "evidence", evidence);
            step_log_say("it is healthy");
            json_free(look);
            return 0;
        }
        say(look, last);
        json_free(last);
        last = look;
    }
}
