/* Children that do what they like in ansible-playbook's place: the outcome is right, they end in time, and
 * nothing of them is left; in a cgroup and without. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct child {
    const char *name, *body, *outcome, *cause; /* cause "": any, "-": none */
    int code;
    double least, most; /* seconds that the step may take; deadline and grace are 1 s each */
};

#define UNTIL_ENDED "while :; do sleep 0.2; done"
#define RESULT      "\"result\",\"host\":\"host\",\"task\":\"t\",\"uuid\":\"x\",\"status\":\"ok\""

static const struct child children[] = {
    {"is good", "begin; say '" RESULT "'; finish", "ok", "-", 0, 0, 0.9},
    {"ignores TERM", "trap '' TERM; begin; " UNTIL_ENDED, "deadline", "deadline", 5, 2, 2.6},
    {"ignores TERM and is heard", "trap '' TERM; begin; while :; do echo on and on; sleep 0.05; done",
     "deadline", "deadline", 5, 2, 2.6},
    {"ends at TERM with a good record", "trap 'finish; exit 0' TERM; begin; " UNTIL_ENDED, "deadline",
     "deadline", 5, 1, 1.7},
    {"leaves daemons that hold every descriptor",
     "begin; for i in 1 2 3; do setsid sh -c 'exec 9>>\"$EVENTS\"; sleep 300' & done; setsid setsid sh -c "
     "'setsid sleep 300 & sleep 300' & finish",
     "ok", "-", 0, 0.2, 1.4},
    {"leaves a daemon that ignores TERM", "begin; (trap '' TERM HUP; setsid sleep 300) & finish", "ok", "-",
     0, 1.2, 2.2},
    {"leaves a process that ends by itself", "begin; (sleep 0.1; echo late) & finish", "ok", "-", 0, 0.05,
     0.9},
    {"leaves a stopped process", "begin; setsid sh -c 'kill -STOP $$; sleep 300' & finish", "ok", "-", 0, 0.2,
     1.4},
    {"closes stdout and stderr", "exec >&- 2>&-; begin; finish", "ok", "-", 0, 0, 0.9},
    {"closes stdout and stays", "exec >&- 2>&-; begin; " UNTIL_ENDED, "deadline", "deadline", 5, 1, 1.6},
    {"floods stdout with 100 MB",
     "trap 'date +%s%N > term; exit 1' TERM; begin; head -c 100000000 /dev/zero; while :; do echo x; done",
     "deadline", "deadline", 5, 1, 1.6},
    /* What was written is read to its end, which takes as long as it takes; when the watchdog
     * struck is looked at apart. */
    {"floods the event file",
     "trap 'date +%s%N > term; exit 1' TERM; begin; while :; do for i in 1 2 3 4 5 6 7 8 9; do n=$((n+1)); "
     "echo \"{\\\"v\\\":1,\\\"seq\\\":$n,\\\"kind\\\":\\\"unreachable\\\",\\\"host\\\":\\\"h$n\\\"}\"; "
     "done; done >> \"$EVENTS\"",
     "deadline", "deadline", 5, 1, 60},
    {"writes binary", "begin; head -c 100000 /dev/urandom >> \"$EVENTS\"; echo >> \"$EVENTS\"; finish",
     "failed", "events-incomplete", 2, 0, 0.9},
    {"writes zeros", "begin; printf '\\0\\0\\n{\\0}\\n' >> \"$EVENTS\"; finish", "failed",
     "events-incomplete", 2, 0, 0.9},
    {"writes half a line", "begin; printf '{\"v\":1,\"seq\":2,' >> \"$EVENTS\"; finish", "failed",
     "events-incomplete", 2, 0, 0.9},
    {"writes no newline behind the end", "begin; finish; printf '{\"v\":1' >> \"$EVENTS\"", "failed",
     "events-incomplete", 2, 0, 0.9},
    {"writes a line of 10 MB",
     "begin; printf '{\"v\":1,\"seq\":2,\"kind\":\"x\",\"t\":\"' >> \"$EVENTS\"; head -c 10000000 /dev/zero "
     "| tr '\\0' a >> \"$EVENTS\"; echo '\"}' >> "
     "\"$EVENTS\"; n=2; finish",
     "failed", "events-incomplete", 2, 0, 1.5},
    {"writes false numbers",
     "begin; for x in 1e999 -1 -1e400 '\"x\"' null 9223372036854775807 99999999999999999999 0.5 true '[]' "
     "NaN; do say "
     "\"\\\"result\\\",\\\"host\\\":\\\"host\\\",\\\"task\\\":\\\"t\\\",\\\"status\\\":\\\"ok\\\","
     "\\\"duration_ns\\\":$x,\\\"items\\\":$x\"; done; finish",
     "failed", "events-incomplete", 2, 0, 1.2},
    {"writes a seq at the end of all numbers",
     "begin; echo '{\"v\":1,\"seq\":9223372036854775807,\"kind\":\"no_hosts\"}' >> \"$EVENTS\"; finish",
     "failed", "events-incomplete", 2, 0, 0.9},
    {"counts failures beyond all numbers",
     "begin; for i in 1 2 3; do say "
     "'\"stats\",\"hosts\":{\"a\":{\"failures\":9223372036854775807},\"b\":{\"failures\":-"
     "9223372036854775807}}'; done; finish",
     "failed", "", 2, 0, 0.9},
    {"leaves a gap", "begin; n=2; finish", "failed", "events-incomplete", 2, 0, 0.9},
    {"counts wrongly", "begin; say '\"stats\",\"hosts\":{}'; say '\"end\",\"count\":7'", "failed",
     "events-incomplete", 2, 0, 0.9},
    {"writes the end twice", "begin; finish; say '\"end\",\"count\":3'", "failed", "events-incomplete", 2, 0,
     0.9},
    {"works on behind the end", "begin; finish; say '" RESULT "'", "failed", "events-incomplete", 2, 0, 0.9},
    {"never ends its record", "begin; say '" RESULT "'", "child-crashed", "no-end", 2, 0, 0.9},
    {"gives 4 and no end", "begin; say '" RESULT "'; exit 4", "failed", "aborted", 2, 0, 0.9},
    {"gives a code without a reason", "begin; say '" RESULT "'; finish; exit 3", "child-crashed", "exit-code",
     2, 0, 0.9},
    {"gives 0 with an unreachable host",
     "begin; say "
     "'\"unreachable\",\"host\":\"host\",\"task\":\"t\",\"ignored\":false,\"cause_text\":\"Connection "
     "refused\"'; finish",
     "unreachable", "-", 4, 0, 0.9},
    {"gives 0 with a failed task",
     "begin; say '\"stats\",\"hosts\":{\"host\":{\"failures\":1}}'; say '\"end\",\"count\":2'", "failed", "-",
     2, 0, 0.9},
    {"says nothing and gives 0", "exit 0", "invalid", "not-started", 78, 0, 0.9},
    {"says nothing and gives 250", "exit 250", "invalid", "not-started", 78, 0, 0.9},
    {"kills itself", "begin; kill -9 $$", "child-crashed", "signal", 2, 0, 0.9},
    {"stops itself", "begin; kill -STOP $$; " UNTIL_ENDED, "deadline", "deadline", 5, 1, 1.7},
    {"stops itself and ignores TERM", "trap '' TERM; begin; while :; do kill -STOP $$; done", "deadline",
     "deadline", 5, 2, 2.7},
    {"forks fifty in sessions of their own",
     "begin; i=0; while [ $i -lt 50 ]; do setsid sh -c 'trap \"\" TERM; setsid sleep 300 & sleep 300' & "
     "i=$((i+1)); done; " UNTIL_ENDED,
     "deadline", "deadline", 5, 1, 3.9},
    {"forks on and on", "begin; f() { sleep 0.05; f & }; f & f & f & f & f & f & f & f & " UNTIL_ENDED,
     "deadline", "deadline", 5, 1, 2.9},
    {"removes its log and event file",
     "begin; rm -f \"$EVENTS\" \"${EVENTS%.events.ndjson}.log\"; say '" RESULT "'; finish", "", "", -1, 0,
     0.9},
    {"puts a pipe in the event file's place", "begin; rm -f \"$EVENTS\"; mkfifo \"$EVENTS\"; sleep 0.1",
     "child-crashed", "no-end", 2, 0, 0.9},
    {"cuts its record off when it was read", "begin; finish; sleep 0.3; : > \"$EVENTS\"", "failed",
     "events-incomplete", 2, 0, 1.2},
    {"cuts its record off", "begin; sleep 0.2; : > \"$EVENTS\"; finish", "", "", -1, 0, 1.2},
    {"removes its run's folder", "begin; rm -rf \"${EVENTS%/*}\"; sleep 0.1", "child-crashed", "no-end", 2, 0,
     0.9},
    {"is good again", "begin; say '" RESULT "'; finish", "ok", "-", 0, 0, 0.9},
};

