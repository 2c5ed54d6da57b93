#define CURL_DISABLE_DEPRECATION
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "net/http_wire.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "net/http_sockets.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOW_BYTES = 1, DATE_BOUND_MS = 3000 };

/* ------------------------------------------------------------ the library */
#define CALLS(use)                                                                                          \
    use(global_init) use(easy_init) use(easy_cleanup) use(easy_setopt) use(easy_getinfo) use(easy_strerror) \
        use(multi_init) use(multi_cleanup) use(multi_setopt) use(multi_add_handle) use(multi_remove_handle) \
            use(multi_socket_action) use(multi_info_read) use(multi_strerror)

#define AS_POINTER(name) __typeof__(curl_##name) *name;
static struct {
    CALLS(AS_POINTER)
    bool loaded;
    char *missing; /* why it is not */
    pthread_key_t wires;
} curl;

/* libcurl starts a thread for each name that it looks up; it inherits this mask, so that no signal of the
 * program's own is ever taken there. */
static void hold_signals(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

#define LOOKED_UP(call)                                                     \
    {                                                                       \
        void *found = dlsym(library, "curl_" #call);                        \
        memcpy(&curl.call, &found, sizeof found);                           \
        if (!found && !curl.missing)                                        \
            curl.missing = xstrdup("it has no curl_" #call ": is too old"); \
    }

static void on_thread_end(void *wire);

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
    if (!curl.missing && (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
                          pthread_key_create(&curl.wires, on_thread_end) != 0))
        curl.missing = xstrdup("it cannot be initialised");
    curl.loaded = !curl.missing;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int http_wire_load(struct error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (curl.loaded)
        return 0;
    return error_set(err, ERROR_MISSING, "libcurl cannot be used (%s); install it (Debian: libcurl4)",
                     curl.missing);
}

/* ------------------------------------------------------------ what there is */
struct pool {
    struct http_wire *wire;
    CURLM *multi;
    struct http_sockets sockets; /* their loop NULL, as the timer: nobody asks */
    struct timer *timer;
    int flights, depth; /* depth: libcurl is at work in it */
};

struct http_wire {
    pid_t owner;       /* a forked child leaves its parent's alone: the connections in it are the parent's */
    struct pool *pool; /* for what begins; one of before lasts until its last flight is over */
    int users;
    struct http_flight *flights;
};

struct http_flight {
    struct http_wire *wire;
    struct pool *pool;
    struct http_flight *next;
    CURL *easy;
    struct curl_slist to;       /* libcurl's form of where it connects to */
    struct curl_slist *headers; /* libcurl's form; the strings are the order's */
    const struct http_order *order;
    struct http_answer *answer;
    bool too_much;
    char said[CURL_ERROR_SIZE];
    http_landed *landed;
    void *context;
};

/* ------------------------------------------------------------ what libcurl calls for a request */
/* Its own sockets would be handed to every program that is started meanwhile. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_head(char *bytes, size_t size, size_t count, void *context)
{
    struct http_flight *flight = context;
    http_answer_read_head(flight->answer, bytes, size * count);
    return size * count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct http_flight *flight = context;
    flight->too_much = !http_answer_read_body(flight->answer, bytes, size * count, flight->order->most);
    return flight->too_much ? 0 : size * count;
}

static void set_way(struct http_flight *flight)
{
    const struct http_order *order = flight->order;
    CURL *easy = flight->easy;
    if (order->unix_socket)
        curl.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, order->unix_socket);
    if (order->connect_to && !order->unix_socket) {
        flight->to = (struct curl_slist){.data = order->connect_to};
        curl.easy_setopt(easy, CURLOPT_CONNECT_TO, &flight->to);
    }
    if (order->unix_socket || order->proxy)
        curl.easy_setopt(easy, CURLOPT_PROXY, order->unix_socket ? "" : order->proxy);
    if (order->ca) {
        struct curl_blob blob = {.data = order->ca, .len = strlen(order->ca), .flags = CURL_BLOB_COPY};
        curl.easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl.easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    }
}

static void set_common(struct http_flight *flight, int64_t connect_ms, int64_t bound_ms)
{
    CURL *easy = flight->easy;
    curl.easy_setopt(easy, CURLOPT_PRIVATE, flight);
    curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, flight->said);
    curl.easy_setopt(easy, CURLOPT_URL, flight->order->url);
    curl.easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl.easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700 /* an older one waits for its resolver's thread */
    curl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    curl.easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl.easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)bound_ms);
    curl.easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES);
    curl.easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)flight->order->slow_s);
    curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    curl.easy_setopt(easy, CURLOPT_HEADERDATA, flight);
    curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl.easy_setopt(easy, CURLOPT_WRITEDATA, flight);
    set_way(flight);
}

