#include "data/ansible_settings.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { CONFIG_MAX = 1 << 20 };

static const struct {
    const char *key, *variables[2], *sections[3];
} sources[SETTING_COUNT] = {
    [SETTING_REMOTE_USER] = {"remote_user", {"ANSIBLE_REMOTE_USER"}, {"defaults"}},
    [SETTING_REMOTE_PORT] = {"remote_port", {"ANSIBLE_REMOTE_PORT"}, {"defaults"}},
    [SETTING_PRIVATE_KEY_FILE] = {"private_key_file", {"ANSIBLE_PRIVATE_KEY_FILE"}, {"defaults"}},
    [SETTING_INTERPRETER] = {"interpreter_python", {"ANSIBLE_PYTHON_INTERPRETER"}, {"defaults"}},
    [SETTING_SSH_ARGS] = {"ssh_args", {"ANSIBLE_SSH_ARGS"}, {"ssh_connection"}},
    [SETTING_SSH_COMMON_ARGS] = {"ssh_common_args", {"ANSIBLE_SSH_COMMON_ARGS"}, {"ssh_connection"}},
    [SETTING_SSH_EXTRA_ARGS] = {"ssh_extra_args", {"ANSIBLE_SSH_EXTRA_ARGS"}, {"ssh_connection"}},
    [SETTING_SSH_EXECUTABLE] = {"ssh_executable", {"ANSIBLE_SSH_EXECUTABLE"}, {"ssh_connection"}},
    [SETTING_TRANSPORT] = {"transport", {"ANSIBLE_TRANSPORT"}, {"defaults"}},
    [SETTING_INVENTORY] = {"inventory", {"ANSIBLE_INVENTORY"}, {"defaults"}},
    [SETTING_PIPELINING] = {"pipelining",
                            {"ANSIBLE_PIPELINING", "ANSIBLE_SSH_PIPELINING"},
                            {"defaults", "connection", "ssh_connection"}},
    [SETTING_TIMEOUT] = {"timeout",
                         {"ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT"},
                         {"defaults", "ssh_connection"}},
    [SETTING_ASYNC_DIR] = {"async_dir", {"ANSIBLE_ASYNC_DIR"}, {"defaults"}},
    [SETTING_STRATEGY] = {"strategy", {"ANSIBLE_STRATEGY"}, {"defaults"}},
    [SETTING_HOST_KEY_CHECKING] = {"host_key_checking",
                                   {"ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"},
                                   {"defaults", "ssh_connection"}},
    [SETTING_RETRIES] = {"retries", {"ANSIBLE_SSH_RETRIES"}, {"connection", "ssh_connection"}},
    [SETTING_CONTROL_PATH] = {"control_path", {"ANSIBLE_SSH_CONTROL_PATH"}, {"ssh_connection"}},
    [SETTING_CONTROL_PATH_DIR] = {"control_path_dir", {"ANSIBLE_SSH_CONTROL_PATH_DIR"}, {"ssh_connection"}},
    [SETTING_ASK_PASS] = {"ask_pass", {"ANSIBLE_ASK_PASS"}, {"defaults"}},
    [SETTING_BECOME_ASK_PASS] = {"become_ask_pass", {"ANSIBLE_BECOME_ASK_PASS"}, {"privilege_escalation"}},
    [SETTING_ASK_VAULT_PASS] = {"ask_vault_pass", {"ANSIBLE_ASK_VAULT_PASS"}, {"defaults"}},
    [SETTING_VAULT_PASSWORD_FILE] = {"vault_password_file", {"ANSIBLE_VAULT_PASSWORD_FILE"}, {"defaults"}},
    [SETTING_FACT_CACHING] = {"fact_caching", {"ANSIBLE_CACHE_PLUGIN"}, {"defaults"}},
    [SETTING_GATHERING] = {"gathering", {"ANSIBLE_GATHERING"}, {"defaults"}},
};

const char *ansible_setting_name(enum ansible_name name)
{
    return sources[name].key;
}

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
 * malloc'ed; NULL when absent. `at` (may be NULL) gets its line. */
static char *ini_value(const char *bytes, const char *section, const char *key, int *at)
{
    int number = 0;
    bool inside = false, ours = false, found = false;
    struct text value = TEXT_INIT;
    for (const char *line = bytes; line && *line;) {
        size_t length = strcspn(line, "\n");
        const char *next = line + length + (line[length] == '\n');
        number++;
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
                if (at)
                    *at = number;
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

/* A list with each path absolute. */
static char *absolute_list(const char *list, char separator, const char *home, const char *base)
{
    const char separators[] = {separator, '\0'};
    struct text out = TEXT_INIT;
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, separators);
        AUTO_FREE char *path = trimmed(at, length);
        if (*path) {
            AUTO_FREE char *full = expanded(path, home, base);
            text_addf(&out, "%s%s", out.length ? separators : "", full);
        }
        at += length + (at[length] == separator);
    }
    return text_take(&out);
}

