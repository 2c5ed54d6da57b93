/* The user's own Ansible settings, inventories, secrets and arguments, with a real ansible-playbook; and what
 * no secret may ever be found in. */
#include "../lab/hidden.h"
#include "../lab/phase.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "process/program.h"

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
    lab_static_case(lab, "own-settings");
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

/* Key, port, interpreter and ssh's own configuration stand in ansible.cfg alone: what is verified first, and
 * what Ansible then does, go by them. */
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
                  "ssh_extra_args = -o PermitLocalCommand=yes -o 'LocalCommand=touch %s/by-extra'\n",
                  lab_sshd(lab), lab_folder(lab));
    static const char *const keys[] = {"port", "key", "python", "address"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        take_key(lab, keys[i]);
    add_to_target(lab, "    address: behind-a-name\n");
    lab_write(lab, "ssh.conf", "Host behind-a-name\n    HostName 127.0.0.1\n");
    lab_write(lab, "ansible.cfg", "%s", setting);
    create(lab, "as ansible.cfg says", 0);
    struct lab_result result = lab_run(lab, "config", "host", NULL);
    cr_expect(strstr(result.out, "ansible.cfg:2"), "%s", result.out);
    AUTO_FREE char *extra = file_join(lab_folder(lab), "by-extra");
    unlink(extra);
    result = lab_run(lab, "ssh", "host", "--", "true", NULL);
    cr_expect(result.code == 0 && lab_exists(lab, "by-extra"), "ssh_extra_args do not count: %s", result.err);
    result = lab_run(lab, "plan", "host", "--contact", NULL);
    cr_expect(result.code == 0 && strstr(result.out, "host login     ok"), "%s%s", result.out, result.err);
    AUTO_FREE char *bundle = file_join(lab_folder(lab), "of-it.tar.gz");
    result = lab_run(lab, "bundle", "host", "--json", "-o", bundle, NULL);
    cr_expect(strstr(result.out, "\"reached\": true") != NULL, "%s%s", result.out, result.err);
    result = lab_run(lab, "trust", "host", NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
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

/* As tests/cases/secret-project has them. */
#define FROM_ENV     "geh'eim-1 {{ 1 + 1 }} \\\"#: \xc3\xbc"
#define FROM_FILE    "geheim-2-file"
#define FROM_COMMAND "geheim-3-command"
#define FOR_VAULT    "geheim-4-vault"
#define FOR_BECOME   "geheim-5-become"

static const char *const hidden[] = {FROM_ENV,   FROM_FILE,   FROM_COMMAND, FOR_VAULT,
                                     FOR_BECOME, "geh'eim-1", "geheim-"};

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
    lab_static_case(lab, "secret-project");
    encrypt(lab, "locked.yml");
    lab_environment(lab, "BY_ENV", FROM_ENV);
    return lab;
}

static bool is_at_work(void *step)
{
    return hidden_processes(step, step) > 0;
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
    cr_expect(lab_until(20, is_at_work, step), "no process of the phase is to be seen");
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

/* What leads past the verified connection. Where a playbook shows it the plan refuses with its place, else
 * the phase before its first task: never between two plays. */
static void check_refusal(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "");
    static const struct {
        const char *playbook, *where, *variable;
    } shown[] = {
        {PLAY "  vars: {ansible_ssh_host: 10.9.8.7}\n  tasks: []\n", "cases/now.yml:3", "ansible_ssh_host"},
        {PLAY "  tasks:\n    - ansible.builtin.set_fact:\n        x: 1\n        ansible_ssh_extra_args: -v\n",
         "cases/now.yml:6", "ansible_ssh_extra_args"},
        {PLAY "  tasks:\n    - block:\n        - ansible.builtin.command: 'true'\n      vars:\n        "
              "ansible_ssh_executable: /x\n",
         "cases/now.yml:7", "ansible_ssh_executable"},
        {PLAY "  tasks:\n    - ansible.builtin.include_vars: bent.yml\n", "cases/bent.yml:2", "ansible_host"},
        {PLAY "  tasks:\n    - ansible.builtin.command: 'true'\n      remote_user: somebody\n",
         "cases/now.yml:5", "remote_user: somebody"},
    };
    lab_write(lab, "cases/bent.yml", "x: 1\nansible_host: 10.9.8.7\n");
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        lab_play(lab, shown[i].playbook);
        struct lab_result result = lab_run(lab, "run", "host", NULL);
        cr_expect(result.code == 78 && strstr(result.err, shown[i].where) &&
                      strstr(result.err, shown[i].variable),
                  "%s: exit %d\n%s", shown[i].where, result.code, result.err);
    }
    static const char *const hidden_ones[] = {
        PLAY
        "  vars_files: [bent.yml]\n  tasks:\n    - ansible.builtin.command: touch {{ playbook_dir }}/ran\n",
        PLAY "  tasks:\n    - ansible.builtin.command: touch {{ playbook_dir }}/ran\n" PLAY
             "  vars_files: [bent.yml]\n  tasks: []\n"};
    for (size_t i = 0; i < COUNT_OF(hidden_ones); i++) {
        lab_play(lab, hidden_ones[i]);
        struct lab_result result = lab_run(lab, "run", "host", NULL);
        lab_expect(lab, &result, "of a file of variables", "invalid", "refused", 78);
        AUTO_FREE char *message = lab_phase(lab, "message");
        cr_expect(strstr(message, "ansible_host") && strstr(message, "10.9.8.7"), "%s", message);
        cr_expect_eq(lab_phase_number(lab, "ok + changed + failed + unreachable"), 0, "a task ran");
    }
}

