/* The role node_firewall on a real host, with packets counted from outside: before, while it is loaded and
 * afterwards. */
#include "lab/firewall.h"
#include "lab/node.h"
#include "lab/recipe_lab.h"
#include "lab/tailnet.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(node_firewall, .timeout = 480);

/* What others have on a host: Docker's chains (with a port that is led elsewhere, as that of a container is),
 * Tailscale's, and a table that counts what comes in behind the role's own from peers that have no business
 * there. */
static const char others[] = "set -e; iptables -N DOCKER-USER; iptables -A FORWARD -j DOCKER-USER; iptables "
                             "-N ts-input; iptables -A INPUT "
                             "-j ts-input; iptables -A ts-input -s 100.64.0.0/10 ! -i tailscale0 -j DROP; "
                             "iptables -t nat -N DOCKER; iptables "
                             "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER; iptables -t nat "
                             "-A DOCKER -p tcp --dport 8443 -j REDIRECT --to-ports 9000; ip6tables -N "
                             "ts-input; ip6tables -A INPUT -j "
                             "ts-input; nft -f - <<'END'\n"
                             "table inet watching {\n"
                             "  counter came_in { }\n"
                             "  chain behind {\n"
                             "    type filter hook prerouting priority mangle; policy accept;\n"
                             "    ip saddr " FIREWALL_ELSEWHERE
                             " meta l4proto { tcp, udp } th dport { 22, 8443 } counter name came_in\n"
                             "    ip6 saddr " FIREWALL_ELSEWHERE_6
                             " meta l4proto { tcp, udp } th dport { 22, 8443 } counter name came_in\n"
                             "  }\n"
                             "}\nEND";

/* Lines in the order of the alphabet: Docker makes its chains anew in another one. */
static char *others_now(const struct rig *guest)
{
    return rig_ssh(guest,
                   "for table in $(nft list tables | grep -v node_firewall | sed 's/^table //; s/ /,/'); do "
                   "nft -s list table ${table%,*} ${table#*,}; done | sort",
                   NULL);
}

/* Each of these peers to each of the guarded ports and to one that nobody guards, IPv4 and IPv6: a letter per
 * flow, in the order tcp agent, udp agent, ssh, tcp another. */
static void add_flows(struct text *flows, const char *what, const char *from, const char *to,
                      const char *ports)
{
    for (const char *at = ports; *at; at++)
        text_addf(flows, "%s,%s,%s,%s,%d ", what, *at == 'u' ? "udp" : "tcp", from, to,
                  *at == 's'   ? 22
                  : *at == 'o' ? FIREWALL_ANOTHER
                               : FIREWALL_AGENT);
}

static void expect_open(const struct rig *guest, const char *from, const char *expected)
{
    AUTO_TEXT flows = TEXT_INIT, seen = TEXT_INIT;
    add_flows(&flows, "open", from, strchr(from, ':') ? FIREWALL_HOST_6 : guest->machine->address, "auso");
    AUTO_FREE char *lines = firewall_ask(text_string(&flows));
    char *state = NULL;
    for (char *line = strtok_r(lines, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        text_addf(&seen, "%s%s", seen.length ? " " : "", strrchr(line, ' ') + 1);
    cr_expect(eq(str, seen.bytes, (char *)(uintptr_t)expected), "from %s", from);
}

/* The peers of this matrix, as they have to be with the rules and without. */
static void expect_guarded(const struct rig *guest, bool guarded)
{
    const char *all = "open open open open";
    expect_open(guest, FIREWALL_CDN, guarded ? "open open silent open" : all);
    expect_open(guest, FIREWALL_CDN_6, guarded ? "open open silent open" : all);
    expect_open(guest, FIREWALL_CONTROL, guarded ? "silent silent open open" : all);
    expect_open(guest, FIREWALL_CONTROL_6, guarded ? "silent silent open open" : all);
    expect_open(guest, FIREWALL_ELSEWHERE, guarded ? "silent silent silent open" : all);
    expect_open(guest, FIREWALL_ELSEWHERE_6, guarded ? "silent silent silent open" : all);
}

/* Of a stream: a flow that has to be open was never without its answer, one that has to be shut had none. */
static void hold_stream(const char *said)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *flows = json_parse(said, strlen(said), &err);
    cr_assert(flows != NULL, "%s", said);
    for (size_t i = 0; i < json_count(flows); i++) {
        const struct json *flow = json_at(flows, i);
        const char *what = json_get_string(flow, "what", ""), *name = json_get_string(flow, "flow", "?");
        int64_t tries = json_get_integer(flow, "tries", 0), good = json_get_integer(flow, "good", -1),
                bad = json_get_integer(flow, "bad", -1);
        if (text_is(what, "open"))
            cr_expect(tries > 5 && good == tries && bad == 0, "%s: %s", name, said);
        else if (text_is(what, "shut"))
            cr_expect(tries > 5 && good == 0, "%s: %s", name, said);
    }
}

static void hold_alive(const char *said, const char *from, bool alive)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *flows = json_parse(said, strlen(said), &err);
    AUTO_FREE char *begin = xasprintf("hold,tcp,%s,", from);
    for (size_t i = 0; i < json_count(flows); i++)
        if (text_starts(json_get_string(json_at(flows, i), "flow", ""), begin)) {
            cr_expect(json_get_bool(json_at(flows, i), "alive") == alive, "%s: %s", from, said);
            return;
        }
    cr_assert(false, "no flow held from %s: %s", from, said);
}

