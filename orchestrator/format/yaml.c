#include "format/yaml.h"

#include "base/file.h"
#include "base/memory.h"
#include "format/yaml_anchors.h"
#include "format/yaml_faults.h"
#include "format/yaml_keys.h"
#include "format/yaml_parts.h"
#include "format/yaml_tags.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

enum { FILE_LIMIT = 1 << 20, NODE_LIMIT = 100000, DEPTH_LIMIT = 64 };

static const char byte_order_mark[] = "\xef\xbb\xbf";

/* Reading */

struct reader {
    yaml_parser_t parser;
    const char *bytes;
    size_t length;
    struct yaml_faults faults;
    struct yaml_keys keys;
    struct yaml_anchors anchors;
    size_t node_count;
};

static struct node_place place_of(yaml_mark_t mark)
{
    return (struct node_place){(int)mark.line + 1, (int)mark.column + 1};
}

static int next_event(struct reader *reader, yaml_event_t *event)
{
    if (yaml_parser_parse(&reader->parser, event))
        return 0;
    const yaml_parser_t *parser = &reader->parser;
    const char *problem = parser->problem ? parser->problem : "cannot be read as YAML";
    if (parser->error == YAML_MEMORY_ERROR)
        abort();
    if (parser->error == YAML_READER_ERROR)
        yaml_faults_add(&reader->faults,
                        yaml_faults_place(reader->bytes, reader->length, parser->problem_offset), "%s",
                        problem);
    else if (parser->context && parser->context_mark.line != parser->problem_mark.line)
        yaml_faults_add(&reader->faults, place_of(parser->problem_mark), "%s (%s, which began in line %zu)",
                        problem, parser->context, parser->context_mark.line + 1);
    else
        yaml_faults_add(&reader->faults, place_of(parser->problem_mark), "%s%s%s%s", problem,
                        parser->context ? " (" : "", parser->context ? parser->context : "",
                        parser->context ? ")" : "");
    return -1;
}

static int count_nodes(struct reader *reader, struct node_place at, size_t more)
{
    reader->node_count += more;
    if (reader->node_count <= NODE_LIMIT)
        return 0;
    yaml_faults_add(&reader->faults, at,
                    "more than %d values once aliases are followed; a file this large is refused",
                    (int)NODE_LIMIT);
    return -1;
}