/* When the watchdog struck, by the child's own clock. */
static void check_when(struct lab *lab, const char *name)
{
    if (!lab_exists(lab, "term"))
        return;
    AUTO_FREE char *at = lab_read(lab, "term");
    double after = (double)(strtoll(at, NULL, 10) - lab_phase_number(lab, "started_ns")) / 1e9;
    cr_expect(after >= 1 && after < 1.6, "%s: the watchdog of 1 s struck after %.2f s", name, after);
    AUTO_FREE char *path = xasprintf("%s/term", lab_folder(lab));
    unlink(path);
}

static void check_child(struct lab *lab, const struct child *child, const char *scope)
{
    AUTO_FREE char *before = lab_last_run(lab, "id");
    lab_hostility(lab, child->body);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    if (*child->outcome)
        lab_expect(lab, &result, child->name, child->outcome, child->cause, child->code);
    else
        cr_expect(result.code == 2 || result.code == 78, "%s: it counts for good: %d", child->name,
                  result.code);
    AUTO_FREE char *after = lab_last_run(lab, "id"), *ended = lab_last_run(lab, "outcome"),
                   *kind = lab_phase(lab, "scope");
    cr_expect_str_neq(before, after, "%s: there is no row of it", child->name);
    cr_expect(!*child->outcome || text_is(ended, child->outcome), "%s: the run's row says '%s'", child->name,
              ended);
    cr_expect(lab_last_run_number(lab, "exit_code") == result.code,
              "%s: the run's row says %lld, the command %d", child->name,
              (long long)lab_last_run_number(lab, "exit_code"), result.code);
    cr_expect_str_eq(kind, scope, "%s: it ran in '%s'", child->name, kind);
    double took = (double)lab_phase_number(lab, "duration_ns") / 1e9;
    cr_expect(took >= child->least && took < child->most, "%s: the step took %.2f s, not %.1f to %.1f",
              child->name, took, child->least, child->most);
    check_when(lab, child->name);
    lab_expect_nothing_left(lab, child->name);
    free(result.out);
    free(result.err);
}

