/* Commit-confirm: a phase that closes the way in is undone by the host itself, one that does not stays, and
 * nothing of it is left. On real sandboxes, whose packet filter, routes and sshd the phases really harm. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/damage.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>

TestSuite(confirm, .timeout = 300);

#define HARMLESS "    - ansible.builtin.raw: 'true'\n"
/* The time begins anew at least twice while this task runs. */
#define OUTLASTS                                                                                  \
    "    - ansible.builtin.raw: >-\n"                                                             \
    "        for n in 1 2; do was=$(cat /var/lib/triphase-confirm/armed/until); while [ \"$(cat " \
    "/var/lib/triphase-confirm/armed/until)\" = \"$was\" ]; do sleep 0.1; done; done\n"
/* What is accepted is what stands: a connection that is there goes on, a new one does not come through. */
#define DROPS                                                                                          \
    "    - ansible.builtin.raw: >-\n"                                                                  \
    "        nft 'add table inet lock; add chain inet lock in { type filter hook input priority 0; };" \
    " add rule inet lock in ct state established accept; add rule inet lock in tcp dport 22 drop'\n"
/* And goes on until it is killed. */
#define ADDS_A_RULE                                                                                      \
    "    - ansible.builtin.raw: nft add table inet mine; nft add chain inet mine c '{ type filter hook " \
    "input priority 0; policy accept; }'; nft add rule inet mine c tcp dport 1 drop; sleep 300\n"

static void play(struct lab *lab, const char *tasks)
{
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n%s", tasks);
}

/* A project whose target `box` is a sandbox that was made, with one phase. */
static struct lab *box_of(const char *target_keys, const char *phase_keys)
{
    rig_needed();
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n%s", target_keys);
    lab_write(lab, "phases/work.yml",
              "phases:\n  - name: work\n    playbook: playbooks/work.yml\n    retry_pause: 0s\n%s",
              phase_keys);
    play(lab, HARMLESS);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_CONFIRM", "none");
    struct lab_result made = lab_run(lab, "create", "box", NULL);
    cr_assert(eq(int, made.code, 0), "%s%s", made.out, made.err);
    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_CONFIRM", NULL);
    return lab;
}

static struct lab *box(const char *phase_keys)
{
    return box_of("", phase_keys);
}

/* Of the last note about it. malloc'ed. */
static char *noted(struct lab *lab, const char *member)
{
    AUTO_FREE char *query = xasprintf("SELECT json_extract(detail, '$.%s') FROM event WHERE kind = 'confirm' "
                                      "ORDER BY number DESC LIMIT 1",
                                      member);
    return lab_sql(lab, query);
}

static const char *on_guest(struct lab *lab, const char *script)
{
    struct lab_result said = lab_run(lab, "ssh", "box", "--", script, NULL);
    cr_assert(eq(int, said.code, 0), "%s: %s%s", script, said.out, said.err);
    return said.out;
}

static void expect_said(struct lab *lab, const char *script, const char *wanted)
{
    const char *said = on_guest(lab, script);
    cr_expect_str_eq(said, wanted, "%s says: %s", script, said);
}

/* Waits for it. */
static bool on_guest_until(struct lab *lab, double seconds, const char *test)
{
    AUTO_FREE char *script =
        xasprintf("n=0; until %s; do n=$((n + 1)); [ $n -lt %d ] || exit 1; sleep 0.1; done", test,
                  (int)(seconds * 10));
    return lab_run(lab, "ssh", "box", "--", script, NULL).code == 0;
}

/* A run whose worker and guard are killed once `begun` holds on the guest. */
static void kill_at_work(struct lab *lab, const char *tasks, const char *begun)
{
    play(lab, tasks);
    pid_t command = lab_start(lab, "run", "run", "box", NULL);
    cr_assert(on_guest_until(lab, 60, begun), "the task did not begin");
    damage_kill_both(lab);
    lab_wait(lab, command, 30);
}

static void expect_nothing_left(struct lab *lab)
{
    const char *left = on_guest(lab, "ls -dl /var/lib/triphase-confirm /var/lib/triphase-confirm/* "
                                     "/etc/systemd/system/triphase-* 2>/dev/null; "
                                     "systemctl list-units --all --no-legend 'triphase-confirm*'; true");
    cr_expect(eq(str, (char *)left, ""), "left on the host: %s", left);
}

