#include "view/live.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "event/tally.h"
#include "format/json.h"
#include "process/follow.h"
#include "redact/sealed.h"
#include "run/recovery.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

enum { LINE_LIMIT = 1 << 20, REDRAW_MS = 100, TICK_MS = 1000, TAIL_LINES = 20, TAIL_BYTES = 32768 };

/* How triphase begins what it says of a failure, also in a stage's log. */
#define STAGE_WORDS "triphase: "

struct view {
    struct live *live;
    char *target, *run, *state, *folder;
    struct follow *journal, *log, *events;
    char *step; /* NULL between steps */
    int attempt;
    bool is_phase;
    bool catching_up;   /* reads what has been before it was joined */
    int64_t log_before; /* bytes of the step's log that had been written then */
    int64_t started_monotonic, deadline_ns;
    pid_t worker;                 /* 0: not known */
    struct redact_sealed *sealed; /* what the worker knows for this step. NULL: nothing to ask */
    struct redact_rules *rules;   /* what is known as secret so far */
    struct redact *shown;         /* the log on its way to stderr; NULL: it is not shown */
    struct text decided;          /* of it, that is no whole line yet */
    struct tally tally;
    char *said; /* by a stage, last: for the line on a terminal. NULL: nothing */
    char *last_events;
    char *blamed_log;        /* of the step that broke: what explains the run's end. NULL: none did */
    char *last_log;          /* of the step that ended last, relative to the state folder */
    char *outcome, *message; /* of the run, at its end */
    int64_t duration_ns;
    bool done;
};

struct live {
    struct loop *loop;
    bool terminal, colour, several;
    struct view **views;
    size_t count;
    int drawn; /* lines on the screen that will be drawn again */
    struct timer *redraw, *tick;
    bool redraw_armed;
};

/* Drawing. */

static int width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/* Cuts to what fits into `columns` on a terminal. */
static void cut(struct text *line, int columns)
{
    mbstate_t state = {0};
    size_t at = 0;
    while (at < line->length) {
        wchar_t c;
        size_t step = mbrtowc(&c, line->bytes + at, line->length - at, &state);
        if (step == (size_t)-1 || step == (size_t)-2 || step == 0) {
            step = 1;
            state = (mbstate_t){0};
            columns--;
        } else {
            int cells = wcwidth(c);
            columns -= cells > 0 ? cells : 0;
        }
        if (columns < 0)
            break;
        at += step;
    }
    text_truncate(line, at);
}

/* What went wrong is named where there is any. */
static void add_counts(struct text *line, int64_t ok, int64_t changes, int64_t failed, int64_t unreachable)
{
    text_addf(line, "  ok=%lld changed=%lld", (long long)ok, (long long)changes);
    if (failed)
        text_addf(line, " failed=%lld", (long long)failed);
    if (unreachable)
        text_addf(line, " unreachable=%lld", (long long)unreachable);
}

static void add_view(struct text *screen, const struct view *view, int columns)
{
    AUTO_TEXT line = TEXT_INIT;
    text_addf(&line, "%-12s ", view->target);
    if (view->step) {
        int64_t elapsed = moment_monotonic() - view->started_monotonic;
        AUTO_FREE char *seconds = duration_text(elapsed - elapsed % NS_PER_S);
        AUTO_FREE char *deadline = duration_text(view->deadline_ns);
        text_addf(&line, "%-12s %s of %s", view->step, seconds, deadline);
        if (view->attempt > 1)
            text_addf(&line, ", attempt %d", view->attempt);
        const struct tally *tally = &view->tally;
        if (view->is_phase)
            add_counts(&line, tally->ok, tally->changed, tally->failed, tally->unreachable);
        const char *doing = view->is_phase ? tally->task : view->said;
        if (doing) {
            text_add(&line, "  ");
            text_add_printable(&line, doing, strlen(doing));
        }
    } else {
        text_add(&line, "between two steps");
    }
    cut(&line, columns - 1);
    text_add_bytes(screen, text_string(&line), line.length);
    text_add(screen, "\x1b[K\n");
}

