#include "event/line_members.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

static const struct {
    const char *key;
    size_t length, limit; /* limit: of its text, in bytes */
} known[MEMBERS] = {
    [MEMBER_V] = {"v", 1, 0},
    [MEMBER_SEQ] = {"seq", 3, 0},
    [MEMBER_T] = {"t", 1, 0},
    [MEMBER_M] = {"m", 1, 0},
    [MEMBER_KIND] = {"kind", 4, 1024},
    [MEMBER_HOST] = {"host", 4, 1024},
    [MEMBER_PLAY] = {"play", 4, 1024},
    [MEMBER_ROLE] = {"role", 4, 1024},
    [MEMBER_TASK] = {"task", 4, 1024},
    [MEMBER_UUID] = {"uuid", 4, 1024},
    [MEMBER_PATH] = {"path", 4, 1024},
    [MEMBER_ACTION] = {"action", 6, 1024},
    [MEMBER_STATUS] = {"status", 6, 1024},
    [MEMBER_IGNORED] = {"ignored", 7, 0},
    [MEMBER_RESCUED] = {"rescued", 7, 0},
    [MEMBER_DURATION] = {"duration_ns", 11, 0},
    [MEMBER_ITEMS] = {"items", 5, 0},
    [MEMBER_ASYNC] = {"async", 5, 0},
    [MEMBER_POLL] = {"poll", 4, 0},
    [MEMBER_JID] = {"jid", 3, 1024},
    [MEMBER_HANDLER] = {"handler", 7, 0},
    [MEMBER_DELEGATE] = {"delegate", 8, 1024},
    [MEMBER_UNCHECKED] = {"unchecked", 9, 0},
    [MEMBER_CAUSE] = {"cause_text", 10, 2048},
    [MEMBER_COUNT] = {"count", 5, 0},
    [MEMBER_SUBJECT] = {"subject", 7, 128},
    [MEMBER_TEXT] = {"text", 4, 512},
};

/* ---- a flat line ---- */

struct scan {
    char *at, *end;
};

static bool take(struct scan *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* A string without escapes, in place: its closing quote becomes the NUL. */
static char *take_text(struct scan *scan, size_t *length)
{
    if (!take(scan, '"'))
        return NULL;
    char *text = scan->at;
    for (; scan->at < scan->end && *scan->at != '"'; scan->at++) {
        unsigned char c = (unsigned char)*scan->at;
        if (c < 0x20 || c >= 0x7f || c == '\\')
            return NULL;
    }
    if (scan->at == scan->end)
        return NULL;
    *length = (size_t)(scan->at - text);
    *scan->at++ = '\0';
    return text;
}

static bool take_number(struct scan *scan, int64_t *out)
{
    bool minus = take(scan, '-');
    int64_t number = 0;
    const char *first = scan->at;
    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, *scan->at - '0', &number))
            return false;
    if (scan->at == first || (*first == '0' && scan->at - first > 1))
        return false;
    *out = minus ? -number : number;
    return true;
}

static bool take_word(struct scan *scan, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
        return false;
    scan->at += length;
    return true;
}

/* The member of that name, looked for from `from` on; MEMBERS for none. */
static size_t find(const char *key, size_t length, size_t from)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        size_t at = from + i < MEMBERS ? from + i : from + i - MEMBERS;
        if (known[at].length == length && memcmp(known[at].key, key, length) == 0)
            return at;
    }
    return MEMBERS;
}

static bool take_member(struct scan *scan, struct line_members *members, size_t *last, uint32_t *seen)
{
    size_t length, at;
    char *key = take_text(scan, &length);
    if (!key || (at = find(key, length, *last)) == MEMBERS || *seen & UINT32_C(1) << at || !take(scan, ':') ||
        scan->at == scan->end)
        return false;
    *seen |= UINT32_C(1) << at;
    *last = at;
    if (*scan->at == '"') {
        char *text = take_text(scan, &length);
        if (!text || (known[at].limit && length > known[at].limit))
            return false;
        members->text[at] = known[at].limit ? text : NULL;
        return true;
    }
    if (take_word(scan, "true")) {
        members->number[at] = 1;
        return true;
    }
    if (take_word(scan, "false") || take_word(scan, "null"))
        return true;
    members->is_number[at] = true;
    return take_number(scan, &members->number[at]);
}

bool line_members_scan(const char *bytes, size_t length, struct line_members *members, char **copy)
{
    AUTO_FREE char *own = xmalloc(length + 1);
    memcpy(own, bytes, length);
    own[length] = '\0';
    struct scan scan = {own, own + length};
    size_t last = 0;
    uint32_t seen = 0;
    *members = (struct line_members){0};
    if (!take(&scan, '{'))
        return false;
    do {
        if (!take_member(&scan, members, &last, &seen))
            return false;
    } while (take(&scan, ','));
    if (!take(&scan, '}') || scan.at != scan.end)
        return false;
    *copy = TAKE(own);
    return true;
}

/* ---- any line ---- */

static bool is_printable(const char *string, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)string[i];
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && (unsigned char)string[i + 1] < 0xa0))
            return false;
    }
    return true;
}

static const char *clean_text(struct json *object, const char *key, size_t limit)
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

void line_members_read(struct json *object, struct line_members *members)
{
    *members = (struct line_members){0};
    for (size_t i = 0; i < MEMBERS; i++) {
        const char *key = known[i].key;
        const int64_t least = INT64_MIN;
        if (known[i].limit)
            members->text[i] = clean_text(object, key, known[i].limit);
        members->number[i] = json_get_integer(object, key, least);
        members->is_number[i] = members->number[i] != least;
        if (!members->is_number[i])
            members->number[i] = json_get_bool(object, key);
    }
}
