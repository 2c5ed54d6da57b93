#include "diagnose/stream.h"

#include "base/memory.h"
#include "base/moment.h"
#include "process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define STALL      NS_PER_S
#define LOOK_EVERY NS_PER_S
#define END_BOUND  (5 * NS_PER_S)
#define TERM_BOUND (2 * NS_PER_S)
/* A grandchild may hold a stream for ever. */
#define DRAIN (200 * NS_PER_MS)

enum { BLOCK = 32 * 1024, SAID_MOST = 16384, PLACES = 4 };

struct running {
    const struct stream *stream;
    struct ssh_channel_end *end;
    struct child child;
    int in, out, error;
    int64_t since, moved, looked;
    struct deadline drain;
    bool ended;
};

static void note_gap(struct running *run, int64_t now)
{
    int64_t gap = now - run->moved;
    if (gap > run->end->longest_gap_ns)
        run->end->longest_gap_ns = gap;
    run->end->stalls += gap > STALL;
    run->moved = now;
}

static void note_bytes(struct running *run)
{
    int64_t now = moment_monotonic();
    note_gap(run, now);
    if (run->end->first_byte_ns < 0)
        run->end->first_byte_ns = now - run->since;
    run->end->last_byte_ns = now - run->since;
}

static int begin(struct running *run, struct error *err)
{
    int in[2], out[2], error[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0)
        return error_system(err, errno, "cannot prepare %s", run->stream->argv[0]);
    struct child_plan plan = {.argv = run->stream->argv,
                              .environment = run->stream->environment,
                              .directory = run->stream->directory,
                              .in = in[0],
                              .out = out[1],
                              .error = error[1],
                              .scope = run->stream->scope,
                              .die_with_parent = true};
    int status = child_start(&plan, &run->child, err);
    close(in[0]);
    close(out[1]);
    close(error[1]);
    run->in = in[1];
    run->out = out[0];
    run->error = error[0];
    fcntl(run->in, F_SETFL, O_NONBLOCK);
    fcntl(run->out, F_SETFL, O_NONBLOCK);
    fcntl(run->error, F_SETFL, O_NONBLOCK);
    run->end->begun_ns = run->moved - run->since;
    if (status == 0 && !run->stream->input_bytes && !run->stream->holds)
        fd_close(&run->in);
    return status;
}

static int64_t allowance(const struct running *run)
{
    if (!run->stream->throttle)
        return BLOCK;
    int64_t ms = (moment_monotonic() - run->since) / NS_PER_MS;
    int64_t left = run->stream->throttle * ms / 1000 - (int64_t)run->end->received;
    return left > BLOCK ? BLOCK : left;
}

static void take_in(struct running *run)
{
    char block[BLOCK];
    int64_t room = allowance(run);
    ssize_t got = room > 0 ? read(run->out, block, (size_t)room) : -1;
    if (room > 0 && (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)))
        fd_close(&run->out);
    if (got <= 0)
        return;
    note_bytes(run);
    if (run->ended)
        run->drain = deadline_in(DRAIN);
    run->end->received += (uint64_t)got;
    size_t left = run->stream->keep > run->end->kept.length ? run->stream->keep - run->end->kept.length : 0;
    text_add_bytes(&run->end->kept, block, (size_t)got < left ? (size_t)got : left);
}

static void take_words(struct running *run)
{
    char block[BLOCK];
    ssize_t got = read(run->error, block, sizeof block);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        fd_close(&run->error);
    if (got > 0 && run->end->said.length < SAID_MOST)
        text_add_bytes(&run->end->said, block, (size_t)got);
}

static void give(struct running *run)
{
    static const char zeros[BLOCK];
    size_t left = run->stream->input_bytes - (size_t)run->end->sent;
    ssize_t wrote = left ? write(run->in, zeros, left < BLOCK ? left : BLOCK) : 0;
    if (wrote > 0) {
        note_bytes(run);
        run->end->sent += (uint64_t)wrote;
    }
    bool broken = wrote < 0 && errno != EAGAIN && errno != EINTR;
    if (broken || run->end->sent >= run->stream->input_bytes)
        fd_close(&run->in);
}

static void see_end(struct running *run)
{
    struct child_end how;
    if (run->ended || child_poll(&run->child, &how, NULL) == 0)
        return;
    run->ended = true;
    run->end->ended = true;
    run->end->exit_code = how.exited ? how.code : 128 + how.signal;
    run->drain = deadline_in(DRAIN);
}

