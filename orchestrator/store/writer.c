#include "base/memory.h"
#include "base/moment.h"
#include "store/queue.h"
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    BUSY_MS = 10000,
    STACK_SIZE = 256 * 1024, /* SQLite needs far less; the default would be 8 MiB of address space */
    QUEUE_LIMIT = 64 * 1024 * 1024,
    QUEUE_HURRY = 512 * 1024, /* this much is written without gathering more */
    BATCH_RECORDS = 4096,
};
/* Another process's lock is a delay. One that is never given back (a stopped process, a file system that
 * hangs) is told after so long. */
static const int64_t gather_ns = 30 * NS_PER_MS, full_wait_ns = NS_PER_S, held_most_ns = 600 * NS_PER_S;

struct store_writer {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t work, room; /* both on the monotonic clock */
    int notify;
    atomic_uint_least64_t committed;
    atomic_int_least64_t held;    /* since when another process has had the lock (monotonic); 0: nobody has */
    atomic_int_least64_t held_at; /* when it was last seen to have it; 0: never */
    atomic_int_least64_t held_most; /* then it has failed */
    /* under the mutex */
    struct store_queue queue;
    size_t writing; /* bytes of blocks that the thread has taken */
    bool urgent, stop, orphan, ended;
    uint64_t ticket;
    char *failure;
    /* of the thread alone */
    struct sql *db;
    struct store_appender *appender;
    bool full; /* synchronous is FULL */
};

