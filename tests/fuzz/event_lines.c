/* Event lines: the bytes are a step's event file, which grows while it is followed, and the last lines of its
 * log. Every line goes the way that a step sends it: parsed, counted, made rows of, queued, written to a
 * store; then the attempt is judged. The first byte says where the file was cut when it was read first. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "event/line_event.h"
#include "fuzz/hold.h"
#include "process/follow.h"
#include "store/queue.h"
#include "store/schema.h"
#include "store/store.h"
#include "verdict/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { LINE_LIMIT = 8192, STATS_HOSTS = 8 };

static const char path[] = "events.ndjson", run[] = "01890a5d-ac96-774b-bcce-b302099a8057";

struct fed {
    struct tally tally;
    struct store_queue queue;
    int64_t handed_out;
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Closing an inotify instance takes the kernel milliseconds, and following works without one. */
int inotify_init1(int flags)
{
    (void)flags;
    errno = EMFILE;
    return -1;
}

static void hold_printable(const char *text, const char *what)
{
    if (!text)
        return;
    hold(text_is_utf8(text, strlen(text)), what);
    AUTO_TEXT same = TEXT_INIT;
    text_add_printable(&same, text, strlen(text));
    hold(text_is(text_string(&same), text), what);
}

/* What a module told is JSON of a size that fits a row, whatever it was. */
static void hold_note(const struct event *row)
{
    AUTO_JSON *detail = json_parse(row->note.detail, strlen(row->note.detail), NULL);
    hold(json_is_object(json_get(detail, "detail")), "what was told is an object with an object in it");
    hold_printable(json_get_string(detail, "subject", NULL), "the subject of what was told is printable");
    hold_printable(json_get_string(detail, "text", NULL), "the text of what was told is printable");
    hold(strlen(row->note.detail) <= 32768, "what was told is bounded");
}

static void hold_row(const struct event *row)
{
    if (row->kind == EVENT_NOTE) {
        hold_note(row);
        return;
    }
    const char *const task[] = {row->task.host, row->task.play,   row->task.role,   row->task.task,
                                row->task.path, row->task.action, row->task.message};
    const char *const lost[] = {row->unreachable.host, row->unreachable.task, row->unreachable.cause,
                                row->unreachable.message};
    const char *const *texts = row->kind == EVENT_TASK ? task : lost;
    for (size_t i = 0; i < (row->kind == EVENT_TASK ? COUNT_OF(task) : COUNT_OF(lost)); i++) {
        hold_printable(texts[i], "the text of a row is printable");
        hold(!texts[i] || strlen(texts[i]) <= 16384, "the text of a row is bounded");
    }
}

static void on_line(void *context, const char *bytes, size_t length, bool skipped)
{
    struct fed *fed = context;
    struct line line;
    AUTO_ERROR err = ERROR_INIT;
    fed->handed_out++;
    if (skipped || line_parse(bytes, length, &line, &err) < 0) {
        tally_bad_line(&fed->tally);
        return;
    }
    tally_line(&fed->tally, &line);
    struct event rows[2];
    int count = line_events(&line, run, 1, "direct", fed->handed_out, rows);
    AUTO_FREE char *log = xstrndup(bytes, length);
    for (int i = 0; i < count; i++) {
        if (rows[i].kind == EVENT_UNREACHABLE && line_event_is_vague(&rows[i]))
            line_event_explain(&rows[i], log);
        hold_row(&rows[i]);
        store_queue_put(&fed->queue, &rows[i], (uint64_t)fed->handed_out);
    }
    line_clear(&line);
}

static void write_to_file(const uint8_t *bytes, size_t size, int flags)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    hold(fd >= 0 && file_write_all(fd, (const char *)bytes, size) == 0, "the fuzzer can write");
}

