#include "view/events.h"

#include "base/memory.h"
#include "base/moment.h"
#include "format/json.h"
#include "view/forensics_view.h"

#include <string.h>

/* A member of the detail as people read it: text as it is, the rest as JSON; null and false are no news. */
static void add_member(struct text *out, const char *key, const struct json *value)
{
    const char *string = json_string(value, NULL);
    AUTO_FREE char *compact = string ? NULL : json_compact(value);
    if (compact && (text_is(compact, "null") || text_is(compact, "false")))
        return;
    const char *shown = string ? string : compact;
    text_addf(out, "  %s ", key);
    text_add_printable(out, shown, strlen(shown));
}

void events_add_line(const struct history_event *event, const struct table_look *look, struct text *out)
{
    AUTO_FREE char *clock = moment_clock(event->at_ns);
    AUTO_TEXT rest = TEXT_INIT, where = TEXT_INIT, kind = TEXT_INIT;
    if (event->step)
        text_addf(&where, "%d %s", event->step, event->step_name ? event->step_name : "");
    text_add_printable(&kind, event->kind, strlen(event->kind));
    table_styled(out, look, TABLE_DIM, clock);
    text_add(out, "  ");
    AUTO_TEXT printable = TEXT_INIT;
    text_add_printable(&printable, text_string(&where), where.length);
    table_styled(out, look, TABLE_PLAIN, text_string(&printable));
    for (int cells = table_cells(text_string(&printable)); cells < 16; cells++)
        text_add_char(out, ' ');
    text_add_char(out, ' ');
    table_styled(out, look, text_is(event->kind, "unreachable") ? TABLE_BAD : TABLE_BOLD, text_string(&kind));
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
