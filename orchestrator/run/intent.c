#include "run/intent.h"

#include "base/digest.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

enum { SHORT = 32 };

static void set_words(struct json *object, const char *key, const struct words *words)
{
    AUTO_TEXT list = TEXT_INIT;
    for (size_t i = 0; i < words->count; i++)
        text_addf(&list, "%s%s", i ? ", " : "", words->items[i]);
    json_set_string(object, key, text_string(&list));
}

static void set_digest(struct json *object, const char *key, const char *text)
{
    char hex[DIGEST_TEXT];
    struct digest digest;
    digest_begin(&digest);
    digest_add_text(&digest, text);
    digest_end(&digest, hex);
    hex[SHORT] = '\0';
    json_set_string(object, key, hex);
}

static void set_vars(struct json *object, const char *key, const struct node *vars)
{
    AUTO_FREE char *flow = vars ? node_flow(vars) : NULL;
    set_digest(object, key, flow);
}

/* What makes the host what it is, and what every phase sees of it. How it is made and reached is compared
 * with the machine itself (provider/made.h). */
static struct json *settings_of(const struct target *target)
{
    struct json *settings = json_new_object();
    json_set_string(settings, "recipe", target->recipe);
    json_set_string(settings, "python", target->python);
    json_set_string(settings, "host_name", target->host_name);
    set_words(settings, "groups", &target->groups);
    set_words(settings, "peers", &target->peers);
    set_vars(settings, "vars", target->vars);
    return settings;
}

static struct json *entry_of(const struct phase *phase)
{
    struct json *entry = json_new_object();
    AUTO_TEXT args = TEXT_INIT;
    for (size_t i = 0; i < phase->args.count; i++)
        text_addf(&args, "%s\n", phase->args.items[i]);
    json_set_string(entry, "playbook", phase->playbook);
    if (phase->transport_auto)
        json_set_string(entry, "transport", "auto");
    else
        set_words(entry, "transport", &phase->transports);
    set_digest(entry, "args", text_string(&args));
    set_vars(entry, "vars", phase->vars);
    return entry;
}

static struct json *strings(const char *const *list)
{
    struct json *array = json_new_array();
    for (; list && *list; list++)
        json_append(array, json_new_string(*list));
    return array;
}

/* As run/items.h has it. */
static bool is_asked(const struct intent_request *request, const struct phase *phase)
{
    const char *const *asked = request->asked;
    if (!asked || !*asked)
        return !(phase->only_looks && request->partial);
    while (*asked && !text_is(*asked, phase->name))
        asked++;
    return *asked != NULL;
}

struct json *intent_new(const struct intent_request *request)
{
    struct json *plan = json_new_object(), *names = json_new_array(), *rebooting = json_new_array();
    bool destroy = text_is(request->does, "destroy");
    const struct recipe *recipe = request->recipe;
    const struct phase *phases = !recipe ? NULL : destroy ? recipe->teardown : recipe->phases;
    size_t count = !recipe ? 0 : destroy ? recipe->teardown_count : recipe->phase_count;
    for (size_t i = 0; i < count && !(destroy && request->no_teardown); i++)
        if (is_asked(request, &phases[i])) {
            json_append(names, json_new_string(phases[i].name));
            if (phases[i].reboots)
                json_append(rebooting, json_new_string(phases[i].name));
        }
    json_set_string(plan, "does", request->does);
    if (!destroy && recipe && recipe->bootstrap)
        json_set_string(plan, "bootstrap", recipe->bootstrap->name);
    json_set(plan, "phases", names);
    json_set(plan, "reboots", rebooting);
    json_set(plan, "asked", strings(request->asked));
    json_set(plan, "arguments", strings(request->arguments));
    json_set_bool(plan, "dry_run", request->dry_run);
    json_set_bool(plan, "check_idempotent", request->check_idempotent);
    json_set_bool(plan, "keep_state", request->keep_state);
    json_set_bool(plan, "no_teardown", request->no_teardown);
    if (request->target) {
        json_set(plan, "settings", settings_of(request->target));
        set_words(plan, "transports", &request->target->transports);
    }
    json_set(plan, "done", json_new_object());
    return plan;
}

void intent_done(struct json *plan, const struct phase *phase, struct json *used)
{
    json_set(used, "entry", entry_of(phase));
    json_set(json_get(plan, "done"), phase->name, used);
}

