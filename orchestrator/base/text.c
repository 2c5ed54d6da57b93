#include "base/text.h"

#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void reserve(struct text *text, size_t more)
{
    if (more > SIZE_MAX / 2 - text->length)
        abort();
    size_t wanted = text->length + more + 1;
    if (wanted <= text->room)
        return;
    size_t room = text->room ? text->room : 64;
    while (room < wanted)
        room *= 2;
    text->bytes = xreallocarray(text->bytes, room, 1);
    text->room = room;
}

void text_add_bytes(struct text *text, const void *bytes, size_t length)
{
    reserve(text, length);
    if (length)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_add_char(struct text *text, char c)
{
    text_add_bytes(text, &c, 1);
}

void text_addf(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *piece = xvasprintf(format, args);
    va_end(args);
    text_add(text, piece);
}

void text_drop_front(struct text *text, size_t count)
{
    if (!text->bytes)
        return;
    if (count > text->length)
        count = text->length;
    memmove(text->bytes, text->bytes + count, text->length - count + 1);
    text->length -= count;
}

void text_truncate(struct text *text, size_t length)
{
    if (text->bytes && length < text->length) {
        text->length = length;
        text->bytes[length] = '\0';
    }
}

const char *text_string(const struct text *text)
{
    return text->bytes ? text->bytes : "";
}

char *text_take(struct text *text)
{
    char *out = text->bytes ? text->bytes : xstrdup("");
    *text = (struct text)TEXT_INIT;
    return out;
}

void text_clear(struct text *text)
{
    free(text->bytes);
    *text = (struct text)TEXT_INIT;
}

bool text_is(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a, b) == 0;
}

bool text_starts(const char *string, const char *prefix)
{
    return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *string, const char *suffix)
{
    size_t length = strlen(string), tail = strlen(suffix);
    return length >= tail && strcmp(string + length - tail, suffix) == 0;
}

/* Length of the well-formed UTF-8 sequence at `at` (RFC 3629: no overlong forms, no
 * surrogates), 0 when there is none. */
static size_t sequence_length(const unsigned char *at, size_t left)
{
    unsigned char first = at[0];
    if (first < 0x80)
        return 1;
    size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                    : (first & 0xf0) == 0xe0         ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    if (!length || left < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((first == 0xe0 && at[1] < 0xa0) || (first == 0xed && at[1] > 0x9f) ||
        (first == 0xf0 && at[1] < 0x90) || (first == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

bool text_is_one_of(const char *string, const char *const *list)
{
    for (; string && list && *list; list++)
        if (text_is(string, *list))
            return true;
    return false;
}

bool text_is_utf8(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;
    for (size_t i = 0; i < length;) {
        size_t step = at[i] ? sequence_length(at + i, length - i) : 0;
        if (!step)
            return false;
        i += step;
    }
    return true;
}

enum { NAME_LIMIT = 63, SHOWN_MOST = 60 };

unsigned text_distance(const char *a, const char *b)
{
    size_t rows = strnlen(a, NAME_LIMIT), columns = strnlen(b, NAME_LIMIT);
    unsigned earlier[NAME_LIMIT + 1] = {0}, before[NAME_LIMIT + 1] = {0}, line[NAME_LIMIT + 1];
    for (size_t j = 0; j <= columns; j++)
        line[j] = (unsigned)j;
    for (size_t i = 1; i <= rows; i++) {
        memcpy(earlier, before, sizeof(line));
        memcpy(before, line, sizeof(line));
        line[0] = (unsigned)i;
        for (size_t j = 1; j <= columns; j++) {
            unsigned best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best)
                best = before[j] + 1;
            if (line[j - 1] + 1 < best)
                best = line[j - 1] + 1;
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && earlier[j - 2] + 1 < best)
                best = earlier[j - 2] + 1;
            line[j] = best;
        }
    }
    return line[columns];
}

/* How long the beginning is that both share, up to the end of a part ("targets.vault." of two paths):
 * it is no sign of nearness. */
static size_t shared_parts(const char *a, const char *b)
{
    size_t shared = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (strchr("._-", a[i]))
            shared = i + 1;
    return shared;
}

const char *text_nearest(const char *name, const char *const *names)
{
    const char *nearest = NULL;
    unsigned best = NAME_LIMIT;
    for (; *names; names++) {
        size_t shared = shared_parts(name, *names);
        const char *ours = name + shared, *theirs = *names + shared;
        size_t length = strnlen(ours, NAME_LIMIT), other = strnlen(theirs, NAME_LIMIT);
        unsigned distance = text_distance(ours, theirs);
        if (distance < best && distance <= (length > other ? length : other) / 3) {
            best = distance;
            nearest = *names;
        }
    }
    return nearest;
}

void text_add_printable(struct text *text, const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes;
    for (size_t i = 0; i < length;) {
        size_t step = sequence_length(at + i, length - i);
        bool control = step == 1 && (at[i] < 0x20 || at[i] == 0x7f);
        /* C1 controls are two bytes in UTF-8, and some terminals act on them. */
        bool control1 = step == 2 && at[i] == 0xc2 && at[i + 1] < 0xa0;
        if (step && !control && !control1) {
            text_add_bytes(text, at + i, step);
            i += step;
        } else {
            text_addf(text, "\\x%02x", at[i]);
            i++;
        }
    }
}

void text_add_printable_lines(struct text *text, const char *message, const char *between)
{
    for (const char *line = message; *line;) {
        size_t length = strcspn(line, "\n"), shown = length;
        while (shown && line[shown - 1] == '\r')
            shown--;
        text_add_printable(text, line, shown);
        line += length + (line[length] == '\n');
        text_add(text, *line ? between : "");
    }
}

char *text_shown(const char *string)
{
    struct text out = TEXT_INIT;
    size_t length = strlen(string), kept = length > SHOWN_MOST ? SHOWN_MOST : length;
    while (kept < length && kept && ((unsigned char)string[kept] & 0xc0) == 0x80)
        kept--;
    text_add_printable(&out, string, kept);
    if (kept < length)
        text_add(&out, "...");
    return text_take(&out);
}

void text_add_shell_word(struct text *text, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
    if (*word && word[strspn(word, plain)] == '\0') {
        text_add(text, word);
        return;
    }
    text_add_char(text, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            text_add(text, "'\\''");
        else
            text_add_char(text, *word);
    }
    text_add_char(text, '\'');
}
