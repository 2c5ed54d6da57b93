/* The connection in use over a real tailnet: what is dead is noticed in time where no socket of this machine
 * leads to the host, what is well is left alone, and what the path did is on record. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/phase.h"
#include "lab/tailnet_fault.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

TestSuite(tailnet_watch, .timeout = 300);

struct stage {
    struct tailnet_lab *lab;
    struct tailnet_operator *op;
    struct rig *guest;
    const char *address, *from;
    struct lab *project;
};

#define PLAY(script)                                                            \
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - name: work\n" \
    "      ansible.builtin.shell: touch /root/begun; " script "\n"

/* A guest and an operator that are joined, and a project whose phase runs the script over that transport. */
static struct stage stage_new(enum tailnet_tun tun, bool relay, const char *transport, const char *play)
{
    struct stage stage = {.lab = tailnet_lab_new()};
    stage.op = tailnet_lab_operator(stage.lab, tun);
    stage.guest = tailnet_lab_guest(stage.lab);
    tailnet_fault_relay(stage.lab, relay);
    stage.address = tailnet_guest_join(stage.lab, stage.guest, "tag:host", "guest");
    stage.from = tailnet_operator_join(stage.op, "tag:operator");
    stage.project = lab_new();
    AUTO_FREE char *keys = xasprintf("    transport: %s\n", transport);
    tailnet_lab_project(stage.project, stage.guest, stage.address, keys, "    attempts: 1\n", play);
    tailnet_operator_enter(stage.op, stage.project);
    return stage;
}

/* Starts the phase, until its task runs on the host. */
static pid_t begin(const struct stage *stage)
{
    pid_t command = lab_start(stage->project, "run", "create", "host", NULL);
    AUTO_FREE char *begun =
        rig_ssh(stage->guest, "for i in $(seq 600); do [ -e /root/begun ] && exit 0; sleep 0.1; done; exit 1",
                NULL);
    return command;
}

static void hold(int seconds)
{
    poll(NULL, 0, seconds * 1000);
}

/* That the phase ends as transport-lost for this cause, with these words, and so soon. */
static void expect_lost(const struct stage *stage, pid_t command, int64_t since, const char *cause,
                        const char *words)
{
    int code = lab_wait(stage->project, command, 90);
    AUTO_FREE char *outcome = lab_phase(stage->project, "outcome");
    AUTO_FREE char *found = lab_phase(stage->project, "cause");
    AUTO_FREE char *message = lab_phase(stage->project, "message");
    cr_expect_eq(code, 4);
    cr_expect_str_eq(outcome, "transport-lost", "%s", message);
    cr_expect_str_eq(found, cause, "%s", message);
    cr_expect(strstr(message, words), "%s", message);
    /* What else was seen of the peer, and of the bytes that came through to ssh. */
    bool told = strstr(message, "the last handshake is ") && strstr(message, ", ssh's last byte ");
    cr_expect(told || strcmp(cause, "path-dead") != 0, "%s", message);
    AUTO_FREE char *lost = lab_sql(stage->project, "SELECT min(at_ns) FROM event WHERE kind = 'unreachable'");
    int64_t after = strtoll(lost, NULL, 10) - since;
    cr_expect(after > 0 && after <= 10500 * NS_PER_MS, "%lld ms", (long long)(after / NS_PER_MS));
}

static void expect_well(const struct stage *stage, pid_t command)
{
    int code = lab_wait(stage->project, command, 120);
    AUTO_FREE char *outcome = lab_phase(stage->project, "outcome");
    AUTO_FREE char *message = lab_phase(stage->project, "message");
    cr_expect_eq(code, 0, "%s", message);
    cr_expect_str_eq(outcome, "ok", "%s", message);
}

Test(tailnet_watch, a_connection_cut_off_is_lost_within_ten_seconds_over_userspace)
{
    struct stage stage = stage_new(TAILNET_TUN_ABSENT, false, "tailnet-userspace", PLAY("sleep 100"));
    pid_t command = begin(&stage);
    int64_t since = moment_wall();
    tailnet_fault(stage.guest, NULL, TAILNET_FAULT_SILENCE, 0);
    expect_lost(&stage, command, since, "path-dead", "a ping gets an answer");
    rig_remove(stage.guest);
}

