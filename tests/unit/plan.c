/* What a plan finds without a host: with a program in Ansible's place where only its answers matter. */
#include "preflight/plan.h"

#include "ansible/host_variables.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "folder.h"
#include "process/child.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(plan, .timeout = 60, .init = folder_fill, .fini = folder_clean);

static void write_program(const char *path, const char *text)
{
    folder_write(path, text);
    AUTO_FREE char *full = folder_path(path);
    cr_assert_eq(chmod(full, 0755), 0);
}

/* A program in Ansible's place, in which everything but its version is `body`. */
static void ansible_is(const char *body)
{
    AUTO_FREE char *text = xasprintf(
        "#!/bin/sh\n[ \"$1\" != --version ] || { echo 'ansible-playbook [core 2.19.14]'; exit 0; }\n%s",
        body);
    write_program("bin/ansible-playbook", text);
    write_program("bin/ansible-inventory", text);
    folder_write("triphase.yml",
                 "project: demo\nansible: bin/ansible-playbook\ntargets:\n  vault:\n    recipe: vault\n");
}

static struct plan_report plan(const struct plan_options *options)
{
    AUTO_PROJECT *project = folder_load();
    struct plan_report report = {0};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(plan_check(project, &project->targets[0], options, &report, &err), 0, "%s",
                 error_text(&err));
    return report;
}

/* All findings, "error: WHERE: TEXT" or "warning: …", a line each. malloc'ed. */
static char *findings(const struct plan_report *report)
{
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < report->count; i++)
        text_addf(&out, "%s: %s: %s\n", report->findings[i].refuses ? "error" : "warning",
                  report->findings[i].where ? report->findings[i].where : "", report->findings[i].text);
    return text_take(&out);
}

Test(plan, what_hangs_while_ansible_is_asked_ends_the_plan_in_time_and_is_named)
{
    ansible_is("\"$(dirname \"$0\")\"/vault-pass.sh\n");
    write_program("bin/vault-pass.sh", "#!/bin/sh\nsleep 1000\n:\n");
    int64_t began = moment_monotonic();
    struct plan_report report = plan(&(struct plan_options){.questions_ns = NS_PER_S});
    cr_assert_lt(moment_monotonic() - began, 10 * NS_PER_S);
    AUTO_FREE char *all = findings(&report);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(plan_error(&report, &err), -1);
    cr_assert_eq(err.kind, ERROR_PROJECT);
    cr_has(all, "it waited for: /bin/sh");
    const char *named = strstr(all, "bin/vault-pass.sh");
    cr_assert(named, "%s", all);
    cr_assert_null(strstr(named + 1, "bin/vault-pass.sh"), "told once, not for each question: %s", all);
    plan_report_clear(&report);
}

/* What an Ansible is asked that answers at once: one line for each question, malloc'ed. `says`: the host's
 * variables; `options`: of the plan. */
static char *questions_asked(const char *says, struct plan_report *out)
{
    AUTO_FREE char *log = folder_path("asked"), *body = xasprintf("echo \"$(basename \"$0\") $*\" >>%s\n"
                                                                  "case $0 in\n"
                                                                  "*-inventory) echo '%s' ;;\n"
                                                                  "*) for last; do :; done\n"
                                                                  "   echo \"playbook: $last\"\n"
                                                                  "   echo '    hosts (1):' ;;\n"
                                                                  "esac\n",
                                                                  log, says);
    folder_write("asked", "");
    folder_write("inventory/hosts", "[all:vars]\nx=1\n");
    ansible_is(body);
    AUTO_PROJECT *project = folder_load();
    AUTO_ERROR err = ERROR_INIT;
    host_variables_fill(project, "vault", NULL);
    host_variables_fill(project, "vault", NULL);
    cr_assert_eq(plan_check(project, &project->targets[0], &(struct plan_options){0}, out, &err), 0, "%s",
                 error_text(&err));
    AUTO_TEXT asked = TEXT_INIT;
    cr_assert_eq(file_read(log, 1 << 20, &asked, NULL), 0);
    return text_take(&asked);
}

