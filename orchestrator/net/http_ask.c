#include "net/http_ask.h"

#include "base/memory.h"
#include "base/moment.h"

#include <pthread.h>
#include <unistd.h>

static const int64_t first_pause = 500 * NS_PER_MS, longest_pause = 8 * NS_PER_S;

struct asker {
    struct loop *loop;
    struct http *http;
};

struct wait {
    struct loop *loop;
    struct http_answer answer;
    struct error failure;
    bool answered;
};

/* Connections are kept from one question to the next, in the process that made them: of a forked child's
 * they are not. */
static struct {
    pthread_mutex_t mutex;
    struct asker asker;
    pid_t owner;
} kept = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void asker_close(struct asker *asker)
{
    http_close(&asker->http);
    loop_free(asker->loop);
    *asker = (struct asker){0};
}

static int asker_open(struct asker *out, struct error *err)
{
    struct asker made = {0};
    if (http_load(err) < 0 || loop_new(&made.loop, err) < 0)
        return -1;
    if (http_open(made.loop, &made.http, err) < 0) {
        asker_close(&made);
        return -1;
    }
    *out = made;
    return 0;
}

static void on_done(void *context, const struct http_answer *answer, const struct error *failure)
{
    struct wait *wait = context;
    if (answer) {
        wait->answered = true;
        wait->answer = (struct http_answer){.status = answer->status,
                                            .retry_after_ns = answer->retry_after_ns,
                                            .date_ns = answer->date_ns};
        text_add_bytes(&wait->answer.body, text_string(&answer->body), answer->body.length);
    } else {
        error_set(&wait->failure, failure->kind, "%s", error_text(failure));
    }
    loop_stop(wait->loop);
}

static int ask(const struct asker *asker, const struct http_request *request, struct http_answer *out,
               struct error *err)
{
    struct wait wait = {.loop = asker->loop, .failure = ERROR_INIT};
    struct http_transfer *transfer = NULL;
    if (http_begin(asker->http, request, on_done, &wait, &transfer, err) < 0)
        return -1;
    int ran = loop_run(asker->loop, err);
    http_cancel(&transfer);
    if (ran < 0 || !wait.answered) {
        http_answer_clear(&wait.answer);
        return ran < 0 ? -1 : error_move(err, &wait.failure);
    }
    *out = wait.answer;
    return 0;
}

static int ask_kept(const struct http_request *request, struct http_answer *out, struct error *err)
{
    if (kept.owner != getpid()) {
        kept.owner = 0;
        if (asker_open(&kept.asker, err) < 0)
            return -1;
        kept.owner = getpid();
    }
    return ask(&kept.asker, request, out, err);
}

static int ask_apart(const struct http_request *request, struct http_answer *out, struct error *err)
{
    struct asker asker;
    if (asker_open(&asker, err) < 0)
        return -1;
    int result = ask(&asker, request, out, err);
    asker_close(&asker);
    return result;
}

static int64_t shorter(int64_t bound_ns, int otherwise_s, int64_t left)
{
    int64_t bound = bound_ns > 0 ? bound_ns : otherwise_s * NS_PER_S;
    return bound < left ? bound : left;
}

int http_ask(const struct http_request *request, struct deadline deadline, struct http_answer *out,
             struct error *err)
{
    struct http_request bounded = *request;
    int64_t left = deadline_left(deadline);
    if (left == 0)
        return error_set(err, request->unix_socket ? ERROR_DEADLINE : ERROR_UNREACHABLE,
                         "%s: the time was up before it could be asked",
                         request->unix_socket ? request->unix_socket : request->url);
    bounded.connect_ns = shorter(request->connect_ns, HTTP_CONNECT_S, left);
    bounded.bound_ns = shorter(request->bound_ns, HTTP_BOUND_S, left);
    /* Another thread has it, or had it when this process was forked. */
    if (pthread_mutex_trylock(&kept.mutex) != 0)
        return ask_apart(&bounded, out, err);
    int result = ask_kept(&bounded, out, err);
    pthread_mutex_unlock(&kept.mutex);
    return result;
}

static bool is_worth_another(int status)
{
    return status == 429 || status == 500 || (status >= 502 && status <= 504);
}

int http_ask_patiently(const struct http_request *request, struct deadline deadline, struct http_answer *out,
                       struct error *err)
{
    for (int64_t pause = first_pause;; pause = pause * 2 < longest_pause ? pause * 2 : longest_pause) {
        AUTO_HTTP_ANSWER answer = {.retry_after_ns = -1};
        AUTO_ERROR why = ERROR_INIT;
        int got = http_ask(request, deadline, &answer, &why);
        bool again = got < 0 ? why.kind == ERROR_UNREACHABLE : is_worth_another(answer.status);
        int64_t wait = got == 0 && answer.retry_after_ns >= 0 ? answer.retry_after_ns : pause;
        if (!again || wait >= deadline_left(deadline)) {
            if (got < 0)
                return error_move(err, &why);
            *out = answer;
            answer = (struct http_answer){.retry_after_ns = -1};
            return 0;
        }
        moment_sleep(wait);
    }
}
