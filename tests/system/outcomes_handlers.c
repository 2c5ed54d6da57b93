/* Handlers that a broken attempt owed: they run in a later one, or the phase is not ok. With real playbooks whose connection is cut. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

/* A task that cuts the connection it runs over, in the first attempts. */
#define CUT(attempts)                                                                                     \
    "    - ansible.builtin.shell: >-\n"                                                                   \
    "        p=$$; while [ \"$(cut -c1-4 /proc/$p/comm)\" != sshd ]; do p=$(sed -n 's/^PPid:[^0-9]*//p' " \
    "/proc/$p/status); done;\n"                                                                           \
    "        kill -9 $p; sleep 9\n"                                                                       \
    "      when: triphase_attempt | int <= " attempts "\n"
/* Changes once, as what is idempotent does. */
#define CHANGE(notify)                                                                                       \
    "    - ansible.builtin.command: {cmd: touch made, chdir: \"{{ dir }}\", creates: \"{{ dir }}/made\"}\n " \
    "     notify: " notify "\n"
#define PLAY "- hosts: recipe_work\n  gather_facts: false\n"
/* Notes the attempt in which it ran. */
#define HANDLER(name) \
    "    - name: " name "\n      ansible.builtin.shell: echo {{ triphase_attempt }} >> {{ dir }}/" name "\n"

struct loss {
    const char *name, *playbook, *environment; /* "NAME=VALUE", may be NULL */
    const char *outcome, *cause;
    int code;
    int64_t attempts;       /* that it took */
    const char *file, *ran; /* what the handler noted: attempts, one a line */
};

static const struct loss losses[] = {
    {"lost, and run by the second attempt",
     PLAY "  handlers:\n" HANDLER(
         "restart") "  tasks:\n"
                    "    - ansible.builtin.assert: {that: \"triphase_pending_handlers == ([] if "
                    "triphase_attempt | int == 1 else [{'host': 'host', 'handler': "
                    "'restart'}])\"}\n" CHANGE("restart") CUT("1"),
     NULL, "ok", "-", 0, 2, "restart", "2\n"},
    {"lost twice, and run by the third attempt",
     PLAY "  handlers:\n" HANDLER("restart") "  tasks:\n" CHANGE("restart") CUT("2"), NULL, "ok", "-", 0, 3,
     "restart", "3\n"},
    {"flushed before the loss: not run again",
     PLAY "  handlers:\n" HANDLER("restart") "  tasks:\n" CHANGE(
         "restart") "    - ansible.builtin.meta: flush_handlers\n" CUT("1"),
     NULL, "ok", "-", 0, 2, "restart", "1\n"},
    {"its play matches no host any more: it never ran",
     "- hosts: \"{{ 'recipe_work' if triphase_attempt | int == 1 else 'nobody' }}\"\n  gather_facts: false\n "
     " handlers:\n" HANDLER("restart") "  tasks:\n" CHANGE("restart") CUT("1") PLAY
     "  tasks:\n    - ansible.builtin.debug: {msg: x}\n",
     NULL, "failed", "handlers-lost", 2, 2, NULL, NULL},
    {"never ran, and the recipe takes it",
     "- hosts: \"{{ 'recipe_work' if triphase_attempt | int == 1 else 'nobody' }}\"\n  gather_facts: false\n "
     " handlers:\n" HANDLER("restart") "  tasks:\n" CHANGE("restart") CUT("1") PLAY
     "  tasks:\n    - ansible.builtin.debug: {msg: x}\n",
     "TRIPHASE_PHASES_WORK_WORK_LOST_HANDLERS=warn", "ok", "handlers-dropped", 0, 2, NULL, NULL},
    {"two listen to a topic, the connection dies under the second",
     PLAY "  handlers:\n" HANDLER(
         "first") "      listen: news\n    - name: second\n      ansible.builtin.shell: >-\n        echo {{ "
                  "triphase_attempt }} >> {{ "
                  "dir }}/second; [ {{ triphase_attempt }} -gt 1 ] && exit; echo > {{ dir }}/second; p=$$;\n "
                  "       while [ \"$(cut -c1-4 /proc/$p/comm)\" != sshd ]; do "
                  "p=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$p/status); done; kill -9 $p; sleep 9\n      "
                  "listen: news\n  tasks:\n" CHANGE("news"),
     NULL, "ok", "-", 0, 2, "second", "\n2\n"},
    {"of a role, by its full name", PLAY "  roles: [thing]\n", NULL, "ok", "-", 0, 2, "restart", "2\n"},
    {"a task failed",
     PLAY "  handlers:\n" HANDLER("restart") "  tasks:\n" CHANGE(
         "restart") "    - ansible.builtin.fail:\n      when: triphase_attempt | int == 1\n",
     "TRIPHASE_PHASES_WORK_WORK_RETRY_ON=[failed]", "ok", "-", 0, 2, "restart", "2\n"},
    {"the handler failed",
     PLAY "  handlers:\n    - name: restart\n      ansible.builtin.shell: echo {{ triphase_attempt }} >> {{ "
          "dir }}/restart; [ {{ triphase_attempt }} -gt 1 ]\n  "
          "tasks:\n" CHANGE("restart"),
     "TRIPHASE_PHASES_WORK_WORK_RETRY_ON=[failed]", "ok", "-", 0, 2, "restart", "1\n2\n"},
};

