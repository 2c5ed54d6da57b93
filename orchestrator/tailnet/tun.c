#include "tailnet/tun.h"
#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

static const char default_socket[] = "/var/run/tailscale/tailscaled.sock";
static const char device[] = "/dev/net/tun";
enum { TUN_MAJOR = 10, TUN_MINOR = 200, ANSWER_MAX = 8 << 20 };
static const int64_t daemon_bound = 2 * NS_PER_S;

/* Waits until the socket is ready for `events`; 0, or -1 when the time is up. */
static int wait_for(int fd, short events, struct deadline deadline)
{
    struct pollfd ready = {fd, events, 0};
    return !deadline_over(deadline) && deadline_poll(&ready, 1, deadline) > 0 ? 0 : -1;
}

/* The daemon's answer to one GET of its LocalAPI; 0, or -1 with `why` set (malloc'ed). HTTP/1.0, so that
 * it ends with the connection. */
static int ask_daemon(const char *path, struct text *answer, char **why)
{
    static const char request[] =
        "GET /localapi/v0/status?peers=false HTTP/1.0\r\nHost: local-tailscaled.sock\r\n\r\n";
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct deadline deadline = deadline_in(daemon_bound);
    size_t length = strlen(path);
    if (length >= sizeof(address.sun_path)) {
        *why = xstrdup("its path is too long for a socket");
        return -1;
    }
    memcpy(address.sun_path, path, length + 1);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        *why = xstrdup(strerror(errno)); /* EAGAIN: a backlog that nobody takes from */
        return -1;
    }
    size_t sent = 0;
    while (sent < sizeof(request) - 1) {
        ssize_t count = send(fd, request + sent, sizeof(request) - 1 - sent, MSG_NOSIGNAL);
        if (count > 0)
            sent += (size_t)count;
        else if ((errno != EAGAIN && errno != EINTR) || wait_for(fd, POLLOUT, deadline) < 0)
            break;
    }
    for (;;) {
        char buffer[4096];
        ssize_t count = recv(fd, buffer, sizeof(buffer), 0);
        if (count == 0)
            return 0;
        if (count > 0)
            text_add_bytes(answer, buffer, (size_t)count);
        else if ((errno != EAGAIN && errno != EINTR) || wait_for(fd, POLLIN, deadline) < 0)
            break;
        if (answer->length > ANSWER_MAX)
            break;
    }
    *why = xstrdup("it does not answer within 2 s");
    return -1;
}

static void look_at_daemon(struct tun_evidence *out)
{
    AUTO_TEXT answer = TEXT_INIT;
    if (ask_daemon(out->daemon_socket, &answer, &out->daemon_error) < 0)
        return;
    const char *body = answer.bytes ? strstr(answer.bytes, "\r\n\r\n") : NULL;
    const char *status =
        answer.bytes && text_starts(answer.bytes, "HTTP/1.") ? strchr(answer.bytes, ' ') : NULL;
    if (!body || !status || strncmp(status, " 200", 4) != 0) {
        out->daemon_error =
            xstrdup(status ? "it refuses to say its state" : "what answers there is no tailscaled");
        return;
    }
    body += 4;
    AUTO_JSON *state = json_parse(body, answer.length - (size_t)(body - answer.bytes), NULL);
    if (!json_is_object(state) || !json_get(state, "BackendState")) {
        out->daemon_error = xstrdup("what answers there is no tailscaled");
        return;
    }
    out->daemon_answers = true;
    out->daemon_tun = json_get_bool(state, "TUN");
    out->daemon_version = xstrdup(json_get_string(state, "Version", ""));
    out->daemon_state = xstrdup(json_get_string(state, "BackendState", ""));
}

static bool has_net_admin(void)
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
    out->net_admin = has_net_admin();
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

void tun_look(const char *socket_path, struct tun_evidence *out)
{
    *out = (struct tun_evidence){.daemon_socket = xstrdup(socket_path ? socket_path : default_socket)};
    look_at_daemon(out);
    if (out->daemon_answers) {
        out->verdict = out->daemon_tun ? TUN_IN_USE : TUN_USERSPACE;
        return;
    }
    look_at_device(out);
    if (!out->device_present)
        out->verdict = TUN_ABSENT;
    else if (!out->device_opens)
        out->verdict = TUN_NOT_OPENABLE;
    else
        out->verdict = out->net_admin ? TUN_USABLE : TUN_NO_CAPABILITY;
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

char *tun_text(const struct tun_evidence *evidence)
{
    switch (evidence->verdict) {
    case TUN_IN_USE:
        return xasprintf("tailscaled %s at %s uses a TUN (%s)", evidence->daemon_version,
                         evidence->daemon_socket, evidence->daemon_state);
    case TUN_USERSPACE:
        return xasprintf("tailscaled %s at %s runs without a TUN (userspace networking); restart it without "
                         "--tun=userspace-networking, or name the transport "
                         "tailnet-userspace",
                         evidence->daemon_version, evidence->daemon_socket);
    case TUN_USABLE:
        return xasprintf("no tailscaled answers at %s (%s); %s opens and CAP_NET_ADMIN is there, so one with "
                         "a TUN could be started",
                         evidence->daemon_socket, evidence->daemon_error, device);
    case TUN_ABSENT:
        return xasprintf(
            "no tailscaled answers at %s (%s), and there is no TUN device %s (%s); load it with 'modprobe "
            "tun', give a container "
            "'--device=/dev/net/tun --cap-add=NET_ADMIN', or name the transport tailnet-userspace",
            evidence->daemon_socket, evidence->daemon_error, device, strerror(evidence->device_errno));
    case TUN_NOT_OPENABLE:
        return xasprintf("no tailscaled answers at %s (%s), and %s is there but cannot be opened (%s); give "
                         "a container '--device=/dev/net/tun', have root "
                         "start tailscaled, or name the transport tailnet-userspace",
                         evidence->daemon_socket, evidence->daemon_error, device,
                         strerror(evidence->device_errno));
    case TUN_NO_CAPABILITY:
        return xasprintf("no tailscaled answers at %s (%s), and %s opens but CAP_NET_ADMIN is missing; give "
                         "a container '--cap-add=NET_ADMIN', have root start "
                         "tailscaled, or name the transport tailnet-userspace",
                         evidence->daemon_socket, evidence->daemon_error, device);
    }
    return xstrdup("");
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
