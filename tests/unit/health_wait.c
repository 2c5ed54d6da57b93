/* The stage that waits until a host is healthy, as its worker tells it. */
#include "stage/health_wait.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(health_wait, .timeout = 20);

static int worker = -1;

/* What the stage says after these packets; `bound_ns` from its begin. */
static int wait_for(int64_t bound_ns, const char *const *packets, struct json **result, struct error *err)
{
    int ends[2];
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    worker = ends[1];
    for (; *packets; packets++)
        cr_assert(send(worker, *packets, strlen(*packets), 0) > 0);
    AUTO_JSON *request = json_new_object();
    json_set_integer(request, "health_fd", ends[0]);
    json_set_integer(request, "bound_ns", bound_ns);
    *result = json_new_object();
    return health_wait(request, *result, err);
}

#define ILL                                                                               \
    "{\"healthy\":false,\"cause\":\"http-503\",\"message\":\"it answers with the status " \
    "503\",\"via\":\"ssh\"}"
#define WELL "{\"healthy\":true,\"cause\":null,\"message\":null,\"via\":\"ssh\"}"

Test(health_wait, the_first_good_look_ends_it)
{
    static const char *const packets[] = {ILL, "no json", WELL, ILL, NULL};
    AUTO_JSON *result = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(wait_for(60 * NS_PER_S, packets, &result, &err) == 0, "%s", error_text(&err));
    cr_assert_str_eq(json_get_string(json_get(result, "evidence"), "via", ""), "ssh");
}

Test(health_wait, one_that_is_not_healthy_within_its_bound_is_told_with_what_was_seen_last)
{
    static const char *const packets[] = {ILL, ILL, NULL}, *const none[] = {NULL};
    AUTO_JSON *result = NULL, *unasked = NULL;
    AUTO_ERROR err = ERROR_INIT;
    int64_t since = moment_monotonic();
    cr_assert(wait_for(300 * NS_PER_MS, packets, &result, &err) < 0);
    cr_assert_eq(err.kind, ERROR_DEADLINE);
    cr_assert(strstr(error_text(&err), "it answers with the status 503"), "%s", error_text(&err));
    cr_assert_str_eq(json_get_string(result, "cause", ""), "http-503");
    cr_assert_lt(moment_monotonic() - since, 5 * NS_PER_S);
    cr_assert(wait_for(100 * NS_PER_MS, none, &unasked, &err) < 0);
    cr_assert_eq(err.kind, ERROR_DEADLINE);
    cr_assert_str_eq(json_get_string(unasked, "cause", ""), "never-asked");
}

Test(health_wait, a_worker_that_is_gone_is_not_waited_for)
{
    int ends[2];
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    close(ends[1]);
    AUTO_JSON *request = json_new_object(), *result = json_new_object();
    AUTO_ERROR err = ERROR_INIT;
    json_set_integer(request, "health_fd", ends[0]);
    json_set_integer(request, "bound_ns", 60 * NS_PER_S);
    cr_assert(health_wait(request, result, &err) < 0);
    cr_assert_eq(err.kind, ERROR_SYSTEM);
}