static void expect_rolled_back(struct lab *lab, const struct lab_result *run, const char *words)
{
    AUTO_FREE char *outcome = lab_sql(lab, "SELECT outcome || ' ' || cause || ' ' || verdict FROM step WHERE "
                                           "name = 'work' ORDER BY number DESC LIMIT 1");
    AUTO_FREE char *difference = noted(lab, "difference"), *state = noted(lab, "state"),
                   *by = noted(lab, "cut_off_by");
    cr_expect(eq(int, run->code, 2), "%s%s", run->out, run->err);
    cr_expect(eq(str, outcome, "rolled-back not-confirmed rolled-back"));
    cr_expect(eq(str, state, "rolled-back"));
    cr_expect(strstr(difference, words) != NULL, "'%s' is not in the difference: %s", words, difference);
    cr_expect(strstr(by, words) != NULL, "'%s' is not among what cut it off: %s", words, by);
    cr_expect(strstr(run->err, words) != NULL, "the run does not say '%s': %s", words, run->err);
}

Test(confirm, rules_that_drop_ssh_undo_themselves_and_the_run_says_what_cut_it_off)
{
    struct lab *lab = box("    confirm: 5s\n    attempts: 3\n");
    play(lab, DROPS);
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    expect_rolled_back(lab, &run, "tcp dport 22 drop");
    cr_expect(eq(i64,
                 lab_sql_number(lab, "SELECT count(*) FROM step WHERE name = 'work' AND run = (SELECT "
                                     "max(number) FROM run)"),
                 1),
              "it was tried again");
    struct lab_result report = lab_run(lab, "report", NULL);
    cr_expect(strstr(report.out, "+        tcp dport 22 drop") != NULL, "%s", report.out);
    const char *rules = on_guest(lab, "nft list ruleset");
    cr_expect(eq(str, (char *)rules, ""), "%s", rules);
    expect_nothing_left(lab);
}

Test(confirm, an_honest_change_stays_and_nothing_of_it_is_left_on_the_host)
{
    /* Long enough that also on a busy machine a connection is there in time. */
    struct lab *lab = box("    confirm: 15s\n");
    play(lab, "    - ansible.builtin.raw: nft add table inet mine\n" OUTLASTS OUTLASTS);
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    cr_expect(eq(int, run.code, 0), "%s%s", run.out, run.err);
    AUTO_FREE char *state = noted(lab, "state");
    cr_expect(eq(str, state, "confirmed"));
    const char *tables = on_guest(lab, "nft list tables");
    cr_expect(eq(str, (char *)tables, "table inet mine\n"));
    expect_nothing_left(lab);
    /* One that changes nothing needs no way back, and leaves none. */
    struct lab_result dry = lab_run(lab, "run", "box", "--", "--check", NULL);
    cr_expect(eq(int, dry.code, 0), "%s%s", dry.out, dry.err);
    cr_expect(eq(i64,
                 lab_sql_number(lab, "SELECT count(*) FROM event WHERE kind = 'confirm' AND run = (SELECT "
                                     "max(number) FROM run)"),
                 0));
    expect_nothing_left(lab);
}

Test(confirm, an_sshd_that_refuses_is_what_it_was_again)
{
    struct lab *lab = box("    confirm: 5s\n");
    play(lab,
         "    - ansible.builtin.raw: >-\n"
         "        echo 'AllowUsers nobody' >/etc/ssh/sshd_config.d/99-lock.conf; systemctl reload ssh\n");
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    expect_rolled_back(lab, &run, "AllowUsers nobody");
    const char *files = on_guest(lab, "ls /etc/ssh/sshd_config.d");
    cr_expect(strstr(files, "99-lock") == NULL, "%s", files);
    expect_nothing_left(lab);
}

Test(confirm, an_sshd_that_listens_elsewhere_is_what_it_was_again)
{
    struct lab *lab = box("    confirm: 5s\n");
    play(lab, "    - ansible.builtin.raw: >-\n"
              "        echo 'Port 2222' >/etc/ssh/sshd_config.d/00-port.conf; systemctl restart ssh\n");
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    expect_rolled_back(lab, &run, "Port 2222");
    cr_expect(strstr(run.err, "nothing listened on port 22") != NULL, "%s", run.err);
    expect_nothing_left(lab);
}