static char *guarded_flows(const struct rig *guest)
{
    struct text flows = TEXT_INIT;
    const char *address = guest->machine->address;
    add_flows(&flows, "open", FIREWALL_CDN, address, "au");
    add_flows(&flows, "open", FIREWALL_CDN_6, FIREWALL_HOST_6, "u");
    add_flows(&flows, "shut", FIREWALL_ELSEWHERE, address, "au");
    add_flows(&flows, "shut", FIREWALL_ELSEWHERE_6, FIREWALL_HOST_6, "us");
    return text_take(&flows);
}

Test(node_firewall, lets_in_whom_it_should_without_a_closed_or_an_open_moment_and_leaves_others_alone)
{
    struct rig *guest = firewall_guest(NULL);
    struct lab *lab = firewall_project(guest);
    free(rig_ssh(guest, others, NULL));
    AUTO_FREE char *before = others_now(guest), *address = xstrdup(guest->machine->address);
    expect_guarded(guest, false);

    /* Who may come in notices nothing of the first load, and keeps what was open; who may not loses it. */
    AUTO_TEXT first = TEXT_INIT;
    add_flows(&first, "open", FIREWALL_CDN, address, "au");
    add_flows(&first, "open", FIREWALL_CONTROL, address, "s");
    add_flows(&first, "hold", FIREWALL_CDN, address, "a");
    add_flows(&first, "hold", FIREWALL_ELSEWHERE, address, "a");
    struct firewall_client *stream = firewall_stream(lab, text_string(&first));
    firewall_run(lab, 0, "create");
    AUTO_FREE char *at_first = firewall_end(stream);
    hold_stream(at_first);
    hold_alive(at_first, FIREWALL_CDN, true);
    hold_alive(at_first, FIREWALL_ELSEWHERE, false);
    expect_guarded(guest, true);

    /* Loaded again and again, by the unit and by the role, under a stream. */
    free(rig_ssh(guest, "nft reset counter inet watching came_in", NULL));
    AUTO_FREE char *flows = guarded_flows(guest);
    stream = firewall_stream(lab, flows);
    free(rig_ssh(guest,
                 "for i in $(seq 20); do nft -f /etc/node-firewall.nft && systemctl reload node-firewall || "
                 "exit; done",
                 NULL));
    firewall_play(
        lab, "node_firewall",
        "  vars: {node_firewall_agent_from: [192.0.2.0/24], node_firewall_agent_ports: [8443, 8080]}\n");
    firewall_run(lab, 0, "run");
    AUTO_FREE char *again = firewall_end(stream);
    cr_expect(gt(i64, recipe_lab_changed(lab), 0));
    hold_stream(again);
    AUTO_FREE char *came_in =
        rig_ssh(guest, "nft list counter inet watching came_in | grep -o 'packets [0-9]*'", NULL);
    cr_expect(eq(str, came_in, "packets 0\n"));
    AUTO_FREE char *dropped =
        rig_ssh(guest, "nft list chain inet node_firewall agent | grep -c 'counter packets [1-9].* drop'",
                NULL);
    cr_expect(eq(str, dropped, "1\n"));
    expect_guarded(guest, true);

    firewall_run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
    AUTO_FREE char *after = others_now(guest);
    cr_expect(eq(str, after, before));
}

/* A second look at what must not have happened: neither rules nor a file of them, and ssh is open to all. */
static void hold_untouched(const struct rig *guest)
{
    AUTO_FREE char *there = rig_ssh(guest, "nft list tables; ls /etc/node-firewall* 2>/dev/null; true", NULL);
    cr_expect(eq(str, there, ""));
    expect_open(guest, FIREWALL_ELSEWHERE, "open open open open");
}

