/* The user's own Ansible settings, inventories, secrets and arguments, with a real ansible-playbook; and what no secret may ever be found in. */
#include "../lab/hidden.h"
#include "../lab/phase.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "mechanism/program.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PLAY "- hosts: recipe_work\n  gather_facts: false\n"

/* Further lines of the target `host`. */
static void add_to_target(struct lab *lab, const char *lines)
{
    AUTO_FREE char *was = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml", "%s%s", was, lines);
}

static struct lab_result create(struct lab *lab, const char *what, int code)
{
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(result.code, code, "%s: exit %d\n%s", what, result.code, result.err);
    return result;
}

static void check_own_settings(const char *ansible)
{
    struct lab *lab = lab_new();
    if (ansible)
        lab_ansible(lab, ansible);
    lab_static_project(lab, "    vars: {of_phase: 1}\n    args: ['-e', 'of_args=2']\n",
                       PLAY "  roles: [mine]\n  tasks:\n    - ansible.builtin.assert:\n        that:\n       "
                            "   - of_role == 'r'\n          - of_group == 'g'\n"
                            "          - of_host == 'h'\n          - of_phase | int == 1\n          - "
                            "of_args | int == 2\n          - \"'backend' in group_names\"\n"
                            "          - neighbour in groups.backend\n          - "
                            "lookup('ansible.builtin.env', 'LET_THROUGH') == 'yes'\n"
                            "          - lookup('ansible.builtin.env', 'NOT_LET_THROUGH') == ''\n          - "
                            "lookup('ansible.builtin.env', 'HCLOUD_TOKEN') == ''\n"
                            "          - lookup('ansible.builtin.env', 'TRIPHASE_EVENTS') == ''\n");
    lab_write(lab, "ansible.cfg", "%s",
              "[defaults]\nroles_path = ./own/roles\ncallback_plugins = ./own/callbacks\ncallbacks_enabled = "
              "noter\nforks = 3\n[ssh_connection]\nssh_args = -o "
              "IdentitiesOnly=yes\n");
    lab_write(lab, "own/roles/mine/vars/main.yml", "of_role: r\n");
    lab_write(lab, "own/roles/mine/tasks/main.yml", "- ansible.builtin.command: 'true'\n");
    lab_write(lab, "own/callbacks/noter.py", "%s",
              "import os\nfrom ansible.plugins.callback import CallbackBase\nDOCUMENTATION = '''\nname: "
              "noter\ntype: aggregate\nshort_description: notes\n"
              "description: [notes]\n'''\nclass CallbackModule(CallbackBase):\n    CALLBACK_VERSION = 2.0\n  "
              "  CALLBACK_TYPE = 'aggregate'\n    CALLBACK_NAME = "
              "'noter'\n    CALLBACK_NEEDS_ENABLED = True\n    def v2_runner_on_ok(self, result):\n        "
              "with open('noted', 'a') as file:\n            "
              "file.write('ok\\n')\n");
    lab_write(lab, "inventory/hosts", "[backend]\nhost\nother ansible_host=127.0.0.1\n");
    lab_write(lab, "inventory/group_vars/backend.yml", "of_group: g\nneighbour: other\n");
    lab_write(lab, "inventory/host_vars/host.yml", "of_host: h\n");
    add_to_target(lab, "    env: [LET_THROUGH]\n");
    lab_environment(lab, "LET_THROUGH", "yes");
    lab_environment(lab, "NOT_LET_THROUGH", "yes");
    lab_environment(lab, "HCLOUD_TOKEN", "yes");
    create(lab, "own settings", 0);
    cr_expect(lab_exists(lab, "noted"), "the user's own callback did not run");
    cr_expect_eq(lab_phase_number(lab, "changed"), 1);
    cr_expect_eq(lab_phase_number(lab, "ok"), 1);
}

Test(settings, the_users_ansible_cfg_callbacks_roles_inventories_and_environment_count_on_the_newest_ansible)
{
    check_own_settings(NULL);
}

Test(settings, the_users_ansible_cfg_callbacks_roles_inventories_and_environment_count_on_the_oldest_ansible)
{
    check_own_settings(lab_old_ansible());
}

/* ------------------------------------------------------------ Ansible's own settings */

/* Takes a key away from the target. */
static void take_key(struct lab *lab, const char *name)
{
    AUTO_FREE char *was = lab_read(lab, "triphase.yml"), *start = xasprintf("    %s: ", name);
    char *at = strstr(was, start);
    cr_assert(at);
    char *end = strchr(at, '\n') + 1;
    memmove(at, end, strlen(end) + 1);
    lab_write(lab, "triphase.yml", "%s", was);
}

