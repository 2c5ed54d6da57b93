#include "view/live.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "format/json.h"
#include "process/follow.h"
#include "redact/sealed.h"
#include "run/recovery.h"
#include "view/live_end.h"
#include "view/live_estimate.h"
#include "view/live_screen.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_LIMIT = 1 << 20 };

struct view {
    struct live *live;
    char *target, *run, *state, *folder;
    struct follow *journal, *log, *events;
    struct live_line line;
    struct json *begun;           /* the journal's line of the step that goes on. NULL: none does */
    bool catching_up;             /* reads what has been before it was joined */
    int64_t log_before;           /* bytes of the step's log that had been written then */
    pid_t worker;                 /* 0: not known */
    struct redact_sealed *sealed; /* what the worker knows for this step. NULL: nothing to ask */
    struct redact_rules *rules;   /* what is known as secret so far */
    struct redact *shown;         /* the log on its way to stderr; NULL: it is not shown */
    struct text decided;          /* of it, that is no whole line yet */
    char *last_events;
    char *blamed_log;        /* of the step that broke: what explains the run's end. NULL: none did */
    char *last_log;          /* of the step that ended last, relative to the state folder */
    bool was_healthy;        /* the host, at least once */
    bool asked_to_end;       /* from here */
    char *outcome, *message; /* of the run, at its end */
    int64_t duration_ns;
};

struct live {
    struct loop *loop;
    struct live_screen *screen;
    bool several;
    struct view **views;
    size_t count;
};

static void on_event(void *context, const char *bytes, size_t length, bool skipped)
{
    struct view *view = context;
    struct line line;
    if (skipped || line_parse(bytes, length, &line, NULL) < 0)
        return;
    tally_line(&view->line.tally, &line);
    if (view->line.estimate)
        estimate_line(view->line.estimate, &line, view->line.started_monotonic, moment_monotonic());
    line_clear(&line);
    live_screen_changed(view->live->screen);
}

static void show_line(const struct view *view, const char *line, size_t length)
{
    AUTO_TEXT out = TEXT_INIT;
    if (view->live->several)
        text_addf(&out, "%s | ", view->target);
    text_add_printable(&out, line, length);
    text_add_char(&out, '\n');
    file_write_all(STDERR_FILENO, text_string(&out), out.length);
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
    if (!view->line.is_phase && length > strlen(LIVE_STAGE_WORDS) &&
        memcmp(bytes, LIVE_STAGE_WORDS, strlen(LIVE_STAGE_WORDS)) == 0)
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
    if (skipped || live_is_blank(bytes, length))
        return;
    free(view->line.said);
    view->line.said = xstrndup(bytes, length);
    live_screen_changed(view->live->screen);
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
    tally_clear(&view->line.tally);
    estimate_free(TAKE(view->line.estimate));
    json_free(TAKE(view->begun));
    free(TAKE(view->line.step));
    free(TAKE(view->line.said));
}

static void follow_step(struct view *view)
{
    struct live *live = view->live;
    bool events = live_screen_is_terminal(live->screen) && view->line.is_phase;
    const char *shown = events ? view->last_events : view->last_log;
    AUTO_FREE char *path = shown ? layout_stored(view->state, shown) : NULL;
    if (live_screen_is_terminal(live->screen))
        view->line.estimate = live_estimate(view->state, view->run, view->begun);
    if (path && events)
        follow_start(live->loop, path, LINE_LIMIT, on_event, view, &view->events, NULL);
    else if (path) {
        view->shown = live_screen_is_terminal(live->screen) ? NULL : redact_new_live(view->rules);
        follow_start(live->loop, path, LINE_LIMIT,
                     live_screen_is_terminal(live->screen) ? on_stage_log : on_log, view, &view->log, NULL);
    }
}

static void learn_secrets(struct view *view)
{
    if (!view->line.is_phase || !view->worker)
        return;
    redact_sealed_free(view->sealed);
    view->sealed = redact_sealed_of(view->worker);
    redact_sealed_learn(view->sealed, view->rules);
}

