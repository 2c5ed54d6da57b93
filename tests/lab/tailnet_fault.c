#include "lab/tailnet_fault.h"

#include "base/memory.h"
#include "base/text.h"
#include "event/machine.h"
#include "lab/tailnet_parts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { POLICY_BOUND_S = 20 };

/* A rule for what comes in (-i) and one for what goes out; `%s` of the match is the address option. */
static void rule(struct text *script, const char *from, bool in, const char *match)
{
    text_addf(script, "iptables -w -A %s -p tcp %s 22 ", in ? "TPFAULT-IN" : "TPFAULT-OUT",
              in ? "--dport" : "--sport");
    if (from)
        text_addf(script, "%s %s ", in ? "-s" : "-d", from);
    text_addf(script, "%s\n", match);
}

static void both(struct text *script, const char *from, const char *match)
{
    rule(script, from, true, match);
    rule(script, from, false, match);
}

static const char prepare[] =
    "set -e\nfor one in IN:INPUT:-i OUT:OUTPUT:-o; do\n"
    "  chain=TPFAULT-${one%%:*}; rest=${one#*:}\n"
    "  iptables -w -N $chain 2>/dev/null || iptables -w -F $chain\n"
    "  iptables -w -C ${rest%:*} ${rest#*:} tailscale0 -j $chain 2>/dev/null || "
    "iptables -w -I ${rest%:*} ${rest#*:} tailscale0 -j $chain\ndone\n"
    "tc qdisc del dev tailscale0 root 2>/dev/null || true\n"
    "echo 432000 >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established 2>/dev/null || true\n";

static void add(struct text *script, const char *from, enum tailnet_fault fault, int amount)
{
    AUTO_FREE char *match = NULL;
    switch (fault) {
    case TAILNET_FAULT_NONE:
        return;
    case TAILNET_FAULT_SILENCE:
        both(script, from, "-j DROP");
        return;
    case TAILNET_FAULT_RESET:
        rule(script, from, true, "-j REJECT --reject-with tcp-reset");
        return;
    case TAILNET_FAULT_HOLE:
        match = xasprintf("-m length --length %d:65535 -j DROP", amount);
        rule(script, from, false, match);
        return;
    case TAILNET_FAULT_LOSS:
        match = xasprintf("-m statistic --mode random --probability 0.%02d -j DROP", amount);
        break;
    case TAILNET_FAULT_BYTES:
        match = xasprintf("-m connbytes --connbytes %d: --connbytes-dir both --connbytes-mode bytes -j DROP",
                          amount);
        break;
    case TAILNET_FAULT_IDLE:
        text_addf(script,
                  "echo 0 >/proc/sys/net/netfilter/nf_conntrack_tcp_loose\n"
                  "echo %d >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established\n",
                  amount);
        match = xstrdup("-m conntrack --ctstate INVALID -j DROP");
        break;
    case TAILNET_FAULT_THROTTLE:
        text_addf(script, "tc qdisc add dev tailscale0 root tbf rate %dkbit burst 8kb latency 200ms\n",
                  amount);
        return;
    }
    both(script, from, match);
}

void tailnet_fault(const struct rig *guest, const char *from, enum tailnet_fault fault, int amount)
{
    AUTO_TEXT script = TEXT_INIT;
    text_add(&script, prepare);
    add(&script, from, fault, amount);
    rig_shell("ip netns exec %s sh -c '%s'", guest->machine->reference, text_string(&script));
}

void tailnet_fault_relay(struct tailnet_lab *lab, bool relay)
{
    (void)lab;
    rig_shell("iptables -w -D FORWARD -p udp -j DROP 2>/dev/null; %s",
              relay ? "iptables -w -I FORWARD -p udp -j DROP" : ":");
}

void tailnet_fault_daemon(struct tailnet_operator *op, int number)
{
    cr_assert_eq(child_signal(&op->daemon, number), 0);
}

void tailnet_fault_guest_daemon(const struct rig *guest, int number)
{
    AUTO_FREE char *command = xasprintf("systemctl kill --signal=%d tailscaled", number);
    free(rig_ssh(guest, command, NULL));
}

/* The policy that the daemon has heard of shows in whom it knows. */
static bool knows_hosts(void *context)
{
    AUTO_FREE char *said = tailnet_operator_shell(context, "tailscale --socket=%s status --json",
                                                  tailnet_operator_socket(context));
    return strstr(said, "\"tag:host\"") || strstr(said, "\"tag:vault\"");
}

static bool knows_none(void *context)
{
    return !knows_hosts(context);
}

void tailnet_fault_policy(struct tailnet_operator *op, bool closed)
{
    tailnet_lab_policy(op->lab, closed ? "{\"tagOwners\": {\"tag:operator\": [\"ops@\"], \"tag:host\": "
                                         "[\"ops@\"], \"tag:vault\": [\"ops@\"]},\n\"acls\": [{\"action\": "
                                         "\"accept\", \"src\": [\"tag:operator\"], \"dst\": "
                                         "[\"tag:operator:*\"]}]}\n"
                                       : tailnet_open_policy);
    cr_assert(lab_until(POLICY_BOUND_S, closed ? knows_none : knows_hosts, op),
              "no policy reached the daemon");
}
