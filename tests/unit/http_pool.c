/* The connections that all who ask share, when the network under them changes: the server counts them. */
#include "net/http.h"

#include "base/memory.h"
#include "base/moment.h"
#include "web.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

TestSuite(http_pool, .timeout = 30);

#define KEEP "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

struct asker {
    struct loop *loop;
    struct http *http;
    struct http_transfer *transfer;
    struct timer *timer;
    int done, failed;
    bool renew_in_it;
    struct web *web; /* that is to have been asked before it is renewed */
};

static void on_done(void *context, const struct http_answer *answer, const struct error *failure)
{
    struct asker *asker = context;
    asker->done += answer && text_is(text_string(&answer->body), "ok");
    asker->failed += failure != NULL;
    if (asker->renew_in_it)
        http_renew(asker->http);
    loop_stop(asker->loop);
}

static struct asker asker_new(struct loop *loop)
{
    struct asker asker = {.loop = loop};
    cr_assert((loop || loop_new(&asker.loop, NULL) == 0) && http_open(asker.loop, &asker.http, NULL) == 0);
    return asker;
}

static void begin(struct asker *asker, const char *method, const char *url)
{
    struct http_request request = {.method = method, .url = url, .bound_ns = 10 * NS_PER_S};
    cr_assert(http_begin(asker->http, &request, on_done, asker, &asker->transfer, NULL) == 0);
}

static void ask(struct asker *asker, const char *url)
{
    begin(asker, "GET", url);
    cr_assert(loop_run(asker->loop, NULL) == 0);
}

Test(http_pool, one_user_after_another_has_one_connection_before_it_is_renewed_and_two_behind_it)
{
    static const struct web_answer kept[] = {{.bytes = KEEP, .end = WEB_KEEP}};
    struct web *web = web_start(NULL, kept, 1);
    struct asker one = asker_new(NULL), other = asker_new(one.loop);
    ask(&one, web_base(web));
    ask(&other, web_base(web));
    cr_assert_eq(web_connections(web), 1, "before");
    http_renew(one.http);
    ask(&other, web_base(web));
    ask(&one, web_base(web));
    cr_assert_eq(web_connections(web), 2, "behind it");
    other.renew_in_it = true;
    ask(&other, web_base(web));
    other.renew_in_it = false;
    ask(&other, web_base(web));
    cr_assert_eq(web_connections(web), 3, "renewed within an answer");
    cr_assert_eq(web_count(web), 6);
    cr_assert_eq(one.done + other.done, 6);
    http_close(&one.http);
    http_close(&other.http);
    loop_free(one.loop);
}

static void renew_and_go_on(void *context)
{
    struct asker *asker = context;
    if (web_count(asker->web) > 0)
        http_renew(asker->http);
    else
        timer_arm(asker->timer, 20 * NS_PER_MS);
}

static void ask_renewed(struct asker *asker, const char *method, struct web *web)
{
    asker->web = web;
    asker->timer = loop_timer(asker->loop, renew_and_go_on, asker);
    timer_arm(asker->timer, 200 * NS_PER_MS);
    begin(asker, method, web_base(web));
    cr_assert(loop_run(asker->loop, NULL) == 0);
    timer_free(&asker->timer);
    http_close(&asker->http);
    loop_free(asker->loop);
}

Test(http_pool, what_has_no_answer_yet_is_asked_again_over_a_new_connection)
{
    static const struct web_answer first_hangs[] = {
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nk", .end = WEB_HOLD}, {.bytes = KEEP}};
    struct web *web = web_start(NULL, first_hangs, 2);
    struct asker asker = asker_new(NULL);
    ask_renewed(&asker, "GET", web);
    cr_assert_eq(asker.done, 1, "nothing of the first answer is in it");
    cr_assert_eq(web_connections(web), 2);
    cr_assert_eq(web_count(web), 2);
}

Test(http_pool, what_might_be_done_twice_goes_on_as_it_was)
{
    static const struct web_answer late[] = {{.bytes = KEEP, .pause_ms = 600}};
    struct web *web = web_start(NULL, late, 1);
    struct asker asker = asker_new(NULL);
    ask_renewed(&asker, "POST", web);
    cr_assert_eq(asker.done, 1);
    cr_assert_eq(web_count(web), 1);
    cr_assert_eq(web_connections(web), 1);
}

/* Of this process alone: names are asked for where somebody listens who never answers. */
static int resolver_goes_silent(void)
{
    char path[] = "/tmp/triphase-resolver-XXXXXX";
    static const char words[] = "nameserver 127.0.0.98\noptions timeout:8 attempts:1\n";
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(53),
                                   .sin_addr.s_addr = inet_addr("127.0.0.98")};
    int file = mkstemp(path), silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert(write(file, words, sizeof words - 1) > 0 && close(file) == 0);
    cr_assert(unshare(CLONE_NEWNS) == 0 && mount("/", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    int bound = mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL);
    cr_assert(unlink(path) == 0 && bound == 0);
    cr_assert(bind(silent, (const struct sockaddr *)&at, sizeof at) == 0);
    return silent;
}

Test(http_pool, a_resolver_that_never_answers_holds_nobody_up)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    int silent = resolver_goes_silent();
    struct asker asker = asker_new(NULL);
    int64_t since = moment_monotonic();
    struct http_request request = {.method = "GET",
                                   .url = "http://nobody.example/",
                                   .bound_ns = 500 * NS_PER_MS};
    cr_assert(http_begin(asker.http, &request, on_done, &asker, &asker.transfer, NULL) == 0);
    cr_assert(loop_run(asker.loop, NULL) == 0);
    cr_assert_eq(asker.failed, 1);
    cr_assert_lt(moment_monotonic() - since, 5 * NS_PER_S);
    http_close(&asker.http);
    loop_free(asker.loop);
    close(silent);
}
