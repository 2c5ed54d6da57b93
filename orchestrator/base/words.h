/* A list of strings it owns, always NULL-terminated, so that `items` can be an argv or an environment. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct words {
    char **items; /* NULL until something was added: use words_argv */
    size_t count;
    size_t room;
};

#define WORDS_INIT \
    {              \
        NULL, 0, 0 \
    }
#define AUTO_WORDS __attribute__((cleanup(words_clear))) struct words

void words_add(struct words *words, const char *word);
void words_addf(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes ownership of a malloc'ed string. */
void words_own(struct words *words, char *word);
/* NULL-terminated; ends at the first NULL argument: words_add_all(&w, "ip", "link", NULL). */
void words_add_all(struct words *words, ...) __attribute__((sentinel));
/* The words that Python's shlex makes of a text (quotes, backslashes). -1 for a quote that does not end; then
 * the words before it were added. */
int words_add_split(struct words *words, const char *text);
void words_add_list(struct words *words, const char *const *list);
bool words_have(const struct words *words, const char *word);
/* Sorts by bytes and drops equal ones. */
void words_sort_unique(struct words *words);
/* All in one, with `between` between them; malloc'ed. */
char *words_join(const struct words *words, const char *between);
/* Never NULL; owned by the list. */
const char *const *words_argv(const struct words *words);
void words_clear(struct words *words);
/* Environment handling on a list of NAME=VALUE: replaces an entry of that name or adds one. */
void words_set_env(struct words *environment, const char *name, const char *value);
/* The value of NAME in such a list, NULL when absent; owned by the list. */
const char *words_env(const struct words *environment, const char *name);
