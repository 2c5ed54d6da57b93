#include "web.h"

#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { REQUESTS = 64 };
struct web {
    int fd;
    char *base;
    const struct web_answer *answers;
    size_t count, given, connections;
    pthread_mutex_t mutex;
    char *requests[REQUESTS];
    size_t came;
};

static bool is_whole(const char *request)
{
    const char *body = strstr(request, "\r\n\r\n");
    const char *length = strcasestr(request, "\r\ncontent-length: ");
    if (!body)
        return false;
    return !length || length > body || strlen(body + 4) >= strtoul(length + 18, NULL, 10);
}

/* Whether one came. */
static bool take_request(struct web *web, int fd)
{
    AUTO_TEXT got = TEXT_INIT;
    char buffer[4096];
    ssize_t size;
    while (!is_whole(text_string(&got)) && (size = recv(fd, buffer, sizeof buffer, 0)) > 0)
        text_add_bytes(&got, buffer, (size_t)size);
    if (!is_whole(text_string(&got)))
        return false;
    pthread_mutex_lock(&web->mutex);
    if (web->came < REQUESTS)
        web->requests[web->came++] = text_take(&got);
    pthread_mutex_unlock(&web->mutex);
    return true;
}

static bool give(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static void give_answer(int fd, const struct web_answer *answer)
{
    char filler[65536];
    const char *bytes = answer->bytes ? answer->bytes : "";
    memset(filler, 'x', sizeof filler);
    poll(NULL, 0, answer->pause_ms);
    for (int i = 0; i < answer->slowly && *bytes && give(fd, bytes, 1); i++, bytes++)
        poll(NULL, 0, answer->pause_ms);
    bool taken = give(fd, bytes, strlen(bytes));
    for (size_t left = answer->filler; taken && left;) {
        size_t part = left < sizeof filler ? left : sizeof filler;
        taken = give(fd, filler, part);
        left -= part;
    }
}

/* Which answer is next. */
static size_t take_turn(struct web *web, bool connection)
{
    pthread_mutex_lock(&web->mutex);
    size_t which = web->given < web->count ? web->given : web->count - 1;
    web->given++;
    web->connections += connection;
    pthread_mutex_unlock(&web->mutex);
    return which;
}

struct visit {
    struct web *web;
    int fd;
    size_t which;
};

static void *serve_one(void *context)
{
    AUTO_FREE struct visit *visit = context;
    const struct web_answer *answer = &visit->web->answers[visit->which];
    bool came = take_request(visit->web, visit->fd);
    give_answer(visit->fd, answer);
    while (answer->end == WEB_KEEP && came && (came = take_request(visit->web, visit->fd))) {
        answer = &visit->web->answers[take_turn(visit->web, false)];
        give_answer(visit->fd, answer);
    }
    struct linger at_once = {.l_onoff = 1};
    if (answer->end == WEB_RESET)
        setsockopt(visit->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (answer->end != WEB_HOLD)
        close(visit->fd);
    return NULL;
}

static void *serve(void *context)
{
    struct web *web = context;
    for (int fd; (fd = accept4(web->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        pthread_t thread;
        struct visit *visit = xcalloc(1, sizeof *visit);
        *visit = (struct visit){web, fd, take_turn(web, true)};
        cr_assert(pthread_create(&thread, NULL, serve_one, visit) == 0);
        pthread_detach(thread);
    }
    return NULL;
}

static int listen_at(const char *unix_path, char **base)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (unix_path) {
        memcpy(path.sun_path, unix_path, strlen(unix_path) + 1);
        cr_assert(bind(fd, (struct sockaddr *)&path, sizeof path) == 0);
        *base = xstrdup("http://local");
    } else {
        cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0);
        cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
        *base = xasprintf("http://127.0.0.1:%d", ntohs(address.sin_port));
    }
    cr_assert(listen(fd, 64) == 0);
    return fd;
}

struct web *web_start(const char *unix_path, const struct web_answer *answers, size_t count)
{
    pthread_t thread;
    struct web *web = xcalloc(1, sizeof *web);
    *web = (struct web){.answers = answers, .count = count, .mutex = PTHREAD_MUTEX_INITIALIZER};
    web->fd = listen_at(unix_path, &web->base);
    cr_assert(pthread_create(&thread, NULL, serve, web) == 0);
    pthread_detach(thread);
    return web;
}

const char *web_base(const struct web *web)
{
    return web->base;
}

size_t web_connections(struct web *web)
{
    pthread_mutex_lock(&web->mutex);
    size_t count = web->connections;
    pthread_mutex_unlock(&web->mutex);
    return count;
}

size_t web_count(struct web *web)
{
    pthread_mutex_lock(&web->mutex);
    size_t count = web->came;
    pthread_mutex_unlock(&web->mutex);
    return count;
}

const char *web_request(struct web *web, size_t index)
{
    return index < web_count(web) ? web->requests[index] : "";
}