/* Over an address of this machine that only the default route leads to. */
Test(confirm, a_default_route_that_goes_comes_back)
{
    rig_needed();
    rig_go_private();
    rig_shell("ip addr add 198.51.100.9/32 dev lo");
    struct lab *lab = box("    confirm: 5s\n");
    lab_environment(lab, "TRIPHASE_TARGETS_BOX_SSH_OPTIONS", "[BindAddress=198.51.100.9]");
    play(lab, "    - ansible.builtin.raw: ip route del default; ip route add blackhole 198.51.100.0/24\n");
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    expect_rolled_back(lab, &run, "default via");
    cr_expect(strstr(run.err, "there was no route to 198.51.100.9") != NULL, "%s", run.err);
    const char *routes = on_guest(lab, "ip route");
    cr_expect(strstr(routes, "default via") && !strstr(routes, "blackhole"), "%s", routes);
    expect_nothing_left(lab);
}

Test(confirm, what_docker_and_others_made_meanwhile_stays)
{
    struct lab *lab = box("    confirm: 5s\n");
    (void)(on_guest(
        lab, "iptables -A FORWARD -d 192.0.2.1 -j ACCEPT; nft add table inet old; nft add chain inet old c"));
    play(lab, "    - ansible.builtin.raw: |\n"
              "        set -e\n"
              "        iptables -N DOCKER; iptables -A DOCKER -d 172.17.0.2/32 -p tcp --dport 80 -j ACCEPT\n"
              "        iptables -I FORWARD -o docker0 -j DOCKER; iptables -P FORWARD DROP\n"
              "        iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n"
              "        nft 'add table ip docker-bridges; add chain ip docker-bridges f { type filter hook "
              "forward priority 0; policy drop; }'\n"
              "        nft 'add table ip harmless; add chain ip harmless i { type filter hook input priority "
              "0; }'\n"
              "        nft 'add table ip harmful; add chain ip harmful i { type filter hook input priority "
              "5; policy drop; }'\n"
              "        nft add rule inet old c counter\n"
              "        iptables -A FORWARD -d 192.0.2.9 -j DROP\n"
              "        iptables -I INPUT -p tcp --dport 22 -m conntrack --ctstate NEW -j DROP\n");
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    cr_assert(eq(int, run.code, 2), "%s%s", run.out, run.err);
    static const struct {
        const char *words;
        bool stays;
    } rules[] = {
        {"-A DOCKER -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j ACCEPT", true},
        {"-A FORWARD -o docker0 -j DOCKER", true},
        {":FORWARD DROP", true},
        {"-A FORWARD -d 192.0.2.1/32 -j ACCEPT", true},
        {"-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", true},
        {"table ip docker-bridges", true},
        {"table ip harmless", true},
        {"table inet old", true},
        {"table ip harmful", false},
        {"counter", false},
        {"192.0.2.9", false},
        {"--dport 22", false},
    };
    const char *now = on_guest(lab, "iptables-save; nft list tables; nft -s list table inet old");
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        cr_expect(rules[i].stays == !!strstr(now, rules[i].words), "'%s' %s: %s", rules[i].words,
                  rules[i].stays ? "is gone" : "is there still", now);
    expect_nothing_left(lab);
}

Test(confirm, with_triphase_killed_the_host_puts_itself_back_and_the_next_run_records_it)
{
    struct lab *lab = box("    confirm: 5s\n");
    kill_at_work(lab, ADDS_A_RULE, "nft list ruleset | grep -q 'dport 1 drop'");
    cr_assert(on_guest_until(lab, 60, "[ -d /var/lib/triphase-confirm/restored ]"),
              "it did not put itself back");
    expect_said(lab, "nft list ruleset", "");
    play(lab, HARMLESS);
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    cr_expect(eq(int, run.code, 0), "%s%s", run.out, run.err);
    AUTO_FREE char *of =
        lab_sql(lab, "SELECT run.outcome || ' ' || (event.detail ->> '$.state') || ' ' || "
                     "(event.detail ->> '$.why') FROM event JOIN run ON run.number = event.run WHERE "
                     "event.kind = 'confirm' AND event.detail ->> '$.difference' LIKE '%dport 1 drop%'");
    cr_expect(eq(str, of, "crashed rolled-back timer"));
    AUTO_FREE char *stages =
        lab_sql(lab, "SELECT group_concat(name || ' ' || outcome) FROM (SELECT * FROM step WHERE run = "
                     "(SELECT max(number) FROM run) ORDER BY seq)");
    cr_expect(strstr(stages, "confirm ok,work ok") != NULL, "%s", stages);
    AUTO_FREE char *killed = lab_sql(lab, "SELECT id FROM run WHERE outcome = 'crashed'");
    struct lab_result report = lab_run(lab, "report", killed, NULL);
    cr_expect(strstr(report.out, "tcp dport 1 drop") != NULL, "%s", report.out);
    expect_nothing_left(lab);
}

