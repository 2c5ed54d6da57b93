#include "event/sink.h"

#include "base/memory.h"
#include "base/moment.h"
#include "store/journal.h"
#include "store/store.h"

#include <sys/epoll.h>

enum { COMMIT_BOUND_S = 10, HURRY_S = 10 };

struct sink {
    struct store_writer *writer;
    struct journal *journal;
    struct watch *watch;
    struct timer *bound;
    uint64_t awaited; /* ticket; 0: none */
    uint64_t seen;    /* committed when the bound was last set */
    sink_answer *answer;
    void *context;
};

static void settle(struct sink *sink, bool committed, const char *failure)
{
    sink_answer *answer = sink->answer;
    sink->awaited = 0;
    sink->answer = NULL;
    timer_disarm(sink->bound);
    answer(sink->context, committed, failure);
}

static void on_writer(void *context, uint32_t events)
{
    (void)events;
    struct sink *sink = context;
    uint64_t committed = store_writer_committed(sink->writer);
    if (!sink->awaited)
        return;
    if (committed >= sink->awaited)
        settle(sink, true, NULL);
    else if (store_writer_failure(sink->writer))
        settle(sink, false, store_writer_failure(sink->writer));
}

static void on_bound(void *context)
{
    struct sink *sink = context;
    if (!sink->awaited)
        return;
    /* A writer that failed before anything was awaited has nothing more to signal. One that has much to write, or waits for another process, is no dead one. Asking takes the signal away, so the
     * failure is asked for behind it. */
    uint64_t committed = store_writer_committed(sink->writer);
    const char *failure = store_writer_failure(sink->writer);
    if (committed >= sink->awaited) {
        settle(sink, true, NULL);
        return;
    }
    int64_t waited_ns = moment_monotonic() - store_writer_held_at(sink->writer);
    if (!failure && (committed > sink->seen || waited_ns < COMMIT_BOUND_S * NS_PER_S)) {
        sink->seen = committed;
        timer_arm(sink->bound, COMMIT_BOUND_S * NS_PER_S);
        return;
    }
    settle(sink, false, failure ? failure : "the store wrote nothing for 10 s");
}

void sink_hurry(struct sink *sink)
{
    store_writer_hurry(sink->writer, HURRY_S * NS_PER_S);
}

int sink_open(struct loop *loop, const char *store, const char *run_folder, struct sink **out,
              struct error *err)
{
    struct sink *sink = xcalloc(1, sizeof *sink);
    if (journal_open(run_folder, &sink->journal, err) < 0 ||
        store_writer_start(store, &sink->writer, err) < 0 ||
        loop_watch(loop, store_writer_notify_fd(sink->writer), EPOLLIN, on_writer, sink, &sink->watch, err) <
            0) {
        if (sink->writer)
            store_writer_stop(sink->writer, NS_PER_S, NULL);
        journal_close(sink->journal);
        free(sink);
        return -1;
    }
    sink->bound = loop_timer(loop, on_bound, sink);
    *out = sink;
    return 0;
}

void sink_put(struct sink *sink, const struct event *event)
{
    journal_put(sink->journal, event, NULL);
    store_writer_put(sink->writer, event);
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
    journal_put(sink->journal, event, NULL);
    /* Before the put: asking takes the signal away, and that of this event must come. */
    sink->seen = store_writer_committed(sink->writer);
    sink->awaited = store_writer_put(sink->writer, event);
    sink->answer = answer;
    sink->context = context;
    timer_arm(sink->bound, store_writer_failure(sink->writer) ? 0 : COMMIT_BOUND_S * NS_PER_S);
}

int sink_close(struct sink *sink, struct error *err)
{
    watch_stop(&sink->watch);
    timer_free(&sink->bound);
    int result = store_writer_stop(sink->writer, COMMIT_BOUND_S * NS_PER_S, err);
    journal_close(sink->journal);
    free(sink);
    return result;
}