static int depth_of(const struct node *node)
{
    int deepest = 0;
    for (size_t i = 0; i < node->count; i++) {
        int depth = depth_of(node->items[i]);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

static int read_alias(struct reader *reader, const yaml_event_t *event, int depth, struct node **out)
{
    struct node_place at = place_of(event->start_mark);
    const char *name = (const char *)event->data.alias.anchor;
    const struct node *meant = NULL;
    bool known = yaml_anchors_find(&reader->anchors, name, &meant);
    AUTO_FREE char *show = text_shown(name);
    if (!meant) {
        yaml_faults_add(&reader->faults, at,
                        known ? "the alias *%s stands inside what it means"
                              : "the alias *%s means nothing: no &anchor of that name before it",
                        show);
        *out = node_new_string("");
        return 0;
    }
    if (count_nodes(reader, at, node_size(meant)) < 0)
        return -1;
    if (depth + depth_of(meant) > DEPTH_LIMIT) {
        yaml_faults_add(&reader->faults, at, "more than %d levels once aliases are followed",
                        (int)DEPTH_LIMIT);
        return -1;
    }
    *out = node_copy(meant);
    return 0;
}

static struct node *read_scalar(struct reader *reader, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    struct node_place at = place_of(event->start_mark);
    if (strlen(text) != event->data.scalar.length) {
        yaml_faults_add(&reader->faults, at, "a NUL character in a value");
        return node_new_string("");
    }
    return yaml_tags_scalar(&reader->faults, at, (const char *)event->data.scalar.tag, text,
                            event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE);
}

static int read_node(struct reader *reader, const yaml_event_t *event, int depth, struct node **out);

static int read_list(struct reader *reader, int depth, struct node *list)
{
    for (;;) {
        yaml_event_t event;
        if (next_event(reader, &event) < 0)
            return -1;
        struct node *item = NULL;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        int result = end ? 0 : read_node(reader, &event, depth, &item);
        yaml_event_delete(&event);
        if (end || result < 0)
            return result;
        node_append(list, item);
    }
}

static int read_map(struct reader *reader, int depth, struct node *map)
{
    const struct node *merged = NULL;
    struct node_place merged_at = {0, 0};
    for (;;) {
        yaml_event_t event;
        if (next_event(reader, &event) < 0)
            return -1;
        struct node *key = NULL, *value = NULL;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        bool is_merge = event.type == YAML_SCALAR_EVENT &&
                        event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && event.data.scalar.length == 2 &&
                        memcmp(event.data.scalar.value, "<<", 2) == 0;
        struct node_place at = place_of(event.start_mark);
        int result = end ? 0 : read_node(reader, &event, depth, &key);
        yaml_event_delete(&event);
        if (result < 0)
            return -1;
        if (end)
            break;
        node_append(reader->keys.kept, key);
        if (next_event(reader, &event) < 0)
            return -1;
        result = read_node(reader, &event, depth, &value);
        yaml_event_delete(&event);
        if (result < 0)
            return -1;
        if (is_merge) {
            if (merged)
                yaml_faults_add(&reader->faults, at, "'<<' stands here twice (first in line %d)",
                                merged_at.line);
            node_append(reader->keys.kept, value);
            merged = value;
            merged_at = at;
        } else if (!node_is_scalar(key) || key->kind == NODE_NULL) {
            yaml_faults_add(&reader->faults, at, "a key of a map must be a text, not %s",
                            node_kind_name(key->kind));
            node_append(reader->keys.kept, value);
        } else {
            node_append_key(map, key->text, at, value);
        }
    }
    yaml_keys_check(&reader->keys, map);
    if (merged)
        yaml_keys_merge(&reader->keys, map, merged, merged_at);
    return 0;
}

static int read_node(struct reader *reader, const yaml_event_t *event, int depth, struct node **out)
{
    struct node_place at = place_of(event->start_mark);
    const char *anchor = NULL;
    struct node *node = NULL;
    int result = 0;
    if (depth >= DEPTH_LIMIT) {
        yaml_faults_add(&reader->faults, at, "more than %d levels", (int)DEPTH_LIMIT);
        return -1;
    }
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(reader, event, depth, out);
    if (count_nodes(reader, at, 1) < 0)
        return -1;
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = (const char *)event->data.scalar.anchor;
        if (yaml_anchors_begin(&reader->anchors, &reader->faults, at, anchor) < 0)
            return -1;
        node = read_scalar(reader, event);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = (const char *)event->data.sequence_start.anchor;
        if (yaml_anchors_begin(&reader->anchors, &reader->faults, at, anchor) < 0)
            return -1;
        yaml_tags_collection(&reader->faults, at, (const char *)event->data.sequence_start.tag, "seq");
        node = node_new(NODE_LIST);
        result = read_list(reader, depth + 1, node);
    } else {
        anchor = (const char *)event->data.mapping_start.anchor;
        if (yaml_anchors_begin(&reader->anchors, &reader->faults, at, anchor) < 0)
            return -1;
        yaml_tags_collection(&reader->faults, at, (const char *)event->data.mapping_start.tag, "map");
        node = node_new(NODE_MAP);
        result = read_map(reader, depth + 1, node);
    }
    if (result < 0) {
        node_free(node);
        return -1;
    }
    node->line = at.line;
    node->column = at.column;
    if (anchor)
        yaml_anchors_complete(&reader->anchors, anchor, node);
    *out = node;
    return 0;
}

/* Between STREAM-START and STREAM-END: nothing, or one document. */
static int read_stream(struct reader *reader, struct node **out)
{
    bool seen = false;
    for (;;) {
        yaml_event_t event;
        if (next_event(reader, &event) < 0)
            return -1;
        yaml_event_type_t type = event.type;
        struct node_place at = place_of(event.start_mark);
        int result = 0;
        if (type == YAML_DOCUMENT_START_EVENT && seen) {
            yaml_faults_add(&reader->faults, at, "a second document begins here; one is allowed");
            result = -1;
        } else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                   type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT) {
            seen = true;
            result = read_node(reader, &event, 0, out);
        }
        yaml_event_delete(&event);
        if (result < 0 || type == YAML_STREAM_END_EVENT)
            return result;
    }
}

/* libyaml's own check comes in the midst of a file and names bytes; this one names line and column, and
 * refuses UTF-16 too. */
