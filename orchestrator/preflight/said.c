#include "preflight/said.h"

#include "ansible/environment.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/invoker.h"
#include "process/child.h"

static void pause_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    (void)playbook;
    plan_find_once(
        work->report, ERROR_NONE, item->where,
        xstrdup("pause without seconds or minutes waits for a key, and nobody presses one in a supervised "
                "phase: the play goes on at once, as if it had been allowed to; where it is a gate, ask "
                "before the run and fail the task unless a variable says yes"));
}

static void debugger_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    (void)playbook;
    bool always = text_is(item->text, "always");
    plan_find_once(
        work->report, always ? ERROR_PROJECT : ERROR_NONE, item->where,
        xasprintf("the task debugger (%s) asks, and nobody answers a supervised phase: Ansible then breaks "
                  "off, without rescue, handlers and the plays behind it%s",
                  item->text, always ? "; take 'debugger: always' out" : ""));
}

/* The key of the phase that ends a task which is still for so long; NULL: none does. */
static const char *ending_key(const struct phase *phase, int64_t lasts_ns, int64_t *bound_ns)
{
    const struct {
        const char *key;
        int64_t bound_ns;
    } keys[] = {{"silence", phase->limits.of[WATCHDOG_SILENCE]},
                {"task", phase->limits.of[WATCHDOG_TASK]},
                {"deadline", phase->limits.of[WATCHDOG_DEADLINE]}};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (keys[i].bound_ns && keys[i].bound_ns <= lasts_ns) {
            *bound_ns = keys[i].bound_ns;
            return keys[i].key;
        }
    return NULL;
}

static void stillness_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    for (size_t i = 0; i < work->phase_count; i++) {
        const struct phase *phase = work->phases[i];
        int64_t bound_ns = 0;
        const char *key =
            text_is(phase->playbook, playbook) ? ending_key(phase, item->lasts_ns, &bound_ns) : NULL;
        if (!key)
            continue;
        AUTO_FREE char *bound = duration_show(bound_ns);
        AUTO_FREE char *lasts = duration_show(item->lasts_ns);
        plan_find_once(
            work->report, ERROR_NONE, item->where,
            xasprintf("%s of phase %s is %s, and %s can be still for %s: it is ended before that; give the "
                      "phase a longer '%s'",
                      key, phase->name, bound, item->text, lasts, key));
    }
}

/* Set here, and a phase would not see it. */
static bool is_kept_back(const struct plan_work *work, const char *name)
{
    AUTO_WORDS handed = WORDS_INIT;
    ansible_environment(work->target, &work->settings, work->environment, &handed);
    return environment_value(work->environment, name) && !words_env(&handed, name) &&
           !text_starts(name, "TRIPHASE_");
}

static void variable_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    (void)playbook;
    if (!is_kept_back(work, item->text))
        return;
    AUTO_FREE char *entry = xasprintf("%s=", item->text);
    if (child_keeps_back(entry))
        plan_find_once(
            work->report, ERROR_NONE, item->where,
            xasprintf("the environment variable %s is read here: a secret is read from it, and phases see "
                      "secrets as variables of the play only",
                      item->text));
    else
        plan_find_once(work->report, ERROR_NONE, item->where,
                       xasprintf("the environment variable %s is read here: it is set on this machine, and "
                                 "phases do not see it; name it under the "
                                 "target's 'env:' (env: [%s])",
                                 item->text, item->text));
}

static void drop_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    (void)playbook;
    plan_find_once(
        work->report, ERROR_NONE, item->where,
        xasprintf("%s: what it was to do stays undone, and the next run, which changes nothing, does not "
                  "notify it again; put 'meta: flush_handlers' before it",
                  item->text));
}

static void ignored_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    (void)playbook;
    plan_find_once(work->report, ERROR_NONE, item->where,
                   xstrdup(
                       "ignore_errors beside notify: where this task changes something and fails, Ansible "
                       "goes on and notifies nobody, and the next run, which changes nothing, does not "
                       "either; say what is no failure with 'failed_when'"));
}

static void elsewhere_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    (void)playbook;
    plan_find(work->report, ERROR_PROJECT, item->where,
              "%s is set here, and would lead past the connection that a run verifies and watches: say how "
              "the host "
              "is reached in triphase.yml (address, jump, ssh_options), or delegate the task",
              item->text);
}

