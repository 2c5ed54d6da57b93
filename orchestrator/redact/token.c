#include "redact/token.h"

#include "base/memory.h"

#include <stdint.h>
#include <string.h>

enum { SLASHES = 64, FOLDS = 512, INDENT = 64, FIRSTS = 64, LEVELS = 3, MARKS = 8 };
enum { LISTED_MOST = 3 * SLASHES + INDENT }; /* bytes of what a list puts between two lines */

bool redact_is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool redact_is_noise(unsigned char c)
{
    return c <= ' ' || c == 0x7f || c == '\\' || c == '\'' || c == '"' || c == '$';
}

size_t redact_break(const unsigned char *at, size_t left)
{
    if (left > 1 && at[0] == 0xc2 && at[1] == 0x85)
        return 2;
    return left > 2 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] | 1) == 0xa9 ? 3 : 0;
}

static int hex_of(unsigned char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Number of exactly `count` hex digits, -1 when they are none. */
static int64_t hex_number(const unsigned char *at, size_t left, size_t count)
{
    int64_t number = 0;
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

static void add_bytes(struct redact_token out[], size_t *count, const unsigned char *bytes, size_t many,
                      size_t length)
{
    if (*count == REDACT_TOKENS_MOST)
        return;
    struct redact_token token = {.count = many, .length = length};
    memcpy(token.bytes, bytes, many);
    token.noise = many == 1 && redact_is_noise(bytes[0]);
    out[(*count)++] = token;
}

static void add_byte(struct redact_token out[], size_t *count, unsigned char byte, size_t length)
{
    add_bytes(out, count, &byte, 1, length);
}

/* As UTF-8. */
static void add_point(struct redact_token out[], size_t *count, int64_t point, size_t length)
{
    unsigned char bytes[4];
    if (point < 0x80) {
        add_byte(out, count, (unsigned char)point, length);
    } else if (point < 0x800) {
        bytes[0] = (unsigned char)(0xc0 | point >> 6);
        bytes[1] = (unsigned char)(0x80 | (point & 0x3f));
        add_bytes(out, count, bytes, 2, length);
    } else if (point < 0x10000) {
        bytes[0] = (unsigned char)(0xe0 | point >> 12);
        bytes[1] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
        bytes[2] = (unsigned char)(0x80 | (point & 0x3f));
        add_bytes(out, count, bytes, 3, length);
    } else if (point < 0x110000) {
        bytes[0] = (unsigned char)(0xf0 | point >> 18);
        bytes[1] = (unsigned char)(0x80 | (point >> 12 & 0x3f));
        bytes[2] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
        bytes[3] = (unsigned char)(0x80 | (point & 0x3f));
        add_bytes(out, count, bytes, 4, length);
    }
}

static size_t slashes_at(const unsigned char *at, size_t left)
{
    size_t count = 0;
    while (count < left && count < SLASHES && at[count] == '\\')
        count++;
    return count;
}

static bool is_quote(unsigned char c)
{
    return c == '"' || c == '\'';
}

/* What a fold is made of: ends of lines, themselves or escaped, what indents the next one (+ is a space in a
 * form), and what a list puts between two lines. */
static bool is_of_fold(const unsigned char *c)
{
    return redact_is_blank(*c) || is_quote(*c) || *c == '\\' || *c == '+' || *c == ',' || *c == '-' ||
           ((*c == 'n' || *c == 'r') && c[-1] == '\\');
}

static bool is_break(const unsigned char *c)
{
    return *c == '\n' || *c == '\r' || ((*c == 'n' || *c == 'r') && c[-1] == '\\') ||
           (*c == ',' && is_quote(c[-1]));
}

/* Backslashes and the fold behind them, within an escape: up to what goes on there; 0: there is none, or
 * backslashes end it, which would be an escape of their own. One has few ends of lines and quotes: MARKS.
 * `cut`: the text ends within it. */
static size_t fold_at(const unsigned char *at, size_t left, bool *cut)
{
    size_t slashes = slashes_at(at, left), end = slashes;
    *cut = false;
    if (!slashes || slashes == left || !(is_quote(at[end]) || is_break(at + end)))
        return 0;
    bool broken = false;
    for (int marks = 0; end < left && end < FOLDS && is_of_fold(at + end); end++) {
        broken |= is_break(at + end);
        marks += is_break(at + end) || is_quote(at[end]);
        if (marks > MARKS)
            return 0;
    }
    *cut = end == left;
    return broken && at[end - 1] != '\\' && end < left && end < FOLDS ? end : 0;
}

/* Number of exactly `count` hex digits, between which there may be folds, -1 when they are none; `length`: of
 * all that. `cut`: the text ends before the last of them. */
static int64_t folded_number(const unsigned char *at, size_t left, size_t count, size_t *length, bool *cut)
{
    int64_t number = 0;
    size_t end = 0;
    *cut = false;
    for (size_t i = 0; i < count; i++) {
        end += fold_at(at + end, left - end, cut);
        *cut |= end == left || slashes_at(at + end, left - end) == left - end;
        int digit = *cut ? -1 : hex_of(at[end++]);
        if (digit < 0)
            return -1;
        number = number << 4 | digit;
    }
    *length = end;
    return number;
}

/* Before the second half there may be a fold within what is escaped again. */
static size_t low_slashes(const unsigned char *at, size_t left)
{
    size_t end = 0;
    if (!left || *at != '\\')
        return 0;
    while (end < left && end < FOLDS && is_of_fold(at + end))
        end++;
    return end;
}

/* \uD83D\uDE00: the second half, behind the first; its length, 0 where there is none. `cut`:
 * the text ends within it. */
static size_t low_half(const unsigned char *at, size_t left, int64_t *half, bool *cut)
{
    size_t slashes = low_slashes(at, left), digits;
    *cut = slashes == left;
    if (!slashes || slashes >= left || at[slashes] != 'u')
        return 0;
    *half = folded_number(at + slashes + 1, left - slashes - 1, 4, &digits, cut);
    return *half >= 0xdc00 && *half < 0xe000 ? slashes + 1 + digits : 0;
}

/* How many digits that letter has behind it. */
static size_t digits_of(unsigned char letter)
{
    return letter == 'x' ? 2 : letter == 'u' ? 4 : letter == 'U' ? 8 : (letter & ~3) == '0' ? 2 : 0;
}

static void read_number(const unsigned char *at, size_t left, size_t slashes, struct redact_token out[],
                        size_t *count)
{
    const unsigned char *digits = at + slashes + 1;
    size_t rest = left - slashes - 1, length = 0;
    unsigned char letter = at[slashes];
    size_t wanted = digits_of(letter);
    bool cut;
    int64_t number = wanted ? folded_number(digits, rest, wanted, &length, &cut) : -1;
    size_t whole = slashes + 1 + length;
    if (number < 0)
        return;
    if (letter == 'x') {
        add_byte(out, count, (unsigned char)number, whole);
        if (number >= 0x80)
            add_point(out, count, number, whole);
    } else if (letter == 'u' && number >= 0xd800 && number < 0xdc00) {
        int64_t low;
        size_t more = low_half(digits + length, rest - length, &low, &cut);
        if (more)
            add_point(out, count, 0x10000 + ((number - 0xd800) << 10) + (low - 0xdc00), whole + more);
    } else if (letter == 'u' || letter == 'U') {
        add_point(out, count, number, whole);
    } else if (!(number & ~0x77)) {
        add_byte(out, count, (unsigned char)((letter & 3) << 6 | number >> 4 << 3 | (number & 7)), whole);
    }
}

/* End of the ; there, which a shell may have escaped; 0: there is none. */
static size_t entity_end(const unsigned char *at, size_t left, size_t end)
{
    end += slashes_at(at + end, left - end);
    return end < left && at[end] == ';' ? end + 1 : 0;
}

/* What stands behind an & that has that length in the text. */
static void read_entity(const unsigned char *at, size_t left, size_t length, struct redact_token out[],
                        size_t *count)
{
    static const struct {
        const char *text;
        unsigned char byte;
    } names[] = {{"quot", '"'}, {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"apos", '\''}};
    at += length;
    left -= length;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t size = strlen(names[i].text);
        size_t end = left >= size && !memcmp(at, names[i].text, size) ? entity_end(at, left, size) : 0;
        if (end)
            add_byte(out, count, names[i].byte, length + end);
        if (end && names[i].byte == '&' && *count < REDACT_TOKENS_MOST)
            read_entity(at - length, left + length, length + end, out, count);
    }
    if (left < 3 || at[0] != '#')
        return;
    bool hex = (at[1] | 32) == 'x';
    int64_t point = 0;
    size_t i = hex ? 2 : 1, first = i;
    for (; i < left && i < first + 7; i++) {
        int digit = hex_of(at[i]);
        if (digit < 0 || (!hex && digit > 9))
            break;
        point = point * (hex ? 16 : 10) + digit;
    }
    size_t end = i > first ? entity_end(at, left, i) : 0;
    if (end)
        add_point(out, count, point, length + end);
}

/* Behind backslashes. */
static void read_escape(const unsigned char *at, size_t left, size_t slashes, bool folded,
                        struct redact_token out[], size_t *count)
{
    static const struct {
        char letter;
        unsigned short point;
    } letters[] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'},   {'b', '\b'},  {'f', '\f'},
                   {'a', '\a'}, {'v', '\v'}, {'e', 0x1b},   {'E', 0x1b},  {'0', '\0'},
                   {'N', 0x85}, {'_', 0xa0}, {'L', 0x2028}, {'P', 0x2029}};
    if (slashes >= left)
        return;
    unsigned char letter = at[slashes];
    size_t before = *count;
    read_number(at, left, slashes, out, count);
    if (*count > before && out[before].count == 1 && out[before].bytes[0] == '&')
        read_entity(at, left, out[before].length, out, count);
    if (letter == '&' && !folded)
        read_entity(at, left, slashes + 1, out, count);
    for (size_t i = 0; i < COUNT_OF(letters); i++)
        if ((unsigned char)letters[i].letter == letter)
            add_point(out, count, letters[i].point, slashes + 1);
    if (!folded)
        add_byte(out, count, letter, slashes + 1);
}