static size_t times(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

Test(plan, ansible_is_asked_for_a_host_once_and_the_plan_goes_by_that_answer)
{
    struct plan_report report = {0};
    AUTO_FREE char *asked = questions_asked("{\"x\": 1, \"ansible_password\": \"y\"}", &report);
    AUTO_FREE char *all = findings(&report);
    cr_assert_eq(times(asked, "ansible-inventory "), 1, "%s", asked);
    cr_assert_eq(times(asked, "ansible-playbook "), 1, "%s", asked);
    cr_has(all, "variable ansible_password of host vault is set and not used");
    plan_report_clear(&report);
}

Test(plan, a_host_is_asked_for_again_where_the_first_answer_cannot_tell_which_of_two_values_counts)
{
    struct plan_report report = {0};
    AUTO_FREE char *asked = questions_asked("{\"ansible_ssh_common_args\": \"-o X=y\"}", &report);
    AUTO_FREE char *all = findings(&report);
    cr_assert_eq(times(asked, "ansible-inventory "), 2, "%s", asked);
    cr_has(all, "variable ansible_ssh_common_args of host vault is '-o X=y', but triphase rendered");
    plan_report_clear(&report);
}

Test(plan, what_hung_when_the_host_was_asked_for_is_named_by_the_plan_which_does_not_ask_again)
{
    ansible_is("echo x >>\"$(dirname \"$0\")\"/asked\n");
    AUTO_PROJECT *project = folder_load();
    struct target *target = &project->targets[0];
    target->unanswered = xstrdup("Ansible: it did not end in time; it waited for: script");
    struct plan_report report = {0};
    AUTO_ERROR err = ERROR_INIT;
    host_variables_fill(project, "vault", NULL);
    cr_assert_eq(plan_check(project, target, &(struct plan_options){0}, &report, &err), 0);
    AUTO_FREE char *all = findings(&report), *log = folder_path("bin/asked");
    cr_has(all, "error: : Ansible: it did not end in time; it waited for: script");
    cr_assert(!file_exists(log));
    plan_report_clear(&report);
}

/* A plan of a target with these vault passwords, whose programs write to `asked` when they begin. */
static char *findings_with_vault_passwords(const char *passwords, double *seconds, size_t *read)
{
    AUTO_FREE char *log = folder_path("asked");
    AUTO_TEXT asked = TEXT_INIT;
    ansible_is("echo 'playbook: x'; echo '    hosts (1):'\n");
    AUTO_FREE char *text =
        xasprintf("project: demo\nansible: bin/ansible-playbook\ntargets:\n  vault:\n    recipe: "
                  "vault\n    vault_passwords:\n%s",
                  passwords);
    folder_write("asked", "");
    folder_write("triphase.yml", text);
    folder_write("inventory/hosts", "[all:vars]\nx=1\n");
    write_program("slow", "#!/bin/sh\necho x >>asked\nsleep \"$1\"\necho secret\n");
    write_program("fails", "#!/bin/sh\necho x >>asked\necho \"$1 is locked\" >&2\nexit 1\n");
    AUTO_PROJECT *project = folder_load();
    struct plan_report report = {0};
    AUTO_ERROR err = ERROR_INIT;
    int64_t began = moment_monotonic();
    host_variables_fill(project, "vault", NULL);
    cr_assert_eq(plan_check(project, &project->targets[0], &(struct plan_options){0}, &report, &err), 0, "%s",
                 error_text(&err));
    *seconds = (double)(moment_monotonic() - began) / (double)NS_PER_S;
    cr_assert_eq(file_read(log, 1 << 20, &asked, NULL), 0);
    *read = times(text_string(&asked), "x");
    char *all = findings(&report);
    plan_report_clear(&report);
    return all;
}

Test(plan, slow_vault_passwords_are_read_once_and_side_by_side)
{
    double seconds;
    size_t read;
    AUTO_FREE char *all = findings_with_vault_passwords("      a: {command: [./slow, '3']}\n"
                                                        "      b: {command: [./slow, '3']}\n"
                                                        "      c: {command: [./slow, '3']}\n"
                                                        "      d: {file: slow}\n",
                                                        &seconds, &read);
    cr_has_not(all, "vault password");
    cr_assert_eq(read, 3);
    cr_assert_lt(seconds, 8.0);
}

Test(plan, each_vault_password_that_cannot_be_read_is_named_once)
{
    double seconds;
    size_t read;
    AUTO_FREE char *all = findings_with_vault_passwords("      one: {command: [./fails, first]}\n"
                                                        "      fine: {command: [./slow, '0']}\n"
                                                        "      two: {command: [./fails, second]}\n",
                                                        &seconds, &read);
    cr_has(all, "target vault, vault password one: secret from the command ./fails: it exited with 1: first");
    cr_has(all, "target vault, vault password two: secret from the command ./fails");
    cr_assert_eq(times(all, "vault password one"), 1, "%s", all);
    cr_has_not(all, "vault password fine");
    cr_assert_eq(read, 3);
}

/* ------------------------------------------------------------ what playbooks say */

/* A project whose Ansible is never asked: what stands in its files is all that is looked at. */
static void playbook_is(const char *phase_keys, const char *text)
{
    AUTO_FREE char *recipe =
        xasprintf("phases:\n  - name: install\n    playbook: playbooks/install.yml\n    silence: 10s\n%s",
                  phase_keys);
    folder_write(
        "triphase.yml",
        "project: demo\nansible: /nonexistent/ansible-playbook\ntargets:\n  vault:\n    recipe: vault\n");
    folder_write("phases/vault.yml", recipe);
    folder_write("playbooks/install.yml", text);
}

/* The same of a whole project: tests/cases/plan/NAME. */
static void case_is(const char *name)
{
    AUTO_FREE char *path = xasprintf("plan/%s", name);
    folder_case(path);
    folder_sets("ansible=/nonexistent/ansible-playbook", NULL);
}

/* Its warnings, and what refuses it for another reason than that Ansible. malloc'ed. */
static char *said(const char *const *environment)
{
    struct plan_report report = plan(&(struct plan_options){.environment = environment});
    AUTO_FREE char *all = findings(&report);
    struct text out = TEXT_INIT;
    char *rest = NULL;
    for (char *line = strtok_r(all, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (!strstr(line, "/nonexistent/ansible-playbook") && !strstr(line, "/dev/net/tun") &&
            strstr(line, "playbooks/"))
            text_addf(&out, "%s\n", line);
    plan_report_clear(&report);
    return text_take(&out);
}

static size_t lines_in(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == '\n';
    return count;
}

Test(plan, a_pause_that_waits_for_a_key_is_named_and_one_that_ends_by_itself_is_not)
{
    case_is("pauses");
    AUTO_FREE char *all = said(NULL);
    cr_has(all, "warning: playbooks/install.yml:3: pause without seconds or minutes");
    cr_has(all, "warning: playbooks/install.yml:5: pause");
    cr_has(all, "warning: playbooks/install.yml:6: pause");
    cr_assert_eq(lines_in(all), 3, "%s", all);
}

Test(plan, the_task_debugger_is_named_and_one_that_always_asks_is_refused)
{
    case_is("debugger");
    AUTO_FREE char *all = said(NULL);
    cr_has(all, "warning: playbooks/install.yml:2: the task debugger (on_failed)");
    cr_has(all, "error: playbooks/install.yml:5: the task debugger (always)");
    cr_has(all, "warning: playbooks/install.yml:9: the task debugger (on_failed)");
    cr_assert_eq(lines_in(all), 3, "%s", all);
}

Test(plan, tasks_that_are_still_for_longer_than_their_phase_allows_are_named_with_the_key)
{
    case_is("stillness");
    AUTO_FREE char *all = said(NULL);
    cr_has(all, "playbooks/install.yml:3: silence of phase install is 10.0s, and pause (seconds: 25) can be "
                "still for "
                "25.0s: it is ended before that; give the phase a longer 'silence'");
    cr_has(all, "playbooks/install.yml:4: silence of phase install is 10.0s, and pause (minutes: 0.5) can be "
                "still for "
                "30.0s");
    cr_has(all, "playbooks/install.yml:5: silence of phase install is 10.0s, and wait_for (timeout: 600)");
    cr_has(all,
           "playbooks/install.yml:6: silence of phase install is 10.0s, and wait_for_connection (delay: 10)");
    cr_has(all,
           "playbooks/install.yml:7: silence of phase install is 10.0s, and reboot (reboot_timeout: 900)");
    cr_has(all, "playbooks/install.yml:9: silence of phase install is 10.0s, and until (delay: 15)");
    cr_has(all, "playbooks/install.yml:13: silence of phase install is 10.0s, and async (poll: 60)");
    cr_has(all, "playbooks/install.yml:15: silence of phase install is 10.0s, and shell (sleep) can be still "
                "for 2m00s");
    cr_assert_eq(lines_in(all), 8, "%s", all);
    playbook_is("    task: 8s\n", "- hosts: all\n  tasks:\n    - pause: {seconds: 9}\n");
    AUTO_FREE char *task = said(NULL);
    cr_has(task, "task of phase install is 8.00s, and pause (seconds: 9)");
    playbook_is("", "- hosts: all\n  tasks:\n    - pause: {seconds: 9}\n");
    AUTO_FREE char *none = said(NULL);
    cr_assert_str_eq(none, "");
}

Test(plan, an_async_directory_that_mitogen_does_not_know_is_named_where_a_task_would_use_it)
{
    case_is("mitogen-async");
    AUTO_FREE char *by_play = said(NULL);
    cr_has(by_play, "warning: playbooks/install.yml:3: ansible_async_dir is set here, and async tasks under "
                    "strategy mitogen_linear fail with it");
    cr_assert_eq(lines_in(by_play), 1, "%s", by_play);
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "HOME=/root",
                                              "ANSIBLE_STRATEGY=mitogen.mitogen_free",
                                              "ANSIBLE_ASYNC_DIR=/tmp/own", NULL};
    AUTO_FREE char *by_environment = said(environment);
    cr_has(by_environment, "warning: playbooks/install.yml:3: ");
    cr_has(by_environment, "warning: playbooks/install.yml:6: this async task fails under strategy "
                           "mitogen_linear: mitogen keeps its jobs in ~/.ansible_async whatever it is told, "
                           "and they are looked for where environment ANSIBLE_ASYNC_DIR says");
    cr_has(by_environment, "warning: playbooks/install.yml:11: ansible_async_dir is set here");
    cr_has(by_environment, "warning: playbooks/install.yml:13: this async task fails under strategy "
                           "mitogen.mitogen_free");
    cr_assert_eq(lines_in(by_environment), 4, "%s", by_environment);
}

Test(plan, variables_of_this_machine_that_a_phase_would_not_see_are_named_wherever_they_are_read)
{
    static const char *const environment[] = {
        "PATH=/usr/bin:/bin", "HOME=/root", "TOKEN=a", "SECOND=b", "THIRD=c",
        "FOURTH=d",           "EMPTY=",     "GIVEN=e", NULL};
    case_is("environment");
    AUTO_FREE char *all = said(environment);
    cr_has(all,
           "warning: playbooks/install.yml:7: the environment variable TOKEN is read here: it is set "
           "on this machine, and phases do not see it; name it under the target's 'env:' (env: [TOKEN])");
    cr_has(all, "playbooks/install.yml:7: the environment variable SECOND");
    cr_has(all, "playbooks/install.yml:9: the environment variable THIRD");
    cr_has(all, "playbooks/install.yml:11: the environment variable FOURTH");
    cr_has(all, "playbooks/roles/r/defaults/main.yml:2: the environment variable SECOND");
    cr_has(all, "playbooks/roles/r/templates/x.j2:2: the environment variable THIRD");
    cr_has(all, "playbooks/group_vars/all/main.yml:1: the environment variable TOKEN");
    cr_assert_eq(lines_in(all), 7, "%s", all);
}

Test(plan, variables_that_inventories_and_the_projects_own_variables_read_are_named_too)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "TOKEN=a", NULL};
    case_is("environment-of-variables");
    struct plan_report report = plan(&(struct plan_options){.environment = environment});
    AUTO_FREE char *all = findings(&report);
    cr_has(all, "warning: inventory/hosts:2: the environment variable TOKEN");
    cr_has(all, "warning: phases/vault.yml:5: the environment variable TOKEN");
    cr_has(all, "warning: target vault, vars:");
    plan_report_clear(&report);
}

