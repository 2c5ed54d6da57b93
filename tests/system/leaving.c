/* The end of ansible-playbook's process behind the end of its tasks: what holds it there, and what the user's
 * own plugins have still to do. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

#define WAIT "while :; do sleep 0.1; done"
#define PLAY                                                                                                 \
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - {name: say, ansible.builtin.debug: {msg: " \
    "x}}\n"

static void lay_callback(struct lab *lab, const char *body)
{
    lab_write(lab, "ansible.cfg",
              "[defaults]\ncallback_plugins = callback_plugins\ncallbacks_enabled = shipper\n");
    lab_write(lab, "callback_plugins/shipper.py",
              "import atexit\nimport threading\nimport time\nfrom ansible.plugins.callback import "
              "CallbackBase\n\n\n"
              "class CallbackModule(CallbackBase):\n    CALLBACK_VERSION = 2.0\n    CALLBACK_TYPE = "
              "'notification'\n"
              "    CALLBACK_NAME = 'shipper'\n\n%s",
              body);
}

Test(leaving, tasks_that_had_all_ended_are_ok_though_their_process_has_to_be_ended_after_half_a_minute,
     .timeout = 90)
{
    struct lab *lab = lab_phase_project(NULL, "    attempts: 2\n    silence: 3s\n");
    lay_callback(lab, "    def v2_playbook_on_stats(self, stats):\n        time.sleep(9000)\n");
    lab_play(lab, PLAY);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a callback that never returns", "ok", "did-not-leave", 0);
    double took = (double)lab_phase_number(lab, "duration_ns") / 1e9;
    cr_expect(took >= 30 && took < 36 && lab_phase_number(lab, "attempt") == 1, "attempt %lld took %.1f s",
              (long long)lab_phase_number(lab, "attempt"), took);
    AUTO_FREE char *path = lab_phase(lab, "log"), *below = xasprintf(".triphase/%s", path),
                   *log = lab_read(lab, below);
    cr_expect(strstr(log, "ok: [host]") && strstr(log, "PLAY RECAP"),
              "what Ansible had printed is in the log:\n%s", log);
    cr_expect(strstr(result.err, "warning: did-not-leave"), "it is told at once: %s", result.err);
    struct lab_result report = lab_run(lab, "report", NULL), events = lab_run(lab, "events", NULL);
    cr_expect(strstr(report.out, "did-not-leave") && strstr(events.out, "did-not-leave"), "%s\n%s",
              report.out, events.out);
    lab_expect_nothing_left(lab, "a callback that never returns");
}

Test(leaving, what_ends_a_process_behind_the_end_of_its_tasks_changes_nothing_of_what_they_came_to)
{
    struct lab *lab = lab_hostile_project("    grace: 1s\n    deadline: 2s\n", NULL);
    lab_hostility(lab, "begin; finish; " WAIT);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "the deadline", "ok", "did-not-leave", 0);

    lab_hostility(
        lab,
        "begin; say '\"result\",\"host\":\"host\",\"task\":\"t\",\"status\":\"failed\"'; say "
        "'\"stats\",\"hosts\":{\"host\":{\"failures\":1}}'; say \"\\\"end\\\",\\\"count\\\":$n\"; " WAIT);
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a task that failed", "failed", "-", 2);

    lab_hostility(lab, "begin; say '\"unreachable\",\"host\":\"host\",\"task\":\"t\"'; finish; " WAIT);
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a host that was lost", "unreachable", "-", 4);

    lab_hostility(lab, "begin; say '\"stats\",\"hosts\":{}'; say '\"end\",\"count\":7'; " WAIT);
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a record that is not whole", "failed", "events-incomplete", 2);

    lab_environment(lab, "TRIPHASE_PHASES_WORK_WORK_DEADLINE", "60s");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_DEADLINE", "2s");
    lab_hostility(lab, "begin; finish; " WAIT);
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "the deadline of the run", "ok", "did-not-leave", 5);
}

/* Each of these is lost where a process leaves without what Python does at its end. */
static void check_what_plugins_have_to_do(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "");
    lay_callback(lab, "    def __init__(self):\n        super().__init__()\n"
                      "        self.buffered = open('buffered', 'w')\n"
                      "        self.buffered.write('whole')\n"
                      "        atexit.register(self.note, 'exit-handler')\n\n"
                      "    def note(self, name):\n        with open(name, 'w') as stream:\n            "
                      "stream.write('whole')\n\n"
                      "    def ship(self):\n        time.sleep(1)\n        self.note('thread')\n\n"
                      "    def v2_playbook_on_stats(self, stats):\n"
                      "        threading.Thread(target=self.ship).start()\n\n"
                      "    def __del__(self):\n        self.buffered.write(' to its end')\n");
    lab_play(lab, PLAY);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a callback with much to do at the end", "ok", "-", 0);
    AUTO_FREE char *buffered = lab_read(lab, "buffered"), *handler = lab_read(lab, "exit-handler"),
                   *thread = lab_read(lab, "thread");
    cr_expect_str_eq(buffered, "whole to its end");
    cr_expect_str_eq(handler, "whole");
    cr_expect_str_eq(thread, "whole");
}

Test(leaving, the_users_own_callbacks_get_all_that_python_does_at_its_end)
{
    check_what_plugins_have_to_do(NULL);
}

Test(leaving, the_users_own_callbacks_get_all_that_python_does_at_its_end_with_the_oldest_ansible)
{
    check_what_plugins_have_to_do(lab_old_ansible());
}

Test(leaving, the_users_own_callbacks_get_all_that_python_does_at_its_end_with_the_newest_ansible)
{
    check_what_plugins_have_to_do(lab_newest_ansible());
}
