#include "format/yaml_edit.h"

#include "base/memory.h"
#include "format/yaml.h"
#include "format/yaml_faults.h"
#include "format/yaml_places.h"
#include "format/yaml_steps.h"

#include <ctype.h>
#include <string.h>

enum { USUAL_STEP = 2 };

/* How far the path leads in the text: the map or list of each step that is there, and which entry of it. */
struct walk {
    const struct yaml_edit *edit;
    const struct yaml_place *root; /* NULL: the text has no value */
    const struct yaml_place *maps[YAML_EDIT_DEEPEST];
    size_t at[YAML_EDIT_DEEPEST];
    size_t found;                  /* steps that are there */
    const struct yaml_place *last; /* what the last of these leads to */
};

static int refuse(const struct yaml_edit *edit, const struct yaml_place *place, struct error *err,
                  const char *format, ...) __attribute__((format(printf, 4, 5)));

static int refuse(const struct yaml_edit *edit, const struct yaml_place *place, struct error *err,
                  const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *message = xvasprintf(format, args);
    va_end(args);
    struct node_place at = yaml_faults_place(edit->bytes, edit->length, place ? place->begin : 0);
    return error_set(err, ERROR_PROJECT, "%s:%d:%d: %s; change the file with an editor", edit->name, at.line,
                     at.column, message);
}

static int refuse_shared(const struct yaml_edit *edit, const struct yaml_place *place, struct error *err)
{
    if (place->part->kind == YAML_PART_ALIAS) {
        AUTO_FREE char *shown = text_shown(place->part->text);
        return refuse(edit, place, err, "what stands here is the alias *%s of another value", shown);
    }
    if (place->part->anchored)
        return refuse(edit, place, err,
                      "what stands here has an &anchor, by which it may stand elsewhere too");
    return 0;
}

static int find_step(const struct yaml_edit *edit, const struct yaml_place *place, size_t step, size_t *at,
                     struct error *err)
{
    const struct yaml_step *wanted = &edit->path[step];
    AUTO_FREE char *shown = text_shown(wanted->key);
    if (wanted->named) {
        for (*at = 0; *at < place->count; ++*at) {
            size_t name;
            const struct yaml_place *item = place->items[*at];
            if (item->part->kind == YAML_PART_MAP && yaml_places_find(item, "name", &name) == 1 &&
                text_is(item->items[name]->part->text, wanted->key))
                return 1;
        }
        return refuse(edit, place, err, "there is none of the name '%s' here", shown);
    }
    size_t count = yaml_places_find(place, wanted->key, at);
    if (count > 1)
        return refuse(edit, place->keys[*at], err, "'%s' stands here twice", shown);
    return count ? 1 : 0;
}

static int walk(const struct yaml_edit *edit, const struct yaml_place *root, struct walk *out,
                struct error *err)
{
    *out = (struct walk){.edit = edit, .root = root, .last = root};
    for (size_t i = 0; root && i < edit->depth; i++) {
        enum yaml_part_kind wanted = edit->path[i].named ? YAML_PART_LIST : YAML_PART_MAP;
        if (refuse_shared(edit, out->last, err) < 0)
            return -1;
        if (yaml_places_is_empty(out->last))
            return 0;
        if (out->last->part->kind != wanted)
            return refuse(edit, out->last, err, "what stands here is no %s",
                          wanted == YAML_PART_MAP ? "map" : "list");
        int found = find_step(edit, out->last, i, &out->at[i], err);
        if (found <= 0)
            return found;
        out->maps[i] = out->last;
        out->last = out->last->items[out->at[i]];
        out->found = i + 1;
    }
    return 0;
}

/* What is written */