static void set_headers(struct http_flight *flight)
{
    const struct words *headers = &flight->order->headers;
    if (!headers->count)
        return;
    flight->headers = xcalloc(headers->count, sizeof *flight->headers);
    for (size_t i = 0; i < headers->count; i++)
        flight->headers[i] =
            (struct curl_slist){.data = headers->items[i],
                                .next = i + 1 < headers->count ? &flight->headers[i + 1] : NULL};
    curl.easy_setopt(flight->easy, CURLOPT_HTTPHEADER, flight->headers);
}

static void set_request(struct http_flight *flight)
{
    const struct http_order *order = flight->order;
    CURL *easy = flight->easy;
    set_common(flight, order->connect_ms, order->bound_ms);
    set_headers(flight);
    curl.easy_setopt(easy, CURLOPT_FRESH_CONNECT, (long)order->once);
    curl.easy_setopt(easy, CURLOPT_USERAGENT, "triphase/" TRIPHASE_VERSION);
    if (order->body.length || text_is(order->method, "POST")) {
        curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)order->body.length);
        curl.easy_setopt(easy, CURLOPT_POSTFIELDS, text_string(&order->body));
    }
    if (text_is(order->method, "HEAD"))
        curl.easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl.easy_setopt(easy, CURLOPT_CUSTOMREQUEST, order->method);
}

