#include "redact/value.h"

#include "base/memory.h"
#include "redact/token.h"

#include <stdint.h>
#include <string.h>

/* Where one form can be read in several ways, so many are tried. GAP: bytes between
 * two characters of a value. */
enum { BRANCHES = 4096, GAP = 128, CORE_CUT_LEAST = 6, LEVELS = 3, SEEN = 512 };

/* What is percent-encoded is decoded from its first bytes alone until these can be the value's; what lies so
 * near their end may go on behind it. */
enum { BEGIN = 1024, BEGIN_EDGE = 640 };

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool redact_value_is_digit64(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '-' || c == '_';
}

static void pattern_room(struct redact_pattern *pattern, size_t room)
{
    *pattern = (struct redact_pattern){.bytes = xmalloc(room + 1), .gap = xcalloc(room + 1, sizeof(bool))};
}

static void pattern_clear(struct redact_pattern *pattern)
{
    memory_free_secret(pattern->bytes, pattern->length);
    free(pattern->gap);
}

/* The digits whose six bits all come from the value, when `before` bytes of
 * something else stand before it. */
static void make_core(const unsigned char *bytes, size_t length, size_t before, struct redact_pattern *out)
{
    size_t first = (8 * before + 5) / 6, last = 8 * (before + length) / 6;
    pattern_room(out, last - first);
    for (size_t digit = first; digit < last; digit++) {
        unsigned index = 0;
        for (size_t bit = 6 * digit; bit < 6 * digit + 6; bit++)
            index = index << 1 | (bytes[bit / 8 - before] >> (7 - bit % 8) & 1u);
        out->bytes[out->length++] = (unsigned char)digits64[index];
    }
}

static void make_text(const unsigned char *bytes, size_t length, bool whole, struct redact_pattern *out)
{
    out->length = 0;
    bool gap = false;
    for (size_t i = 0; i < length; i++) {
        bool noise = redact_is_noise(bytes[i]);
        gap |= redact_is_blank(bytes[i]);
        if (noise && !whole)
            continue;
        out->gap[out->length] = gap;
        out->bytes[out->length++] = bytes[i];
        gap = i > 1 && redact_break(bytes + i - 1, 2) + redact_break(bytes + i - 2, 3) > 0;
    }
}

void redact_value_make(const char *kind, const char *bytes, size_t length, struct redact_value *out)
{
    *out = (struct redact_value){.kind = xstrdup(kind), .bytes = xmalloc(length), .length = length};
    memcpy(out->bytes, bytes, length);
    struct redact_pattern *text = &out->patterns[0];
    pattern_room(text, length);
    make_text(out->bytes, length, false, text);
    if (text->length < REDACT_VALUE_LEAST)
        make_text(out->bytes, length, true, text);
    for (size_t i = 1; i < REDACT_PATTERNS; i++)
        make_core(out->bytes, length, i - 1, &out->patterns[i]);
}

void redact_value_clear(struct redact_value *value)
{
    free(value->kind);
    memory_free_secret(value->bytes, value->length);
    for (size_t i = 0; i < REDACT_PATTERNS; i++)
        pattern_clear(&value->patterns[i]);
    *value = (struct redact_value){0};
}

/* What a byte of base64 is in the URL's alphabet. */
static unsigned char url64(unsigned char c)
{
    return c == '+' ? '-' : c == '/' ? '_' : c;
}

size_t redact_value_firsts(const struct redact_value *value, int pattern, unsigned char firsts[2])
{
    firsts[0] = value->patterns[pattern].bytes[0];
    firsts[1] = (unsigned char)url64(firsts[0]);
    return pattern && firsts[1] != firsts[0] ? 2 : 1;
}

bool redact_value_goes_on(const struct redact_value *value, int pattern, const unsigned char *data,
                          size_t length)
{
    unsigned char second = value->patterns[pattern].bytes[1];
    return length < 2 || data[1] == second || (pattern && data[1] == url64(second)) || data[1] == '%' ||
           data[1] == '&' || data[1] == '+' || redact_is_noise(data[1]);
}

/* ---- one pattern ---- */

/* What stands between two characters of the pattern. */
struct gap {
    size_t length;
    bool slash, newline;
};

struct state {
    size_t in_pattern, at;
    struct gap gap;
};

struct search {
    const struct redact_pattern *pattern;
    bool base64;
    const unsigned char *data;
    size_t length;
    bool final;
    size_t edge;          /* not 0: so near the end of the data all may be the value */
    size_t cut_least;     /* so much of the pattern tells it where the rest is cut off */
    struct state *others; /* to be tried when this way leads nowhere, the next one last */
    size_t other_count, other_room;
    bool open;    /* the data ended within it */
    bool percent; /* a % was met: what is encoded there may be the value */
    int branches; /* left to try */
    bool remembers;
    uint64_t seen[SEEN]; /* in_pattern and at of what is among them or was, by their sum; once `remembers` */
};