Test(plan, facts_of_a_play_on_this_machine_are_read_as_lookups_are)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "TOKEN=a", "SECOND=b", NULL};
    case_is("environment-of-facts");
    AUTO_FREE char *all = said(environment);
    cr_has(all, "playbooks/install.yml:3: the environment variable TOKEN is read here");
    cr_has(all, "playbooks/install.yml:3: the environment variable SECOND");
    cr_has(all, "playbooks/install.yml:4: the environment variable SECOND");
    cr_assert_eq(lines_in(all), 3, "%s", all);
}

Test(plan, tasks_in_the_forms_of_action_and_local_action_are_looked_at_too)
{
    case_is("action-forms");
    AUTO_FREE char *all = said(NULL);
    cr_has(all, "playbooks/install.yml:3: pause without seconds or minutes");
    cr_has(all, "playbooks/install.yml:4: silence of phase install is 10.0s, and pause (seconds: 60)");
    cr_has(all, "playbooks/install.yml:5: ssh is stopped or restarted");
    cr_has(all, "playbooks/install.yml:7: pause without seconds or minutes");
    cr_assert_eq(lines_in(all), 4, "%s", all);
}

Test(plan, what_a_roles_entry_and_an_apply_say_of_the_connection_is_looked_at_as_a_blocks)
{
    case_is("role-entries");
    AUTO_FREE char *all = said(NULL);
    cr_has(all,
           "error: playbooks/install.yml:3: 'remote_user: bob' has no effect beside the rendered variable");
    cr_has(all, "error: playbooks/install.yml:5: 'port: 2222' has no effect");
    cr_has(all, "error: playbooks/install.yml:8: ansible_control_path is set here");
    cr_has(all, "error: playbooks/install.yml:9: ansible_host is set here");
    cr_has(all, "error: playbooks/install.yml:14: 'remote_user: carol' has no effect");
    cr_has(all, "error: playbooks/install.yml:18: 'port: 3333' has no effect");
    cr_has(all, "error: playbooks/install.yml:22: the task debugger (always)");
    cr_has(all, "error: playbooks/install.yml:25: 'remote_user: dave' has no effect");
    cr_has(all, "error: playbooks/roles/r/meta/main.yml:3: 'remote_user: erin' has no effect");
    cr_assert_eq(lines_in(all), 9, "%s", all);
}