static void erase(struct live *live, struct text *screen)
{
    if (live->drawn)
        text_addf(screen, "\x1b[%dA", live->drawn);
    text_add(screen, "\x1b[J");
    live->drawn = 0;
}

static void draw(struct live *live, struct text *screen)
{
    int columns = width();
    for (size_t i = 0; i < live->count; i++) {
        if (live->views[i]->done)
            continue;
        add_view(screen, live->views[i], columns);
        live->drawn++;
    }
}

static void put(const struct text *text)
{
    file_write_all(STDERR_FILENO, text_string(text), text->length);
}

/* A line that stays. */
static void say(struct live *live, const char *line)
{
    AUTO_TEXT screen = TEXT_INIT;
    if (live->terminal)
        erase(live, &screen);
    text_addf(&screen, "%s\n", line);
    if (live->terminal)
        draw(live, &screen);
    put(&screen);
}

static void on_redraw(void *context)
{
    struct live *live = context;
    live->redraw_armed = false;
    AUTO_TEXT screen = TEXT_INIT;
    erase(live, &screen);
    draw(live, &screen);
    put(&screen);
}

static void changed(struct live *live)
{
    if (live->terminal && !live->redraw_armed) {
        live->redraw_armed = true;
        timer_arm(live->redraw, REDRAW_MS * NS_PER_MS);
    }
}

static void on_tick(void *context)
{
    struct live *live = context;
    changed(live);
    timer_arm(live->tick, TICK_MS * NS_PER_MS);
}

/* Reading. */

static bool is_blank(const char *line, size_t length)
{
    return strspn(line, " \t\r") >= length;
}

static void on_event(void *context, const char *bytes, size_t length, bool skipped)
{
    struct view *view = context;
    struct line line;
    if (skipped || line_parse(bytes, length, &line, NULL) < 0)
        return;
    tally_line(&view->tally, &line);
    line_free(&line);
    changed(view->live);
}

static void show_line(const struct view *view, const char *line, size_t length)
{
    AUTO_TEXT out = TEXT_INIT;
    if (view->live->several)
        text_addf(&out, "%s | ", view->target);
    text_add_printable(&out, line, length);
    text_add_char(&out, '\n');
    put(&out);
}

/* Whole lines of what may be shown; the rest too when it is the `last`. */
static void show_decided(struct view *view, bool last)
{
    struct text *decided = &view->decided;
    size_t at = 0;
    for (const char *end;
         at < decided->length && (end = memchr(decided->bytes + at, '\n', decided->length - at));
         at = (size_t)(end - decided->bytes) + 1)
        show_line(view, decided->bytes + at, (size_t)(end - decided->bytes) - at);
    if (last && at < decided->length) {
        show_line(view, decided->bytes + at, decided->length - at);
        at = decided->length;
    }
    text_drop_front(decided, at);
}

static void on_log(void *context, const char *bytes, size_t length, bool skipped)
{
    struct view *view = context;
    if (follow_offset(view->log) <= view->log_before)
        return;
    /* A stage's own last words are the message that explains its end. */
    if (!view->is_phase && length > strlen(STAGE_WORDS) &&
        memcmp(bytes, STAGE_WORDS, strlen(STAGE_WORDS)) == 0)
        return;
    /* What came to be known stands in its place before the process of the phase tells anything of it. */
    redact_sealed_learn(view->sealed, view->rules);
    redact_add(view->shown, bytes, length, &view->decided);
    redact_add(view->shown, skipped ? " ...\n" : "\n", skipped ? 5 : 1, &view->decided);
    show_decided(view, false);
}

/* On a terminal the line says what a stage is at; a phase's events say it better than its log. */
static void on_stage_log(void *context, const char *bytes, size_t length, bool skipped)
{
    struct view *view = context;
    if (skipped || is_blank(bytes, length))
        return;
    free(view->said);
    view->said = xstrndup(bytes, length);
    changed(view->live);
}

static void end_step(struct view *view)
{
    if (view->log)
        follow_drain(view->log, true, NULL);
    if (view->shown) {
        redact_end(view->shown, &view->decided);
        show_decided(view, true);
    }
    redact_free(TAKE(view->shown));
    redact_sealed_learn(view->sealed, view->rules);
    redact_sealed_free(TAKE(view->sealed));
    follow_stop(&view->log);
    follow_stop(&view->events);
    tally_free(&view->tally);
    free(TAKE(view->step));
    free(TAKE(view->said));
}