Test(confirm, a_host_that_cannot_keep_its_way_back_refuses_before_any_task)
{
    struct lab *lab = box("    confirm: 5s\n");
    (void)(on_guest(lab, "mv /usr/sbin/nft /usr/sbin/nft.away"));
    play(lab, "    - ansible.builtin.raw: touch /root/ran\n");
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    AUTO_FREE char *outcome =
        lab_sql(lab, "SELECT outcome || ' ' || cause FROM step WHERE name = 'work' ORDER BY "
                     "number DESC LIMIT 1");
    cr_expect(eq(int, run.code, 2), "%s%s", run.out, run.err);
    cr_expect(eq(str, outcome, "failed not-armed"));
    cr_expect(strstr(run.err, "there is no nft on the host") != NULL, "%s", run.err);
    expect_said(lab, "ls /root/ran 2>/dev/null; true", "");
    expect_nothing_left(lab);
}

/* The rules would be there again after it. */
Test(confirm, a_boot_before_the_way_in_was_proven_puts_back_too)
{
    struct lab *lab = box("    confirm: 60s\n    deadline: 60s\n    transport_grace: 4s\n");
    play(lab, "    - ansible.builtin.raw: |\n"
              "        echo 'table inet lock { chain in { type filter hook input priority 0; tcp dport 22 "
              "drop; } }' >/etc/nftables.conf\n"
              "        systemctl enable nftables; systemd-run --no-block sh -c 'sleep 1; systemctl reboot'\n"
              "    - ansible.builtin.raw: sleep 300\n");
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    AUTO_FREE char *outcome =
        lab_sql(lab, "SELECT outcome || ' ' || cause FROM step WHERE name = 'work' ORDER BY "
                     "number DESC LIMIT 1");
    cr_expect(eq(int, run.code, 2), "%s%s", run.out, run.err);
    cr_expect(eq(str, outcome, "rolled-back booted"));
    const char *now = on_guest(lab, "nft list ruleset; cat /etc/nftables.conf");
    cr_expect(strstr(now, "dport 22") == NULL, "%s", now);
    expect_nothing_left(lab);
}

Test(confirm, a_reboot_that_the_phase_wants_undoes_nothing)
{
    struct lab *lab = box("    confirm: 20s\n    reboots: true\n");
    play(lab, "    - ansible.builtin.raw: echo 'table inet mine { }' >/etc/nftables.conf; systemctl enable "
              "nftables\n"
              "    - ansible.builtin.reboot: {reboot_timeout: 60}\n" HARMLESS);
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    cr_expect(eq(int, run.code, 0), "%s%s", run.out, run.err);
    expect_said(lab, "nft list tables", "table inet mine\n");
    expect_nothing_left(lab);
}

Test(confirm, a_cancelled_phase_of_a_plain_user_leaves_nothing_of_it_where_the_way_stands)
{
    struct lab *lab = box_of("    user: deploy\n", "    confirm: 60s\n");
    play(lab, "    - ansible.builtin.raw: sleep 300\n");
    pid_t command = lab_start(lab, "run", "run", "box", NULL);
    bool armed =
        lab_until_sql(lab, 60,
                      "SELECT count(*) FROM event WHERE kind = 'confirm' AND detail ->> '$.state' = 'armed'");
    cr_assert(armed, "it was not armed");
    kill(command, SIGINT);
    cr_expect(eq(int, lab_wait(lab, command, 60), 130));
    AUTO_FREE char *outcome =
        lab_sql(lab, "SELECT outcome FROM step WHERE name = 'work' ORDER BY number DESC LIMIT 1");
    AUTO_FREE char *state = noted(lab, "state");
    cr_expect(eq(str, outcome, "cancelled"));
    cr_expect(eq(str, state, "confirmed"));
    expect_nothing_left(lab);
}