static bool let_in_again(void *context)
{
    const struct rig *guest = context;
    AUTO_FREE char *flow = xasprintf("open,tcp," FIREWALL_ELSEWHERE ",%s,22", guest->machine->address);
    AUTO_FREE char *seen = firewall_ask(flow);
    return strstr(seen, " open\n");
}

static bool booted_again(void *context)
{
    int code;
    AUTO_FREE char *state =
        rig_ssh(context, "test ! -e /run/before-the-boot && systemctl is-system-running", &code);
    return code == 0;
}

Test(node_firewall, refuses_whom_it_could_lock_out_takes_back_what_did_and_is_there_after_a_boot_before_sshd)
{
    struct rig *guest = firewall_guest(NULL);
    struct lab *lab = firewall_project(guest);

    firewall_play(lab, "node_firewall", "  environment: {SSH_CONNECTION: ''}\n");
    struct lab_result refused = firewall_run(lab, 2, "create");
    cr_expect(strstr(refused.err, "no sshd says where this connection comes from") != NULL, "%s",
              refused.err);
    hold_untouched(guest);
    firewall_play(lab, "node_firewall", "  vars: {node_firewall_ssh_from: [10.0.0.0/8, operator.example]}\n");
    refused = firewall_run(lab, 2, "run");
    cr_expect(strstr(refused.err, "these are neither networks nor addresses: operator.example") != NULL, "%s",
              refused.err);
    hold_untouched(guest);
    /* What only nft finds out. */
    firewall_play(lab, "node_firewall", "  vars: {node_firewall_agent_from: [10.0.0.0/33]}\n");
    refused = firewall_run(lab, 2, "run");
    cr_expect(strstr(refused.err, "nft does not take the rules, and those that are loaded stay") != NULL,
              "%s", refused.err);
    hold_untouched(guest);

    /* Rules that let nobody in, since the host was lied to: its own timer takes them back. */
    firewall_play(lab, "node_firewall",
                  "  environment: {SSH_CONNECTION: '192.0.2.1 5 192.0.2.2 22'}\n  vars: "
                  "{node_firewall_ssh_from: [], node_firewall_undo: 3}\n");
    struct lab_result locked = firewall_run(lab, 2, "run");
    cr_expect(strstr(locked.err, "the rules were taken back, since this task was not heard in time") != NULL,
              "%s", locked.err);
    cr_assert(lab_until(20, let_in_again, guest), "the host stays locked");
    AUTO_FREE char *there =
        rig_ssh(guest, "nft list tables; ls /etc/node-firewall.nft 2>/dev/null; true", NULL);
    cr_expect(eq(str, there, ""));

    /* A boot has no table; the guest's network outlives its boot, so it is emptied here. */
    firewall_play(lab, "node_firewall", "");
    firewall_run(lab, 0, "run");
    free(rig_ssh(guest, "touch /run/before-the-boot; nft flush ruleset; systemctl reboot", &(int){0}));
    cr_assert(lab_until(60, booted_again, guest), "the guest does not come back");
    AUTO_FREE char *order = rig_ssh(
        guest,
        "nft list tables; systemctl show -P ActiveState node-firewall.service; "
        "f=$(systemctl show -P ActiveEnterTimestampMonotonic node-firewall.service); s=$(systemctl show -P "
        "InactiveExitTimestampMonotonic ssh.service); [ $f -le $s ] && echo before",
        NULL);
    cr_expect(eq(str, order, "table inet node_firewall\nactive\nbefore\n"));
    expect_open(guest, FIREWALL_ELSEWHERE, "silent silent silent open");

    /* What counts is what is loaded, not what lies on the disk. */
    free(rig_ssh(guest, "nft delete table inet node_firewall", NULL));
    firewall_run(lab, 0, "run");
    cr_expect(gt(i64, recipe_lab_changed(lab), 0));
    expect_open(guest, FIREWALL_ELSEWHERE, "silent silent silent open");
}

