/* `triphase diagnose` and its cells against a sandbox whose packages are its own and whose network is
 * harmed by rules: what is done on a host, and what is said of a path over `direct`. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "diagnose/cell_run.h"
#include "format/json.h"
#include "lab/lab.h"
#include "lab/sandbox.h"
#include "lab/tailnet.h"
#include "transport/known_hosts.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <unistd.h>

TestSuite(diagnose_guest, .timeout = 200);

enum { CUTS = 12 };

struct guest {
    struct rig *rig;
    struct lab *lab;
};

static struct guest guest_new(void)
{
    struct guest made = {.rig = rig_new(NULL), .lab = lab_new()};
    rig_make(made.rig);
    tailnet_lab_project(made.lab, made.rig, made.rig->machine->address, "    transport: [direct]\n", "",
                        "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    return made;
}

static void guest_end(struct guest *guest)
{
    rig_remove(guest->rig);
}

static void rule(const struct guest *guest, const char *words)
{
    rig_shell("ip netns exec %s iptables %s", guest->rig->machine->reference, words);
}

static char *on_guest(const struct guest *guest, const char *script)
{
    int code = 0;
    char *said = rig_ssh(guest->rig, script, &code);
    cr_assert(eq(int, code, 0), "%s: %s", script, said);
    return said;
}

/* ---- A package ---- */

/* A version of its own of a package that is there, from a folder of the guest's: it talks for four seconds
 * while it is set up, and says where it is. Without a terminal of apt's own between them it is cut where its
 * output has nowhere to go. */
static const char slow_package[] =
    "set -e; echo 'Dpkg::Use-Pty \"false\";' >/etc/apt/apt.conf.d/99slow; d=/root/slow; mkdir -p "
    "$d/p/DEBIAN; cd $d\n"
    "cat >p/DEBIAN/control <<X\nPackage: sensible-utils\nVersion: 99\nArchitecture: all\nMaintainer: a "
    "<a@b.invalid>\n"
    "Description: slow\nX\n"
    "cat >p/DEBIAN/postinst <<X\n#!/bin/sh\nset -e\ntouch /root/slow/begun\n"
    "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo part \\$i; sleep 0.2; done\n"
    "echo \\$i >/root/slow/ended\nX\n"
    "chmod 0755 p/DEBIAN/postinst; dpkg-deb -b p slow.deb >/dev/null\n"
    "{ cat p/DEBIAN/control; echo Filename: ./slow.deb; echo Size: $(stat -c %s slow.deb); echo SHA256: "
    "$(sha256sum "
    "slow.deb | cut -d\" \" -f1); } >Packages\n"
    "chmod 0755 /root; echo deb [trusted=yes] file:$d ./ >/etc/apt/sources.list.d/slow.list\n"
    "apt-get -qq -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/slow.list -o Dir::Etc::sourceparts=- -o "
    "APT::Get::List-Cleanup=0 update\n"
    "DEBIAN_FRONTEND=noninteractive apt-get -qq install sensible-utils >/dev/null 2>&1; rm -f begun ended";

static struct cell take(struct guest *guest, const char *client, const char *work, const char *parameters,
                        bool allow, int64_t bound_ns)
{
    AUTO_ERROR err = ERROR_INIT;
    struct scope scope = {.fd = -1};
    AUTO_FREE char *name = xasprintf("test-package-%d", (int)getpid());
    struct project project = {.directory = guest->rig->project, .name = (char *)(uintptr_t) "rig"};
    struct cell cell = {.transport = xstrdup("direct"),
                        .client = xstrdup(client),
                        .work = xstrdup(work),
                        .parameters = json_parse(parameters, strlen(parameters), &err)};
    cr_assert(
        eq(int, known_hosts_write(guest->rig->machine, &guest->rig->target, guest->rig->project, &err), 0));
    cr_assert(eq(int, scope_open(name, "TRIPHASE_TEST=package", &scope, &err), 0), "%s", error_text(&err));
    struct cell_order order = {.project = &project,
                               .target = &guest->rig->target,
                               .machine = guest->rig->machine,
                               .kind = TRANSPORT_DIRECT,
                               .directory = guest->rig->project,
                               .scope = &scope,
                               .allow_changes = allow,
                               .deadline = deadline_in(bound_ns)};
    cr_assert(eq(int, cell_run(&order, &cell, &err), 0), "%s", error_text(&err));
    cr_expect(eq(int, scope_end(&scope, 5 * NS_PER_S, NULL), 0));
    (void)scope_remove(&scope, NULL);
    scope_close(&scope);
    return cell;
}

