#include "config/ansible_layer.h"

#include "base/memory.h"
#include "config/settings.h"

static const struct {
    enum ansible_name name;
    const char *key, *path;
} fills[] = {{SETTING_REMOTE_USER, "user", "defaults"},
             {SETTING_REMOTE_PORT, "port", "defaults"},
             {SETTING_PRIVATE_KEY_FILE, "key", "providers.static"}, /* a sandbox has one of its own */
             {SETTING_INTERPRETER, "python", "defaults"}};

void ansible_layer_add(struct settings *layers, const struct ansible_settings *settings,
                       struct words *warnings)
{
    for (size_t i = 0; i < COUNT_OF(fills); i++) {
        const struct ansible_setting *setting = &settings->of[fills[i].name];
        const char *value =
            fills[i].name == SETTING_INTERPRETER ? ansible_settings_interpreter(settings) : setting->value;
        if (!value || !*value)
            continue;
        struct provenance from = {setting->origin, false};
        struct node *node =
            fills[i].name == SETTING_REMOTE_PORT ? node_new_plain(value) : node_new_string(value);
        settings_own(layers, node);
        settings_add(layers, SOURCE_ANSIBLE, fills[i].path, schema_find(SCOPE_TARGET, fills[i].key), NULL,
                     node, (struct node_place){1, 1}, &from, warnings);
    }
}

const struct node *ansible_layer_over(struct settings *layers, const char *target, const char *key,
                                      const char **origin)
{
    AUTO_SETTINGS_VIEW view = {0};
    settings_of_target(layers, target, &view);
    const struct setting *top = settings_top(&view, key);
    if (!top || top->source == SOURCE_ANSIBLE)
        return NULL;
    *origin = top->origin;
    return top->node;
}
