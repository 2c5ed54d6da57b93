#include "playbook/elsewhere.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/connection_variables.h"
#include "format/yaml.h"
#include "playbook/task.h"

#include <stdlib.h>

struct search {
    elsewhere_found *found;
    void *context;
};

static void look_at_map(const struct search *search, const char *file, const struct node *map)
{
    for (size_t i = 0; map && map->kind == NODE_MAP && i < map->count; i++) {
        const struct connection_variable *variable = connection_variable_find(map->keys[i]);
        bool here = text_is(map->keys[i], "ansible_connection") && text_is(task_text(map->items[i]), "local");
        if (variable && variable->role == CONNECTION_WHERE && !here)
            search->found(search->context, false, file, map->where[i].line, variable->name);
    }
}

/* A file of variables that is named without a template, where Ansible looks first. */
static void look_at_file(const struct search *search, const char *file, const char *name)
{
    static const char *const places[] = {"../vars/", "vars/", ""};
    AUTO_FREE char *folder = file_parent(file);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        AUTO_FREE char *path = xasprintf("%s/%s%s", folder, places[i], name);
        AUTO_FREE char *real = realpath(path, NULL);
        AUTO_WORDS faults = WORDS_INIT;
        AUTO_NODE *document = NULL;
        if (!real || file_is_dir(real))
            continue;
        if (yaml_read_file(real, real, &document, &faults) == 0)
            look_at_map(search, real, document);
        return;
    }
}

void elsewhere_find(const char *file, const struct node *task, const char *key, const struct node *value,
                    int line, elsewhere_found *found, void *context)
{
    const struct search search = {found, context};
    bool is_play = node_get(task, "hosts") != NULL;
    /* Variables of a task that is delegated are not those of its connection. */
    if (node_get(task, "delegate_to"))
        return;
    if (text_is(key, "vars") || text_is(key, "set_fact")) {
        look_at_map(&search, file, value);
    } else if (text_is(key, "include_vars")) {
        AUTO_FREE char *name =
            task_text(value) ? xstrdup(task_text(value)) : task_argument(task, value, "file");
        if (name)
            look_at_file(&search, file, name);
    } else if (!is_play && (text_is(key, "remote_user") || text_is(key, "port")) && task_text(value)) {
        AUTO_FREE char *text = xasprintf("%s: %s", key, task_text(value));
        found(context, true, file, line, text);
    }
}
