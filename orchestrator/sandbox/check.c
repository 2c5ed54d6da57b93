#include "sandbox/check.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "sandbox/mirror.h"
#include "sandbox/owner.h"
#include "sandbox/root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef OVERLAYFS_SUPER_MAGIC
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#endif

#define PRIVILEGED "in a container: docker run --privileged --cgroupns=private …"

static uint64_t effective_capabilities(void)
{
    AUTO_TEXT status = TEXT_INIT;
    unsigned long long bits = 0;
    const char *at;
    if (file_read("/proc/self/status", 65536, &status, NULL) == 0 &&
        (at = strstr(text_string(&status), "\nCapEff:")))
        sscanf(at, "\nCapEff: %llx", &bits);
    return bits;
}

static void check_rights(struct facts *out)
{
    static const struct {
        int number;
        const char *name;
    } needed[] = {{CAP_SYS_ADMIN, "SYS_ADMIN"},   {CAP_NET_ADMIN, "NET_ADMIN"},
                  {CAP_SYS_CHROOT, "SYS_CHROOT"}, {CAP_MKNOD, "MKNOD"},
                  {CAP_SYS_PTRACE, "SYS_PTRACE"}, {CAP_SETFCAP, "SETFCAP"}};
    if (geteuid() != 0) {
        facts_add(out, "root", FACT_MISSING,
                  xstrdup("a sandbox needs root: mounts, namespaces and packet filter rules"),
                  "run triphase with sudo", NULL);
        return;
    }
    uint64_t have = effective_capabilities();
    AUTO_TEXT lacks = TEXT_INIT;
    AUTO_TEXT flags = TEXT_INIT;
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        if (have & UINT64_C(1) << needed[i].number)
            continue;
        text_addf(&lacks, " CAP_%s", needed[i].name);
        text_addf(&flags, " --cap-add %s", needed[i].name);
    }
    if (!lacks.length) {
        facts_add(out, "root", FACT_OK, xstrdup("running as root with the capabilities a sandbox needs"),
                  NULL, NULL);
        return;
    }
    AUTO_FREE char *mend = xasprintf(
        "docker run --privileged --cgroupns=private … (or%s --security-opt seccomp=unconfined --security-opt "
        "apparmor=unconfined --device /dev/net/tun)",
        text_string(&flags));
    facts_add(out, "root", FACT_MISSING,
              xasprintf("root without%s: this is a restricted container", text_string(&lacks)), mend, NULL);
}

static void check_program(struct facts *out, const char *name, const char *package, const char *use)
{
    AUTO_FREE char *path = file_find_program(name, NULL);
    AUTO_FREE char *mend = xasprintf("apt-get install -y %s", package);
    if (path)
        facts_add(out, name, FACT_OK, xstrdup(path), NULL, package);
    else
        facts_add(out, name, FACT_MISSING, xasprintf("the program %s is missing: %s", name, use), mend,
                  package);
}

static void check_programs(const char *root, struct facts *out)
{
    AUTO_FREE char *path = NULL;
    check_program(out, "systemd-nspawn", "systemd-container", "it runs the guest");
    check_program(out, "ip", "iproute2", "it makes the guest's network");
    check_program(out, "nsenter", "util-linux", "it sets up the guest's end of the network");
    check_program(out, "nft", "nftables", "it lets the guest out");
    check_program(out, "ssh", "openssh-client", "every host is reached with it");
    check_program(out, "ssh-keygen", "openssh-client", "it makes the machine's keys");
    int kind = root_kind(root, "/", &path, NULL);
    if (kind == ROOT_TAR)
        check_program(out, "tar", "tar", "it unpacks the root tree");
    /* What is in the cache already was built by whatever built it. */
    if (kind != ROOT_DEBIAN || root_is_cached(root, "/"))
        return;
    check_program(out, "mmdebstrap", "mmdebstrap", "it builds the root tree");
    bool keyring = file_exists("/usr/share/keyrings/debian-archive-keyring.gpg") ||
                   file_exists("/usr/share/keyrings/debian-archive-keyring.pgp");
    facts_add(out, "keyring", keyring ? FACT_OK : FACT_MISSING,
              xstrdup(keyring ? "Debian's archive keys are there"
                              : "Debian's archive keys are missing: the root tree is checked with them"),
              keyring ? NULL : "apt-get install -y debian-archive-keyring",
              keyring ? NULL : "debian-archive-keyring");
    AUTO_MIRROR mirror = {NULL, NULL};
    mirror_find("/etc/apt", &mirror);
    if (mirror.archive)
        facts_add(out, "mirror", FACT_OK, xasprintf("root trees come from %s", mirror.archive), NULL, NULL);
    else
        facts_add(out, "mirror", FACT_MISSING,
                  xstrdup("no Debian archive is among this machine's apt sources"),
                  "add one to /etc/apt/sources.list.d, or set root: to a folder, a tar archive or 'host'",
                  NULL);
}

