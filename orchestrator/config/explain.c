#include "base/memory.h"
#include "base/text.h"
#include "config/config.h"
#include "config/schema.h"
#include "config/settings.h"

struct explanation {
    config_explain_function *function;
    void *context;
};

static void explain_field(const struct explanation *to, const struct settings_view *view, const char *path,
                          const struct key *key, const char *field)
{
    size_t count = settings_chain(view, field, NULL, 0);
    const struct setting **chain = xcalloc(count, sizeof(const struct setting *));
    const struct node *preset = settings_preset(view, key);
    AUTO_FREE char *full = xasprintf("%s%s%s", path, *path ? "." : "", field);
    AUTO_FREE char *built_in = preset ? node_flow(preset) : xstrdup("null");
    AUTO_FREE char *value = NULL;
    AUTO_FREE char *origin = NULL;
    AUTO_WORDS hidden = WORDS_INIT;
    settings_chain(view, field, chain, count);
    for (size_t i = 1; i < count; i++) {
        AUTO_FREE char *flow = node_flow(chain[i]->node);
        words_addf(&hidden, "%s: %s", chain[i]->origin, flow);
    }
    if (count) {
        value = node_flow(chain[0]->node);
        origin = xstrdup(chain[0]->origin);
        if (preset)
            words_addf(&hidden, "built-in: %s", built_in);
    } else {
        value = xstrdup(built_in);
        origin = key->note ? xasprintf("built-in (%s)", key->note) : xstrdup("built-in");
    }
    free(chain);
    to->function(to->context, full, value, origin, words_argv(&hidden));
}

static void explain_view(const struct explanation *to, const struct settings_view *view, const char *path)
{
    const struct provider_facts *facts = view->facts;
    const struct key *key;
    for (size_t i = 0; (key = schema_key(i)); i++) {
        bool left_out = key->scope != view->scope || key->flags & KEY_LATER || key->type == VALUE_FIELDS ||
                        (key->scope == SCOPE_PHASE && key->flags & KEY_OWN) ||
                        (facts && !facts->local && text_is(key->name, "root")) ||
                        (facts && !facts->cloud && key->flags & KEY_CLOUD);
        if (left_out)
            continue;
        if (!schema_is_open(key)) {
            explain_field(to, view, path, key, key->name);
            continue;
        }
        AUTO_WORDS entries = WORDS_INIT;
        settings_view_entries(view, key->name, &entries);
        for (size_t j = 0; j < entries.count; j++) {
            AUTO_FREE char *field = xasprintf("%s.%s", key->name, entries.items[j]);
            explain_field(to, view, path, key, field);
        }
    }
}

static void explain_recipe(const struct explanation *to, const struct project *project,
                           const struct recipe *recipe)
{
    const struct phase *lists[] = {recipe->bootstrap, recipe->phases, recipe->teardown};
    size_t counts[] = {recipe->bootstrap ? 1 : 0, recipe->phase_count, recipe->teardown_count};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        for (size_t j = 0; j < counts[i]; j++) {
            AUTO_SETTINGS_VIEW view = {0};
            settings_of_phase(project->layers, recipe->name, lists[i][j].name, &view);
            explain_view(to, &view, view.paths[1]);
        }
    }
}

static void explain_target(const struct explanation *to, const struct project *project,
                           const struct target *target)
{
    AUTO_SETTINGS_VIEW view = {0};
    settings_of_target(project->layers, target->name, &view);
    explain_view(to, &view, view.paths[view.count - 1]);
}

void config_explain(const struct project *project, const struct target *target,
                    config_explain_function *function, void *context)
{
    struct explanation to = {function, context};
    AUTO_SETTINGS_VIEW view = {0};
    settings_of_project(project->layers, &view);
    explain_view(&to, &view, "");
    if (target) {
        explain_target(&to, project, target);
        explain_recipe(&to, project, project_recipe(project, target->recipe));
        return;
    }
    for (size_t i = 0; i < project->target_count; i++)
        explain_target(&to, project, &project->targets[i]);
    for (size_t i = 0; i < project->recipe_count; i++)
        explain_recipe(&to, project, &project->recipes[i]);
}