const struct json *intent_of_phase(const struct json *plan, const char *phase)
{
    return json_get(json_get(plan, "done"), phase);
}

static bool has(const struct json *array, const char *word)
{
    for (size_t i = 0; i < json_count(array); i++)
        if (text_is(json_string(json_at(array, i), NULL), word))
            return true;
    return false;
}

bool intent_reboots(const struct json *plan, const char *phase)
{
    return has(json_get(plan, "reboots"), phase);
}

/* Names of `array` that the other has too, in order. */
static void common(const struct json *array, const struct json *other, struct words *out)
{
    for (size_t i = 0; i < json_count(array); i++) {
        const char *word = json_string(json_at(array, i), "");
        if (has(other, word))
            words_add(out, word);
    }
}

static char *joined(const struct words *words)
{
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < words->count; i++)
        text_addf(&out, "%s%s", i ? ", " : "", words->items[i]);
    return text_take(&out);
}

static void compare_order(const struct json *before, const struct json *now, struct words *out)
{
    const struct json *was = json_get(before, "phases"), *is = json_get(now, "phases");
    AUTO_WORDS old = WORDS_INIT, new = WORDS_INIT;
    common(was, is, &old);
    common(is, was, &new);
    AUTO_FREE char *old_order = joined(&old), *new_order = joined(&new);
    if (!text_is(old_order, new_order))
        words_addf(out, "the order of the phases changed: it was %s, it is %s", old_order, new_order);
    const char *missing = NULL; /* the last phase that is not completed */
    for (size_t i = 0; i < json_count(is); i++) {
        const char *phase = json_string(json_at(is, i), "");
        if (!intent_of_phase(before, phase)) {
            missing = missing ? missing : phase;
        } else if (missing && !has(was, missing)) {
            words_addf(out, "the phase %s is new and stands before %s, which is completed", missing, phase);
            missing = NULL;
        }
    }
}

static void compare_settings(const struct json *before, const struct json *now, struct words *out)
{
    const struct json *was = json_get(before, "settings"), *is = json_get(now, "settings");
    const char *key;
    struct json *value;
    for (void *at = NULL; was && json_each(is, &at, &key, &value);) {
        const char *old = json_get_string(was, key, NULL), *new = json_string(value, NULL);
        if (text_is(old, new))
            continue;
        if (text_is(key, "vars"))
            words_addf(out, "the target's vars changed");
        else
            words_addf(out, "the target's %s changed: it was '%s', it is '%s'", key, old ? old : "",
                       new ? new : "");
    }
    const char *old = json_get_string(before, "transports", ""),
               *new = json_get_string(now, "transports", "");
    if (was && !text_is(old, new))
        words_addf(out, "the target's transports changed: they were '%s', they are '%s'", old, new);
}

static const struct phase *phase_named(const struct recipe *recipe, const char *name)
{
    for (size_t i = 0; i < recipe->phase_count; i++)
        if (text_is(recipe->phases[i].name, name))
            return &recipe->phases[i];
    for (size_t i = 0; i < recipe->teardown_count; i++)
        if (text_is(recipe->teardown[i].name, name))
            return &recipe->teardown[i];
    return NULL;
}

static void compare_entries(const struct json *before, const struct json *now, const struct recipe *recipe,
                            struct words *out)
{
    const char *name, *key;
    struct json *record, *value;
    for (void *at = NULL; json_each(json_get(before, "done"), &at, &name, &record);) {
        const struct phase *phase = phase_named(recipe, name);
        if (!phase || !has(json_get(now, "phases"), name)) {
            words_addf(out, "the phase %s, which is completed, is no longer in the recipe", name);
            continue;
        }
        AUTO_JSON *entry = entry_of(phase);
        for (void *in = NULL; json_each(entry, &in, &key, &value);)
            if (!text_is(json_get_string(json_get(record, "entry"), key, NULL), json_string(value, NULL)))
                words_addf(out, "%s of the phase %s, which is completed, changed", key, name);
    }
}

void intent_compare(const struct json *before, const struct json *now, const struct recipe *recipe,
                    struct words *out)
{
    if (!recipe)
        return;
    compare_order(before, now, out);
    compare_settings(before, now, out);
    compare_entries(before, now, recipe, out);
}