/* Key, port, interpreter and ssh's own configuration stand in ansible.cfg alone: what is verified first, and what Ansible then does, go by them. */
Test(settings, a_host_is_reached_and_verified_as_ansible_cfg_says)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "    attempts: 1\n",
                       PLAY
                       "  tasks:\n    - ansible.builtin.command: printenv SSH_CONNECTION\n      register: r\n"
                       "    - ansible.builtin.assert:\n        that: [\"ansible_python_interpreter == "
                       "'/usr/bin/python3'\", \"r.stdout.split()[3] == ansible_port | string\"]\n");
    AUTO_FREE char *setting =
        xasprintf("[defaults]\nremote_port = %d\nprivate_key_file = key\ninterpreter_python = "
                  "/usr/bin/python3\n[ssh_connection]\nssh_args = -F ssh.conf\n"
                  "ssh_extra_args = -o SetEnv=EXTRA=1\n",
                  lab_sshd(lab));
    static const char *const keys[] = {"port", "key", "python", "address"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        take_key(lab, keys[i]);
    add_to_target(lab, "    address: behind-a-name\n");
    lab_write(lab, "ssh.conf", "Host behind-a-name\n    HostName 127.0.0.1\n");
    lab_write(lab, "ansible.cfg", "%s", setting);
    create(lab, "as ansible.cfg says", 0);
    struct lab_result result = lab_run(lab, "config", "host", NULL);
    cr_expect(strstr(result.out, "ansible.cfg:2"), "%s", result.out);
    add_to_target(lab, "    user: somebody\n");
    lab_environment(lab, "ANSIBLE_REMOTE_USER", "other");
    result = lab_run(lab, "plan", "host", NULL);
    cr_expect_eq(result.code, 78);
    cr_expect(strstr(result.out, "environment ANSIBLE_REMOTE_USER: remote_user says 'other'") &&
                  strstr(result.out, "'user' says 'somebody'"),
              "%s", result.out);
}

Test(settings, a_plan_says_what_a_run_does_otherwise_than_the_settings_say)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", PLAY "  tasks: []\n");
    lab_write(lab, "hosts.ini", "host\n");
    lab_write(lab, "ansible.cfg",
              "[defaults]\ninventory = hosts.ini\nhost_key_checking = False\nask_pass = "
              "yes\n[ssh_connection]\nretries "
              "= 3\nssh_args = -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=60\n"
              "control_path = /tmp/x\n");
    struct lab_result result = lab_run(lab, "plan", "host", NULL);
    static const char *const said[] = {"ansible.cfg:2: the inventory is hosts.ini",
                                       "ansible.cfg:3: host_key_checking = False",
                                       "ansible.cfg:4: ask_pass = yes",
                                       "ansible.cfg:6: retries = 3",
                                       "ansible.cfg:7: ssh_args: ServerAliveInterval",
                                       "ansible.cfg:8: control_path",
                                       "6 warnings"};
    cr_expect_eq(result.code, 0);
    for (size_t i = 0; i < COUNT_OF(said); i++)
        cr_expect(strstr(result.out, said[i]), "'%s' is not said: %s", said[i], result.out);
    static const char *const refused[] = {"[defaults]\ntransport = paramiko\n",
                                          "[ssh_connection]\nssh_executable = /opt/wrapper\n",
                                          "[ssh_connection]\nssh_common_args = -o 'User=x\n"};
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        lab_write(lab, "ansible.cfg", "%s", refused[i]);
        result = lab_run(lab, "plan", "host", NULL);
        cr_expect_eq(result.code, 78, "%s: %s", refused[i], result.out);
    }
}

/* ------------------------------------------------------------ secrets */

#define FROM_ENV     "geh'eim-1 {{ 1 + 1 }} \\\"#: \xc3\xbc"
#define FROM_FILE    "geheim-2-file"
#define FROM_COMMAND "geheim-3-command"
#define FOR_VAULT    "geheim-4-vault"
#define FOR_BECOME   "geheim-5-become"

static const char *const hidden[] = {FROM_ENV,   FROM_FILE,   FROM_COMMAND, FOR_VAULT,
                                     FOR_BECOME, "geh'eim-1", "geheim-"};

/* A sudo that asks for its password as the real one does, and takes one only. */
static const char sudo[] = "#!/bin/sh\nprompt=\nwhile :; do case $1 in -p) prompt=$2; shift 2;; -u) shift "
                           "2;; -*) shift;; *) break;; esac; done\n"
                           "printf '%%s' \"$prompt\" >&2\nIFS= read -r given\n[ \"$given\" = \"$(cat "
                           "%s/sudo-password)\" ] || { echo 'Sorry, try again.' >&2; exit 1; }\n"
                           "exec \"$@\"\n";

