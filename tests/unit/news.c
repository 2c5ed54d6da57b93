/* What a tailscaled tells of its own changes, as a reason to ask it again. The real daemon is in
 * system/tailnet_lab.c. */
#include "tailnet/news.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64];
static char *path;
static int listener, asked; /* the second: who asked for news */

static void begin(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(folder, "/tmp/triphase-news.XXXXXX", sizeof("/tmp/triphase-news.XXXXXX"));
    cr_assert(mkdtemp(folder) != NULL);
    path = file_join(folder, "tailscaled.sock");
    memcpy(address.sun_path, path, strlen(path) + 1);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
              listen(listener, 1) == 0);
}

static void end(void)
{
    file_remove_tree(folder, NULL);
    free(path);
}

TestSuite(news, .init = begin, .fini = end);

static void *answer(void *head)
{
    char request[512];
    asked = accept(listener, NULL, NULL);
    (void)!read(asked, request, sizeof request);
    (void)!write(asked, head, strlen(head));
    return NULL;
}

/* Of a daemon that answers with this head. */
static int opened(const char *head)
{
    pthread_t thread;
    AUTO_FREE char *said = xstrdup(head);
    cr_assert(pthread_create(&thread, NULL, answer, said) == 0);
    int news = news_open(path, deadline_in(5 * NS_PER_S));
    pthread_join(thread, NULL);
    return news;
}

static double seconds_of(int *news, struct deadline deadline)
{
    int64_t since = moment_monotonic();
    news_await(news, deadline);
    return (double)(moment_monotonic() - since) / NS_PER_S;
}

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

Test(news, what_it_told_since_it_was_opened_is_no_reason_to_wait)
{
    AUTO_CLOSE int news = opened(OK);
    cr_assert(ge(int, news, 0));
    cr_assert(write(asked, "{}", 2) == 2);
    cr_expect(lt(dbl, seconds_of(&news, deadline_in(60 * NS_PER_S)), 0.5));
    cr_expect(ge(int, news, 0));
    /* Told once, it waits again. */
    cr_expect(ge(dbl, seconds_of(&news, deadline_in(300 * NS_PER_MS)), 0.29));
}

Test(news, of_what_no_daemon_tells_a_second_is_the_bound)
{
    AUTO_CLOSE int news = opened(OK);
    double waited = seconds_of(&news, deadline_in(60 * NS_PER_S));
    cr_expect(ge(dbl, waited, 0.99));
    cr_expect(lt(dbl, waited, 5));
}

Test(news, one_that_ends_is_a_reason_to_look_and_is_not_waited_for_again)
{
    AUTO_CLOSE int news = opened(OK);
    close(asked);
    cr_expect(lt(dbl, seconds_of(&news, deadline_in(60 * NS_PER_S)), 0.5));
    cr_expect(eq(int, news, -1));
    double waited = seconds_of(&news, deadline_in(60 * NS_PER_S));
    cr_expect(ge(dbl, waited, 0.09));
    cr_expect(lt(dbl, waited, 0.9));
}

Test(news, a_daemon_that_does_not_tell_is_asked_again_after_a_while)
{
    cr_expect(eq(int, opened("HTTP/1.1 403 Forbidden\r\n\r\n"), -1));
    unlink(path);
    cr_expect(eq(int, news_open(path, deadline_in(NS_PER_S)), -1));
    int none = -1;
    cr_expect(ge(dbl, seconds_of(&none, deadline_in(60 * NS_PER_S)), 0.09));
}
