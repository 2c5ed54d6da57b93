/* A sandbox's network beside others' routes and firewalls, each test in mount and
 * network namespaces of its own. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/sandbox.h"
#include "sandbox/network.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

TestSuite(sandbox_network, .timeout = 120);

static void expect_way_out(const struct rig *rig, bool expected)
{
    int code = 0;
    AUTO_FREE char *said =
        rig_ssh(rig, "timeout 3 bash -c 'cat </dev/tcp/198.51.100.2/80' 2>/dev/null", &code);
    cr_expect_str_eq(said, expected ? "outside\n" : "");
}

static void expect_nothing_left(const struct rig *rig)
{
    AUTO_FREE char *left = rig_left(rig);
    cr_expect_str_eq(left, "");
}

static char forward(void)
{
    AUTO_FREE char *now = rig_output("cat /proc/sys/net/ipv4/ip_forward");
    return *now;
}

Test(sandbox_network, ip_forward_is_on_for_as_long_as_there_is_a_sandbox_and_then_what_it_was)
{
    rig_go_private();
    rig_start_outside();
    rig_shell("echo 0 >/proc/sys/net/ipv4/ip_forward");
    struct rig *first = rig_new(NULL), *second = rig_new(NULL);
    rig_make(first);
    cr_expect_eq(forward(), '1');
    expect_way_out(first, true);
    rig_make(second);
    rig_remove(first);
    cr_expect_eq(forward(), '1');
    expect_way_out(second, true);
    rig_remove(second);
    cr_expect_eq(forward(), '0');
    AUTO_FREE char *rest = rig_output("ls /var/lib/triphase");
    cr_expect_str_eq(rest, "lock\n");

    /* Whoever came meanwhile may forward too. */
    static const char *const others[][2] = {
        {"ip link add wg-home type veth peer name wg-far", "ip link del wg-home"},
        {"nft 'table ip mine { chain out { type nat hook postrouting priority 100; oifname \"out*\" "
         "masquerade; }; }'",
         "nft delete table ip mine"},
        {"mount -t tmpfs none /etc/sysctl.d; echo net.ipv4.ip_forward=1 >/etc/sysctl.d/50-router.conf",
         "umount /etc/sysctl.d"}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct rig *one = rig_new(NULL);
        rig_make(one);
        rig_shell("%s", others[i][0]);
        rig_remove(one);
        cr_expect_eq(forward(), '1', "lowered beside: %s", others[i][0]);
        rig_shell("%s", others[i][1]);
        rig_shell("echo 0 >/proc/sys/net/ipv4/ip_forward");
    }

    rig_shell("echo 1 >/proc/sys/net/ipv4/ip_forward");
    struct rig *third = rig_new(NULL);
    rig_make(third);
    rig_remove(third);
    cr_expect_eq(forward(), '1');
}

Test(sandbox_network, the_subnet_clashes_with_no_route_of_any_table_and_no_resolver)
{
    rig_go_private();
    rig_start_outside();
    struct rig *rig = rig_new(NULL);
    rig_shell("ip route add 10.213.0.0/16 dev way-out table 77 && ip route add unreachable 172.16.0.0/12 && "
              "ip addr add 192.168.213.9/24 dev way-out && ip route add 0.0.0.0/1 dev way-out && ip route "
              "add 128.0.0.0/1 dev way-out");
    rig_make(rig);
    cr_expect(text_starts(rig->machine->address, "10.6."), "%s", rig->machine->address);
    expect_way_out(rig, true);
    rig_remove(rig);
    rig_shell("ip route add 10.0.0.0/8 dev way-out && ip route add 198.18.0.0/15 dev way-out");
    struct rig *nowhere = rig_new(NULL);
    AUTO_ERROR err = ERROR_INIT;
    cr_expect_lt(provider_sandbox.make(&nowhere->target, nowhere->machine, &err), 0);
    cr_expect_eq(err.kind, ERROR_PROVIDER);
    cr_expect(strstr(error_text(&err), "198.18.0.0/15"), "%s", error_text(&err));
    rig_remove(nowhere);
    expect_nothing_left(nowhere);
}

/* A firewall that forwards nothing but what it knows: the guest gets out all the same, and afterwards the
 * rules are what they were. */
static void check_firewall(const char *rules, const char *list)
{
    rig_go_private();
    rig_start_outside();
    rig_shell("%s", rules);
    AUTO_FREE char *before = rig_output("%s", list);
    struct rig *rig = rig_new(NULL);
    rig_make(rig);
    AUTO_FREE char *between = rig_output("%s", list);
    cr_expect(strstr(between, rig->machine->reference), "%s", between);
    expect_way_out(rig, true);
    /* Without the accept pair the firewall would have its way: what is tested here is not a
     * firewall that lets all pass. */
    rig_shell("for one in 1 2; do nft -a list ruleset | awk -v name=%s '$1 == \"table\" { family = $2; table "
              "= $3 } $1 == \"chain\" "
              "{ chain = $2 } /accept/ && $0 ~ name && /# handle/ { print \"delete rule\", family, table, "
              "chain, \"handle\", $NF; exit }' "
              "| nft -f -; done",
              rig->machine->reference);
    if (!strstr(list, "legacy"))
        expect_way_out(rig, false);
    rig_remove(rig);
    AUTO_FREE char *after = rig_output("%s", list);
    cr_expect_str_eq(after, before);
    expect_nothing_left(rig);
}

Test(sandbox_network, dockers_forward_chain_does_not_shut_the_guest_in)
{
    check_firewall(
        "iptables -P FORWARD DROP && iptables -N DOCKER-USER && iptables -A DOCKER-USER -j RETURN && "
        "iptables -A FORWARD -j DOCKER-USER",
        "iptables -S");
}

Test(sandbox_network, a_firewall_that_rejects_at_its_end_does_not_shut_the_guest_in)
{
    check_firewall(
        "nft 'table inet firewall { chain forward { type filter hook forward priority 10; policy accept; "
        "ct state established,related accept; reject with icmpx admin-prohibited; }; }'",
        "nft list table inet firewall");
}

Test(sandbox_network, an_old_iptables_does_not_shut_the_guest_in)
{
    rig_go_private();
    AUTO_FREE char *works = rig_output("iptables-legacy -S FORWARD 2>/dev/null");
    if (!*works)
        cr_skip_test("this kernel or machine has no legacy iptables");
    check_firewall("iptables-legacy -P FORWARD DROP", "iptables-legacy -S");
}

Test(sandbox_network, resolvers_are_those_behind_a_stub_and_never_a_loopback_address)
{
    rig_go_private();
    rig_shell("mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd && mkdir /run/systemd/resolve && "
              "printf 'nameserver 127.0.0.53\\noptions edns0\\nsearch example.org\\n' >/run/systemd/stub && "
              "printf 'nameserver 192.0.2.53\\nnameserver 2001:db8::53\\nnameserver 127.0.0.1\\nnameserver "
              "192.0.2.54\\nsearch lan\\n' "
              ">/run/systemd/resolve/resolv.conf && mount --bind /run/systemd/stub \"$(readlink -f "
              "/etc/resolv.conf)\"");
    AUTO_TEXT text = TEXT_INIT;
    network_resolvers(&text);
    cr_expect_str_eq(text_string(&text),
                     "search example.org\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n");
}
