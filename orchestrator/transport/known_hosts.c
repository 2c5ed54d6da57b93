#include "transport/known_hosts.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <string.h>

bool known_hosts_are_own(const struct machine *machine, const struct target *target)
{
    return machine_has_host_key(machine) || (target && target->host_key_kind != HOST_KEYS_DEFAULT) ||
           (machine->provider && !machine_was_there(machine));
}

char *known_hosts_alias(const struct machine *machine)
{
    const char *certified = json_get_string(machine->resources, SSH_CERTIFIED_AS, NULL);
    return certified ? xstrdup(certified) : xasprintf("triphase-%s", machine->id ? machine->id : "unmade");
}

static bool is_key_type(const char *word)
{
    return text_starts(word, "ssh-") || text_starts(word, "ecdsa-") || text_starts(word, "sk-");
}

/* One line of a file of keys, with or without the column of hosts, under the machine's name. */
static void add_known_host(struct text *out, const char *alias, const char *line)
{
    AUTO_FREE char *copy = xstrdup(line);
    char *rest = copy + strspn(copy, " \t");
    rest[strcspn(rest, "\r\n")] = '\0';
    if (!*rest || *rest == '#')
        return;
    if (*rest == '@') {
        size_t length = strcspn(rest, " \t");
        text_add_bytes(out, rest, length);
        text_add_char(out, ' ');
        rest += length;
        rest += strspn(rest, " \t");
    }
    if (!is_key_type(rest)) {
        rest += strcspn(rest, " \t");
        rest += strspn(rest, " \t");
    }
    text_addf(out, "%s %s\n", alias, rest);
}

/* `plain`: without those that bear a marker. */
static int add_known_host_file(struct text *out, const char *alias, const char *path, bool plain,
                               struct error *err)
{
    AUTO_TEXT content = TEXT_INIT;
    if (file_read(path, 1 << 20, &content, err) < 0)
        return -1;
    for (char *line = content.bytes, *next = NULL; line && *line; line = next) {
        size_t length = strcspn(line, "\n");
        next = line[length] ? line + length + 1 : line + length;
        line[length] = '\0';
        if (!plain || *line != '@')
            add_known_host(out, alias, line);
    }
    return 0;
}

int known_hosts_write(const struct machine *machine, const struct target *target,
                      const char *project_directory, struct error *err)
{
    if (!machine->directory || !known_hosts_are_own(machine, target))
        return 0;
    AUTO_FREE char *path = file_join(machine->directory, "known_hosts"), *alias = known_hosts_alias(machine);
    AUTO_TEXT lines = TEXT_INIT, now = TEXT_INIT;
    bool of_file = target->host_key_kind == HOST_KEYS_FILE, of_list = target->host_key_kind == HOST_KEYS_LIST,
         learned = target->host_key_kind == HOST_KEYS_ACCEPT_NEW && file_exists(path);
    AUTO_FREE char *source = of_file ? file_join(project_directory, target->host_key_file)
                                     : xstrdup_or_null(learned ? path : NULL);
    if (source && add_known_host_file(&lines, alias, source, learned, err) < 0)
        return error_prefix(err, "host_keys of target %s", target->name);
    for (size_t i = 0; of_list && i < target->host_keys.count; i++)
        add_known_host(&lines, alias, target->host_keys.items[i]);
    for (size_t i = 0; i < machine->host_keys.count; i++)
        if (text_starts(machine->host_keys.items[i], "@revoked ") || !(of_file || of_list || learned))
            add_known_host(&lines, alias, machine->host_keys.items[i]);
    if (file_exists(path) && file_read(path, 1 << 20, &now, NULL) == 0 &&
        text_is(text_string(&now), text_string(&lines)))
        return 0;
    return file_replace(path, text_string(&lines), lines.length, 0600, err);
}

void known_hosts_learn(struct machine *machine)
{
    AUTO_FREE char *path = machine->directory ? file_join(machine->directory, "known_hosts") : NULL;
    AUTO_TEXT content = TEXT_INIT;
    if (!path || machine_has_host_key(machine) || !file_exists(path) ||
        file_read(path, 1 << 20, &content, NULL) < 0)
        return;
    char *state = NULL;
    for (char *line = content.length ? strtok_r(content.bytes, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state)) {
        const char *key = strchr(line, ' ');
        if (key && is_key_type(key + 1))
            words_add(&machine->host_keys, key + 1);
    }
}