static void follow_step(struct view *view)
{
    struct live *live = view->live;
    bool events = live->terminal && view->is_phase;
    const char *shown = events ? view->last_events : view->last_log;
    AUTO_FREE char *path = shown ? layout_stored(view->state, shown) : NULL;
    if (path && events)
        follow_start(live->loop, path, LINE_LIMIT, on_event, view, &view->events, NULL);
    else if (path) {
        view->shown = live->terminal ? NULL : redact_new_live(view->rules);
        follow_start(live->loop, path, LINE_LIMIT, live->terminal ? on_stage_log : on_log, view, &view->log,
                     NULL);
    }
}

static void learn_secrets(struct view *view)
{
    if (!view->is_phase || !view->worker)
        return;
    redact_sealed_free(view->sealed);
    view->sealed = redact_sealed_of(view->worker);
    redact_sealed_learn(view->sealed, view->rules);
}

static void on_step_begin(struct view *view, const struct json *line)
{
    end_step(view);
    struct live *live = view->live;
    view->step = xstrdup(json_get_string(line, "name", "?"));
    view->attempt = (int)json_get_integer(line, "attempt", 1);
    view->is_phase = text_is(json_get_string(line, "step_kind", ""), "phase");
    learn_secrets(view);
    view->started_monotonic = json_get_integer(line, "started_monotonic_ns", moment_monotonic());
    view->deadline_ns = json_get_integer(line, "deadline_ns", 0);
    const char *log = json_get_string(line, "log", NULL), *events = json_get_string(line, "events", NULL);
    free(view->last_log);
    free(view->last_events);
    view->last_log = xstrdup_or_null(log);
    view->last_events = xstrdup_or_null(events);
    view->log_before = 0;
    if (view->catching_up)
        return;
    follow_step(view);
    if (!live->terminal) {
        const char *transport = json_get_string(line, "transport", NULL);
        AUTO_FREE char *said =
            xasprintf("--- %s: %s%s%s%s", view->target, view->step, view->attempt > 1 ? ", again" : "",
                      transport ? " over " : "", transport ? transport : "");
        say(live, said);
    }
    changed(live);
}

static const char *colour_of(const struct live *live, const char *outcome)
{
    if (!live->colour)
        return "";
    return text_is(outcome, "ok") ? "\x1b[32m" : text_is(outcome, "skipped") ? "\x1b[2m" : "\x1b[31m";
}

static void on_step_end(struct view *view, const struct json *line)
{
    struct live *live = view->live;
    AUTO_FREE char *name = xstrdup(json_get_string(line, "name", "?"));
    end_step(view);
    AUTO_FREE char *took = duration_show(json_get_integer(line, "duration_ns", 0));
    const char *outcome = json_get_string(line, "outcome", "?");
    bool fine = text_is(outcome, "ok") || text_is(outcome, "skipped"), looks = recovery_is_look(name);
    /* A look at the host behind it explains nothing. */
    if (!fine && !(looks && view->blamed_log)) {
        free(view->blamed_log);
        view->blamed_log = xstrdup_or_null(view->last_log);
    }
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%-12s %-12s %s%-12s%s %8s", view->target, name, colour_of(live, outcome), outcome,
              live->colour ? "\x1b[0m" : "", took);
    if (text_is(json_get_string(line, "step_kind", ""), "phase"))
        add_counts(&out, json_get_integer(line, "ok", 0), json_get_integer(line, "changed", 0),
                   json_get_integer(line, "failed", 0), json_get_integer(line, "unreachable", 0));
    int64_t attempt = json_get_integer(line, "attempt", 1);
    if (attempt > 1)
        text_addf(&out, "  attempt %lld", (long long)attempt);
    say(live, text_string(&out));
    const char *warning = json_get_string(line, "cause", NULL);
    if (text_is(outcome, "ok") && warning) {
        const char *message = json_get_string(line, "message", "");
        text_truncate(&out, 0);
        text_addf(&out, "%-12s warning: %s: ", view->target, warning);
        text_add_printable(&out, message, strlen(message));
        say(live, text_string(&out));
    }
}