static struct cell take_package(struct guest *guest, const char *client, int64_t bound_ns)
{
    return take(guest, client, "package", "{}", true, bound_ns);
}

static void expect_whole(struct guest *guest)
{
    AUTO_FREE char *said = on_guest(
        guest, "for i in $(seq 150); do [ -e /root/slow/ended ] && ! pgrep -x apt-get >/dev/null && break; "
               "sleep 0.1; done; cat /root/slow/ended; dpkg --audit; dpkg -s sensible-utils | grep ^Status; "
               "ls /tmp/triphase-diagnose.* 2>/dev/null; pgrep -ax tail; true");
    cr_expect(eq(str, said, (char *)(uintptr_t) "20\nStatus: install ok installed\n"));
}

Test(diagnose_guest, a_reinstall_is_followed_to_its_end_and_leaves_nothing)
{
    struct guest guest = guest_new();
    free(on_guest(&guest, slow_package));
    static const char *const clients[] = {"libssh", "openssh"};
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        free(on_guest(&guest, "rm -f /root/slow/ended"));

        struct cell cell = take_package(&guest, clients[i], 60 * NS_PER_S);

        cr_expect(cell.ok, "%s: %s: %s", clients[i], cell.ended, cell.message ? cell.message : "");
        /* It was seen while it went on. */
        cr_expect(gt(i64, cell.last_good_ns, 4 * NS_PER_S));
        cell_clear(&cell);
        expect_whole(&guest);
    }
    guest_end(&guest);
}

Test(diagnose_guest, a_reinstall_goes_on_to_its_end_when_the_connection_is_lost_and_leaves_nothing)
{
    struct guest guest = guest_new();
    free(on_guest(&guest, slow_package));

    struct cell cell = take_package(&guest, "libssh", 3 * NS_PER_S);
    AUTO_FREE char *then = on_guest(&guest, "cd /root/slow; [ -e begun ] && [ ! -e ended ] && echo within");

    cr_expect(eq(str, then, (char *)(uintptr_t) "within\n"), "it was cut in the middle");
    cr_expect(not(cell.ok), "%s", cell.ended);
    cr_expect(strstr(cell.message, "goes on there to its end") != NULL, "%s: %s", cell.ended, cell.message);
    cell_clear(&cell);
    expect_whole(&guest);
    guest_end(&guest);
}

/* ---- A disk ---- */

/* A block over and over: it is not done before it is cut, however fast the disk. */
static const char disk[] = "{\"bytes\":16384000,\"count\":4000}";

