#include "action/ansible_settings.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { CONFIG_MAX = 1 << 20 };

static const char *of_environment(const char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static char *trimmed(const char *start, size_t length)
{
    while (length && isspace((unsigned char)*start))
        start++, length--;
    while (length && isspace((unsigned char)start[length - 1]))
        length--;
    return xstrndup(start, length);
}

/* An ini file's value as Python's configparser reads it with Ansible's settings: keys in any case, '=' or
 * ':', '#' and ';' at the start of a line and ';' behind a blank begin a comment, indented lines go on.
 * malloc'ed; NULL when absent. */
static char *ini_value(const char *bytes, const char *section, const char *key)
{
    bool inside = false, ours = false, found = false;
    struct text value = TEXT_INIT;
    for (const char *line = bytes; line && *line;) {
        size_t length = strcspn(line, "\n");
        const char *next = line + length + (line[length] == '\n');
        for (size_t i = 1; i < length; i++)
            if (line[i] == ';' && isspace((unsigned char)line[i - 1]))
                length = i;
        AUTO_FREE char *text = trimmed(line, length);
        bool indented = length && isspace((unsigned char)line[0]);
        if (!*text || *text == '#' || *text == ';') {
            /* nothing */
        } else if (indented && ours) {
            text_addf(&value, "\n%s", text);
        } else if (*text == '[') {
            size_t end = strcspn(text, "]");
            inside = strlen(section) == end - 1 && !strncmp(text + 1, section, end - 1);
            ours = false;
        } else {
            size_t end = strcspn(text, "=:");
            AUTO_FREE char *name = trimmed(text, end);
            ours = inside && !strcasecmp(name, key);
            if (ours) {
                found = true;
                text_truncate(&value, 0);
                AUTO_FREE char *rest =
                    trimmed(text + end + (text[end] != '\0'), strlen(text + end + (text[end] != '\0')));
                text_add(&value, rest);
            }
        }
        line = next;
    }
    if (!found) {
        text_free(&value);
        return NULL;
    }
    return text_take(&value);
}

static char *expanded(const char *path, const char *home, const char *base)
{
    AUTO_FREE char *full = text_starts(path, "~/")        ? file_join(home, path + 2)
                           : text_starts(path, "{{CWD}}") ? xasprintf(".%s", path + 7)
                                                          : xstrdup(path);
    return file_join(base, full);
}

/* A colon-separated list with each path absolute. */
static char *absolute_list(const char *list, const char *home, const char *base)
{
    struct text out = TEXT_INIT;
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, ":");
        AUTO_FREE char *path = trimmed(at, length);
        if (*path) {
            AUTO_FREE char *full = expanded(path, home, base);
            text_addf(&out, "%s%s", out.length ? ":" : "", full);
        }
        at += length + (at[length] == ':');
    }
    return text_take(&out);
}

static void find_config(const struct project *project, const char *const *environment, const char *home,
                        struct ansible_settings *out)
{
    const char *named = of_environment(environment, "ANSIBLE_CONFIG");
    if (named && *named) {
        AUTO_FREE char *path = expanded(named, home, project->directory);
        AUTO_FREE char *inside = file_join(path, "ansible.cfg");
        out->config = file_is_dir(path) ? TAKE(inside) : TAKE(path);
        return;
    }
    AUTO_FREE char *own = file_join(project->directory, "ansible.cfg");
    AUTO_FREE char *personal = file_join(home, ".ansible.cfg");
    if (file_exists(own)) {
        out->config = TAKE(own);
        out->config_is_projects = true;
    } else if (file_exists(personal)) {
        out->config = TAKE(personal);
    } else if (file_exists("/etc/ansible/ansible.cfg")) {
        out->config = xstrdup("/etc/ansible/ansible.cfg");
    }
}

