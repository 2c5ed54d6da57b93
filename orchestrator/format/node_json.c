#include "format/node_json.h"

struct json *node_json(const struct node *node)
{
    struct json *out;
    switch (node->kind) {
    case NODE_NULL:
        return json_new_null();
    case NODE_BOOL:
        return json_new_bool(node->boolean);
    case NODE_INTEGER:
        return json_new_integer(node->integer);
    case NODE_REAL:
        return json_new_real(node->real);
    case NODE_STRING:
        return json_new_string(node->text);
    case NODE_LIST:
        out = json_new_array();
        for (size_t i = 0; i < node->count; i++)
            json_append(out, node_json(node->items[i]));
        return out;
    case NODE_MAP:
        out = json_new_object();
        for (size_t i = 0; i < node->count; i++)
            json_set(out, node->keys[i], node_json(node->items[i]));
        return out;
    }
    return json_new_null();
}
