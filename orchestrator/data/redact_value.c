#include "data/redact_value.h"

#include "base/memory.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* Where one form can be read two ways, both are tried, this often and this deep. */
enum { BRANCHES = 4096, DEEPEST = 64, FORMS = 12, ESCAPES = 8, INDENT = 64 };

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool redact_value_is_digit64(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '-' || c == '_';
}

/* The digits whose six bits all come from the value, when `before` bytes of something else stand before it. */
static char *core_of(const unsigned char *bytes, size_t length, size_t before)
{
    size_t first = (8 * before + 5) / 6, last = 8 * (before + length) / 6;
    char *core = xmalloc(last - first + 1);
    for (size_t digit = first; digit < last; digit++) {
        unsigned index = 0;
        for (size_t bit = 6 * digit; bit < 6 * digit + 6; bit++)
            index = index << 1 | (bytes[bit / 8 - before] >> (7 - bit % 8) & 1u);
        core[digit - first] = digits64[index];
    }
    core[last - first] = '\0';
    return core;
}

void redact_value_make(const char *kind, const char *bytes, size_t length, struct redact_value *out)
{
    *out = (struct redact_value){.kind = xstrdup(kind), .bytes = xmalloc(length), .length = length};
    memcpy(out->bytes, bytes, length);
    for (size_t i = 0; i < COUNT_OF(out->cores); i++)
        out->cores[i] = core_of(out->bytes, length, i);
}

void redact_value_clear(struct redact_value *value)
{
    free(value->kind);
    free_secret(value->bytes, value->length);
    for (size_t i = 0; i < COUNT_OF(value->cores); i++)
        free_secret(value->cores[i], value->cores[i] ? strlen(value->cores[i]) : 0);
    *value = (struct redact_value){0};
}

static void mark(unsigned char *pairs, unsigned first, unsigned second)
{
    unsigned at = first << 8 | second;
    pairs[at / 8] |= (unsigned char)(1u << at % 8);
}

static void mark_all(unsigned char *pairs, unsigned first)
{
    for (unsigned second = 0; second < 256; second++)
        mark(pairs, first, second);
}

void redact_value_mark(const struct redact_value *value, unsigned char pairs[65536 / 8])
{
    unsigned first = value->bytes[0], second = value->bytes[1];
    mark_all(pairs, '\\');
    mark_all(pairs, '%');
    if (first == ' ')
        mark_all(pairs, '+');
    if (first == '\'' || first == '\n' || first == '\\')
        mark_all(pairs, first == '\n' ? '\r' : first);
    static const char behind[] = "\\%+'\r";
    mark(pairs, first, second);
    for (const char *c = behind; *c; c++)
        mark(pairs, first, (unsigned char)*c);
    for (size_t i = 0; i < COUNT_OF(value->cores); i++) {
        const char *core = value->cores[i];
        for (const char *c = "+/"; *c; c++) /* both alphabets */
            if (core[0] == *c)
                mark_all(pairs, *c == '+' ? '-' : '_');
        mark(pairs, (unsigned char)core[0], (unsigned char)core[1]);
        for (const char *c = "\r\n\\%-_"; *c; c++)
            mark(pairs, (unsigned char)core[0], (unsigned char)*c);
    }
}

/* ---- as text ---- */

