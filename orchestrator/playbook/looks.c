#include "playbook/looks.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "playbook/elsewhere.h"
#include "playbook/meaning.h"
#include "playbook/restart.h"
#include "playbook/stillness.h"
#include "playbook/task.h"
#include "playbook/variables.h"

#include <string.h>

enum { TEXT_MAX = 1 << 20 };

void scan_clear(struct scan *scan)
{
    for (size_t i = 0; i < scan->count; i++) {
        free(scan->items[i].where);
        free(scan->items[i].text);
    }
    free(scan->items);
    *scan = (struct scan){0};
}

static char *place_of(const struct looks *looks, const char *file, int line)
{
    return xasprintf("%s:%d", file_below(file, looks->directory), line);
}

static void add_lasting(struct looks *looks, enum scan_kind kind, const char *file, int line,
                        const char *text, int64_t lasts_ns)
{
    struct scan *out = looks->out;
    if (!out)
        return;
    AUTO_FREE char *where = place_of(looks, file, line);
    for (size_t i = 0; i < out->count; i++)
        if (out->items[i].kind == kind && text_is(out->items[i].where, where) &&
            text_is(out->items[i].text, text))
            return;
    out->items = xreallocarray(out->items, out->count + 1, sizeof(*out->items));
    out->items[out->count++] = (struct scan_item){kind, TAKE(where), xstrdup(text), lasts_ns};
}

void looks_add(struct looks *looks, enum scan_kind kind, const char *file, int line, const char *text)
{
    add_lasting(looks, kind, file, line, text, 0);
}

static void at_restart(struct looks *looks, const char *file, const struct node *task, const char *module,
                       const struct node *value, int line)
{
    AUTO_WORDS services = WORDS_INIT;
    if (node_get(task, "local_action"))
        return;
    restart_find(task, module, value, &services);
    for (size_t i = 0; i < services.count; i++)
        looks_add(looks, SCAN_RESTART, file, line, services.items[i]);
}

static void at_prompt(struct looks *looks, const char *file, const struct node *task, const char *module,
                      const struct node *value, int line)
{
    const char *text = task_text(value);
    if (text_is(module, "debugger") && text && !text_is(text, "never"))
        looks_add(looks, SCAN_DEBUGGER, file, line, text);
    if (text_is(module, "strategy") && text && text_is(task_short_name(text), "debug"))
        looks_add(looks, SCAN_DEBUGGER, file, line, "on_failed");
    /* Arguments that are a variable as a whole say nothing. */
    if (!text_is(module, "pause") || task_text(node_get(task, "args")))
        return;
    AUTO_FREE char *seconds = task_argument(task, value, "seconds");
    AUTO_FREE char *minutes = task_argument(task, value, "minutes");
    if (!seconds && !minutes)
        looks_add(looks, SCAN_PAUSE, file, line, module);
}

static void at_stillness(struct looks *looks, const char *file, const struct node *task, const char *module,
                         const struct node *value, int line)
{
    AUTO_FREE char *what = NULL;
    int64_t lasts_ns = stillness_find(task, module, value, &what);
    if (lasts_ns > 0)
        add_lasting(looks, SCAN_STILL, file, line, what, lasts_ns);
}

static void at_handlers(struct looks *looks, const char *file, const struct node *task, const char *module,
                        const struct node *value, int line)
{
    (void)task;
    if (looks->unordered)
        return;
    if (text_is(module, "notify")) {
        AUTO_FREE char *where = place_of(looks, file, line);
        handlers_add(&looks->owed, value, where);
    }
    const char *meta = text_is(module, "meta") ? task_text(value) : NULL;
    if (text_is(meta, "flush_handlers"))
        handlers_clear(&looks->owed);
    for (size_t i = 0; meta && handlers_are_dropped_by(meta) && i < looks->owed.count; i++) {
        AUTO_FREE char *text = xasprintf("meta: %s throws away the handler '%s', which %s notifies", meta,
                                         looks->owed.items[i].name, looks->owed.items[i].where);
        looks_add(looks, SCAN_DROPPED, file, line, text);
    }
}

/* What has changed and then failed notifies nobody. */
static void at_ignored(struct looks *looks, const char *file, const struct node *task, const char *module,
                       const struct node *value, int line)
{
    static const char *const on[] = {"true", "yes", "on", "1", NULL}, *const off[] = {"false", "no", NULL};
    const char *ignores = text_is(module, "ignore_errors") ? task_text(value) : NULL;
    const char *fails = task_text(node_get(task, "failed_when"));
    if (ignores && text_is_one_of(ignores, on) && node_get(task, "notify") &&
        !(fails && text_is_one_of(fails, off)))
        looks_add(looks, SCAN_IGNORED, file, line, module);
}