static void on_step_begin(struct view *view, struct json *line)
{
    end_step(view);
    view->begun = json_keep(line);
    struct live *live = view->live;
    view->line.step = xstrdup(json_get_string(line, "name", "?"));
    view->line.attempt = (int)json_get_integer(line, "attempt", 1);
    view->line.is_phase = text_is(json_get_string(line, "step_kind", ""), "phase");
    learn_secrets(view);
    view->line.started_monotonic = json_get_integer(line, "started_monotonic_ns", moment_monotonic());
    view->line.deadline_ns = json_get_integer(line, "deadline_ns", 0);
    const char *log = json_get_string(line, "log", NULL), *events = json_get_string(line, "events", NULL);
    free(view->last_log);
    free(view->last_events);
    view->last_log = xstrdup_or_null(log);
    view->last_events = xstrdup_or_null(events);
    view->log_before = 0;
    if (view->catching_up)
        return;
    follow_step(view);
    if (!live_screen_is_terminal(live->screen)) {
        const char *transport = json_get_string(line, "transport", NULL);
        AUTO_FREE char *said = xasprintf("--- %s: %s%s%s%s", view->target, view->line.step,
                                         view->line.attempt > 1 ? ", again" : "", transport ? " over " : "",
                                         transport ? transport : "");
        live_screen_say(live->screen, said);
    }
    live_screen_changed(live->screen);
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
    text_addf(&out, "%-12s %-12s %s%-12s%s %8s", view->target, name,
              live_screen_colour(live->screen, outcome), outcome, live_screen_plain(live->screen), took);
    if (text_is(json_get_string(line, "step_kind", ""), "phase"))
        live_add_counts(&out, json_get_integer(line, "ok", 0), json_get_integer(line, "changed", 0),
                        json_get_integer(line, "failed", 0), json_get_integer(line, "unreachable", 0));
    int64_t attempt = json_get_integer(line, "attempt", 1);
    if (attempt > 1)
        text_addf(&out, "  attempt %lld", (long long)attempt);
    live_screen_say(live->screen, text_string(&out));
    const char *warning = json_get_string(line, "cause", NULL);
    if (text_is(outcome, "ok") && warning) {
        const char *message = json_get_string(line, "message", "");
        text_truncate(&out, 0);
        text_addf(&out, "%-12s warning: %s: ", view->target, warning);
        text_add_printable(&out, message, strlen(message));
        live_screen_say(live->screen, text_string(&out));
    }
}

/* It changed: a line that stays, and a word in the one that is drawn. */
static void on_health(struct view *view, const struct json *detail)
{
    AUTO_TEXT words = TEXT_INIT;
    bool healthy = json_get_bool(detail, "healthy");
    view->was_healthy |= healthy;
    text_add(&words, healthy ? "healthy" : view->was_healthy ? "unhealthy (" : "not healthy yet (");
    const char *cause = json_get_string(detail, "cause", "?");
    if (!healthy) {
        text_add_printable(&words, cause, strlen(cause));
        text_add(&words, ")");
    }
    AUTO_FREE char *clock = moment_clock(moment_wall());
    free(view->line.health);
    view->line.health = xasprintf("%s since %s", text_string(&words), clock);
    if (view->catching_up)
        return;
    AUTO_FREE char *said = xasprintf("%s: %s", view->target, text_string(&words));
    live_screen_say(view->live->screen, said);
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
    } else if (text_is(event, "note") && text_is(json_get_string(line, "kind", ""), "health")) {
        on_health(view, json_get(line, "detail"));
    } else if (text_is(event, "unreachable")) {
        AUTO_TEXT said = TEXT_INIT;
        text_addf(&said, "%-12s UNREACHABLE (%s)%s: ", view->target, json_get_string(line, "cause", "other"),
                  json_get_bool(line, "ignored") ? ", ignored" : "");
        const char *message = json_get_string(line, "message", "");
        text_add_printable_lines(&said, message, "\n    ");
        live_screen_say(view->live->screen, text_string(&said));
    }
}

