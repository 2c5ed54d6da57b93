#include "view/probe_view.h"

#include "base/memory.h"
#include "base/text.h"
#include "view/table.h"

#include <string.h>

enum { WRAP_LEAST = 40, INDENT = 4 };

static void add_ms(struct table *table, const struct json *object, const char *key)
{
    const struct json *value = json_get(object, key);
    double ms = json_real(value, 0);
    if (value)
        table_addf(table, TABLE_PLAIN, ms < 10 ? "%.1f" : "%.0f", ms);
    else
        table_add(table, NULL, TABLE_PLAIN);
}

static void add_rate(struct table *table, const struct json *entry, const char *key)
{
    const struct json *value = json_get(entry, key);
    double mega = (double)json_integer(value, 0) / 1e6;
    if (value)
        table_addf(table, TABLE_PLAIN, mega < 10 ? "%.2f" : "%.0f", mega);
    else
        table_add(table, NULL, TABLE_PLAIN);
}

static void add_size(struct table *table, const struct json *entry)
{
    const struct json *sizes = json_get(entry, "output_bytes");
    int64_t least = json_get_integer(sizes, "least_hung", 0);
    if (!sizes)
        table_add(table, NULL, TABLE_PLAIN);
    else if (least)
        table_addf(table, TABLE_BAD, "< %lld", (long long)least);
    else
        table_add(table, "any", TABLE_PLAIN);
}

/* "direct", or "relay > direct" where it changed meanwhile. */
static void add_path(struct table *table, const struct json *entry)
{
    const char *before = json_get_string(json_get(entry, "path_before"), "path", NULL),
               *after = json_get_string(json_get(entry, "path_after"), "path", before);
    if (!before || text_is(before, after))
        table_add(table, before ? before : "-", TABLE_PLAIN);
    else
        table_addf(table, TABLE_PLAIN, "%s > %s", before, after);
}

static enum table_style style_of(const char *verdict)
{
    return text_is(verdict, "usable") ? TABLE_GOOD : TABLE_BAD;
}

static void add_row(struct table *table, const struct json *entry)
{
    const char *verdict = json_get_string(entry, "verdict", "");
    table_add(table, json_get_string(entry, "transport", ""), TABLE_BOLD);
    table_add(table, verdict, style_of(verdict));
    add_ms(table, entry, "tcp_ms");
    add_ms(table, entry, "banner_ms");
    add_ms(table, entry, "auth_ms");
    add_ms(table, json_get(entry, "round_trip"), "median_ms");
    add_ms(table, json_get(entry, "round_trip"), "p95_ms");
    add_rate(table, entry, "down_bytes_per_s");
    add_rate(table, entry, "up_bytes_per_s");
    add_size(table, entry);
    add_path(table, entry);
}

/* Words of one paragraph, broken at spaces. */
static void add_wrapped(struct text *out, const char *words, int width)
{
    size_t room = width > WRAP_LEAST ? (size_t)(width - INDENT) : 76;
    for (const char *at = words; *at;) {
        size_t length = strlen(at), part = length;
        if (length > room)
            for (part = room; part > 0 && at[part] != ' '; part--)
                ;
        if (!part)
            part = strcspn(at, " ");
        text_addf(out, "%*s", INDENT, "");
        text_add_printable(out, at, part);
        text_add_char(out, '\n');
        at += part;
        at += strspn(at, " ");
    }
}

int probe_view_print(const struct json *report)
{
    static const struct table_column columns[] = {
        {.title = "TRANSPORT"},
        {.title = "VERDICT"},
        {.title = "TCP", .right = true, .drop = 3},
        {.title = "BANNER", .right = true, .drop = 1},
        {.title = "AUTH", .right = true, .drop = 2},
        {.title = "RTT", .right = true},
        {.title = "P95", .right = true, .drop = 4},
        {.title = "DOWN", .right = true},
        {.title = "UP", .right = true},
        {.title = "OUTPUT", .right = true},
        {.title = "PATH"},
    };
    const struct json *list = json_get(report, "transports");
    struct table_look look = table_look_of(1);
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    AUTO_TEXT out = TEXT_INIT;
    for (size_t i = 0; i < json_count(list); i++)
        add_row(table, json_at(list, i));
    table_write(table, &look, &out);
    text_add(&out, "times in ms, DOWN and UP in MB/s, OUTPUT: bytes at once that come through\n");
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *entry = json_at(list, i);
        text_addf(&out, "\n%s:\n", json_get_string(entry, "transport", ""));
        add_wrapped(&out, json_get_string(entry, "why", ""), look.width);
    }
    return table_print(&out);
}

int probe_view_print_json(const struct json *report)
{
    AUTO_FREE char *bytes = json_pretty(report);
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s\n", bytes);
    return table_print(&out);
}