static void on_journal(void *context, const char *bytes, size_t length, bool skipped)
{
    struct view *view = context;
    AUTO_JSON *line = skipped ? NULL : json_parse(bytes, length, NULL);
    const char *event = json_get_string(line, "event", "");
    if (text_is(event, "step_begin")) {
        on_step_begin(view, line);
    } else if (text_is(event, "step_end")) {
        on_step_end(view, line);
    } else if (text_is(event, "run_end")) {
        free(view->outcome);
        free(view->message);
        view->outcome = xstrdup(json_get_string(line, "outcome", "?"));
        view->duration_ns = json_get_integer(line, "duration_ns", 0);
        view->message = xstrdup_or_null(json_get_string(line, "message", NULL));
    } else if (text_is(event, "unreachable")) {
        AUTO_TEXT said = TEXT_INIT;
        text_addf(&said, "%-12s UNREACHABLE (%s)%s: ", view->target, json_get_string(line, "cause", "other"),
                  json_get_bool(line, "ignored") ? ", ignored" : "");
        const char *message = json_get_string(line, "message", "");
        text_add_printable_lines(&said, message, "\n    ");
        say(view->live, text_string(&said));
    }
}

/* The last lines of a log that say something, indented; but for `message`, which was said. */
static void add_tail(struct text *out, const struct view *view, const char *path, const char *message)
{
    AUTO_TEXT bytes = TEXT_INIT;
    int read = view->worker ? redact_tail(view->rules, path, TAIL_BYTES, &bytes, NULL)
                            : redact_tail_unknown(view->rules, path, TAIL_BYTES, &bytes, NULL);
    if (read < 0 || !bytes.length)
        return;
    const char *start = bytes.bytes + bytes.length;
    for (int lines = 0; start > bytes.bytes && lines < TAIL_LINES;) {
        const char *end = start[-1] == '\n' ? start - 1 : start;
        const char *before = memrchr(bytes.bytes, '\n', (size_t)(end - bytes.bytes));
        start = before ? before + 1 : bytes.bytes;
        lines += !is_blank(start, (size_t)(end - start));
    }
    while (*start) {
        size_t length = strcspn(start, "\n");
        size_t skip = text_starts(start, STAGE_WORDS) ? strlen(STAGE_WORDS) : 0;
        bool was_said =
            skip && message && memmem(message, strlen(message), start + skip, length - skip) != NULL;
        if (!is_blank(start, length) && !was_said) {
            text_add(out, "    ");
            text_add_printable(out, start, length);
            text_add_char(out, '\n');
        }
        start += length + (start[length] == '\n');
    }
}

/* What stays on the screen of a run that went well. */
static void conclude(struct view *view)
{
    AUTO_FREE char *took = duration_show(view->duration_ns);
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%-12s run %s %s%s%s in %s", view->target, id_shown(view->run),
              colour_of(view->live, view->outcome), view->outcome, view->live->colour ? "\x1b[0m" : "", took);
    say(view->live, text_string(&out));
}

static void explain(struct view *view, bool crashed, const char *why)
{
    AUTO_TEXT out = TEXT_INIT;
    bool fine = !crashed && (text_is(view->outcome, "ok") || text_is(view->outcome, "skipped"));
    if (fine) {
        conclude(view);
        return;
    }
    text_addf(&out, "\n%s: run %s ended as %s", view->target, id_shown(view->run),
              view->outcome ? view->outcome : "crashed");
    const char *message = view->message ? view->message : why;
    if (message) {
        text_add(&out, ": ");
        text_add_printable_lines(&out, message, "\n    ");
    } else if (!view->outcome) {
        text_addf(&out, ": its worker died without a word; see %s/worker.log", view->folder);
    }
    text_add_char(&out, '\n');
    const char *log = view->outcome && view->blamed_log ? view->blamed_log : view->last_log;
    if (log) {
        AUTO_FREE char *path = layout_stored(view->state, log);
        add_tail(&out, view, path, message);
        text_addf(&out, "  the whole log: %s\n", path);
    }
    say(view->live, text_string(&out));
}