/* Of a block or a task: a play's own counts. */
static void below_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    (void)playbook;
    const struct target *target = work->target;
    AUTO_FREE char *user = target->user ? xasprintf("remote_user: %s", target->user) : NULL;
    AUTO_FREE char *port = target->port ? xasprintf("port: %d", target->port) : NULL;
    const char *variable = text_starts(item->text, "port") ? "ansible_port" : "ansible_user";
    if (!text_is(item->text, user) && !text_is(item->text, port))
        plan_find(
            work->report, ERROR_PROJECT, item->where,
            "'%s' has no effect beside the rendered variable: say it of the play, or as 'vars: {%s: …}'",
            item->text, variable);
}

static const char *mitogen_of(const struct plan_work *work, const struct scan_item *item)
{
    const char *strategy = *item->text ? item->text : work->settings.of[SETTING_STRATEGY].value;
    return ansible_strategy_is_mitogen(strategy) ? strategy : NULL;
}

/* In a folder that stands elsewhere than beside the task. */
static void async_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    (void)playbook;
    const struct ansible_setting *setting = &work->settings.of[SETTING_ASYNC_DIR];
    const char *strategy = mitogen_of(work, item),
               *variable = json_get_string(work->target->host_variables, "ansible_async_dir", NULL);
    bool is_set = setting->value && *setting->value;
    if (strategy && (variable || is_set))
        plan_find_once(work->report, ERROR_NONE, item->where,
                       xasprintf("this async task fails under strategy %s: mitogen keeps its jobs in "
                                 "~/.ansible_async whatever it is told, and they are looked for where %s "
                                 "says; take that out, or give the play 'strategy: linear'",
                                 strategy,
                                 variable ? "ansible_async_dir of the inventory" : setting->origin));
}

static void async_directory_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    (void)playbook;
    const char *strategy = mitogen_of(work, item);
    if (strategy)
        plan_find_once(
            work->report, ERROR_NONE, item->where,
            xasprintf("ansible_async_dir is set here, and async tasks under strategy %s fail with it: "
                      "mitogen keeps its jobs in ~/.ansible_async whatever it is told; take it out, or "
                      "give the play 'strategy: linear'",
                      strategy));
}

static const struct {
    enum scan_kind kind;
    void (*say)(struct plan_work *, const char *playbook, const struct scan_item *);
} sayings[] = {
    {SCAN_PAUSE, pause_said},     {SCAN_DEBUGGER, debugger_said},
    {SCAN_STILL, stillness_said}, {SCAN_VARIABLE, variable_said},
    {SCAN_DROPPED, drop_said},    {SCAN_ELSEWHERE, elsewhere_said},
    {SCAN_IGNORED, ignored_said}, {SCAN_BELOW, below_said},
    {SCAN_ASYNC, async_said},     {SCAN_ASYNC_DIR, async_directory_said},
};

void plan_said(struct plan_work *work, const char *playbook, const struct scan_item *item)
{
    for (size_t i = 0; i < COUNT_OF(sayings); i++)
        if (sayings[i].kind == item->kind)
            sayings[i].say(work, playbook, item);
}

static void look_at_source(struct looks *looks, const char *path)
{
    AUTO_WORDS names = WORDS_INIT;
    if (!file_is_dir(path)) {
        if (!file_is_program(path))
            looks_at_text(looks, path);
        return;
    }
    (void)file_list(path, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *inside = file_join(path, names.items[i]);
        if (!file_is_dir(inside) && !file_is_program(inside))
            looks_at_text(looks, inside);
    }
}

void plan_said_by_inventories(struct plan_work *work)
{
    const struct project *project = work->project;
    struct scan found = {0};
    struct looks looks = {.directory = project->directory, .out = &found};
    for (size_t i = 0; i < project->inventory.count; i++) {
        AUTO_FREE char *path = file_join(project->directory, project->inventory.items[i]);
        look_at_source(&looks, path);
    }
    AUTO_FREE char *own = xasprintf("target %s, vars", work->target->name);
    if (work->target->vars)
        looks_at_variables(&looks, own, work->target->vars);
    for (size_t i = 0; i < work->phase_count; i++)
        if (work->phases[i]->vars)
            looks_at_variables(&looks, work->recipe->path, work->phases[i]->vars);
    for (size_t i = 0; i < found.count; i++)
        plan_said(work, NULL, &found.items[i]);
    scan_clear(&found);
}
