/* The numbers of words that were met lately (rows of `name`), so that a task row costs no look-up.
 * Bounded: it forgets all when it is full. */
#pragma once
#include <stdint.h>

struct store_names;

struct store_names *store_names_new(void);
void store_names_free(struct store_names *names);
void store_names_clear(struct store_names *names);
/* 0 when the word is not remembered; numbers start at 1. */
int64_t store_names_find(const struct store_names *names, const char *word);
void store_names_keep(struct store_names *names, const char *word, int64_t number);
