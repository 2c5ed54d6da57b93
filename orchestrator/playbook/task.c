#include "playbook/task.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

const char *task_text(const struct node *node)
{
    return node && node_is_scalar(node) ? node->text : NULL;
}

const char *task_short_name(const char *module)
{
    return text_starts(module, "ansible.builtin.")  ? module + 16
           : text_starts(module, "ansible.legacy.") ? module + 15
                                                    : module;
}

char *task_argument(const struct node *task, const struct node *arguments, const char *name)
{
    const char *value = task_text(node_get(arguments, name));
    if (!value)
        value = task_text(node_get(node_get(task, "args"), name));
    if (value)
        return xstrdup(value);
    if (!arguments || arguments->kind != NODE_STRING)
        return NULL;
    AUTO_FREE char *copy = xstrdup(arguments->text);
    size_t length = strlen(name);
    char *rest = NULL;
    for (char *word = strtok_r(copy, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest))
        if (!strncmp(word, name, length) && word[length] == '=')
            return xstrdup(word + length + 1);
    return NULL;
}

char *task_named_module(const struct node *action, struct node **arguments)
{
    const char *text = task_text(node_get(action, "module")), *line = task_text(action);
    size_t length = line ? strcspn(line, " \t\n") : 0;
    if (!text && !length)
        return NULL;
    AUTO_FREE char *name = text ? xstrdup(text) : xstrndup(line, length);
    *arguments = text ? node_copy(action) : node_new_string(line + length);
    return xstrdup(task_short_name(name));
}

bool task_is_asynchronous(const struct node *task)
{
    const char *limit = task_text(node_get(task, "async"));
    return limit && *limit && !text_is(limit, "0");
}

static bool is_false(const struct node *condition)
{
    return condition->kind == NODE_BOOL ? !condition->boolean : text_is(condition->text, "false");
}

/* The scalar, or one of the list. */
static bool any(const struct node *node, bool (*holds)(const struct node *))
{
    if (!node || node_is_scalar(node))
        return node && holds(node);
    for (size_t i = 0; node->kind == NODE_LIST && i < node->count; i++)
        if (node_is_scalar(node->items[i]) && holds(node->items[i]))
            return true;
    return false;
}

static bool is_never(const struct node *tag)
{
    return text_is(tag->text, "never");
}

bool task_never_runs(const struct node *task)
{
    return any(node_get(task, "when"), is_false) || any(node_get(task, "tags"), is_never);
}
