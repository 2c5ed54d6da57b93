/* What path a word of a playbook could mean, as far as its text and the variables that files set tell: Jinja
 * is not run, only joined strings, names and a few filters are followed. Pure. */
#pragma once
#include "format/node.h"
#include <stdbool.h>
#include <stddef.h>

/* What names stand for; all borrowed. */
struct meaning_names {
    const char *playbook_dir, *inventory_dir;
    const char *role_path;          /* NULL: not within a role */
    const struct node *const *maps; /* variables; a name may stand in several: each value counts */
    size_t map_count;
    const struct node *loop; /* a task's loop; NULL: none */
    const char *loop_name;   /* NULL: item */
};

struct meaning {
    char *text;   /* as far as its beginning is known */
    char *ending; /* behind the last thing that is not known; NULL: the whole is known */
    bool here;    /* begins with a folder of this machine (playbook_dir …) */
};

struct meanings {
    struct meaning *items;
    size_t count;
};

#define AUTO_MEANINGS __attribute__((cleanup(meanings_clear))) struct meanings
void meanings_clear(struct meanings *meanings);

bool meaning_is_templated(const char *word);
/* Adds what the word could be: at least one, a bounded number. */
void meaning_of_word(const struct meaning_names *names, const char *word, struct meanings *out);
/* Adds what the lookups in a word (`lookup('file', …)`) read: none where they read no files. */
void meaning_of_lookups(const struct meaning_names *names, const char *word, struct meanings *out);
