#include "tailnet/tun_advice.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/invoker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *sign; /* a file that it makes */
    const char *kind;
} signs[] = {
    {"/run/secrets/kubernetes.io", "kubernetes"},
    {"/run/.containerenv", "podman"},
    {"/.dockerenv", "docker"},
};

/* What systemd's own look says is there for all to read; its names are those of systemd-detect-virt(1). */
static const char *kind_of_systemd(void)
{
    static const char *const kinds[] = {"docker", "podman", "lxc", "systemd-nspawn"};
    AUTO_TEXT name = TEXT_INIT;
    if (file_read("/run/systemd/container", 64, &name, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (text_starts(text_string(&name), kinds[i]))
            return kinds[i];
    return "container";
}

const char *tun_advice_container(void)
{
    if (environment_value((const char *const *)environ, "KUBERNETES_SERVICE_HOST"))
        return "kubernetes";
    for (size_t i = 0; i < COUNT_OF(signs); i++)
        if (file_exists(signs[i].sign))
            return signs[i].kind;
    return kind_of_systemd();
}

/* A container gets all three at once: whoever restarts it for one shall not have to do so for the next. */
static const struct {
    const char *kind, *advice;
} of_containers[] = {
    {"docker",
     "start this container anew with: docker run --network=host --cap-add=NET_ADMIN --device=/dev/net/tun …"},
    {"podman",
     "start this container anew with: podman run --network=host --cap-add=NET_ADMIN --device=/dev/net/tun …"},
    {"kubernetes",
     "in this pod's spec: hostNetwork: true, securityContext: {capabilities: {add: [NET_ADMIN]}}, and "
     "/dev/net/tun as a hostPath volume of type CharDevice"},
    {"lxc", "in this container's configuration: lxc.cgroup2.devices.allow = c 10:200 rwm, lxc.mount.entry = "
            "/dev/net/tun dev/net/tun none bind,create=file, and no lxc.cap.drop of net_admin"},
    {"systemd-nspawn",
     "start this container anew with: systemd-nspawn --bind=/dev/net/tun --capability=CAP_NET_ADMIN "
     "--property=DeviceAllow='/dev/net/tun rwm' …"},
    {"container",
     "start this container anew with the host's network, the capability NET_ADMIN and the device "
     "/dev/net/tun"},
};

static char *of_a_machine(const struct tun_evidence *evidence)
{
    if (!evidence->device_present || evidence->device_errno == ENODEV)
        return xstrdup(
            geteuid() == 0
                ? "load the module: modprobe tun (where it is not to be loaded, the kernel has none)"
                : "load the module: sudo modprobe tun, then: sudo triphase up");
    if (geteuid() != 0)
        return xstrdup("only root may have one: sudo triphase up");
    return xstrdup(
        evidence->device_opens
            ? "run triphase with CAP_NET_ADMIN: what started this process took it away (a service: "
              "AmbientCapabilities=CAP_NET_ADMIN and no CapabilityBoundingSet= without it)"
            : "let this process open /dev/net/tun: what started it keeps the device from it (a service: "
              "DeviceAllow=/dev/net/tun rwm and no PrivateDevices=yes)");
}

char *tun_advice(const struct tun_evidence *evidence, const char *container)
{
    if (tun_lacks_nothing(evidence))
        return NULL;
    for (size_t i = 0; container && i < COUNT_OF(of_containers); i++)
        if (text_is(container, of_containers[i].kind))
            return xstrdup(of_containers[i].advice);
    return of_a_machine(evidence);
}
