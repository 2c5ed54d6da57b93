/* `triphase probe` over a real tailnet: from an operator with a TUN, and from one without. */
#include "base/memory.h"
#include "format/json.h"
#include "lab/tailnet_fault.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#define cr_has(text, part) cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

TestSuite(probe_tailnet, .timeout = 200);

static const char playbook[] = "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n";

struct net {
    struct tailnet_lab *tailnet;
    struct tailnet_operator *op;
    struct rig *guest;
    struct lab *lab;
};

static struct net net_new(enum tailnet_tun tun)
{
    struct net made = {.tailnet = tailnet_lab_new()};
    made.guest = tailnet_lab_guest(made.tailnet);
    const char *address = tailnet_guest_join(made.tailnet, made.guest, "tag:host", "host");
    made.op = tailnet_lab_operator(made.tailnet, tun);
    tailnet_operator_join(made.op, "tag:operator");
    made.lab = lab_new();
    tailnet_lab_project(made.lab, made.guest, address, "", "", playbook);
    tailnet_operator_enter(made.op, made.lab);
    return made;
}

static const struct json *entry_of(const struct json *report, const char *transport)
{
    const struct json *list = json_get(report, "transports");
    for (size_t i = 0; i < json_count(list); i++)
        if (text_is(json_get_string(json_at(list, i), "transport", NULL), transport))
            return json_at(list, i);
    cr_assert_fail("no entry for %s", transport);
    return NULL;
}

static void expect_usable(const struct json *report, const char *transport, const char *path)
{
    const struct json *entry = entry_of(report, transport);
    cr_expect_str_eq(json_get_string(entry, "verdict", ""), "usable", "%s: %s", transport,
                     json_get_string(entry, "why", ""));
    cr_expect_str_eq(json_get_string(json_get(entry, "path_before"), "daemon", ""), "answers");
    cr_expect_str_eq(json_get_string(json_get(entry, "path_after"), "path", ""), path);
    cr_expect_str_eq(json_get_string(json_get(entry, "path_after"), "peer", ""), "online");
    cr_expect_gt(json_get_integer(entry, "down_bytes_per_s", 0), 100000);
}

Test(probe_tailnet, a_userspace_operator_sees_that_way_alone_with_its_path_and_figures)
{
    struct net net = net_new(TAILNET_TUN_ABSENT);

    struct lab_result result = lab_run(net.lab, "probe", "host", "--json", NULL);

    cr_assert_eq(result.code, 0, "%s%s", result.out, result.err);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *report = json_parse(result.out, strlen(result.out), &err);
    expect_usable(report, "tailnet-userspace", "direct");
    cr_expect_str_eq(json_get_string(entry_of(report, "tailnet"), "verdict", ""), "unusable");

    tailnet_fault_relay(net.tailnet, true);
    struct lab_result relayed =
        lab_run(net.lab, "probe", "host", "--transport", "tailnet-userspace", "--json", NULL);
    cr_assert_eq(relayed.code, 0, "%s%s", relayed.out, relayed.err);
    AUTO_JSON *by_relay = json_parse(relayed.out, strlen(relayed.out), &err);
    expect_usable(by_relay, "tailnet-userspace", "relay");
    cr_expect_str_eq(
        json_get_string(json_get(entry_of(by_relay, "tailnet-userspace"), "path_after"), "over", ""), "hs");

    kill(tailnet_operator_daemon_pid(net.op), SIGSTOP);
    struct lab_result silent =
        lab_run(net.lab, "probe", "host", "--transport", "tailnet-userspace", "--json", NULL);
    kill(tailnet_operator_daemon_pid(net.op), SIGCONT);
    cr_expect_eq(silent.code, 4, "%s%s", silent.out, silent.err);
    cr_expect_lt(silent.seconds, 40);
    AUTO_JSON *of_silent = json_parse(silent.out, strlen(silent.out), &err);
    cr_expect_str_eq(json_get_string(json_get(entry_of(of_silent, "tailnet-userspace"), "path_before"),
                                     "daemon", ""),
                     "silent");
}

Test(probe_tailnet, an_operator_with_a_tun_has_both_ways_of_the_tailnet)
{
    struct net net = net_new(TAILNET_TUN);

    struct lab_result result = lab_run(net.lab, "probe", "host", "--json", NULL);

    cr_assert_eq(result.code, 0, "%s%s", result.out, result.err);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *report = json_parse(result.out, strlen(result.out), &err);
    expect_usable(report, "tailnet", "direct");
}

Test(probe_tailnet, a_host_whose_port_is_answered_by_tailscale_ssh_is_told_as_such)
{
    struct net net = net_new(TAILNET_TUN);
    free(rig_ssh(net.guest, "tailscale set --ssh", NULL));

    struct lab_result result = lab_run(net.lab, "probe", "host", "--transport", "tailnet", "--json", NULL);

    cr_expect_eq(result.code, 4, "%s%s", result.out, result.err);
    cr_expect_lt(result.seconds, 60);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *report = json_parse(result.out, strlen(result.out), &err);
    const struct json *entry = entry_of(report, "tailnet");
    cr_has(json_get_string(entry, "banner", ""), "Tailscale");
    cr_has(json_get_string(entry, "why", ""), "Tailscale SSH answers there");
}