static int check_encoding(struct reader *reader)
{
    if (text_is_utf8(reader->bytes, reader->length))
        return 0;
    size_t good = 0;
    while (good < reader->length) {
        size_t step = 1;
        while (step <= 4 && good + step <= reader->length && !text_is_utf8(reader->bytes + good, step))
            step++;
        if (step > 4 || good + step > reader->length)
            break;
        good += step;
    }
    yaml_faults_add(&reader->faults, yaml_faults_place(reader->bytes, reader->length, good),
                    "the byte 0x%02x: the file is not UTF-8 text", (unsigned char)reader->bytes[good]);
    return -1;
}

/* Editors of other systems put it there, and Ansible accepts it too. Its length, 0: it is not there. */
static size_t starts_with_mark(const char *bytes, size_t length)
{
    size_t mark = strlen(byte_order_mark);
    return length >= mark && memcmp(bytes, byte_order_mark, mark) == 0 ? mark : 0;
}

static int read_document(bool forgiving, const char *bytes, size_t length, const char *name,
                         struct node **out, struct words *faults)
{
    size_t mark = starts_with_mark(bytes, length);
    bytes += mark;
    length -= mark;
    struct reader reader = {.bytes = bytes,
                            .length = length,
                            .faults = {.name = name, .lines = faults},
                            .keys = {.forgiving = forgiving}};
    reader.keys.faults = &reader.faults;
    AUTO_NODE *tree = NULL;
    int result = -1;
    if (length > FILE_LIMIT) {
        yaml_faults_add(&reader.faults, (struct node_place){1, 1}, "larger than 1 MiB");
        return -1;
    }
    if (check_encoding(&reader) < 0)
        return -1;
    if (!yaml_parser_initialize(&reader.parser))
        abort();
    reader.keys.kept = node_new(NODE_LIST);
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, length);
    result = read_stream(&reader, &tree);
    yaml_parser_delete(&reader.parser);
    node_free(reader.keys.kept);
    yaml_anchors_clear(&reader.anchors);
    yaml_faults_end(&reader.faults);
    size_t forgiven = forgiving && reader.keys.twice <= YAML_FAULTS_MOST ? reader.keys.twice : 0;
    if (result < 0 || reader.faults.count > forgiven)
        return -1;
    *out = tree ? TAKE(tree) : node_new_plain("");
    return 0;
}

int yaml_read(const char *bytes, size_t length, const char *name, struct node **out, struct words *faults)
{
    return read_document(false, bytes, length, name, out, faults);
}

int yaml_read_forgiving(const char *bytes, size_t length, const char *name, struct node **out,
                        struct words *faults)
{
    return read_document(true, bytes, length, name, out, faults);
}

int yaml_read_file(const char *path, const char *name, struct node **out, struct words *faults)
{
    AUTO_TEXT bytes = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    if (file_read(path, FILE_LIMIT, &bytes, &err) < 0) {
        words_addf(faults, "%s:1:1: %s", name, error_text(&err));
        return -1;
    }
    return yaml_read(text_string(&bytes), bytes.length, name, out, faults);
}

/* Parts */

/* libyaml counts characters where bytes are wanted. malloc'ed: the byte of each character, and the end. */
static size_t *bytes_of_characters(const char *bytes, size_t length)
{
    size_t *out = xcalloc(length + 1, sizeof *out), count = 0;
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            out[count++] = i;
    out[count] = length;
    return out;
}

static bool part_of_event(const yaml_event_t *event, struct yaml_part *part)
{
    static const char quotes[] = {[YAML_SINGLE_QUOTED_SCALAR_STYLE] = '\'',
                                  [YAML_DOUBLE_QUOTED_SCALAR_STYLE] = '"',
                                  [YAML_LITERAL_SCALAR_STYLE] = '|',
                                  [YAML_FOLDED_SCALAR_STYLE] = '>'};
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        *part = (struct yaml_part){.kind = YAML_PART_SCALAR,
                                   .anchored = event->data.scalar.anchor,
                                   .tagged = event->data.scalar.tag,
                                   .quote = quotes[event->data.scalar.style],
                                   .text = xstrdup((const char *)event->data.scalar.value)};
        return true;
    case YAML_ALIAS_EVENT:
        *part = (struct yaml_part){.kind = YAML_PART_ALIAS,
                                   .text = xstrdup((const char *)event->data.alias.anchor)};
        return true;
    case YAML_SEQUENCE_START_EVENT:
        *part = (struct yaml_part){.kind = YAML_PART_LIST,
                                   .flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE,
                                   .anchored = event->data.sequence_start.anchor,
                                   .tagged = event->data.sequence_start.tag};
        return true;
    case YAML_MAPPING_START_EVENT:
        *part = (struct yaml_part){.kind = YAML_PART_MAP,
                                   .flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE,
                                   .anchored = event->data.mapping_start.anchor,
                                   .tagged = event->data.mapping_start.tag};
        return true;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        *part = (struct yaml_part){.kind = YAML_PART_END};
        return true;
    default: /* of the stream and the document */
        return false;
    }
}

