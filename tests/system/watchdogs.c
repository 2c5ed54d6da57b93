/* The timers that end a phase: deadline, silence, task, and the run's own deadline; each with the time it
 * strikes at, the row of each attempt and what it leaves. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TASK "say '\"task_start\",\"play\":\"p\",\"task\":\"slow\",\"uuid\":\"x\",\"path\":\"p.yml:7\"'; "
#define AT(host, task)                                                              \
    "say \"\\\"host_start\\\",\\\"host\\\":\\\"" host "\\\",\\\"task\\\":\\\"" task \
    "\\\",\\\"uuid\\\":\\\"" task "\\\"\"; "
#define OVER(host, task)                                                                                  \
    "say \"\\\"result\\\",\\\"status\\\":\\\"ok\\\",\\\"host\\\":\\\"" host "\\\",\\\"uuid\\\":\\\"" task \
    "\\\"\"; "
#define WAIT "while :; do sleep 0.1; done"

static double seconds_of(struct lab *lab)
{
    return (double)lab_phase_number(lab, "duration_ns") / 1e9;
}

static void set(struct lab *lab, const char *key, const char *value)
{
    AUTO_FREE char *name = xasprintf("TRIPHASE_PHASES_WORK_WORK_%s", key);
    lab_environment(lab, name, value);
}

static struct lab_result run(struct lab *lab, const char *body)
{
    lab_hostility(lab, body);
    return lab_run(lab, "run", "host", NULL);
}

static void within(struct lab *lab, const char *what, double least, double most)
{
    double took = seconds_of(lab);
    cr_expect(took >= least && took < most, "%s: it took %.2f s, not %.1f to %.1f", what, took, least, most);
    lab_expect_nothing_left(lab, what);
}

static void check_timers(const char *environment)
{
    struct lab *lab = lab_hostile_project("    grace: 1s\n", environment);

    set(lab, "DEADLINE", "1s");
    struct lab_result result = run(lab, "begin; " TASK "while :; do echo on; sleep 0.05; done");
    lab_expect(lab, &result, "deadline though there is output", "deadline", "deadline", 5);
    within(lab, "deadline", 1, 1.6);
    AUTO_FREE char *message = lab_phase(lab, "message");
    cr_expect(strstr(message, "'slow' at p.yml:7"), "the message names the task: %s", message);
    AUTO_FREE char *note =
        lab_sql(lab, "SELECT detail FROM event WHERE kind = 'watchdog' ORDER BY number DESC LIMIT 1");
    cr_expect(strstr(note, "\"deadline\"") && strstr(note, "slow"), "the note says what it was busy with: %s",
              note);
    set(lab, "DEADLINE", NULL);

    set(lab, "SILENCE", "1s");
    result = run(lab, "begin; " TASK WAIT);
    lab_expect(lab, &result, "silence from the start", "silence", "silence", 5);
    within(lab, "silence from the start", 1, 1.6);

    result = run(lab, "begin; for i in 1 2 3 4; do sleep 0.4; echo .; done; " WAIT);
    lab_expect(lab, &result, "silence counts from the last byte of output", "silence", "silence", 5);
    within(lab, "silence counts from the last byte of output", 2.5, 3.4);

    result =
        run(lab,
            "begin; for i in 1 2 3 4; do sleep 0.4; say '\"async_poll\",\"host\":\"host\"'; done; " WAIT);
    lab_expect(lab, &result, "silence counts from the last event", "silence", "silence", 5);
    within(lab, "silence counts from the last event", 2.5, 3.4);

    result = run(lab, "begin; for i in 1 2 3 4 5; do sleep 0.4; printf .; done; finish");
    lab_expect(lab, &result, "a slow task with output is not silent", "ok", "-", 0);
    set(lab, "SILENCE", NULL);

    set(lab, "TASK", "1s");
    result = run(lab, "begin; " TASK "sleep 0.7; " TASK "while :; do echo on; sleep 0.05; done");
    lab_expect(lab, &result, "one task too long, though it has output", "task-timeout", "task", 5);
    within(lab, "one task too long", 1.6, 2.4);

    /* As with `strategy: free`: there is always a task that is newer than the one that stands still. */
    result =
        run(lab, "begin; " AT("stuck", "s")
                     AT("busy", "q") "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2; " AT("second", "r$i")
                         OVER("busy", "q") "sleep 0.2; " AT("busy", "q") OVER("second", "r$i") "done; " WAIT);
    lab_expect(lab, &result, "one host too long at a task, though others begin many", "task-timeout", "task",
               5);
    within(lab, "one host too long", 1, 1.7);
    AUTO_FREE char *who = lab_phase(lab, "message");
    cr_expect(strstr(who, "'s' on stuck"), "the message names the host that is: %s", who);

    result = run(lab, "begin; " TASK "sleep 0.7; " TASK "sleep 0.7; finish; sleep 1.2");
    lab_expect(lab, &result, "each task has the whole time, and what is behind the last none", "ok", "-", 0);
    set(lab, "TASK", NULL);

    set(lab, "GRACE", "0s");
    set(lab, "DEADLINE", "1s");
    result = run(lab, "trap '' TERM; begin; " WAIT);
    lab_expect(lab, &result, "no grace", "deadline", "deadline", 5);
    within(lab, "no grace", 1, 1.6);
}

