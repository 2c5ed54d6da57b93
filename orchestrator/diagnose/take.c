#include "diagnose/take.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/transport_kind.h"
#include "diagnose/lane.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define REAP_BOUND (2 * NS_PER_S)

struct runner {
    struct child child;
    int fd; /* -1: it is over */
    struct text line;
};

struct taking {
    const struct take_order *order;
    struct matrix *matrix;
    struct surroundings *seen;
    struct runner *runners; /* one for each lane */
};

static const struct cell_order *way_of(const struct take_order *order, const char *transport)
{
    for (size_t i = 0; i < order->way_count; i++)
        if (text_is(transport_name(order->ways[i].kind), transport))
            return &order->ways[i];
    return NULL;
}

static const char *transport_of(const struct matrix *matrix, size_t lane)
{
    for (size_t i = 0; i < matrix->count; i++)
        if (matrix->cells[i].lane == lane && !matrix->cells[i].cell.ended)
            return matrix->cells[i].cell.transport;
    return NULL; /* it has nothing left to do */
}

/* What a child says of its own cells; it is this program, but what a host said is in it. */
static void hear_cell(struct taking *taking, size_t at, const struct json *object)
{
    struct cell *cell = &taking->matrix->cells[at].cell;
    if (at >= taking->matrix->count || cell->ended)
        return;
    struct cell heard;
    cell_of_json(object, &heard);
    if (!heard.ended || !heard.transport || !heard.client || !heard.work) {
        cell_clear(&heard);
        return;
    }
    cell_clear(cell);
    *cell = heard;
    taking->order->taken(taking->order->context, at, cell);
}

static void hear_again(struct taking *taking, const struct json *object)
{
    struct cell heard;
    cell_of_json(object, &heard);
    if (heard.ended && heard.transport && heard.client && heard.work)
        taking->order->taken(taking->order->context, taking->matrix->count, &heard);
    cell_clear(&heard);
}

static void hear_losses(struct taking *taking, const struct json *object)
{
    AUTO_SURROUNDINGS heard = SURROUNDINGS_INIT;
    surroundings_of_json(object, &heard);
    for (size_t i = 0; i < heard.way_count; i++) {
        const struct surroundings_way *known = surroundings_way(taking->seen, heard.ways[i].transport);
        struct surroundings_way *way = known ? &taking->seen->ways[known - taking->seen->ways]
                                             : surroundings_add_way(taking->seen, heard.ways[i].transport);
        way->segments = heard.ways[i].segments;
        way->segments_again = heard.ways[i].segments_again;
        way->rounds = heard.ways[i].rounds;
        way->rounds_late = heard.ways[i].rounds_late;
    }
}

static void hear(struct taking *taking, const char *line, size_t length)
{
    AUTO_JSON *object = json_parse(line, length, NULL);
    int64_t at = json_get_integer(object, "at", -1);
    if (json_get(object, "way"))
        hear_losses(taking, json_get(object, "way"));
    else if (json_get(object, "again"))
        hear_again(taking, json_get(object, "again"));
    else if (at < 0 || (size_t)at >= taking->matrix->count)
        return;
    else if (json_get(object, "cell"))
        hear_cell(taking, (size_t)at, json_get(object, "cell"));
    else
        taking->order->begun(taking->order->context, (size_t)at);
}

static void close_runner(struct runner *runner)
{
    fd_close(&runner->fd);
    if (runner->child.pid > 0) {
        child_await(&runner->child, REAP_BOUND);
        child_close(&runner->child);
    }
    text_clear(&runner->line);
}

static void read_runner(struct taking *taking, struct runner *runner)
{
    char bytes[4096];
    ssize_t got = read(runner->fd, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0) {
        close_runner(runner);
        return;
    }
    text_add_bytes(&runner->line, bytes, (size_t)got);
    for (const char *end;
         runner->line.length && (end = memchr(runner->line.bytes, '\n', runner->line.length));) {
        hear(taking, runner->line.bytes, (size_t)(end - runner->line.bytes));
        text_drop_front(&runner->line, (size_t)(end - runner->line.bytes) + 1);
    }
}

static int start(struct taking *taking, struct error *err)
{
    for (size_t lane = 0; lane < taking->matrix->lanes; lane++) {
        struct runner *runner = &taking->runners[lane];
        *runner = (struct runner){.child = CHILD_INIT, .fd = -1};
        const char *transport = transport_of(taking->matrix, lane);
        const struct cell_order *way = transport ? way_of(taking->order, transport) : NULL;
        if (!way)
            continue;
        struct lane_order order = {taking->matrix, lane, *way, taking->order->marker};
        order.way.deadline = taking->order->deadline;
        if (lane_start(&order, &runner->child, &runner->fd, err) < 0)
            return -1;
    }
    return 0;
}

/* Until every lane is over, or the time is. */
static int follow(struct taking *taking, struct error *err)
{
    size_t lanes = taking->matrix->lanes;
    AUTO_FREE struct pollfd *polled = xcalloc(lanes + 1, sizeof *polled);
    for (;;) {
        size_t open = 0;
        polled[lanes] = (struct pollfd){taking->order->stop, POLLIN, 0};
        for (size_t i = 0; i < lanes; i++) {
            polled[i] = (struct pollfd){taking->runners[i].fd, POLLIN, 0};
            open += taking->runners[i].fd >= 0;
        }
        if (!open)
            return 0;
        struct deadline second = deadline_in(NS_PER_S);
        int ready = deadline_poll(polled, lanes + 1, deadline_earlier(taking->order->deadline, second));
        if (ready < 0)
            return error_system(err, errno, "cannot wait for the cells of the matrix");
        if (polled[lanes].revents)
            return error_set(err, ERROR_CANCELLED, "the diagnosis was cancelled");
        if (!ready && deadline_over(taking->order->deadline))
            return 0;
        if (!ready)
            taking->order->passed(taking->order->context);
        for (size_t i = 0; i < lanes; i++)
            if (polled[i].revents)
                read_runner(taking, &taking->runners[i]);
    }
}

/* Those that no lane came to, or whose lane died. */
static void skip_rest(struct taking *taking)
{
    for (size_t i = 0; i < taking->matrix->count; i++) {
        struct cell *cell = &taking->matrix->cells[i].cell;
        if (cell->ended)
            continue;
        cell->ended = xstrdup("skipped");
        cell->message = xstrdup("the time was over");
        taking->order->taken(taking->order->context, i, cell);
    }
}

int take_matrix(const struct take_order *order, struct matrix *matrix, struct surroundings *seen,
                struct error *err)
{
    struct taking taking = {order, matrix, seen, xcalloc(matrix->lanes + 1, sizeof *taking.runners)};
    for (size_t i = 0; i < matrix->lanes; i++)
        taking.runners[i] = (struct runner){.child = CHILD_INIT, .fd = -1};
    int status = start(&taking, err) < 0 ? -1 : follow(&taking, err);
    for (size_t i = 0; i < matrix->lanes; i++) {
        if (taking.runners[i].child.pid > 0)
            child_signal(&taking.runners[i].child, SIGKILL);
        close_runner(&taking.runners[i]);
    }
    free(taking.runners);
    if (status == 0)
        skip_rest(&taking);
    return status;
}