/* The nearest folder that is there already. */
static char *existing_above(const char *path)
{
    char *at = xstrdup(path);
    while (!file_is_dir(at)) {
        char *slash = strrchr(at, '/');
        if (slash == at) {
            at[1] = '\0';
            break;
        }
        *slash = '\0';
    }
    return at;
}

static void check_storage(struct facts *out)
{
    AUTO_FREE char *folder = existing_above(SANDBOX_HOME);
    struct statfs state;
    if (statfs(folder, &state) < 0)
        return;
    if (state.f_type == OVERLAYFS_SUPER_MAGIC)
        facts_add(
            out, "storage", FACT_MISSING,
            xasprintf("%s is on an overlay file system (a container's own): no overlay can be written on it",
                      folder),
            "in a container: docker run -v triphase:" SANDBOX_HOME
            " … ; else: mount -t tmpfs tmpfs " SANDBOX_HOME,
            NULL);
    else if (file_is_remote(folder))
        facts_add(out, "storage", FACT_MISSING,
                  xasprintf("%s is on a network file system: no overlay can be written on it", folder),
                  "mount a local file system at " SANDBOX_HOME, NULL);
    else
        facts_add(out, "storage", FACT_OK, xasprintf("%s can hold the guests' changes", folder), NULL, NULL);
}

/* Which of the steps of a sandbox this kernel or container refuses: bits, found by trying in
 * namespaces of a child's own. */
enum tried { TRIED_MOUNTS = 1, TRIED_OVERLAY = 2, TRIED_NETWORK = 4, TRIED_PIDS = 8, TRIED_ROOT = 16 };

static int try_in_child(void)
{
    int refused = 0;
    if (unshare(CLONE_NEWNS) < 0) {
        refused |= TRIED_MOUNTS;
    } else if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        refused |= errno == EINVAL ? TRIED_ROOT : TRIED_MOUNTS;
    } else if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0) {
        refused |= TRIED_MOUNTS;
    } else if (mkdir("/tmp/l", 0700) < 0 || mkdir("/tmp/u", 0700) < 0 || mkdir("/tmp/w", 0700) < 0 ||
               mkdir("/tmp/m", 0700) < 0 ||
               mount("overlay", "/tmp/m", "overlay", 0, "lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w") <
                   0) {
        refused |= TRIED_OVERLAY;
    }
    if (unshare(CLONE_NEWNET) < 0)
        refused |= TRIED_NETWORK;
    if (unshare(CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC) < 0)
        refused |= TRIED_PIDS;
    return refused;
}