struct live *live_new(struct loop *loop, bool terminal, bool plain, bool several)
{
    struct live *live = xcalloc(1, sizeof *live);
    live->loop = loop;
    live->terminal = terminal;
    live->colour = terminal && !plain;
    live->several = several;
    live->redraw = loop_timer(loop, on_redraw, live);
    live->tick = loop_timer(loop, on_tick, live);
    if (terminal)
        timer_arm(live->tick, TICK_MS * NS_PER_MS);
    return live;
}

static void view_free(struct view *view)
{
    end_step(view);
    follow_stop(&view->journal);
    redact_rules_free(view->rules);
    text_free(&view->decided);
    char *const texts[] = {view->target,  view->run,     view->state,       view->folder,    view->last_log,
                           view->outcome, view->message, view->last_events, view->blamed_log};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    free(view);
}

int live_add(struct live *live, const char *state, const char *target, const char *run, struct error *err)
{
    struct view *view = xcalloc(1, sizeof *view);
    view->live = live;
    view->target = xstrdup(target);
    view->run = xstrdup(run);
    view->state = xstrdup(state);
    view->folder = layout_run(state, run);
    view->rules = redact_rules_new();
    view->tally = (struct tally)TALLY_INIT;
    AUTO_FREE char *journal = file_join(view->folder, "run.ndjson");
    if (follow_start(live->loop, journal, LINE_LIMIT, on_journal, view, &view->journal, err) < 0) {
        view_free(view);
        return -1;
    }
    live->views = xreallocarray(live->views, live->count + 1, sizeof(struct view *));
    live->views[live->count++] = view;
    return 0;
}

void live_worker(struct live *live, const char *run, pid_t pid)
{
    for (size_t i = 0; i < live->count; i++)
        if (text_is(live->views[i]->run, run)) {
            live->views[i]->worker = pid;
            learn_secrets(live->views[i]);
        }
}

struct redact_rules *live_rules(struct live *live, const char *run)
{
    for (size_t i = 0; i < live->count; i++)
        if (text_is(live->views[i]->run, run))
            return live->views[i]->rules;
    return NULL;
}

/* The step that was under way when the view joined. */
static void catch_up(struct view *view)
{
    struct live *live = view->live;
    view->catching_up = true;
    follow_drain(view->journal, false, NULL);
    view->catching_up = false;
    if (!view->step)
        return;
    AUTO_FREE char *path = view->last_log ? layout_stored(view->state, view->last_log) : NULL;
    struct stat log;
    view->log_before = path && stat(path, &log) == 0 ? (int64_t)log.st_size : 0;
    if (!live->terminal) {
        AUTO_FREE char *took = duration_show(moment_monotonic() - view->started_monotonic);
        AUTO_FREE char *said = xasprintf("--- %s: %s%s, under way for %s", view->target, view->step,
                                         view->attempt > 1 ? ", again" : "", took);
        say(live, said);
    }
    follow_step(view);
    changed(live);
}

int live_join(struct live *live, const char *state, const char *target, const char *run, struct error *err)
{
    if (live_add(live, state, target, run, err) < 0)
        return -1;
    catch_up(live->views[live->count - 1]);
    return 0;
}

void live_done(struct live *live, const char *run, bool crashed, const char *why)
{
    for (size_t i = 0; i < live->count; i++) {
        struct view *view = live->views[i];
        if (!text_is(view->run, run) || view->done)
            continue;
        follow_drain(view->journal, true, NULL);
        end_step(view);
        view->done = true;
        changed(live);
        explain(view, crashed, why);
    }
}

void live_free(struct live *live)
{
    if (!live)
        return;
    if (live->terminal) {
        AUTO_TEXT screen = TEXT_INIT;
        erase(live, &screen);
        put(&screen);
    }
    for (size_t i = 0; i < live->count; i++)
        view_free(live->views[i]);
    timer_free(&live->redraw);
    timer_free(&live->tick);
    free(live->views);
    free(live);
}