static void encrypt(struct lab *lab, const char *path)
{
    AUTO_FREE char *full = file_join(lab_folder(lab), path),
                   *password = file_join(lab_folder(lab), "vault-password");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do(60 * NS_PER_S, NULL, &err, "ansible-vault", "encrypt", "--vault-password-file",
                         password, full, NULL) == 0,
              "%s", error_text(&err));
}

static struct lab *secret_project(const char *ansible)
{
    struct lab *lab = lab_new();
    if (ansible)
        lab_ansible(lab, ansible);
    lab_static_project(
        lab, "",
        PLAY "  vars_files: [../locked.yml]\n  tasks:\n"
             "    - ansible.builtin.copy: {dest: \"{{ playbook_dir }}/../got/{{ item }}\", content: \"{{ "
             "lookup('ansible.builtin.vars', item) }}\", "
             "mode: '0600'}\n      loop: [by_env, by_file, by_command, locked]\n      no_log: true\n"
             "    - ansible.builtin.command: id -un\n      become: true\n      vars: {ansible_become_exe: "
             "\"{{ playbook_dir }}/../sudo\"}\n"
             "    - ansible.builtin.wait_for: {path: \"{{ playbook_dir }}/../go\", timeout: 30}\n");
    AUTO_FREE char *fake = xasprintf(sudo, lab_folder(lab));
    lab_write(lab, "sudo", "%s", fake);
    lab_write(lab, "sudo-password", "%s\n", FOR_BECOME);
    lab_write(lab, "vault-password", "%s\n", FOR_VAULT);
    lab_write(lab, "by-file", "%s", FROM_FILE);
    lab_write(lab, "give", "#!/bin/sh\nprintf geheim\nprintf %%s -3-command\n");
    lab_write(lab, "got/.keep", "%s", "");
    lab_write(lab, "locked.yml", "locked: opened\n");
    encrypt(lab, "locked.yml");
    add_to_target(lab, "    secrets:\n      by_env: {env: BY_ENV}\n      by_file: {file: by-file}\n      "
                       "by_command: {command: [./give]}\n"
                       "    become_password: {file: sudo-password}\n    vault_passwords:\n      default: "
                       "{file: vault-password}\n    env: [BY_ENV]\n");
    lab_environment(lab, "BY_ENV", FROM_ENV);
    return lab;
}

static void check_secrets(const char *ansible)
{
    struct lab *lab = secret_project(ansible);
    AUTO_FREE char *waits = xasprintf("SELECT count(*) FROM task WHERE seq >= 2");
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_sql(lab, 60, waits), "the phase did not come so far: %s",
              lab_read(lab, "create.err"));
    AUTO_FREE char *run = lab_last_run(lab, "id");
    AUTO_FREE char *step = xasprintf("TRIPHASE_STEP=%s/%02d", run, (int)lab_phase_number(lab, "seq"));
    for (size_t i = 0; i < COUNT_OF(hidden); i++)
        cr_expect_eq(hidden_processes(step, hidden[i]), 0, "'%s' is shown by a process of the phase",
                     hidden[i]);
    lab_write(lab, "go", "%s", "");
    cr_expect_eq(lab_wait(lab, command, 60), 0, "%s", lab_read(lab, "create.err"));

    static const struct {
        const char *path, *value;
    } got[] = {{"got/by_env", FROM_ENV},
               {"got/by_file", FROM_FILE},
               {"got/by_command", FROM_COMMAND},
               {"got/locked", "opened"}};
    for (size_t i = 0; i < COUNT_OF(got); i++) {
        AUTO_FREE char *value =
            lab_exists(lab, got[i].path) ? lab_read(lab, got[i].path) : xstrdup("nothing");
        cr_expect_str_eq(value, got[i].value, "%s: the phase got '%s'", got[i].path, value);
    }
    AUTO_FREE char *state = file_join(lab_folder(lab), ".triphase");
    for (size_t i = 0; i < COUNT_OF(hidden); i++)
        cr_expect_eq(hidden_files(state, hidden[i]), 0, "'%s' stands in a file below .triphase", hidden[i]);
    AUTO_FREE char *said = lab_read(lab, "create.err");
    cr_expect(!strstr(said, "geheim") && !strstr(said, "geh'eim"), "it is shown: %s", said);
}

