#include "event/line.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/host_key_change.h"
#include "event/line_members.h"

#include <string.h>

static const char *const kinds[] = {
    [LINE_PLAY_START] = "play_start", [LINE_NO_HOSTS] = "no_hosts",
    [LINE_TASK_START] = "task_start", [LINE_RESULT] = "result",
    [LINE_ASYNC_POLL] = "async_poll", [LINE_HANDLER] = "handler",
    [LINE_NOTIFY] = "notify",         [LINE_UNREACHABLE] = "unreachable",
    [LINE_STATS] = "stats",           [LINE_END] = "end",
    [LINE_REFUSED] = "refused",       [LINE_NEVER_RAN] = "never_ran",
    [LINE_HOST_START] = "host_start", [LINE_TOLD] = "told",
};

static const char *const statuses[] = {
    [STATUS_OK] = "ok",
    [STATUS_CHANGED] = "changed",
    [STATUS_FAILED] = "failed",
    [STATUS_SKIPPED] = "skipped",
};

/* Index of the name in a list of that many, -1 when it is not there. */
static int find(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; name && i < count; i++)
        if (text_is(name, names[i]))
            return (int)i;
    return -1;
}

/* A number from outside, kept where sums of a million of them still fit. */
static int64_t bounded(int64_t value, int64_t limit)
{
    return value < 0 ? 0 : value > limit ? limit : value;
}

/* What a line of that kind has besides its members is read from its JSON. */
static bool needs_json(enum line_kind kind)
{
    return kind == LINE_PLAY_START || kind == LINE_HANDLER || kind == LINE_NOTIFY || kind == LINE_STATS ||
           kind == LINE_REFUSED || kind == LINE_TOLD;
}

static int fill(const struct line_members *members, struct line *out, struct error *err)
{
    const int64_t count_limit = INT64_C(1) << 40, duration_limit = 100 * 86400 * NS_PER_S;
    const char *const *text = members->text;
    const int64_t *number = members->number;
    if (number[MEMBER_V] != 1 || !members->is_number[MEMBER_V])
        return error_set(err, ERROR_PROJECT, "event line: version %lld, this triphase reads version 1",
                         (long long)number[MEMBER_V]);
    int kind = find(text[MEMBER_KIND], kinds, COUNT_OF(kinds));
    if (kind < 0)
        return error_set(err, ERROR_PROJECT, "event line: unknown kind '%.40s'",
                         text[MEMBER_KIND] ? text[MEMBER_KIND] : "");
    if (number[MEMBER_SEQ] < 1 || !members->is_number[MEMBER_SEQ])
        return error_set(err, ERROR_PROJECT, "event line of kind %s: no seq", kinds[kind]);
    int status = find(text[MEMBER_STATUS], statuses, COUNT_OF(statuses));
    if (kind == LINE_RESULT && status < 0)
        return error_set(err, ERROR_PROJECT, "event line %lld: a result without a status that is known",
                         (long long)number[MEMBER_SEQ]);
    if (kind == LINE_END && (number[MEMBER_COUNT] < 0 || !members->is_number[MEMBER_COUNT]))
        return error_set(err, ERROR_PROJECT, "event line %lld: an end without a count",
                         (long long)number[MEMBER_SEQ]);
    if (kind == LINE_TOLD && (!text[MEMBER_SUBJECT] || !text[MEMBER_TEXT]))
        return error_set(err, ERROR_PROJECT, "event line %lld: something told without a subject or a text",
                         (long long)number[MEMBER_SEQ]);
    *out = (struct line){
        .kind = (enum line_kind)kind,
        .status = (enum line_status)(kind == LINE_RESULT ? status : 0),
        .seq = number[MEMBER_SEQ],
        .wall_ns = bounded(number[MEMBER_T], INT64_MAX),
        .monotonic_ns = bounded(number[MEMBER_M], INT64_MAX),
        .host = text[MEMBER_HOST],
        .play = text[MEMBER_PLAY],
        .role = text[MEMBER_ROLE],
        .task = text[MEMBER_TASK],
        .uuid = text[MEMBER_UUID],
        .path = text[MEMBER_PATH],
        .action = text[MEMBER_ACTION],
        .delegate = text[MEMBER_DELEGATE],
        .cause_text = text[MEMBER_CAUSE],
        .async = members->is_number[MEMBER_ASYNC] && number[MEMBER_ASYNC], /* -1: a template */
        .ignored = !members->is_number[MEMBER_IGNORED] && number[MEMBER_IGNORED],
        .rescued = !members->is_number[MEMBER_RESCUED] && number[MEMBER_RESCUED],
        .handler = !members->is_number[MEMBER_HANDLER] && number[MEMBER_HANDLER],
        .unchecked = !members->is_number[MEMBER_UNCHECKED] && number[MEMBER_UNCHECKED],
        .items = bounded(number[MEMBER_ITEMS], count_limit),
        .duration_ns = bounded(number[MEMBER_DURATION], duration_limit),
        .count = bounded(number[MEMBER_COUNT], INT64_MAX),
    };
    return 0;
}

/* ssh's page about a host key is put in two lines. */
static void put_in_other_words(struct line *line)
{
    if (line->kind != LINE_UNREACHABLE || !line->cause_text || !line->host)
        return;
    line->told = host_key_change_text(line->cause_text, line->host, line->host, true);
    if (line->told)
        line->cause_text = line->told;
}

/* What it says of the task and what was told; of a detail that is none, or too large, nothing. */
static char *note_of_told(const struct line *line, const struct line_members *members)
{
    enum { DETAIL_MOST = 4096 };
    AUTO_JSON *note = json_new_object();
    struct json *detail = json_get(line->json, "detail");
    AUTO_FREE char *size = json_is_object(detail) ? json_compact(detail) : NULL;
    json_set_string(note, "host", line->host);
    if (line->role)
        json_set_string(note, "role", line->role);
    json_set_string(note, "task", line->task);
    json_set_string(note, "subject", members->text[MEMBER_SUBJECT]);
    json_set_string(note, "text", members->text[MEMBER_TEXT]);
    json_set(note, "detail", size && strlen(size) <= DETAIL_MOST ? json_keep(detail) : json_new_object());
    return json_compact(note);
}

/* The whole grammar, for what the quick way did not take. */
static int parse_any(const char *bytes, size_t length, struct line *out, struct error *err)
{
    struct line_members members;
    AUTO_JSON *json = json_parse(bytes, length, err);
    if (!json)
        return error_prefix(err, "event line");
    if (!json_is_object(json))
        return error_set(err, ERROR_PROJECT, "event line: it is no JSON object");
    line_members_read(json, &members);
    if (fill(&members, out, err) < 0)
        return -1;
    out->json = TAKE(json);
    out->note = out->kind == LINE_TOLD ? note_of_told(out, &members) : NULL;
    put_in_other_words(out);
    return 0;
}

int line_parse(const char *bytes, size_t length, struct line *out, struct error *err)
{
    struct line_members members;
    struct line line;
    AUTO_FREE char *copy = NULL;
    if (!line_members_scan(bytes, length, &members, &copy) || fill(&members, &line, NULL) < 0 ||
        needs_json(line.kind))
        return parse_any(bytes, length, out, err);
    line.copy = TAKE(copy);
    put_in_other_words(&line);
    *out = line;
    return 0;
}

void line_clear(struct line *line)
{
    json_free(line->json);
    free(line->note);
    free(line->told);
    free(line->copy);
    *line = (struct line){0};
}