Test(plan, a_secret_that_is_looked_for_in_the_environment_is_told_apart)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "TOKEN=a", "OTHERS=b", "PLAIN=c", NULL};
    playbook_is("", "- hosts: all\n  vars:\n    a: \"{{ lookup('env', 'TOKEN') }}\"\n"
                    "    b: \"{{ lookup('env', 'OTHERS') }}\"\n    c: \"{{ lookup('env', 'PLAIN') }}\"\n");
    folder_write("triphase.yml",
                 "project: demo\nansible: /nonexistent/ansible-playbook\ntargets:\n  vault:\n    recipe: "
                 "vault\n    secrets: {token: {env: TOKEN}}\n  other:\n    recipe: vault\n"
                 "    become_password: {env: OTHERS}\n");
    AUTO_PROJECT *project = folder_load();
    project_secret_variables(project, child_keep_back);
    AUTO_FREE char *all = said(environment);
    cr_has(all, "the environment variable TOKEN is read here: a secret is read from it");
    cr_has(all, "the environment variable OTHERS is read here: a secret is read from it");
    cr_has(all, "the environment variable PLAIN is read here: it is set on this machine");
}

Test(plan, handlers_that_are_thrown_away_before_they_ran_are_named_with_who_notifies_them)
{
    case_is("handlers-thrown-away");
    AUTO_FREE char *all = said(NULL);
    cr_has(all, "warning: playbooks/install.yml:7: meta: end_host throws away the handler 'from z', which "
                "playbooks/roles/r/tasks/z.yml:4 notifies");
    cr_has(all, "playbooks/install.yml:7: meta: end_host throws away the handler 'from main'");
    cr_has(all, "playbooks/install.yml:13: meta: end_play throws away the handler 'restart app', which "
                "playbooks/install.yml:12 notifies");
    cr_has(all, "playbooks/install.yml:13: meta: end_play throws away the handler 'reload proxy'");
    cr_assert_eq(lines_in(all), 4, "%s", all);
}