Test(tailnet_watch, a_host_whose_daemon_is_stopped_is_lost_within_ten_seconds_over_userspace)
{
    struct stage stage = stage_new(TAILNET_TUN_ABSENT, false, "tailnet-userspace", PLAY("sleep 100"));
    pid_t command = begin(&stage);
    int64_t since = moment_wall();
    tailnet_fault_guest_daemon(stage.guest, SIGSTOP);
    expect_lost(&stage, command, since, "path-dead", "a ping gets no answer either");
    rig_remove(stage.guest);
}

Test(tailnet_watch, a_daemon_that_is_stopped_is_lost_within_ten_seconds_over_userspace)
{
    struct stage stage = stage_new(TAILNET_TUN_ABSENT, false, "tailnet-userspace", PLAY("sleep 100"));
    pid_t command = begin(&stage);
    int64_t since = moment_wall();
    tailnet_fault_daemon(stage.op, SIGSTOP);
    expect_lost(&stage, command, since, "daemon-silent", "has not answered for");
    tailnet_fault_daemon(stage.op, SIGCONT);
    rig_remove(stage.guest);
}

static bool waits_for_the_daemon(void *context)
{
    AUTO_FREE char *log =
        rig_output("cat %s/.triphase/runs/*/*-transport.2.log 2>/dev/null || true", lab_folder(context));
    return strstr(log, "carried the attempt before") != NULL;
}

/* Nobody else carries this run: so the next attempt has the daemon's time. */
Test(tailnet_watch, a_daemon_that_carried_a_run_and_is_stopped_is_waited_for_before_the_next_attempt)
{
    struct stage stage = stage_new(TAILNET_TUN, false, "tailnet",
                                   PLAY("test -e /root/second || { touch /root/second; sleep 100; }"));
    lab_environment(stage.project, "TRIPHASE_PHASES_WORK_WORK_ATTEMPTS", "2");
    pid_t command = begin(&stage);
    tailnet_fault_daemon(stage.op, SIGSTOP);
    bool waits = lab_until(60, waits_for_the_daemon, stage.project);
    tailnet_fault_daemon(stage.op, SIGCONT);
    cr_expect(waits, "nothing waits for it");
    expect_well(&stage, command);
    AUTO_FREE char *outcomes =
        lab_sql(stage.project,
                "SELECT group_concat(outcome, ' ') FROM step WHERE kind = 'phase' ORDER BY seq");
    cr_expect_str_eq(outcomes, "transport-lost ok");
    rig_remove(stage.guest);
}

Test(tailnet_watch, idle_but_well_and_a_control_server_that_is_away_are_left_alone)
{
    struct stage stage = stage_new(TAILNET_TUN_ABSENT, false, "tailnet-userspace", PLAY("sleep 45"));
    pid_t command = begin(&stage);
    tailnet_lab_stop(stage.lab);
    expect_well(&stage, command);
    tailnet_lab_start(stage.lab);
    cr_expect_gt(lab_sql_number(stage.project, "SELECT count(*) FROM sample WHERE kind = 'path'"), 2);
    struct lab_result report = lab_run(stage.project, "report", NULL);
    cr_expect(strstr(report.out, "work  direct"), "%s", report.out);
    rig_remove(stage.guest);
}

static void expect_fall(const struct stage *stage)
{
    struct lab_result report = lab_run(stage->project, "report", NULL);
    cr_expect(strstr(report.out, "work  direct; fell back to DERP(hs) at +"), "%s", report.out);
    struct lab_result json = lab_run(stage->project, "report", "--json", NULL);
    cr_expect(strstr(json.out, "\"path\": \"relay\""), "%s", json.out);
    cr_expect_gt(lab_sql_number(stage->project,
                                "SELECT count(*) FROM path_sample WHERE step = 'work' AND direct = 0"
                                " AND json_extract(detail, '$.via') = 'hs'"),
                 0);
}

Test(tailnet_watch, a_path_that_falls_back_to_the_relay_is_told_by_the_report)
{
    static const struct {
        enum tailnet_tun tun;
        const char *transport;
    } ways[] = {{TAILNET_TUN_ABSENT, "tailnet-userspace"}, {TAILNET_TUN, "tailnet"}};
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct stage stage = stage_new(ways[i].tun, false, ways[i].transport,
                                       PLAY("for i in $(seq 45); do echo $i; sleep 1; done"));
        pid_t command = begin(&stage);
        hold(3);
        tailnet_fault_relay(stage.lab, true);
        expect_well(&stage, command);
        expect_fall(&stage);
        rig_remove(stage.guest);
        tailnet_fault_relay(stage.lab, false);
    }
}
