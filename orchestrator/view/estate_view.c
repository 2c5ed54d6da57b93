#include "view/estate_view.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json_words.h"

#include <string.h>
#include <unistd.h>

static const char *const fates[] = {[DUE_GOES] = "goes", [DUE_STAYS] = "stays", [DUE_FOREIGN] = "another's"};

static bool is_of(const struct estate_item *item, enum estate_part part)
{
    return part == ESTATE_ALL || !item->machine;
}

static const char *reference_of(const struct estate_item *item)
{
    return item->listed ? item->listed->reference : item->machine->reference;
}

static int64_t made_of(const struct estate_item *item)
{
    return item->machine ? item->machine->made_ns : item->listed->made_ns;
}

static int64_t expires_of(const struct estate_item *item)
{
    return item->machine ? item->machine->expires_ns : item->listed->expires_ns;
}

enum { COLUMNS = 6, WHY_INDENT = 2 };

/* What is not this store's is described too. malloc'ed. */
static char *why_of(const struct estate_item *item)
{
    const char *what = item->listed && !item->machine ? item->listed->what : NULL;
    return xasprintf("%s%s%s", item->why, what ? "; " : "", what ? what : "");
}

static void add_row(struct table *table, const struct estate_item *item, bool with_why)
{
    static const enum table_style styles[] = {
        [DUE_GOES] = TABLE_WARN, [DUE_STAYS] = TABLE_PLAIN, [DUE_FOREIGN] = TABLE_DIM};
    int64_t made = made_of(item);
    AUTO_FREE char *age = made ? duration_rough(item->now_ns - made) : NULL, *why = why_of(item);
    table_add(table, fates[item->due], styles[item->due]);
    table_add(table, item->due == DUE_FOREIGN ? NULL : item->target, TABLE_BOLD);
    table_add(table, item->provider, TABLE_PLAIN);
    table_add(table, reference_of(item), TABLE_PLAIN);
    table_add(table, age, TABLE_PLAIN);
    if (with_why)
        table_add(table, why, TABLE_PLAIN);
}

static struct table *table_of(const struct estate_item *const *items, size_t count, bool with_why)
{
    static const struct table_column columns[COLUMNS] = {{.title = ""},         {.title = "TARGET"},
                                                         {.title = "PROVIDER"}, {.title = "HOST"},
                                                         {.title = "AGE"},      {.title = "WHY"}};
    struct table *table = table_new(columns, with_why ? COLUMNS : COLUMNS - 1);
    for (size_t i = 0; i < count; i++)
        add_row(table, items[i], with_why);
    return table;
}

static void add_why(struct text *out, const struct estate_item *item, const struct table_look *look)
{
    AUTO_FREE char *why = why_of(item);
    AUTO_TEXT shown = TEXT_INIT;
    text_add_printable(&shown, why, strlen(why));
    text_addf(out, "%*s", WHY_INDENT, "");
    table_wrapped(out, look, WHY_INDENT, text_string(&shown));
    text_add_char(out, '\n');
}

static void add_narrow(const struct estate_item *const *items, size_t count, const struct table_look *look,
                       struct text *out)
{
    AUTO_TABLE *table = table_of(items, count, false);
    AUTO_TEXT lines = TEXT_INIT;
    table_write(table, look, &lines);
    const char *at = text_string(&lines);
    for (size_t i = 0; i <= count; i++) { /* the titles first */
        size_t length = strcspn(at, "\n") + 1;
        text_add_bytes(out, at, length);
        if (i)
            add_why(out, items[i - 1], look);
        at += length;
    }
}

void estate_view_text(const struct estate *estate, enum estate_part part, const struct table_look *look,
                      struct text *out)
{
    AUTO_FREE const struct estate_item **items = xcalloc(estate->count + 1, sizeof *items);
    size_t count = 0;
    for (int due = DUE_GOES; due <= DUE_FOREIGN; due++)
        for (size_t i = 0; i < estate->count; i++)
            if ((int)estate->items[i].due == due && is_of(&estate->items[i], part))
                items[count++] = &estate->items[i];
    AUTO_TABLE *table = table_of(items, count, true);
    if (!count)
        text_add(out, part == ESTATE_ALL ? "nothing is there\n"
                                         : "nothing is there that this store does not know\n");
    else if (!look->width || table_width(table) <= look->width)
        table_write(table, look, out);
    else
        add_narrow(items, count, look, out);
}

