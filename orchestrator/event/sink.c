#include "event/sink.h"

#include "base/memory.h"
#include "base/moment.h"

#include <sys/epoll.h>

enum { COMMIT_BOUND_S = 10, HURRY_S = 10, NOT_BEGUN_BOUND_S = 1 };

/* One receiver. */
struct seat {
    struct sink *sink;
    const struct subscriber *row;
    void *self;
    struct watch *watch;
    bool open;
    uint64_t told;    /* events */
    uint64_t awaited; /* of them; 0: none */
    uint64_t seen;    /* committed when the bound was last set */
    char *loss;       /* why it lost its first event (or all), until the others are told */
    bool has_lost;
};

struct sink {
    struct seat *seats;
    size_t count;
    struct timer *bound;
    sink_answer *answer; /* NULL: nobody waits */
    void *context;
    char *silent; /* the failure of one that wrote nothing */
};

static void settle(struct sink *sink, bool committed, const char *failure)
{
    sink_answer *answer = sink->answer;
    sink->answer = NULL;
    for (size_t i = 0; i < sink->count; i++)
        sink->seats[i].awaited = 0;
    timer_disarm(sink->bound);
    answer(sink->context, committed, failure);
}

static bool is_awaited(const struct sink *sink)
{
    for (size_t i = 0; i < sink->count; i++)
        if (sink->seats[i].awaited)
            return true;
    return false;
}

static const char *failure_of(const struct seat *seat)
{
    return seat->open && seat->row->committed ? seat->row->failure(seat->self) : NULL;
}

/* How much is committed, which may be what was waited for. Asking takes the signal away. */
static uint64_t look(struct seat *seat)
{
    uint64_t committed = seat->row->committed(seat->self);
    if (committed >= seat->awaited)
        seat->awaited = 0;
    return committed;
}

static void on_notify(void *context, uint32_t events)
{
    (void)events;
    struct seat *seat = context;
    look(seat);
    if (!seat->sink->answer)
        return;
    if (!is_awaited(seat->sink))
        settle(seat->sink, true, NULL);
    else if (seat->awaited && failure_of(seat))
        settle(seat->sink, false, failure_of(seat));
}

/* One that has much to write, or is held up by another process, is no dead one. */
static bool gets_on(struct seat *seat, uint64_t committed)
{
    int64_t held_at = seat->row->held_at ? seat->row->held_at(seat->self) : 0;
    bool on = committed > seat->seen || moment_monotonic() - held_at < COMMIT_BOUND_S * NS_PER_S;
    seat->seen = committed;
    return on;
}

static void on_bound(void *context)
{
    struct sink *sink = context;
    for (size_t i = 0; sink->answer && i < sink->count; i++) {
        struct seat *seat = &sink->seats[i];
        if (!seat->awaited)
            continue;
        /* One that failed before anything was awaited has nothing more to signal. Asking takes the signal
         * away, so the failure is asked for behind it. */
        uint64_t committed = look(seat);
        const char *failure = failure_of(seat);
        if (!seat->awaited || (!failure && gets_on(seat, committed)))
            continue;
        free(sink->silent);
        sink->silent = xasprintf("%s wrote nothing for %d s", seat->row->name, COMMIT_BOUND_S);
        settle(sink, false, failure ? failure : sink->silent);
        return;
    }
    if (sink->answer && is_awaited(sink))
        timer_arm(sink->bound, COMMIT_BOUND_S * NS_PER_S);
    else if (sink->answer)
        settle(sink, true, NULL);
}

void sink_hurry(struct sink *sink)
{
    for (size_t i = 0; i < sink->count; i++)
        if (sink->seats[i].open && sink->seats[i].row->hurry)
            sink->seats[i].row->hurry(sink->seats[i].self, HURRY_S * NS_PER_S);
}

static void lost(struct seat *seat, const struct error *why)
{
    if (!seat->has_lost)
        seat->loss = xasprintf("%s: %s", seat->row->name, error_text(why));
    seat->has_lost = true;
}

static int seat_close(struct seat *seat, int64_t bound_ns, struct error *err)
{
    AUTO_ERROR why = ERROR_INIT;
    watch_stop(&seat->watch);
    int result = seat->open && seat->row->close ? seat->row->close(seat->self, bound_ns, &why) : 0;
    seat->open = false;
    return result < 0 && seat->row->committed ? error_move(err, &why) : 0;
}

