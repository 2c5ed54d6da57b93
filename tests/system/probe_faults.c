/* What a probe and a cell say of a path that is broken in one way: real packets to a sandbox, dropped or
 * reset by rules in its own network. */
#include "base/memory.h"
#include "base/moment.h"
#include "diagnose/cell_run.h"
#include "diagnose/probe.h"
#include "lab/sandbox.h"
#include "transport/known_hosts.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#define cr_has(text, part) cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

TestSuite(probe_faults, .timeout = 200);

struct guest {
    struct rig *rig;
    const char *net;
    struct reach reach;
    struct project project;
    struct scope scope;
};

static struct guest guest_new(void)
{
    struct guest made = {.rig = rig_new(NULL), .scope = {.fd = -1}};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *name = xasprintf("test-faults-%d", (int)getpid());
    rig_make(made.rig);
    made.net = made.rig->machine->reference;
    made.rig->target.provider = (char *)(uintptr_t) "sandbox";
    made.rig->target.transport_ns = 20 * NS_PER_S;
    made.project = (struct project){.directory = made.rig->project, .name = (char *)(uintptr_t) "rig"};
    made.reach = (struct reach){
        .target = &made.rig->target, .machine = made.rig->machine, .made = true, .kind = TRANSPORT_DIRECT};
    cr_assert(known_hosts_write(made.rig->machine, &made.rig->target, made.rig->project, &err) == 0);
    cr_assert(scope_open(name, "TRIPHASE_TEST=faults", &made.scope, &err) == 0, "%s", error_text(&err));
    return made;
}

static void guest_end(struct guest *guest)
{
    cr_expect(scope_end(&guest->scope, 5 * NS_PER_S, NULL) == 0);
    (void)scope_remove(&guest->scope, NULL);
    scope_close(&guest->scope);
    rig_shell("ip netns exec %s iptables -F", guest->net);
    rig_remove(guest->rig);
}

static void rule(const struct guest *guest, const char *words)
{
    rig_shell("ip netns exec %s iptables %s", guest->net, words);
}

static struct json *probe(struct guest *guest)
{
    struct json *report = NULL;
    AUTO_ERROR err = ERROR_INIT;
    guest->reach.project = &guest->project;
    cr_assert(probe_run(&guest->reach, 1, &report, &err) == 0, "%s", error_text(&err));
    return report;
}

static struct cell take(struct guest *guest, const char *client, const char *work, const char *parameters,
                        int64_t bound_ns)
{
    AUTO_ERROR err = ERROR_INIT;
    struct cell cell = {.transport = xstrdup("direct"),
                        .client = xstrdup(client),
                        .work = xstrdup(work),
                        .parameters = json_parse(parameters, strlen(parameters), &err)};
    struct cell_order order = {.project = &guest->project,
                               .target = &guest->rig->target,
                               .machine = guest->rig->machine,
                               .kind = TRANSPORT_DIRECT,
                               .directory = guest->rig->project,
                               .scope = &guest->scope,
                               .allow_changes = true,
                               .deadline = deadline_in(bound_ns)};
    cr_assert(cell_run(&order, &cell, &err) == 0, "%s", error_text(&err));
    return cell;
}

static void expect(struct guest *guest, const char *client, const char *work, const char *parameters,
                   const char *ended)
{
    struct cell cell = take(guest, client, work, parameters, 40 * NS_PER_S);
    cr_expect_str_eq(cell.ended, ended, "%s %s %s: %s: %s", client, work, parameters, cell.ended,
                     cell.message ? cell.message : "");
    cell_clear(&cell);
}

