#include "config/change_counts.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/settings.h"

#include <string.h>

/* Where the view's own top value for a field is another than the one that was written. */
static void add_count(const struct change_counts *counts, const struct settings_view *view, const char *field,
                      const char *whose, struct words *out)
{
    const struct setting *top = settings_top(view, field);
    const char *spot = counts->at->spot->path;
    AUTO_FREE char *own = xasprintf("%s%s%s", spot, *spot ? "." : "", field);
    bool ours =
        top && text_is(top->path, own) && top->source == (counts->file->user ? SOURCE_USER : SOURCE_PROJECT);
    const struct node *node = settings_node(view, field);
    AUTO_FREE char *flow = node ? node_flow(node) : NULL;
    if (counts->value ? top && !ours : node != NULL)
        words_addf(out, "%s%s%s: %s", whose, *whose ? ": " : "", top ? top->origin : "built-in", flow);
}

static void add_counts(const struct change_counts *counts, const struct settings_view *view,
                       const char *whose, struct words *out)
{
    const struct spot_key *at = counts->at;
    const struct node *value = counts->value;
    bool whole = !at->field && (at->key->type == VALUE_FIELDS || schema_is_open(at->key));
    if (!whole) {
        AUTO_FREE char *field =
            at->field ? xasprintf("%s.%s", at->key->name, at->field) : xstrdup(at->key->name);
        add_count(counts, view, field, whose, out);
        return;
    }
    for (size_t i = 0; value && value->kind == NODE_MAP && i < value->count; i++) {
        AUTO_FREE char *field = xasprintf("%s.%s", at->key->name, value->keys[i]);
        add_count(counts, view, field, whose, out);
    }
}

void change_counts_look(const struct change_counts *counts, const struct project *project, struct words *out)
{
    const struct spot *spot = counts->at->spot;
    AUTO_SETTINGS_VIEW view = {0};
    if (spot->scope == SCOPE_PROJECT) {
        settings_of_project(project->layers, &view);
        add_counts(counts, &view, "", out);
        return;
    }
    if (spot->scope == SCOPE_PHASE) {
        const char *phase = strrchr(spot->path, '.') + 1;
        if (!text_is(phase, "defaults")) {
            settings_of_phase(project->layers, counts->file->recipe, phase, &view);
            add_counts(counts, &view, "", out);
        }
        return;
    }
    for (size_t i = 0; i < project->target_count; i++) {
        const struct target *target = &project->targets[i];
        AUTO_FREE char *own = xasprintf("targets.%s", target->name);
        AUTO_FREE char *provider = xasprintf("providers.%s", target->provider);
        AUTO_SETTINGS_VIEW of_target = {0};
        bool one = text_is(spot->path, own);
        if (!one && !text_is(spot->path, provider) && !text_is(spot->path, "defaults"))
            continue;
        settings_of_target(project->layers, target->name, &of_target);
        add_counts(counts, &of_target, one ? "" : target->name, out);
    }
}
