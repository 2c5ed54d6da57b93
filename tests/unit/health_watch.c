/* The health of a host as the loop of a run asks for it, against servers that are well and ill. */
#include "health/watch.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "folder.h"
#include "web.h"

#include <criterion/criterion.h>

TestSuite(health_watch, .timeout = 30, .init = folder_fill, .fini = folder_clean);

#define ANSWER(status) "HTTP/1.1 " status " X\r\nContent-Length: 0\r\n\r\n"

static int expected[] = {200, 0}, early[] = {501, 0};

struct look {
    struct loop *loop;
    struct target target;
    struct machine machine;
    struct scope scope;
    struct health_watch *watch;
    struct text told; /* a word each that changed, or ended it */
    int seen, wanted; /* looks; after so many it stops */
};

static void on_seen(void *context, const struct health_sight *sight, enum health_worth worth)
{
    struct look *look = context;
    if (worth != HEALTH_PASSED_OVER)
        text_addf(&look->told, "%s%s", look->told.length ? " " : "",
                  sight->healthy ? "healthy" : sight->cause);
    if (++look->seen == look->wanted)
        loop_stop(look->loop);
}

static void look_begin(struct look *look, const char *url, int wanted)
{
    *look = (struct look){.wanted = wanted,
                          .scope = {.kind = SCOPE_MARKER, .fd = -1},
                          .target = {.health = {.expect = expected,
                                                .before = early,
                                                .every_ns = 100 * NS_PER_MS,
                                                .via = HEALTH_NETWORK}}};
    cr_assert_null(health_url_read(url, &look->target.health.url));
    look->machine = (struct machine){.id = (char *)(uintptr_t) "m",
                                     .address = (char *)(uintptr_t) "127.0.0.1",
                                     .directory = (char *)(uintptr_t) "/nowhere"};
    cr_assert(loop_new(&look->loop, NULL) == 0);
}

static void look_run(struct look *look)
{
    const struct health_watch_plan plan = {&look->target, &look->scope, "TEST=1"};
    cr_assert(health_watch_start(look->loop, &plan, on_seen, look, &look->watch, NULL) == 0);
    health_watch_place(look->watch, &look->machine, NULL, NULL);
    cr_assert(loop_run(look->loop, NULL) == 0);
    health_watch_end(look->watch);
    health_watch_free(&look->watch);
    health_url_clear(&look->target.health.url);
    loop_free(look->loop);
}

Test(health_watch, each_change_is_told_once_with_its_cause)
{
    static const struct web_answer answers[] = {
        {.bytes = ANSWER("501"), .end = WEB_KEEP}, {.bytes = ANSWER("501"), .end = WEB_KEEP},
        {.bytes = ANSWER("200"), .end = WEB_KEEP}, {.bytes = ANSWER("200"), .end = WEB_KEEP},
        {.bytes = ANSWER("503"), .end = WEB_KEEP}, {.bytes = ANSWER("500"), .end = WEB_KEEP},
        {.bytes = ANSWER("200"), .end = WEB_KEEP},
    };
    struct web *web = web_start(NULL, answers, COUNT_OF(answers));
    struct look look;
    AUTO_FREE char *url = xasprintf("http://{address}%s/", web_base(web) + strlen("http://127.0.0.1"));
    look_begin(&look, url, 8);
    look_run(&look);
    cr_assert_str_eq(text_string(&look.told), "http-501 healthy http-503 http-500 healthy healthy",
                     "the last one is told at the end");
    cr_assert_eq(web_connections(web), 1, "all over one connection");
    text_clear(&look.told);
}

Test(health_watch, a_connection_that_died_by_itself_is_no_window)
{
    static const struct web_answer answers[] = {{.bytes = ANSWER("200"), .end = WEB_KEEP},
                                                {.end = WEB_HOLD},
                                                {.bytes = ANSWER("200"), .end = WEB_KEEP}};
    struct web *web = web_start(NULL, answers, COUNT_OF(answers));
    struct look look;
    look_begin(&look, web_base(web), 3);
    look_run(&look);
    cr_assert_str_eq(text_string(&look.told), "healthy healthy", "the first and the last");
    cr_assert_eq(web_connections(web), 2);
    text_clear(&look.told);
}

Test(health_watch, what_is_down_twice_is_a_window_from_when_it_was_asked_first)
{
    static const struct web_answer answers[] = {{.bytes = ANSWER("200"), .end = WEB_CLOSE},
                                                {.end = WEB_RESET}};
    struct look look;
    look_begin(&look, web_base(web_start(NULL, answers, COUNT_OF(answers))), 2);
    look_run(&look);
    cr_assert_str_eq(text_string(&look.told), "healthy reset");
    text_clear(&look.told);
}

Test(health_watch, a_certificate_that_is_not_there_yet_is_waited_for)
{
    struct look look;
    look_begin(&look, "https://127.0.0.1:1/", 3);
    look.target.health.ca = folder_path("ca.crt");
    look_run(&look);
    cr_assert_str_eq(text_string(&look.told), "no-ca no-ca");
    text_clear(&look.told);
    folder_write("ca.crt", "no certificate\n");
    AUTO_FREE char *ca = look.target.health.ca;
    look_begin(&look, "https://127.0.0.1:1/", 1);
    look.target.health.ca = ca;
    look_run(&look);
    cr_assert_str_eq(text_string(&look.told), "refused", "it is read as soon as it is there");
    text_clear(&look.told);
}

Test(health_watch, over_ssh_nothing_is_asked_while_there_is_no_connection)
{
    struct look look;
    look_begin(&look, "http://127.0.0.1:1/", 1);
    look.target.health.via = HEALTH_AUTO;
    const struct health_watch_plan plan = {&look.target, &look.scope, "TEST=1"};
    cr_assert(health_watch_start(look.loop, &plan, on_seen, &look, &look.watch, NULL) == 0);
    health_watch_place(look.watch, &look.machine, NULL, NULL);
    struct timer *timer = loop_timer(look.loop, (timer_function *)(void (*)(void))loop_stop, look.loop);
    timer_arm(timer, 500 * NS_PER_MS);
    cr_assert(loop_run(look.loop, NULL) == 0);
    cr_assert_eq(look.seen, 0);
    cr_assert_str_eq(health_watch_unasked(look.watch),
                     "there is no ssh connection to the host at the moment");
    timer_free(&timer);
    health_watch_end(look.watch);
    health_watch_free(&look.watch);
    health_url_clear(&look.target.health.url);
    loop_free(look.loop);
}
