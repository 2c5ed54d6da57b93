/* The only file that includes libcurl, and it links nothing of it: the calls are looked up when the first
 * request is made. One multi handle for each struct http, driven by the loop's descriptors and one timer. */
#define CURL_DISABLE_DEPRECATION
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "net/http.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/http_basic.h"
#include "net/http_failure.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { SLOW_S = 30, SLOW_BYTES = 1, DATE_BOUND_MS = 3000, CLOCK_DIFFERS_S = 90 };
/* What OpenSSL and GnuTLS builds of libcurl hand on as the result of a verification (X509_V_ERR_…). */
enum { CERTIFICATE_NOT_YET_VALID = 9, CERTIFICATE_EXPIRED = 10 };

/* ------------------------------------------------------------ the library */
#define CALLS(use)                                                                                       \
    use(global_init) use(easy_init) use(easy_cleanup) use(easy_reset) use(easy_setopt) use(easy_getinfo) \
        use(easy_strerror) use(multi_init) use(multi_cleanup) use(multi_setopt) use(multi_add_handle)    \
            use(multi_remove_handle) use(multi_socket_action) use(multi_info_read) use(multi_strerror)   \
                use(multi_assign)

#define AS_POINTER(name) __typeof__(curl_##name) *name;
static struct {
    CALLS(AS_POINTER)
    bool loaded;
    char *missing; /* why it is not */
} curl;

/* libcurl starts a thread for each name that it looks up; it inherits this mask, so that no signal of the
 * program's own is ever taken there. */