/* Blanks, also as escapes and behind backslashes: a fold. */
static size_t blanks_at(const unsigned char *at, size_t left)
{
    size_t end = 0;
    while (end < left && end < INDENT) {
        size_t slashes = slashes_at(at + end, left - end), last = end + slashes;
        if (last == left || (!redact_is_blank(at[last]) && !(slashes && at[last] == 'n')))
            break;
        end = last + 1;
    }
    return end;
}

/* Length of what a list puts between two of its lines: "…", "…" of JSON and Python, a - of YAML on a new
 * line. 0: it is none; `cut`: the text ends within it. */
static size_t list_break(const unsigned char *at, size_t left, bool *cut)
{
    size_t end = slashes_at(at, left);
    *cut = false;
    if (end == left)
        return 0;
    bool quote = is_quote(at[end]);
    if (!quote && !(end ? at[end] == 'n' : at[end] == '\n' || at[end] == '\r'))
        return 0;
    end++;
    end += quote ? blanks_at(at + end, left - end) : 0;
    if (quote && end < left && at[end++] != ',')
        return 0;
    end += blanks_at(at + end, left - end);
    size_t slashes = quote ? slashes_at(at + end, left - end) : 0;
    end += slashes;
    *cut = end == left || (!quote && end + 1 == left && at[end] == '-');
    if (*cut)
        return 0;
    if (quote)
        return is_quote(at[end]) ? end + 1 : 0;
    return at[end] == '-' && at[end + 1] == ' ' ? end + 2 : 0;
}