static void check_kernel(struct facts *out)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_in_child());
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
        return;
    int refused = WEXITSTATUS(status);
    if (refused & TRIED_MOUNTS)
        facts_add(out, "mounts", FACT_MISSING, xstrdup("mounting is refused here"), PRIVILEGED, NULL);
    if (refused & TRIED_ROOT)
        facts_add(out, "mounts", FACT_MISSING,
                  xstrdup("/ is no mount point (a plain chroot): systemd-nspawn refuses to run there"),
                  "before the chroot: mount --bind DIR DIR, then chroot DIR", NULL);
    if (refused & TRIED_OVERLAY)
        facts_add(out, "overlay", FACT_MISSING, xstrdup("this kernel has no overlay file system for us"),
                  "modprobe overlay (on the machine that runs the container, if this is one)", NULL);
    if (refused & (TRIED_NETWORK | TRIED_PIDS))
        facts_add(out, "namespaces", FACT_MISSING, xstrdup("new namespaces are refused here"), PRIVILEGED,
                  NULL);
    if (!refused)
        facts_add(out, "kernel", FACT_OK, xstrdup("mounts, overlays and namespaces work"), NULL, NULL);
}

static void check_kernel_files(struct facts *out)
{
    AUTO_CLOSE int forward = open("/proc/sys/net/ipv4/ip_forward", O_RDONLY | O_CLOEXEC);
    char now = '0';
    if (forward < 0 || read(forward, &now, 1) != 1 ||
        (now != '1' && access("/proc/sys/net/ipv4/ip_forward", W_OK) < 0))
        facts_add(out, "ip_forward", FACT_MISSING,
                  xstrdup("ip_forward is off and cannot be turned on: the guest would have no way out"),
                  "in a container: docker run --sysctl net.ipv4.ip_forward=1 … or --privileged", NULL);
    else
        facts_add(out, "ip_forward", FACT_OK,
                  xasprintf("ip_forward is %s", now == '1' ? "on" : "off, and on while a sandbox is there"),
                  NULL, NULL);

    struct statfs state;
    bool unified = statfs("/sys/fs/cgroup", &state) == 0 && state.f_type == CGROUP2_SUPER_MAGIC;
    if (access(unified ? "/sys/fs/cgroup/cgroup.procs" : "/sys/fs/cgroup", W_OK) < 0)
        facts_add(out, "cgroup", FACT_MISSING,
                  xstrdup("/sys/fs/cgroup cannot be written: the guest's systemd needs a cgroup of its own"),
                  PRIVILEGED, NULL);
    else
        facts_add(out, "cgroup", FACT_OK, xstrdup(unified ? "cgroup v2" : "cgroup v2 beside v1"), NULL, NULL);

    AUTO_CLOSE int tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (tun < 0)
        facts_add(out, "sandbox tun", FACT_WARNING,
                  xasprintf("/dev/net/tun cannot be opened (%s): guests will have none",
                            strerrordesc_np(errno)),
                  errno == ENOENT ? "modprobe tun; in a container: docker run --device /dev/net/tun …"
                                  : "in a container: docker run --device /dev/net/tun …",
                  NULL);
    else
        facts_add(out, "sandbox tun", FACT_OK, xstrdup("guests can have /dev/net/tun"), NULL, NULL);
}

void sandbox_facts(const char *root, struct facts *out)
{
    check_rights(out);
    check_programs(root, out);
    if (geteuid() != 0)
        return;
    check_storage(out);
    check_kernel_files(out);
    check_kernel(out);
}

int sandbox_check(const struct target *target, struct error *err)
{
    AUTO_FACTS facts = {NULL, 0};
    sandbox_facts(target ? target->root : NULL, &facts);
    if (!facts_have_missing(&facts))
        return 0;
    AUTO_TEXT text = TEXT_INIT;
    AUTO_FREE char *install = facts_install_line(&facts);
    text_add(&text, "the sandbox provider cannot work on this machine");
    for (size_t i = 0; i < facts.count; i++) {
        const struct fact *fact = &facts.items[i];
        if (fact->state != FACT_MISSING)
            continue;
        text_addf(&text, "\n  %s", fact->what);
        if (fact->mend && !fact->package)
            text_addf(&text, "\n    mend: %s", fact->mend);
    }
    if (install)
        text_addf(&text, "\n    mend: %s", install);
    return error_set(err, ERROR_MISSING, "%s", text_string(&text));
}
