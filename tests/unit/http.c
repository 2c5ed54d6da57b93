/* Requests over HTTP as they go wrong, and what libcurl costs whoever asks nobody. */
#include "net/http_ask.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "net/http_answer.h"
#include "net/http_basic.h"
#include "net/knock.h"
#include "process/loop.h"
#include "web.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int ask(const char *url, int64_t ns, struct http_answer *answer, struct error *err)
{
    struct http_request request = {.method = "GET", .url = url};
    return http_ask(&request, deadline_in(ns), answer, err);
}

static bool is_loaded(void)
{
    AUTO_TEXT maps = TEXT_INIT;
    cr_assert(file_read("/proc/self/maps", 4 << 20, &maps, NULL) == 0);
    return strstr(text_string(&maps), "libcurl") != NULL;
}

Test(http, is_not_loaded_before_it_is_used)
{
    struct http_answer answer;
    cr_assert_not(is_loaded());
    cr_assert(ask("http://127.0.0.1:1/", NS_PER_S, &answer, NULL) < 0);
    cr_assert(is_loaded());
}

#define OK "HTTP/1.1 200 OK\r\n"

Test(http, each_failure_is_said_in_words)
{
    static const struct {
        struct web_answer answer;
        const char *url, *words; /* url NULL: the server's */
    } cases[] = {
        {{0},
         "http://127.0.0.1:1/",
         "127.0.0.1:1: cannot be connected to: Connection refused: nothing listens"},
        {{0}, "http://no-such-host.invalid/", "no-such-host.invalid: its name has no address"},
        {{0}, "ftp://127.0.0.1/", "is nothing that can be asked over http or https"},
        {{0}, "file:///etc/passwd", "is nothing that can be asked"},
        {{.end = WEB_HOLD}, NULL, "takes the connection, but does not answer within 1"},
        {{.bytes = OK "Content-Length: 9\r\n\r\nabc", .end = WEB_HOLD},
         NULL,
         "does not end its answer within 1"},
        {{.bytes = OK "Content-Length: 9\r\n\r\nabc"}, NULL, "ends its answer too early (3 bytes came)"},
        {{.end = WEB_RESET}, NULL, "resets the connection"},
        {{.end = WEB_CLOSE}, NULL, "closes it without an answer"},
        {{.bytes = "SSH-2.0-OpenSSH_9.2\r\n"}, NULL, "does not speak HTTP"},
        {{.bytes = OK "\r\n", .filler = 2 << 20}, NULL, "sends more than it may"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct http_answer answer;
        AUTO_ERROR err = ERROR_INIT;
        struct web *web = web_start(NULL, &cases[i].answer, 1);
        int64_t since = moment_monotonic();
        int got = ask(cases[i].url ? cases[i].url : web_base(web), NS_PER_S, &answer, &err);
        cr_expect(got < 0, "%zu", i);
        cr_expect(strstr(error_text(&err), cases[i].words), "%zu: %s", i, error_text(&err));
        cr_expect_lt(moment_monotonic() - since, 3 * NS_PER_S);
    }
}

Test(http, what_trickles_is_given_up)
{
    static const struct web_answer trickle[] = {
        {.bytes = OK "Content-Length: 9\r\n\r\nabc", .end = WEB_HOLD}};
    struct http_answer answer;
    AUTO_ERROR err = ERROR_INIT;
    struct http_request request = {.method = "GET",
                                   .url = web_base(web_start(NULL, trickle, 1)),
                                   .bound_ns = 20 * NS_PER_S,
                                   .slow_s = 1};
    cr_assert(http_ask(&request, deadline_in(20 * NS_PER_S), &answer, &err) < 0);
    cr_assert(strstr(error_text(&err), "sends less than a byte a second (3 bytes came)"), "%s",
              error_text(&err));
}

/* One that listens and takes nobody: its queue is full. */
static int listen_and_take_nobody(char **url)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 0) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    for (int i = 0; i < 3; i++)
        knock_begin((struct sockaddr *)&address, size);
    *url = xasprintf("http://127.0.0.1:%d/", ntohs(address.sin_port));
    return fd;
}

Test(http, a_connection_that_nobody_takes_is_given_up_by_a_bound_of_its_own)
{
    AUTO_FREE char *url = NULL;
    AUTO_CLOSE int fd = listen_and_take_nobody(&url);
    struct http_request request = {.method = "GET", .url = url, .connect_ns = NS_PER_S};
    struct http_answer answer;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(http_ask(&request, deadline_in(60 * NS_PER_S), &answer, &err) < 0);
    cr_assert(strstr(error_text(&err), "does not take a connection within 1"), "%s", error_text(&err));
}

