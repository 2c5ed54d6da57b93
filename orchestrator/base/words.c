#include "base/words.h"

#include "base/memory.h"
#include "base/text.h"

#include <stdarg.h>
#include <string.h>

void words_own(struct words *words, char *word)
{
    if (words->count + 2 > words->room) {
        words->room = words->room ? words->room * 2 : 16;
        words->items = xreallocarray(words->items, words->room, sizeof *words->items);
    }
    words->items[words->count++] = word;
    words->items[words->count] = NULL;
}

void words_add(struct words *words, const char *word)
{
    words_own(words, xstrdup(word));
}

void words_addf(struct words *words, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    words_own(words, xvasprintf(format, args));
    va_end(args);
}

void words_add_all(struct words *words, ...)
{
    va_list args;
    va_start(args, words);
    for (const char *word; (word = va_arg(args, const char *));)
        words_add(words, word);
    va_end(args);
}

/* One word from `*at` on; false where there is none. A backslash within double quotes is one
 * unless '"' or '\\' follows. */
static bool next_word(const char **at, char *word, bool *open)
{
    const char *c = *at + strspn(*at, " \t\r\n");
    bool found = *c;
    char quote = '\0';
    for (; *c && (quote || !strchr(" \t\r\n", *c)); c++) {
        if (quote ? *c == quote : *c == '"' || *c == '\'')
            quote = quote ? '\0' : *c;
        else if (*c == '\\' && c[1] && (!quote || (quote == '"' && strchr("\"\\", c[1]))))
            *word++ = *++c;
        else
            *word++ = *c;
    }
    *word = '\0';
    *open = quote;
    *at = c;
    return found;
}

int words_add_split(struct words *words, const char *text)
{
    char *word = xmalloc(strlen(text) + 1);
    bool open = false;
    while (!open && next_word(&text, word, &open))
        if (!open)
            words_add(words, word);
    free(word);
    return open ? -1 : 0;
}

void words_add_list(struct words *words, const char *const *list)
{
    for (; *list; list++)
        words_add(words, *list);
}

bool words_have(const struct words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], word) == 0)
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void words_sort_unique(struct words *words)
{
    if (words->count < 2)
        return;
    qsort(words->items, words->count, sizeof *words->items, compare);
    size_t kept = 1;
    for (size_t i = 1; i < words->count; i++) {
        if (strcmp(words->items[i], words->items[kept - 1]) == 0)
            free(words->items[i]);
        else
            words->items[kept++] = words->items[i];
    }
    words->count = kept;
    words->items[kept] = NULL;
}

char *words_join(const struct words *words, const char *between)
{
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < words->count; i++)
        text_addf(&text, "%s%s", i ? between : "", words->items[i]);
    return text_take(&text);
}

const char *const *words_argv(const struct words *words)
{
    static const char *const none[] = {NULL};
    return words->items ? (const char *const *)words->items : none;
}

void words_clear(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    free(words->items);
    *words = (struct words)WORDS_INIT;
}

static size_t find_env(const struct words *environment, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < environment->count; i++)
        if (strncmp(environment->items[i], name, length) == 0 && environment->items[i][length] == '=')
            return i;
    return environment->count;
}

void words_set_env(struct words *environment, const char *name, const char *value)
{
    char *entry = xasprintf("%s=%s", name, value);
    size_t at = find_env(environment, name);
    if (at == environment->count) {
        words_own(environment, entry);
    } else {
        free(environment->items[at]);
        environment->items[at] = entry;
    }
}

const char *words_env(const struct words *environment, const char *name)
{
    size_t at = find_env(environment, name);
    return at == environment->count ? NULL : environment->items[at] + strlen(name) + 1;
}