Test(plan, an_ignored_failure_that_would_notify_is_named_with_the_way_out)
{
    playbook_is(
        "", "- hosts: all\n  tasks:\n"
            "    - command: a\n      ignore_errors: true\n      notify: reload\n"
            "    - command: b\n      ignore_errors: true\n      failed_when: false\n      notify: reload\n"
            "    - command: c\n      ignore_errors: false\n      notify: reload\n"
            "    - command: d\n      ignore_errors: true\n");
    AUTO_FREE char *all = said(NULL);
    cr_has(all, "warning: playbooks/install.yml:4: ignore_errors beside notify");
    cr_has(all, "'failed_when'");
    cr_assert_eq(lines_in(all), 1, "%s", all);
}

/* ------------------------------------------------------------ what this machine lacks */

Test(plan, a_secret_whose_file_variable_or_program_is_missing_is_refused_without_reading_or_running_one)
{
    case_is("secrets-missing");
    struct plan_report report = plan(&(struct plan_options){0});
    AUTO_FREE char *all = findings(&report);
    static const char *const refused[] = {
        "secret gone: the file ",
        "secret empty: the file ",
        "secret folder: the file ",
        "secret unset: the environment variable TRIPHASE_TEST_NOT_SET is not set",
        "secret closed: the descriptor 999 is not open",
        "secret nothing: the program no-such-program is not to be found in PATH",
        "secret not_beside: the program ",
        "secret text: the program ",
        "become_password: the file ",
        "vault_passwords id: the file "};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        AUTO_FREE char *line = xasprintf("error: target vault, %s", refused[i]);
        cr_has(all, line);
    }
    cr_has(all, "gone: No such file or directory");
    cr_has(all, "no-program is not executable (chmod +x)");
    cr_assert_null(strstr(all, "_there:"), "what is there is no finding: %s", all);
    AUTO_FREE char *trace = folder_path("was-run");
    cr_assert(!file_exists(trace));
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(plan_error(&report, &err), -1);
    cr_assert_eq(err.kind, ERROR_PROJECT, "%s", error_text(&err));
    plan_report_clear(&report);
}