static int hex_of(unsigned char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Number of `count` hex digits, -1 when they are none. */
static long hex_number(const unsigned char *at, size_t left, size_t count)
{
    long number = 0;
    if (left < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        int digit = hex_of(at[i]);
        if (digit < 0)
            return -1;
        number = number << 4 | digit;
    }
    return number;
}

/* Bytes of the UTF-8 character, and which one it is; a byte that is no UTF-8 stands for itself. */
static size_t character(const unsigned char *at, size_t left, long *point)
{
    size_t more = at[0] >= 0xf0 && at[0] < 0xf8   ? 3
                  : at[0] >= 0xe0 && at[0] < 0xf0 ? 2
                  : at[0] >= 0xc2 && at[0] < 0xe0 ? 1
                                                  : 0;
    *point = at[0];
    if (!more || left <= more)
        return 1;
    long value = at[0] & (0x3f >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 1;
        value = value << 6 | (at[i] & 0x3f);
    }
    *point = value;
    return more + 1;
}

static size_t run_of(const unsigned char *at, size_t left, unsigned char c, size_t most)
{
    size_t run = 0;
    while (run < left && run < most && at[run] == c)
        run++;
    return run;
}

/* Length of \uXXXX or a letter, behind `slashes` backslashes; 0: not this character. */
static size_t escaped(long point, const unsigned char *at, size_t left, size_t slashes)
{
    static const struct {
        char letter, meaning;
    } letters[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'b', '\b'}, {'f', '\f'}};
    at += slashes;
    left -= slashes;
    if (!slashes || !left)
        return 0;
    if (*at == 'u' && hex_number(at + 1, left - 1, 4) == point)
        return slashes + 5;
    if (*at == 'u' && point > 0xffff) {
        long high = 0xd800 + ((point - 0x10000) >> 10), low = 0xdc00 + ((point - 0x10000) & 0x3ff);
        size_t again = left > 5 ? run_of(at + 5, left - 5, '\\', ESCAPES) : 0;
        if (again && hex_number(at + 1, left - 1, 4) == high && left > 5 + again && at[5 + again] == 'u' &&
            hex_number(at + 6 + again, left - 6 - again, 4) == low)
            return slashes + 5 + again + 5;
    }
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if (letters[i].meaning == point && letters[i].letter == (char)*at)
            return slashes + 1;
    return point < 0x80 && *at == point && ispunct((int)point) && point != '\\' ? slashes + 1 : 0;
}

/* Length of each byte as \xXX or \OOO (Python's bytes, octal as in mount tables); 0: not these. */
static size_t numbered(const unsigned char *value, size_t bytes, const unsigned char *at, size_t left)
{
    size_t length = 0;
    for (size_t i = 0; i < bytes; i++) {
        size_t slashes = run_of(at + length, left - length, '\\', ESCAPES);
        const unsigned char *digits = at + length + slashes;
        size_t rest = left - length - slashes;
        if (!slashes || rest < 3)
            return 0;
        bool octal = (digits[0] & ~3) == '0' && (digits[1] & ~7) == '0' && (digits[2] & ~7) == '0' &&
                     ((digits[0] & 3) << 6 | (digits[1] & 7) << 3 | (digits[2] & 7)) == value[i];
        if (!octal && (digits[0] != 'x' || hex_number(digits + 1, 2, 2) != value[i]))
            return 0;
        length += slashes + 3;
    }
    return length;
}

static bool begins(const unsigned char *at, size_t left, const char *text)
{
    size_t length = strlen(text);
    return left >= length && !memcmp(at, text, length);
}

/* Lengths of what can stand for the value's next character at this place, the longest first; `took`: its bytes in the value. */
static int forms_of(const unsigned char *value, size_t value_left, const unsigned char *at, size_t left,
                    size_t *lengths, size_t *took)
{
    int count = 0;
    long point;
    size_t bytes = character(value, value_left, &point);
    *took = bytes;
    if (!left)
        return 0;
    if (point == '\'') {
        static const char *const quotes[] = {"'\"'\"'", "'\\''", "''"};
        for (size_t i = 0; i < COUNT_OF(quotes); i++)
            if (begins(at, left, quotes[i]))
                lengths[count++] = strlen(quotes[i]);
    }
    size_t slashes = run_of(at, left, '\\', ESCAPES);
    if (point == '\\') {
        for (size_t run = ESCAPES; run; run /= 2)
            if (slashes >= run)
                lengths[count++] = run;
    } else if (slashes) {
        size_t length = escaped(point, at, left, slashes);
        if (length)
            lengths[count++] = length;
        if ((length = numbered(value, bytes, at, left)))
            lengths[count++] = length;
    }
    size_t encoded = 0;
    while (encoded < bytes && left >= 3 * encoded + 3 && at[3 * encoded] == '%' &&
           hex_number(at + 3 * encoded + 1, 2, 2) == value[encoded])
        encoded++;
    if (encoded == bytes)
        lengths[count++] = 3 * bytes;
    if (point == '\n' && begins(at, left, "\r\n"))
        lengths[count++] = 2;
    if (point == ' ' && *at == '+')
        lengths[count++] = 1;
    if (point != '\\' && left >= bytes && !memcmp(at, value, bytes))
        lengths[count++] = bytes;
    return count;
}

