#include "view/live_screen.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "view/estimate_view.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

enum { REDRAW_MS = 100, TICK_MS = 1000 };

struct live_screen {
    bool terminal, colour;
    const struct live_line **lines;
    size_t count;
    int drawn; /* lines that will be drawn again */
    struct timer *redraw, *tick;
    bool redraw_armed;
};

static int width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

/* How many bytes of it fit into `columns` on a terminal. */
static size_t fitting(const struct text *line, int columns)
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
    return at;
}

void live_add_counts(struct text *line, int64_t ok, int64_t changes, int64_t failed, int64_t unreachable)
{
    text_addf(line, "  ok=%lld changed=%lld", (long long)ok, (long long)changes);
    if (failed)
        text_addf(line, " failed=%lld", (long long)failed);
    if (unreachable)
        text_addf(line, " unreachable=%lld", (long long)unreachable);
}

/* What is left out for want of room goes from the first to the last. */
static const struct form {
    enum estimate_detail detail;
    bool deadline;
    int padding;
} forms[] = {{ESTIMATE_RANGE, true, 12}, {ESTIMATE_USUAL, true, 12},  {ESTIMATE_BEHIND, true, 12},
             {ESTIMATE_SHORT, true, 12}, {ESTIMATE_SHORT, false, 12}, {ESTIMATE_SHORT, false, 0}};

/* Which step, how far it is, and what became of its tasks. */
static void add_step(struct text *line, const struct live_line *it, int64_t elapsed,
                     const struct estimate_figures *figures, const struct form *form)
{
    const struct tally *tally = &it->tally;
    AUTO_FREE char *seconds = duration_text(elapsed - elapsed % NS_PER_S);
    AUTO_FREE char *deadline = duration_text(it->deadline_ns);
    AUTO_FREE char *words = estimate_view_words(figures, form->detail);
    text_addf(line, "%-*s %-*s %s", form->padding, it->target, form->padding, it->step, seconds);
    if (form->deadline)
        text_addf(line, " of %s", deadline);
    if (it->attempt > 1)
        text_addf(line, ", attempt %d", it->attempt);
    if (words)
        text_addf(line, ", %s", words);
    if (it->is_phase)
        live_add_counts(line, tally->ok, tally->changed, tally->failed, tally->unreachable);
    if (it->health)
        text_addf(line, "  %s", it->health);
}

static void add_line(struct text *out, const struct live_line *it, int columns)
{
    enum { TASK_COLUMNS = 24 }; /* left for what it is at */
    AUTO_TEXT line = TEXT_INIT;
    const char *doing = it->is_phase ? it->tally.task : it->said;
    if (it->step) {
        int64_t elapsed = moment_monotonic() - it->started_monotonic;
        struct estimate_figures figures;
        estimate_look(it->estimate, elapsed, &figures);
        for (size_t i = 0; i < COUNT_OF(forms); i++) {
            text_truncate(&line, 0);
            add_step(&line, it, elapsed, &figures, &forms[i]);
            if (!it->estimate || fitting(&line, columns - 1 - TASK_COLUMNS) == line.length)
                break;
        }
        if (doing) {
            text_add(&line, "  ");
            text_add_printable(&line, doing, strlen(doing));
        }
    } else {
        text_addf(&line, "%-12s between two steps", it->target);
    }
    text_add_bytes(out, text_string(&line), fitting(&line, columns - 1));
    text_add(out, "\x1b[K\n");
}

static void erase(struct live_screen *screen, struct text *out)
{
    if (screen->drawn)
        text_addf(out, "\x1b[%dA", screen->drawn);
    text_add(out, "\x1b[J");
    screen->drawn = 0;
}

static void draw(struct live_screen *screen, struct text *out)
{
    int columns = width();
    for (size_t i = 0; i < screen->count; i++) {
        if (screen->lines[i]->done)
            continue;
        add_line(out, screen->lines[i], columns);
        screen->drawn++;
    }
}

static void put(const struct text *text)
{
    file_write_all(STDERR_FILENO, text_string(text), text->length);
}

void live_screen_say(struct live_screen *screen, const char *line)
{
    AUTO_TEXT out = TEXT_INIT;
    if (screen->terminal)
        erase(screen, &out);
    text_addf(&out, "%s\n", line);
    if (screen->terminal)
        draw(screen, &out);
    put(&out);
}

static void on_redraw(void *context)
{
    struct live_screen *screen = context;
    screen->redraw_armed = false;
    AUTO_TEXT out = TEXT_INIT;
    erase(screen, &out);
    draw(screen, &out);
    put(&out);
}

void live_screen_changed(struct live_screen *screen)
{
    if (screen->terminal && !screen->redraw_armed) {
        screen->redraw_armed = true;
        timer_arm(screen->redraw, REDRAW_MS * NS_PER_MS);
    }
}

static void on_tick(void *context)
{
    struct live_screen *screen = context;
    live_screen_changed(screen);
    timer_arm(screen->tick, TICK_MS * NS_PER_MS);
}

const char *live_screen_colour(const struct live_screen *screen, const char *outcome)
{
    if (!screen->colour)
        return "";
    return text_is(outcome, "ok") ? "\x1b[32m" : text_is(outcome, "skipped") ? "\x1b[2m" : "\x1b[31m";
}

const char *live_screen_plain(const struct live_screen *screen)
{
    return screen->colour ? "\x1b[0m" : "";
}

bool live_screen_is_terminal(const struct live_screen *screen)
{
    return screen->terminal;
}

struct live_screen *live_screen_new(struct loop *loop, bool terminal, bool plain)
{
    struct live_screen *screen = xcalloc(1, sizeof *screen);
    screen->terminal = terminal;
    screen->colour = terminal && !plain;
    screen->redraw = loop_timer(loop, on_redraw, screen);
    screen->tick = loop_timer(loop, on_tick, screen);
    if (terminal)
        timer_arm(screen->tick, TICK_MS * NS_PER_MS);
    return screen;
}

void live_screen_add(struct live_screen *screen, const struct live_line *line)
{
    screen->lines = xreallocarray(screen->lines, screen->count + 1, sizeof *screen->lines);
    screen->lines[screen->count++] = line;
}

void live_screen_free(struct live_screen *screen)
{
    AUTO_TEXT out = TEXT_INIT;
    if (screen->terminal) {
        erase(screen, &out);
        put(&out);
    }
    timer_free(&screen->redraw);
    timer_free(&screen->tick);
    free(screen->lines);
    free(screen);
}
