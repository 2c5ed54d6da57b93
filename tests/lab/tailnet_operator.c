/* Operators' machines: a process holds the namespaces, words before a command lead into them. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/tailnet.h"
#include "lab/tailnet_parts.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { DAEMON_BOUND_S = 30 };

/* What a machine without a TUN does to the node. A file system that knows no devices gives EACCES, as a
 * container's device rules do. */
static const char *const masks[] = {
    [TAILNET_TUN] = ":",
    [TAILNET_TUN_ABSENT] = "mount --make-private /dev/net && mount -t tmpfs tmpfs /dev/net",
    [TAILNET_TUN_CLOSED] = "mount --make-private /dev/net && mount -t tmpfs -o nodev tmpfs /dev/net && "
                           "mknod -m 0666 /dev/net/tun c 10 200",
    [TAILNET_TUN_NO_CAPABILITY] = ":"};

static void hold(struct tailnet_operator *op)
{
    AUTO_FREE char *script = xasprintf(
        "for one in /run/tailscale /var/lib/tailscale /var/lib/triphase-tailnet; do mount "
        "--make-private $one && mount -t tmpfs -o mode=0755 tmpfs $one || exit; done; %s && ip link "
        "set lo up && echo ready && exec sleep infinity",
        masks[op->tun]);
    const char *const argv[] = {"unshare", "--net", "--mount", "--propagation", "unchanged", "sh",
                                "-c",      script,  NULL};
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    struct child_plan plan = {.argv = argv,
                              .environment = words_argv(&op->lab->environment),
                              .in = -1,
                              .out = ends[1],
                              .error = ends[1],
                              .die_with_parent = true};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(child_start(&plan, &op->holder, &err), 0, "%s", error_text(&err));
    close(ends[1]);
    char said[256] = "";
    ssize_t got = read(ends[0], said, sizeof said - 1);
    cr_assert(got > 0 && text_starts(said, "ready"), "the operator's namespaces: %s", said);
    close(ends[0]);
    tailnet_warn(op->holder.pid);
}

static void lead_in(struct tailnet_operator *op)
{
    AUTO_FREE char *here = getcwd(NULL, 0);
    words_add_all(&op->wrapper, "nsenter", "--net", "--mount", NULL);
    words_addf(&op->wrapper, "--target=%d", (int)op->holder.pid);
    words_add_all(&op->wrapper, "--", "sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", here, NULL);
    if (op->tun == TAILNET_TUN_NO_CAPABILITY)
        words_add_all(&op->wrapper, "setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin", "--",
                      NULL);
}

struct tailnet_operator *tailnet_lab_operator(struct tailnet_lab *lab, enum tailnet_tun tun)
{
    struct tailnet_operator *op = lab_keep(xcalloc(1, sizeof *op));
    int number = ++lab->operators;
    op->lab = lab;
    op->tun = tun;
    op->number = number;
    op->daemon = (struct child)CHILD_INIT;
    op->folder = xasprintf("%s/op%d", lab->folder, number);
    op->address = xasprintf("10.99.%d.2", number);
    hold(op);
    tailnet_spilled_machine(op);
    lead_in(op);
    rig_shell("mkdir -m 0700 %s && ip link add op%d type veth peer name eth0 netns %d && ip addr add "
              "10.99.%d.1/24 dev op%d && ip link set op%d up && nsenter --net --target %d sh -c 'ip addr add "
              "10.99.%d.2/24 dev eth0 && ip link set eth0 up && ip route add default via 10.99.%d.1'",
              op->folder, number, (int)op->holder.pid, number, number, number, (int)op->holder.pid, number,
              number);
    return op;
}

struct lab_result tailnet_operator_run(struct tailnet_operator *op, const char *word, ...)
{
    AUTO_WORDS argv = WORDS_INIT;
    words_add_list(&argv, words_argv(&op->wrapper));
    va_list more;
    va_start(more, word);
    for (; word; word = va_arg(more, const char *))
        words_add(&argv, word);
    va_end(more);
    return tailnet_run(op->lab, &argv);
}