static void set_date_request(struct http_flight *flight)
{
    set_common(flight, DATE_BOUND_MS, DATE_BOUND_MS);
    curl.easy_setopt(flight->easy, CURLOPT_NOBODY, 1L);
    curl.easy_setopt(flight->easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl.easy_setopt(flight->easy, CURLOPT_SSL_VERIFYHOST, 0L);
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

static const struct {
    CURLcode code;
    enum http_fault fault;
} faults[] = {
    {CURLE_OK, HTTP_FAULT_NONE},
    {CURLE_UNSUPPORTED_PROTOCOL, HTTP_FAULT_URL},
    {CURLE_URL_MALFORMAT, HTTP_FAULT_URL},
    {CURLE_COULDNT_RESOLVE_HOST, HTTP_FAULT_UNKNOWN},
    {CURLE_COULDNT_RESOLVE_PROXY, HTTP_FAULT_UNKNOWN},
    {CURLE_COULDNT_CONNECT, HTTP_FAULT_CONNECT},
    {CURLE_PROXY, HTTP_FAULT_PROXY},
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

static struct http_signs signs_of(const struct http_flight *flight, CURLcode code)
{
    CURL *easy = flight->easy;
    enum http_fault fault = HTTP_FAULT_OTHER;
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        fault = faults[i].code == code ? faults[i].fault : fault;
    return (struct http_signs){
        .fault = fault,
        .status = (int)info_long(easy, CURLINFO_RESPONSE_CODE),
        .too_much = flight->too_much,
        .connects = info_long(easy, CURLINFO_NUM_CONNECTS),
        .named_us = info_us(easy, CURLINFO_NAMELOOKUP_TIME_T),
        .connected_us = info_us(easy, CURLINFO_CONNECT_TIME_T),
        .sent_us = info_us(easy, CURLINFO_PRETRANSFER_TIME_T),
        .total_us = info_us(easy, CURLINFO_TOTAL_TIME_T),
        .number = (int)info_long(easy, CURLINFO_OS_ERRNO),
        .verified = info_long(easy, CURLINFO_SSL_VERIFYRESULT),
        .words = *flight->said ? flight->said : curl.easy_strerror(code),
    };
}

/* ------------------------------------------------------------ the loop */
static void pool_free(struct pool *pool)
{
    sigset_t before;
    hold_signals(&before);
    curl.multi_cleanup(pool->multi);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    http_sockets_clear(&pool->sockets);
    timer_free(&pool->timer);
    free(pool);
}

/* One that another has taken the place of, and that nothing needs any more. */
static void pool_free_if_spent(struct pool *pool)
{
    if (pool != pool->wire->pool && !pool->flights && !pool->depth)
        pool_free(pool);
}

static void drive(struct pool *pool, curl_socket_t fd, int events)
{
    int running, left;
    sigset_t before;
    pool->depth++;
    hold_signals(&before);
    curl.multi_socket_action(pool->multi, fd, events, &running);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    for (CURLMsg *message; (message = curl.multi_info_read(pool->multi, &left));) {
        char *private = NULL;
        if (message->msg != CURLMSG_DONE ||
            curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK)
            continue;
        struct http_flight *flight = (struct http_flight *)(void *)private;
        struct http_signs signs = signs_of(flight, message->data.result);
        flight->landed(flight->context, &signs);
    }
    pool->depth--;
    pool_free_if_spent(pool);
}

static void on_time(void *context)
{
    drive(context, CURL_SOCKET_TIMEOUT, 0);
}

static void on_ready(void *context, int fd, uint32_t events)
{
    drive(context, fd,
          (events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
              (events & EPOLLERR ? CURL_CSELECT_ERR : 0));
}

static int want_time(CURLM *multi, long ms, void *context)
{
    const struct pool *pool = context;
    (void)multi;
    if (pool->timer && ms < 0)
        timer_disarm(pool->timer);
    else if (pool->timer)
        timer_arm(pool->timer, (int64_t)ms * NS_PER_MS);
    return 0;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused)
{
    struct pool *pool = context;
    (void)easy;
    (void)unused;
    if (what == CURL_POLL_REMOVE)
        http_sockets_forget(&pool->sockets, fd);
    else if (pool->sockets.loop) /* one that cannot be watched ends by its bound */
        http_sockets_watch(&pool->sockets, fd,
                           (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0));
    return 0;
}

/* ------------------------------------------------------------ the one of this thread */
static struct pool *pool_new(struct http_wire *wire, struct loop *loop)
{
    CURLM *multi = curl.multi_init();
    struct pool *pool = multi ? xcalloc(1, sizeof *pool) : NULL;
    if (!pool)
        return NULL;
    *pool = (struct pool){.wire = wire,
                          .multi = multi,
                          .sockets = {.loop = loop, .ready = on_ready, .context = pool}};
    if (loop)
        pool->timer = loop_timer(loop, on_time, pool);
    curl.multi_setopt(multi, CURLMOPT_TIMERFUNCTION, want_time);
    curl.multi_setopt(multi, CURLMOPT_TIMERDATA, pool);
    curl.multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl.multi_setopt(multi, CURLMOPT_SOCKETDATA, pool);
    return pool;
}

static void on_thread_end(void *context)
{
    struct http_wire *wire = context;
    pool_free(wire->pool);
    free(wire);
}

static struct http_wire *wire_new(struct error *err)
{
    struct http_wire *wire = xcalloc(1, sizeof *wire);
    wire->owner = getpid();
    wire->pool = pool_new(wire, NULL);
    if (!wire->pool || pthread_setspecific(curl.wires, wire) != 0) {
        if (wire->pool)
            pool_free(wire->pool);
        free(wire);
        error_set(err, ERROR_SYSTEM, "libcurl has no room for connections");
        return NULL;
    }
    return wire;
}

int http_wire_join(struct loop *loop, struct http_wire **out, struct error *err)
{
    if (http_wire_load(err) < 0)
        return -1;
    struct http_wire *wire = pthread_getspecific(curl.wires);
    if ((!wire || wire->owner != getpid()) && !(wire = wire_new(err)))
        return -1;
    if (wire->users && wire->pool->sockets.loop != loop)
        return error_set(err, ERROR_SYSTEM, "this process asks over HTTP in another loop already");
    if (!wire->users++) {
        wire->pool->sockets.loop = loop;
        wire->pool->timer = loop_timer(loop, on_time, wire->pool);
    }
    *out = wire;
    return 0;
}

void http_wire_leave(struct http_wire **held)
{
    struct http_wire *wire = TAKE(*held);
    if (!wire || wire->owner != getpid() || --wire->users)
        return;
    http_sockets_clear(&wire->pool->sockets);
    timer_free(&wire->pool->timer);
}

/* Asking it twice changes nothing there. */
static bool may_be_repeated(const struct http_flight *flight)
{
    const char *method = flight->order->method;
    return !flight->order->once && (text_is(method, "GET") || text_is(method, "HEAD"));
}

/* Into the pool that is there now. */
static CURLMcode put_into_pool(struct http_flight *flight)
{
    flight->pool = flight->wire->pool;
    flight->pool->flights++;
    return curl.multi_add_handle(flight->pool->multi, flight->easy);
}

static void take_from_pool(struct http_flight *flight)
{
    struct pool *pool = TAKE(flight->pool);
    sigset_t before;
    hold_signals(&before);
    curl.multi_remove_handle(pool->multi, flight->easy);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool->flights--;
    pool_free_if_spent(pool);
}

void http_wire_renew(struct http_wire *wire)
{
    struct pool *before = wire->pool,
                *now = wire->owner == getpid() ? pool_new(wire, before->sockets.loop) : NULL;
    if (!now)
        return;
    wire->pool = now;
    before->depth++;
    for (struct http_flight *flight = wire->flights; flight; flight = flight->next)
        if (flight->pool == before && may_be_repeated(flight)) {
            take_from_pool(flight);
            http_answer_clear(flight->answer);
            flight->too_much = false;
            put_into_pool(flight); /* fails only where memory is out, which ends the program */
        }
    before->depth--;
    pool_free_if_spent(before);
}

/* ------------------------------------------------------------ requests */
int http_flight_begin(struct http_wire *wire, const struct http_order *order, bool date_only,
                      struct http_answer *answer, http_landed *landed, void *context,
                      struct http_flight **out, struct error *err)
{
    struct http_flight *flight = xcalloc(1, sizeof *flight);
    *flight = (struct http_flight){.wire = wire,
                                   .easy = curl.easy_init(),
                                   .order = order,
                                   .answer = answer,
                                   .landed = landed,
                                   .context = context};
    if (date_only)
        set_date_request(flight);
    else
        set_request(flight);
    flight->next = wire->flights;
    wire->flights = flight;
    CURLMcode code = put_into_pool(flight);
    if (code != CURLM_OK) {
        http_flight_end(&flight);
        return error_set(err, ERROR_SYSTEM, "%s: cannot be asked: %s", order->where,
                         curl.multi_strerror(code));
    }
    *out = flight;
    return 0;
}

void http_flight_end(struct http_flight **held)
{
    struct http_flight *flight = TAKE(*held);
    sigset_t before;
    if (!flight)
        return;
    struct http_flight **place = &flight->wire->flights;
    while (*place != flight)
        place = &(*place)->next;
    *place = flight->next;
    take_from_pool(flight);
    hold_signals(&before);
    curl.easy_cleanup(flight->easy);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(flight->headers);
    free(flight);
}
