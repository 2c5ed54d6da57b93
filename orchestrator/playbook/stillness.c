#include "playbook/stillness.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "playbook/task.h"

#include <math.h>
#include <string.h>

/* Each asking of an async job and each round of an `until` is a sign of life: what counts
 * is the time between two. */
static const struct {
    const char *module, *argument;
    double unit_s;
    bool of_task; /* the argument is a keyword of the task */
} says[] = {
    {"pause", "seconds", 1, false},
    {"pause", "minutes", 60, false},
    {"wait_for", "timeout", 1, false},
    {"wait_for", "delay", 1, false},
    {"wait_for_connection", "timeout", 1, false},
    {"wait_for_connection", "delay", 1, false},
    {"reboot", "reboot_timeout", 1, false},
    {"reboot", "pre_reboot_delay", 1, false},
    {"reboot", "post_reboot_delay", 1, false},
    {"until", "delay", 1, true},
    {"async", "poll", 1, true},
};

static const double longest_s = 1e9;

/* A plain number, whole or not; 0 for anything else. */
static double number(const char *text)
{
    char *end = NULL;
    double value = text && *text ? strtod(text, &end) : 0;
    return end && !*end && isfinite(value) && value > 0 && value < longest_s ? value : 0;
}

/* "sleep 90", "sleep 10m": a command that does nothing else first. */
static double sleeps(const char *command)
{
    static const struct {
        char letter;
        double unit_s;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    command += strspn(command, " \t\n");
    if (!text_starts(command, "sleep "))
        return 0;
    command += strlen("sleep ");
    command += strspn(command, " ");
    AUTO_FREE char *amount = xstrndup(command, strcspn(command, " \t\n;&|"));
    size_t length = strlen(amount);
    double unit_s = 1;
    for (size_t i = 0; length && i < COUNT_OF(units); i++)
        if (amount[length - 1] == units[i].letter) {
            amount[length - 1] = '\0';
            unit_s = units[i].unit_s;
            break;
        }
    return number(amount) * unit_s;
}

int64_t stillness_find(const struct node *task, const char *module, const struct node *value, char **what)
{
    static const char *const commands[] = {"command", "shell", "raw", NULL};
    double longest = 0;
    bool background = task_is_asynchronous(task);
    AUTO_FREE char *said = NULL;
    if (!background && text_is_one_of(module, commands)) {
        AUTO_FREE char *named = task_argument(task, value, "cmd");
        const char *command = named ? named : task_text(value);
        longest = command ? sleeps(command) : 0;
        said = longest > 0 ? xasprintf("%s (sleep)", module) : NULL;
    }
    for (size_t i = 0; i < COUNT_OF(says); i++) {
        if (!text_is(module, says[i].module) || background != text_is(module, "async"))
            continue;
        AUTO_FREE char *text = says[i].of_task ? xstrdup_or_null(task_text(node_get(task, says[i].argument)))
                                               : task_argument(task, value, says[i].argument);
        double lasts = number(text) * says[i].unit_s;
        if (lasts <= longest)
            continue;
        longest = lasts;
        free(TAKE(said));
        said = xasprintf("%s (%s: %s)", module, says[i].argument, text);
    }
    if (longest <= 0)
        return 0;
    *what = TAKE(said);
    return (int64_t)(longest * (double)NS_PER_S);
}
