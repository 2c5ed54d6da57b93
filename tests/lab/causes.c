#include "lab/causes.h"

#include "base/memory.h"
#include "base/text.h"
#include "event/machine.h"
#include "format/json.h"
#include "lab/tailnet_fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define VOLUME    3000000
#define IDLE      40
#define HOLE      1200
#define LOSS      10
#define KBITS     256
#define CONTROL   "master"
#define USERSPACE "tailnet-userspace"

static void project(struct causes *causes, const char *transport, const char *address)
{
    AUTO_FREE char *keys = xasprintf("    transport: [%s]\n", transport);
    tailnet_lab_project(causes->lab, causes->guest, address, keys, "",
                        "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
}

static void none(struct causes *causes)
{
    tailnet_fault(causes->guest, NULL, TAILNET_FAULT_NONE, 0);
}

static void volume(struct causes *causes)
{
    tailnet_fault(causes->guest, NULL, TAILNET_FAULT_BYTES, VOLUME);
}

static void idle(struct causes *causes)
{
    tailnet_fault(causes->guest, NULL, TAILNET_FAULT_IDLE, IDLE);
}

static void hole(struct causes *causes)
{
    tailnet_fault(causes->guest, NULL, TAILNET_FAULT_HOLE, HOLE);
}

static void loss(struct causes *causes)
{
    tailnet_fault(causes->guest, NULL, TAILNET_FAULT_LOSS, LOSS);
}

static void throttle(struct causes *causes)
{
    tailnet_fault(causes->guest, NULL, TAILNET_FAULT_THROTTLE, KBITS);
}

static void sessions(struct causes *causes, const char *script)
{
    int code = 0;
    AUTO_FREE char *said = rig_ssh(causes->guest, script, &code);
    cr_assert(eq(int, code, 0), "%s", said);
}

static void few_sessions(struct causes *causes)
{
    sessions(causes, "echo MaxSessions 2 >/etc/ssh/sshd_config.d/few.conf && systemctl reload ssh");
}

static void usual_sessions(struct causes *causes)
{
    sessions(causes, "rm -f /etc/ssh/sshd_config.d/few.conf && systemctl reload ssh");
}

static void lose_name(struct causes *causes)
{
    project(causes, USERSPACE, "vault.nowhere.invalid");
}

static void find_name(struct causes *causes)
{
    project(causes, USERSPACE, causes->address);
}

static void stop_daemon(struct causes *causes)
{
    tailnet_fault_daemon(causes->op, SIGSTOP);
}

static void go_on_daemon(struct causes *causes)
{
    tailnet_fault_daemon(causes->op, SIGCONT);
}

/* The host's own daemon hears of a policy when it does, which is not when this one hears of it. */
static bool ssh_is_closed(void *context)
{
    struct causes *causes = context;
    AUTO_FREE char *said = tailnet_operator_shell(
        causes->op, "timeout 2 sh -c 'tail -f /dev/null | tailscale --socket=%s nc %s 22 | head -c 4' || :",
        tailnet_operator_socket(causes->op), causes->address);
    return !*said;
}

/* All but ssh: the hosts see each other, and a ping of the daemon's gets through. */
static void close_ssh(struct causes *causes)
{
    tailnet_lab_policy(
        causes->tailnet,
        "{\"tagOwners\": {\"tag:operator\": [\"ops@\"], \"tag:host\": [\"ops@\"], \"tag:vault\": "
        "[\"ops@\"]},\n\"acls\": [{\"action\": \"accept\", \"src\": [\"tag:operator\"], \"dst\": "
        "[\"tag:operator:*\", \"tag:host:8200\"]}]}\n");
    cr_assert(lab_until(20, ssh_is_closed, causes), "no policy reached the host");
}

static void open_ssh(struct causes *causes)
{
    tailnet_fault_policy(causes->op, false);
}

/* As an ssh of the user's left it: a master that the configuration names, and that has stopped. All of it
 * is in the test's own folder: a socket that an earlier test left would keep ssh from being a master. */
static void stop_master(struct causes *causes)
{
    AUTO_FREE char *configuration = xasprintf("/etc/ssh/ssh_config.d/triphase-causes-%d.conf", (int)getpid());
    AUTO_FREE char *control = xasprintf("%s/" CONTROL, lab_folder(causes->lab));
    AUTO_FREE char *names = xasprintf("Host %s\n  ControlPath %s\n", causes->address, control);
    rig_plant(configuration, names);
    AUTO_FREE char *said = tailnet_operator_shell(
        causes->op,
        "c=%s; ssh -i %s -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o "
        "LogLevel=ERROR"
        " -o ControlMaster=yes -o ControlPersist=no -o ControlPath=$c"
        " -o ProxyCommand='tailscale --socket=%s nc %%h %%p' -f -N root@%s >$c.log 2>&1 </dev/null || { cat "
        "$c.log; exit 1; };"
        " said=$(ssh -O check -o ControlPath=$c x 2>&1); echo \"$said\" | tr -dc 0-9 >$c.pid; kill -STOP "
        "$(cat $c.pid) || { echo \"$said\"; cat $c.log; exit 1; } >&2",
        control, causes->guest->machine->key, tailnet_operator_socket(causes->op), causes->address);
}

static void end_master(struct causes *causes)
{
    rig_shell("kill -KILL $(cat %s/" CONTROL ".pid); rm -f /etc/ssh/ssh_config.d/triphase-causes-%d.conf",
              lab_folder(causes->lab), (int)getpid());
}

static void relay(struct causes *causes)
{
    tailnet_fault_relay(causes->tailnet, true);
}

static void no_relay(struct causes *causes)
{
    tailnet_fault_relay(causes->tailnet, false);
}

static void operate_from(struct causes *causes, struct tailnet_operator *op)
{
    causes->op = op;
    tailnet_operator_enter(op, causes->lab);
    lab_environment(causes->lab, "TAILSCALE_SOCKET", tailnet_operator_socket(op));
}

static void take_operator(struct causes *causes, enum tailnet_tun tun)
{
    struct tailnet_operator *op = tailnet_lab_operator(causes->tailnet, tun);
    tailnet_operator_join(op, "tag:operator");
    operate_from(causes, op);
}

/* From another machine, which has a TUN. */
static void take_tun(struct causes *causes)
{
    causes->other = causes->op;
    take_operator(causes, TAILNET_TUN);
    project(causes, "tailnet", causes->address);
}

static void leave_tun(struct causes *causes)
{
    operate_from(causes, causes->other);
    project(causes, USERSPACE, causes->address);
}

static void nothing(struct causes *causes)
{
    (void)causes;
}

#define QUICK "--quick"
const struct cause causes_of_ten[] = {
    {"byte count", "volume", NULL, 1, volume, none},
    {"idle time", "idle", NULL, 1, idle, none},
    {"large segments", "mtu", QUICK, 1, hole, none},
    {"loss", "loss", QUICK, 1, loss, none},
    {"throttle", "rate", QUICK, 1, throttle, none},
    {"MaxSessions", "channels", QUICK, 1, few_sessions, usual_sessions},
    {"a name that is gone", "dns", QUICK, 4, lose_name, find_name},
    {"a dead daemon", "daemon", QUICK, 4, stop_daemon, go_on_daemon},
    {"policy", "policy", QUICK, 4, close_ssh, open_ssh},
    {"a stopped master", "master", QUICK, 1, stop_master, end_master},
    {0},
};
const struct cause causes_healthy[] = {
    {"nothing", "none", NULL, 0, nothing, nothing},
    {"nothing, over the relay", "none", QUICK, 0, relay, no_relay},
    {"nothing, over a TUN", "none", QUICK, 0, take_tun, leave_tun},
    {0},
};

const struct cause *causes_named(const char *name)
{
    for (const struct cause *cause = causes_of_ten; cause->name; cause++)
        if (text_is(cause->name, name))
            return cause;
    for (const struct cause *cause = causes_healthy; cause->name; cause++)
        if (text_is(cause->name, name))
            return cause;
    cr_assert(false, "there is no cause '%s'", name);
    return NULL;
}

struct causes causes_new(void)
{
    struct causes causes = {.tailnet = tailnet_lab_new()};
    causes.lab = lab_new();
    causes.guest = tailnet_lab_guest(causes.tailnet);
    causes.address = tailnet_guest_join(causes.tailnet, causes.guest, "tag:host", "guest");
    take_operator(&causes, TAILNET_TUN_ABSENT);
    project(&causes, USERSPACE, causes.address);
    return causes;
}

struct causes_said causes_diagnose(struct causes *causes, const struct cause *cause, const char *size)
{
    AUTO_ERROR err = ERROR_INIT;
    cause->harm(causes);
    const char *how = size ? size : cause->size;
    pid_t child = lab_start(causes->lab, "diagnose", "diagnose", "host", "--json", how ? how : "--transport",
                            how ? NULL : USERSPACE, NULL);
    struct causes_said said = {.code = lab_wait(causes->lab, child, 300)};
    cause->mend(causes);
    AUTO_FREE char *out = lab_read(causes->lab, "diagnose.out"),
                   *told = lab_read(causes->lab, "diagnose.err");
    AUTO_JSON *object = json_parse(out, strlen(out), &err);
    cr_assert(ne(ptr, object, NULL), "%s: %s: %s%s", cause->name, error_text(&err), out, told);
    const struct json *first = json_at(json_get(json_get(object, "conclusion"), "findings"), 0);
    said.variable = lab_keep(xstrdup(json_get_string(first, "variable", "?")));
    said.words = lab_keep(xstrdup(json_get_string(first, "words", "?")));
    said.seconds = (double)json_get_integer(object, "duration_ns", 0) / 1e9;
    said.all = lab_keep(xasprintf("%s%s", out, told));
    return said;
}

void causes_end(struct causes *causes)
{
    rig_remove(causes->guest);
}
