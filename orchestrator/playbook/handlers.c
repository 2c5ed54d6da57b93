#include "playbook/handlers.h"

#include "base/memory.h"
#include "base/text.h"

void handlers_clear(struct owed_handlers *owed)
{
    for (size_t i = 0; i < owed->count; i++) {
        free(owed->items[i].name);
        free(owed->items[i].where);
    }
    free(owed->items);
    *owed = (struct owed_handlers){0};
}

void handlers_add(struct owed_handlers *owed, const struct node *notify, const char *where)
{
    for (size_t i = 0; notify && notify->kind == NODE_LIST && i < notify->count; i++)
        handlers_add(owed, notify->items[i], where);
    if (!notify || !node_is_scalar(notify) || !*notify->text)
        return;
    for (size_t i = 0; i < owed->count; i++)
        if (text_is(owed->items[i].name, notify->text))
            return;
    owed->items = xreallocarray(owed->items, owed->count + 1, sizeof *owed->items);
    owed->items[owed->count++] = (struct owed_handler){xstrdup(notify->text), xstrdup(where)};
}

bool handlers_are_dropped_by(const char *meta)
{
    static const char *const words[] = {"end_play", "end_host", "end_batch", NULL};
    return text_is_one_of(meta, words);
}
