/* The harm that tests do between an operator and a host of a tailnet is what it claims to be: seen from the
 * operator by plain ssh. */
#include "lab/tailnet_fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "event/machine.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>

TestSuite(tailnet_fault, .timeout = 240);

/* How a command on the guest ends, seen by ssh over the operator's TUN: its code, 124 where it was not
 * over within the seconds. The key exchange is one whose messages are small: with the default one a login
 * does not get through a path-MTU hole. */
static struct lab_result over_ssh(struct tailnet_operator *op, const struct rig *guest, const char *address,
                                  int seconds, const char *command)
{
    AUTO_FREE char *bound = xasprintf("%d", seconds), *to = xasprintf("root@%s", address);
    return tailnet_operator_run(op, "timeout", bound, "ssh", "-F", "/dev/null", "-i", guest->machine->key,
                                "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                                "UserKnownHostsFile=/dev/null", "-o", "KexAlgorithms=curve25519-sha256", "-o",
                                "LogLevel=ERROR", to, command, NULL);
}

struct trial {
    enum tailnet_fault fault;
    int amount;
    struct {
        const char *command;
        int seconds, code;
    } good, bad;
};

/* For each: what still gets through and what no longer does. */
static const struct trial trials[] = {
    {TAILNET_FAULT_NONE, 0, {"true", 15, 0}, {"head -c 400000 /dev/zero", 15, 0}},
    {TAILNET_FAULT_HOLE, 1200, {"true", 15, 0}, {"head -c 20000 /dev/zero", 3, 124}},
    {TAILNET_FAULT_BYTES, 200000, {"head -c 50000 /dev/zero", 15, 0}, {"head -c 800000 /dev/zero", 3, 124}},
    {TAILNET_FAULT_IDLE, 2, {"echo on", 15, 0}, {"sleep 4; echo on", 6, 124}},
    {TAILNET_FAULT_THROTTLE, 400, {"true", 15, 0}, {"head -c 800000 /dev/zero", 3, 124}},
    {TAILNET_FAULT_SILENCE, 0, {NULL, 0, 0}, {"true", 3, 124}},
    {TAILNET_FAULT_RESET, 0, {NULL, 0, 0}, {"true", 4, 255}},
    {TAILNET_FAULT_NONE, 0, {"true", 15, 0}, {"head -c 400000 /dev/zero", 15, 0}},
};

Test(tailnet_fault, each_harms_what_it_says_and_nothing_else)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    struct tailnet_operator *other = tailnet_lab_operator(lab, TAILNET_TUN);
    struct rig *guest = tailnet_lab_guest(lab);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    const char *from = tailnet_operator_join(op, "tag:operator");
    tailnet_operator_join(other, "tag:operator");

    for (size_t i = 0; i < COUNT_OF(trials); i++) {
        const struct trial *trial = &trials[i];
        tailnet_fault(guest, from, trial->fault, trial->amount);
        if (trial->good.command) {
            struct lab_result good = over_ssh(op, guest, address, trial->good.seconds, trial->good.command);
            cr_expect(eq(int, good.code, trial->good.code), "%zu, good: %s", i, good.err);
        }
        struct lab_result bad = over_ssh(op, guest, address, trial->bad.seconds, trial->bad.command);
        cr_expect(eq(int, bad.code, trial->bad.code), "%zu, bad: %s", i, bad.err);
        if (trial->fault != TAILNET_FAULT_THROTTLE) {
            struct lab_result spared = over_ssh(other, guest, address, 15, "true");
            cr_expect(eq(int, spared.code, 0), "%zu, the other operator: %s", i, spared.err);
        }
    }
    rig_remove(guest);
}

Test(tailnet_fault, the_path_the_daemon_and_the_policy_can_be_taken_away_and_given_back)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    struct rig *guest = tailnet_lab_guest(lab);
    tailnet_fault_relay(lab, true);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");

    AUTO_FREE char *relayed =
        tailnet_operator_shell(op, "tailscale ping --until-direct=false -c 3 %s", address);
    cr_expect(strstr(relayed, "via DERP(hs)") != NULL, "%s", relayed);
    tailnet_fault_relay(lab, false);
    AUTO_FREE char *direct = tailnet_operator_shell(op, "tailscale ping -c 30 %s", address);
    cr_expect(strstr(direct, ":41641") != NULL, "%s", direct);

    tailnet_fault_daemon(op, SIGSTOP);
    cr_expect(eq(int, over_ssh(op, guest, address, 4, "true").code, 124));
    tailnet_fault_daemon(op, SIGCONT);
    cr_expect(eq(int, over_ssh(op, guest, address, 20, "true").code, 0));

    tailnet_fault_policy(op, true);
    cr_expect(eq(int, over_ssh(op, guest, address, 4, "true").code, 124));
    tailnet_fault_policy(op, false);
    cr_expect(eq(int, over_ssh(op, guest, address, 20, "true").code, 0));

    /* A control server that is away changes nothing for those who are joined. */
    tailnet_lab_stop(lab);
    cr_expect(eq(int, over_ssh(op, guest, address, 15, "head -c 400000 /dev/zero").code, 0));
    tailnet_lab_start(lab);
    rig_remove(guest);
}