/* The host is asked before its time is over: it need not be waited for. */
Test(confirm, what_a_killed_run_left_armed_is_put_back_before_the_next_phase_begins)
{
    struct lab *lab = box("    confirm: 10m\n");
    kill_at_work(lab, ADDS_A_RULE, "nft list ruleset | grep -q 'dport 1 drop'");
    play(lab, "    - ansible.builtin.raw: test -z \"$(nft list ruleset)\"\n");
    struct lab_result run = lab_run(lab, "run", "box", NULL);
    cr_expect(eq(int, run.code, 0), "%s%s", run.out, run.err);
    AUTO_FREE char *why =
        lab_sql(lab, "SELECT detail ->> '$.why' FROM event WHERE kind = 'confirm' AND detail ->> "
                     "'$.state' = 'rolled-back'");
    cr_expect(eq(str, why, "asked"));
    expect_nothing_left(lab);
}

/* What takes a folder away is killed when half of it is gone: of half of what was kept nothing may be put
 * back, since what it lacks would be taken for what was not there. Then what puts back, when a folder is away
 * and the new one not there yet. */
#define INSTEAD_OF(program, lines) \
    "printf '%s\\n' '#!/bin/sh' " lines " >/usr/local/sbin/" program "; chmod +x /usr/local/sbin/" program
#define DIES_AT_HALF                                                                           \
    INSTEAD_OF("rm", "'[ -d \"$2/files\" ] && /usr/bin/rm -rf \"$2/files\" && kill -9 $PPID' " \
                     "'exec /usr/bin/rm \"$@\"'")
#define DIES_BETWEEN \
    INSTEAD_OF("mv", "'/usr/bin/mv \"$@\"; case $2 in *.triphase-old) kill -9 $PPID ;; esac'")
#define PROGRAM "sh /var/lib/triphase-confirm/program "
#define WHOLE                                                                                          \
    "sha256sum /etc/ssh/sshd_config /etc/network/interfaces /etc/nftables.conf 2>/dev/null; nft list " \
    "ruleset; ls /etc/ssh/sshd_config.d"

Test(confirm, a_host_that_dies_while_it_forgets_or_puts_back_is_whole_when_it_comes_again)
{
    struct lab *lab = box("    confirm: 10m\n");
    AUTO_FREE char *whole = xstrdup(on_guest(lab, WHOLE));
    kill_at_work(lab, "    - ansible.builtin.raw: touch /run/begun; sleep 300\n", "[ -e /run/begun ]");
    (void)on_guest(lab,
                   "cp -a /var/lib/triphase-confirm /root/kept; cp -a /etc/systemd/system/triphase-* /root");
    (void)on_guest(lab, DIES_AT_HALF);
    (void)on_guest(lab, PROGRAM "disarm x $(cat /root/kept/armed/id); rm -f /usr/local/sbin/rm; " PROGRAM
                                "restore boot; true");
    expect_said(lab, WHOLE, whole);
    (void)on_guest(lab, PROGRAM "renew x x");
    expect_nothing_left(lab);
    (void)on_guest(
        lab, "cp -a /root/kept /var/lib/triphase-confirm; cp /root/triphase-* /etc/systemd/system; systemctl "
             "daemon-reload; echo 'x 0' >/var/lib/triphase-confirm/armed/until; nft 'add table inet lock; "
             "add chain inet lock in { type filter hook input priority 0; }; add rule inet lock in tcp "
             "dport 1 drop'; echo '#' >/etc/ssh/sshd_config.d/99-lock.conf");
    (void)on_guest(lab, DIES_BETWEEN);
    (void)on_guest(lab, PROGRAM "restore timer; rm -f /usr/local/sbin/mv; true");
    const char *renewed = on_guest(lab, PROGRAM "renew x $(cat /root/kept/armed/id)");
    cr_expect(strstr(renewed, "state restored") && strstr(renewed, "dport 1 drop"), "%s", renewed);
    expect_said(lab, WHOLE, whole);
    (void)on_guest(lab, PROGRAM "settle x $(cat /root/kept/armed/id)");
    expect_nothing_left(lab);
    struct lab_result gone = lab_run(lab, "destroy", "box", "--yes", NULL);
    cr_expect(eq(int, gone.code, 0), "%s", gone.err);
}