static bool is_wanted(const struct search *search, size_t in_pattern, const struct redact_token *token)
{
    const struct redact_pattern *pattern = search->pattern;
    if (token->count > pattern->length - in_pattern)
        return false;
    const unsigned char *wanted = pattern->bytes + in_pattern;
    return !memcmp(token->bytes, wanted, token->count) ||
           (search->base64 && token->count == 1 && token->bytes[0] == url64(*wanted));
}

/* Whether this may be passed over there. */
static bool is_passable(const struct search *search, size_t in_pattern, const struct gap *gap,
                        unsigned char c, bool escaped)
{
    if (!in_pattern || !redact_is_noise(c))
        return false;
    bool newline = c == '\n' || c == '\r';
    if (search->base64)
        return newline || c == '\\' || (gap->newline && redact_is_blank(c));
    return !redact_is_blank(c) || escaped || gap->slash || search->pattern->gap[in_pattern];
}

enum { WAYS_MOST = 2 * REDACT_TOKENS_MOST + 3 };

static void add_way(struct redact_token ways[WAYS_MOST], size_t *count, struct redact_token way)
{
    size_t at = (*count)++;
    for (; at && ways[at - 1].length < way.length; at--)
        ways[at] = ways[at - 1];
    ways[at] = way;
}

/* What stands here can be: each way to pass over it (count 0) or to match the pattern,
 * those that take most first. */
static size_t ways_on(const struct search *search, size_t in_pattern, size_t at, const struct gap *gap,
                      struct redact_token ways[WAYS_MOST])
{
    struct redact_token tokens[REDACT_TOKENS_MOST + 1];
    const unsigned char *data = search->data + at;
    size_t count = 0, found = redact_tokens(data, search->length - at, tokens);
    tokens[found++] = (struct redact_token){{*data}, 1, 1, redact_is_noise(*data)};
    for (size_t i = 0; i < found && gap->length < GAP; i++) {
        bool literal = tokens[i].length == 1, form = tokens[i].bytes[0] == '+'; /* a space there */
        unsigned char byte = form ? ' ' : tokens[i].bytes[0];
        if ((form || (tokens[i].noise && !(literal && count && *data == '\\'))) &&
            is_passable(search, in_pattern, gap, byte, !literal))
            add_way(ways, &count, (struct redact_token){{byte}, 0, tokens[i].length, true});
    }
    for (size_t i = 0; i < found; i++)
        if (is_wanted(search, in_pattern, &tokens[i]))
            add_way(ways, &count, tokens[i]);
    return count;
}

/* The data was cut off here, or within the escape that begins here. */
static bool is_cut(const struct search *search, size_t in_pattern, size_t at)
{
    if (search->edge)
        return at + search->edge >= search->length;
    return search->final && in_pattern >= search->cut_least && 2 * in_pattern >= search->pattern->length &&
           (at == search->length || redact_token_is_cut(search->data + at, search->length - at));
}

static struct gap gap_behind(struct gap gap, const struct redact_token *way)
{
    if (way->count)
        return (struct gap){0};
    bool newline = way->bytes[0] == '\n' || way->bytes[0] == '\r',
         slash = way->length > 1 || way->bytes[0] == '\\';
    return (struct gap){gap.length + way->length, gap.slash || slash, gap.newline || newline};
}

/* The place where it is noted that this state was met; which one is told by its content. */
static uint64_t *note_of(struct search *search, uint64_t state)
{
    if (!search->remembers)
        memset(search->seen, 0, sizeof search->seen);
    search->remembers = true;
    return &search->seen[(state ^ state >> 32) % SEEN];
}

static void put_off(struct search *search, struct state state)
{
    uint64_t name = (uint64_t)state.in_pattern << 32 | state.at, *note = note_of(search, name);
    if (*note == name || search->branches <= 0)
        return;
    *note = name;
    search->branches--;
    if (search->other_count == search->other_room) {
        search->other_room = search->other_room ? 2 * search->other_room : 16;
        search->others = xreallocarray(search->others, search->other_room, sizeof *search->others);
    }
    search->others[search->other_count++] = state;
}

/* A %XX stands there, behind backslashes or not: what encodes leaves none within any other escape. */
static bool meets_percent(const unsigned char *at, size_t left)
{
    for (; left && *at == '\\'; left--)
        at++;
    return left && *at == '%';
}

