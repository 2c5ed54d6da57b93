#include "tailnet/tun.h"
#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "tailnet/local_api.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char device[] = "/dev/net/tun";
enum { TUN_MAJOR = 10, TUN_MINOR = 200 };
static const int64_t daemon_bound = 2 * NS_PER_S;

bool tun_net_admin(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (syscall(SYS_capget, &header, data) < 0)
        return false;
    return data[CAP_TO_INDEX(CAP_NET_ADMIN)].effective & CAP_TO_MASK(CAP_NET_ADMIN);
}

static void look_at_device(struct tun_evidence *out)
{
    struct stat info;
    out->device_looked = true;
    out->net_admin = tun_net_admin();
    if (stat(device, &info) < 0) {
        out->device_errno = errno;
        return;
    }
    if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(TUN_MAJOR, TUN_MINOR)) {
        out->device_errno = ENODEV;
        return;
    }
    out->device_present = true;
    AUTO_CLOSE int fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    out->device_opens = fd >= 0;
    out->device_errno = fd < 0 ? errno : 0;
}

enum tun_verdict tun_of_device(const struct tun_evidence *evidence)
{
    return !evidence->device_present ? TUN_ABSENT
           : !evidence->device_opens ? TUN_NOT_OPENABLE
           : evidence->net_admin     ? TUN_USABLE
                                     : TUN_NO_CAPABILITY;
}

/* Without the socket's path before it, which stands in every text of this file. */
static char *without_path(const char *message, const char *path)
{
    size_t length = strlen(path);
    bool named = strncmp(message, path, length) == 0 && text_starts(message + length, ": ");
    return xstrdup(named ? message + length + 2 : message);
}

void tun_judge(struct tun_evidence *out, const struct tailnet_status *status, const char *error)
{
    look_at_device(out);
    out->daemon_answers = status != NULL;
    if (status) {
        out->daemon_tun = status->tun;
        out->daemon_version = xstrdup(status->version);
        out->daemon_state = xstrdup(status->state);
        out->verdict = status->tun ? TUN_IN_USE : TUN_USERSPACE;
        return;
    }
    out->daemon_error = without_path(error ? error : "", out->daemon_socket);
    out->verdict = tun_of_device(out);
}

void tun_look(const char *socket_path, struct tun_evidence *out)
{
    AUTO_ERROR why = ERROR_INIT;
    AUTO_TAILNET_STATUS status = {0};
    *out = (struct tun_evidence){.daemon_socket =
                                     xstrdup(socket_path ? socket_path : local_api_default_socket())};
    bool answers = local_api_status(out->daemon_socket, false, deadline_in(daemon_bound), &status, &why) == 0;
    tun_judge(out, answers ? &status : NULL, error_text(&why));
}

void tun_clear(struct tun_evidence *evidence)
{
    free(evidence->daemon_socket);
    free(evidence->daemon_version);
    free(evidence->daemon_state);
    free(evidence->daemon_error);
    *evidence = (struct tun_evidence){0};
}

static const char *tun_verdict_name(enum tun_verdict verdict)
{
    static const char *const names[] = {"in-use", "userspace",    "usable",
                                        "absent", "not-openable", "no-capability"};
    return names[verdict];
}

bool tun_is_usable(const struct tun_evidence *evidence)
{
    return evidence->verdict == TUN_IN_USE || evidence->verdict == TUN_USABLE;
}

bool tun_lacks_nothing(const struct tun_evidence *evidence)
{
    return !evidence->device_looked ||
           (evidence->device_present && evidence->device_opens && evidence->net_admin);
}

char *tun_lack(const struct tun_evidence *evidence)
{
    if (tun_lacks_nothing(evidence))
        return NULL;
    if (!evidence->device_present)
        return xasprintf("there is no TUN device %s (%s)", device, strerror(evidence->device_errno));
    if (!evidence->device_opens)
        return xasprintf("%s is there and cannot be opened (%s)", device, strerror(evidence->device_errno));
    return xstrdup("this process has no CAP_NET_ADMIN");
}

/* What would give one is said in one place alone (tun_advice.h). */
char *tun_text(const struct tun_evidence *evidence)
{
    if (evidence->verdict == TUN_IN_USE)
        return xasprintf("tailscaled %s at %s uses a TUN (%s)", evidence->daemon_version,
                         evidence->daemon_socket, evidence->daemon_state);
    if (evidence->verdict == TUN_USERSPACE)
        return xasprintf("tailscaled %s at %s runs without a TUN (userspace networking)",
                         evidence->daemon_version, evidence->daemon_socket);
    if (evidence->verdict == TUN_USABLE)
        return xasprintf("one can be had here: %s opens and CAP_NET_ADMIN is there; none has it yet: no "
                         "tailscaled answers at %s (%s)",
                         device, evidence->daemon_socket, evidence->daemon_error);
    AUTO_FREE char *lack = tun_lack(evidence);
    return xasprintf("%s; no tailscaled answers at %s (%s)", lack ? lack : "", evidence->daemon_socket,
                     evidence->daemon_error);
}

struct json *tun_json(const struct tun_evidence *evidence)
{
    struct json *object = json_new_object(), *daemon = json_new_object();
    json_set_string(object, "verdict", tun_verdict_name(evidence->verdict));
    json_set_bool(object, "usable", tun_is_usable(evidence));
    json_set_string(daemon, "socket", evidence->daemon_socket);
    json_set_bool(daemon, "answers", evidence->daemon_answers);
    if (evidence->daemon_answers) {
        json_set_bool(daemon, "tun", evidence->daemon_tun);
        json_set_string(daemon, "version", evidence->daemon_version);
        json_set_string(daemon, "state", evidence->daemon_state);
    } else {
        json_set_string(daemon, "error", evidence->daemon_error);
    }
    json_set(object, "tailscaled", daemon);
    if (evidence->device_looked) {
        struct json *looked = json_new_object();
        json_set_string(looked, "path", device);
        json_set_bool(looked, "present", evidence->device_present);
        json_set_bool(looked, "opens", evidence->device_opens);
        json_set_string(looked, "error", evidence->device_errno ? strerror(evidence->device_errno) : NULL);
        json_set_bool(looked, "cap_net_admin", evidence->net_admin);
        json_set(object, "device", looked);
    }
    AUTO_FREE char *text = tun_text(evidence);
    json_set_string(object, "text", text);
    return object;
}
