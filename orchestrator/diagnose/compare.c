#include "diagnose/compare.h"

#include "base/memory.h"
#include "base/text.h"
#include "diagnose/weigh.h"

/* Most alike ones decide, as in a matrix by itself: the last that was taken tells how it is now. */
static const struct cell *last_alike(const struct diagnosis *in, const struct cell *cell,
                                     const char *transport)
{
    const struct cell *found = NULL;
    struct cell wanted = *cell;
    wanted.transport = (char *)(transport ? transport : cell->transport);
    for (size_t i = 0; i < in->count; i++)
        if (weigh_counts(&in->cells[i]) && cell_is_alike(&wanted, &in->cells[i]))
            found = &in->cells[i];
    return found;
}

static const char *sole_transport(const struct diagnosis *of)
{
    for (size_t i = 1; i < of->count; i++)
        if (!text_is(of->cells[i].transport, of->cells[0].transport))
            return NULL;
    return of->count ? of->cells[0].transport : NULL;
}

static void add_row(struct compared *out, const struct cell *before, const struct cell *after)
{
    for (size_t i = 0; i < out->count; i++)
        if ((before && out->rows[i].before == before) || (!before && out->rows[i].after == after))
            return;
    out->rows = xreallocarray(out->rows, out->count + 1, sizeof *out->rows);
    bool differs = before && after && before->ok != after->ok;
    out->rows[out->count++] = (struct compare_row){before, after, differs};
    out->differing += differs;
}

static void add_rows(const struct diagnosis *before, const struct diagnosis *after, bool differing,
                     struct compared *out)
{
    const char *a = sole_transport(before), *b = sole_transport(after);
    bool apart = a && b && !text_is(a, b);
    for (size_t i = 0; i < before->count; i++) {
        if (!weigh_counts(&before->cells[i]))
            continue;
        const struct cell *from = last_alike(before, &before->cells[i], NULL);
        const struct cell *to = last_alike(after, &before->cells[i], apart ? b : NULL);
        bool differs = from && to && from->ok != to->ok;
        if (differs == differing)
            add_row(out, from, to);
    }
    for (size_t i = 0; !differing && i < after->count; i++)
        if (weigh_counts(&after->cells[i]) && !last_alike(before, &after->cells[i], apart ? a : NULL))
            add_row(out, NULL, last_alike(after, &after->cells[i], NULL));
}

static void add_change(struct compared *out, const char *what, const char *before, const char *after)
{
    if (text_is(before, after))
        return;
    words_addf(&out->surroundings, "%s: %s, then %s", what, before ? before : "not known",
               after ? after : "not known");
    words_add(&out->changed, what);
}

static char *transports_of(const struct diagnosis *of)
{
    AUTO_WORDS names = WORDS_INIT;
    for (size_t i = 0; i < of->count; i++)
        if (!words_have(&names, of->cells[i].transport))
            words_add(&names, of->cells[i].transport);
    return words_join(&names, ", ");
}

static void add_changes(const struct diagnosis *before, const struct diagnosis *after, struct compared *out)
{
    AUTO_FREE char *a = transports_of(before), *b = transports_of(after);
    add_change(out, "machine", before->seen.node, after->seen.node);
    add_change(out, "network", before->seen.network, after->seen.network);
    add_change(out, "transport", a, b);
    for (size_t i = 0; i < before->seen.way_count; i++) {
        const struct surroundings_way *from = &before->seen.ways[i];
        const struct surroundings_way *to = surroundings_way(&after->seen, from->transport);
        if (!to)
            continue;
        AUTO_FREE char *path = xasprintf("path over %s", from->transport),
                       *daemon = xasprintf("daemon for %s", from->transport);
        add_change(out, path, from->path, to->path);
        add_change(out, daemon, from->daemon, to->daemon);
    }
}

static char *words_of(const struct compared *compared)
{
    if (!compared->differing)
        return xstrdup("no cell that both took ended well in one and not in the other");
    if (!compared->changed.count)
        return xasprintf(
            "%zu cells differ, and nothing that was looked at beside them: it comes and goes, or it is "
            "something that was not looked at",
            compared->differing);
    AUTO_FREE char *all = words_join(&compared->changed, ", ");
    if (compared->changed.count == 1)
        return xasprintf("%zu cells differ, and of what was looked at %s alone: that may be it",
                         compared->differing, all);
    return xasprintf(
        "%zu cells differ, and so do %s, together: none of them is told from the others; change one at "
        "a time",
        compared->differing, all);
}

void compare_diagnoses(const struct diagnosis *before, const struct diagnosis *after, struct compared *out)
{
    *out = (struct compared){0};
    add_rows(before, after, true, out);
    add_rows(before, after, false, out);
    add_changes(before, after, out);
    out->words = words_of(out);
}

struct json *compared_json(const struct compared *compared)
{
    struct json *object = json_new_object(), *rows = json_new_array(), *changed = json_new_array();
    json_set_integer(object, "version", 1);
    json_set_integer(object, "differing", (int64_t)compared->differing);
    for (size_t i = 0; i < compared->count; i++) {
        const struct compare_row *row = &compared->rows[i];
        struct json *pair = json_new_object();
        json_set_bool(pair, "differs", row->differs);
        json_set(pair, "before", row->before ? cell_json(row->before) : json_new_null());
        json_set(pair, "after", row->after ? cell_json(row->after) : json_new_null());
        json_append(rows, pair);
    }
    for (size_t i = 0; i < compared->surroundings.count; i++)
        json_append(changed, json_new_string(compared->surroundings.items[i]));
    json_set(object, "rows", rows);
    json_set(object, "surroundings", changed);
    json_set_string(object, "words", compared->words);
    return object;
}

void compared_clear(struct compared *compared)
{
    free(compared->rows);
    words_clear(&compared->surroundings);
    words_clear(&compared->changed);
    free(compared->words);
    *compared = (struct compared){0};
}