Test(settings, what_leads_past_the_verified_connection_is_refused_before_any_task_on_the_newest_ansible,
     .timeout = 240)
{
    check_refusal(NULL);
}

Test(settings, what_leads_past_the_verified_connection_is_refused_before_any_task_on_the_oldest_ansible,
     .timeout = 240)
{
    check_refusal(lab_old_ansible());
}

/* As whom a play logs in is the play's, as it is without triphase; nothing stops between two plays. */
static void check_as_whom(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "    attempts: 1\n");
    lab_play(
        lab, PLAY
        "  remote_user: somebody\n  port: 12345\n  tasks:\n    - ansible.builtin.assert:\n        that: "
        "[ansible_user == 'somebody', ansible_port | int == 12345]\n" PLAY
        "  tasks:\n    - ansible.builtin.command: 'true'\n    - ansible.builtin.set_fact: {ansible_port: "
        "54321}\n" PLAY "  connection: local\n  tasks:\n    - ansible.builtin.assert:\n        that: "
        "[ansible_port | int == 54321, ansible_user == 'root']\n    - ansible.builtin.command: "
        "printenv SSH_CONNECTION\n      register: r\n      failed_when: r.rc == 0\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a play's own user and port", "ok", "-", 0);
    cr_expect_eq(lab_phase_number(lab, "ok + changed"), 5);
    lab_play(lab, PLAY "  vars: {ansible_port: 1}\n  tasks:\n    - ansible.builtin.command: 'true'\n");
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "nobody listens where a play says", "unreachable", "", 4);
}

Test(settings, a_plays_own_user_port_and_connection_count_on_the_newest_ansible, .timeout = 240)
{
    check_as_whom(NULL);
}

Test(settings, a_plays_own_user_port_and_connection_count_on_the_oldest_ansible, .timeout = 240)
{
    check_as_whom(lab_old_ansible());
}

/* ------------------------------------------------------------ pipelining */

/* A sudo that, as the real one with requiretty, refuses whoever has no terminal. */
static const char tty_sudo[] =
    "#!/bin/sh\n[ -t 0 ] || { echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1; }\n"
    "while :; do case $1 in -u|-p) shift 2;; -*) shift;; *) break;; esac; done\nexec \"$@\"\n";

