#include "provider/places.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/provider_facts.h"

bool places_can_ask(const char *provider, const struct target *target)
{
    const struct provider_facts *facts = provider_facts(provider);
    if (facts->local)
        return true;
    return target && text_is(target->provider, provider) && (!facts->by_programs || target->list.count);
}

static void add_secret(struct text *out, const struct secret *secret)
{
    AUTO_FREE char *command = words_join(&secret->command, "\n");
    text_addf(out, "\n%d %s %d %s", (int)secret->kind, secret->where ? secret->where : "", secret->fd,
              command);
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

static struct place *add(struct place **places, size_t *count, const char *provider,
                         const struct target *target)
{
    const struct provider_facts *facts = provider_facts(provider);
    *places = xreallocarray(*places, *count + 1, sizeof **places);
    struct place *place = &(*places)[(*count)++];
    *place = (struct place){.provider = facts->name,
                            .calls = facts->calls,
                            .target = facts->local ? NULL : target,
                            .mute = !places_can_ask(provider, target)};
    return place;
}

struct place *places_of(const struct project *project, size_t *count)
{
    struct place *places = NULL;
    AUTO_WORDS keys = WORDS_INIT;
    *count = 0;
    for (size_t i = 0; i < project->target_count; i++) {
        const struct target *target = &project->targets[i];
        const struct provider_facts *facts = provider_facts(target->provider);
        if (facts->existing || !facts->calls)
            continue;
        AUTO_FREE char *key = key_of(target);
        size_t at = 0;
        while (at < keys.count && !text_is(keys.items[at], key))
            at++;
        if (at == keys.count) {
            words_add(&keys, key);
            add(&places, count, target->provider, target);
        }
        words_add(&places[at].targets, target->name);
    }
    for (const char *const *name = provider_names(); *name; name++)
        if (provider_facts(*name)->local && !words_have(&keys, *name))
            add(&places, count, *name, NULL);
    return places;
}

void places_free(struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words_clear(&places[i].targets);
    free(places);
}