static char *findings_of_static(const char *keys)
{
    playbook_is("", "[]\n");
    AUTO_FREE char *text =
        xasprintf("project: demo\nansible: /nonexistent/ansible-playbook\ntargets:\n  vault:\n    "
                  "recipe: vault\n    provider: static\n    address: 192.0.2.77\n%s",
                  keys);
    folder_write("triphase.yml", text);
    struct plan_report report = plan(&(struct plan_options){0});
    char *all = findings(&report);
    plan_report_clear(&report);
    return all;
}

Test(plan, what_the_way_to_a_static_host_needs_here_is_looked_for_before_anything_is_made)
{
    folder_write("key", "a key\n");
    folder_write("open", "a key that others can read\n");
    folder_write("held-by-agent.pub", "its public part\n");
    AUTO_FREE char *key = folder_path("key"), *open = folder_path("open");
    cr_assert(chmod(key, 0600) == 0 && chmod(open, 0644) == 0 && unsetenv("SSH_AUTH_SOCK") == 0);
    AUTO_FREE char *unknown = findings_of_static("");
    cr_has(unknown, "no host key of 192.0.2.77 is known");
    AUTO_FREE char *no_file = findings_of_static("    host_keys: {file: gone}\n");
    cr_has(no_file, "host_keys");
    cr_has(no_file, "No such file");
    AUTO_FREE char *no_key = findings_of_static("    host_keys: accept-new\n    key: gone\n");
    cr_has(no_key, "error: target vault, key: there is no private key ");
    AUTO_FREE char *circle = folder_path("circle");
    cr_assert_eq(symlink("circle", circle), 0);
    AUTO_FREE char *unseen =
        findings_of_static("    host_keys: accept-new\n    key: circle/key\n    secrets: "
                           "{a: {command: [./circle/give]}}\n");
    cr_has(unseen, "error: target vault, key: the private key cannot be used: cannot look at ");
    cr_has(unseen, "error: target vault, secret a: the program cannot be run: cannot look at ");
    AUTO_FREE char *loose = findings_of_static("    host_keys: accept-new\n    key: open\n");
    cr_has(loose, "error: target vault, key: the private key ");
    cr_has(loose, "(mode 0644), and ssh takes no such key: chmod 600 ");
    static const char *const fine[] = {"key", "held-by-agent", "agent"};
    for (size_t i = 0; i < COUNT_OF(fine); i++) {
        AUTO_FREE char *keys = xasprintf("    host_keys: accept-new\n    key: %s\n", fine[i]);
        AUTO_FREE char *all = findings_of_static(keys);
        cr_has_not(all, "target vault");
    }
}

