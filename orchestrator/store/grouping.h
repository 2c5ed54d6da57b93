/* Rows found by four numbers: what GROUP BY does, without sorting. In memory; at most 2^31 rows. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { GROUPING_KEYS = 4 };

struct grouping;
/* Each row has so many bytes and begins with its key, int64_t[GROUPING_KEYS]. */
struct grouping *grouping_new(size_t row_size);
void grouping_free(struct grouping *grouping); /* NULL is fine */
/* The row of this key; a new one is all zero but for the key. It moves when another one is made. */
void *grouping_find(struct grouping *grouping, const int64_t key[GROUPING_KEYS]);
/* How many there are, and each by its number, in the order in which they were made. */
size_t grouping_count(const struct grouping *grouping);
void *grouping_at(const struct grouping *grouping, size_t index);
size_t grouping_index(const struct grouping *grouping, const void *row);
