#include "format/yaml_steps.h"

#include "base/text.h"

bool yaml_steps_equal(const struct node *a, const struct node *b)
{
    if (a->kind != b->kind || a->count != b->count || !text_is(a->tag, b->tag))
        return false;
    if (node_is_scalar(a))
        return a->kind == NODE_NULL || text_is(a->text, b->text);
    for (size_t i = 0; i < a->count; i++) {
        const struct node *other = a->kind == NODE_MAP ? node_get(b, a->keys[i]) : b->items[i];
        if (!other || !yaml_steps_equal(a->items[i], other))
            return false;
    }
    return true;
}

static bool is_empty(const struct node *node)
{
    return !node || node->kind == NODE_NULL || (node->kind == NODE_MAP && !node->count);
}

static const struct node *step_into(const struct node *node, const struct yaml_step *step)
{
    if (!step->named || !node || node->kind != NODE_LIST)
        return step->named ? NULL : node_get(node, step->key);
    for (size_t i = 0; i < node->count; i++) {
        const struct node *name = node_get(node->items[i], "name");
        if (name && node_is_scalar(name) && text_is(name->text, step->key))
            return node->items[i];
    }
    return NULL;
}

const struct node *yaml_steps_find(const struct node *tree, const struct yaml_step *path, size_t depth)
{
    for (size_t i = 0; tree && i < depth; i++)
        tree = step_into(tree, &path[i]);
    return tree;
}

/* Whether each entry of `a` but the one on the way is in `b` too. */
static bool others_kept(const struct node *a, const struct node *b, const struct yaml_step *step)
{
    for (size_t i = 0; !is_empty(a) && i < a->count; i++) {
        const struct node *other = a->kind == NODE_MAP                         ? node_get(b, a->keys[i])
                                   : b && b->kind == NODE_LIST && i < b->count ? b->items[i]
                                                                               : NULL;
        if (a->items[i] == step_into(a, step))
            continue;
        if (!other || !yaml_steps_equal(a->items[i], other))
            return false;
    }
    return true;
}

bool yaml_steps_as_asked(const struct node *before, const struct node *after, const struct yaml_step *path,
                         size_t depth, const struct node *value)
{
    if (!depth)
        return value ? after && yaml_steps_equal(after, value) : !after;
    if (is_empty(before) && is_empty(after))
        return !value;
    if (!is_empty(before) && !is_empty(after) && before->kind != after->kind)
        return false;
    if ((before && before->kind == NODE_LIST && before->count != (after ? after->count : 0)) ||
        !others_kept(before, after, path) || !others_kept(after, before, path))
        return false;
    return yaml_steps_as_asked(step_into(before, path), step_into(after, path), path + 1, depth - 1, value);
}