Test(probe_faults, a_path_mtu_hole_is_named_with_the_sizes_that_come_through_and_that_hang)
{
    struct guest guest = guest_new();
    AUTO_JSON *well = probe(&guest);
    cr_assert(probe_has_usable(well));
    AUTO_FREE char *known = rig_ssh(guest.rig,
                                    "journalctl _COMM=sshd -o cat --no-pager | grep -v ^Server | grep -o "
                                    "\"port [0-9]*\" | sort -u | wc -l",
                                    NULL);
    rule(&guest, "-A OUTPUT -p tcp --sport 22 -m length --length 1400:65535 -j DROP");
    int64_t since = moment_monotonic();

    AUTO_JSON *report = probe(&guest);
    rule(&guest, "-F");

    cr_expect_lt(moment_monotonic() - since, 45 * NS_PER_S);
    const struct json *entry = json_at(json_get(report, "transports"), 0),
                      *sizes = json_get(entry, "output_bytes");
    cr_expect_not(probe_has_usable(report));
    cr_expect_str_eq(json_get_string(entry, "verdict", ""), "hangs");
    cr_has(json_get_string(entry, "why", ""), "take a smaller MTU");
    int64_t largest = json_get_integer(sizes, "largest_through", 0),
            least = json_get_integer(sizes, "least_hung", 0);
    /* The one that hung, and one for each narrowing: an sshd of these days penalises who comes too often. */
    AUTO_FREE char *logged = rig_ssh(guest.rig,
                                     "journalctl _COMM=sshd -o cat --no-pager | grep -v ^Server | grep -o "
                                     "\"port [0-9]*\" | sort -u | wc -l",
                                     NULL);
    cr_expect_leq(strtol(logged, NULL, 10) - strtol(known, NULL, 10), 4 + 1, "%s, then %s", known, logged);
    /* What SSH and TCP put around it is about a hundred bytes. */
    cr_expect(largest >= 1240 && largest < 1400 && least > largest && least <= 1400, "%ld %ld", (long)largest,
              (long)least);
    guest_end(&guest);
}

Test(probe_faults, a_hole_that_swallows_the_key_exchange_is_told_as_such)
{
    struct guest guest = guest_new();
    rule(&guest, "-A OUTPUT -p tcp --sport 22 -m length --length 600:65535 -j DROP");

    AUTO_JSON *report = probe(&guest);

    const struct json *entry = json_at(json_get(report, "transports"), 0);
    cr_expect_str_eq(json_get_string(entry, "rung", ""), "key-exchange");
    cr_has(json_get_string(entry, "why", ""), "path MTU");
    guest_end(&guest);
}

Test(probe_faults, cells_tell_one_fault_from_another)
{
    struct guest guest = guest_new();
    static const char *const clients[] = {"libssh", "openssh"};
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        rule(&guest, "-A OUTPUT -p tcp --sport 22 -m length --length 1400:65535 -j DROP");
        expect(&guest, clients[i], "echo", "{}", "ok");
        expect(&guest, clients[i], "bulk-down", "{\"bytes\":1000000}", "stalled");
        rule(&guest, "-F");
        rule(&guest, "-A INPUT -p tcp --dport 22 -m connbytes --connbytes 2000000: --connbytes-dir both "
                     "--connbytes-mode bytes -j REJECT --reject-with tcp-reset");
        expect(&guest, clients[i], "bulk-down", "{\"bytes\":1000000}", "ok");
        expect(&guest, clients[i], "bulk-down", "{\"bytes\":8000000}", "reset");
        rule(&guest, "-F");
    }
    expect(&guest, "libssh", "bulk-down", "{\"bytes\":8000000}", "ok");
    guest_end(&guest);
}

Test(probe_faults, a_silent_drop_behind_an_idle_time_is_a_stall_of_the_idle_works_alone)
{
    struct guest guest = guest_new();
    /* A connection that nothing came over for two seconds is forgotten. */
    rule(&guest,
         "-A INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -m recent --name seen --set -j ACCEPT");
    rule(&guest, "-A OUTPUT -p tcp --sport 22 -m recent --name seen --rdest --rcheck --seconds 3 -m recent "
                 "--name seen "
                 "--rdest --update -j ACCEPT");
    rule(&guest, "-A OUTPUT -p tcp --sport 22 -j DROP");
    expect(&guest, "libssh", "trickle", "{\"seconds\":6}", "ok");
    expect(&guest, "libssh", "idle", "{\"seconds\":6}", "stalled");
    guest_end(&guest);
}

Test(probe_faults, a_package_is_reinstalled_and_nothing_of_it_stays)
{
    struct guest guest = guest_new();
    AUTO_FREE char *before = rig_ssh(guest.rig, "ls -A /tmp; dpkg -l | md5sum", NULL);
    struct cell cell = take(&guest, "libssh", "package", "{}", 150 * NS_PER_S);
    if (text_is(cell.ended, "remote-failed") && cell.message && strstr(cell.message, "exited with 3"))
        cr_skip_test("the guest has no packages: %s", cell.message);
    cr_expect_str_eq(cell.ended, "ok", "%s: %s", cell.ended, cell.message ? cell.message : "");
    cr_expect_gt(cell.bytes, 200);
    AUTO_FREE char *after = rig_ssh(guest.rig, "ls -A /tmp; dpkg -l | md5sum", NULL);
    cr_expect_str_eq(after, before);
    cell_clear(&cell);
    guest_end(&guest);
}