/* Variable of the environment first, as Ansible does; malloc'ed or NULL. */
static char *setting(const char *const *environment, const char *ini, const char *variable,
                     const char *section, const char *key)
{
    const char *value = variable ? of_environment(environment, variable) : NULL;
    return value ? xstrdup(value) : ini_value(ini, section, key);
}

static bool is_set(const char *const *environment, const char *ini, const char *const *variables,
                   const char *const *sections, const char *key)
{
    for (; *variables; variables++)
        if (of_environment(environment, *variables))
            return true;
    for (; *sections; sections++) {
        AUTO_FREE char *value = ini_value(ini, *sections, key);
        if (value)
            return true;
    }
    return false;
}

int ansible_settings_read(const struct project *project, const char *const *environment,
                          struct ansible_settings *out, struct error *err)
{
    if (!environment)
        environment = (const char *const *)environ;
    const char *home = of_environment(environment, "HOME");
    if (!home || !*home)
        home = "/";
    struct ansible_settings made = {0};
    AUTO_TEXT content = TEXT_INIT;
    find_config(project, environment, home, &made);
    if (made.config && file_exists(made.config) && file_read(made.config, CONFIG_MAX, &content, err) < 0) {
        ansible_settings_free(&made);
        return -1;
    }
    const char *ini = text_string(&content);
    AUTO_FREE char *base = made.config ? xstrdup(made.config) : xstrdup(project->directory);
    if (made.config && strrchr(base, '/') && strrchr(base, '/') != base)
        *strrchr(base, '/') = '\0';

    const char *plugins = of_environment(environment, "ANSIBLE_CALLBACK_PLUGINS");
    AUTO_FREE char *plugins_ini = ini_value(ini, "defaults", "callback_plugins");
    if (plugins) {
        made.callback_plugins = absolute_list(plugins, home, project->directory);
    } else if (plugins_ini) {
        made.callback_plugins = absolute_list(plugins_ini, home, base);
    } else {
        AUTO_FREE char *ansible_home = setting(environment, ini, "ANSIBLE_HOME", "defaults", "home");
        AUTO_FREE char *folder =
            expanded(ansible_home && *ansible_home ? ansible_home : "~/.ansible", home, base);
        made.callback_plugins = xasprintf("%s/plugins/callback:/usr/share/ansible/plugins/callback", folder);
    }
    made.ssh_args = setting(environment, ini, "ANSIBLE_SSH_ARGS", "ssh_connection", "ssh_args");
    made.ssh_common_args =
        setting(environment, ini, "ANSIBLE_SSH_COMMON_ARGS", "ssh_connection", "ssh_common_args");
    made.pipelining_set =
        is_set(environment, ini, (const char *const[]){"ANSIBLE_PIPELINING", "ANSIBLE_SSH_PIPELINING", NULL},
               (const char *const[]){"defaults", "connection", "ssh_connection", NULL}, "pipelining");
    made.timeout_set =
        is_set(environment, ini, (const char *const[]){"ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT", NULL},
               (const char *const[]){"defaults", "ssh_connection", NULL}, "timeout");
    *out = made;
    return 0;
}

void ansible_settings_free(struct ansible_settings *settings)
{
    free(settings->config);
    free(settings->callback_plugins);
    free(settings->ssh_args);
    free(settings->ssh_common_args);
    *settings = (struct ansible_settings){0};
}

char *ansible_user_ssh_arguments(const struct ansible_settings *settings)
{
    /* Of Ansible's default nothing is left to say: multiplexing is triphase's, and compression (-C) makes
     * a copy of 180 MB over a fast path three times as long; whoever has a slow one sets ssh_options:
     * [Compression=yes]. */
    const char *first = settings->ssh_args ? settings->ssh_args : "",
               *second = settings->ssh_common_args ? settings->ssh_common_args : "";
    AUTO_FREE char *joined = xasprintf("%s %s", first, second);
    for (char *c = joined; *c; c++)
        if (*c == '\n')
            *c = ' ';
    return trimmed(joined, strlen(joined));
}