static void set(struct lab *lab, const char *environment, bool there)
{
    if (!environment)
        return;
    AUTO_FREE char *name = xstrndup(environment, strcspn(environment, "="));
    lab_environment(lab, name, there ? environment + strlen(name) + 1 : NULL);
}

static void check_loss(struct lab *lab, const struct loss *loss, size_t number)
{
    AUTO_FREE char *dir = xasprintf("%s/notes%zu", lab_folder(lab), number);
    AUTO_FREE char *marker = xasprintf("notes%zu/.keep", number);
    lab_write(lab, marker, "%s", "");
    lab_write(lab, "cases/roles/thing/handlers/main.yml", "%s",
              "- name: restart\n  ansible.builtin.shell: echo {{ triphase_attempt }} >> {{ dir }}/restart\n");
    lab_write(lab, "cases/roles/thing/tasks/main.yml",
              "- ansible.builtin.command: {cmd: touch made, chdir: \"{{ dir }}\", creates: \"{{ dir "
              "}}/made\"}\n  notify: 'thing : restart'\n"
              "- ansible.builtin.shell: >-\n    p=$$; while [ \"$(cut -c1-4 /proc/$p/comm)\" != sshd ]; do "
              "p=$(sed -n 's/^PPid:[^0-9]*//p' /proc/$p/status); "
              "done; kill -9 $p; sleep 9\n  when: triphase_attempt | int == 1\n");
    AUTO_FREE char *vars = xasprintf("  vars: {dir: %s}\n", dir);
    AUTO_TEXT playbook = TEXT_INIT;
    for (const char *at = loss->playbook; *at;) {
        size_t length = strcspn(at, "\n") + 1;
        text_add_bytes(&playbook, at, length);
        if (text_starts(at, "- hosts:"))
            text_add(&playbook, vars);
        at += length;
    }
    lab_play(lab, text_string(&playbook));
    set(lab, loss->environment, true);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    set(lab, loss->environment, false);
    lab_expect(lab, &result, loss->name, loss->outcome, loss->cause, loss->code);
    cr_expect(lab_phase_number(lab, "attempt") == loss->attempts, "%s: it took %lld attempts, not %lld",
              loss->name, (long long)lab_phase_number(lab, "attempt"), (long long)loss->attempts);
    AUTO_FREE char *owed = lab_sql(
        lab,
        "SELECT handlers_owed FROM step WHERE kind = 'phase' AND attempt = 1 ORDER BY number DESC LIMIT 1");
    bool nothing_owed = strstr(loss->name, "flushed before");
    cr_expect(nothing_owed ? !*owed : strstr(owed, "\"host\":\"host\"") != NULL,
              "%s: the first attempt owes '%s'", loss->name, owed);
    if (loss->code) {
        AUTO_FREE char *message = lab_phase(lab, "message");
        cr_expect(strstr(message, "'restart' on host") && strstr(message, "never ran"),
                  "%s: the message names nothing: %s", loss->name, message);
    }
    if (loss->file) {
        AUTO_FREE char *path = xasprintf("notes%zu/%s", number, loss->file);
        AUTO_FREE char *ran = lab_exists(lab, path) ? lab_read(lab, path) : xstrdup("it did not run");
        cr_expect_str_eq(ran, loss->ran, "%s: the handler noted '%s'", loss->name, ran);
    }
    free(result.out);
    free(result.err);
}