static void find_config(const char *directory, const char *const *environment, const char *home,
                        struct ansible_settings *out)
{
    const char *named = of_environment(environment, "ANSIBLE_CONFIG");
    if (named && *named) {
        AUTO_FREE char *path = expanded(named, home, directory);
        AUTO_FREE char *inside = file_join(path, "ansible.cfg");
        out->config = file_is_dir(path) ? TAKE(inside) : TAKE(path);
        return;
    }
    AUTO_FREE char *own = file_join(directory, "ansible.cfg");
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

/* A value in which paths are made absolute: those of the environment start from the project's folder, those of a file
 * from its own. */
static char *with_paths(enum ansible_name name, const char *value, const char *home, const char *base)
{
    if ((name == SETTING_PRIVATE_KEY_FILE || name == SETTING_VAULT_PASSWORD_FILE) && *value)
        return expanded(value, home, base);
    return name == SETTING_INVENTORY ? absolute_list(value, ',', home, base) : xstrdup(value);
}

struct reading {
    const char *const *environment;
    const char *ini, *shown; /* content and name of the ansible.cfg */
    const char *home, *directory, *base;
};

/* The environment beats the file; of several names the last one counts. */
static void read_one(const struct reading *from, enum ansible_name name, struct ansible_setting *out)
{
    for (size_t i = COUNT_OF(sources[name].variables); i-- > 0;) {
        const char *variable = sources[name].variables[i];
        const char *value = variable ? of_environment(from->environment, variable) : NULL;
        if (!value)
            continue;
        out->value = with_paths(name, value, from->home, from->directory);
        out->origin = xasprintf("environment %s", variable);
        return;
    }
    for (size_t i = COUNT_OF(sources[name].sections); i-- > 0;) {
        const char *section = sources[name].sections[i];
        int line = 0;
        AUTO_FREE char *value = section ? ini_value(from->ini, section, sources[name].key, &line) : NULL;
        if (!value)
            continue;
        out->value = with_paths(name, value, from->home, from->base);
        out->origin = xasprintf("%s:%d", from->shown, line);
        return;
    }
}

int ansible_settings_read(const char *directory, const char *const *environment, struct ansible_settings *out,
                          struct error *err)
{
    if (!environment)
        environment = (const char *const *)environ;
    const char *home = of_environment(environment, "HOME");
    if (!home || !*home)
        home = "/";
    AUTO_ANSIBLE_SETTINGS made = {0};
    AUTO_TEXT content = TEXT_INIT;
    find_config(directory, environment, home, &made);
    if (made.config && file_exists(made.config) && file_read(made.config, CONFIG_MAX, &content, err) < 0)
        return -1;
    const char *ini = text_string(&content);
    AUTO_FREE char *base = made.config ? file_parent(made.config) : xstrdup(directory);
    const struct reading from = {.environment = environment,
                                 .ini = ini,
                                 .shown = made.config ? file_below(made.config, directory) : "",
                                 .home = home,
                                 .directory = directory,
                                 .base = base};
    for (int i = 0; i < SETTING_COUNT; i++)
        read_one(&from, (enum ansible_name)i, &made.of[i]);

    const char *plugins = of_environment(environment, "ANSIBLE_CALLBACK_PLUGINS");
    AUTO_FREE char *plugins_ini = ini_value(ini, "defaults", "callback_plugins", NULL);
    if (plugins) {
        made.callback_plugins = absolute_list(plugins, ':', home, directory);
    } else if (plugins_ini) {
        made.callback_plugins = absolute_list(plugins_ini, ':', home, base);
    } else {
        const char *named = of_environment(environment, "ANSIBLE_HOME");
        AUTO_FREE char *ansible_home = named ? xstrdup(named) : ini_value(ini, "defaults", "home", NULL);
        AUTO_FREE char *folder =
            expanded(ansible_home && *ansible_home ? ansible_home : "~/.ansible", home, base);
        made.callback_plugins = xasprintf("%s/plugins/callback:/usr/share/ansible/plugins/callback", folder);
    }
    *out = made;
    made = (struct ansible_settings){0};
    return 0;
}

void ansible_settings_free(struct ansible_settings *settings)
{
    free(settings->config);
    free(settings->callback_plugins);
    for (int i = 0; i < SETTING_COUNT; i++) {
        free(settings->of[i].value);
        free(settings->of[i].origin);
    }
    *settings = (struct ansible_settings){0};
}

const char *ansible_settings_interpreter(const struct ansible_settings *settings)
{
    const char *value = settings->of[SETTING_INTERPRETER].value;
    return value && *value && !text_starts(value, "auto") ? value : NULL;
}
