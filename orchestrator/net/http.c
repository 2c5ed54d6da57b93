#include "net/http.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/http_failure.h"
#include "net/http_wire.h"

struct http {
    struct http_wire *wire;
    struct http_transfer *transfers;
    const char *why; /* the one that is told of failed */
};

struct http_transfer {
    struct http *http;
    struct http_wire *wire;
    struct http_flight *flight;
    struct http_order order;
    struct http_answer answer;
    /* A certificate that is out of its time: the server is asked for its clock before that is told. */
    struct http_failure doubt;
    http_done *done;
    void *context;
    struct http_transfer **handle; /* the caller's, NULL: none */
    struct http_transfer *next, **self;
};

int http_load(struct error *err)
{
    return http_wire_load(err);
}

/* ------------------------------------------------------------ one transfer's memory */
static void forget_handle(struct http_transfer *transfer)
{
    if (transfer->handle)
        *transfer->handle = NULL;
    transfer->handle = NULL;
}

static void link_transfer(struct http *http, struct http_transfer *transfer)
{
    transfer->next = http->transfers;
    transfer->self = &http->transfers;
    if (transfer->next)
        transfer->next->self = &transfer->next;
    http->transfers = transfer;
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
    http_flight_end(&transfer->flight);
    http_order_clear(&transfer->order);
    http_answer_clear(&transfer->answer);
    free(transfer);
}

/* ------------------------------------------------------------ what became of it */
static void tell(struct http_transfer *transfer, const struct http_failure *failure)
{
    AUTO_ERROR err = ERROR_INIT;
    unlink_transfer(transfer);
    forget_handle(transfer);
    transfer->http->why = failure ? http_failure_word(failure) : NULL;
    if (failure)
        http_failure_error(failure, transfer->order.where, transfer->order.unix_socket != NULL, &err);
    transfer->done(transfer->context, failure ? NULL : &transfer->answer, failure ? &err : NULL);
    transfer_free(transfer);
}

static void on_date(void *context, const struct http_signs *signs)
{
    struct http_transfer *transfer = context;
    (void)signs;
    AUTO_FREE char *clock = http_failure_clock(transfer->answer.date_ns, moment_wall());
    struct http_failure failure = transfer->doubt;
    failure.detail = clock;
    tell(transfer, &failure);
}

/* Nothing but the date is believed, that only in words. Whether it goes on so. */
static bool ask_for_date(struct http_transfer *transfer, const struct http_failure *failure)
{
    struct http_flight *before = transfer->flight;
    if (!http_failure_is_of_time(failure))
        return false;
    http_answer_clear(&transfer->answer);
    if (http_flight_begin(transfer->wire, &transfer->order, true, &transfer->answer, on_date, transfer,
                          &transfer->flight, NULL) < 0)
        return false;
    transfer->doubt = *failure;
    http_flight_end(&before);
    return true;
}

static void on_landed(void *context, const struct http_signs *signs)
{
    struct http_transfer *transfer = context;
    transfer->answer.status = signs->status;
    if (signs->fault == HTTP_FAULT_NONE) {
        tell(transfer, NULL);
        return;
    }
    struct http_failure failure = http_failure_judge(signs, &transfer->order, transfer->answer.body.length);
    if (!ask_for_date(transfer, &failure))
        tell(transfer, &failure);
}

/* ------------------------------------------------------------ who asks */
int http_open(struct loop *loop, struct http **out, struct error *err)
{
    struct http_wire *wire;
    if (http_wire_join(loop, &wire, err) < 0)
        return -1;
    struct http *http = xcalloc(1, sizeof *http);
    http->wire = wire;
    *out = http;
    return 0;
}

void http_close(struct http **handle)
{
    struct http *http = TAKE(*handle);
    if (!http)
        return;
    struct http_transfer *next = NULL;
    for (struct http_transfer *transfer = http->transfers; transfer; transfer = next) {
        next = transfer->next;
        transfer_free(transfer);
    }
    http_wire_leave(&http->wire);
    free(http);
}

int http_begin(struct http *http, const struct http_request *request, http_done *done, void *context,
               struct http_transfer **out, struct error *err)
{
    struct http_transfer *transfer = xcalloc(1, sizeof *transfer);
    *transfer = (struct http_transfer){
        .http = http, .wire = http->wire, .answer = {.retry_after_ns = -1}, .done = done, .context = context};
    http_order_fill(request, &transfer->order);
    if (http_flight_begin(http->wire, &transfer->order, false, &transfer->answer, on_landed, transfer,
                          &transfer->flight, err) < 0) {
        transfer_free(transfer);
        return -1;
    }
    link_transfer(http, transfer);
    transfer->handle = out;
    if (out)
        *out = transfer;
    return 0;
}

const char *http_why(const struct http *http)
{
    return http->why ? http->why : "other";
}

void http_renew(struct http *http)
{
    http_wire_renew(http->wire);
}

void http_cancel(struct http_transfer **handle)
{
    if (*handle)
        transfer_free(*handle);
}