Test(node_firewall, believes_a_published_list_only_where_it_can_be_one_and_waits_for_none)
{
    AUTO_FREE char *seen =
        rig_output("PYTHONDONTWRITEBYTECODE=1 python3 -W ignore tests/lab/ranges_server.py "
                   "playbooks/node/roles/node_firewall/library/node_published_ranges.py");
    static const char expected[] =
        "well: published 10: \n"
        "well-crlf: published 10: \n"
        "page: built in 22: URL: line 1, '<html><body>Just a moment...</body></html>', is no network\n"
        "empty: built in 22: URL: it has 0 networks\n"
        "few: built in 22: URL: it has 3 networks\n"
        "all: built in 22: URL: line 7, '0.0.0.0/0', has a prefix of 0 bits\n"
        "wide: built in 22: URL: line 7, '104.0.0.0/8', has a prefix of 8 bits\n"
        "narrow: built in 22: URL: line 7, '104.16.0.1/32', has a prefix of 32 bits\n"
        "private: built in 22: URL: line 7, '10.0.0.0/16', is no public network\n"
        "bits: built in 22: URL: line 7, '104.16.0.1/13', is no network\n"
        "other-family: built in 22: URL: line 1, '2400:cb00::/32', is not of IPv4\n"
        "name: built in 22: URL: line 7, 'evil.example/20', is no network\n"
        "rule: built in 22: URL: line 7, '1.1.1.0/24, 0.0.0.0/0 } accept #', is no network\n"
        "much: built in 22: URL: it covers too much\n"
        "many: built in 22: URL: it has 250 networks\n"
        "binary: built in 22: URL: it is no plain text\n"
        "long: built in 22: URL: it is longer than 65536 bytes\n"
        "refused: built in 22: URL: <urlopen error [Errno 111] Connection refused>\n"
        "error: built in 22: URL: HTTP Error 503: Service Unavailable\n"
        "hang: built in 22: URL: it was not there within 1 s\n"
        "drip: built in 22: URL: it was not there within 1 s\n"
        "drip-head: built in 22: URL: it was not there within 1 s\n"
        "none: built in 22: no URL was given\n";
    cr_expect(eq(str, seen, (char *)(uintptr_t)expected));
}

Test(node_firewall, stands_beside_a_real_docker_and_outlives_its_restart)
{
    const char *tree = node_tree();
    if (!file_is_dir(tree))
        cr_skip_test("no tree of an agent node: setup/node-tree.sh makes it");
    struct rig *guest = firewall_guest(tree);
    struct lab *lab = firewall_project(guest);
    free(rig_ssh(guest, "systemctl start docker.service", NULL));
    AUTO_FREE char *before = others_now(guest);
    cr_assert(strstr(before, "chain DOCKER ") != NULL, "%s", before);
    firewall_run(lab, 0, "create");
    AUTO_FREE char *beside = others_now(guest);
    cr_expect(eq(str, beside, before));
    expect_guarded(guest, true);

    AUTO_FREE char *flows = guarded_flows(guest);
    struct firewall_client *stream = firewall_stream(lab, flows);
    free(rig_ssh(guest, "systemctl restart docker.service", NULL));
    AUTO_FREE char *said = firewall_end(stream);
    hold_stream(said);
    AUTO_FREE char *after = others_now(guest);
    cr_expect(eq(str, after, before));
    expect_guarded(guest, true);
    firewall_run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
}

Test(node_firewall, made_over_a_tailnet_lets_in_whoever_comes_by_it_and_nobody_beside_it)
{
    struct tailnet_lab *tailnet = tailnet_lab_new();
    struct rig *host = tailnet_lab_guest(tailnet);
    struct tailnet_operator *op = tailnet_lab_operator(tailnet, TAILNET_TUN),
                            *other = tailnet_lab_operator(tailnet, TAILNET_TUN);
    const char *address = tailnet_guest_join(tailnet, host, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");
    const char *from = tailnet_operator_join(other, "tag:operator");
    struct lab *lab = recipe_lab_new(120);
    tailnet_lab_project(lab, host, address,
                        "    transport: tailnet\n    vars: {node_firewall_ranges_v4_url: ''}\n", "", "");
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/node/one-role.yml\n");
    firewall_play(lab, "node_firewall", "");
    tailnet_operator_enter(op, lab);
    firewall_run(lab, 0, "create");

    /* A node of another address than the one that the rules were made from, over the TUN and beside it. */
    AUTO_FREE char *by_tailnet = xasprintf("open,tcp,%s,%s,22", from, address),
                   *beside = xasprintf("open,tcp,%s,%s,22", tailnet_operator_address(other),
                                       host->machine->address);
    struct lab_result seen = tailnet_operator_run(other, "python3", "tests/lab/firewall_probe.py", "ask",
                                                  by_tailnet, beside, NULL);
    cr_expect(strstr(seen.out, ",22 open\n") && strstr(seen.out, ",22 silent\n"), "%s%s", seen.out, seen.err);
    firewall_run(lab, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(lab), 0));
}
