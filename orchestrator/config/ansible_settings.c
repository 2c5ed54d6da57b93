#include "config/ansible_settings.h"
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

bool ansible_setting_is_yes(const struct ansible_setting *setting)
{
    static const char *const words[] = {"y", "yes", "on", "1", "true", "t", "1.0"};
    for (size_t i = 0; setting->value && i < COUNT_OF(words); i++)
        if (strcasecmp(setting->value, words[i]) == 0)
            return true;
    return false;
}

bool ansible_strategy_is_mitogen(const char *strategy)
{
    const char *name = strategy && strrchr(strategy, '.') ? strrchr(strategy, '.') + 1 : strategy;
    return name && text_starts(name, "mitogen");
}

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
    bool inside = false, ours = false, found = false, behind_key = false;
    size_t level = 0; /* that the key before is indented by */
    struct text value = TEXT_INIT;
    for (const char *line = bytes; line && *line;) {
        size_t length = strcspn(line, "\n");
        const char *next = line + length + (line[length] == '\n');
        number++;
        for (size_t i = 1; i < length; i++)
            if (line[i] == ';' && isspace((unsigned char)line[i - 1]))
                length = i;
        AUTO_FREE char *text = trimmed(line, length);
        size_t indent = 0;
        while (indent < length && isspace((unsigned char)line[indent]))
            indent++;
        if (!*text || *text == '#' || *text == ';') {
            /* nothing */
        } else if (behind_key && indent > level) {
            if (ours)
                text_addf(&value, "\n%s", text);
        } else if (*text == '[') {
            size_t end = strcspn(text, "]");
            inside = strlen(section) == end - 1 && !strncmp(text + 1, section, end - 1);
            ours = behind_key = false;
        } else {
            behind_key = true;
            level = indent;
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
        text_clear(&value);
        return NULL;
    }
    return text_take(&value);
}

static const char *home_of(const char *const *environment)
{
    const char *home = of_environment(environment, "HOME");
    return home && *home ? home : "/";
}

/* $NAME and ${NAME} of variables that are set; what else stands there stays. */
static char *with_variables(const char *text, const char *const *environment)
{
    struct text out = TEXT_INIT;
    for (size_t length; *text; text += length) {
        bool braces = text_starts(text, "${");
        const char *begin = text + 1 + braces;
        size_t size = 0;
        while (*text == '$' && (isalnum((unsigned char)begin[size]) || begin[size] == '_'))
            size++;
        AUTO_FREE char *name = xstrndup(begin, size);
        const char *value =
            size && (!braces || begin[size] == '}') ? of_environment(environment, name) : NULL;
        length = value ? 1 + 2 * (size_t)braces + size : 1;
        text_add_bytes(&out, value ? value : text, value ? strlen(value) : 1);
    }
    return text_take(&out);
}

static char *expanded(const char *named, const char *const *environment, const char *base)
{
    AUTO_FREE char *path = with_variables(named, environment);
    AUTO_FREE char *full = text_starts(path, "~/")        ? file_join(home_of(environment), path + 2)
                           : text_starts(path, "{{CWD}}") ? xasprintf(".%s", path + 7)
                                                          : xstrdup(path);
    return file_join(base, full);
}

/* A list with each path absolute. */
static char *absolute_list(const char *list, char separator, const char *const *environment, const char *base)
{
    const char separators[] = {separator, '\0'};
    struct text out = TEXT_INIT;
    for (const char *at = list; *at;) {
        size_t length = strcspn(at, separators);
        AUTO_FREE char *path = trimmed(at, length);
        if (*path) {
            AUTO_FREE char *full = expanded(path, environment, base);
            text_addf(&out, "%s%s", out.length ? separators : "", full);
        }
        at += length + (at[length] == separator);
    }
    return text_take(&out);
}

static bool is_readable(const char *path)
{
    return access(path, R_OK) == 0;
}

