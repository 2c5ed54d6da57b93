#include "playbook/restart.h"

#include "base/memory.h"
#include "base/text.h"
#include "playbook/task.h"

#include <string.h>

static const char *const carriers[] = {"ssh",
                                       "sshd",
                                       "network",
                                       "networking",
                                       "systemd-networkd",
                                       "NetworkManager",
                                       "network-manager",
                                       "docker",
                                       "dockerd",
                                       "tailscaled",
                                       "tailscale",
                                       NULL};

/* The service's name without ".service" when the connection hangs on it; NULL else. Static. */
static const char *carrier(const char *word)
{
    size_t length = strlen(word);
    if (text_ends(word, ".service") || text_ends(word, ".socket"))
        length = (size_t)(strrchr(word, '.') - word);
    for (const char *const *name = carriers; *name; name++)
        if (strlen(*name) == length && !strncmp(word, *name, length))
            return *name;
    return NULL;
}

/* A shell text: the service it restarts while its own connection waits; NULL: none. */
static const char *restarted_by_shell(const char *text)
{
    AUTO_FREE char *copy = xstrdup(text);
    char *rest = NULL;
    for (char *part = strtok_r(copy, "\n;&|", &rest); part; part = strtok_r(NULL, "\n;&|", &rest)) {
        const char *service = NULL;
        bool manager = false, verb = false;
        char *inner = NULL;
        const char *before = "";
        for (char *word = strtok_r(part, " \t'\"()`$", &inner); word;
             word = strtok_r(NULL, " \t'\"()`$", &inner)) {
            const char *name = strrchr(word, '/') ? strrchr(word, '/') + 1 : word;
            manager = manager || text_is(name, "systemctl") || text_is(name, "service") ||
                      text_is(name, "invoke-rc.d") || text_is(name, "rc-service") ||
                      text_starts(word, "/etc/init.d/");
            verb = verb || text_is(word, "restart") || text_is(word, "stop") ||
                   text_is(word, "try-restart") || text_is(word, "reload-or-restart");
            if (!service)
                service = carrier(name);
            if ((text_is(before, "netplan") && text_is(word, "apply")) || text_is(name, "ifdown"))
                return "network";
            if (text_is(before, "tailscale") && text_is(word, "down"))
                return "tailscaled";
            before = name;
        }
        if (manager && verb && service)
            return service;
    }
    return NULL;
}

void restart_find(const struct node *task, const char *module, const struct node *arguments,
                  struct words *out)
{
    if (task_is_asynchronous(task))
        return;
    if (text_is(module, "service") || text_is(module, "systemd") || text_is(module, "systemd_service") ||
        text_is(module, "sysvinit")) {
        AUTO_FREE char *name = task_argument(task, arguments, "name");
        AUTO_FREE char *state = task_argument(task, arguments, "state");
        if (!name || (!text_is(state, "restarted") && !text_is(state, "stopped")))
            return;
        const char *service = carrier(name);
        if (service)
            words_add(out, service);
        const struct node *loop =
            node_get(task, "loop") ? node_get(task, "loop") : node_get(task, "with_items");
        for (size_t i = 0; loop && loop->kind == NODE_LIST && strstr(name, "item") && i < loop->count; i++) {
            service = task_text(loop->items[i]) ? carrier(loop->items[i]->text) : NULL;
            if (service)
                words_add(out, service);
        }
    } else if (text_is(module, "shell") || text_is(module, "command") || text_is(module, "raw")) {
        AUTO_FREE char *cmd = arguments && arguments->kind == NODE_MAP
                                  ? task_argument(task, arguments, "cmd")
                                  : xstrdup_or_null(task_text(arguments));
        const char *service = cmd ? restarted_by_shell(cmd) : NULL;
        if (service)
            words_add(out, service);
    }
}
