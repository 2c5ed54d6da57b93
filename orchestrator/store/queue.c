#include "store/queue.h"

#include "base/memory.h"
#include "store/columns.h"

#include <string.h>

enum { BLOCK_SIZE = 32 * 1024 };

static const char **string_at(struct event *event, size_t offset)
{
    return (const char **)(void *)((char *)event + offset);
}

/* The event's next string behind column `*at`, which moves on; NULL when there is none more. */
static const char **next_string(struct event *event, size_t *at)
{
    const struct store_row *row = store_row_of(event->kind);
    /* A machine's are in its text. */
    for (; event->kind != EVENT_MACHINE && *at < row->count; ++*at)
        if (row->columns[*at].type == STORE_TEXT && *string_at(event, row->columns[*at].offset))
            return string_at(event, row->columns[(*at)++].offset);
    return NULL;
}

bool store_event_is_urgent(const struct event *event)
{
    return event->kind != EVENT_TASK && event->kind != EVENT_UNREACHABLE && event->kind != EVENT_NOTE &&
           event->kind != EVENT_SAMPLE && event->kind != EVENT_RUN_PLAN;
}

static char *copy(char *to, const char **string)
{
    size_t length = strlen(*string) + 1;
    memcpy(to, *string, length);
    *string = to;
    return to + length;
}

static size_t length_of(const struct event *event, const char *machine)
{
    struct event *same = (struct event *)(uintptr_t)event;
    size_t length = sizeof(struct store_record) + (event->run ? strlen(event->run) + 1 : 0) +
                    (machine ? strlen(machine) + 1 : 0);
    size_t at = 0;
    for (const char **string; (string = next_string(same, &at));)
        length += strlen(*string) + 1;
    return (length + 15) & ~(size_t)15;
}

static struct store_block *room_for(struct store_queue *queue, size_t size)
{
    if (queue->last && queue->last->room - queue->last->used >= size)
        return queue->last;
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    struct store_block *block = xmalloc(sizeof *block + room);
    *block = (struct store_block){.room = room};
    if (queue->last)
        queue->last->next = block;
    else
        queue->first = block;
    queue->last = block;
    queue->bytes += room;
    return block;
}

void store_queue_put(struct store_queue *queue, const struct event *event, uint64_t ticket)
{
    AUTO_FREE char *machine = NULL;
    if (event->kind == EVENT_MACHINE) {
        AUTO_JSON *json = machine_to_json(event->machine);
        machine = json_compact(json);
    }
    size_t size = length_of(event, machine);
    struct store_block *block = room_for(queue, size);
    struct store_record *record = (struct store_record *)(void *)(block->bytes + block->used);
    *record = (struct store_record){.size = size, .ticket = ticket, .event = *event, .machine = machine};
    char *end = (char *)(record + 1);
    if (event->run)
        end = copy(end, &record->event.run);
    size_t at = 0;
    for (const char **string; (string = next_string(&record->event, &at));)
        end = copy(end, string);
    if (machine)
        copy(end, (const char **)&record->machine);
    block->used += size;
}

struct store_record *store_block_next(struct store_block *block, size_t *at)
{
    if (*at == block->used)
        return NULL;
    struct store_record *record = (struct store_record *)(void *)(block->bytes + *at);
    *at += record->size;
    return record;
}

void store_queue_drop(struct store_queue *queue, const struct store_block *keep)
{
    for (struct store_block *next; queue->first != keep; queue->first = next) {
        next = queue->first->next;
        queue->bytes -= queue->first->room;
        free(queue->first);
    }
}

void store_queue_clear(struct store_queue *queue)
{
    for (struct store_block *next; queue->first; queue->first = next) {
        next = queue->first->next;
        free(queue->first);
    }
    *queue = (struct store_queue){0};
}
