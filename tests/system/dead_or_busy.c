/* The connection in use, on real sandboxes: packets that vanish for good are noticed in time, and what is
 * only slow is left alone. And what stood still is on record. */
#include "lab/sandbox.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "format/json.h"
#include "lab/damage.h"
#include "lab/phase.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

TestSuite(dead_or_busy, .timeout = 120);

struct guest {
    struct lab *lab;
    char *name; /* of its network namespace, and of its folder below /var/lib/triphase */
};

/* A project with a made sandbox `box`; later runs run `task` (the lines of one task of the play). */
static struct guest make_guest(const char *phase_keys, const char *task)
{
    rig_needed();
    struct guest guest = {.lab = lab_new()};
    lab_write(guest.lab, "triphase.yml",
              "project: lab\ntargets:\n  box:\n    provider: sandbox\n    recipe: work\n");
    lab_write(guest.lab, "phases/work.yml",
              "phases:\n  - name: work\n    playbook: playbooks/work.yml\n    attempts: 1\n%s", phase_keys);
    lab_write(guest.lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    struct lab_result made = lab_run(guest.lab, "create", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    AUTO_FREE char *id = lab_sql(guest.lab, "SELECT id FROM machine ORDER BY id DESC LIMIT 1");
    guest.name = xasprintf("tp%s", id + strlen(id) - 10);
    lab_write(guest.lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n%s",
              task);
    return guest;
}

static bool has_begun(void *context)
{
    return file_exists(context);
}

/* Starts the phase and waits until its task runs on the host, which makes /root/begun. */
static pid_t begin(struct guest *guest)
{
    AUTO_FREE char *begun = xasprintf("/var/lib/triphase/%s/root/root/begun", guest->name);
    pid_t command = lab_start(guest->lab, "run", "run", "box", NULL);
    cr_assert(lab_until(30, has_begun, begun), "the task did not begin");
    return command;
}

static void drop(const struct guest *guest)
{
    rig_shell("ip netns exec %s sh -c 'iptables -I INPUT -j DROP; iptables -I OUTPUT -j DROP'", guest->name);
}

static void pass(const struct guest *guest)
{
    rig_shell("ip netns exec %s iptables -F", guest->name);
}

/* How long a fault lasts. */
static void hold(int seconds)
{
    poll(NULL, 0, seconds * 1000);
}

/* Until the guest's sshd has answered again on the run's connection: TCP tries anew some
 * seconds after the path is back. */
static void await_answers(const struct guest *guest)
{
    rig_shell("for i in $(seq 200); do ip netns exec %s ss -Htin state established sport = :22 | "
              "grep -qE 'lastsnd:[0-9]{1,3} ' && exit 0; sleep 0.1; done; exit 1",
              guest->name);
}

/* The sshd processes that carry the run's connection, as pids for kill. */
static char *sessions(const struct guest *guest)
{
    return rig_output(
        "for p in $(ip netns pids %s); do tr '\\0' ' ' </proc/$p/cmdline | grep -q '^sshd: root' "
        "&& echo $p; done | tr '\\n' ' '",
        guest->name);
}

static void finish(struct guest *guest)
{
    struct lab_result gone = lab_run(guest->lab, "destroy", "box", "--yes", NULL);
    cr_assert_eq(gone.code, 0, "%s", gone.err);
    free(guest->name);
}

#define SHELL(name, script) \
    "    - name: " name "\n      ansible.builtin.shell: touch /root/begun; " script "\n"

/* The screen that `triphase events` prints: fails the test unless it fits and holds the words. */
static void expect_screen(struct lab *lab, const char *const *words)
{
    struct lab_result shown = lab_run(lab, "events", NULL);
    char *begin = strstr(shown.out, "forensics");
    cr_assert(begin, "%s", shown.out);
    int lines = 0;
    for (char *line = begin; line && (line == begin || *line == ' '); lines++) {
        char *end = strchr(line, '\n');
        cr_expect(end - line <= 100 || lines == 0, "%.*s", (int)(end - line), line);
        line = end + 1;
    }
    cr_expect(lines > 5 && lines <= 24, "%d lines: %s", lines, begin);
    for (; *words; words++)
        cr_expect(strstr(begin, *words), "'%s' is not in %s", *words, begin);
}

Test(dead_or_busy, packets_that_vanish_for_good_are_noticed_within_ten_seconds)
{
    struct guest guest = make_guest("", SHELL("stall", "sleep 100"));
    pid_t command = begin(&guest);
    int64_t dropped = moment_wall();
    drop(&guest);
    cr_expect_eq(lab_wait(guest.lab, command, 40), 4);
    /* Where a new connection gets no answer there is nobody to look at. */
    cr_expect_leq(moment_wall() - dropped, 20 * NS_PER_S);
    cr_expect_eq(lab_sql_number(guest.lab, "SELECT count(*) FROM step WHERE name = 'sweep'"), 0);
    AUTO_FREE char *unlooked = lab_phase(guest.lab, "host_evidence");
    cr_expect(strstr(unlooked, "a new connection got no answer"), "%s", unlooked);
    pass(&guest);

    int64_t noticed = lab_sql_number(guest.lab, "SELECT at_ns FROM event WHERE kind = 'unreachable'");
    double took = (double)(noticed - dropped) / 1e9;
    cr_expect(took > 7 && took <= 10, "noticed after %.2f s", took);
    AUTO_FREE char *outcome = lab_phase(guest.lab, "outcome"), *cause = lab_phase(guest.lab, "cause"),
                   *message = lab_phase(guest.lab, "message");
    AUTO_FREE char *ledger =
        lab_sql(guest.lab, "SELECT host || ' ' || task || ' ' || cause || ' ' || cause_source "
                           "|| ' ' || transport FROM unreachable");
    cr_expect_str_eq(outcome, "transport-lost");
    cr_expect_str_eq(cause, "path-dead");
    cr_expect_str_eq(ledger, "box stall keepalive-timeout probe direct");
    cr_expect_eq(lab_phase_number(guest.lab, "unreachable"), 1);
    cr_expect(strstr(message, "'stall'") && strstr(message, "has acknowledged nothing for 9") &&
                  strstr(message, "a new connection gets no answer either") &&
                  strstr(message, "triphase events "),
              "%s", message);
    /* The look was stored before anything was ended, and says what stood still. */
    AUTO_FREE char *detail = lab_sql(guest.lab, "SELECT detail FROM event WHERE kind = 'forensics'");
    AUTO_JSON *look = json_parse(detail, strlen(detail), NULL);
    cr_expect_str_eq(json_get_string(look, "task", ""), "stall");
    cr_expect_str_eq(json_get_string(look, "host", ""), "box");
    cr_expect_geq(json_count(json_get(look, "processes")), 3U);
    size_t asleep = 0; /* one that runs at that moment has no place where it waits */
    for (size_t i = 0; i < json_count(json_get(look, "processes")); i++)
        asleep += *json_get_string(json_at(json_get(look, "processes"), i), "wchan", "") != 0;
    cr_expect_gt(asleep, 0U);
    const struct json *master = json_at(json_get(look, "connections"), 0);
    cr_expect(json_get_integer(master, "unacked", 0) > 0 && json_get_integer(master, "backoff", 0) >= 3, "%s",
              detail);
    expect_screen(guest.lab, (const char *const[]){"transport-lost", "stall on box for ", "silent for", ":22",
                                                   "backoff ", "Master running", "ansible-playb", "poll",
                                                   "TASK [stall]", "console", NULL});
    finish(&guest);
}

/* Hears every packet that comes to the guest's network, from now on. */
static int listen_in(const struct guest *guest)
{
    AUTO_FREE char *path = xasprintf("/run/netns/%s", guest->name);
    AUTO_CLOSE int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int there = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(here >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0);
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));
    cr_assert_eq(setns(here, CLONE_NEWNET), 0);
    int room = 8 << 20, on = 1;
    cr_assert(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) == 0 &&
              setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) == 0);
    return fd;
}

