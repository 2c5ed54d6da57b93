#include "report/health.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "report/json_parts.h"

#include <string.h>

enum { STRIP_MOST = 72, STRIP_LEAST = 10, STRIP_INDENT = 2, UNSEEN = 3 };

/* How a part of the strip looks in which the worst was this. */
static const struct {
    const char *block, *ascii;
    enum table_style style;
    const char *name; /* in JSON */
} looks[] = {
    [HEALTH_NOT_YET] = {"░", ".", TABLE_DIM, "not-yet"},
    [HEALTH_HEALTHY] = {"█", "#", TABLE_GOOD, "healthy"},
    [HEALTH_UNHEALTHY] = {"▁", "_", TABLE_BAD, "unhealthy"},
    [UNSEEN] = {"·", " ", TABLE_DIM, NULL},
};

/* Of several states within one part of the strip the one that people look for counts. */
static int worst_of(const struct health_account *health, int64_t from_ns, int64_t to_ns)
{
    static const int ranks[] = {
        [UNSEEN] = 0, [HEALTH_HEALTHY] = 1, [HEALTH_NOT_YET] = 2, [HEALTH_UNHEALTHY] = 3};
    int worst = UNSEEN;
    for (size_t i = 0; i < health->count; i++) {
        const struct health_span *span = &health->spans[i];
        bool within = span->from_ns < to_ns && (span->to_ns > from_ns || span->from_ns >= from_ns);
        if (within && ranks[span->state] > ranks[worst])
            worst = (int)span->state;
    }
    return worst;
}

static void add_strip(const struct account *account, const struct table_look *look, struct text *out)
{
    const struct health_account *health = &account->health;
    const struct history_run *run = account->run;
    int64_t last = health->spans[health->count - 1].to_ns;
    int64_t whole = run->duration_ns > 0 ? run->duration_ns : last - run->started_ns;
    int cells = look->width ? look->width - STRIP_INDENT : STRIP_MOST;
    cells = cells > STRIP_MOST ? STRIP_MOST : cells < STRIP_LEAST ? STRIP_LEAST : cells;
    AUTO_TEXT part = TEXT_INIT;
    int before = UNSEEN;
    text_addf(out, "%*s", STRIP_INDENT, "");
    for (int i = 0; i < cells; i++) {
        int64_t from = run->started_ns + (int64_t)((double)whole / cells * i);
        int64_t to =
            i + 1 == cells ? INT64_MAX : run->started_ns + (int64_t)((double)whole / cells * (i + 1));
        int now = worst_of(health, from, to);
        if (now != before) {
            table_styled(out, look, looks[before].style, text_string(&part));
            text_truncate(&part, 0);
        }
        text_add(&part, look->utf8 ? looks[now].block : looks[now].ascii);
        before = now;
    }
    table_styled(out, look, looks[before].style, text_string(&part));
    text_add(out, "\n");
}

static void add_sum(const struct account *account, struct text *out)
{
    const struct health_account *health = &account->health;
    const struct health_span *last = &health->spans[health->count - 1];
    AUTO_FREE char *first = duration_show(health->first_healthy_ns - account->run->started_ns);
    AUTO_FREE char *bad = duration_show(health->unhealthy_ns);
    text_add(out, "over ");
    text_add_printable(out, health->via ? health->via : "?", strlen(health->via ? health->via : "?"));
    if (health->first_healthy_ns)
        text_addf(out, ": healthy for the first time at +%s", first);
    else
        text_add(out, ": never healthy");
    if (health->windows)
        text_addf(out, ", then unhealthy for %s in %zu window%s", bad, health->windows,
                  health->windows > 1 ? "s" : "");
    else if (health->first_healthy_ns)
        text_add(out, ", and from then on");
    if (last->state != HEALTH_HEALTHY && health->first_healthy_ns)
        text_add(out, ", and at the end");
}

/* +12.3s for 4.1s  converge  http-503, http-500 */
static void add_window(const struct account *account, const struct health_span *span, struct text *out)
{
    AUTO_FREE char *from = duration_show(span->from_ns - account->run->started_ns);
    AUTO_FREE char *length = duration_show(span->to_ns - span->from_ns);
    AUTO_FREE char *causes = words_join(&span->causes, ", ");
    text_addf(out, "+%s for %s%s  ", from, span->open ? "at least " : "", length);
    const char *step = span->step ? span->step->name : "-";
    text_add_printable(out, step, strlen(step));
    text_add(out, "  ");
    text_add_printable(out, causes, strlen(causes));
}

static void add_message(const struct health_span *span, struct text *out)
{
    if (!span->message)
        return;
    text_add(out, "     ");
    text_add_printable_lines(out, span->message, "\n     ");
    text_add(out, "\n");
}

void report_health_add(const struct account *account, const struct table_look *look, struct text *out)
{
    const struct health_account *health = &account->health;
    if (!health->count)
        return;
    AUTO_TEXT line = TEXT_INIT;
    add_sum(account, &line);
    text_add(out, look->markdown ? "\nHealth " : "\nhealth  ");
    table_styled(out, look, health->windows || !health->first_healthy_ns ? TABLE_WARN : TABLE_PLAIN,
                 text_string(&line));
    text_add(out, look->markdown ? "\n\n" : "\n");
    if (!look->markdown)
        add_strip(account, look, out);
    for (size_t i = 0; i < health->count; i++) {
        const struct health_span *span = &health->spans[i];
        bool told = span->state == HEALTH_UNHEALTHY || (span->state == HEALTH_NOT_YET && span->open);
        if (!told)
            continue;
        text_truncate(&line, 0);
        add_window(account, span, &line);
        text_add(out, look->markdown ? "- " : "  ");
        table_styled(out, look, TABLE_BAD, text_string(&line));
        text_add(out, "\n");
        if (!look->markdown)
            add_message(span, out);
    }
}

static struct json *window_object(const struct health_span *span)
{
    struct json *object = json_new_object(), *causes = json_new_array();
    json_set_moment(object, "from", span->from_ns);
    json_set_moment(object, "to", span->to_ns);
    report_json_set_ms(object, "ms", span->to_ns - span->from_ns);
    json_set_string(object, "state", looks[span->state].name);
    json_set_bool(object, "open", span->open);
    json_set(object, "step", span->step ? json_new_integer(span->step->seq) : json_new_null());
    json_set_string(object, "name", span->step ? span->step->name : NULL);
    json_set_string(object, "cause", span->cause);
    for (size_t i = 0; i < span->causes.count; i++)
        json_append(causes, json_new_string(span->causes.items[i]));
    json_set(object, "causes", causes);
    json_set_string(object, "message", span->message);
    return object;
}

struct json *report_health_json(const struct account *account)
{
    const struct health_account *health = &account->health;
    if (!health->count)
        return NULL;
    struct json *object = json_new_object(), *windows = json_new_array();
    int64_t first = health->first_healthy_ns;
    json_set_string(object, "via", health->via);
    json_set_bool(object, "healthy", health->spans[health->count - 1].state == HEALTH_HEALTHY);
    json_set_moment(object, "first_healthy", first);
    report_json_set_ms(object, "first_healthy_ms", first ? first - account->run->started_ns : -1);
    report_json_set_ms(object, "unhealthy_ms", health->unhealthy_ns);
    for (size_t i = 0; i < health->count; i++)
        if (health->spans[i].state != HEALTH_HEALTHY)
            json_append(windows, window_object(&health->spans[i]));
    json_set(object, "windows", windows);
    return object;
}
