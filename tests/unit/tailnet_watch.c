/* Which samples of a tailnet's path are kept, of what a tailscaled that is played says. */
#include "transport/tailnet_watch.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "unit/folder.h"
#include "unit/web.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(tailnet_watch, .timeout = 60, .fini = folder_clean);

static char *answer(const char *path, const char *health, int received)
{
    AUTO_FREE char *body =
        xasprintf("{\"BackendState\":\"Running\",\"TailscaleIPs\":[\"100.64.0.2\"],\"Health\":[%s],\"Peer\":{"
                  "\"nodekey:bb\":{"
                  "\"TailscaleIPs\":[\"100.64.0.1\"],%s,\"RxBytes\":%d,\"TxBytes\":77,\"LastHandshake\":"
                  "\"2026-01-02T03:04:05Z\",\"Online\":true,\"Active\":true}}}",
                  health, path, received);
    return xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(body),
                     body);
}

struct heard {
    struct loop *loop;
    struct words samples;
    int looks, wanted;
};

static void on_judged(void *context, enum path_state state)
{
    struct heard *heard = context;
    (void)state;
    if (++heard->looks == heard->wanted)
        loop_stop(heard->loop);
}

static void on_sample(void *context, int direct, struct json *detail, int64_t at_ns)
{
    struct heard *heard = context;
    AUTO_FREE char *health = json_compact(json_get(detail, "health"));
    cr_expect(gt(i64, at_ns, 0));
    words_addf(&heard->samples, "%d %s %s %ld/%ld %s", direct, json_get_string(detail, "path", "?"),
               json_get_string(detail, "via", "?"), (long)json_get_integer(detail, "received", -1),
               (long)json_get_integer(detail, "sent", -1), health);
}

Test(tailnet_watch, the_first_each_that_differs_in_path_or_warnings_and_the_last_are_kept)
{
#define DIRECT "\"CurAddr\":\"10.0.0.2:41641\",\"Relay\":\"hs\""
#define RELAY  "\"CurAddr\":\"\",\"Relay\":\"hs\""
    AUTO_FREE char *first = answer(DIRECT, "", 1000), *grown = answer(DIRECT, "", 2000),
                   *warning = answer(DIRECT, "\"no map for a while\"", 3000),
                   *relayed = answer(RELAY, "\"no map for a while\"", 4000),
                   *last = answer(RELAY, "\"no map for a while\"", 5000);
    const struct web_answer answers[] = {
        {.bytes = first}, {.bytes = grown}, {.bytes = warning}, {.bytes = relayed}, {.bytes = last}};
    folder_write("here", "");
    AUTO_FREE char *socket = folder_path("tailscaled.sock");
    AUTO_ERROR err = ERROR_INIT;
    struct heard heard = {.wanted = 5};
    (void)web_start(socket, answers, COUNT_OF(answers));
    cr_assert(eq(int, loop_new(&heard.loop, &err), 0));
    const struct tailnet_watch_plan plan = {.socket = socket, .address = "100.64.0.1"};
    struct tailnet_watch *watch =
        tailnet_watch_start(heard.loop, &plan, 10 * NS_PER_S, on_judged, on_sample, &heard);
    cr_assert(watch != NULL);

    cr_assert(eq(int, loop_run(heard.loop, &err), 0));
    tailnet_watch_end(watch);

    AUTO_FREE char *all = words_join(&heard.samples, "\n");
    cr_expect(eq(str, all,
                 (char *)(uintptr_t) "1 direct 10.0.0.2:41641 1000/77 []\n"
                                     "1 direct 10.0.0.2:41641 3000/77 [\"no map for a while\"]\n"
                                     "0 relay hs 4000/77 [\"no map for a while\"]\n"
                                     "0 relay hs 5000/77 [\"no map for a while\"]"));
    tailnet_watch_free(&watch);
    words_clear(&heard.samples);
    loop_free(heard.loop);
}