/* End of the match in the data, 0 where there is none. */
static size_t match(struct search *search)
{
    struct state now = {0};
    while (now.in_pattern < search->pattern->length) {
        struct redact_token ways[WAYS_MOST];
        size_t left = search->length - now.at;
        search->percent |= left && meets_percent(search->data + now.at, left);
        search->open |= now.in_pattern && (!left || redact_token_is_open(search->data + now.at, left));
        size_t count = now.at < search->length ? ways_on(search, now.in_pattern, now.at, &now.gap, ways) : 0;
        if (!count && is_cut(search, now.in_pattern, now.at))
            return search->length;
        for (size_t i = count; i-- > 1;)
            put_off(search, (struct state){now.in_pattern + ways[i].count, now.at + ways[i].length,
                                           gap_behind(now.gap, &ways[i])});
        if (count)
            now = (struct state){now.in_pattern + ways[0].count, now.at + ways[0].length,
                                 gap_behind(now.gap, &ways[0])};
        else if (search->other_count)
            now = search->others[--search->other_count];
        else
            return 0;
    }
    return now.at;
}

/* What the value ends with and the pattern has not: as far as it stands there unchanged, and no
 * string's end is taken away. */
static size_t with_tail(const struct redact_value *value, const unsigned char *data, size_t length,
                        size_t end)
{
    size_t tail = value->length;
    while (tail && redact_is_noise(value->bytes[tail - 1]))
        tail--;
    for (; tail < value->length && end < length && data[end] == value->bytes[tail]; tail++, end++)
        if (value->bytes[tail] == '"' || value->bytes[tail] == '\\')
            break;
    return end;
}

/* Backslashes at the end of a value that has little else: as many as belong together go. */
static size_t with_slashes(const unsigned char *data, size_t length, size_t end)
{
    size_t run = 0, all;
    while (run < end && data[end - 1 - run] == '\\')
        run++;
    for (all = run; run && end + all - run < length && data[end + all - run] == '\\';)
        all++;
    return run ? end - run + all - all % 2 : end;
}

static struct redact_value_hit find(const struct redact_value *value, int pattern, const unsigned char *data,
                                    size_t length, bool final, size_t edge, bool *percent)
{
    struct search search;
    search.pattern = &value->patterns[pattern];
    search.base64 = pattern > 0;
    search.data = data;
    search.length = length;
    search.final = final;
    search.edge = edge;
    search.cut_least = pattern ? CORE_CUT_LEAST : REDACT_VALUE_LEAST;
    search.open = search.percent = false;
    search.branches = BRANCHES;
    search.others = NULL;
    search.other_count = search.other_room = 0;
    search.remembers = false;
    size_t end = match(&search);
    free(search.others);
    *percent = search.percent;
    if (!end || pattern == 0)
        return (struct redact_value_hit){
            end ? with_slashes(data, length, with_tail(value, data, length, end)) : 0, false, search.open};
    bool cut = 8 * ((size_t)pattern - 1 + value->length) % 6 != 0;
    if (cut && end < length && redact_value_is_digit64(data[end]))
        end++;
    return (struct redact_value_hit){end, pattern > 1, search.open};
}

/* The same in what is percent-encoded here: decoded once, and what that makes once more. */
static struct redact_value_hit find_encoded(const struct redact_value *value, int pattern,
                                            const unsigned char *data, size_t length, bool final, size_t edge,
                                            int levels)
{
    unsigned char *plain = xmalloc(length + 1);
    AUTO_FREE size_t *offsets = xcalloc(length + 1, sizeof *offsets);
    size_t count = 0;
    for (size_t at = 0; at < length; count++) {
        size_t taken = redact_percent(data + at, length - at, &plain[count]);
        offsets[count] = at;
        if (!taken)
            plain[count] = data[at];
        at += taken ? taken : 1;
    }
    offsets[count] = length;
    size_t inner = count;
    while (inner && offsets[inner - 1] + edge >= length)
        inner--;
    edge = edge ? count - inner : 0;
    bool percent;
    struct redact_value_hit hit = find(value, pattern, plain, count, final, edge, &percent);
    if (!hit.length && levels > 1 && count < length && percent) {
        bool open = hit.open;
        hit = find_encoded(value, pattern, plain, count, final, edge, levels - 1);
        hit.open |= open;
    }
    hit.length = hit.length ? offsets[hit.length] : 0;
    memory_free_secret(plain, length + 1);
    return hit;
}

struct redact_value_hit redact_value_find(const struct redact_value *value, int pattern,
                                          const unsigned char *data, size_t length, bool final)
{
    size_t most = value->length * REDACT_VALUE_EXPANSION + REDACT_VALUE_SLACK;
    bool whole = length <= most, last = final && whole;
    if (!whole)
        length = most;
    bool percent;
    struct redact_value_hit hit = find(value, pattern, data, length, last, 0, &percent);
    bool open = hit.open;
    if (!hit.length && percent &&
        (length <= BEGIN || find_encoded(value, pattern, data, BEGIN, false, BEGIN_EDGE, LEVELS).length)) {
        hit = find_encoded(value, pattern, data, length, last, 0, LEVELS);
        open |= hit.open;
    }
    hit.open = open && whole && !final;
    return hit;
}
