#include "view/live_end.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "config/layout.h"
#include "run/resume.h"

#include <string.h>

enum { TAIL_LINES = 20, TAIL_BYTES = 32768 };

bool live_is_blank(const char *line, size_t length)
{
    return strspn(line, " \t\r") >= length;
}

/* The last lines of a log that say something, indented; but for `message`, which was said. */
static void add_tail(struct text *out, const struct live_end *of, const char *message)
{
    AUTO_TEXT bytes = TEXT_INIT;
    int read = of->rules_whole ? redact_tail(of->rules, of->log, TAIL_BYTES, &bytes, NULL)
                               : redact_tail_unknown(of->rules, of->log, TAIL_BYTES, &bytes, NULL);
    if (read < 0 || !bytes.length)
        return;
    const char *start = bytes.bytes + bytes.length;
    for (int lines = 0; start > bytes.bytes && lines < TAIL_LINES;) {
        const char *end = start[-1] == '\n' ? start - 1 : start;
        const char *before = memrchr(bytes.bytes, '\n', (size_t)(end - bytes.bytes));
        start = before ? before + 1 : bytes.bytes;
        lines += !live_is_blank(start, (size_t)(end - start));
    }
    while (*start) {
        size_t length = strcspn(start, "\n");
        size_t skip = text_starts(start, LIVE_STAGE_WORDS) ? strlen(LIVE_STAGE_WORDS) : 0;
        bool was_said =
            skip && message && memmem(message, strlen(message), start + skip, length - skip) != NULL;
        if (!live_is_blank(start, length) && !was_said) {
            text_add(out, "    ");
            text_add_printable(out, start, length);
            text_add_char(out, '\n');
        }
        start += length + (start[length] == '\n');
    }
}

static void add_resume(struct text *out, const struct live_end *end)
{
    AUTO_FREE char *store = layout_store(end->state);
    struct resume resume = {0};
    const char *step = NULL;
    if (!resume_would_go_on(store, end->run, &resume, &step))
        return;
    text_addf(out, "  'triphase resume %s%s' goes on %s%s\n", end->target,
              resume.extra_digest ? " -- THE SAME -e ARGUMENTS" : "", step ? "at " : "with it",
              step ? step : "");
    resume_clear(&resume);
}

void live_end_add(struct text *out, const struct live_end *end, bool crashed)
{
    if (!crashed && (text_is(end->outcome, "ok") || text_is(end->outcome, "skipped"))) {
        AUTO_FREE char *took = duration_show(end->duration_ns);
        text_addf(out, "%-12s run %s %s%s%s in %s", end->target, id_shown(end->run), end->colour,
                  end->outcome, end->plain, took);
        if (end->message) {
            text_add(out, ": ");
            text_add_printable_lines(out, end->message, "\n    ");
        }
        return;
    }
    text_addf(out, "\n%s: run %s ended as %s", end->target, id_shown(end->run),
              end->outcome ? end->outcome : "crashed");
    const char *message = end->message ? end->message : end->why;
    if (message) {
        text_add(out, ": ");
        text_add_printable_lines(out, message, "\n    ");
    } else if (!end->outcome) {
        text_addf(out, ": its worker died without a word; see %s/worker.log", end->folder);
    }
    text_add_char(out, '\n');
    if (end->log) {
        add_tail(out, end, message);
        text_addf(out, "  the whole log: %s\n", end->log);
    }
    add_resume(out, end);
}
