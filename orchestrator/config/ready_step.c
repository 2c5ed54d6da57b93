#include "config/ready_step.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <string.h>

#define STAGE_PREFIX "ready-"

static const struct row {
    const char *stage;
    int64_t within_s;
} rows[] = {
    [READY_CLOUD_INIT] = {STAGE_PREFIX "cloud-init", 300},
    [READY_APT] = {STAGE_PREFIX "apt", 600},
    [READY_REBOOT] = {STAGE_PREFIX "reboot", 180},
    [READY_SYSTEMD] = {STAGE_PREFIX "systemd", 60},
    [READY_USER] = {STAGE_PREFIX "user", 30},
    [READY_COMMAND] = {STAGE_PREFIX "command", 120},
};

const char *ready_step_stage(enum ready_kind kind)
{
    return rows[kind].stage;
}

const char *ready_step_name(enum ready_kind kind)
{
    return rows[kind].stage + strlen(STAGE_PREFIX);
}

const char *const *ready_step_words(void)
{
    static const char *names[COUNT_OF(rows)];
    for (size_t i = 0; i < READY_COMMAND; i++)
        names[i] = ready_step_name((enum ready_kind)i);
    return names;
}

bool ready_step_is_stage(const char *stage)
{
    return stage && text_starts(stage, STAGE_PREFIX);
}

char *ready_step_shown(const struct ready_step *step)
{
    struct text shown = TEXT_INIT;
    text_add(&shown, step->kind == READY_COMMAND ? "" : ready_step_name(step->kind));
    for (size_t i = 0; i < step->command.count; i++) {
        text_add(&shown, i ? " " : "");
        text_add_shell_word(&shown, step->command.items[i]);
    }
    return text_take(&shown);
}

static struct ready_step named(const char *name)
{
    struct ready_step step = {.kind = READY_CLOUD_INIT};
    while (step.kind < READY_COMMAND && !text_is(name, ready_step_name(step.kind)))
        step.kind++;
    step.within_ns = rows[step.kind].within_s * NS_PER_S;
    return step;
}

struct ready_step *ready_steps_of(const struct node *list, bool by_default, size_t *count)
{
    *count = list && list->kind == NODE_LIST ? list->count : 0;
    struct ready_step *steps = *count ? xcalloc(*count, sizeof *steps) : NULL;
    for (size_t i = 0; i < *count; i++) {
        const struct node *node = list->items[i];
        const struct node *command = node_get(node, "command"), *within = node_get(node, "within");
        steps[i] = named(node->kind == NODE_MAP ? "command" : node->text);
        steps[i].by_default = by_default;
        for (size_t k = 0; command && k < command->count; k++)
            words_add(&steps[i].command, command->items[k]->text);
        if (within)
            duration_parse(within->text, &steps[i].within_ns, NULL);
    }
    return steps;
}

void ready_steps_free(struct ready_step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++)
        words_clear(&steps[i].command);
    free(steps);
}