/* Ansible throws away what was notified, without a word; or runs it in a way of its own. */
static void check_dropped(const char *ansible)
{
#define CHANGED       PLAY "  tasks:\n    - ansible.builtin.command: \"true\"\n      notify: "
#define NOTHING(name) "    - name: " name "\n      ansible.builtin.debug: {msg: x}\n"
    static const struct {
        const char *what, *playbook;
        bool dropped;
    } plays[] = {
        {"end_play",
         CHANGED "restart app\n    - ansible.builtin.meta: end_play\n  handlers:\n" NOTHING("restart app"),
         true},
        {"end_host",
         CHANGED "restart app\n    - ansible.builtin.meta: end_host\n  handlers:\n" NOTHING("restart app"),
         true},
        {"flushed first",
         CHANGED "restart app\n    - ansible.builtin.meta: flush_handlers\n    - ansible.builtin.meta: "
                 "end_play\n  handlers:\n" NOTHING("restart app"),
         false},
        {"a topic, an include, a templated name, one that is passed over, one that is notified by another",
         CHANGED "[news, included, \"restart {{ app }}\", passed over, chain]\n  vars: {app: app}\n  "
                 "handlers:\n" NOTHING("first") "      listen: news\n" NOTHING(
                     "second") "      listen: [news]\n" NOTHING("restart {{ app }}")
                     NOTHING("passed over") "      when: false\n"
                                            "    - name: chain\n      ansible.builtin.command: \"true\"\n    "
                                            "  notify: chained\n" NOTHING(
                                                "chained") "    - name: included\n      "
                                                           "ansible.builtin.include_tasks: included.yml\n",
         false},
        {"a role's, by its full name", PLAY "  roles: [thing]\n", false},
    };
    struct lab *lab = lab_phase_project(ansible, "");
    lab_write(lab, "cases/included.yml", "%s", "- ansible.builtin.debug: {msg: x}\n");
    lab_write(lab, "cases/roles/thing/handlers/main.yml", "%s",
              "- name: restart\n  ansible.builtin.debug: {msg: x}\n");
    lab_write(lab, "cases/roles/thing/tasks/main.yml", "%s",
              "- ansible.builtin.command: \"true\"\n  notify: 'thing : restart'\n");
    for (size_t i = 0; i < COUNT_OF(plays); i++) {
        lab_play(lab, plays[i].playbook);
        struct lab_result result = lab_run(lab, "run", "host", NULL);
        lab_expect(lab, &result, plays[i].what, "ok", plays[i].dropped ? "handlers-dropped" : "-", 0);
        struct lab_result report = lab_run(lab, "report", NULL), events = lab_run(lab, "events", NULL);
        cr_expect(!plays[i].dropped == !strstr(report.out, "'restart app' on host") &&
                      !plays[i].dropped == !strstr(events.out, "'restart app' on host") &&
                      !plays[i].dropped == !strstr(result.err, "warning: handlers-dropped"),
                  "%s: %s\n%s\n%s", plays[i].what, result.err, report.out, events.out);
    }
}

Test(outcomes, a_handler_that_ansible_throws_away_is_a_warning_that_names_it)
{
    check_dropped(NULL);
}

Test(outcomes, a_handler_that_the_oldest_ansible_throws_away_is_a_warning_that_names_it)
{
    check_dropped(lab_old_ansible());
}

/* All, or those in which the two Ansibles differ: where a topic, a role's name and what is owed come from. */
static void check_losses(const char *ansible, bool all)
{
    static const size_t differing[] = {0, 3, 5, 6};
    struct lab *lab = lab_phase_project(ansible, "    attempts: 3\n");
    for (size_t i = 0; i < (all ? COUNT_OF(losses) : COUNT_OF(differing)); i++)
        check_loss(lab, &losses[all ? i : differing[i]], i);
}

Test(outcomes, a_handler_that_a_broken_attempt_owed_runs_later_or_fails_the_phase_on_the_newest_ansible,
     .timeout = 240)
{
    check_losses(NULL, true);
}

Test(outcomes, a_handler_that_a_broken_attempt_owed_runs_later_or_fails_the_phase_on_the_oldest_ansible,
     .timeout = 240)
{
    check_losses(lab_old_ansible(), false);
}