/* When somebody began to connect to the guest's sshd, each one once. */
struct contacts {
    int64_t at_ns[16];
    uint16_t port[16];
    int count;
};

static struct contacts contacts_heard(int ears)
{
    struct contacts contacts = {.count = 0};
    struct {
        struct iphdr ip;
        struct tcphdr tcp;
    } packet;
    _Alignas(struct cmsghdr) char control[256];
    for (;;) {
        struct iovec into = {&packet, sizeof packet};
        struct msghdr message = {
            .msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
        ssize_t got = recvmsg(ears, &message, 0);
        if (got < 0)
            return contacts;
        bool begins = got == sizeof packet && packet.ip.protocol == IPPROTO_TCP && packet.ip.ihl == 5 &&
                      packet.tcp.syn && !packet.tcp.ack && packet.tcp.dest == htons(22);
        bool again = contacts.count && contacts.port[contacts.count - 1] == packet.tcp.source;
        struct cmsghdr *stamp = CMSG_FIRSTHDR(&message);
        if (!begins || again || !stamp || contacts.count == (int)COUNT_OF(contacts.port))
            continue;
        struct timespec at;
        memcpy(&at, CMSG_DATA(stamp), sizeof at);
        contacts.port[contacts.count] = packet.tcp.source;
        contacts.at_ns[contacts.count++] = at.tv_sec * NS_PER_S + at.tv_nsec;
    }
}

/* As behind a gateway that forgot it: whether the path as such is dead is asked by a new connection,
 * and what it found is said. */
Test(dead_or_busy, a_connection_that_alone_is_dead_is_told_from_a_dead_path)
{
    struct guest guest = make_guest("", SHELL("stall", "sleep 100"));
    pid_t command = begin(&guest);
    AUTO_FREE char *ports = rig_output("ip netns exec %s ss -Htn state established sport = :22 | "
                                       "awk '{sub(/.*:/, \"\", $4); print $4}' | paste -sd, | tr -d \"\\n\"",
                                       guest.name);
    AUTO_CLOSE int ears = listen_in(&guest);
    int64_t dropped = moment_wall();
    rig_shell("ip netns exec %s iptables -I INPUT -p tcp -m multiport --sports %s -j DROP", guest.name,
              ports);
    cr_expect_eq(lab_wait(guest.lab, command, 40), 4);
    pass(&guest);

    int64_t noticed = lab_sql_number(guest.lab, "SELECT at_ns FROM event WHERE kind = 'unreachable'");
    AUTO_FREE char *outcome = lab_phase(guest.lab, "outcome"), *message = lab_phase(guest.lab, "message");
    cr_expect_str_eq(outcome, "transport-lost");
    cr_expect_leq(noticed - dropped, 13 * NS_PER_S);
    cr_expect(strstr(message, "a new connection gets an answer)"), "%s", message);
    /* The host's sshd counts connections that do not log in: it got one, and none
     * at all shortly behind it. */
    struct contacts contacts = contacts_heard(ears);
    cr_assert_geq(contacts.count, 2, "%d", contacts.count);
    double apart = (double)(contacts.at_ns[1] - contacts.at_ns[0]) / 1e9;
    cr_expect_geq(apart, 4.9, "the next came %.2f s behind the knock", apart);
    finish(&guest);
}

Test(dead_or_busy, five_seconds_without_packets_and_twelve_without_sshd_end_nothing)
{
    struct guest guest = make_guest("", SHELL("stall", "sleep 24"));
    pid_t command = begin(&guest);
    drop(&guest);
    hold(5);
    pass(&guest);
    await_answers(&guest);
    AUTO_FREE char *pids = sessions(&guest);
    cr_assert(*pids, "there is no session to stop");
    rig_shell("kill -STOP %s", pids);
    hold(12);
    rig_shell("kill -CONT %s", pids);
    cr_expect_eq(lab_wait(guest.lab, command, 60), 0);
    AUTO_FREE char *outcome = lab_phase(guest.lab, "outcome"), *message = lab_phase(guest.lab, "message");
    cr_expect_str_eq(outcome, "ok", "%s: %s", outcome, message);
    cr_expect_eq(lab_sql_number(guest.lab, "SELECT count(*) FROM unreachable"), 0);
    cr_expect_eq(lab_sql_number(guest.lab, "SELECT count(*) FROM event"), 0);
    finish(&guest);
}

Test(dead_or_busy, an_sshd_that_stays_stopped_is_a_silent_host_and_ssh_ends_it)
{
    struct guest guest = make_guest("    host_silent: 10s\n", SHELL("stall", "sleep 100"));
    pid_t command = begin(&guest);
    AUTO_FREE char *pids = sessions(&guest);
    cr_assert(*pids, "there is no session to stop");
    rig_shell("kill -STOP %s", pids);
    cr_expect_eq(lab_wait(guest.lab, command, 40), 4);
    rig_shell("kill -KILL %s", pids);
    AUTO_FREE char *outcome = lab_phase(guest.lab, "outcome"), *cause = lab_phase(guest.lab, "cause"),
                   *message = lab_phase(guest.lab, "message");
    AUTO_FREE char *ledger =
        lab_sql(guest.lab, "SELECT task || ' ' || cause || ' ' || cause_source FROM unreachable");
    cr_expect_str_eq(outcome, "unreachable");
    cr_expect_str_eq(cause, "host-silent");
    cr_expect_str_eq(ledger, "stall keepalive-timeout master-log");
    cr_expect(strstr(message, "acknowledges, but its sshd has not answered"), "%s", message);
    finish(&guest);
}

Test(dead_or_busy, an_async_task_outlives_twenty_seconds_without_packets)
{
    struct guest guest =
        make_guest("", SHELL("stall", "sleep 26; touch /root/done") "      async: 90\n      poll: 2\n");
    pid_t command = begin(&guest);
    drop(&guest);
    hold(20);
    pass(&guest);
    cr_expect_eq(lab_wait(guest.lab, command, 80), 0);
    AUTO_FREE char *outcome = lab_phase(guest.lab, "outcome"),
                   *done = xasprintf("/var/lib/triphase/%s/root/root/done", guest.name);
    cr_expect_str_eq(outcome, "ok");
    cr_expect(file_exists(done));
    cr_expect_eq(lab_sql_number(guest.lab, "SELECT count(*) FROM unreachable"), 0);
    finish(&guest);
}

Test(dead_or_busy, the_grace_of_an_async_task_has_an_end_too)
{
    struct guest guest = make_guest("    transport_lost: 100s\n    transport_grace: 6s\n",
                                    SHELL("stall", "sleep 100") "      async: 90\n      poll: 60\n");
    pid_t command = begin(&guest);
    int64_t dropped = moment_wall();
    drop(&guest);
    cr_expect_eq(lab_wait(guest.lab, command, 40), 4);
    pass(&guest);
    int64_t noticed = lab_sql_number(guest.lab, "SELECT at_ns FROM event WHERE kind = 'unreachable'");
    AUTO_FREE char *outcome = lab_phase(guest.lab, "outcome");
    cr_expect_str_eq(outcome, "transport-lost");
    cr_expect_lt(noticed - dropped, 8 * NS_PER_S);
    finish(&guest);
}

/* The run's own master, not a client of it: those have the path in their words too. */
static pid_t master_of(struct lab *lab)
{
    AUTO_FREE char *id = lab_sql(lab, "SELECT id FROM run ORDER BY number DESC LIMIT 1");
    AUTO_FREE char *pid = rig_output(
        "pgrep -f -- '^ssh -o ControlMaster=yes .*ControlPath=[^ ]*triphase-[0-9]*/%sd/' | head -1",
        id + strlen(id) - 12);
    return (pid_t)strtol(pid, NULL, 10);
}

Test(dead_or_busy, a_master_that_stays_stopped_ends_the_phase_and_does_not_hold_up_the_look, .timeout = 60)
{
    struct lab *lab = lab_phase_project(NULL, "    attempts: 1\n    host_silent: 4s\n");
    lab_play(lab, "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - name: stall\n      "
                  "ansible.builtin.shell: touch ../stalled; sleep 300\n      args: "
                  "{chdir: \"{{ playbook_dir }}\"}\n");
    pid_t command = lab_start(lab, "run", "run", "host", NULL);
    cr_assert(lab_until_file(lab, 30, "stalled"));
    pid_t master = master_of(lab);
    cr_assert(master > 1);
    int64_t stopped = moment_monotonic();
    kill(master, SIGSTOP);
    cr_expect_eq(lab_wait(lab, command, 40), 4);
    double took = (double)(moment_monotonic() - stopped) / 1e9;
    cr_expect(took > 4 && took < 12, "%.1f s", took);
    AUTO_FREE char *outcome = lab_phase(lab, "outcome"), *cause = lab_phase(lab, "cause"),
                   *detail = lab_sql(lab, "SELECT detail FROM event WHERE kind = 'forensics'");
    cr_expect_str_eq(outcome, "transport-lost");
    cr_expect_str_eq(cause, "master-stopped");
    cr_expect(strstr(detail, "it does not answer") && strstr(detail, "\"process\":\"T\""), "%s", detail);
    lab_expect_nothing_left(lab, "a stopped master");
}

Test(dead_or_busy, what_was_going_on_is_on_record_before_a_cancelled_phase_is_ended, .timeout = 60)
{
    struct lab *lab = damage_lab("    grace: 1s\n",
                                 "play; "
                                 "say '\"kind\":\"task_start\",\"task\":\"nap\",\"uuid\":\"n\"'\n"
                                 "say '\"kind\":\"result\",\"host\":\"other\",\"task\":\"x\",\"uuid\":\"x\","
                                 "\"status\":\"ok\"'\n"
                                 "trap 'echo termed >>\"$FOLDER/ended\"; exit 0' TERM\n"
                                 "touch \"$FOLDER/begun\"; while :; do sleep 0.1; done\n");
    pid_t command = lab_start(lab, "run", "create", "host", NULL);
    /* Its last line was read. */
    cr_assert(lab_until_file(lab, 30, "begun") && lab_until_sql(lab, 10, "SELECT count(*) FROM task"));
    int64_t since = moment_monotonic();
    kill(command, SIGTERM);
    cr_expect_eq(lab_wait(lab, command, 20), 130);
    cr_expect_lt(moment_monotonic() - since, 5 * NS_PER_S);
    cr_expect(lab_exists(lab, "ended"));
    AUTO_FREE char *facts =
        lab_sql(lab,
                "SELECT json_extract(detail, '$.why') || ' ' || json_extract(detail, '$.task') || ' ' || "
                "json_extract(detail, '$.host') || ' ' || (json_extract(detail, '$.process_count') > 0) "
                "|| ' ' || (json_extract(detail, '$.unfinished') IS NULL) FROM event WHERE kind = "
                "'forensics'");
    AUTO_FREE char *detail = lab_sql(lab, "SELECT detail FROM event WHERE kind = 'forensics'");
    cr_expect_str_eq(facts, "cancelled nap host 1 1", "%s", detail);
}
