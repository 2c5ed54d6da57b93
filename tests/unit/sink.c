/* The sink and those who hear it: order, what one that fails costs, who is waited for. */
#include "event/sink.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <sys/eventfd.h>
#include <unistd.h>

TestSuite(sink, .fini = hostile_clean);

static const char run_id[] = "01890000-0000-7000-8000-000000000001";
extern const struct subscriber subscriber_journal, subscriber_store;

/* What each receiver of a test did, one word behind the other. */
static struct text heard[2];

static int hear(struct text *by, const struct event *event)
{
    text_addf(by, "%s%d ", event->kind == EVENT_NOTE ? event->note.kind : "event", event->step);
    return 0;
}

static int open_first(const struct subscriber_place *place, void **self, struct error *err)
{
    (void)place, (void)err;
    *self = &heard[0];
    text_add(&heard[0], "open ");
    return 0;
}

static int hear_it(void *self, const struct event *event, struct error *err)
{
    (void)err;
    return hear(self, event);
}

static int close_it(void *self, int64_t bound_ns, struct error *err)
{
    (void)bound_ns, (void)err;
    text_add(self, "close ");
    return 0;
}

static int refuse_to_open(const struct subscriber_place *place, void **self, struct error *err)
{
    (void)place, (void)self;
    return error_set(err, ERROR_SYSTEM, "its door is shut");
}

static int lose(void *self, const struct event *event, struct error *err)
{
    (void)self;
    hear(&heard[1], event);
    return error_set(err, ERROR_SYSTEM, "it drops what it is given");
}

static const struct subscriber listener = {
    .name = "listener", .open = open_first, .event = hear_it, .close = close_it};
static const struct subscriber loser = {.name = "loser", .event = lose};
static const struct subscriber shut = {
    .name = "shut", .open = refuse_to_open, .event = lose, .close = close_it};
static const struct subscriber shut_and_needed = {.name = "shut", .needed = true, .open = refuse_to_open};
static const struct subscriber deaf = {.name = "deaf"};

/* Two that commit: each is an eventfd, whose count is what it has committed. */
static struct {
    int fd;
    uint64_t committed;
    const char *failure;
} disk[2];

static uint64_t committed_by(size_t which)
{
    uint64_t count;
    ssize_t ignored = read(disk[which].fd, &count, sizeof count); /* takes the signal away */
    (void)ignored;
    return disk[which].committed;
}
static uint64_t committed_0(void *self)
{
    (void)self;
    return committed_by(0);
}
static uint64_t committed_1(void *self)
{
    (void)self;
    return committed_by(1);
}
static int fd_0(void *self)
{
    (void)self;
    return disk[0].fd;
}
static int fd_1(void *self)
{
    (void)self;
    return disk[1].fd;
}
static const char *failure_0(void *self)
{
    (void)self;
    return disk[0].failure;
}
static const char *failure_1(void *self)
{
    (void)self;
    return disk[1].failure;
}
static int take(void *self, const struct event *event, struct error *err)
{
    (void)self, (void)event, (void)err;
    return 0;
}

static const struct subscriber disk_0 = {
    .name = "disk 0", .event = take, .committed = committed_0, .notify_fd = fd_0, .failure = failure_0};
static const struct subscriber disk_1 = {
    .name = "disk 1", .event = take, .committed = committed_1, .notify_fd = fd_1, .failure = failure_1};

static void write_on(size_t which, const char *failure)
{
    uint64_t one = 1;
    disk[which].failure = failure;
    disk[which].committed += !failure;
    cr_assert_eq(write(disk[which].fd, &one, sizeof one), (ssize_t)sizeof one);
}

struct scene {
    struct loop *loop;
    struct sink *sink;
    struct record record;
    struct subscriber_place place;
    int answers;
    bool committed;
    char *failure;
};

static void on_answer(void *context, bool committed, const char *failure)
{
    struct scene *scene = context;
    scene->answers++;
    scene->committed = committed;
    scene->failure = xstrdup_or_null(failure);
    loop_stop(scene->loop);
}