char *tailnet_operator_shell(struct tailnet_operator *op, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *command = xvasprintf(format, args);
    va_end(args);
    AUTO_WORDS argv = WORDS_INIT;
    words_add_list(&argv, words_argv(&op->wrapper));
    words_add_all(&argv, "sh", "-c", command, NULL);
    return tailnet_do(op->lab, &argv);
}

void tailnet_operator_enter(struct tailnet_operator *op, struct lab *lab)
{
    lab_within(lab, words_argv(&op->wrapper));
    static const char *const handed[] = {"PATH", "TS_DEBUG_USE_DERP_HTTP", "TS_NO_LOGS_NO_SUPPORT"};
    for (size_t i = 0; i < COUNT_OF(handed); i++)
        lab_environment(lab, handed[i], words_env(&op->lab->environment, handed[i]));
}

static bool daemon_answers(void *context)
{
    struct tailnet_operator *op = context;
    return tailnet_operator_run(op, "tailscale", "--socket", op->socket, "status", "--json", "--peers=false",
                                NULL)
               .code == 0;
}

void tailnet_operator_daemon(struct tailnet_operator *op, const char *socket, bool tun, const char *more)
{
    AUTO_WORDS argv = WORDS_INIT;
    free(op->socket);
    op->socket = xstrdup(socket ? socket : "/run/tailscale/tailscaled.sock");
    words_add_list(&argv, words_argv(&op->wrapper));
    words_add(&argv, "env");
    words_add_split(&argv, more ? more : "");
    words_add_all(&argv, "tailscaled", "--port=41641", NULL);
    words_addf(&argv, "--tun=%s", tun ? "tailscale0" : "userspace-networking");
    words_addf(&argv, "--socket=%s", op->socket);
    words_addf(&argv, "--statedir=%s", op->folder);
    words_addf(&argv, "--state=%s/tailscaled.state", op->folder);
    AUTO_FREE char *log = xasprintf("op%d/tailscaled.log", op->number);
    tailnet_start(op->lab, &argv, log, &op->daemon);
    if (!lab_until(DAEMON_BOUND_S, daemon_answers, op)) {
        AUTO_FREE char *said = rig_output("tail -n 20 %s/%s", op->lab->folder, log);
        cr_assert_fail("tailscaled does not answer: %s", said);
    }
}

pid_t tailnet_operator_daemon_pid(const struct tailnet_operator *op)
{
    return op->daemon.pid;
}

const char *tailnet_operator_address(const struct tailnet_operator *op)
{
    return op->address;
}

const char *tailnet_operator_socket(const struct tailnet_operator *op)
{
    return op->socket;
}

void tailnet_operator_join_by(struct tailnet_operator *op, const char *key, const char *hostname)
{
    AUTO_FREE char *path = xasprintf("%s/key", op->folder);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_replace(path, key, strlen(key), 0600, &err), 0, "%s", error_text(&err));
    free(tailnet_operator_shell(op,
                                "tailscale --socket=%s up --auth-key=file:%s --login-server=%s --hostname=%s "
                                "--accept-dns=false --timeout=40s",
                                op->socket, path, tailnet_lab_login_server(op->lab), hostname));
}

const char *tailnet_operator_join(struct tailnet_operator *op, const char *tag)
{
    if (op->daemon.pid <= 0)
        tailnet_operator_daemon(op, NULL, op->tun == TAILNET_TUN, NULL);
    AUTO_FREE char *key = tailnet_lab_key(op->lab, tag, false, true),
                   *name = xasprintf("operator-%d", op->number);
    tailnet_operator_join_by(op, key, name);
    free(op->joined);
    op->joined = tailnet_operator_shell(op, "tailscale --socket=%s ip -4", op->socket);
    op->joined[strcspn(op->joined, "\n")] = '\0';
    return op->joined;
}