int yaml_parts_read(const char *bytes, size_t length, const char *name, struct yaml_parts *out,
                    struct words *faults)
{
    size_t mark = starts_with_mark(bytes, length);
    struct reader reader = {.bytes = bytes + mark,
                            .length = length - mark,
                            .faults = {.name = name, .lines = faults}};
    AUTO_YAML_PARTS parts = {0};
    AUTO_FREE size_t *at = bytes_of_characters(reader.bytes, reader.length);
    if (check_encoding(&reader) < 0)
        return -1;
    if (!yaml_parser_initialize(&reader.parser))
        abort();
    yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)reader.bytes, reader.length);
    int result = 0;
    for (bool ended = false; !ended && result == 0;) {
        yaml_event_t event;
        struct yaml_part part;
        if ((result = next_event(&reader, &event)) < 0)
            break;
        ended = event.type == YAML_STREAM_END_EVENT;
        if (part_of_event(&event, &part)) {
            part.begin = mark + at[event.start_mark.index];
            part.end = mark + at[event.end_mark.index];
            parts.items = xreallocarray(parts.items, parts.count + 1, sizeof *parts.items);
            parts.items[parts.count++] = part;
        }
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&reader.parser);
    if (result == 0) {
        *out = parts;
        parts = (struct yaml_parts){0};
    }
    return result;
}

void yaml_parts_clear(struct yaml_parts *parts)
{
    for (size_t i = 0; i < parts->count; i++)
        free(parts->items[i].text);
    free(parts->items);
    *parts = (struct yaml_parts){0};
}

/* Writing */

struct yaml_writer {
    yaml_emitter_t emitter;
    struct text out;
    struct error failure; /* the first */
    int open;             /* collections */
    bool whole;           /* the document's value is complete */
};

static int take_bytes(void *context, unsigned char *bytes, size_t size)
{
    text_add_bytes(&((struct yaml_writer *)context)->out, bytes, size);
    return 1;
}

/* Takes over the event. */
static void emit(struct yaml_writer *writer, yaml_event_t *event, int initialized)
{
    if (!initialized)
        abort(); /* of memory: texts were checked before */
    if (writer->failure.kind) {
        yaml_event_delete(event);
        return;
    }
    if (!yaml_emitter_emit(&writer->emitter, event)) {
        if (writer->emitter.error == YAML_MEMORY_ERROR)
            abort();
        error_set(&writer->failure, ERROR_SYSTEM, "cannot write YAML: %s",
                  writer->emitter.problem ? writer->emitter.problem : "unbalanced");
    }
}

static void value_begin(struct yaml_writer *writer)
{
    if (writer->whole)
        error_set(&writer->failure, ERROR_SYSTEM, "cannot write YAML: a second value at the top");
}

static void value_end(struct yaml_writer *writer)
{
    if (writer->open == 0)
        writer->whole = true;
}

struct yaml_writer *yaml_writer_new(void)
{
    struct yaml_writer *writer = xcalloc(1, sizeof *writer);
    yaml_event_t event;
    if (!yaml_emitter_initialize(&writer->emitter))
        abort();
    yaml_emitter_set_output(&writer->emitter, take_bytes, writer);
    yaml_emitter_set_unicode(&writer->emitter, 1);
    yaml_emitter_set_width(&writer->emitter, -1);
    emit(writer, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    emit(writer, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 0));
    return writer;
}

void yaml_writer_free(struct yaml_writer *writer)
{
    if (!writer)
        return;
    yaml_emitter_delete(&writer->emitter);
    text_clear(&writer->out);
    error_clear(&writer->failure);
    free(writer);
}