static void follow_file(const uint8_t *bytes, size_t size, size_t cut, struct fed *fed)
{
    static struct loop *loop;
    struct follow *follow = NULL;
    if (!loop)
        hold(loop_new(&loop, NULL) == 0, "there is a loop");
    write_to_file(bytes, cut, O_TRUNC);
    hold(follow_start(loop, path, LINE_LIMIT, on_line, fed, &follow, NULL) == 0, "the file is followed");
    hold(follow_drain(follow, false, NULL) == 0, "what is there is read");
    write_to_file(bytes + cut, size - cut, O_APPEND);
    hold(follow_drain(follow, true, NULL) == 0, "what came is read");
    hold(follow_offset(follow) == (int64_t)size, "every byte was handed out");
    follow_stop(&follow);
}

/* A store in memory, with the run and the step that the rows belong to. */
static struct sql *new_store(void)
{
    struct sql *db = NULL;
    AUTO_FREE char *begun = xasprintf("%s; INSERT INTO run (number, id, kind, target, partial, fresh, "
                                      "started_ns) VALUES (1, '%s', 'create', 'host', 0, 0, 1);"
                                      "INSERT INTO step (number, run, seq, kind, name, attempt, started_ns, "
                                      "started_monotonic_ns, deadline_ns)"
                                      " VALUES (1, 1, 1, 'phase', 'work', 1, 1, 1, 1)",
                                      store_migration(0), run);
    hold(sql_open(":memory:", SQL_CREATE, 0, &db, NULL) == 0 && sql_run(db, begun, NULL) == 0,
         "there is a store");
    return db;
}

/* Whatever a line said, its rows can be written. */
static void store(struct store_queue *queue)
{
    static struct sql *db;
    struct store_appender *appender = NULL;
    size_t at = 0;
    AUTO_ERROR err = ERROR_INIT;
    if (!db)
        db = new_store();
    hold(store_appender_new(db, &appender, &err) == 0 && sql_begin(db, &err) == 0 &&
             store_appender_begin(appender, &err) == 0,
         "a transaction begins");
    for (struct store_block *block = queue->first; block; block = block->next, at = 0)
        for (struct store_record *record; (record = store_block_next(block, &at));)
            if (store_appender_put(appender, &record->event, &err) < 0)
                hold(false, error_text(&err));
    hold(store_appender_flush(appender, &err) == 0, error_text(&err));
    sql_rollback(db);
    store_appender_free(appender);
}

static void judge(const struct fed *fed, const char *log)
{
    const struct tally *tally = &fed->tally;
    const struct child_end end = {.exited = true, .code = 0};
    struct evidence evidence = {.end = &end, .tally = tally, .log_tail = log};
    struct verdict verdict = verdict_of_phase(&evidence);
    hold(tally->lines + tally->bad >= fed->handed_out, "each line counts");
    hold_printable(verdict.message, "the message is printable");
    hold_printable(verdict.seen, "what was seen is printable");
    if (verdict.outcome == OUTCOME_OK)
        hold(tally->end && !tally->gap && !tally->bad && !tally_lost_hosts(tally) && tally->matched > 0 &&
                 tally->stats_failures <= 0 && tally->end_count == fed->handed_out - 1,
             "an attempt is ok only when its record is whole and says so");
    AUTO_JSON *owed = tally_owed(tally, false);
    AUTO_FREE char *owed_text = owed ? json_compact(owed) : NULL;
    AUTO_JSON *read_back = owed ? json_parse(owed_text, strlen(owed_text), NULL) : NULL;
    hold(!owed || json_count(read_back) == json_count(owed), "what is owed can be read back");
    struct tally next = TALLY_INIT;
    tally_owe(&next, read_back);
    tally_clear(&next);
    verdict_clear(&verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (!size)
        return 0;
    struct fed fed = {.tally = TALLY_INIT};
    size_t rest = size - 1, cut = rest * bytes[0] / 255;
    follow_file(bytes + 1, rest, cut, &fed);
    AUTO_FREE char *log = xstrndup((const char *)bytes + 1 + cut, rest - cut);
    judge(&fed, log);
    if (fed.queue.first)
        store(&fed.queue);
    store_queue_clear(&fed.queue);
    tally_clear(&fed.tally);
    return 0;
}