Test(diagnose_guest, what_writes_is_not_begun_until_it_is_allowed_and_cut_anywhere_leaves_no_file)
{
    struct guest guest = guest_new();
    static const char *const clients[] = {"libssh", "openssh", "ansible"};
    free(on_guest(&guest, "touch /root/before"));
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        struct cell refused =
            take(&guest, clients[i], i == 1 ? "package" : "disk", "{}", false, 20 * NS_PER_S);
        cr_expect(eq(str, refused.ended, (char *)(uintptr_t) "skipped"), "%s", clients[i]);
        cr_expect(strstr(refused.message, "--allow-changes") != NULL, "%s", refused.message);
        cell_clear(&refused);
    }
    AUTO_FREE char *written =
        on_guest(&guest, "find /tmp /var/tmp /var/cache/apt /var/lib/dpkg -newer /root/before "
                         "-name \"*triphase*\" -o -newer /root/before -type f");
    cr_expect(eq(str, written, (char *)(uintptr_t) ""));

    int begun = 0;
    for (int i = 0; i < CUTS; i++) {
        struct cell cut = take(&guest, "libssh", "disk", disk, true, (400 + 47 * i) * NS_PER_MS);
        begun += cut.bytes > 0 && !cut.ok;
        cell_clear(&cut);
    }
    AUTO_FREE char *left = on_guest(&guest, "for i in $(seq 50); do pgrep -x dd >/dev/null || break; sleep "
                                            "0.1; done; ls /tmp/triphase-diagnose.* "
                                            "2>/dev/null; pgrep -x dd; true");
    cr_expect(gt(int, begun, CUTS / 3), "%d of %d were cut while they wrote", begun, CUTS);
    cr_expect(eq(str, left, (char *)(uintptr_t) ""));
    guest_end(&guest);
}

/* ---- What is said of a path ---- */

static struct json *diagnose(struct guest *guest, const char *option, int code)
{
    AUTO_ERROR err = ERROR_INIT;
    struct lab_result result = lab_run(guest->lab, "diagnose", "host", "--quick", "--json", option, NULL);
    cr_expect(eq(int, result.code, code), "%s%s", result.out, result.err);
    struct json *object = json_parse(result.out, strlen(result.out), &err);
    cr_assert(ne(ptr, object, NULL), "%s: %s%s", error_text(&err), result.out, result.err);
    return object;
}

static const char *first_of(const struct json *object, const char *key)
{
    return json_get_string(json_at(json_get(json_get(object, "conclusion"), "findings"), 0), key, "");
}

Test(diagnose_guest, the_threshold_of_a_rule_that_counts_bytes_is_found_by_halving)
{
    struct guest guest = guest_new();
    rule(&guest, "-A INPUT -p tcp --dport 22 -m connbytes --connbytes 3000000: --connbytes-dir both "
                 "--connbytes-mode bytes -j REJECT --reject-with tcp-reset");

    AUTO_JSON *object = diagnose(&guest, "--threshold", 1);

    const char *said = json_get_string(object, "threshold", "");
    double good = 0, bad = 0;
    cr_expect(eq(str, (char *)(uintptr_t)first_of(object, "variable"), (char *)(uintptr_t) "volume"));
    cr_assert(eq(int, sscanf(strstr(said, "between"), "between %lf MB (good) and %lf MB (bad)", &good, &bad),
                 2),
              "%s", said);
    cr_expect(good > 2.2 && good < 3 && bad > good && bad < 3.3, "%s", said);
    guest_end(&guest);
}

/* Of a login little is large but the exchange of keys; holes of several sizes, in either direction. */
static const struct {
    const char *chain, *port;
    int least;
} holes[] = {{"OUTPUT", "--sport", 600}, {"OUTPUT", "--sport", 1100}, {"INPUT", "--dport", 600}};

Test(diagnose_guest, a_hole_that_swallows_the_exchange_of_keys_is_called_mtu)
{
    struct guest guest = guest_new();
    for (size_t i = 0; i < COUNT_OF(holes); i++) {
        AUTO_FREE char *words = xasprintf("-A %s -p tcp %s 22 -m length --length %d:65535 -j DROP",
                                          holes[i].chain, holes[i].port, holes[i].least);
        rule(&guest, words);
        AUTO_ERROR err = ERROR_INIT;
        struct lab_result result = lab_run(guest.lab, "diagnose", "host", "--quick", "--json", NULL);
        AUTO_JSON *object = json_parse(result.out, strlen(result.out), &err);
        rule(&guest, "-F");
        cr_expect(eq(str, (char *)(uintptr_t)first_of(object, "variable"), (char *)(uintptr_t) "mtu"),
                  "%s: %s%s", words, result.out, result.err);
    }
    guest_end(&guest);
}