static void check_children(const char *environment, const char *scope, size_t part)
{
    struct lab *lab = lab_hostile_project("    deadline: 1s\n    grace: 1s\n", environment);
    for (size_t i = part; i < COUNT_OF(children); i += 2)
        check_child(lab, &children[i], scope);
    AUTO_FREE char *strange =
        lab_sql(lab, "SELECT count(*) FROM task WHERE duration_ns < 0 OR items < 0 OR started_ns < 0");
    cr_expect_str_eq(strange, "0", "rows hold numbers that cannot be");
    struct lab_result status = lab_run(lab, "status", NULL);
    cr_expect(!strstr(status.out, ", crashed"), "%s", status.out);
}

Test(hostile, a_child_in_a_cgroup_is_judged_rightly_and_nothing_of_it_is_left_one, .timeout = 240)
{
    check_children(NULL, "cgroup", 0);
}

Test(hostile, a_child_in_a_cgroup_is_judged_rightly_and_nothing_of_it_is_left_two, .timeout = 240)
{
    check_children(NULL, "cgroup", 1);
}

Test(hostile, a_child_without_a_cgroup_is_judged_rightly_and_nothing_of_it_is_left_one, .timeout = 240)
{
    check_children("TRIPHASE_NO_CGROUP=1", "session", 0);
}

Test(hostile, a_child_without_a_cgroup_is_judged_rightly_and_nothing_of_it_is_left_two, .timeout = 240)
{
    check_children("TRIPHASE_NO_CGROUP=1", "session", 1);
}

/* A child that forgets its environment: a marker cannot find it, but it comes to the
 * worker when its parent ends. */
static void check_forgetful(const char *environment, const char *scope)
{
    struct lab *lab = lab_hostile_project("    deadline: 1s\n    grace: 1s\n", environment);
    static const struct child forgetful[] = {
        {"leaves daemons without environment",
         "begin; env -i /usr/bin/setsid /bin/sh -c \"sleep 300; : $TRIPHASE_RUN\" & env -i /usr/bin/setsid "
         "/usr/bin/setsid /bin/sh -c \"trap '' TERM; sleep 301; : "
         "$TRIPHASE_RUN\" & sleep 0.2; finish",
         "ok", "-", 0, 0, 3},
        {"is one without environment",
         "begin; exec env -i /bin/sh -c \"/usr/bin/setsid sleep 302 & trap '' TERM; while :; do sleep 0.2; "
         "done; : $TRIPHASE_RUN\"",
         "deadline", "deadline", 5, 1, 3},
    };
    for (size_t i = 0; i < COUNT_OF(forgetful); i++)
        check_child(lab, &forgetful[i], scope);
}

Test(hostile, a_child_without_environment_is_ended_in_a_cgroup)
{
    check_forgetful(NULL, "cgroup");
}

Test(hostile, a_child_without_environment_is_ended_without_a_cgroup)
{
    check_forgetful("TRIPHASE_NO_CGROUP=1", "session");
}

/* What belongs to the run stays when a step ends: the connection that its phases share. */
static void check_master(const char *environment)
{
    struct lab *lab = lab_hostile_project("", environment);
    lab_hostility(lab, "begin; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c "
                       "\"^/.*${TRIPHASE_RUN##*-}./master.log\" > masters; finish");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    AUTO_FREE char *masters = lab_read(lab, "masters");
    cr_expect(result.code == 0 && text_is(masters, "1\n"), "exit %d, masters: %s", result.code, masters);
    lab_expect_nothing_left(lab, "the shared connection");
}

Test(hostile, the_shared_connection_outlives_the_step_that_opened_it_in_a_cgroup)
{
    check_master(NULL);
}

Test(hostile, the_shared_connection_outlives_the_step_that_opened_it_without_a_cgroup)
{
    check_master("TRIPHASE_NO_CGROUP=1");
}