void yaml_map_begin(struct yaml_writer *writer)
{
    yaml_event_t event;
    value_begin(writer);
    writer->open++;
    emit(writer, &event,
         yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
}

void yaml_list_begin(struct yaml_writer *writer)
{
    yaml_event_t event;
    value_begin(writer);
    writer->open++;
    emit(writer, &event,
         yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
}

static void collection_end(struct yaml_writer *writer, int (*initialize)(yaml_event_t *))
{
    yaml_event_t event;
    if (writer->open == 0)
        error_set(&writer->failure, ERROR_SYSTEM, "cannot write YAML: an end without a begin");
    else
        writer->open--;
    emit(writer, &event, initialize(&event));
    value_end(writer);
}

void yaml_map_end(struct yaml_writer *writer)
{
    collection_end(writer, yaml_mapping_end_event_initialize);
}

void yaml_list_end(struct yaml_writer *writer)
{
    collection_end(writer, yaml_sequence_end_event_initialize);
}

static void scalar(struct yaml_writer *writer, const char *text, const char *tag, yaml_scalar_style_t style)
{
    yaml_event_t event;
    size_t length = strlen(text);
    value_begin(writer);
    if (!text_is_utf8(text, length) || length > INT_MAX) {
        error_set(&writer->failure, ERROR_SYSTEM, "cannot write YAML: a value is not UTF-8 text");
        return;
    }
    emit(writer, &event,
         yaml_scalar_event_initialize(&event, NULL, (const yaml_char_t *)tag, (const yaml_char_t *)text,
                                      (int)length, !tag, !tag, style));
    value_end(writer);
}

void yaml_string(struct yaml_writer *writer, const char *text)
{
    scalar(writer, text, NULL,
           node_text_is_plain(text) ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

void yaml_unsafe(struct yaml_writer *writer, const char *text)
{
    scalar(writer, text, "!unsafe", YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

void yaml_integer(struct yaml_writer *writer, int64_t value)
{
    AUTO_FREE char *text = xasprintf("%" PRId64, value);
    scalar(writer, text, NULL, YAML_PLAIN_SCALAR_STYLE);
}

void yaml_bool(struct yaml_writer *writer, bool value)
{
    scalar(writer, value ? "true" : "false", NULL, YAML_PLAIN_SCALAR_STYLE);
}

void yaml_null(struct yaml_writer *writer)
{
    scalar(writer, "null", NULL, YAML_PLAIN_SCALAR_STYLE);
}

void yaml_node(struct yaml_writer *writer, const struct node *node)
{
    switch (node->kind) {
    case NODE_NULL:
        yaml_null(writer);
        break;
    case NODE_BOOL:
        yaml_bool(writer, node->boolean);
        break;
    case NODE_INTEGER:
    case NODE_REAL:
        scalar(writer, node->text, NULL, YAML_PLAIN_SCALAR_STYLE);
        break;
    case NODE_STRING:
        if (node->tag)
            scalar(writer, node->text, node->tag, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
        else
            yaml_string(writer, node->text);
        break;
    case NODE_LIST:
        yaml_list_begin(writer);
        for (size_t i = 0; i < node->count; i++)
            yaml_node(writer, node->items[i]);
        yaml_list_end(writer);
        break;
    case NODE_MAP:
        yaml_map_begin(writer);
        for (size_t i = 0; i < node->count; i++) {
            yaml_string(writer, node->keys[i]);
            yaml_node(writer, node->items[i]);
        }
        yaml_map_end(writer);
        break;
    }
}

char *yaml_writer_finish(struct yaml_writer *writer, struct error *err)
{
    yaml_event_t event;
    if (!writer->whole)
        error_set(&writer->failure, ERROR_SYSTEM, "cannot write YAML: %s",
                  writer->open ? "a map or list was not ended" : "no value");
    emit(writer, &event, yaml_document_end_event_initialize(&event, 1));
    emit(writer, &event, yaml_stream_end_event_initialize(&event));
    if (!writer->failure.kind && !yaml_emitter_flush(&writer->emitter))
        abort();
    if (writer->failure.kind) {
        error_set(err, writer->failure.kind, "%s", error_text(&writer->failure));
        return NULL;
    }
    return text_take(&writer->out);
}