static void writer_free(struct store_writer *writer)
{
    store_queue_clear(&writer->queue);
    store_appender_free(writer->appender);
    sql_close(writer->db);
    fd_close(&writer->notify);
    free(writer->failure);
    pthread_cond_destroy(&writer->work);
    pthread_cond_destroy(&writer->room);
    pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

static void tell(struct store_writer *writer)
{
    uint64_t one = 1;
    ssize_t ignored = write(writer->notify, &one,
                            sizeof one); /* full only when a reader is far behind, who will look anyway */
    (void)ignored;
}

static void fail(struct store_writer *writer, const char *reason)
{
    pthread_mutex_lock(&writer->mutex);
    if (!writer->failure)
        writer->failure = xstrdup(reason);
    store_queue_clear(&writer->queue);
    pthread_cond_broadcast(&writer->room);
    pthread_mutex_unlock(&writer->mutex);
    tell(writer);
}

static struct timespec at_monotonic(int64_t ns)
{
    return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

/* ---- the thread ---- */

/* Asked by SQLite while another process has the lock. */
static bool wait_for_lock(void *context)
{
    struct store_writer *writer = context;
    int64_t now = moment_monotonic();
    if (!atomic_load(&writer->held))
        atomic_store(&writer->held, now);
    atomic_store(&writer->held_at, now);
    pthread_mutex_lock(&writer->mutex);
    bool wanted = !writer->orphan && !writer->failure;
    pthread_mutex_unlock(&writer->mutex);
    nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    return wanted && now - atomic_load(&writer->held) < atomic_load(&writer->held_most);
}

static int apply(struct store_writer *writer, struct store_record *record, struct error *err)
{
    if (record->event.kind != EVENT_MACHINE)
        return store_appender_put(writer->appender, &record->event, err);
    AUTO_JSON *json = json_parse(record->machine, strlen(record->machine), err);
    if (!json)
        return -1;
    AUTO_MACHINE *machine = machine_from_json(json);
    struct event event = record->event;
    event.machine = machine;
    return store_appender_put(writer->appender, &event, err);
}

/* Where the next transaction ends: behind the first urgent record, or after as many as a transaction
 * should hold. */
static size_t batch_length(struct store_block *block, size_t at, bool *urgent)
{
    size_t count = 0;
    *urgent = false;
    for (; block && count < BATCH_RECORDS && !*urgent; block = block->next, at = 0)
        for (struct store_record *record;
             count < BATCH_RECORDS && !*urgent && (record = store_block_next(block, &at)); count++)
            *urgent = store_event_is_urgent(&record->event);
    return count;
}

static int set_synchronous(struct store_writer *writer, bool full, struct error *err)
{
    if (full == writer->full)
        return 0;
    writer->full = full;
    return sql_run(writer->db, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", err);
}

/* One transaction of `count` records from (*block, *at), which move on. */
static int write_batch(struct store_writer *writer, struct store_block **block, size_t *at, size_t count,
                       uint64_t *last, struct error *err)
{
    if (sql_begin(writer->db, err) < 0 || store_appender_begin(writer->appender, err) < 0)
        return -1;
    atomic_store(&writer->held, 0);
    while (count) {
        struct store_record *record = store_block_next(*block, at);
        if (!record) {
            *block = (*block)->next;
            *at = 0;
            continue;
        }
        if (apply(writer, record, err) < 0)
            return -1;
        *last = record->ticket;
        count--;
    }
    if (store_appender_flush(writer->appender, err) < 0 || sql_commit(writer->db, err) < 0)
        return -1;
    atomic_store(&writer->held, 0);
    return 0;
}

/* What is on disk makes room at once: a caller who waits for it sees whether the writer gets on. */
static void give_room(struct store_writer *writer, size_t left)
{
    pthread_mutex_lock(&writer->mutex);
    writer->writing = left;
    pthread_cond_broadcast(&writer->room);
    pthread_mutex_unlock(&writer->mutex);
}

static int write_queue(struct store_writer *writer, struct store_queue *taken, struct error *err)
{
    struct store_block *block = taken->first;
    size_t at = 0, count;
    bool urgent;
    while ((count = batch_length(block, at, &urgent)) > 0) {
        uint64_t last = 0;
        if (set_synchronous(writer, urgent, err) < 0 ||
            write_batch(writer, &block, &at, count, &last, err) < 0) {
            sql_rollback(writer->db);
            return -1;
        }
        atomic_store(&writer->committed, last);
        tell(writer);
        store_queue_drop(taken, block);
        give_room(writer, taken->bytes);
    }
    return 0;
}

/* Waits for work and takes all of it; false when there will be none. Called with the mutex held. */
static bool take_work(struct store_writer *writer, struct store_queue *taken)
{
    while (!writer->queue.first && !writer->stop)
        pthread_cond_wait(&writer->work, &writer->mutex);
    /* Tasks come in swarms: a few commits a second instead of one for each spare the disk and the CPU. */
    struct timespec until = at_monotonic(moment_monotonic() + gather_ns);
    while (!writer->urgent && !writer->stop && writer->queue.bytes < QUEUE_HURRY)
        if (pthread_cond_timedwait(&writer->work, &writer->mutex, &until) == ETIMEDOUT)
            break;
    *taken = writer->queue;
    writer->queue = (struct store_queue){0};
    writer->writing = taken->bytes;
    writer->urgent = false;
    return taken->first != NULL;
}

static void *run_writer(void *context)
{
    struct store_writer *writer = context;
    struct store_queue taken;
    AUTO_ERROR err = ERROR_INIT;
    sql_on_busy(writer->db, wait_for_lock, writer);
    pthread_mutex_lock(&writer->mutex);
    while (!writer->failure && take_work(writer, &taken)) {
        pthread_mutex_unlock(&writer->mutex);
        if (write_queue(writer, &taken, &err) < 0)
            fail(writer, error_text(&err));
        store_queue_clear(&taken);
        give_room(writer, 0);
        pthread_mutex_lock(&writer->mutex);
    }
    pthread_mutex_unlock(&writer->mutex);
    /* Closing folds the WAL into the database: part of what store_writer_stop waits for. */
    store_appender_free(writer->appender);
    writer->appender = NULL;
    sql_close(writer->db);
    writer->db = NULL;
    pthread_mutex_lock(&writer->mutex);
    writer->ended = true;
    bool orphan = writer->orphan;
    pthread_mutex_unlock(&writer->mutex);
    if (orphan)
        writer_free(writer);
    return NULL;
}

/* ---- the caller's side ---- */

static int start_thread(struct store_writer *writer, struct error *err)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    /* Signals are the loop's business. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int number = pthread_create(&writer->thread, &attributes, run_writer, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return number ? error_system(err, number, "cannot start the store's writer") : 0;
}

int store_writer_start(const char *path, struct store_writer **out, struct error *err)
{
    struct store_writer *writer = xcalloc(1, sizeof *writer);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&writer->mutex, NULL);
    pthread_cond_init(&writer->work, &clock);
    pthread_cond_init(&writer->room, &clock);
    pthread_condattr_destroy(&clock);
    writer->full = true;
    atomic_store(&writer->held_most, held_most_ns);
    writer->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (writer->notify < 0)
        error_system(err, errno, "cannot make the store writer's eventfd");
    if (writer->notify < 0 || sql_open(path, SQL_WRITE, BUSY_MS, &writer->db, err) < 0 ||
        sql_run(writer->db, "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304", err) < 0 ||
        store_appender_new(writer->db, &writer->appender, err) < 0 || start_thread(writer, err) < 0) {
        writer_free(writer);
        return -1;
    }
    *out = writer;
    return 0;
}

/* What waits for another process is limited by how long that may take: the caller has a run to watch
 * meanwhile, and cannot wait. */
static bool is_full(struct store_writer *writer)
{
    return !writer->failure && writer->queue.bytes + writer->writing >= QUEUE_LIMIT &&
           !store_writer_is_held(writer);
}

/* Called with the mutex held. Where much has gathered behind a lock there may be no room for longer; a writer
 * that gets on has not failed. */
static void await_room(struct store_writer *writer)
{
    struct timespec until = at_monotonic(moment_monotonic() + full_wait_ns);
    uint64_t before = atomic_load(&writer->committed);
    int waited = 0;
    while (waited != ETIMEDOUT && is_full(writer))
        waited = pthread_cond_timedwait(&writer->room, &writer->mutex, &until);
    if (is_full(writer) && atomic_load(&writer->committed) == before) {
        writer->failure = xstrdup(
            "the store is written too slowly: more than 64 MiB of events wait for it; look at that disk");
        tell(writer);
    }
}

uint64_t store_writer_put(struct store_writer *writer, const struct event *event)
{
    pthread_mutex_lock(&writer->mutex);
    uint64_t ticket = ++writer->ticket;
    await_room(writer);
    if (!writer->failure) {
        size_t before = writer->queue.bytes;
        bool was_empty = !writer->queue.first;
        store_queue_put(&writer->queue, event, ticket);
        bool urgent = store_event_is_urgent(event);
        /* The thread sleeps in one of two waits: wake it for the first event, and when gathering is over. */
        if (was_empty || (urgent && !writer->urgent) ||
            (before < QUEUE_HURRY && writer->queue.bytes >= QUEUE_HURRY)) {
            writer->urgent |= urgent;
            pthread_cond_signal(&writer->work);
        }
    }
    pthread_mutex_unlock(&writer->mutex);
    return ticket;
}

int store_writer_notify_fd(const struct store_writer *writer)
{
    return writer->notify;
}

uint64_t store_writer_committed(struct store_writer *writer)
{
    uint64_t count;
    ssize_t ignored = read(writer->notify, &count, sizeof count);
    (void)ignored;
    return atomic_load(&writer->committed);
}

const char *store_writer_failure(const struct store_writer *writer)
{
    struct store_writer *same = (struct store_writer *)(uintptr_t)writer;
    pthread_mutex_lock(&same->mutex);
    const char *failure = same->failure; /* set once, freed with the writer */
    pthread_mutex_unlock(&same->mutex);
    return failure;
}

bool store_writer_is_held(const struct store_writer *writer)
{
    return atomic_load(&writer->held) != 0;
}

int64_t store_writer_held_at(const struct store_writer *writer)
{
    return atomic_load(&writer->held_at);
}

void store_writer_hurry(struct store_writer *writer, int64_t held_ns)
{
    atomic_store(&writer->held_most, held_ns);
}

/* True when the thread has ended in time: `bound_ns` from the last moment at which
 * another process had the lock. */
static bool join(struct store_writer *writer, int64_t bound_ns)
{
    for (int64_t from = moment_monotonic();;) {
        struct timespec until = at_monotonic(from + bound_ns);
        if (pthread_clockjoin_np(writer->thread, NULL, CLOCK_MONOTONIC, &until) != ETIMEDOUT)
            return true;
        if (store_writer_held_at(writer) <= from)
            return false;
        from = store_writer_held_at(writer);
    }
}

int store_writer_stop(struct store_writer *writer, int64_t bound_ns, struct error *err)
{
    if (!writer)
        return 0;
    pthread_mutex_lock(&writer->mutex);
    writer->stop = true;
    uint64_t wanted = writer->ticket;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->mutex);
    if (!join(writer, bound_ns)) {
        /* It hangs in the disk. It keeps its memory until it comes back. */
        pthread_mutex_lock(&writer->mutex);
        bool ended = writer->ended;
        writer->orphan = !ended;
        pthread_t thread = writer->thread;
        pthread_mutex_unlock(&writer->mutex);
        if (!ended) {
            pthread_detach(thread);
            return error_set(
                err, ERROR_STORE,
                "the store could not be written to its end in time; rows may be missing, look at its disk");
        }
        pthread_join(thread, NULL);
    }
    int result = 0;
    if (writer->failure)
        result = error_set(err, ERROR_STORE, "%s", writer->failure);
    else if (atomic_load(&writer->committed) < wanted)
        result = error_set(err, ERROR_STORE, "%llu events were not written",
                           (unsigned long long)(wanted - writer->committed));
    writer_free(writer);
    return result;
}