Test(http, one_that_connects_and_agrees_on_no_tls_is_told_so)
{
    static const struct web_answer silent[] = {{.pause_ms = 3000, .end = WEB_CLOSE}};
    AUTO_FREE char *url = xasprintf("https%s/", web_base(web_start(NULL, silent, 1)) + strlen("http"));
    struct http_answer answer;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(ask(url, NS_PER_S, &answer, &err) < 0);
    cr_assert(strstr(error_text(&err), "takes the connection, but TLS is not agreed on within 1"), "%s",
              error_text(&err));
}

Test(http, silence_over_a_connection_from_before_is_no_fault_of_the_name_servers)
{
    static const struct web_answer then_silent[] = {
        {.bytes = OK "Content-Length: 0\r\n\r\n", .end = WEB_KEEP}, {.end = WEB_HOLD}};
    const char *url = web_base(web_start(NULL, then_silent, 2));
    struct http_answer answer;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(ask(url, 5 * NS_PER_S, &answer, NULL) == 0);
    cr_assert(ask(url, NS_PER_S, &answer, &err) < 0);
    cr_assert(strstr(error_text(&err), "takes the connection, but does not answer within 1"), "%s",
              error_text(&err));
}

Test(http, its_sockets_are_handed_to_no_program)
{
    static const struct web_answer kept[] = {{.bytes = OK "Content-Length: 0\r\n\r\n", .end = WEB_KEEP}};
    struct http_answer answer;
    cr_assert(ask(web_base(web_start(NULL, kept, 1)), 5 * NS_PER_S, &answer, NULL) == 0);
    int sockets = 0;
    for (int fd = 3; fd < 200; fd++) {
        int flags = fcntl(fd, F_GETFD), is = 0;
        socklen_t size = sizeof is;
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &size) < 0 ||
            getpeername(fd, (struct sockaddr *)&peer, &length) < 0 || peer.sin_family != AF_INET)
            continue;
        sockets++;
        cr_expect(flags & FD_CLOEXEC, "%d", fd);
    }
    cr_assert_geq(sockets, 2, "both ends of the connection that is kept");
}

Test(http, a_large_body_is_sent_without_asking_whether_it_is_wanted)
{
    static const struct web_answer good[] = {{.bytes = OK "Connection: close\r\n\r\n"}};
    struct web *web = web_start(NULL, good, 1);
    AUTO_TEXT body = TEXT_INIT;
    while (body.length < 2 << 20)
        text_add(&body, "0123456789abcdef");
    struct http_request request = {
        .method = "POST", .url = web_base(web), .body = body.bytes, .body_length = body.length};
    struct http_answer answer;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(http_ask(&request, deadline_in(20 * NS_PER_S), &answer, &err) == 0, "%s", error_text(&err));
    http_answer_clear(&answer);
    cr_assert_null(strcasestr(web_request(web, 0), "expect:"));
    cr_assert(strlen(web_request(web, 0)) > body.length);
}