static struct scene begin(const struct subscriber *const *rows, size_t count)
{
    AUTO_ERROR err = ERROR_INIT;
    struct scene scene = {.record = record_start()};
    scene.place = (struct subscriber_place){scene.record.path, hostile_folder()};
    for (size_t i = 0; i < COUNT_OF(disk); i++)
        disk[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    cr_assert_eq(loop_new(&scene.loop, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sink_open(scene.loop, &scene.place, rows, count, &scene.sink, &err), 0, "%s",
                 error_text(&err));
    return scene;
}

static void end(struct scene *scene)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_eq(sink_close(scene->sink, &err), 0, "%s", error_text(&err));
    loop_free(scene->loop);
    record_end(&scene->record);
    free(scene->failure);
    for (size_t i = 0; i < COUNT_OF(disk); i++)
        close(disk[i].fd);
}

static struct event note(const char *kind, int step)
{
    return (
        struct event){.kind = EVENT_NOTE, .run = run_id, .step = step, .note = {.kind = kind, .at_ns = 1}};
}

Test(sink, each_receiver_hears_each_event_once_and_in_the_order_in_which_it_was_told)
{
    const struct subscriber *const rows[] = {&subscriber_journal, &subscriber_store, &listener};
    struct scene scene = begin(rows, COUNT_OF(rows));
    AUTO_ERROR err = ERROR_INIT;
    struct event event = rows_run(EVENT_RUN_BEGIN, run_id, 5);
    sink_commit(scene.sink, &event, on_answer, &scene);
    cr_expect_eq(scene.answers, 0, "never before it returns");
    cr_assert_eq(loop_run(scene.loop, &err), 0);
    cr_expect(scene.committed && scene.answers == 1);
    event = rows_step(EVENT_STEP_BEGIN, run_id, 1);
    sink_put(scene.sink, &event);
    for (int i = 1; i <= 3; i++) {
        event = note(i % 2 ? "odd" : "even", 1);
        sink_put(scene.sink, &event);
    }
    cr_assert_eq(sink_close(scene.sink, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(text_string(&heard[0]), "open event0 event1 odd1 even1 odd1 close ");
    cr_expect_eq(
        record_number(
            &scene.record,
            "SELECT group_concat(kind, ' ') = 'odd even odd' FROM (SELECT kind FROM event ORDER BY number)"),
        1);
    AUTO_FREE char *journal = hostile_path("run.ndjson");
    AUTO_TEXT lines = TEXT_INIT;
    cr_assert_eq(file_read(journal, 1 << 16, &lines, NULL), 0);
    size_t count = 0;
    for (const char *c = text_string(&lines); *c; c++)
        count += *c == '\n';
    cr_expect_eq(count, 5, "%s", text_string(&lines));
    loop_free(scene.loop);
    record_end(&scene.record);
}

Test(sink, one_that_loses_events_costs_the_others_nothing_and_they_are_told_of_it_once)
{
    const struct subscriber *const rows[] = {&loser, &shut, &listener};
    struct scene scene = begin(rows, COUNT_OF(rows));
    AUTO_ERROR err = ERROR_INIT;
    struct event event = note("first", 1);
    sink_commit(scene.sink, &event, on_answer, &scene);
    cr_assert_eq(loop_run(scene.loop, &err), 0);
    cr_expect(scene.committed, "the run goes on");
    event = note("second", 2);
    sink_put(scene.sink, &event);
    cr_expect_str_eq(text_string(&heard[0]), "open first1 warning1 warning1 second2 ");
    cr_expect_str_eq(text_string(&heard[1]), "first1 warning1 warning1 second2 ",
                     "it is given the next one all the same, and what could not be opened hears nothing");
    end(&scene);
    cr_expect(text_ends(text_string(&heard[0]), "close "));
}

Test(sink, what_is_lost_says_whose_it_is_and_why)
{
    const struct subscriber *const rows[] = {&loser, &subscriber_store};
    struct scene scene = begin(rows, COUNT_OF(rows));
    struct event event = rows_run(EVENT_RUN_BEGIN, run_id, 5);
    sink_put(scene.sink, &event);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sink_close(scene.sink, &err), 0, "%s", error_text(&err));
    cr_expect_eq(record_number(&scene.record,
                               "SELECT count(*) FROM event WHERE kind = 'warning' AND json_extract(detail, "
                               "'$.warning') = 'not-told'"
                               " AND json_extract(detail, '$.message') = 'loser: it drops what it is given'"),
                 1);
    loop_free(scene.loop);
    record_end(&scene.record);
}

Test(sink, without_one_that_is_needed_nothing_begins_and_the_others_are_closed)
{
    const struct subscriber *const rows[] = {&listener, &shut_and_needed, &listener};
    struct record record = record_start();
    const struct subscriber_place place = {record.path, hostile_folder()};
    struct loop *loop;
    struct sink *sink = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(loop_new(&loop, &err), 0);
    cr_expect_eq(sink_open(loop, &place, rows, COUNT_OF(rows), &sink, &err), -1);
    cr_expect(strstr(error_text(&err), "its door is shut") && !sink);
    cr_expect_str_eq(text_string(&heard[0]), "open close ");
    loop_free(loop);
    record_end(&record);
}

Test(sink, calls_that_are_null_are_not_wanted)
{
    const struct subscriber *const rows[] = {&deaf, &listener, &deaf};
    struct scene scene = begin(rows, COUNT_OF(rows));
    AUTO_ERROR err = ERROR_INIT;
    struct event event = note("only", 1);
    sink_commit(scene.sink, &event, on_answer, &scene);
    cr_expect_eq(scene.answers, 0, "never before it returns");
    cr_assert_eq(loop_run(scene.loop, &err), 0);
    sink_hurry(scene.sink);
    cr_expect(scene.committed, "nobody is waited for");
    cr_expect_str_eq(text_string(&heard[0]), "open only1 ");
    end(&scene);
}

static void on_late(void *context)
{
    (void)context;
    write_on(1, NULL);
}

Test(sink, each_that_commits_is_waited_for)
{
    const struct subscriber *const rows[] = {&disk_0, &disk_1, &deaf};
    struct scene scene = begin(rows, COUNT_OF(rows));
    AUTO_ERROR err = ERROR_INIT;
    struct event event = note("awaited", 1);
    struct timer *late = loop_timer(scene.loop, on_late, NULL);
    sink_commit(scene.sink, &event, on_answer, &scene);
    write_on(0, NULL);
    timer_arm(late, 100 * NS_PER_MS);
    cr_assert_eq(loop_run(scene.loop, &err), 0);
    cr_expect(scene.committed && scene.answers == 1);
    cr_expect_eq(disk[1].committed, 1, "the answer came before the second had it");
    timer_free(&late);
    end(&scene);
}

Test(sink, one_that_commits_and_fails_is_said_at_once)
{
    const struct subscriber *const rows[] = {&disk_0, &disk_1};
    struct scene scene = begin(rows, COUNT_OF(rows));
    AUTO_ERROR err = ERROR_INIT;
    struct event event = note("awaited", 1);
    int64_t began = moment_monotonic();
    sink_commit(scene.sink, &event, on_answer, &scene);
    write_on(0, NULL);
    write_on(1, "the disk is full");
    cr_assert_eq(loop_run(scene.loop, &err), 0);
    cr_expect(!scene.committed && text_is(scene.failure, "the disk is full"), "%s", scene.failure);
    free(scene.failure);
    scene.failure = NULL;
    sink_commit(scene.sink, &event, on_answer, &scene); /* it has nothing more to signal */
    cr_assert_eq(loop_run(scene.loop, &err), 0);
    cr_expect(!scene.committed && scene.answers == 2);
    cr_expect_lt(moment_monotonic() - began, 5 * NS_PER_S);
    end(&scene);
}