static bool is_over(const struct running *run)
{
    return run->ended && ((run->out < 0 && run->error < 0) || deadline_over(run->drain));
}

static void look_at(struct running *run, int64_t now)
{
    run->looked = now;
    if (run->stream->on_look && !run->ended && run->child.pid > 0)
        run->stream->on_look(run->stream->context, run->child.pid);
}

/* One look at all of them; whether all are over. */
static bool turn(struct running *runs, int count, struct deadline deadline)
{
    AUTO_FREE struct pollfd *look = xcalloc((size_t)count * PLACES, sizeof *look);
    bool all = true;
    for (int i = 0; i < count; i++) {
        struct running *run = &runs[i];
        bool full = allowance(run) <= 0;
        if (run->ended)
            deadline = deadline_earlier(deadline, run->drain);
        if (full)
            deadline = deadline_earlier(deadline, deadline_in(10 * NS_PER_MS));
        if (run->stream->on_look)
            deadline = deadline_earlier(deadline, deadline_in(LOOK_EVERY));
        look[i * PLACES] = (struct pollfd){.fd = full ? -1 : run->out, .events = POLLIN};
        look[i * PLACES + 1] = (struct pollfd){.fd = run->error, .events = POLLIN};
        look[i * PLACES + 2] =
            (struct pollfd){.fd = run->stream->input_bytes ? run->in : -1, .events = POLLOUT};
        look[i * PLACES + 3] = (struct pollfd){.fd = run->ended ? -1 : run->child.pidfd, .events = POLLIN};
    }
    (void)deadline_poll(look, (nfds_t)(count * PLACES), deadline);
    for (int i = 0; i < count; i++) {
        struct running *run = &runs[i];
        if (look[i * PLACES].revents)
            take_in(run);
        if (look[i * PLACES + 1].revents)
            take_words(run);
        if (look[i * PLACES + 2].revents)
            give(run);
        see_end(run);
        if (moment_monotonic() - run->looked >= LOOK_EVERY)
            look_at(run, moment_monotonic());
        all = all && is_over(run);
    }
    return all;
}

static struct deadline patience(const struct running *runs, int count, struct deadline deadline)
{
    for (int i = 0; i < count; i++)
        if (!runs[i].ended && runs[i].stream->silence_ns)
            deadline = deadline_earlier(deadline, deadline_in(runs[i].moved + runs[i].stream->silence_ns -
                                                              moment_monotonic()));
    return deadline;
}

static void finish(struct running *run)
{
    note_gap(run, moment_monotonic());
    run->end->end_ns = run->moved - run->since;
    look_at(run, moment_monotonic());
    if (!run->ended && run->child.pid > 0) {
        /* First so that it can end what it started in sessions of their own. */
        child_signal(&run->child, SIGTERM);
        (void)child_await(&run->child, TERM_BOUND);
        kill(-run->child.pid, SIGKILL);
        child_signal(&run->child, SIGKILL);
        child_await(&run->child, END_BOUND);
    }
    child_close(&run->child);
    fd_close(&run->in);
    fd_close(&run->out);
    fd_close(&run->error);
}

int stream_run(const struct stream *streams, int count, struct deadline deadline,
               struct ssh_channel_end *ends, struct error *err)
{
    AUTO_FREE struct running *runs = xcalloc((size_t)count, sizeof *runs);
    int64_t now = moment_monotonic();
    int status = 0;
    for (int i = 0; i < count; i++) {
        ends[i] = (struct ssh_channel_end){
            .exit_code = -1, .begun_ns = -1, .first_byte_ns = -1, .last_byte_ns = -1, .end_ns = -1};
        runs[i] = (struct running){.stream = &streams[i],
                                   .end = &ends[i],
                                   .child = CHILD_INIT,
                                   .in = -1,
                                   .out = -1,
                                   .error = -1,
                                   .since = now,
                                   .moved = now,
                                   .looked = now};
    }
    for (int i = 0; i < count && status == 0; i++)
        status = begin(&runs[i], err);
    for (bool all = false; status == 0 && !all;) {
        struct deadline until = patience(runs, count, deadline);
        all = turn(runs, count, until);
        if (!all && deadline_over(until))
            status = error_set(err, ERROR_DEADLINE, "%s said nothing any more, or its time was over",
                               streams[0].argv[0]);
    }
    for (int i = 0; i < count; i++)
        finish(&runs[i]);
    return status;
}