static void hold_signals(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

static void let_signals(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

#define LOOKED_UP(call)                                                     \
    {                                                                       \
        void *found = dlsym(library, "curl_" #call);                        \
        memcpy(&curl.call, &found, sizeof found);                           \
        if (!found && !curl.missing)                                        \
            curl.missing = xstrdup("it has no curl_" #call ": is too old"); \
    }

static void load(void)
{
    sigset_t before;
    hold_signals(&before);
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library) {
        CALLS(LOOKED_UP)
    } else {
        const char *why = dlerror();
        curl.missing = xstrdup(why ? why : "no reason is known");
    }
    if (!curl.missing && curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        curl.missing = xstrdup("it cannot be initialised");
    curl.loaded = !curl.missing;
    let_signals(&before);
}

int http_load(struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return curl.loaded
               ? 0
               : error_set(err, ERROR_MISSING, "libcurl cannot be used (%s); install it (Debian: libcurl4)",
                           curl.missing);
}

/* ------------------------------------------------------------ what there is */
struct http_socket {
    struct http_pool *pool;
    int fd;
    struct watch *watch;
    struct http_socket *next, **self;
};

/* The connections and addresses that libcurl keeps. A flush puts another in its place; the old one stays
 * until its last transfer is over. */
struct http_pool {
    struct http *http;
    CURLM *multi;
    struct timer *timer;
    struct http_socket *sockets;
    struct http_transfer *transfers;
    int depth; /* calls of drive under way */
    struct http_pool *next, **self;
};

struct http {
    struct loop *loop;
    struct http_pool *pools; /* the first one takes new transfers */
    bool closed;             /* by a caller that one of its own transfers called */
    int depth;               /* of all pools */
};

struct http_transfer {
    struct http_pool *pool;
    CURL *easy;
    struct curl_slist *headers; /* libcurl's form, our memory */
    char *method, *url, *where;
    char *unix_socket; /* NULL: none */
    struct text body;
    int64_t connect_ms, bound_ms;
    size_t most;
    struct http_answer answer;
    char said[CURL_ERROR_SIZE];
    bool too_much;
    /* A certificate that is out of its time: the server is asked for its clock before that is told. */
    bool in_doubt;
    struct http_failure doubt;
    http_done *done;
    void *context;
    struct http_transfer **handle; /* the caller's, NULL: none */
    struct http_transfer *next, **self;
};

/* ------------------------------------------------------------ one transfer's memory */
static void free_headers(struct curl_slist **list)
{
    while (*list) {
        struct curl_slist *first = *list;
        *list = first->next;
        memory_free_secret(first->data, strlen(first->data));
        free(first);
    }
}

static void add_header(struct curl_slist **list, char *owned)
{
    struct curl_slist *one = xcalloc(1, sizeof *one);
    one->data = owned;
    while (*list)
        list = &(*list)->next;
    *list = one;
}

static void forget_handle(struct http_transfer *transfer)
{
    if (transfer->handle)
        *transfer->handle = NULL;
    transfer->handle = NULL;
}

static void link_transfer(struct http_pool *pool, struct http_transfer *transfer)
{
    transfer->pool = pool;
    transfer->next = pool->transfers;
    transfer->self = &pool->transfers;
    if (transfer->next)
        transfer->next->self = &transfer->next;
    pool->transfers = transfer;
}

static void unlink_transfer(struct http_transfer *transfer)
{
    *transfer->self = transfer->next;
    if (transfer->next)
        transfer->next->self = transfer->self;
    transfer->self = NULL;
    transfer->next = NULL;
}

static void transfer_free(struct http_transfer *transfer)
{
    forget_handle(transfer);
    if (transfer->self)
        unlink_transfer(transfer);
    curl.easy_cleanup(transfer->easy);
    free_headers(&transfer->headers);
    if (transfer->body.bytes)
        explicit_bzero(transfer->body.bytes, transfer->body.room);
    text_clear(&transfer->body);
    http_answer_clear(&transfer->answer);
    free(transfer->method);
    free(transfer->url);
    free(transfer->where);
    free(transfer->unix_socket);
    free(transfer);
}

/* "host:port" of the URL, without a user; the path of the socket where there is one. */
static char *where_of(const struct http_request *request)
{
    if (request->unix_socket)
        return xstrdup(request->unix_socket);
    const char *host = strstr(request->url, "://");
    host = host ? host + 3 : request->url;
    size_t length = strcspn(host, "/?#");
    const char *at = memrchr(host, '@', length);
    return at ? xstrndup(at + 1, length - (size_t)(at + 1 - host)) : xstrndup(host, length);
}

static int64_t milliseconds(int64_t ns, int seconds)
{
    int64_t ms = ns > 0 ? (ns + NS_PER_MS - 1) / NS_PER_MS : (int64_t)seconds * 1000;
    return ms < INT32_MAX ? ms : INT32_MAX;
}

static struct http_transfer *transfer_new(const struct http_request *request, http_done *done, void *context)
{
    struct http_transfer *transfer = xcalloc(1, sizeof *transfer);
    *transfer = (struct http_transfer){
        .easy = curl.easy_init(),
        .method = xstrdup(request->method),
        .url = xstrdup(request->url),
        .where = where_of(request),
        .unix_socket = xstrdup_or_null(request->unix_socket),
        .connect_ms = milliseconds(request->connect_ns, HTTP_CONNECT_S),
        .bound_ms = milliseconds(request->bound_ns, HTTP_BOUND_S),
        .most = request->answer_most ? request->answer_most : HTTP_ANSWER_MOST,
        .answer = {.retry_after_ns = -1},
        .done = done,
        .context = context,
    };
    if (request->body_length) {
        transfer->body.bytes = xmalloc(request->body_length + 1);
        transfer->body.room = request->body_length + 1;
        text_add_bytes(&transfer->body, request->body, request->body_length);
    }
    for (const char *const *header = request->headers; header && *header; header++)
        add_header(&transfer->headers, xstrdup(*header));
    if (request->user)
        add_header(&transfer->headers, http_basic(request->user, request->password));
    /* A server that is asked whether it wants the body at all delays the answer by a second. */
    add_header(&transfer->headers, xstrdup("Expect:"));
    return transfer;
}

/* ------------------------------------------------------------ what libcurl calls */
/* Its own sockets would be handed to every program that is started meanwhile. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_head(char *bytes, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    http_answer_read_head(&transfer->answer, bytes, size * count);
    return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http_transfer *transfer = context;
    if (size * count > transfer->most - transfer->answer.body.length) {
        transfer->too_much = true;
        return 0;
    }
    text_add_bytes(&transfer->answer.body, bytes, size * count);
    return size * count;
}

static void set_common(struct http_transfer *transfer, int64_t connect_ms, int64_t bound_ms)
{
    CURL *easy = transfer->easy;
    curl.easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->said);
    curl.easy_setopt(easy, CURLOPT_URL, transfer->url);
    curl.easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)bound_ms);
    curl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
    curl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)SLOW_S);
    curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    curl.easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (transfer->unix_socket) {
        curl.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, transfer->unix_socket);
        curl.easy_setopt(easy, CURLOPT_PROXY, "");
    }
}

static void set_request(struct http_transfer *transfer)
{
    CURL *easy = transfer->easy;
    set_common(transfer, transfer->connect_ms, transfer->bound_ms);
    curl.easy_setopt(easy, CURLOPT_USERAGENT, "triphase/" TRIPHASE_VERSION);
    curl.easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    if (transfer->body.length || text_is(transfer->method, "POST")) {
        curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.length);
        curl.easy_setopt(easy, CURLOPT_POSTFIELDS, text_string(&transfer->body));
    }
    if (text_is(transfer->method, "HEAD"))
        curl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->method);
}

/* Only for its clock: nothing of the request is sent, and nothing but the date is believed, that only in
 * words. */
static void set_date_request(struct http_transfer *transfer)
{
    curl.easy_reset(transfer->easy);
    http_answer_clear(&transfer->answer);
    set_common(transfer, DATE_BOUND_MS, DATE_BOUND_MS);
    curl.easy_setopt(transfer->easy, CURLOPT_NOBODY, 1L);
    curl.easy_setopt(transfer->easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl.easy_setopt(transfer->easy, CURLOPT_SSL_VERIFYHOST, 0L);
}

/* ------------------------------------------------------------ what became of it */
static int64_t info_us(CURL *easy, CURLINFO which)
{
    curl_off_t us = 0;
    curl.easy_getinfo(easy, which, &us);
    return (int64_t)us;
}

static long info_long(CURL *easy, CURLINFO which)
{
    long value = 0;
    curl.easy_getinfo(easy, which, &value);
    return value;
}

static enum http_step step_of(const struct http_transfer *transfer)
{
    CURL *easy = transfer->easy;
    if (info_long(easy, CURLINFO_NUM_CONNECTS) == 0)
        return transfer->unix_socket ? HTTP_STEP_CONNECT : HTTP_STEP_RESOLVE;
    if (!transfer->unix_socket && info_us(easy, CURLINFO_NAMELOOKUP_TIME_T) == 0)
        return HTTP_STEP_RESOLVE;
    if (info_us(easy, CURLINFO_CONNECT_TIME_T) == 0)
        return HTTP_STEP_CONNECT;
    bool tls = strncasecmp(transfer->url, "https:", 6) == 0;
    return tls && info_us(easy, CURLINFO_APPCONNECT_TIME_T) == 0 ? HTTP_STEP_TLS : HTTP_STEP_ANSWER;
}

static const struct {
    CURLcode code;
    enum http_fault fault;
} faults[] = {
    {CURLE_UNSUPPORTED_PROTOCOL, HTTP_FAULT_URL},
    {CURLE_URL_MALFORMAT, HTTP_FAULT_URL},
    {CURLE_COULDNT_RESOLVE_HOST, HTTP_FAULT_UNKNOWN},
    {CURLE_COULDNT_RESOLVE_PROXY, HTTP_FAULT_UNKNOWN},
    {CURLE_COULDNT_CONNECT, HTTP_FAULT_CONNECT},
    {CURLE_OPERATION_TIMEDOUT, HTTP_FAULT_TIME},
    {CURLE_SSL_CONNECT_ERROR, HTTP_FAULT_TLS},
    {CURLE_PEER_FAILED_VERIFICATION, HTTP_FAULT_CERTIFICATE},
    {CURLE_SSL_ISSUER_ERROR, HTTP_FAULT_CERTIFICATE},
    {CURLE_SSL_CACERT_BADFILE, HTTP_FAULT_CERTIFICATE},
    {CURLE_GOT_NOTHING, HTTP_FAULT_EMPTY},
    {CURLE_PARTIAL_FILE, HTTP_FAULT_CUT},
    {CURLE_RECV_ERROR, HTTP_FAULT_CUT},
    {CURLE_SEND_ERROR, HTTP_FAULT_CUT},
    {CURLE_WEIRD_SERVER_REPLY, HTTP_FAULT_NO_HTTP},
};

static enum http_fault certificate_fault(CURL *easy)
{
    long verified = info_long(easy, CURLINFO_SSL_VERIFYRESULT);
    if (verified == CERTIFICATE_EXPIRED)
        return HTTP_FAULT_EXPIRED;
    return verified == CERTIFICATE_NOT_YET_VALID ? HTTP_FAULT_NOT_YET : HTTP_FAULT_CERTIFICATE;
}

static enum http_fault fault_of(const struct http_transfer *transfer, CURLcode code, int64_t after_ms)
{
    enum http_fault fault = HTTP_FAULT_OTHER;
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        if (faults[i].code == code)
            fault = faults[i].fault;
    if (transfer->too_much)
        return HTTP_FAULT_TOO_MUCH;
    /* It was connected to: what came was no head, which libcurl takes for HTTP/0.9. */
    if (fault == HTTP_FAULT_URL && info_long(transfer->easy, CURLINFO_NUM_CONNECTS) > 0)
        return HTTP_FAULT_NO_HTTP;
    if (fault == HTTP_FAULT_TIME && after_ms + 1 < transfer->bound_ms &&
        step_of(transfer) == HTTP_STEP_ANSWER)
        return HTTP_FAULT_SLOW;
    return fault == HTTP_FAULT_CERTIFICATE ? certificate_fault(transfer->easy) : fault;
}

static struct http_failure failure_of(struct http_transfer *transfer, CURLcode code)
{
    int64_t after_us = info_us(transfer->easy, CURLINFO_TOTAL_TIME_T);
    return (struct http_failure){
        .fault = fault_of(transfer, code, after_us / 1000),
        .step = step_of(transfer),
        .number = (int)info_long(transfer->easy, CURLINFO_OS_ERRNO),
        .after_ns = after_us * 1000,
        .size = transfer->answer.body.length,
        .detail = *transfer->said ? transfer->said : curl.easy_strerror(code),
    };
}

/* How far this machine's clock is from the one that answered; malloc'ed, NULL where nothing did. */
static char *clock_words(int64_t date_ns)
{
    if (!date_ns)
        return NULL;
    int64_t ahead = moment_wall() - date_ns, size = ahead < 0 ? -ahead : ahead;
    if (size < CLOCK_DIFFERS_S * NS_PER_S)
        return xstrdup("the server's clock agrees with this machine's: renew the certificate");
    AUTO_FREE char *shown = duration_show(size);
    return xasprintf("by the server's clock this machine's is %s %s: set it", shown,
                     ahead < 0 ? "behind" : "ahead");
}

static void tell(struct http_transfer *transfer, const struct http_failure *failure)
{
    AUTO_ERROR err = ERROR_INIT;
    forget_handle(transfer);
    if (failure)
        http_failure_error(failure, transfer->where, transfer->unix_socket != NULL, &err);
    transfer->done(transfer->context, failure ? NULL : &transfer->answer, failure ? &err : NULL);
}

/* Whether it goes on: with the question for the server's clock. */
static bool ask_for_date(struct http_transfer *transfer, const struct http_failure *failure)
{
    if (failure->fault != HTTP_FAULT_EXPIRED && failure->fault != HTTP_FAULT_NOT_YET)
        return false;
    transfer->in_doubt = true;
    transfer->doubt = *failure;
    set_date_request(transfer);
    return curl.multi_add_handle(transfer->pool->multi, transfer->easy) == CURLM_OK;
}

static void finish(struct http_transfer *transfer, CURLcode code)
{
    curl.multi_remove_handle(transfer->pool->multi, transfer->easy);
    struct http_failure failure = {0};
    if (transfer->in_doubt) {
        AUTO_FREE char *clock = clock_words(transfer->answer.date_ns);
        failure = transfer->doubt;
        failure.detail = clock;
        unlink_transfer(transfer);
        tell(transfer, &failure);
        transfer_free(transfer);
        return;
    }
    if (code != CURLE_OK) {
        failure = failure_of(transfer, code);
        if (ask_for_date(transfer, &failure))
            return;
    }
    transfer->answer.status = (int)info_long(transfer->easy, CURLINFO_RESPONSE_CODE);
    unlink_transfer(transfer);
    tell(transfer, code == CURLE_OK ? NULL : &failure);
    transfer_free(transfer);
}

/* ------------------------------------------------------------ the loop */
static void pool_free(struct http_pool *pool)
{
    *pool->self = pool->next;
    if (pool->next)
        pool->next->self = pool->self;
    while (pool->transfers) {
        struct http_transfer *transfer = pool->transfers;
        curl.multi_remove_handle(pool->multi, transfer->easy);
        transfer_free(transfer);
    }
    curl.multi_cleanup(pool->multi);
    while (pool->sockets) {
        struct http_socket *one = pool->sockets;
        pool->sockets = one->next;
        watch_stop(&one->watch);
        free(one);
    }
    timer_free(&pool->timer);
    free(pool);
}

static void http_free(struct http *http)
{
    sigset_t before;
    hold_signals(&before);
    while (http->pools)
        pool_free(http->pools);
    free(http);
    let_signals(&before);
}

/* Pools from before a flush whose last transfer is over. */
static void drop_spent(struct http *http)
{
    struct http_pool *next;
    for (struct http_pool *pool = http->pools ? http->pools->next : NULL; pool; pool = next) {
        next = pool->next;
        if (!pool->transfers && !pool->depth)
            pool_free(pool);
    }
}

static void drive(struct http_pool *pool, curl_socket_t fd, int events)
{
    struct http *http = pool->http;
    int running, left;
    sigset_t before;
    http->depth++;
    pool->depth++;
    hold_signals(&before);
    curl.multi_socket_action(pool->multi, fd, events, &running);
    let_signals(&before);
    for (CURLMsg *message; !http->closed && (message = curl.multi_info_read(pool->multi, &left));) {
        char *transfer = NULL;
        if (message->msg == CURLMSG_DONE &&
            curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer) == CURLE_OK)
            finish((struct http_transfer *)(void *)transfer, message->data.result);
    }
    pool->depth--;
    if (--http->depth)
        return;
    if (http->closed)
        http_free(http);
    else
        drop_spent(http);
}

static void on_time(void *context)
{
    drive(context, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(void *context, uint32_t events)
{
    const struct http_socket *ready = context;
    drive(ready->pool, ready->fd,
          (events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
              (events & EPOLLERR ? CURL_CSELECT_ERR : 0));
}

static int want_time(CURLM *multi, long ms, void *context)
{
    struct http_pool *pool = context;
    (void)multi;
    if (ms < 0)
        timer_disarm(pool->timer);
    else
        timer_arm(pool->timer, (int64_t)ms * NS_PER_MS);
    return 0;
}

static void forget_socket(struct http_socket *one)
{
    watch_stop(&one->watch);
    *one->self = one->next;
    if (one->next)
        one->next->self = one->self;
    free(one);
}

static struct http_socket *socket_new(struct http_pool *pool, int fd)
{
    struct http_socket *one = xcalloc(1, sizeof *one);
    *one = (struct http_socket){.pool = pool, .fd = fd, .next = pool->sockets, .self = &pool->sockets};
    if (one->next)
        one->next->self = &one->next;
    pool->sockets = one;
    curl.multi_assign(pool->multi, fd, one);
    return one;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
    struct http_socket *one = known;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (one)
            forget_socket(one);
        return 0;
    }
    one = one ? one : socket_new(context, fd);
    watch_stop(&one->watch);
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    /* One that cannot be watched ends by its bound. */
    loop_watch(one->pool->http->loop, fd, events, on_ready, one, &one->watch, NULL);
    return 0;
}

static int add_pool(struct http *http, struct error *err)
{
    CURLM *multi = curl.multi_init();
    if (!multi)
        return error_set(err, ERROR_SYSTEM, "libcurl has no room for connections");
    struct http_pool *pool = xcalloc(1, sizeof *pool);
    *pool = (struct http_pool){.http = http, .multi = multi, .next = http->pools, .self = &http->pools};
    if (pool->next)
        pool->next->self = &pool->next;
    http->pools = pool;
    pool->timer = loop_timer(http->loop, on_time, pool);
    curl.multi_setopt(multi, CURLMOPT_TIMERFUNCTION, want_time);
    curl.multi_setopt(multi, CURLMOPT_TIMERDATA, pool);
    curl.multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl.multi_setopt(multi, CURLMOPT_SOCKETDATA, pool);
    return 0;
}

int http_open(struct loop *loop, struct http **out, struct error *err)
{
    if (http_load(err) < 0)
        return -1;
    struct http *http = xcalloc(1, sizeof *http);
    http->loop = loop;
    if (add_pool(http, err) < 0) {
        free(http);
        return -1;
    }
    *out = http;
    return 0;
}

void http_close(struct http **handle)
{
    struct http *http = *handle;
    *handle = NULL;
    if (!http)
        return;
    http->closed = true;
    if (!http->depth)
        http_free(http);
}

static int start(struct http_pool *pool, struct http_transfer *transfer, struct error *err)
{
    CURLMcode code = curl.multi_add_handle(pool->multi, transfer->easy);
    if (code != CURLM_OK)
        return error_set(err, ERROR_SYSTEM, "%s: cannot be asked: %s", transfer->where,
                         curl.multi_strerror(code));
    link_transfer(pool, transfer);
    return 0;
}

int http_begin(struct http *http, const struct http_request *request, http_done *done, void *context,
               struct http_transfer **out, struct error *err)
{
    struct http_transfer *transfer = transfer_new(request, done, context);
    set_request(transfer);
    if (start(http->pools, transfer, err) < 0) {
        transfer_free(transfer);
        return -1;
    }
    transfer->handle = out;
    if (out)
        *out = transfer;
    return 0;
}

void http_cancel(struct http_transfer **handle)
{
    struct http_transfer *transfer = *handle;
    if (!transfer)
        return;
    curl.multi_remove_handle(transfer->pool->multi, transfer->easy);
    unlink_transfer(transfer);
    transfer_free(transfer);
    *handle = NULL;
}

static bool may_be_repeated(const struct http_transfer *transfer)
{
    return text_is(transfer->method, "GET") || text_is(transfer->method, "HEAD");
}

void http_flush(struct http *http)
{
    struct http_pool *before = http->pools;
    struct http_transfer *next;
    if (add_pool(http, NULL) < 0)
        return;
    for (struct http_transfer *transfer = before->transfers; transfer; transfer = next) {
        next = transfer->next;
        if (!may_be_repeated(transfer) || transfer->in_doubt)
            continue;
        curl.multi_remove_handle(before->multi, transfer->easy);
        unlink_transfer(transfer);
        http_answer_clear(&transfer->answer);
        if (start(http->pools, transfer, NULL) < 0)
            transfer_free(transfer);
    }
    if (!http->depth)
        drop_spent(http);
}
