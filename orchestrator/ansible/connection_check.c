#include "ansible/connection_check.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/connection_variables.h"

#include <string.h>

enum { FILE_MAX = 1 << 20 };

char *connection_value(const struct json *value)
{
    const struct json *unsafe = json_get(value, "__ansible_unsafe");
    if (unsafe)
        value = unsafe;
    if (json_is_string(value))
        return xstrdup(json_string(value, ""));
    AUTO_FREE char *text = value ? json_compact(value) : NULL;
    return text && !text_is(text, "null") ? TAKE(text) : xstrdup("");
}

/* Whether a line sets the variable: "name:" of YAML, "name=" of ini, "\"name\":" of JSON. */
static bool mentions(const char *path, const char *variable)
{
    AUTO_TEXT content = TEXT_INIT;
    if (file_read(path, FILE_MAX, &content, NULL) < 0)
        return false;
    size_t length = strlen(variable);
    const char *bytes = text_string(&content);
    for (const char *at = strstr(bytes, variable); at; at = strstr(at + 1, variable)) {
        const char *after = at + length + (at[length] == '"' || at[length] == '\'');
        after += strspn(after, " \t");
        bool begins = at == bytes || strchr(" \t\n\"'{,[-", at[-1]);
        if (begins && (*after == ':' || *after == '='))
            return true;
    }
    return false;
}

/* `path` is a file, or a folder whose files are looked at. malloc'ed path or NULL. */
static char *find_in(const char *path, const char *variable)
{
    if (!file_is_dir(path))
        return file_exists(path) && mentions(path, variable) ? xstrdup(path) : NULL;
    AUTO_WORDS names = WORDS_INIT;
    (void)file_list(path, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *inside = file_join(path, names.items[i]);
        if (!file_is_dir(inside) && mentions(inside, variable))
            return TAKE(inside);
    }
    return NULL;
}

/* Below one folder: host_vars of the host first, for they beat group_vars. */
static char *find_below(const char *folder, const char *host, const char *variable)
{
    static const char *const endings[] = {"", ".yml", ".yaml", ".json"};
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        AUTO_FREE char *path = xasprintf("%s/host_vars/%s%s", folder, host, endings[i]);
        char *found = find_in(path, variable);
        if (found)
            return found;
    }
    AUTO_FREE char *groups = xasprintf("%s/group_vars", folder);
    AUTO_WORDS names = WORDS_INIT;
    (void)file_list(groups, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(groups, names.items[i]);
        char *found = find_in(path, variable);
        if (found)
            return found;
    }
    return NULL;
}

char *connection_likely_file(const struct project *project, const char *host, const char *variable)
{
    AUTO_WORDS folders = WORDS_INIT;
    AUTO_FREE char *found = NULL;
    for (size_t i = 0; i < project->inventory.count; i++) {
        AUTO_FREE char *path = file_join(project->directory, project->inventory.items[i]);
        words_own(&folders, file_folder(path));
    }
    for (size_t i = 0; i < project->recipe_count; i++)
        for (size_t p = 0; p < project->recipes[i].phase_count; p++) {
            AUTO_FREE char *path = file_join(project->directory, project->recipes[i].phases[p].playbook);
            words_own(&folders, file_folder(path));
        }
    words_add(&folders, project->directory);
    for (size_t i = 0; i < folders.count && !found; i++)
        found = find_below(folders.items[i], host, variable);
    for (size_t i = 0; i < project->inventory.count && !found; i++) {
        AUTO_FREE char *path = file_join(project->directory, project->inventory.items[i]);
        found = find_in(path, variable);
    }
    return found ? xstrdup(file_below(found, project->directory)) : NULL;
}

void connection_compare(const struct project *project, const char *host, const struct json *expected,
                        const struct json *effective, struct connection_differences *out)
{
    for (size_t i = 0; i < connection_variable_count; i++) {
        const char *name = connection_variables[i].name;
        AUTO_FREE char *rendered = connection_value(json_get(expected, name));
        AUTO_FREE char *found = connection_value(json_get(effective, name));
        if (!connection_variable_is_fixed(&connection_variables[i]) || text_is(rendered, found))
            continue;
        out->items = xreallocarray(out->items, out->count + 1, sizeof(*out->items));
        out->items[out->count++] =
            (struct connection_difference){.host = xstrdup(host),
                                           .variable = xstrdup(name),
                                           .rendered = TAKE(rendered),
                                           .effective = TAKE(found),
                                           .file = connection_likely_file(project, host, name)};
    }
}

void connection_differences_clear(struct connection_differences *differences)
{
    for (size_t i = 0; i < differences->count; i++) {
        struct connection_difference *item = &differences->items[i];
        free(item->host);
        free(item->variable);
        free(item->rendered);
        free(item->effective);
        free(item->file);
    }
    free(differences->items);
    *differences = (struct connection_differences){0};
}

static void add_value(struct text *out, const char *value)
{
    if (*value) {
        text_add_char(out, '\'');
        text_add_printable(out, value, strlen(value));
        text_add_char(out, '\'');
    } else {
        text_add(out, "nothing");
    }
}

char *connection_difference_text(const struct connection_difference *difference)
{
    struct text out = TEXT_INIT;
    text_addf(&out, "variable %s of host %s is ", difference->variable, difference->host);
    add_value(&out, difference->effective);
    text_add(&out, ", but triphase rendered ");
    add_value(&out, difference->rendered);
    if (difference->file)
        text_addf(&out, "; it is probably set in %s", difference->file);
    text_add(&out, ": take it out there, and say how the host is reached in triphase.yml (address, port, "
                   "user, key, jump, ssh_options)");
    return text_take(&out);
}

static bool is_secret(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->secret_count; i++)
        if (text_is(target->secrets[i].name, name))
            return true;
    return false;
}

char *connection_password_text(const struct project *project, const struct target *target,
                               const struct json *effective, char **file)
{
    static const char *const names[] = {"ansible_password", "ansible_ssh_pass", "ansible_ssh_password"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *found = connection_value(json_get(effective, names[i]));
        bool secret = is_secret(target, names[i]);
        if (!*found && !secret)
            continue;
        *file = secret ? NULL : connection_likely_file(project, target->host_name, names[i]);
        return xasprintf(
            "%s %s of host %s is set and not used: triphase logs in by a key alone (key: in "
            "triphase.yml, else ssh's own); take it out, and give the host the key's public part",
            secret ? "secret" : "variable", names[i], target->host_name);
    }
    return NULL;
}
