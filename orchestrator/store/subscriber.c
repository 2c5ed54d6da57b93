/* The store as a receiver of what a run tells: its writer thread (store/store.h) behind the
 * calls of event/subscriber.h. */
#include "event/subscriber.h"
#include "store/store.h"

static int open_store(const struct subscriber_place *place, void **self, struct error *err)
{
    struct store_writer *writer;
    if (store_writer_start(place->store, &writer, err) < 0)
        return -1;
    *self = writer;
    return 0;
}

static int event(void *self, const struct event *event, struct error *err)
{
    (void)err; /* what fails does so later, in the thread */
    store_writer_put(self, event);
    return 0;
}

static uint64_t committed(void *self)
{
    return store_writer_committed(self);
}

static int notify_fd(void *self)
{
    return store_writer_notify_fd(self);
}

static const char *failure(void *self)
{
    return store_writer_failure(self);
}

static int64_t held_at(void *self)
{
    return store_writer_held_at(self);
}

static void hurry(void *self, int64_t held_ns)
{
    store_writer_hurry(self, held_ns);
}

static int close_store(void *self, int64_t bound_ns, struct error *err)
{
    return store_writer_stop(self, bound_ns, err);
}

const struct subscriber subscriber_store = {
    .name = "the store",
    .needed = true,
    .open = open_store,
    .event = event,
    .committed = committed,
    .notify_fd = notify_fd,
    .failure = failure,
    .held_at = held_at,
    .hurry = hurry,
    .close = close_store,
};