Test(http, an_answer_is_given_whatever_its_status_and_no_redirect_is_followed)
{
    static const struct web_answer answers[] = {
        {.bytes = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nConnection: close\r\n\r\nthere"}};
    AUTO_HTTP_ANSWER answer = {0};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(ask(web_base(web_start(NULL, answers, 1)), 5 * NS_PER_S, &answer, &err) == 0, "%s",
              error_text(&err));
    cr_assert_eq(answer.status, 302);
    cr_assert_str_eq(text_string(&answer.body), "there");
    cr_assert_eq(answer.retry_after_ns, -1);
}

Test(http, when_to_come_again_is_read_in_seconds_and_as_a_date)
{
    static const struct {
        const char *line;
        int64_t seconds; /* -1: not said */
    } cases[] = {{"Retry-After: 7\r\n", 7},
                 {"retry-after:120", 120},
                 {"Retry-After: Sun, 06 Nov 1994 08:49:47 GMT\r\n", 10},
                 {"Retry-After: Sun, 06 Nov 1994 08:00:00 GMT\r\n", 0},
                 {"Retry-After: soon\r\n", -1},
                 {"Retry-After: -5\r\n", -1},
                 {"Retry-After: 99999999999999999999\r\n", -1},
                 {"X-Retry-After: 5\r\n", -1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct http_answer answer = {.retry_after_ns = -1};
        const char *date = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
        http_answer_read_head(&answer, date, strlen(date));
        http_answer_read_head(&answer, cases[i].line, strlen(cases[i].line));
        int64_t want = cases[i].seconds < 0 ? -1 : cases[i].seconds * NS_PER_S;
        cr_expect_eq(answer.retry_after_ns, want, "%s: %lld", cases[i].line,
                     (long long)answer.retry_after_ns);
        cr_expect_eq(answer.date_ns, INT64_C(784111777) * NS_PER_S);
    }
    cr_expect_eq(http_answer_date("Sun, 06 Nov 1994 08:49:37 CET"), 0);
    cr_expect_eq(http_answer_date("06 Nov 94"), 0);
}

Test(http, basic_authentication_is_what_the_standard_says)
{
    AUTO_FREE char *known = http_basic("Aladdin", "open sesame");
    AUTO_FREE char *none = http_basic("k", NULL);
    cr_assert_str_eq(known, "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    cr_assert_str_eq(none, "Authorization: Basic azo=");
}

struct watched {
    struct loop *loop;
    struct http *http;
    struct http_transfer *transfer;
    int done, failed;
    bool close_in_it;
};

static void on_done(void *context, const struct http_answer *answer, const struct error *failure)
{
    struct watched *watched = context;
    watched->done += answer != NULL;
    watched->failed += failure != NULL;
    cr_assert_null(watched->transfer);
    if (watched->close_in_it)
        http_close(&watched->http);
    loop_stop(watched->loop);
}

static struct watched watched_new(void)
{
    struct watched watched = {0};
    cr_assert(loop_new(&watched.loop, NULL) == 0 && http_open(watched.loop, &watched.http, NULL) == 0);
    return watched;
}

static void begin(struct watched *watched, const char *url)
{
    struct http_request request = {.method = "GET", .url = url, .bound_ns = 5 * NS_PER_S};
    cr_assert(http_begin(watched->http, &request, on_done, watched, &watched->transfer, NULL) == 0);
}

#define KEEP "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Test(http, all_who_ask_share_one_handle_and_its_connections_also_one_after_the_other)
{
    static const struct web_answer kept[] = {{.bytes = KEEP, .end = WEB_KEEP}};
    struct web *web = web_start(NULL, kept, 1);
    struct watched one = watched_new(), other = {.loop = one.loop};
    cr_assert(http_open(one.loop, &other.http, NULL) == 0, "a second one on the same loop");
    for (int i = 0; i < 2; i++) {
        struct watched *watched = i ? &other : &one;
        begin(watched, web_base(web));
        loop_run(one.loop, NULL);
        cr_assert_eq(watched->done, 1);
        http_close(&watched->http);
    }
    loop_free(one.loop);
    struct http_answer answer;
    cr_assert(ask(web_base(web), 5 * NS_PER_S, &answer, NULL) == 0, "on a loop of its own");
    http_answer_clear(&answer);
    cr_assert_eq(web_count(web), 3);
    cr_assert_eq(web_connections(web), 1);
}

Test(http, what_one_closes_leaves_the_others_transfers_alone)
{
    static const struct web_answer held[] = {{.end = WEB_HOLD}}, late[] = {{.bytes = KEEP, .pause_ms = 200}};
    struct watched one = watched_new(), other = {.loop = one.loop};
    cr_assert(http_open(one.loop, &other.http, NULL) == 0);
    begin(&one, web_base(web_start(NULL, held, 1)));
    begin(&other, web_base(web_start(NULL, late, 1)));
    http_close(&one.http);
    cr_assert_null(one.transfer);
    loop_run(one.loop, NULL);
    cr_assert_eq(other.done, 1);
    cr_assert_eq(one.done + one.failed, 0);
    http_close(&other.http);
    loop_free(one.loop);
}

Test(http, while_one_loop_asks_another_is_refused, .timeout = 20)
{
    static const struct web_answer good[] = {{.bytes = KEEP}};
    struct web *web = web_start(NULL, good, 1);
    struct watched watched = watched_new();
    struct http_answer answer;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(ask(web_base(web), 5 * NS_PER_S, &answer, &err) < 0);
    cr_assert_eq(err.kind, ERROR_SYSTEM);
    cr_assert(strstr(error_text(&err), "in another loop already"), "%s", error_text(&err));
    http_close(&watched.http);
    loop_free(watched.loop);
    cr_assert(ask(web_base(web), 5 * NS_PER_S, &answer, &err) == 0, "%s", error_text(&err));
    http_answer_clear(&answer);
}

Test(http, a_child_takes_no_connection_of_its_parents)
{
    static const struct web_answer kept[] = {{.bytes = KEEP, .end = WEB_KEEP}};
    struct web *web = web_start(NULL, kept, 1);
    struct http_answer answer;
    cr_assert(ask(web_base(web), 5 * NS_PER_S, &answer, NULL) == 0);
    http_answer_clear(&answer);
    pid_t child = fork();
    if (child == 0)
        _exit(ask(web_base(web), 5 * NS_PER_S, &answer, NULL) == 0 ? 0 : 1);
    int status;
    cr_assert(waitpid(child, &status, 0) == child && status == 0);
    cr_assert_eq(web_connections(web), 2);
    cr_assert(ask(web_base(web), 5 * NS_PER_S, &answer, NULL) == 0);
    http_answer_clear(&answer);
    cr_assert_eq(web_connections(web), 2, "the parent's own is as it was");
}

Test(http, what_is_cancelled_or_closed_tells_nobody_and_may_be_from_within)
{
    static const struct web_answer held[] = {{.end = WEB_HOLD}}, good[] = {{.bytes = KEEP}};
    struct watched watched = watched_new();
    begin(&watched, web_base(web_start(NULL, held, 1)));
    http_cancel(&watched.transfer);
    cr_assert_null(watched.transfer);
    begin(&watched, web_base(web_start(NULL, held, 1)));
    struct http_transfer *hanging = watched.transfer;
    cr_assert_not_null(hanging);
    watched.close_in_it = true;
    struct http_request request = {.method = "GET", .url = web_base(web_start(NULL, good, 1))};
    watched.transfer = NULL;
    struct http_transfer *other = NULL;
    cr_assert(http_begin(watched.http, &request, on_done, &watched, &other, NULL) == 0);
    loop_run(watched.loop, NULL);
    cr_assert_eq(watched.done, 1);
    cr_assert_eq(watched.failed, 0);
    cr_assert_null(watched.http);
    cr_assert_null(other);
    loop_free(watched.loop);
}

static void *ask_many(void *context)
{
    for (int i = 0; i < 20; i++) {
        AUTO_HTTP_ANSWER answer = {0};
        if (ask(context, 10 * NS_PER_S, &answer, NULL) < 0 || answer.status != 200)
            return (void *)(uintptr_t)1;
    }
    return NULL;
}

Test(http, threads_and_children_ask_at_once)
{
    static const struct web_answer good[] = {{.bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok"}};
    const char *url = web_base(web_start(NULL, good, 1));
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_create(&threads[i], NULL, ask_many, (void *)(uintptr_t)url);
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        cr_assert_null(failed);
    }
    pid_t child = fork();
    if (child == 0)
        _exit(ask_many((void *)(uintptr_t)url) ? 1 : 0);
    int status;
    cr_assert(waitpid(child, &status, 0) == child && status == 0);
}

struct threads {
    struct watched *watched;
    struct timer *timer;
    long first;     /* the first that can be a thread of the look-up */
    int seen, open; /* looks that saw a thread beside this one; those in which one of them took SIGTERM */
};

static void look_at_threads(void *context)
{
    struct threads *threads = context;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(tasks));) {
        AUTO_FREE char *path = xasprintf("/proc/self/task/%s/status", entry->d_name);
        AUTO_TEXT status = TEXT_INIT;
        unsigned long long blocked = 0;
        if (*entry->d_name == '.' || strtol(entry->d_name, NULL, 10) < threads->first ||
            file_read(path, 1 << 16, &status, NULL) < 0)
            continue;
        const char *line = strstr(text_string(&status), "SigBlk:");
        if (!line || sscanf(line, "SigBlk: %llx", &blocked) != 1)
            continue;
        threads->seen++;
        threads->open += !(blocked >> (SIGTERM - 1) & 1);
    }
    closedir(tasks);
    timer_arm(threads->timer, NS_PER_MS / 10);
}

Test(http, the_resolvers_thread_takes_no_signals)
{
    struct watched watched = watched_new();
    struct threads threads = {.watched = &watched};
    pid_t mark = fork();
    if (mark == 0)
        _exit(0);
    waitpid(mark, NULL, 0);
    threads.first = mark;
    threads.timer = loop_timer(watched.loop, look_at_threads, &threads);
    for (int i = 0; i < 50 && !threads.seen; i++) {
        timer_arm(threads.timer, 0);
        begin(&watched, "http://no-such-host.invalid/");
        loop_run(watched.loop, NULL);
    }
    cr_assert_gt(watched.failed, 0);
    cr_assert_gt(threads.seen, 0, "no thread was met in 50 look-ups");
    cr_assert_eq(threads.open, 0);
    http_close(&watched.http);
    loop_free(watched.loop);
}