static bool quotes_alike(char quote, const struct node *value, struct text *out)
{
    if (value->kind != NODE_STRING || value->tag)
        return false;
    for (const char *at = value->text; *at; at++)
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
            return false;
    if (quote == '\'') {
        text_add_char(out, '\'');
        for (const char *at = value->text; *at; at++)
            text_addf(out, "%s%c", *at == '\'' ? "'" : "", *at);
        text_add_char(out, '\'');
    } else if (quote == '"') {
        text_add_char(out, '"');
        for (const char *at = value->text; *at; at++)
            text_addf(out, "%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
        text_add_char(out, '"');
    } else {
        return false;
    }
    return true;
}

/* In the quotes of the scalar whose place it takes. malloc'ed. */
static char *written(const struct node *value, const struct yaml_place *in_place_of)
{
    AUTO_TEXT out = TEXT_INIT;
    if (in_place_of && quotes_alike(in_place_of->part->quote, value, &out))
        return text_take(&out);
    return node_flow(value);
}

static char *key_text(const struct yaml_step *step)
{
    AUTO_NODE *key = node_new_string(step->key);
    return node_flow(key);
}

static const char *line_break(const struct yaml_edit *edit)
{
    const char *first = memchr(edit->bytes, '\n', edit->length);
    return first && first > edit->bytes && first[-1] == '\r' ? "\r\n" : "\n";
}

static size_t column_of(const struct yaml_edit *edit, const struct yaml_place *place)
{
    return (size_t)yaml_faults_place(edit->bytes, edit->length, place->begin).column - 1;
}

/* By how much a block map within another is indented in this text: the first of the map itself, else the
 * first anywhere below; 0: there is none. */
static size_t step_in(const struct yaml_edit *edit, const struct yaml_place *place)
{
    if (!place || place->part->flow || !place->count)
        return 0;
    for (size_t i = 0; place->keys && i < place->count; i++) {
        const struct yaml_place *item = place->items[i];
        if (item->part->kind == YAML_PART_MAP && !item->part->flow && item->count) {
            size_t outer = column_of(edit, place->keys[i]), inner = column_of(edit, item->keys[0]);
            return inner > outer ? inner - outer : USUAL_STEP;
        }
    }
    size_t found = 0;
    for (size_t i = 0; !found && i < place->count; i++)
        found = step_in(edit, place->items[i]);
    return found;
}

/* "a:\n  b: VALUE" of the steps that are missing, each line but the first begun by a line break. */
static void add_block(const struct walk *walk, const struct yaml_place *beside, size_t column,
                      const struct node *value, struct text *out)
{
    const struct yaml_edit *edit = walk->edit;
    size_t step = beside ? step_in(edit, beside) : 0;
    if (!step && !(step = step_in(edit, walk->root)))
        step = USUAL_STEP;
    AUTO_FREE char *flow = node_flow(value);
    for (size_t i = walk->found; i < edit->depth; i++, column += step) {
        AUTO_FREE char *key = key_text(&edit->path[i]);
        text_addf(out, "%s%*s%s:", i > walk->found ? line_break(edit) : "", (int)column, "", key);
    }
    text_addf(out, " %s", flow);
}

/* "a: {b: VALUE}" */
static void add_flow(const struct walk *walk, const struct node *value, struct text *out)
{
    AUTO_FREE char *flow = node_flow(value);
    size_t depth = walk->edit->depth;
    for (size_t i = walk->found; i < depth; i++) {
        AUTO_FREE char *key = key_text(&walk->edit->path[i]);
        text_addf(out, "%s%s: ", i > walk->found ? "{" : "", key);
    }
    text_add(out, flow);
    for (size_t i = walk->found + 1; i < depth; i++)
        text_add_char(out, '}');
}

/* The text with the bytes from `begin` to `end` replaced. */
static void replace(const struct yaml_edit *edit, size_t begin, size_t end, const char *by, struct text *out)
{
    text_add_bytes(out, edit->bytes, begin);
    text_add(out, by);
    text_add_bytes(out, edit->bytes + end, edit->length - end);
}

/* Setting */

/* Lines behind the one that a byte is in; the last line may have no line break, and then has none after. */
static void add_lines_behind(const struct yaml_edit *edit, size_t at, const char *lines, struct text *out)
{
    size_t end = yaml_places_line_end(edit->bytes, edit->length, at);
    AUTO_FREE char *text = xasprintf("%s%s", line_break(edit), lines);
    replace(edit, end, end, text, out);
}

static void add_to_nothing(const struct walk *walk, const struct node *value, struct text *out)
{
    const struct yaml_edit *edit = walk->edit;
    AUTO_TEXT lines = TEXT_INIT;
    add_block(walk, NULL, 0, value, &lines);
    bool ended = !edit->length || edit->bytes[edit->length - 1] == '\n';
    AUTO_FREE char *text = ended ? xasprintf("%s%s", text_string(&lines), line_break(edit))
                                 : xasprintf("%s%s", line_break(edit), text_string(&lines));
    replace(edit, edit->length, edit->length, text, out);
}

/* A map that stands here takes the missing steps at its end. */
static void add_to_map(const struct walk *walk, const struct node *value, struct text *out)
{
    const struct yaml_place *map = walk->last;
    AUTO_TEXT added = TEXT_INIT;
    if (!map->part->flow) {
        add_block(walk, map, column_of(walk->edit, map->keys[0]), value, &added);
        add_lines_behind(walk->edit, map->end, text_string(&added), out);
        return;
    }
    size_t at = map->count ? map->items[map->count - 1]->end : map->part->end;
    text_add(&added, map->count ? ", " : "");
    add_flow(walk, value, &added);
    replace(walk->edit, at, at, text_string(&added), out);
}

/* A key whose value says nothing becomes one with a map. */
static void add_to_empty(const struct walk *walk, const struct node *value, struct text *out)
{
    const struct yaml_edit *edit = walk->edit;
    const struct yaml_place *empty = walk->last, *above = walk->maps[walk->found - 1];
    const struct yaml_place *key = above->keys[walk->at[walk->found - 1]];
    AUTO_TEXT added = TEXT_INIT;
    if (!above->part->flow && empty->begin == empty->end) {
        size_t step = step_in(edit, above);
        add_block(walk, above, column_of(edit, key) + (step ? step : USUAL_STEP), value, &added);
        add_lines_behind(edit, empty->end, text_string(&added), out);
        return;
    }
    bool apart = empty->begin != empty->end || isblank((unsigned char)edit->bytes[empty->begin - 1]);
    text_add(&added, apart ? "{" : " {");
    add_flow(walk, value, &added);
    text_add_char(&added, '}');
    replace(edit, empty->begin, empty->end, text_string(&added), out);
}

/* Where the colon behind a key ends; 0: it has none of its own. */
static size_t behind_colon(const struct yaml_edit *edit, const struct yaml_place *key)
{
    size_t at = key->end;
    while (at < edit->length && isblank((unsigned char)edit->bytes[at]))
        at++;
    return at < edit->length && edit->bytes[at] == ':' ? at + 1 : 0;
}

static void replace_value(const struct walk *walk, const struct node *value, struct text *out)
{
    const struct yaml_edit *edit = walk->edit;
    const struct yaml_place *old = walk->last;
    const struct yaml_place *key = walk->maps[edit->depth - 1]->keys[walk->at[edit->depth - 1]];
    AUTO_FREE char *flow = written(value, old);
    bool block = !old->part->flow && (old->part->kind == YAML_PART_MAP || old->part->kind == YAML_PART_LIST);
    size_t colon = behind_colon(edit, key);
    AUTO_TEXT by = TEXT_INIT;
    if (block && colon && yaml_places_line(edit->bytes, old->begin) > colon) {
        /* It goes behind the key, before its comment; the lines of the old one go. */
        size_t line = yaml_places_line(edit->bytes, old->begin);
        size_t end = yaml_places_line_end(edit->bytes, edit->length, old->end);
        size_t after = yaml_places_break(edit->bytes, edit->length, end);
        size_t kept_end = line;
        if (!after && kept_end && edit->bytes[kept_end - 1] == '\n') /* nor has the last line one now */
            kept_end -= kept_end > 1 && edit->bytes[kept_end - 2] == '\r' ? 2 : 1;
        text_addf(&by, " %s", flow);
        text_add_bytes(&by, edit->bytes + colon, kept_end - colon);
        replace(edit, colon, end + after, text_string(&by), out);
        return;
    }
    text_addf(&by, "%s%s",
              old->begin == old->end && !isblank((unsigned char)edit->bytes[old->begin - 1]) ? " " : "",
              flow);
    if (old->part->quote == '|' || old->part->quote == '>') {
        /* A comment behind its sign stays. */
        size_t header = yaml_places_line_end(edit->bytes, edit->length, old->begin);
        const char *comment = memchr(edit->bytes + old->begin, '#', header - old->begin);
        if (comment)
            text_addf(&by, "  %.*s", (int)(edit->bytes + header - comment), comment);
    }
    replace(edit, old->begin, old->end, text_string(&by), out);
}

static int set(const struct walk *walk, const struct node *before, const struct node *value, struct text *out,
               struct error *err)
{
    const struct yaml_edit *edit = walk->edit;
    if (walk->found < edit->depth - 1 && yaml_steps_find(before, edit->path, walk->found + 1))
        return refuse(edit, walk->last, err, "'%s' comes in here by '<<'", edit->path[walk->found].key);
    if (!walk->root ||
        (!walk->found && yaml_places_is_empty(walk->root) && walk->root->begin == walk->root->end)) {
        add_to_nothing(walk, value, out);
    } else if (walk->found == edit->depth) {
        if (refuse_shared(edit, walk->last, err) < 0)
            return -1;
        if (yaml_places_has_anchor(walk->last))
            return refuse(edit, walk->last, err, "something in what stands here has an &anchor");
        replace_value(walk, value, out);
    } else if (walk->last->part->kind == YAML_PART_MAP) {
        add_to_map(walk, value, out);
    } else if (walk->found) {
        add_to_empty(walk, value, out);
    } else {
        return refuse(edit, walk->last, err, "the file holds no map");
    }
    return 0;
}

/* Taking out */

static bool has_comment(const struct yaml_edit *edit, size_t begin, size_t end)
{
    return memchr(edit->bytes + begin, '#', end - begin) != NULL;
}

static bool is_blank(const struct yaml_edit *edit, size_t begin, size_t end)
{
    for (; begin < end; begin++)
        if (!strchr(" \t\r\n", edit->bytes[begin]))
            return false;
    return true;
}

static void take_from_flow(const struct yaml_edit *edit, const struct yaml_place *map, size_t at,
                           struct text *out)
{
    size_t begin = map->keys[at]->begin, end = map->items[at]->end;
    if (at + 1 < map->count)
        end = map->keys[at + 1]->begin;
    else if (at && !has_comment(edit, map->items[at - 1]->end, begin))
        begin = map->items[at - 1]->end;
    replace(edit, begin, end, "", out);
}

static int take_from_block(const struct yaml_edit *edit, const struct yaml_place *map, size_t at,
                           struct text *out, struct error *err)
{
    size_t begin = map->keys[at]->begin, end = map->items[at]->end;
    size_t line = yaml_places_line(edit->bytes, begin);
    end = end < map->keys[at]->end ? map->keys[at]->end : end;
    if (!is_blank(edit, line, begin)) { /* "- key: value": the next key takes its place */
        if (at + 1 == map->count || has_comment(edit, begin, map->keys[at + 1]->begin))
            return refuse(edit, map->keys[at], err, "it cannot be taken out of the line that it stands in");
        replace(edit, begin, map->keys[at + 1]->begin, "", out);
        return 0;
    }
    end = yaml_places_line_end(edit->bytes, edit->length, end);
    size_t after = yaml_places_break(edit->bytes, edit->length, end);
    if (!after && line) /* the last line has no line break: nor has the one before it now */
        line -= line > 1 && edit->bytes[line - 2] == '\r' ? 2 : 1;
    replace(edit, line, end + after, "", out);
    return 0;
}

/* Whether the map that holds this step goes with it: it has nothing else in it, and no comment. */
static bool goes_along(const struct walk *walk, size_t step)
{
    const struct yaml_edit *edit = walk->edit;
    const struct yaml_place *map = walk->maps[step], *above = walk->maps[step - 1];
    if (map->count != 1 || map->part->kind != YAML_PART_MAP || above->part->kind != YAML_PART_MAP ||
        map->part->flow != above->part->flow)
        return false;
    size_t colon = behind_colon(edit, above->keys[walk->at[step - 1]]);
    return colon &&
           (map->part->flow ? is_blank(edit, colon, map->begin) && !has_comment(edit, map->begin, map->end)
                            : is_blank(edit, colon, map->keys[0]->begin));
}

static int take_out(const struct walk *walk, struct text *out, struct error *err)
{
    const struct yaml_edit *edit = walk->edit;
    if (refuse_shared(edit, walk->last, err) < 0)
        return -1;
    if (yaml_places_has_anchor(walk->last))
        return refuse(edit, walk->last, err, "something in what stands here has an &anchor");
    size_t step = edit->depth - 1;
    while (step > edit->stays && goes_along(walk, step))
        step--;
    const struct yaml_place *map = walk->maps[step];
    if (map->part->flow)
        take_from_flow(edit, map, walk->at[step], out);
    else
        return take_from_block(edit, map, walk->at[step], out, err);
    return 0;
}

static int read(const struct yaml_edit *edit, const char *bytes, size_t length, struct node **out,
                struct error *err)
{
    AUTO_WORDS faults = WORDS_INIT;
    if ((edit->forgiving ? yaml_read_forgiving : yaml_read)(bytes, length, edit->name, out, &faults) == 0)
        return 0;
    AUTO_FREE char *lines = words_join(&faults, "\n");
    return error_set(err, ERROR_PROJECT, "%s", lines);
}

int yaml_edit(const struct yaml_edit *edit, const struct node *value, struct text *out, struct error *err)
{
    AUTO_YAML_PARTS parts = {0};
    AUTO_NODE *before = NULL, *after = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    AUTO_TEXT changed = TEXT_INIT;
    AUTO_ERROR why = ERROR_INIT;
    struct walk way;
    if (read(edit, edit->bytes, edit->length, &before, err) < 0)
        return -1;
    if (!value && !yaml_steps_find(before, edit->path, edit->depth)) {
        text_add_bytes(out, edit->bytes, edit->length);
        return 0;
    }
    if (yaml_parts_read(edit->bytes, edit->length, edit->name, &parts, &faults) < 0)
        return error_set(err, ERROR_PROJECT, "%s", faults.items[0]);
    AUTO_YAML_PLACES *root = yaml_places_make(&parts, edit->bytes);
    if (walk(edit, root, &way, err) < 0)
        return -1;
    if (!value && way.found < edit->depth)
        return refuse(edit, way.last, err, "'%s' comes in here by '<<'", edit->path[way.found].key);
    if ((value ? set(&way, before, value, &changed, err) : take_out(&way, &changed, err)) < 0)
        return -1;
    bool good = read(edit, text_string(&changed), changed.length, &after, &why) == 0 &&
                yaml_steps_as_asked(before, after, edit->path, edit->depth, value);
    if (!good)
        return refuse(edit, way.last, err, "the change would alter more than this one value%s%s",
                      why.kind ? ": " : "", why.kind ? error_text(&why) : "");
    text_add_bytes(out, text_string(&changed), changed.length);
    return 0;
}