int estate_view_print(const struct estate *estate, enum estate_part part)
{
    struct table_look look = table_look_of(STDOUT_FILENO);
    AUTO_TEXT out = TEXT_INIT;
    if (!isatty(STDOUT_FILENO))
        look.width = 0; /* who reads lines has a line for each */
    estate_view_text(estate, part, &look, &out);
    return table_print(&out);
}

static struct json *entry_of(const struct estate_item *item)
{
    static const char *const words[] = {
        [DUE_GOES] = "goes", [DUE_STAYS] = "stays", [DUE_FOREIGN] = "foreign"};
    const struct listed *listed = item->listed;
    struct json *entry = json_new_object();
    json_set_string(entry, "provider", item->provider);
    json_set_string(entry, "reference", reference_of(item));
    json_set_string(entry, "what", listed ? listed->what : NULL);
    json_set_string(entry, "project", listed ? listed->project_id : NULL);
    json_set_string(entry, "target", item->target);
    json_set_string(entry, "machine", item->machine ? item->machine->id : listed ? listed->machine : NULL);
    json_set_bool(entry, "known", item->machine != NULL);
    json_set_bool(entry, "listed", listed != NULL);
    json_set_moment(entry, "made", made_of(item));
    json_set_moment(entry, "expires", expires_of(item));
    json_set_string(entry, "fate", words[item->due]);
    json_set_string(entry, "why", item->why);
    json_set_string(entry, "became", item->became);
    json_set_string(entry, "trouble", item->trouble);
    return entry;
}

static struct json *unasked_of(const struct estate_place *place)
{
    struct json *entry = json_new_object();
    json_set_string(entry, "provider", place->of->provider);
    json_set(entry, "targets", json_words_array(&place->of->targets));
    json_set_string(entry, "message", place->of->mute ? NULL : error_text(&place->trouble));
    return entry;
}

void estate_view_put(const struct estate *estate, enum estate_part part, struct json *document)
{
    struct json *hosts = json_new_array(), *unasked = json_new_array();
    for (size_t i = 0; i < estate->count; i++)
        if (is_of(&estate->items[i], part))
            json_append(hosts, entry_of(&estate->items[i]));
    for (size_t i = 0; i < estate->place_count; i++)
        if (estate->places[i].of->mute || estate->places[i].trouble.kind != ERROR_NONE)
            json_append(unasked, unasked_of(&estate->places[i]));
    json_set(document, part == ESTATE_ALL ? "hosts" : "others", hosts);
    json_set(document, "unasked", unasked);
}

int estate_view_print_json(const struct estate *estate, bool dry_run)
{
    AUTO_JSON *document = json_new_object();
    json_set_integer(document, "version", 1);
    json_set_bool(document, "dry_run", dry_run);
    estate_view_put(estate, ESTATE_ALL, document);
    AUTO_FREE char *bytes = json_pretty(document);
    AUTO_TEXT out = TEXT_INIT;
    text_addf(&out, "%s\n", bytes);
    return table_print(&out);
}

void estate_view_clones(const struct estate *estate, struct words *lines)
{
    for (size_t i = 0; i < estate->count; i++)
        if (estate->items[i].due == DUE_FOREIGN && estate->items[i].listed->project_id) {
            words_add(lines,
                      "another project's: where that is a clone of this one, give both the same 'id' in "
                      "triphase.yml ('triphase sweep --dry-run --json' has theirs as \"project\")");
            return;
        }
}

bool estate_view_unasked(const struct estate *estate, struct words *lines)
{
    bool failed = false;
    for (size_t i = 0; i < estate->place_count; i++) {
        const struct estate_place *place = &estate->places[i];
        AUTO_FREE char *targets = words_join(&place->of->targets, ", ");
        if (place->of->mute)
            words_addf(lines,
                       "%s (%s): what is there beyond this store nobody can be asked: nothing says how",
                       place->of->provider, targets);
        else if (place->trouble.kind != ERROR_NONE)
            words_addf(lines, "%s (%s): what is there could not be asked: %s", place->of->provider, targets,
                       error_text(&place->trouble));
        if (place->ahead_ns) {
            AUTO_FREE char *by = duration_rough(place->ahead_ns > 0 ? place->ahead_ns : -place->ahead_ns);
            words_addf(
                lines,
                "%s%s%s%s: its clock is %s %s this machine's: what is past its time by both alone goes",
                place->of->provider, *targets ? " (" : "", targets, *targets ? ")" : "", by,
                place->ahead_ns > 0 ? "ahead of" : "behind");
        }
        failed = failed || place->trouble.kind != ERROR_NONE;
    }
    return failed;
}
