#include "preflight/plugins.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

static const char mark[] = "triphase: ";

/* The object that stands in the last line; NULL: none does (a program of the user's in Ansible's place). */
static struct json *object_in(const char *output)
{
    const char *found = NULL;
    for (const char *line = output; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (text_starts(line, mark))
            found = line + strlen(mark);
    return found ? json_parse(found, strcspn(found, "\n"), NULL) : NULL;
}

/* Below the project. */
static const char *shown(const struct plan_plugins *facts, const char *where)
{
    return where ? file_below(where, facts->project->directory) : NULL;
}

static void take_plugins(struct plan_plugins *facts, const struct json *object)
{
    static const struct {
        const char *kind, *says; /* of what: "%s" is the plugin */
    } kinds[] = {
        {"stdout_callback",
         "stdout_callback: Ansible cannot load the callback plugin %s, and begins no play without it"},
        {"callback", "callbacks_enabled: Ansible cannot load the callback plugin %s, and goes on without it"},
        {"inventory", "enable_plugins: Ansible cannot load the inventory plugin %s, and goes on without it"},
        {"vars", "vars_plugins_enabled: Ansible cannot load the vars plugin %s, and goes on without it"},
        {"strategy", "Ansible cannot load the strategy plugin %s, and begins no play without it"},
        {"become", "Ansible cannot load the become plugin %s, and the task fails without it"},
        {"connection",
         "Ansible cannot load the connection plugin %s; where the host's own ansible_connection does not "
         "replace it, the task fails"},
    };
    const struct json *plugins = json_get(object, "plugins");
    for (size_t i = 0; i < json_count(plugins); i++) {
        const struct json *plugin = json_at(plugins, i);
        const char *name = json_get_string(plugin, "name", ""), *dot = strchr(name, '.'),
                   *second = dot ? strchr(dot + 1, '.') : NULL;
        AUTO_TEXT text = TEXT_INIT;
        for (size_t k = 0; k < COUNT_OF(kinds); k++) {
            if (!text_is(json_get_string(plugin, "kind", ""), kinds[k].kind))
                continue;
            const char *at = strstr(kinds[k].says, "%s");
            text_addf(&text, "%.*s%s%s", (int)(at - kinds[k].says), kinds[k].says, name, at + 2);
        }
        const char *why = json_get_string(plugin, "why", "");
        text_addf(&text, ": %s", why);
        if (second && text_ends(why, "not to be found") && !text_starts(name, "ansible."))
            text_addf(&text, "; its collection is installed with: ansible-galaxy collection install %.*s",
                      (int)(second - name), name);
        plan_find_once(facts->report, json_get_bool(plugin, "stops") ? ERROR_PROJECT : ERROR_NONE,
                       shown(facts, json_get_string(plugin, "where", NULL)), text_take(&text));
    }
}

static bool has_name(const struct json *names, const char *name)
{
    for (size_t i = 0; i < json_count(names); i++) {
        const char *one = json_string(json_at(names, i), "");
        if (text_is(text_starts(one, "ansible.builtin.") ? one + strlen("ansible.builtin.") : one, name))
            return true;
    }
    return false;
}

/* What triphase itself has to have parsed: its rendered inventory, and the program
 * that hands secrets over. */
static void take_enabled(struct plan_plugins *facts, const struct json *object)
{
    const struct json *enabled = json_get(object, "enabled"), *names = json_get(enabled, "names");
    const struct target *target = facts->target;
    bool secrets = target->secret_count || target->become_password.kind != SECRET_NONE;
    const struct {
        const char *name, *why;
        bool needed;
    } needs[] = {{"yaml", "the inventory that triphase renders", true},
                 {"script", "the target's secrets and become_password", secrets}};
    for (size_t i = 0; names && i < COUNT_OF(needs); i++)
        if (needs[i].needed && !has_name(names, needs[i].name))
            plan_find_once(
                facts->report, ERROR_PROJECT, shown(facts, json_get_string(enabled, "where", NULL)),
                xasprintf("enable_plugins lacks the inventory plugin '%s', by which Ansible reads %s; add it",
                          needs[i].name, needs[i].why));
}

static void take_unparsed(struct plan_plugins *facts, const struct json *object)
{
    const struct json *unparsed = json_get(object, "unparsed");
    for (size_t i = 0; i < json_count(unparsed); i++) {
        const struct json *one = json_at(unparsed, i);
        const char *source = json_get_string(one, "source", "");
        int64_t line = json_get_integer(one, "line", 0);
        if (text_is(source, facts->rendered))
            continue; /* for want of a plugin: told as that */
        AUTO_FREE char *where = line ? xasprintf("%s:%lld", source, (long long)line) : xstrdup(source);
        AUTO_TEXT why = TEXT_INIT;
        const char *said = json_get_string(one, "why", "");
        text_add_printable(&why, said, strnlen(said, 400));
        plan_find_once(
            facts->report, ERROR_PROJECT, shown(facts, where),
            xasprintf(
                "Ansible cannot read this inventory, and would go on without its hosts and variables: %s",
                text_string(&why)));
    }
}

static void take_words(struct plan_plugins *facts, const struct json *object)
{
    const struct json *words = json_get(object, "words"), *tags = json_get(object, "tags");
    for (size_t i = 0; i < json_count(tags); i++)
        if (!words_have(&facts->tags, json_string(json_at(tags, i), "")))
            words_add(&facts->tags, json_string(json_at(tags, i), ""));
    for (size_t i = 0; i < json_count(words); i++) {
        const struct json *one = json_at(words, i);
        const char *option = json_get_string(one, "option", ""), *word = json_get_string(one, "word", "");
        size_t at = 0;
        while (at < facts->count &&
               !(text_is(facts->words[at].option, option) && text_is(facts->words[at].word, word)))
            at++;
        if (at == facts->count) {
            facts->words = xreallocarray(facts->words, facts->count + 1, sizeof(*facts->words));
            facts->words[facts->count++] = (struct sought_word){xstrdup(option), xstrdup(word), false};
        }
        facts->words[at].found = facts->words[at].found || json_get_bool(one, "found");
    }
}

void plan_plugins_take(struct plan_plugins *facts, const char *output)
{
    AUTO_JSON *object = object_in(output);
    if (!json_is_object(object))
        return;
    take_plugins(facts, object);
    take_enabled(facts, object);
    take_unparsed(facts, object);
    if (json_get_string(object, "debugger", NULL))
        plan_find_once(
            facts->report, ERROR_NONE, shown(facts, json_get_string(object, "debugger", NULL)),
            xstrdup("the task debugger is switched on: it asks when a task fails, and nobody answers a "
                    "supervised phase; Ansible then breaks off, without rescue, handlers and the plays "
                    "behind it"));
    take_words(facts, object);
}

static bool any_found(const struct plan_plugins *facts, const char *option)
{
    for (size_t i = 0; i < facts->count; i++)
        if (text_is(facts->words[i].option, option) && facts->words[i].found)
            return true;
    return false;
}

void plan_plugins_end(struct plan_plugins *facts)
{
    for (size_t i = 0; i < facts->count; i++) {
        const struct sought_word *one = &facts->words[i];
        const char *nearest = text_nearest(one->word, words_argv(&facts->tags));
        if (facts->whole && !one->found)
            plan_find_once(facts->report, any_found(facts, one->option) ? ERROR_NONE : ERROR_PROJECT, NULL,
                           xasprintf("%s %s: no task of any phase has it%s%s%s", one->option, one->word,
                                     nearest ? "; did you mean '" : "", nearest ? nearest : "",
                                     nearest ? "'?" : ""));
    }
    for (size_t i = 0; i < facts->count; i++) {
        free(facts->words[i].option);
        free(facts->words[i].word);
    }
    free(facts->words);
    words_clear(&facts->tags);
    facts->words = NULL;
    facts->count = 0;
}