struct text_search {
    const struct redact_value *value;
    const unsigned char *data;
    size_t length, deep;
    bool final;
    int branches; /* left to try */
};

/* End of the match in the data, 0 where there is none. */
static size_t text_end(struct text_search *search, size_t in_value, size_t at)
{
    const struct redact_value *value = search->value;
    while (in_value < value->length) {
        size_t lengths[FORMS], took;
        int count = forms_of(value->bytes + in_value, value->length - in_value, search->data + at,
                             search->length - at, lengths, &took);
        if (!count)
            return search->final && at == search->length && in_value >= REDACT_VALUE_LEAST &&
                           2 * in_value >= value->length
                       ? at
                       : 0;
        for (int i = 0; i + 1 < count && search->deep < DEEPEST && search->branches > 0; i++) {
            search->branches--;
            search->deep++;
            size_t end = text_end(search, in_value + took, at + lengths[i]);
            search->deep--;
            if (end)
                return end;
        }
        in_value += took;
        at += lengths[count - 1];
    }
    return at;
}

/* ---- as base64 ---- */

/* Bytes of a line's end within base64, with what indents the next line: itself or escaped; 0: none. */
static size_t break_length(const unsigned char *at, size_t left)
{
    size_t length = 0;
    while (length < left) {
        size_t slashes = run_of(at + length, left - length, '\\', ESCAPES);
        unsigned char c = at[length];
        if (c == '\n' || c == '\r')
            length++;
        else if (slashes && length + slashes < left &&
                 (at[length + slashes] == 'n' || at[length + slashes] == 'r'))
            length += slashes + 1;
        else
            break;
    }
    if (!length)
        return 0;
    for (size_t end = length + INDENT;
         length < left && length < end && (at[length] == ' ' || at[length] == '\t');)
        length++;
    return length;
}

/* Bytes that stand for the digit here; 0: it is another one. */
static size_t digit_length(char digit, const unsigned char *at, size_t left)
{
    if (!left)
        return 0;
    if (*at == digit || (digit == '+' && *at == '-') || (digit == '/' && *at == '_'))
        return 1;
    if (digit != '+' && digit != '/')
        return 0;
    if (*at == '%' && hex_number(at + 1, left - 1, 2) == digit)
        return 3;
    size_t slashes = digit == '/' ? run_of(at, left, '\\', ESCAPES) : 0;
    return slashes && slashes < left && at[slashes] == '/' ? slashes + 1 : 0;
}

static size_t core_end(const char *core, const unsigned char *data, size_t length, bool final)
{
    size_t at = 0, all = strlen(core);
    for (size_t digit = 0; digit < all; digit++) {
        size_t broken = digit ? break_length(data + at, length - at) : 0;
        size_t bytes = digit_length(core[digit], data + at + broken, length - at - broken);
        if (!bytes)
            return final && at + broken == length && digit >= 6 && 2 * digit >= all ? length : 0;
        at += broken + bytes;
    }
    return at;
}

struct redact_value_hit redact_value_find(const struct redact_value *value, const unsigned char *data,
                                          size_t length, bool final)
{
    size_t most = value->length * REDACT_VALUE_EXPANSION;
    bool last = final && length <= most;
    if (length > most)
        length = most;
    struct text_search search = {value, data, length, 0, last, BRANCHES};
    struct redact_value_hit hit = {text_end(&search, 0, 0), false};
    if (hit.length)
        return hit;
    for (size_t i = 0; i < COUNT_OF(value->cores); i++) {
        size_t end = core_end(value->cores[i], data, length, last);
        if (!end)
            continue;
        bool cut = 8 * (i + value->length) % 6 != 0;
        if (cut && end < length && redact_value_is_digit64(data[end]))
            end++;
        return (struct redact_value_hit){end, i != 0};
    }
    return hit;
}