Test(watchdogs, deadline_silence_and_task_strike_in_time_in_a_cgroup)
{
    check_timers(NULL);
}

Test(watchdogs, deadline_silence_and_task_strike_in_time_without_a_cgroup)
{
    check_timers("TRIPHASE_NO_CGROUP=1");
}

Test(watchdogs, an_attempt_lost_to_silence_is_followed_by_another_and_each_has_its_row)
{
    struct lab *lab = lab_hostile_project("    grace: 1s\n    silence: 1s\n    attempts: 3\n", NULL);
    struct lab_result result = run(lab, "begin; case $TRIPHASE_STEP in */02) " WAIT ";; esac; finish");
    lab_expect(lab, &result, "the second attempt is good", "ok", "-", 0);
    AUTO_FREE char *rows = lab_sql(lab, "SELECT group_concat(name || attempt || outcome, ' ') FROM (SELECT * "
                                        "FROM step WHERE run = (SELECT max(number) FROM "
                                        "run) ORDER BY seq)");
    cr_expect_str_eq(rows, "transport1ok work1silence sweep1ok transport2ok work2ok", "%s", rows);
    AUTO_FREE char *of_run = lab_last_run(lab, "outcome");
    cr_expect_str_eq(of_run, "ok");
    lab_expect_nothing_left(lab, "the second attempt is good");

    result = run(lab, "begin; " WAIT);
    lab_expect(lab, &result, "three attempts, all silent", "silence", "silence", 5);
    cr_expect(lab_phase_number(lab, "attempt") == 3);
    lab_expect_nothing_left(lab, "three attempts, all silent");

    result = run(lab, "begin; finish; exit 3");
    lab_expect(lab, &result, "what is not in retry_on is not tried again", "child-crashed", "exit-code", 2);
    cr_expect(lab_phase_number(lab, "attempt") == 1);
}

/* How long the last run lasted, but for a look at the host that ended it: that has a bound of its own. */
static double lasted_without_the_last_look(struct lab *lab)
{
    int64_t look =
        lab_sql_number(lab, "SELECT coalesce((SELECT duration_ns FROM step WHERE run = (SELECT "
                            "max(number) FROM run) AND name = 'sweep' ORDER BY seq DESC LIMIT 1), 0)");
    return (double)(lab_last_run_number(lab, "duration_ns") - look) / 1e9;
}

/* Each where it happened: as text, for as JSON the lines are those of what happened alone. */
static void expect_ends_among_events(struct lab *lab)
{
    struct lab_result text = lab_run(lab, "events", NULL), json = lab_run(lab, "events", "--json", NULL);
    const char *end = strstr(text.out, "verdict  outcome silence  row watchdog  seen ended by a watchdog"),
               *after = strstr(text.out, "retry  phase work  next_attempt 2"),
               *run = strstr(text.out, "run              verdict  outcome deadline  row deadline  seen ");
    cr_expect(end && after && run && end < after && after < run && strchr(run, '\n')[1] == '\0', "%s",
              text.out);
    cr_expect(strstr(json.out, "retry") && !strstr(json.out, "verdict"), "%s", json.out);
}

