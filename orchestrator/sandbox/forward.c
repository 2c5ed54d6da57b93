#include "sandbox/forward.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json_words.h"
#include "process/child.h"
#include "sandbox/firewall.h"
#include "sandbox/network.h"
#include "sandbox/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define IP_FORWARD   "/proc/sys/net/ipv4/ip_forward"
#define FORWARD_NOTE SANDBOX_HOME "/ip_forward.json"

enum { SMALL_FILE = 65536 };

static int write_forward(const char *value, struct error *err)
{
    AUTO_CLOSE int fd = open(IP_FORWARD, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || file_write_all(fd, value, strlen(value)) < 0)
        return error_system(err, errno, "cannot set ip_forward to %s, which the guest's way out needs",
                            value);
    return 0;
}

/* '0' or '1', NUL when unknown. */
static char read_forward(void)
{
    AUTO_TEXT now = TEXT_INIT;
    return file_read(IP_FORWARD, 64, &now, NULL) == 0 ? text_string(&now)[0] : '\0';
}

/* What was noted since this boot, NULL: nothing. */
static struct json *read_note(const char *boot)
{
    AUTO_TEXT text = TEXT_INIT;
    if (file_read(FORWARD_NOTE, SMALL_FILE, &text, NULL) < 0)
        return NULL;
    AUTO_JSON *note = json_parse(text_string(&text), text.length, NULL);
    return text_is(json_get_string(note, "boot", ""), boot) ? json_keep(note) : NULL;
}

int forward_on(struct error *err)
{
    AUTO_FREE char *boot = process_boot_id();
    AUTO_JSON *noted = read_note(boot);
    char now = read_forward();
    if (!noted) {
        AUTO_WORDS names = WORDS_INIT;
        AUTO_JSON *fresh = json_new_object();
        if (network_interfaces(&names, err) < 0)
            return -1;
        json_set_string(fresh, "boot", boot);
        json_set_string(fresh, "before", now == '1' ? "1" : "0");
        json_set(fresh, "interfaces", json_words_array(&names));
        AUTO_FREE char *bytes = json_compact(fresh);
        if (file_replace(FORWARD_NOTE, bytes, strlen(bytes), 0600, err) < 0)
            return -1;
    }
    return now == '1' ? 0 : write_forward("1", err);
}

/* An interface that came since, also the sandbox of a triphase whose folder is not to be seen from here, or a
 * bridge that others' guests are behind. */
static bool has_interface(const struct json *noted)
{
    static const char *const bridges[] = {"docker0", "podman0", "virbr0", "lxcbr0", "lxdbr0", "cni0"};
    const struct json *before = json_get(noted, "interfaces");
    AUTO_WORDS names = WORDS_INIT;
    if (!json_is_array(before) || network_interfaces(&names, NULL) < 0)
        return true;
    for (size_t i = 0; i < names.count; i++) {
        bool known = false;
        for (size_t k = 0; k < json_count(before) && !known; k++)
            known = text_is(json_string(json_at(before, k), ""), names.items[i]);
        for (size_t k = 0; k < COUNT_OF(bridges); k++)
            known = known && !text_is(bridges[k], names.items[i]);
        if (!known || sandbox_is_name(names.items[i]))
            return true;
    }
    return false;
}

/* Whether a file of sysctl.d(5) turns forwarding on. */
static bool turns_on(const char *path)
{
    AUTO_TEXT content = TEXT_INIT;
    if (file_read(path, SMALL_FILE, &content, NULL) < 0)
        return false;
    char *state = NULL;
    for (char *line = content.bytes ? strtok_r(content.bytes, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state)) {
        line += strspn(line, " \t-");
        size_t name = strcspn(line, " \t=");
        const char *value = line + name + strspn(line + name, " \t=");
        bool meant = strstr(line, "ip_forward") || strstr(line, "forwarding");
        if (*line != '#' && *line != ';' && meant && *value == '1')
            return true;
    }
    return false;
}

static bool is_configured(void)
{
    static const char *const folders[] = {"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d",
                                          "/usr/lib/sysctl.d"};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        AUTO_WORDS names = WORDS_INIT;
        (void)file_list(folders[i], &names, NULL);
        for (size_t k = 0; k < names.count; k++) {
            AUTO_FREE char *path = file_join(folders[i], names.items[k]);
            if (text_ends(path, ".conf") && turns_on(path))
                return true;
        }
    }
    return turns_on("/etc/sysctl.conf");
}

int forward_off(struct error *err)
{
    AUTO_WORDS names = WORDS_INIT;
    if (sandbox_names(&names, err) < 0)
        return -1;
    if (names.count)
        return 0;
    AUTO_FREE char *boot = process_boot_id();
    AUTO_JSON *noted = read_note(boot);
    if (text_is(json_get_string(noted, "before", ""), "0") && read_forward() == '1' &&
        !has_interface(noted) && !is_configured() && !firewall_others_forward() &&
        write_forward("0", err) < 0)
        return -1;
    /* A note half written by somebody who was killed goes too. */
    AUTO_WORDS files = WORDS_INIT;
    if (file_list(SANDBOX_HOME, &files, err) < 0)
        return -1;
    for (size_t i = 0; i < files.count; i++) {
        AUTO_FREE char *path = file_join(SANDBOX_HOME, files.items[i]);
        if (text_starts(path, FORWARD_NOTE) && unlink(path) < 0 && errno != ENOENT)
            return error_system(err, errno, "cannot remove %s", path);
    }
    return 0;
}
