#include "diagnose/cell_run.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "diagnose/client.h"
#include "process/aside.h"
#include "transport/peer_path.h"

#include <string.h>

/* What a client may need beyond its own deadline to say how it ended. */
#define GRACE (5 * NS_PER_S)
/* ssh asks the host every two seconds, as in a run (transport/ssh_options.h), and gives up after this. */
#define HOST_SILENT (18 * NS_PER_S)

static const struct {
    const char *name;
    client_call *call;
} clients[] = {{"libssh", client_libssh}, {"openssh", client_openssh}, {"ansible", client_ansible}};

static void put(struct trial *trial, struct cell *cell, int64_t took)
{
    free(cell->ended);
    free(cell->message);
    free(cell->tcp_state);
    cell->ok = text_is(trial->ended, "ok");
    cell->ended = xstrdup(trial->ended);
    cell->message = trial->message.length ? text_take(&trial->message) : NULL;
    cell->tcp_state = TAKE(trial->tcp_state);
    cell->duration_ns = took;
    cell->last_good_ns = trial->begun_ns + trial->last_good_ns;
    cell->bytes = trial->bytes;
    cell->stalls = trial->stalls;
}

/* Over userspace the kernel knows of no connection to the host: what the daemon that has it says instead. */
static char *tunnel_words(const struct peer_path *path)
{
    if (!text_is(path->daemon, "answers"))
        return xasprintf("no socket of the kernel's: tailscaled has the connection, and is %s", path->daemon);
    if (path->handshake_age_ns < 0)
        return xasprintf("no socket of the kernel's: tailscaled has the connection (path %s, no handshake)",
                         path->path);
    AUTO_FREE char *age = duration_show(path->handshake_age_ns);
    return xasprintf(
        "no socket of the kernel's: tailscaled has the connection (path %s, last handshake %s ago)",
        path->path, age);
}

/* The path that the work ends on. A daemon that is silent costs its bound once. */
static void put_path(const struct cell_order *order, struct cell *cell)
{
    struct peer_path path = {0};
    free(cell->path);
    cell->path = NULL;
    if (peer_path_look(order->target, order->machine, order->kind, deadline_in(2 * NS_PER_S), &path) != 0)
        return;
    cell->path = text_is(path.daemon, "answers") ? xstrdup(path.path) : NULL;
    if (order->kind == TRANSPORT_TAILNET_USERSPACE && !cell->tcp_state)
        cell->tcp_state = tunnel_words(&path);
    peer_path_clear(&path);
}

static client_call *client_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(clients); i++)
        if (text_is(clients[i].name, name))
            return clients[i].call;
    return NULL;
}

/* Of a connection that was lost nobody can ask how the work on the host ended. */
static void say_it_goes_on(struct trial *trial)
{
    static const char *const told[] = {"ok", "remote-failed"};
    bool begun = trial->bytes > 0;
    for (size_t i = 0; i < COUNT_OF(told); i++)
        begun = begun && !text_is(trial->ended, told[i]);
    if (begun)
        text_addf(&trial->message, "%swhat was begun on the host goes on there to its end",
                  trial->message.length ? "; " : "");
}

static int take(const struct cell_order *order, struct cell *cell, struct error *err)
{
    client_call *call = client_of(cell->client);
    struct work work;
    AUTO_SSH_ARGUMENTS ssh = SSH_ARGUMENTS_INIT;
    if (!call)
        return error_set(err, ERROR_USAGE, "there is no client '%s'", cell->client);
    if (work_of(cell, &work, err) < 0)
        return -1;
    bool shared = json_get_bool(cell->parameters, "mux") || work.channels > 1;
    const char *agent = ssh_needs_agent(order->machine, order->target) ? order->directory : NULL;
    struct trial trial = {.order = order, .cell = cell, .work = &work, .ssh = &ssh, .ended = "skipped"};
    int64_t since = moment_monotonic();
    int status =
        ssh_arguments_make(order->machine, order->target, order->kind, shared ? order->directory : NULL,
                           agent, SSH_ALIVE_INTERVAL, ssh_alive_count(HOST_SILENT), &ssh, err);
    if (status == 0)
        status = call(&trial, err);
    if (status == 0 && work.goes_on)
        say_it_goes_on(&trial);
    if (status == 0) {
        put(&trial, cell, moment_monotonic() - since);
        put_path(order, cell);
    }
    text_clear(&trial.message);
    free(trial.tcp_state);
    work_clear(&work);
    return status;
}

/* ------------------------------------------------------------ the child */

struct job {
    const struct cell_order *order;
    struct cell *cell;
    struct loop *loop;
    struct aside *aside;
    bool over;
    struct error failure;
};

static int be_child(const void *what, struct text *out, struct error *err)
{
    const struct job *job = what;
    if (take(job->order, job->cell, err) < 0)
        return -1;
    AUTO_JSON *told = cell_json(job->cell);
    AUTO_FREE char *bytes = json_compact(told);
    text_add(out, bytes);
    return 0;
}

static void on_done(void *context, const char *bytes, size_t length, const struct error *failure)
{
    struct job *job = context;
    job->aside = NULL;
    AUTO_JSON *told = failure ? NULL : json_parse(bytes, length, &job->failure);
    if (failure)
        error_set(&job->failure, failure->kind, "%s", failure->message);
    if (told) {
        cell_clear(job->cell);
        cell_of_json(told, job->cell);
    }
    loop_stop(job->loop);
}

static void on_over(void *context)
{
    struct job *job = context;
    job->over = true;
    aside_stop(&job->aside);
    loop_stop(job->loop);
}

static void put_skipped(struct cell *cell)
{
    struct trial trial = {.ended = "skipped"};
    text_add(&trial.message, "it writes on the host: with --allow-changes it is taken");
    put(&trial, cell, 0);
    text_clear(&trial.message);
}

static void put_over(const struct job *job, int64_t took)
{
    struct trial trial = {.ended = "timeout"};
    text_add(&trial.message, "it did not come back within its time and was ended");
    put(&trial, job->cell, took);
    text_clear(&trial.message);
}

int cell_run(const struct cell_order *order, struct cell *io, struct error *err)
{
    struct job job = {.order = order, .cell = io, .failure = ERROR_INIT};
    const char *marker = order->scope->marker ? order->scope->marker : "TRIPHASE_CELL=1";
    int64_t since = moment_monotonic();
    if (work_changes(io->work) && !order->allow_changes) {
        put_skipped(io);
        return 0;
    }
    if (loop_new(&job.loop, err) < 0)
        return -1;
    struct timer *timer = loop_timer(job.loop, on_over, &job);
    timer_arm(timer, deadline_left(order->deadline) + GRACE);
    int status = aside_start(job.loop, order->scope, marker, be_child, &job, on_done, &job, &job.aside, err);
    if (status == 0)
        status = loop_run(job.loop, err);
    aside_stop(&job.aside);
    timer_free(&timer);
    loop_free(job.loop);
    if (status == 0 && job.over)
        put_over(&job, moment_monotonic() - since);
    else if (status == 0 && job.failure.kind != ERROR_NONE)
        status = error_move(err, &job.failure);
    error_clear(&job.failure);
    return status;
}
