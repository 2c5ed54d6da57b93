#include "view/events.h"

#include "base/memory.h"
#include "base/moment.h"
#include "format/json.h"
#include "view/forensics_view.h"

#include <string.h>

/* A member of the detail as people read it: text as it is, the rest as JSON, of fractions two digits; null
 * and false are no news. */
static void add_member(struct text *out, const char *key, const struct json *value)
{
    const char *string = json_string(value, NULL);
    AUTO_FREE char *compact = string ? NULL : json_compact(value);
    if (compact && (text_is(compact, "null") || text_is(compact, "false")))
        return;
    const char *shown = string ? string : compact;
    text_addf(out, "  %s ", key);
    if (compact && *compact != '{' && *compact != '[' && strchr(compact, '.')) {
        text_addf(out, "%.2f", json_real(value, 0));
        return;
    }
    text_add_printable(out, shown, strlen(shown));
}

/* When, where and what kind: what each line begins with. */
static void add_begin(struct text *out, const struct table_look *look, int64_t at_ns, int step,
                      const char *name, const char *kind, enum table_style style)
{
    AUTO_FREE char *clock = moment_clock(at_ns);
    AUTO_TEXT where = TEXT_INIT, shown = TEXT_INIT, what = TEXT_INIT;
    if (step)
        text_addf(&where, "%d ", step);
    text_add(&where, name ? name : "");
    text_add_printable(&shown, text_string(&where), where.length);
    text_add_printable(&what, kind, strlen(kind));
    table_styled(out, look, TABLE_DIM, clock);
    text_add(out, "  ");
    table_styled(out, look, TABLE_PLAIN, text_string(&shown));
    for (int cells = table_cells(text_string(&shown)); cells < 16; cells++)
        text_add_char(out, ' ');
    text_add_char(out, ' ');
    table_styled(out, look, style, text_string(&what));
}

void events_add_line(const struct history_event *event, const struct table_look *look, struct text *out)
{
    AUTO_TEXT rest = TEXT_INIT;
    add_begin(out, look, event->at_ns, event->step, event->step ? event->step_name : NULL, event->kind,
              text_is(event->kind, "unreachable") ? TABLE_BAD : TABLE_BOLD);
    AUTO_JSON *detail = event->detail ? json_parse(event->detail, strlen(event->detail), NULL) : NULL;
    bool screen = text_is(event->kind, "forensics") && json_is_object(detail);
    if (screen) {
        add_member(&rest, "before", json_get(detail, "why"));
    } else if (json_is_object(detail)) {
        const char *key;
        struct json *value;
        for (void *at = NULL; json_each(detail, &at, &key, &value);)
            add_member(&rest, key, value);
    } else if (event->detail) {
        text_add(&rest, "  ");
        text_add_printable(&rest, event->detail, strlen(event->detail));
    }
    table_styled(out, look, TABLE_PLAIN, text_string(&rest));
    text_add_char(out, '\n');
    if (screen)
        forensics_view_add(detail, look, out);
}

int64_t events_ended_ns(int64_t started_ns, int64_t duration_ns)
{
    int64_t ended_ns;
    bool known = duration_ns >= 0 && !__builtin_add_overflow(started_ns, duration_ns, &ended_ns);
    return known ? ended_ns : started_ns; /* a store from elsewhere may say anything */
}

void events_add_verdict(const struct history_run *run, const struct history_step *step,
                        const struct table_look *look, struct text *out)
{
    const char *outcome = step ? step->outcome : run->outcome, *row = step ? step->verdict : run->verdict,
               *seen = step ? step->seen : run->seen;
    if (!outcome || !row)
        return;
    AUTO_TEXT said = TEXT_INIT, rest = TEXT_INIT;
    text_addf(&said, "  outcome %s  row %s  seen %s", outcome, row, seen ? seen : "");
    text_add_printable(&rest, text_string(&said), said.length);
    int64_t ended_ns = step ? events_ended_ns(step->started_ns, step->duration_ns)
                            : events_ended_ns(run->started_ns, run->duration_ns);
    add_begin(out, look, ended_ns, step ? step->seq : 0, step ? step->name : "run", "verdict",
              text_is(outcome, "ok") ? TABLE_BOLD : TABLE_BAD);
    table_styled(out, look, TABLE_PLAIN, text_string(&rest));
    text_add_char(out, '\n');
}

void events_add_json(const struct history_event *event, const char *run, struct text *out)
{
    AUTO_JSON *object = json_new_object();
    AUTO_FREE char *at = moment_rfc3339(event->at_ns);
    json_set_string(object, "run", run);
    json_set_integer(object, "number", event->number);
    json_set_string(object, "at", at);
    json_set(object, "step", event->step ? json_new_integer(event->step) : json_new_null());
    json_set_string(object, "name", event->step_name);
    json_set_string(object, "kind", event->kind);
    struct json *detail = event->detail ? json_parse(event->detail, strlen(event->detail), NULL) : NULL;
    json_set(object, "detail", detail ? detail : json_new_string(event->detail));
    AUTO_FREE char *line = json_compact(object);
    text_add(out, line);
    text_add_char(out, '\n');
}