static void check_requiretty(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "    attempts: 1\n");
    lab_write(lab, "bin/sudo", "%s", tty_sudo);
    lab_write(lab, "home/.bashrc", "PATH=%s/bin:$PATH\n", lab_folder(lab));
    lab_play(lab,
             PLAY "  become: true\n  become_user: daemon\n  tasks:\n    - ansible.builtin.command: id -un\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "pipelining that triphase turned on gives way", "ok", "-", 0);
    lab_write(lab, "ansible.cfg", "[defaults]\npipelining = True\n");
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "pipelining that the user turned on is the user's", "failed", "", 2);
}

Test(settings, pipelining_gives_way_to_a_sudo_that_wants_a_terminal_on_the_newest_ansible)
{
    check_requiretty(NULL);
}

Test(settings, pipelining_gives_way_to_a_sudo_that_wants_a_terminal_on_the_oldest_ansible)
{
    check_requiretty(lab_old_ansible());
}

/* ------------------------------------------------------------ async directory */

#define ASYNC(where) "    - ansible.builtin.command: sleep 0.1\n      async: 20\n      poll: 1\n" where
#define FOLDER_OF(name)                                                                               \
    "    - ansible.builtin.stat: {path: \"{{ playbook_dir }}/../" name "\"}\n      register: s\n    " \
    "- ansible.builtin.assert: {that: s.stat.exists}\n"

/* What Ansible would take for the directory is what is taken: a variable of a task or a play, the user's
 * environment, a group's variable. */
static void check_async_directory(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "    attempts: 1\n");
    AUTO_FREE char *plays =
        xasprintf(PLAY "  tasks:\n" ASYNC("      delegate_to: localhost\n      connection: local\n")
                      ASYNC("      vars: {ansible_async_dir: \"{{ playbook_dir }}/../by-task\"}\n")
                          FOLDER_OF("by-task") "    - ansible.builtin.file: {path: \"{{ playbook_dir "
                                               "}}/../home/.ansible_async/triphase-{{ triphase_run "
                                               "}}\", state: directory}\n" PLAY
                                               "  vars: {ansible_async_dir: %s/by-play}\n  tasks:\n" ASYNC("")
                                                   FOLDER_OF("by-play"),
                  lab_folder(lab));
    lab_play(lab, plays);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a directory of the task's and one of the play's", "ok", "-", 0);
    AUTO_FREE char *run = lab_last_run(lab, "id"), *there = xasprintf("home/.ansible_async/triphase-%s", run),
                   *here = xasprintf("%s/.ansible_async/triphase-%s", getenv("HOME"), run);
    cr_expect(lab_exists(lab, "home/.ansible_async") && !lab_exists(lab, there),
              "an empty folder was left on the host");
    cr_expect_not(file_exists(here), "an empty folder was left here");
    AUTO_FREE char *by_environment = file_join(lab_folder(lab), "by-environment");
    lab_environment(lab, "ANSIBLE_ASYNC_DIR", by_environment);
    lab_play(lab, PLAY "  tasks:\n" ASYNC("") FOLDER_OF("by-environment"));
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a directory of the environment's", "ok", "-", 0);
    lab_write(lab, "inventory/hosts", "host\n");
    lab_write(lab, "inventory/group_vars/all.yml", "ansible_async_dir: %s/by-group\n", lab_folder(lab));
    lab_play(lab, PLAY "  tasks:\n" ASYNC("") FOLDER_OF("by-group"));
    result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "a directory of a group's", "ok", "-", 0);
}

Test(settings, an_async_directory_of_the_users_is_his_on_the_newest_ansible, .timeout = 240)
{
    check_async_directory(NULL);
}

Test(settings, an_async_directory_of_the_users_is_his_on_the_oldest_ansible, .timeout = 240)
{
    check_async_directory(lab_old_ansible());
}

