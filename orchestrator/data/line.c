#include "data/line.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <stddef.h>
#include <string.h>

enum { NAME_LIMIT = 1024, CAUSE_LIMIT = 2048 };

static const char *const kinds[] = {
    [LINE_PLAY_START] = "play_start", [LINE_NO_HOSTS] = "no_hosts", [LINE_TASK_START] = "task_start", [LINE_RESULT] = "result",
    [LINE_ASYNC_POLL] = "async_poll", [LINE_HANDLER] = "handler",   [LINE_NOTIFY] = "notify",         [LINE_UNREACHABLE] = "unreachable",
    [LINE_STATS] = "stats",           [LINE_END] = "end",           [LINE_REFUSED] = "refused",
};

static const char *const statuses[] = {
    [STATUS_OK] = "ok", [STATUS_CHANGED] = "changed", [STATUS_FAILED] = "failed", [STATUS_SKIPPED] = "skipped",
};

static const struct {
    const char *key;
    size_t offset, limit;
} strings[] = {
    {"host", offsetof(struct line, host), NAME_LIMIT},     {"play", offsetof(struct line, play), NAME_LIMIT},
    {"role", offsetof(struct line, role), NAME_LIMIT},     {"task", offsetof(struct line, task), NAME_LIMIT},
    {"uuid", offsetof(struct line, uuid), NAME_LIMIT},     {"path", offsetof(struct line, path), NAME_LIMIT},
    {"action", offsetof(struct line, action), NAME_LIMIT}, {"cause_text", offsetof(struct line, cause_text), CAUSE_LIMIT},
};

/* Index of the name in a list of that many, -1 when it is not there. */
static int find(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; name && i < count; i++)
        if (text_is(name, names[i]))
            return (int)i;
    return -1;
}

static bool is_printable(const char *string, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)string[i];
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)string[i + 1] < 0xa0))
            return false;
    }
    return true;
}

/* The member as bounded printable text. Bytes that are not so are replaced within `object`, so that the caller can borrow. */
static const char *clean_member(struct json *object, const char *key, size_t limit)
{
    const char *found = json_get_string(object, key, NULL);
    if (!found)
        return NULL;
    size_t length = strlen(found);
    if (length <= limit && is_printable(found, length))
        return found;
    if (length > limit)
        for (length = limit; length && ((unsigned char)found[length] & 0xc0) == 0x80;)
            length--;
    AUTO_FREE char *piece = xstrndup(found, length);
    for (char *at = piece; *at; at++)
        if (*at == '\n' || *at == '\r' || *at == '\t')
            *at = ' ';
    AUTO_TEXT clean = TEXT_INIT;
    text_add_printable(&clean, piece, length);
    json_set_string(object, key, text_string(&clean));
    return json_get_string(object, key, NULL);
}

/* A number from outside, kept where sums of a million of them still fit. */
static int64_t number(const struct json *object, const char *key, int64_t limit)
{
    int64_t value = json_get_integer(object, key, 0);
    return value < 0 ? 0 : value > limit ? limit : value;
}

int line_parse(const char *bytes, size_t length, struct line *out, struct error *err)
{
    const int64_t count_limit = INT64_C(1) << 40, duration_limit = 100 * 86400 * NS_PER_S;
    AUTO_JSON *json = json_parse(bytes, length, err);
    if (!json)
        return error_prefix(err, "event line");
    if (!json_is_object(json))
        return error_set(err, ERROR_PROJECT, "event line: it is no JSON object");
    int64_t version = json_get_integer(json, "v", 0);
    if (version != 1)
        return error_set(err, ERROR_PROJECT, "event line: version %lld, this triphase reads version 1", (long long)version);
    const char *name = clean_member(json, "kind", NAME_LIMIT);
    int kind = find(name, kinds, COUNT_OF(kinds));
    if (kind < 0)
        return error_set(err, ERROR_PROJECT, "event line: unknown kind '%.40s'", name ? name : "");
    struct line line = {.kind = (enum line_kind)kind, .seq = json_get_integer(json, "seq", 0)};
    if (line.seq < 1)
        return error_set(err, ERROR_PROJECT, "event line of kind %s: no seq", kinds[kind]);
    if (line.kind == LINE_RESULT) {
        int status = find(json_get_string(json, "status", NULL), statuses, COUNT_OF(statuses));
        if (status < 0)
            return error_set(err, ERROR_PROJECT, "event line %lld: a result without a status that is known", (long long)line.seq);
        line.status = (enum line_status)status;
    }
    if (line.kind == LINE_END && json_get_integer(json, "count", -1) < 0)
        return error_set(err, ERROR_PROJECT, "event line %lld: an end without a count", (long long)line.seq);
    for (size_t i = 0; i < COUNT_OF(strings); i++)
        *(const char **)(void *)((char *)&line + strings[i].offset) = clean_member(json, strings[i].key, strings[i].limit);
    line.wall_ns = number(json, "t", INT64_MAX);
    line.monotonic_ns = number(json, "m", INT64_MAX);
    line.async = json_get_integer(json, "async", 0) != 0; /* -1: a template */
    line.ignored = json_get_bool(json, "ignored");
    line.rescued = json_get_bool(json, "rescued");
    line.handler = json_get_bool(json, "handler");
    line.items = number(json, "items", count_limit);
    line.duration_ns = number(json, "duration_ns", duration_limit);
    line.count = number(json, "count", INT64_MAX);
    line.json = TAKE(json);
    *out = line;
    return 0;
}

void line_free(struct line *line)
{
    json_free(line->json);
    *line = (struct line){0};
}