Test(plan, a_vault_password_file_of_ansibles_settings_is_there_and_a_script_is_one)
{
    playbook_is("", "[]\n");
    folder_write("ansible.cfg", "[defaults]\nvault_password_file = pass.sh\n");
    struct plan_report report = plan(&(struct plan_options){0});
    AUTO_FREE char *gone = findings(&report);
    cr_has(gone, "error: ansible.cfg:2: there is no vault_password_file ");
    plan_report_clear(&report);
    AUTO_FREE char *circle = folder_path("pass.sh");
    cr_assert_eq(symlink("pass.sh/x", circle), 0);
    folder_write("ansible.cfg", "[defaults]\nvault_password_file = pass.sh/x\n");
    report = plan(&(struct plan_options){0});
    AUTO_FREE char *unseen = findings(&report);
    cr_has(unseen, "error: ansible.cfg:2: the vault_password_file cannot be used: cannot look at ");
    plan_report_clear(&report);
    cr_assert_eq(unlink(circle), 0);
    folder_write("ansible.cfg", "[defaults]\nvault_password_file = pass.sh\n");
    folder_write("pass.sh", "#!/bin/sh\necho secret\n");
    report = plan(&(struct plan_options){0});
    AUTO_FREE char *text = findings(&report);
    cr_has(text, "warning: ansible.cfg:2: the vault_password_file ");
    plan_report_clear(&report);
    write_program("pass.sh", "#!/bin/sh\necho secret\n");
    report = plan(&(struct plan_options){0});
    AUTO_FREE char *fine = findings(&report);
    cr_has_not(fine, "vault_password_file");
    plan_report_clear(&report);
}

Test(plan, a_root_tree_that_is_not_there_is_refused_before_anything_is_made)
{
    playbook_is("", "[]\n");
    folder_write("triphase.yml",
                 "project: demo\nansible: /nonexistent/ansible-playbook\ntargets:\n  vault:\n    recipe: "
                 "vault\n    root: ./gone.tar\n");
    struct plan_report report = plan(&(struct plan_options){0});
    AUTO_FREE char *all = findings(&report);
    cr_has(all, "gone.tar");
    plan_report_clear(&report);
}

Test(plan, a_proxy_command_of_the_users_ssh_config_is_there_and_is_one_that_a_transport_can_keep)
{
    static const char jump[] = "    host_keys: accept-new\n    jump: me@gate:22\n";
    folder_write("ansible.cfg", "[ssh_connection]\nssh_args = -F ssh.cfg\n");
    folder_write("ssh.cfg", "Host gate\n    ProxyCommand no-such-program %h %p\n");
    AUTO_FREE char *gone = findings_of_static(jump);
    cr_has(gone, "reaches the jump host gate by the ProxyCommand 'no-such-program %h %p', whose program is "
                 "not to be found");
    static const char *const fine[] = {"cat %h", "exec /bin/cat", "$HOME/made-out-by-a-shell %h", "none"};
    for (size_t i = 0; i < COUNT_OF(fine); i++) {
        AUTO_FREE char *text = xasprintf("Host gate\n    ProxyCommand %s\n", fine[i]);
        folder_write("ssh.cfg", text);
        AUTO_FREE char *all = findings_of_static(jump);
        cr_has_not(all, "ProxyCommand");
    }
    folder_write("ssh.cfg", "Host 192.0.2.77\n    ProxyCommand cat %h\n");
    AUTO_FREE char *replaced = findings_of_static("    host_keys: accept-new\n");
    cr_has(replaced, "reaches 192.0.2.77 by a ProxyCommand, which a transport of triphase would replace");
}