static void conclude(const struct view *view, bool crashed, const char *why)
{
    const struct live_screen *screen = view->live->screen;
    const char *log = view->outcome && view->blamed_log ? view->blamed_log : view->last_log;
    AUTO_FREE char *path = log ? layout_stored(view->state, log) : NULL;
    const struct live_end end = {.target = view->line.target,
                                 .run = view->run,
                                 .state = view->state,
                                 .folder = view->folder,
                                 .outcome = view->outcome,
                                 .message = view->message,
                                 .why = why,
                                 .log = path,
                                 .rules = view->rules,
                                 .rules_whole = view->worker != 0,
                                 .duration_ns = view->duration_ns,
                                 .colour = live_screen_colour(screen, view->outcome),
                                 .plain = live_screen_plain(screen)};
    AUTO_TEXT out = TEXT_INIT;
    live_end_add(&out, &end, crashed);
    live_screen_say(view->live->screen, text_string(&out));
}

struct live *live_new(struct loop *loop, bool terminal, bool plain, bool several)
{
    struct live *live = xcalloc(1, sizeof *live);
    live->loop = loop;
    live->several = several;
    live->screen = live_screen_new(loop, terminal, plain);
    return live;
}

static void view_free(struct view *view)
{
    end_step(view);
    follow_stop(&view->journal);
    redact_rules_free(view->rules);
    text_clear(&view->decided);
    char *const texts[] = {view->target,     view->run,        view->state,   view->folder,
                           view->last_log,   view->outcome,    view->message, view->last_events,
                           view->blamed_log, view->line.health};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    free(view);
}

int live_add(struct live *live, const char *state, const char *target, const char *run, struct error *err)
{
    struct view *view = xcalloc(1, sizeof *view);
    view->live = live;
    view->target = xstrdup(target);
    view->line.target = view->target;
    view->run = xstrdup(run);
    view->state = xstrdup(state);
    view->folder = layout_run(state, run);
    view->rules = redact_rules_new();
    view->line.tally = (struct tally)TALLY_INIT;
    AUTO_FREE char *journal = file_join(view->folder, "run.ndjson");
    if (follow_start(live->loop, journal, LINE_LIMIT, on_journal, view, &view->journal, err) < 0) {
        view_free(view);
        return -1;
    }
    live->views = xreallocarray(live->views, live->count + 1, sizeof(struct view *));
    live->views[live->count++] = view;
    live_screen_add(live->screen, &view->line);
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
    if (!view->line.step)
        return;
    AUTO_FREE char *path = view->last_log ? layout_stored(view->state, view->last_log) : NULL;
    struct stat log;
    view->log_before = path && stat(path, &log) == 0 ? (int64_t)log.st_size : 0;
    if (!live_screen_is_terminal(live->screen)) {
        AUTO_FREE char *took = duration_show(moment_monotonic() - view->line.started_monotonic);
        AUTO_FREE char *said = xasprintf("--- %s: %s%s, under way for %s", view->target, view->line.step,
                                         view->line.attempt > 1 ? ", again" : "", took);
        live_screen_say(live->screen, said);
    }
    follow_step(view);
    live_screen_changed(live->screen);
}

int live_join(struct live *live, const char *state, const char *target, const char *run, struct error *err)
{
    if (live_add(live, state, target, run, err) < 0)
        return -1;
    catch_up(live->views[live->count - 1]);
    return 0;
}

void live_ending(struct live *live, const char *run)
{
    for (size_t i = 0; live && i < live->count; i++) {
        struct view *view = live->views[i];
        if (!text_is(view->run, run) || view->line.done)
            continue;
        AUTO_FREE char *said =
            xasprintf("%s: run %s is %s", view->target, id_shown(run),
                      view->asked_to_end ? "ended at once" : "asked to end; once more ends it at once");
        view->asked_to_end = true;
        live_screen_say(live->screen, said);
    }
}

void live_done(struct live *live, const char *run, bool crashed, const char *why)
{
    for (size_t i = 0; i < live->count; i++) {
        struct view *view = live->views[i];
        if (!text_is(view->run, run) || view->line.done)
            continue;
        follow_drain(view->journal, true, NULL);
        end_step(view);
        view->line.done = true;
        live_screen_changed(live->screen);
        conclude(view, crashed, why);
    }
}

void live_free(struct live *live)
{
    if (!live)
        return;
    for (size_t i = 0; i < live->count; i++)
        view_free(live->views[i]);
    live_screen_free(live->screen);
    free(live->views);
    free(live);
}
