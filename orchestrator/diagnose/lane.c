#include "diagnose/lane.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "diagnose/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { AGAIN_MOST = 3, AGAIN_BOUND_S = 20, ECHOES = 2, LEAST_S = 2 };

struct lane {
    const struct lane_order *order;
    int fd;
    size_t taken, good, repeated;
    bool looked;
};

static void tell(struct lane *lane, struct json *object)
{
    AUTO_FREE char *text = json_compact(object);
    AUTO_FREE char *line = xasprintf("%s\n", text);
    json_free(object);
    /* Nobody is there to hear it any more. */
    if (file_write_all(lane->fd, line, strlen(line)) < 0)
        _exit(0);
}

static void tell_cell(struct lane *lane, size_t at, const struct cell *cell)
{
    struct json *object = json_new_object();
    json_set_integer(object, "at", (int64_t)at);
    json_set(object, "cell", cell_json(cell));
    tell(lane, object);
}

static void tell_begun(struct lane *lane, size_t at)
{
    struct json *object = json_new_object();
    json_set_integer(object, "at", (int64_t)at);
    json_set_bool(object, "begun", true);
    tell(lane, object);
}

static void end_so(struct cell *cell, const char *ended, const char *message)
{
    free(cell->ended);
    free(cell->message);
    cell->ok = false;
    cell->ended = xstrdup(ended);
    cell->message = xstrdup(message);
}

static void run(struct lane *lane, const struct matrix_cell *planned, struct cell *cell)
{
    AUTO_ERROR err = ERROR_INIT;
    struct cell_order way = lane->order->way;
    if (deadline_left(way.deadline) < LEAST_S * NS_PER_S) {
        end_so(cell, "skipped", "the time was over");
        return;
    }
    if (lane->taken >= ECHOES && !lane->good) {
        end_so(cell, "skipped", "nothing goes over this transport");
        return;
    }
    bool cut = deadline_left(way.deadline) < planned->bound_ns;
    way.deadline = deadline_earlier(way.deadline, deadline_in(planned->bound_ns));
    if (cell_run(&way, cell, &err) < 0)
        end_so(cell, "skipped", error_text(&err));
    /* One that had less than its time, and used it up, says nothing of the path. */
    if (cut && deadline_over(way.deadline) &&
        (text_is(cell->ended, "stalled") || text_is(cell->ended, "timeout")))
        end_so(cell, "skipped", "the time was over");
    lane->taken++;
    lane->good += cell->ok;
}

/* Behind the echoes, and before anything that fills what stands between. */
static void look_for_losses(struct lane *lane, const char *transport)
{
    AUTO_ERROR ignored = ERROR_INIT;
    AUTO_SURROUNDINGS seen = SURROUNDINGS_INIT;
    struct surroundings_way *way = surroundings_add_way(&seen, transport);
    lane->looked = true;
    if (!lane->good || flow_look(&lane->order->way, way, &ignored) < 0)
        return;
    struct json *object = json_new_object();
    json_set(object, "way", surroundings_json(&seen));
    tell(lane, object);
}

static void repeat(struct lane *lane, const struct matrix_cell *planned, const struct cell *bad)
{
    struct cell again = {.transport = xstrdup(bad->transport),
                         .client = xstrdup(bad->client),
                         .work = xstrdup(bad->work),
                         .parameters = json_keep(bad->parameters)};
    run(lane, planned, &again);
    if (!text_is(again.ended, "skipped")) {
        struct json *object = json_new_object();
        json_set(object, "again", cell_json(&again));
        tell(lane, object);
    }
    cell_clear(&again);
    lane->repeated++;
}

static void take_all(struct lane *lane)
{
    const struct matrix *matrix = lane->order->matrix;
    size_t count = matrix->count;
    struct cell *cells = xcalloc(count ? count : 1, sizeof *cells);
    for (size_t i = 0; i < count; i++) {
        const struct matrix_cell *planned = &matrix->cells[i];
        if (planned->lane != lane->order->lane || planned->cell.ended)
            continue;
        if (!lane->looked && lane->taken == ECHOES)
            look_for_losses(lane, planned->cell.transport);
        AUTO_JSON *copy = cell_json(&planned->cell);
        cell_of_json(copy, &cells[i]);
        tell_begun(lane, i);
        run(lane, planned, &cells[i]);
        tell_cell(lane, i, &cells[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (cells[i].ended && !cells[i].ok && !text_is(cells[i].ended, "skipped") && lane->good &&
            lane->repeated < AGAIN_MOST && matrix->cells[i].bound_ns <= AGAIN_BOUND_S * NS_PER_S)
            repeat(lane, &matrix->cells[i], &cells[i]);
    cells_free(cells, count);
}

static void __attribute__((noreturn)) be_child(const struct lane_order *order, int fd)
{
    struct lane lane = {.order = order, .fd = fd};
    prctl(PR_SET_NAME, "triphase-lane");
    putenv(xstrdup(order->marker));
    take_all(&lane);
    _exit(0);
}

static int begin(const struct lane_order *order, pid_t pid, int gate, struct child *child, struct error *err)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return error_system(err, errno, "cannot start a child");
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    *child = (struct child){pid, pidfd};
    if (order->way.scope->kind == SCOPE_CGROUP && scope_adopt(order->way.scope, pid, err) < 0)
        return -1;
    return write(gate, "g", 1) == 1 ? 0 : error_system(err, errno, "cannot start a child");
}

int lane_start(const struct lane_order *order, struct child *child, int *fd, struct error *err)
{
    int gate[2], out[2];
    if (pipe2(gate, O_CLOEXEC) < 0)
        return error_system(err, errno, "cannot start a child");
    if (pipe2(out, O_CLOEXEC) < 0) {
        int problem = errno;
        close(gate[0]);
        close(gate[1]);
        return error_system(err, problem, "cannot start a child");
    }
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        char ignored;
        close(gate[1]);
        close(out[0]);
        /* Nothing is started before this process is where it belongs. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || read(gate[0], &ignored, 1) != 1)
            _exit(1);
        be_child(order, out[1]);
    }
    int problem = errno;
    close(gate[0]);
    close(out[1]);
    int status =
        pid < 0 ? error_system(err, problem, "cannot start a child") : begin(order, pid, gate[1], child, err);
    close(gate[1]); /* without the word it ends by itself */
    if (status < 0)
        close(out[0]);
    else
        *fd = out[0];
    return status;
}
