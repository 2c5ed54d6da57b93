#include "store/queue.h"

#include "base/memory.h"

#include <string.h>

enum { BLOCK_SIZE = 32 * 1024 };

/* Where each kind of event keeps its strings. */
#define AT(member) offsetof(struct event, member)
static const size_t run_strings[] = {
    AT(of_run.id),         AT(of_run.kind),    AT(of_run.target),       AT(of_run.recipe),
    AT(of_run.provider),   AT(of_run.project), AT(of_run.group_id),     AT(of_run.parent_id),
    AT(of_run.machine_id), AT(of_run.ansible), AT(of_run.extra_digest), AT(of_run.plan),
    AT(of_run.boot_id),    AT(of_run.node),    AT(of_run.message),
};
static const size_t step_strings[] = {
    AT(of_step.kind),    AT(of_step.name),          AT(of_step.transport),     AT(of_step.evidence),
    AT(of_step.scope),   AT(of_step.log),           AT(of_step.events),        AT(of_step.cause),
    AT(of_step.message), AT(of_step.host_evidence), AT(of_step.handlers_owed),
};
static const size_t task_strings[] = {
    AT(task.host), AT(task.play),   AT(task.role),   AT(task.task),
    AT(task.path), AT(task.action), AT(task.status), AT(task.message),
};
static const size_t unreachable_strings[] = {
    AT(unreachable.host),         AT(unreachable.task),    AT(unreachable.cause),
    AT(unreachable.cause_source), AT(unreachable.message), AT(unreachable.transport),
};
static const size_t note_strings[] = {AT(note.kind), AT(note.detail)};
#undef AT

static const struct {
    const size_t *offsets;
    size_t count;
} strings_of[] = {
    [EVENT_RUN_BEGIN] = {run_strings, COUNT_OF(run_strings)},
    [EVENT_RUN_END] = {run_strings, COUNT_OF(run_strings)},
    [EVENT_RUN_PLAN] = {run_strings, COUNT_OF(run_strings)},
    [EVENT_STEP_BEGIN] = {step_strings, COUNT_OF(step_strings)},
    [EVENT_STEP_END] = {step_strings, COUNT_OF(step_strings)},
    [EVENT_HOST_LOOK] = {step_strings, COUNT_OF(step_strings)},
    [EVENT_TASK] = {task_strings, COUNT_OF(task_strings)},
    [EVENT_UNREACHABLE] = {unreachable_strings, COUNT_OF(unreachable_strings)},
    [EVENT_MACHINE] = {NULL, 0},
    [EVENT_NOTE] = {note_strings, COUNT_OF(note_strings)},
};

static const char **string_at(struct event *event, size_t offset)
{
    return (const char **)(void *)((char *)event + offset);
}

bool store_event_is_urgent(const struct event *event)
{
    return event->kind != EVENT_TASK && event->kind != EVENT_UNREACHABLE && event->kind != EVENT_NOTE &&
           event->kind != EVENT_RUN_PLAN;
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
    for (size_t i = 0; i < strings_of[event->kind].count; i++) {
        const char *string = *string_at(same, strings_of[event->kind].offsets[i]);
        length += string ? strlen(string) + 1 : 0;
    }
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
    for (size_t i = 0; i < strings_of[event->kind].count; i++) {
        const char **string = string_at(&record->event, strings_of[event->kind].offsets[i]);
        if (*string)
            end = copy(end, string);
    }
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

void store_queue_free(struct store_queue *queue)
{
    for (struct store_block *next; queue->first; queue->first = next) {
        next = queue->first->next;
        free(queue->first);
    }
    *queue = (struct store_queue){0};
}