size_t redact_tokens(const unsigned char *at, size_t left, struct redact_token out[REDACT_TOKENS_MOST])
{
    size_t count = 0;
    bool cut;
    size_t line = list_break(at, left, &cut);
    static const unsigned short ends[] = {'\n', 0x85, 0x2028, 0x2029}; /* what lines are split at */
    for (size_t i = 0; line && i < COUNT_OF(ends); i++)
        add_point(out, &count, ends[i], line);
    if (*at == '\\') {
        size_t folded = fold_at(at, left, &cut);
        read_escape(at, left, slashes_at(at, left), false, out, &count);
        if (folded) {
            read_escape(at, left, folded, true, out, &count);
            add_byte(out, &count, '\n', folded);
        }
    } else if (*at == '&') {
        read_entity(at, left, 1, out, &count);
    }
    return count;
}

void redact_percent_firsts(const unsigned char *at, size_t left, bool firsts[256])
{
    unsigned char plain[FIRSTS];
    size_t count;
    for (int level = 0; level < LEVELS; level++) {
        unsigned char again[FIRSTS];
        count = 0;
        for (size_t i = 0; i < left && count < FIRSTS; count++) {
            size_t taken = redact_percent(at + i, left - i, &again[count]);
            if (!taken)
                again[count] = at[i];
            i += taken ? taken : 1;
        }
        memcpy(plain, again, count);
        at = plain;
        left = count;
        if (!count)
            return;
        firsts[plain[0]] = true;
        struct redact_token tokens[REDACT_TOKENS_MOST];
        for (size_t i = redact_tokens(plain, left, tokens); i--;)
            firsts[tokens[i].bytes[0]] = true;
        if (plain[0] != '%')
            return;
    }
}

bool redact_token_is_cut(const unsigned char *at, size_t left)
{
    size_t slashes = slashes_at(at, left), length;
    bool cut;
    if (*at == '%')
        return left < 3;
    if (!slashes || slashes == left)
        return slashes != 0;
    size_t folded = fold_at(at, left, &cut), letter = folded ? folded : slashes,
           wanted = digits_of(at[letter]);
    if (cut || !wanted)
        return cut;
    int64_t number = folded_number(at + letter + 1, left - letter - 1, wanted, &length, &cut), low;
    if (at[letter] == 'u' && number >= 0xd800 && number < 0xdc00)
        (void)low_half(at + letter + 1 + length, left - letter - 1 - length, &low, &cut);
    return cut;
}

bool redact_token_is_open(const unsigned char *at, size_t left)
{
    bool cut = false;
    if (left <= LISTED_MOST)
        list_break(at, left, &cut);
    return cut || redact_token_is_cut(at, left);
}

size_t redact_percent(const unsigned char *at, size_t left, unsigned char *byte)
{
    int64_t number = *at == '%' ? hex_number(at + 1, left - 1, 2) : -1;
    if (number >= 0)
        *byte = (unsigned char)number;
    return number < 0 ? 0 : 3;
}