Test(settings, a_secret_reaches_the_phase_and_stands_nowhere_else_on_the_newest_ansible)
{
    check_secrets(NULL);
}

Test(settings, a_secret_reaches_the_phase_and_stands_nowhere_else_on_the_oldest_ansible)
{
    check_secrets(lab_old_ansible());
}

Test(settings, a_secret_that_cannot_be_read_ends_the_run_before_the_phase_with_its_name)
{
    struct lab *lab = lab_phase_project(NULL, "");
    add_to_target(lab, "    secrets:\n      token: {env: NOT_THERE_AT_ALL}\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    cr_expect_eq(result.code, 78, "exit %d", result.code);
    cr_expect(strstr(result.err, "token") && strstr(result.err, "NOT_THERE_AT_ALL"), "%s", result.err);
}

/* ------------------------------------------------------------ connection variables */

Test(settings, a_connection_variable_of_host_vars_is_refused_with_variable_values_and_file)
{
    struct lab *lab = lab_phase_project(NULL, "");
    lab_write(lab, "inventory/hosts", "host\n");
    lab_write(lab, "inventory/host_vars/host.yml", "ansible_port: 12345\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    AUTO_FREE char *port = xasprintf("%d", lab_sshd(lab));
    cr_expect_eq(result.code, 78);
    cr_expect(strstr(result.err, "ansible_port") && strstr(result.err, "12345") && strstr(result.err, port) &&
                  strstr(result.err, "inventory/host_vars/host.yml"),
              "%s", result.err);
}

static void check_refusal(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "");
    AUTO_FREE char *port = xasprintf("%d", lab_sshd(lab));
    static const struct {
        const char *name, *playbook, *variable, *found;
    } plays[] = {
        {"of a play",
         PLAY "  vars: {ansible_port: 12345}\n  tasks:\n    - ansible.builtin.command: touch /nowhere\n",
         "ansible_port", "12345"},
        {"by its older name",
         PLAY
         "  vars: {ansible_ssh_host: 10.9.8.7}\n  tasks:\n    - ansible.builtin.command: touch /nowhere\n",
         "ansible_ssh_host", "10.9.8.7"},
        {"by a template",
         PLAY "  vars: {ansible_user: \"{{ 'no' ~ 'body' }}\"}\n  tasks:\n    - ansible.builtin.command: "
              "touch /nowhere\n",
         "ansible_user", "nobody"},
    };
    for (size_t i = 0; i < COUNT_OF(plays); i++) {
        lab_play(lab, plays[i].playbook);
        struct lab_result result = lab_run(lab, "run", "host", NULL);
        lab_expect(lab, &result, plays[i].name, "invalid", "refused", 78);
        AUTO_FREE char *message = lab_phase(lab, "message");
        cr_expect(strstr(message, plays[i].variable) && strstr(message, plays[i].found), "%s: %s",
                  plays[i].name, message);
        cr_expect_eq(lab_phase_number(lab, "ok + changed + failed + unreachable"), 0, "%s: a task ran",
                     plays[i].name);
    }
    lab_play(lab, PLAY "  vars: {ansible_port: \"{{ triphase_attempt | int + 0 }}\"}\n  tasks: []\n- hosts: "
                       "recipe_work\n  vars: {x: 1}\n  tasks: []\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "before any task", "invalid", "refused", 78);
}

Test(settings, a_connection_variable_of_a_play_is_refused_before_its_first_task_on_the_newest_ansible)
{
    check_refusal(NULL);
}

Test(settings, a_connection_variable_of_a_play_is_refused_before_its_first_task_on_the_oldest_ansible)
{
    check_refusal(lab_old_ansible());
}

/* ------------------------------------------------------------ arguments */

struct argument {
    const char *words[4];
    int code;
    bool partial, digest;
};

static const struct argument arguments[] = {
    {{"-v", "--diff"}, 0, false, false},
    {{"--check"}, 0, true, false},
    {{"--tags", "x"}, 0, true, false},
    {{"-l", "host"}, 0, true, false},
    {{"-l", "nobody"}, 64, true, false},
    {{"-e", "a=b"}, 0, false, true},
    {{"--extra-vars", "a=c"}, 0, false, true},
    {{"-i", "x,"}, 64, false, false},
    {{"--inventory=x"}, 64, false, false},
    {{"-k"}, 64, false, false},
    {{"-vK"}, 64, false, false},
    {{"--step"}, 64, false, false},
    {{"--ask-vault-pass"}, 64, false, false},
    {{"--vault-id", "a@prompt"}, 64, false, false},
    {{"-u", "x"}, 64, false, false},
    {{"--private-key", "x"}, 64, false, false},
    {{"--list-hosts"}, 64, false, false},
    {{"--no-such-option"}, 64, false, false},
    {{"other.yml"}, 64, false, false},
    {{"--", "other.yml"}, 64, false, false},
    {{"--tags"}, 64, false, false},
};

Test(settings, arguments_behind_dashes_mark_a_run_partial_are_kept_as_digest_or_refused, .timeout = 240)
{
    struct lab *lab = lab_hostile_project("", NULL);
    AUTO_WORDS digests = WORDS_INIT;
    for (size_t i = 0; i < COUNT_OF(arguments); i++) {
        const struct argument *argument = &arguments[i];
        AUTO_FREE char *before = lab_last_run(lab, "id");
        struct lab_result result =
            lab_run(lab, "run", "host", "--", argument->words[0], argument->words[1], NULL);
        AUTO_FREE char *after = lab_last_run(lab, "id");
        AUTO_FREE char *digest = lab_last_run(lab, "extra_digest");
        bool refused = argument->code != 0;
        cr_expect_eq(result.code, argument->code, "%s: exit %d\n%s", argument->words[0], result.code,
                     result.err);
        cr_expect(refused == text_is(before, after), "%s: a run was begun, or none", argument->words[0]);
        if (refused)
            continue;
        cr_expect_eq(lab_last_run_number(lab, "partial"), argument->partial, "%s", argument->words[0]);
        cr_expect_eq(*digest != '\0', argument->digest, "%s: digest '%s'", argument->words[0], digest);
        cr_expect(!strstr(digest, "a=") && (!*digest || !words_have(&digests, digest)), "%s: digest '%s'",
                  argument->words[0], digest);
        if (*digest)
            words_add(&digests, digest);
    }
    lab_run(lab, "run", "host", "work", NULL);
    cr_expect_eq(lab_last_run_number(lab, "partial"), 1, "run with phases named");
    lab_run(lab, "run", "host", NULL);
    cr_expect_eq(lab_last_run_number(lab, "partial"), 0, "run with none");
}

/* ------------------------------------------------------------ async jobs of this machine */

static void check_async(const char *ansible, const char *no_cgroup)
{
    struct lab *lab = lab_new();
    lab_environment(lab, "TRIPHASE_NO_CGROUP", no_cgroup);
    if (ansible)
        lab_ansible(lab, ansible);
    lab_static_project(
        lab, "  - name: work2\n    playbook: playbooks/two.yml\n",
        PLAY "  tasks:\n    - ansible.builtin.shell: until test -e {{ playbook_dir }}/../two; do sleep 0.1; "
             "done; echo done > {{ playbook_dir }}/../job\n      delegate_to: localhost\n      connection: "
             "local\n      async: 60\n      poll: 0\n      register: job\n    - ansible.builtin.shell: echo "
             "{{ job.ansible_job_id }} > {{ playbook_dir "
             "}}/../jid\n    - ansible.builtin.shell: sleep 300\n      delegate_to: localhost\n      "
             "connection: local\n      async: 600\n      poll: 0\n");
    lab_write(lab, "playbooks/two.yml", "%s",
              PLAY "  tasks:\n    - ansible.builtin.command: touch {{ playbook_dir }}/../two\n    - "
                   "ansible.builtin.async_status: {jid: \"{{ lookup('ansible.builtin.file', playbook_dir + "
                   "'/../jid') }}\"}\n      delegate_to: localhost\n"
                   "      connection: local\n      register: job\n      until: job.finished\n      retries: "
                   "40\n      delay: 0.2\n"
                   "    - ansible.builtin.file: {path: \"~/.ansible_async/triphase-{{ triphase_run }}\", "
                   "state: absent}\n      delegate_to: localhost\n"
                   "      connection: local\n");
    create(lab, "a job of this machine", 0);
    cr_expect(lab_exists(lab, "job"), "the job was ended with its phase");
    lab_expect_nothing_left(lab, "a job that was not waited for");
}

Test(settings, an_async_job_on_this_machine_outlives_its_phase_and_ends_with_its_run_on_the_newest_ansible)
{
    check_async(NULL, NULL);
}

Test(settings, an_async_job_on_this_machine_outlives_its_phase_and_ends_with_its_run_on_the_oldest_ansible)
{
    check_async(lab_old_ansible(), NULL);
}

Test(settings, an_async_job_on_this_machine_outlives_its_phase_and_ends_with_its_run_without_a_cgroup)
{
    check_async(NULL, "1");
}
