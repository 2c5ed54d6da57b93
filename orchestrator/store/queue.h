/* Events on their way to the writer thread, copied whole into blocks of memory: what the caller gave may
 * be gone when they are written. No locking in here: the writer locks. */
#pragma once
#include "event/event.h"
#include <stddef.h>
#include <stdint.h>

struct store_record {
    size_t size; /* of the record with its strings */
    uint64_t ticket;
    struct event event; /* its strings and its machine's record lie behind it */
    char *machine;      /* EVENT_MACHINE: the machine as JSON text, which `event.machine` is made from anew */
};

struct store_block {
    struct store_block *next;
    size_t used, room;
    _Alignas(16) char bytes[];
};

struct store_queue {
    struct store_block *first, *last;
    size_t bytes; /* of all blocks */
};

/* Begin and end of runs and steps, and machines: what must be on disk before the next thing happens. */
bool store_event_is_urgent(const struct event *event);
void store_queue_put(struct store_queue *queue, const struct event *event, uint64_t ticket);
/* The record at `*at` of the block, which moves on; NULL at its end. */
struct store_record *store_block_next(struct store_block *block, size_t *at);
/* Frees the blocks before `keep`, which is one of its own. */
void store_queue_drop(struct store_queue *queue, const struct store_block *keep);
void store_queue_clear(struct store_queue *queue);
