#include "net/http_ask.h"

#include "base/memory.h"
#include "base/moment.h"

static const int64_t first_pause = 500 * NS_PER_MS, longest_pause = 8 * NS_PER_S;

struct wait {
    struct loop *loop;
    struct http_answer answer;
    struct error failure;
    bool answered;
};

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

static int wait_for(struct wait *wait, struct http *http, const struct http_request *request,
                    struct error *err)
{
    struct http_transfer *transfer = NULL;
    if (http_begin(http, request, on_done, wait, &transfer, err) < 0)
        return -1;
    int ran = loop_run(wait->loop, err);
    http_cancel(&transfer);
    return ran < 0 ? -1 : wait->answered ? 0 : error_move(err, &wait->failure);
}

static int ask(const struct http_request *request, struct http_answer *out, struct error *err)
{
    struct wait wait = {.answer = {.retry_after_ns = -1}, .failure = ERROR_INIT};
    struct http *http = NULL;
    if (http_load(err) < 0 || loop_new(&wait.loop, err) < 0)
        return -1;
    int result = http_open(wait.loop, &http, err) < 0 ? -1 : wait_for(&wait, http, request, err);
    http_close(&http);
    loop_free(wait.loop);
    if (result < 0)
        http_answer_clear(&wait.answer);
    else
        *out = wait.answer;
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
    return ask(&bounded, out, err);
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
        int64_t wait = http_answer_pause(got == 0 ? answer.retry_after_ns : -1, pause);
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
