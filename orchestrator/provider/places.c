#include "provider/places.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/provider_facts.h"
#include "provider/command_request.h"
#include "provider/hetzner_account.h"

/* Where no target says another. */
#define LIST_BOUND   (30 * NS_PER_S)
#define REMOVE_BOUND (120 * NS_PER_S)

static void add_secret(struct text *out, const struct secret *secret)
{
    AUTO_FREE char *command = words_join(&secret->command, "\n");
    text_addf(out, "\n%d %s %d %s", (int)secret->kind, secret->where ? secret->where : "",
              secret->kind == SECRET_FD ? secret->fd : -1, command);
}

/* The same for two targets that lead to the same place; no value of a secret is in it. malloc'ed. */
static char *key_of(const struct target *target)
{
    const struct provider_facts *facts = provider_facts(target->provider);
    struct text out = TEXT_INIT;
    text_add(&out, target->provider);
    if (facts->by_programs) {
        AUTO_FREE char *list = words_join(&target->list, "\n");
        text_addf(&out, "\n%s", list);
    } else if (!facts->local) {
        text_addf(&out, "\n%s", target->cloud.endpoint ? target->cloud.endpoint : "");
        add_secret(&out, &target->cloud.token);
    }
    return text_take(&out);
}

/* NULL: it is there already, and this target leads to it too. */
static struct place *add(struct place **places, size_t *count, struct words *keys,
                         const struct target *target)
{
    const struct provider_facts *facts = provider_facts(target->provider);
    AUTO_FREE char *key = key_of(target);
    size_t at = 0;
    if (facts->existing || !facts->calls)
        return NULL;
    while (at < keys->count && !text_is(keys->items[at], key))
        at++;
    bool is_new = at == keys->count;
    if (is_new) {
        words_add(keys, key);
        *places = xreallocarray(*places, *count + 1, sizeof **places);
        (*places)[(*count)++] = (struct place){.provider = facts->name,
                                               .calls = facts->calls,
                                               .target = facts->local ? NULL : target,
                                               .mute = (facts->by_programs && !target->list.count) ||
                                                       (facts->cloud && !target->cloud.endpoint)};
    }
    if (!words_have(&(*places)[at].targets, target->name))
        words_add(&(*places)[at].targets, target->name);
    return is_new ? &(*places)[at] : NULL;
}

/* A target of which nothing is known but what the row of its machine says. */
static struct target *target_of(const struct machine *machine)
{
    struct target *target = xcalloc(1, sizeof *target);
    target->name = xstrdup(machine->target);
    target->provider = xstrdup(machine->provider);
    target->cloud.token.fd = -1;
    target->sweep_ns = LIST_BOUND;
    target->destroy_ns = REMOVE_BOUND;
    command_request_recall(machine, target);
    if (provider_facts(machine->provider)->cloud)
        hetzner_account_noted(machine, &target->cloud);
    return target;
}

struct place *places_of(const struct project *project, struct machine *const *rows, size_t row_count,
                        size_t *count)
{
    struct place *places = NULL;
    AUTO_WORDS keys = WORDS_INIT;
    *count = 0;
    for (size_t i = 0; project && i < project->target_count; i++)
        add(&places, count, &keys, &project->targets[i]);
    for (size_t i = 0; project && i < project->elsewhere_count; i++)
        add(&places, count, &keys, &project->elsewhere[i]);
    for (const char *const *name = provider_names(); *name; name++) {
        if (!provider_facts(*name)->local || words_have(&keys, *name))
            continue;
        words_add(&keys, *name);
        places = xreallocarray(places, *count + 1, sizeof *places);
        places[(*count)++] = (struct place){.provider = *name, .calls = provider_facts(*name)->calls};
    }
    for (size_t i = 0; i < row_count; i++) {
        if (places_find(places, *count, rows[i]->provider, rows[i]->target))
            continue;
        struct target *noted = target_of(rows[i]);
        struct place *place = add(&places, count, &keys, noted);
        if (place)
            place->noted = noted;
        else
            target_free(noted);
    }
    return places;
}

void places_free(struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        words_clear(&places[i].targets);
        target_free(places[i].noted);
    }
    free(places);
}

const struct place *places_find(const struct place *places, size_t count, const char *provider,
                                const char *target)
{
    for (size_t i = 0; places && i < count; i++)
        if (text_is(places[i].provider, provider) &&
            (!places[i].target || words_have(&places[i].targets, target)))
            return &places[i];
    return NULL;
}