static void at_delegate(struct looks *looks, const char *file, const struct node *task, const char *module,
                        const struct node *value, int line)
{
    (void)task;
    const char *host = text_is(module, "delegate_to") ? task_text(value) : NULL;
    if (host && !meaning_is_templated(host))
        looks_add(looks, SCAN_DELEGATE, file, line, host);
}

/* In all that a value holds. */
static void at_variables(struct looks *looks, const char *file, const struct node *task, const char *module,
                         const struct node *value, int line)
{
    AUTO_WORDS names = WORDS_INIT;
    if (node_is_scalar(value)) {
        if (text_is(module, "with_env"))
            words_add(&names, value->text);
        variables_find(value->text, &names);
        if (looks->here)
            variables_find_in_facts(value->text, &names);
        for (size_t i = 0; i < names.count; i++)
            looks_add(looks, SCAN_VARIABLE, file, value->line ? value->line : line, names.items[i]);
        return;
    }
    for (size_t i = 0; i < value->count; i++)
        at_variables(looks, file, task, module, value->items[i], line);
}

static void at_become(struct looks *looks, const char *file, const struct node *task, const char *module,
                      const struct node *value, int line)
{
    (void)task;
    static const char *const off[] = {"false", "no", "off", "0", NULL};
    const char *text = text_is(module, "become") ? task_text(value) : NULL;
    if (text && !text_is_one_of(text, off))
        looks_add(looks, SCAN_BECOME, file, line, text);
}

static void at_strategy(struct looks *looks, const char *file, const struct node *play, const char *key,
                        const struct node *value, int line)
{
    if (text_is(key, "strategy") && node_get(play, "hosts") && task_text(value))
        looks_add(looks, SCAN_STRATEGY, file, line, task_text(value));
}

static void at_async(struct looks *looks, const char *file, const struct node *task, const char *key,
                     const struct node *value, int line)
{
    const char *strategy = looks->strategy ? looks->strategy : "";
    const struct node *folder =
        text_is(key, "vars") || text_is(key, "set_fact") ? node_get(value, "ansible_async_dir") : NULL;
    if (text_is(key, "async") && task_is_asynchronous(task))
        looks_add(looks, SCAN_ASYNC, file, line, strategy);
    if (folder)
        looks_add(looks, SCAN_ASYNC_DIR, file, folder->line, strategy);
}

static void on_elsewhere(void *context, bool below, const char *file, int line, const char *text)
{
    looks_add(context, below ? SCAN_BELOW : SCAN_ELSEWHERE, file, line, text);
}

static void at_elsewhere(struct looks *looks, const char *file, const struct node *task, const char *key,
                         const struct node *value, int line)
{
    if (!looks->here)
        elsewhere_find(file, task, key, value, line, on_elsewhere, looks);
}

static void at_name(struct looks *looks, const char *file, const struct node *task, const char *module,
                    const struct node *value, int line)
{
    (void)task;
    if (text_is(module, "name") && node_is_scalar(value) && value->text)
        looks_add(looks, SCAN_NAME, file, line, value->text);
}

static void (*const kinds[])(struct looks *, const char *file, const struct node *task, const char *module,
                             const struct node *value, int line) = {
    at_restart, at_prompt, at_stillness, at_handlers, at_delegate, at_variables,
    at_ignored, at_become, at_elsewhere, at_strategy, at_name,     at_async,
};

void looks_at(struct looks *looks, const char *file, const struct node *task, const char *module,
              const struct node *value, int line)
{
    for (size_t i = 0; looks->out && i < COUNT_OF(kinds); i++)
        kinds[i](looks, file, task, module, value, line);
}

void looks_at_variables(struct looks *looks, const char *file, const struct node *document)
{
    if (looks->out)
        at_variables(looks, file, NULL, "", document, 1);
}

void looks_at_text(struct looks *looks, const char *path)
{
    AUTO_TEXT content = TEXT_INIT;
    AUTO_WORDS names = WORDS_INIT;
    if (!looks->out || file_is_dir(path) || file_read(path, TEXT_MAX, &content, NULL) < 0)
        return;
    const char *text = text_string(&content);
    variables_find(text, &names);
    for (size_t i = 0; i < names.count; i++) {
        int line = 1;
        const char *found = strstr(text, names.items[i]);
        for (const char *at = text; at < found; at++)
            line += *at == '\n';
        looks_add(looks, SCAN_VARIABLE, path, line, names.items[i]);
    }
}