/* It looks for its jobs in a folder of its own, whatever it is told. */
Test(settings, no_async_directory_is_set_under_a_mitogen_strategy)
{
    struct lab *lab = lab_phase_project(NULL, "    attempts: 1\n");
    static const struct {
        const char *config, *play;
        bool set;
    } rows[] = {{"[defaults]\n", "", true},
                {"[defaults]\nstrategy = mitogen_linear\n", "  strategy: linear\n", false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        lab_write(lab, "ansible.cfg", "%s", rows[i].config);
        AUTO_FREE char *play =
            xasprintf(PLAY "%s  tasks:\n    - ansible.builtin.debug: {msg: \"dir {{ ansible_async_dir | "
                           "default('none') }}\"}\n",
                      rows[i].play);
        lab_play(lab, play);
        struct lab_result result = lab_run(lab, "run", "host", NULL);
        cr_expect_eq(result.code, 0, "%s", result.err);
        cr_expect_eq(strstr(result.err, "dir ~/.ansible_async/triphase-") != NULL, rows[i].set, "%s: %s",
                     rows[i].config, result.err);
    }
}

/* ------------------------------------------------------------ what inventories say of the host */

static void expect_in_inventory(struct lab *lab, const char *what, const char *const *there,
                                const char *const *gone)
{
    struct lab_result result = lab_run(lab, "inventory", "host", "--transport", "direct", NULL);
    for (; *there; there++)
        cr_expect(strstr(result.out, *there), "%s: no '%s' in\n%s%s", what, *there, result.out, result.err);
    for (; *gone; gone++)
        cr_expect_null(strstr(result.out, *gone), "%s: '%s' in\n%s", what, *gone, result.out);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void check_inventories(const char *ansible)
{
    struct lab *lab = lab_new();
    if (ansible)
        lab_ansible(lab, ansible);
    lab_static_project(
        lab, "    attempts: 1\n",
        PLAY "  tasks:\n    - ansible.builtin.command: 'true'\n    - ansible.builtin.assert:\n        "
             "that: [ansible_python_interpreter == inventory_dir ~ '/../py']\n");
    AUTO_FREE char *port = xasprintf("ansible_port: %d\nansible_private_key_file: key\n"
                                     "ansible_python_interpreter: \"{{ inventory_dir }}/../py\"\n"
                                     "ansible_ssh_common_args: \"-o SetEnv=TIER={{ tier }}\"\n"
                                     "ansible_ssh_extra_args: -o SendEnv=EXTRA\ntier: gold\n",
                                     lab_sshd(lab));
    static const char *const keys[] = {"port", "key", "python"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        take_key(lab, keys[i]);
    AUTO_FREE char *python = file_join(lab_folder(lab), "py");
    cr_assert(symlink("/usr/bin/python3", python) == 0);
    lab_write(lab, "inventory/hosts", "[web]\nhost\n");
    lab_write(lab, "inventory/group_vars/web.yml", "%s", port);
    create(lab, "as group_vars say", 0);
    expect_in_inventory(lab, "group_vars", WORDS("SetEnv=TIER=gold", "/key"),
                        WORDS("ansible_python_interpreter", "SendEnv"));
    struct lab_result result = lab_run(lab, "ssh", "host", "--", "true", NULL);
    cr_expect_eq(result.code, 0, "%s", result.err);
    AUTO_FREE char *was = lab_read(lab, "triphase.yml");
    static const struct {
        const char *keys, *variables;
        int code;
        const char *says[4];
    } rows[] = {
        {"    user: root\n",
         "ansible_user: deploy\n",
         78,
         {"ansible_user of host host is 'deploy'", "inventory/group_vars/web.yml", "'user' says 'root'",
          "triphase.yml:"}},
        {"    user: root\n", "ansible_ssh_user: deploy\n", 78, {"ansible_ssh_user", "deploy"}},
        {"", "ansible_host: 192.0.2.9\n", 78, {"ansible_host", "192.0.2.9", "127.0.0.1"}},
        {"", "ansible_connection: docker\n", 78, {"ansible_connection", "docker"}},
        {"", "ansible_ssh_executable: /opt/wrap\n", 78, {"ansible_ssh_executable"}},
        {"", "ansible_user: \"{{ nowhere }}\"\n", 78, {"ansible_user", "template"}},
        {"", "ansible_host_key_checking: false\n", 0, {"ansible_host_key_checking", "has no effect"}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        lab_write(lab, "triphase.yml", "%s%s", was, rows[i].keys);
        lab_write(lab, "inventory/group_vars/web.yml", "%s%s", port, rows[i].variables);
        result = lab_run(lab, "plan", "host", NULL);
        cr_expect_eq(result.code, rows[i].code, "%s: exit %d\n%s", rows[i].variables, result.code,
                     result.out);
        for (size_t w = 0; w < COUNT_OF(rows[i].says) && rows[i].says[w]; w++)
            cr_expect(strstr(result.out, rows[i].says[w]), "%s: '%s' is not said:\n%s", rows[i].variables,
                      rows[i].says[w], result.out);
    }
}

Test(settings, what_group_vars_say_of_the_host_counts_or_is_refused_on_the_newest_ansible, .timeout = 240)
{
    check_inventories(NULL);
}

Test(settings, what_group_vars_say_of_the_host_counts_or_is_refused_on_the_oldest_ansible, .timeout = 240)
{
    check_inventories(lab_old_ansible());
}

/* Playbooks in two folders, each with variables beside it: whichever of them says
 * something, or says something else. */
Test(settings, a_connection_variable_that_two_folders_of_playbooks_disagree_on_is_refused_by_name,
     .timeout = 240)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "    attempts: 1\n  - name: two\n    playbook: other/work.yml\n",
                       PLAY "  tasks: []\n");
    lab_write(lab, "other/work.yml", "%s", PLAY "  tasks: []\n");
    lab_write(lab, "inventory/hosts", "host\n");
    static const struct {
        const char *first, *second;
        int code;
    } rows[] = {{"-o SetEnv=A=b", NULL, 78},
                {NULL, "-o SetEnv=A=b", 78},
                {"-o SetEnv=A=b", "-o SetEnv=A=c", 78},
                {"-o SetEnv=A=b", "-o SetEnv=A=b", 0}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *first = rows[i].first, *second = rows[i].second;
        lab_write(lab, "playbooks/group_vars/all.yml", "%s%s\n", first ? "ansible_ssh_common_args: " : "x: 1",
                  first ? first : "");
        lab_write(lab, "other/group_vars/all.yml", "%s%s\n", second ? "ansible_ssh_common_args: " : "x: 1",
                  second ? second : "");
        struct lab_result result = lab_run(lab, "plan", "host", NULL);
        cr_expect_eq(result.code, rows[i].code, "row %zu: exit %d\n%s", i, result.code, result.out);
        cr_expect_eq(strstr(result.out,
                            "variable ansible_ssh_common_args of host host is not the same beside every "
                            "playbook") != NULL,
                     rows[i].code != 0, "row %zu: %s", i, result.out);
    }
}

/* Of group_vars they join the run's own arguments; of host_vars they would stand above these. Those that
 * triphase renders nothing of are Ansible's to add. */
Test(settings, arguments_of_ssh_in_host_vars_that_would_take_the_place_of_the_runs_own_are_refused)
{
    struct lab *lab = lab_phase_project(NULL, "");
    static const struct {
        const char *name;
        int code;
    } rows[] = {{"ansible_ssh_args", 78}, {"ansible_ssh_common_args", 78}, {"ansible_ssh_extra_args", 0}};
    lab_write(lab, "inventory/hosts", "host\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        lab_write(lab, "inventory/host_vars/host.yml", "%s: -o SetEnv=A=b\n", rows[i].name);
        struct lab_result result = lab_run(lab, "run", "host", NULL);
        cr_expect_eq(result.code, rows[i].code, "%s: exit %d\n%s", rows[i].name, result.code, result.err);
        cr_expect_eq(strstr(result.err, rows[i].name) &&
                         strstr(result.err, "'-o SetEnv=A=b', but triphase rendered ") &&
                         strstr(result.err, "inventory/host_vars/host.yml"),
                     rows[i].code != 0, "%s: %s", rows[i].name, result.err);
    }
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