/* The first that can be read, as for Ansible. */
static void find_config(const char *directory, const char *const *environment, struct ansible_settings *out)
{
    const char *named = of_environment(environment, "ANSIBLE_CONFIG");
    AUTO_FREE char *given = named && *named ? expanded(named, environment, directory) : xstrdup("");
    AUTO_FREE char *asked = file_is_dir(given) ? file_join(given, "ansible.cfg") : xstrdup(given);
    AUTO_FREE char *own = file_join(directory, "ansible.cfg");
    AUTO_FREE char *personal = file_join(home_of(environment), ".ansible.cfg");
    const char *const places[] = {asked, own, personal, "/etc/ansible/ansible.cfg"};
    for (size_t i = 0; i < COUNT_OF(places) && !out->config; i++)
        if (*places[i] && is_readable(places[i])) {
            out->config = xstrdup(places[i]);
            out->config_is_projects = places[i] == own;
        }
}

/* A value in which paths are made absolute: those of the environment start from the project's folder,
 * those of a file from its own. */
static char *with_paths(enum ansible_name name, const char *value, const char *const *environment,
                        const char *base)
{
    if ((name == SETTING_PRIVATE_KEY_FILE || name == SETTING_VAULT_PASSWORD_FILE) && *value)
        return expanded(value, environment, base);
    return name == SETTING_INVENTORY ? absolute_list(value, ',', environment, base) : xstrdup(value);
}

struct reading {
    const char *const *environment;
    const char *ini, *shown; /* content and name of the ansible.cfg */
    const char *directory, *base;
};

/* The environment beats the file; of several names the last one counts. */
static void read_one(const struct reading *from, enum ansible_name name, struct ansible_setting *out)
{
    for (size_t i = COUNT_OF(sources[name].variables); i-- > 0;) {
        const char *variable = sources[name].variables[i];
        const char *value = variable ? of_environment(from->environment, variable) : NULL;
        if (!value)
            continue;
        out->value = with_paths(name, value, from->environment, from->directory);
        out->origin = xasprintf("environment %s", variable);
        return;
    }
    for (size_t i = COUNT_OF(sources[name].sections); i-- > 0;) {
        const char *section = sources[name].sections[i];
        int line = 0;
        AUTO_FREE char *value = section ? ini_value(from->ini, section, sources[name].key, &line) : NULL;
        if (!value)
            continue;
        out->value = with_paths(name, value, from->environment, from->base);
        out->origin = xasprintf("%s:%d", from->shown, line);
        return;
    }
}

int ansible_settings_read(const char *directory, const char *const *environment, struct ansible_settings *out,
                          struct error *err)
{
    if (!environment)
        environment = (const char *const *)environ;
    AUTO_ANSIBLE_SETTINGS made = {0};
    AUTO_TEXT content = TEXT_INIT;
    find_config(directory, environment, &made);
    if (made.config && file_read(made.config, CONFIG_MAX, &content, err) < 0)
        return -1;
    const char *ini = text_string(&content);
    AUTO_FREE char *base = made.config ? file_parent(made.config) : xstrdup(directory);
    const struct reading from = {.environment = environment,
                                 .ini = ini,
                                 .shown = made.config ? file_below(made.config, directory) : "",
                                 .directory = directory,
                                 .base = base};
    for (int i = 0; i < SETTING_COUNT; i++)
        read_one(&from, (enum ansible_name)i, &made.of[i]);

    const char *plugins = of_environment(environment, "ANSIBLE_CALLBACK_PLUGINS");
    AUTO_FREE char *plugins_ini = ini_value(ini, "defaults", "callback_plugins", NULL);
    if (plugins) {
        made.callback_plugins = absolute_list(plugins, ':', environment, directory);
    } else if (plugins_ini) {
        made.callback_plugins = absolute_list(plugins_ini, ':', environment, base);
    } else {
        const char *named = of_environment(environment, "ANSIBLE_HOME");
        AUTO_FREE char *ansible_home = named ? xstrdup(named) : ini_value(ini, "defaults", "home", NULL);
        AUTO_FREE char *folder =
            expanded(ansible_home && *ansible_home ? ansible_home : "~/.ansible", environment, base);
        made.callback_plugins = xasprintf("%s/plugins/callback:/usr/share/ansible/plugins/callback", folder);
    }
    *out = made;
    made = (struct ansible_settings){0};
    return 0;
}

void ansible_settings_clear(struct ansible_settings *settings)
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