static int seat_open(struct seat *seat, struct loop *loop, const struct subscriber_place *place,
                     struct error *err)
{
    if (seat->row->open && seat->row->open(place, &seat->self, err) < 0)
        return -1;
    seat->open = true;
    if (!seat->row->committed ||
        loop_watch(loop, seat->row->notify_fd(seat->self), EPOLLIN, on_notify, seat, &seat->watch, err) == 0)
        return 0;
    seat_close(seat, NOT_BEGUN_BOUND_S * NS_PER_S, NULL);
    return -1;
}

/* The first failure is the one that is told. */
static int close_all(struct sink *sink, int64_t bound_ns, struct error *err)
{
    int result = 0;
    timer_free(&sink->bound);
    for (size_t i = sink->count; i-- > 0;) {
        if (seat_close(&sink->seats[i], bound_ns, result ? NULL : err) < 0)
            result = -1;
        free(sink->seats[i].loss);
    }
    free(sink->seats);
    free(sink->silent);
    free(sink);
    return result;
}

int sink_open(struct loop *loop, const struct subscriber_place *place, const struct subscriber *const *rows,
              size_t count, struct sink **out, struct error *err)
{
    struct sink *sink = xcalloc(1, sizeof *sink);
    sink->seats = xcalloc(count, sizeof *sink->seats);
    sink->bound = loop_timer(loop, on_bound, sink);
    for (size_t i = 0; i < count; i++) {
        AUTO_ERROR why = ERROR_INIT;
        struct seat *seat = &sink->seats[sink->count++];
        *seat = (struct seat){.sink = sink, .row = rows[i]};
        if (seat_open(seat, loop, place, &why) == 0)
            continue;
        lost(seat, &why);
        if (!rows[i]->needed)
            continue;
        close_all(sink, NOT_BEGUN_BOUND_S * NS_PER_S, NULL);
        return error_move(err, &why);
    }
    *out = sink;
    return 0;
}

static void hand_on(struct sink *sink, const struct event *event)
{
    for (size_t i = 0; i < sink->count; i++) {
        struct seat *seat = &sink->seats[i];
        AUTO_ERROR why = ERROR_INIT;
        if (!seat->open || !seat->row->event)
            continue;
        seat->told++;
        if (seat->row->event(seat->self, event, &why) < 0)
            lost(seat, &why);
    }
}

/* Behind the event that was lost: the order is the same for all. */
static void tell_losses(struct sink *sink, const struct event *event)
{
    for (size_t i = 0; event->run && i < sink->count; i++) {
        AUTO_FREE char *loss = TAKE(sink->seats[i].loss);
        if (!loss)
            continue;
        AUTO_JSON *detail = json_new_object();
        json_set_string(detail, "warning", "not-told");
        json_set_string(detail, "message", loss);
        sink_note(sink, event->run, event->step, "warning", detail);
    }
}

void sink_put(struct sink *sink, const struct event *event)
{
    hand_on(sink, event);
    tell_losses(sink, event);
}

void sink_note(struct sink *sink, const char *run, int step, const char *kind, const struct json *detail)
{
    AUTO_FREE char *text = json_compact(detail);
    struct event event = {.kind = EVENT_NOTE,
                          .run = run,
                          .step = step,
                          .note = {.kind = kind, .detail = text, .at_ns = moment_wall()}};
    sink_put(sink, &event);
}

void sink_commit(struct sink *sink, const struct event *event, sink_answer *answer, void *context)
{
    bool failed = false;
    sink->answer = answer;
    sink->context = context;
    /* Before it is told: asking takes the signal away, and that of this event must come. */
    for (size_t i = 0; i < sink->count; i++)
        if (sink->seats[i].open && sink->seats[i].row->committed)
            sink->seats[i].seen = sink->seats[i].row->committed(sink->seats[i].self);
    hand_on(sink, event);
    for (size_t i = 0; i < sink->count; i++) {
        sink->seats[i].awaited = sink->seats[i].row->committed ? sink->seats[i].told : 0;
        failed |= failure_of(&sink->seats[i]) != NULL;
    }
    timer_arm(sink->bound, failed || !is_awaited(sink) ? 0 : COMMIT_BOUND_S * NS_PER_S);
    tell_losses(sink, event);
}

int sink_close(struct sink *sink, struct error *err)
{
    return close_all(sink, COMMIT_BOUND_S * NS_PER_S, err);
}
