#include "config/tailnet_place.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/invoker.h"
#include "format/json.h"
#include "process/child.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char of_root[] = "/var/lib/triphase-tailnet";
static const char socket_name[] = "tailscaled.sock";
static const char record_name[] = "daemon.json";

enum { RECORD_LIMIT = 8192 };

char *tailnet_place_directory(void)
{
    if (geteuid() == 0)
        return xstrdup(of_root);
    const char *base = environment_value((const char *const *)environ, "XDG_STATE_HOME");
    if (base && *base == '/')
        return file_join(base, "triphase/tailnet");
    AUTO_INVOKER invoker = {.home = NULL};
    invoker_find(NULL, &invoker);
    return invoker.home ? file_join(invoker.home, ".local/state/triphase/tailnet") : NULL;
}

char *tailnet_place_file(const char *name)
{
    AUTO_FREE char *directory = tailnet_place_directory();
    return directory ? file_join(directory, name) : NULL;
}

char *tailnet_place_socket(void)
{
    return tailnet_place_file(socket_name);
}

/* Whoever could write there would decide what root runs, and whom it asks; what others could only read is
 * closed. */
static int check_private(const char *path, struct error *err)
{
    struct stat state;
    if (lstat(path, &state) < 0)
        return error_system(err, errno, "cannot look at %s", path);
    bool own = S_ISDIR(state.st_mode) && state.st_uid == geteuid() && !(state.st_mode & 022);
    if (own && (!(state.st_mode & 077) || chmod(path, 0700) == 0))
        return 0;
    return error_set(
        err, ERROR_PROJECT,
        "%s, where triphase's own tailscaled lives, is not yours alone (%s of user %lu, mode %04o): "
        "nothing is started there; remove it, or give it back and close it to others (chmod 0700)",
        path, S_ISDIR(state.st_mode) ? "a folder" : "no folder, but something", (unsigned long)state.st_uid,
        (unsigned)state.st_mode & 07777);
}

int tailnet_place_make(struct error *err)
{
    AUTO_FREE char *directory = tailnet_place_directory(), *path = tailnet_place_socket();
    if (!directory || !path)
        return error_set(err, ERROR_PROJECT,
                         "there is no home to keep the state of a tailscaled in: set HOME or XDG_STATE_HOME");
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return error_set(
            err, ERROR_PROJECT,
            "%s is too long for a socket (%zu bytes at most): set XDG_STATE_HOME to a shorter folder", path,
            sizeof((struct sockaddr_un *)NULL)->sun_path - 1);
    if (file_make_dirs(directory, 0700, err) < 0)
        return -1;
    return check_private(directory, err);
}

char *tailnet_place_mark(const struct tailnet_place_daemon *daemon)
{
    return xasprintf("TRIPHASE_TAILNET=%s", daemon->id);
}

static bool copy_word(char *to, size_t room, const struct json *object, const char *key)
{
    const char *word = json_get_string(object, key, "");
    size_t length = strlen(word);
    if (length >= room)
        return false;
    memcpy(to, word, length + 1);
    return true;
}

static bool take_record(const struct json *object, struct tailnet_place_daemon *out)
{
    int64_t pid = json_get_integer(object, "pid", 0), port = json_get_integer(object, "socks5", 0);
    out->start = json_get_integer(object, "start", -1);
    out->tun = json_get_bool(object, "tun");
    out->pid = (pid_t)pid;
    out->socks5 = (int)port;
    return pid >= 0 && pid <= INT_MAX && port >= 0 && port <= 65535 &&
           copy_word(out->id, sizeof out->id, object, "id") && *out->id &&
           copy_word(out->boot, sizeof out->boot, object, "boot");
}

int tailnet_place_read(struct tailnet_place_daemon *out, struct error *err)
{
    AUTO_FREE char *path = tailnet_place_file(record_name);
    AUTO_TEXT content = TEXT_INIT;
    struct tailnet_place_daemon found = {.pid = 0};
    int there = path ? file_look(path, err) : 0;
    if (there <= 0)
        return there;
    if (file_read(path, RECORD_LIMIT, &content, err) < 0)
        return -1;
    AUTO_JSON *object = json_parse(text_string(&content), content.length, NULL);
    if (!take_record(object, &found))
        return error_set(
            err, ERROR_PROJECT,
            "%s does not say which tailscaled triphase started: end that one yourself, then remove "
            "the file",
            path);
    *out = found;
    return 1;
}

int tailnet_place_write(const struct tailnet_place_daemon *daemon, struct error *err)
{
    AUTO_FREE char *path = tailnet_place_file(record_name);
    AUTO_JSON *object = json_new_object();
    json_set_string(object, "id", daemon->id);
    json_set_integer(object, "pid", daemon->pid);
    json_set_integer(object, "start", daemon->start);
    json_set_string(object, "boot", daemon->boot);
    json_set_bool(object, "tun", daemon->tun);
    json_set_integer(object, "socks5", daemon->socks5);
    AUTO_FREE char *bytes = json_pretty(object);
    return file_replace(path, bytes, strlen(bytes), 0600, err);
}

bool tailnet_place_alive(const struct tailnet_place_daemon *daemon)
{
    AUTO_FREE char *boot = process_boot_id();
    return daemon->pid > 0 && text_is(boot, daemon->boot) && process_alive(daemon->pid, daemon->start);
}

char *tailnet_place_running_socket(void)
{
    struct tailnet_place_daemon daemon;
    return tailnet_place_read(&daemon, NULL) == 1 && tailnet_place_alive(&daemon) ? tailnet_place_socket()
                                                                                  : NULL;
}

int tailnet_place_running_socks5(void)
{
    struct tailnet_place_daemon daemon;
    return tailnet_place_read(&daemon, NULL) == 1 && tailnet_place_alive(&daemon) ? daemon.socks5 : 0;
}