Test(watchdogs, the_deadline_of_the_run_is_over_all_attempts_and_pauses)
{
    struct lab *lab = lab_hostile_project("    grace: 1s\n    silence: 1s\n    attempts: 9\n",
                                          "TRIPHASE_TARGETS_HOST_DEADLINE=3s");
    int64_t begun = moment_monotonic();
    struct lab_result result = run(lab, "begin; " WAIT);
    double took = (double)(moment_monotonic() - begun) / 1e9;
    AUTO_FREE char *outcome = lab_last_run(lab, "outcome");
    cr_expect_str_eq(outcome, "deadline", "%s", result.err);
    cr_expect_eq(result.code, 5);
    double lasted = lasted_without_the_last_look(lab),
           whole = (double)lab_last_run_number(lab, "duration_ns") / 1e9;
    cr_expect(whole >= 3 && lasted < 3.7 && took < whole + 1.3, "the run lasted %.2f s, the command %.2f",
              lasted, took);
    lab_expect_rows(lab, "the run's deadline", NULL, "watchdog", "deadline");
    expect_ends_among_events(lab);
    lab_expect_nothing_left(lab, "the run's deadline");

    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_RETRY_PAUSE", "60s");
    result = run(lab, "begin; " WAIT);
    AUTO_FREE char *again = lab_last_run(lab, "outcome");
    lasted = lasted_without_the_last_look(lab);
    whole = (double)lab_last_run_number(lab, "duration_ns") / 1e9;
    cr_expect_str_eq(again, "deadline", "%s", result.err);
    cr_expect(result.code == 5 && whole >= 3 && lasted < 3.7, "in a pause: exit %d after %.2f s", result.code,
              lasted);
}

/* The newest sshd below that one; 0 when there is none. */
static pid_t sshd_below(pid_t parent)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *list = fopen(path, "re");
    pid_t last = 0;
    for (int pid; list && fscanf(list, "%d", &pid) == 1;) {
        AUTO_FREE char *name_file = xasprintf("/proc/%d/comm", pid);
        char name[32] = "";
        FILE *source = fopen(name_file, "re");
        if (source && fgets(name, sizeof name, source) && strncmp(name, "sshd", 4) == 0)
            last = pid;
        if (source)
            fclose(source);
    }
    if (list)
        fclose(list);
    return last;
}

/* The process that answers on the connection: since OpenSSH 9.8 a monitor stands before it for root, too. */
static pid_t session_of(pid_t listener)
{
    pid_t session = 0;
    for (pid_t next = sshd_below(listener); next; next = sshd_below(next))
        session = next;
    return session;
}

/* Within the same bound whatever carries its tasks. */
static void check_silent_host(struct lab *lab)
{
    lab_play(lab, "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - name: stall\n      "
                  "ansible.builtin.shell: touch ../stalled; sleep 300\n      args: "
                  "{chdir: \"{{ playbook_dir }}\"}\n");
    pid_t command = lab_start(lab, "run", "run", "host", NULL);
    cr_assert(lab_until_file(lab, 30, "stalled"));
    pid_t session = session_of(lab_sshd_pid(lab));
    cr_assert(session > 0);
    int64_t stopped = moment_monotonic();
    kill(session, SIGSTOP);
    int code = lab_wait(lab, command, 40);
    double took = (double)(moment_monotonic() - stopped) / 1e9;
    kill(session, SIGKILL);
    cr_expect_eq(code, 4);
    cr_expect(took > 10 && took < 22, "it took %.1f s", took);
    AUTO_FREE char *outcome = lab_phase(lab, "outcome");
    AUTO_FREE char *entry = lab_sql(lab, "SELECT host || ' ' || task || ' ' || cause || ' ' || cause_source "
                                         "FROM unreachable ORDER BY at_ns DESC LIMIT 1");
    cr_expect_str_eq(outcome, "unreachable");
    cr_expect_str_eq(entry, "host stall keepalive-timeout master-log", "%s", entry);
    lab_expect_nothing_left(lab, "a host that answers no more");
}

Test(watchdogs, a_host_that_answers_no_more_is_unreachable_through_serveralive_and_its_master_is_gone,
     .timeout = 60)
{
    check_silent_host(lab_phase_project(NULL, ""));
}

Test(watchdogs,
     a_host_that_answers_no_more_is_unreachable_through_serveralive_and_its_master_is_gone_under_mitogen,
     .timeout = 60)
{
    (void)lab_mitogen();
    struct lab *lab = lab_phase_project(NULL, "");
    lab_use_mitogen(lab);
    check_silent_host(lab);
}
