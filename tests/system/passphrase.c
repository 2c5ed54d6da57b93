/* A private key that opens only with a passphrase: every connection of a run uses it through an agent of the
 * run's own, and neither it nor the passphrase is to be had anywhere else. */
#include "../lab/damage.h"
#include "../lab/hidden.h"
#include "../lab/phase.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(passphrase, .timeout = 150);

/* Of this test alone: another one's ssh-keygen, which makes its key, may show its own in
 * its arguments meanwhile. */
static const char *passphrase(const char *rest)
{
    static char text[64];
    snprintf(text, sizeof text, "geh'eim-%d%s", (int)getpid(), rest);
    return text;
}
#define PASSPHRASE passphrase(" \"7\" $x \\ \xc3\xbc")
#define A_PART     passphrase("")
#define PLAY       "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
#define WAITS                                                                                          \
    "    - ansible.builtin.command: 'true'\n    - ansible.builtin.wait_for: {path: \"{{ playbook_dir " \
    "}}/../go\", timeout: 60}\n"

static void do_program(const char *const *argv)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do_argv(30 * NS_PER_S, argv, NULL, &err) == 0, "%s", error_text(&err));
}

/* The private key below the lab's folder gets the passphrase. */
static void lock_key(struct lab *lab, const char *name)
{
    AUTO_FREE char *key = file_join(lab_folder(lab), name);
    do_program((const char *const[]){"ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", key, NULL});
}

static void add_to_target(struct lab *lab, const char *lines)
{
    AUTO_FREE char *was = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml", "%s%s", was, lines);
}

/* Nobody else's sockets are seen in their folder from here on. */
static void own_sockets(struct lab *lab)
{
    AUTO_FREE char *own = file_join(lab_folder(lab), "sockets"),
                   *usual = xasprintf("/tmp/triphase-%lu", (unsigned long)geteuid());
    cr_assert(file_make_dirs(own, 0700, NULL) == 0 && file_make_dirs(usual, 0700, NULL) == 0);
    cr_assert(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                  mount(own, usual, NULL, MS_BIND, NULL) == 0,
              "%m");
}

/* A project whose target's key is locked, and the lines that say where its passphrase is. */
static struct lab *locked_project(const char *tasks, const char *lines)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *playbook = xasprintf("%s%s", PLAY, tasks);
    lab_static_project(lab, "", playbook);
    lock_key(lab, "key");
    lab_write(lab, "passphrase", "%s\n", PASSPHRASE);
    own_sockets(lab);
    add_to_target(lab, lines);
    return lab;
}

#define FROM_FILE "    key_passphrase: {file: passphrase}\n"

/* Entries in the folder of sockets: of runs, and of those who connect by themselves. */
static int socket_folders(struct lab *lab)
{
    AUTO_FREE char *path = file_join(lab_folder(lab), "sockets");
    AUTO_WORDS names = WORDS_INIT;
    file_list(path, &names, NULL);
    return (int)names.count;
}

/* Agents of programs that see this test's folder of sockets. */
static int agents(struct lab *lab)
{
    (void)lab;
    AUTO_FREE char *socket = xasprintf("/tmp/triphase-%lu/", (unsigned long)geteuid());
    AUTO_WORDS names = WORDS_INIT;
    struct stat own, its;
    int found = 0;
    cr_assert_eq(stat("/proc/self/ns/mnt", &own), 0);
    file_list("/proc", &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = xasprintf("/proc/%s/cmdline", names.items[i]),
                       *space = xasprintf("/proc/%s/ns/mnt", names.items[i]);
        AUTO_TEXT argv = TEXT_INIT;
        if (names.items[i][0] >= '1' && names.items[i][0] <= '9' &&
            file_read(path, 1 << 16, &argv, NULL) == 0 && text_starts(text_string(&argv), "ssh-agent") &&
            memmem(argv.bytes, argv.length, socket, strlen(socket)) && stat(space, &its) == 0 &&
            its.st_ino == own.st_ino)
            found++;
    }
    return found;
}

static bool nothing_left(void *context)
{
    return agents(context) == 0 && socket_folders(context) == 0;
}

static bool no_agent(void *context)
{
    return agents(context) == 0;
}

/* An agent of the user's own with more keys than a server lets anybody try. */
static char *users_agent(struct lab *lab)
{
    AUTO_FREE char *socket = file_join(lab_folder(lab), "users-agent");
    lab_write(lab, "agent.sh", "#!/bin/sh\nexec ssh-agent -D -a '%s'\n", socket);
    AUTO_FREE char *script = file_join(lab_folder(lab), "agent.sh");
    const char *const argv[] = {script, NULL};
    struct child_plan plan = {.argv = argv, .in = -1, .out = -1, .error = -1, .die_with_parent = true};
    struct child child;
    cr_assert(child_start(&plan, &child, NULL) == 0);
    cr_assert(lab_until_file(lab, 5, "users-agent"));
    setenv("SSH_AUTH_SOCK", socket, 1);
    for (int i = 0; i < 8; i++) {
        AUTO_FREE char *key = xasprintf("%s/other%d", lab_folder(lab), i);
        do_program((const char *const[]){"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, NULL});
        do_program((const char *const[]){"ssh-add", "-q", key, NULL});
    }
    lab_environment(lab, "SSH_AUTH_SOCK", socket);
    return xasprintf("%ld", (long)child.pid);
}

static char *users_keys(void)
{
    AUTO_TEXT keys = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do(10 * NS_PER_S, &keys, &err, "ssh-add", "-L", NULL) == 0, "%s", error_text(&err));
    return text_take(&keys);
}

static void check_hidden(struct lab *lab, const char *run)
{
    AUTO_FREE char *mark = xasprintf("TRIPHASE_RUN=%s", run),
                   *state = file_join(lab_folder(lab), ".triphase"),
                   *sockets = xasprintf("%s/triphase-%lu", lab_folder(lab), (unsigned long)geteuid());
    cr_expect_eq(hidden_processes(mark, PASSPHRASE), 0, "a process shows the passphrase");
    cr_expect_eq(hidden_processes(mark, A_PART), 0, "a process shows a part of the passphrase");
    cr_expect_eq(hidden_files(state, A_PART), 0, "it stands in a file below .triphase");
    cr_expect_eq(hidden_files(sockets, A_PART), 0, "it stands in a file beside the sockets");
}

/* Neither a forwarded agent nor the passphrase is to be seen by what runs on the host. */
#define SEES_NEITHER "    - ansible.builtin.shell: 'test -z \"$SSH_AUTH_SOCK\" && test -z \"$PASSPHRASE\"'\n"

Test(passphrase, every_connection_of_a_run_uses_the_key_through_an_agent_that_is_gone_with_the_run)
{
    struct lab *lab = locked_project(SEES_NEITHER WAITS SEES_NEITHER,
                                     "    key_passphrase: {env: PASSPHRASE}\n    env: [PASSPHRASE]\n");
    AUTO_FREE char *pid = users_agent(lab);
    AUTO_FREE char *before = users_keys();
    lab_environment(lab, "PASSPHRASE", PASSPHRASE);
    lab_environment(lab, "ANSIBLE_SSH_ARGS", "-A -o ForwardAgent=yes");

    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) FROM task WHERE seq >= 2"), "%s",
              lab_read(lab, "create.err"));
    AUTO_FREE char *run = lab_last_run(lab, "id");
    cr_expect_eq(agents(lab), 1, "%d agents in the phase", agents(lab));
    check_hidden(lab, run);
    /* The shared connection is gone: Ansible's own ssh opens its own, with the same agent. */
    AUTO_FREE char *masters = xasprintf("exec rm -f '%s'/triphase-*/*d/[0-9a-f]*[0-9a-f]", lab_folder(lab));
    do_program((const char *const[]){"/bin/sh", "-c", masters, NULL});
    lab_write(lab, "go", "%s", "");
    cr_expect_eq(lab_wait(lab, command, 60), 0, "%s", lab_read(lab, "create.err"));

    check_hidden(lab, run);
    AUTO_FREE char *after = users_keys();
    cr_expect_str_eq(after, before, "the user's own agent was changed");
    cr_expect(nothing_left(lab), "%d agents and %d folders of sockets are left", agents(lab),
              socket_folders(lab));
    cr_expect(damage_empty(lab, run, 1), "processes of the run are left");
    AUTO_FREE char *said = lab_read(lab, "create.err");
    cr_expect(!strstr(said, A_PART), "%s", said);
    kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
}

Test(passphrase, ssh_has_an_agent_for_as_long_as_it_lasts)
{
    struct lab *lab = locked_project("    - ansible.builtin.command: 'true'\n", FROM_FILE);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);

    struct lab_result there = lab_run(lab, "ssh", "host", "--", "echo \"$LAB\"; exit 7", NULL);
    cr_expect_eq(there.code, 7, "exit %d: %s", there.code, there.err);
    cr_expect(strstr(there.out, lab_folder(lab)) != NULL, "%s", there.out);
    cr_expect(lab_until(5, nothing_left, lab), "%d agents and %d folders are left", agents(lab),
              socket_folders(lab));

    pid_t held = lab_start(lab, "ssh", "ssh", "host", "--", "touch \"$LAB/there\"; exec sleep 60", NULL);
    cr_assert(lab_until_file(lab, 20, "there"), "%s", lab_read(lab, "ssh.err"));
    cr_expect_eq(agents(lab), 1);
    cr_expect_eq(kill(held, SIGKILL), 0);
    lab_wait(lab, held, 5);
    cr_expect(lab_until(5, nothing_left, lab), "%d agents and %d folders are left of a killed ssh",
              agents(lab), socket_folders(lab));
    do_program(
        (const char *const[]){"/bin/sh", "-c",
                              "for p in $(pgrep -x -f 'sleep 60'); do tr '\\0' '\\n' "
                              "</proc/$p/environ 2>/dev/null | grep -qx \"LAB=$0\" && kill $p; done; :",
                              lab_folder(lab), NULL});
}

Test(passphrase, a_bundle_asks_the_host_through_an_agent_that_is_gone_with_it)
{
    struct lab *lab = locked_project("    - ansible.builtin.meta: noop\n", FROM_FILE);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(made.code == 0, "%s", made.err);
    AUTO_FREE char *path = file_join(lab_folder(lab), "a.tar.gz");
    struct lab_result result = lab_run(lab, "bundle", "--json", "-o", path, NULL);
    cr_assert(result.code == 0, "%s", result.err);
    cr_expect(strstr(result.out, "\"reached\": true"), "%s", result.err);
    cr_expect(lab_until(5, nothing_left, lab), "%d agents and %d folders are left", agents(lab),
              socket_folders(lab));
}

/* What stands in the askpass's place would be given the passphrase. */
Test(passphrase, what_stood_in_the_place_of_the_askpass_is_replaced_and_given_nothing)
{
    static const char *const before[] = {"cp -f thief .triphase/askpass && chmod 700 .triphase/askpass",
                                         "ln -sf ../thief .triphase/askpass", "chmod 777 .triphase/askpass"};
    struct lab *lab = locked_project("    - ansible.builtin.ping:\n", FROM_FILE);
    lab_write(lab, "thief", "#!/bin/sh\nexec tee '%s/stolen'\n", lab_folder(lab));
    AUTO_FREE char *thief = lab_read(lab, "thief"), *path = file_join(lab_folder(lab), ".triphase/askpass");
    for (size_t i = 0; i < COUNT_OF(before); i++) {
        AUTO_FREE char *script = xasprintf("cd '%s'; mkdir -p .triphase; %s", lab_folder(lab), before[i]);
        do_program((const char *const[]){"/bin/sh", "-c", script, NULL});
        struct lab_result made = lab_run(lab, "plan", "host", NULL);
        struct stat state;
        AUTO_FREE char *left = lab_read(lab, ".triphase/askpass"), *still = lab_read(lab, "thief");
        cr_expect_eq(made.code, 0, "%s", made.err);
        cr_expect(!lab_exists(lab, "stolen"), "%zu: it was given away", i);
        cr_expect_str_eq(left, "#!/bin/sh\nexec cat\n");
        cr_expect_str_eq(still, thief, "a link was followed");
        cr_expect(lstat(path, &state) == 0 && state.st_mode == (S_IFREG | 0700) && state.st_uid == geteuid());
    }
}

Test(passphrase, a_wrong_one_is_refused_before_anything_is_made)
{
    struct lab *lab = locked_project("    - ansible.builtin.command: 'true'\n", FROM_FILE);
    lab_write(lab, "passphrase", "%s", "wr0ng-one");

    struct lab_result plan = lab_run(lab, "plan", "host", NULL);
    struct lab_result create = lab_run(lab, "create", "host", NULL);

    cr_expect_eq(plan.code, 78, "exit %d: %s", plan.code, plan.err);
    cr_expect_eq(create.code, 78, "exit %d: %s", create.code, create.err);
    cr_expect(strstr(create.err, "key_passphrase does not open the key") && strstr(create.err, "/key"), "%s",
              create.err);
    cr_expect(!strstr(create.err, "wr0ng") && !strstr(plan.out, "wr0ng") && !strstr(plan.err, "wr0ng"));
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM run"), 0, "a run was begun");
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM machine"), 0, "a machine was made");
    cr_expect_eq(agents(lab), 0);
}

Test(passphrase, one_that_stops_being_right_ends_ssh_and_a_run_with_the_reason)
{
    struct lab *lab = locked_project("    - ansible.builtin.command: 'true'\n", FROM_FILE);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    lab_write(lab, "passphrase", "%s", "wr0ng-one");

    struct lab_result there = lab_run(lab, "ssh", "host", "--", "true", NULL);
    struct lab_result run = lab_run(lab, "run", "host", NULL);

    cr_expect_eq(there.code, 78, "exit %d: %s", there.code, there.err);
    cr_expect(strstr(there.err, "key_passphrase does not open the key") != NULL, "%s", there.err);
    cr_expect_eq(run.code, 78, "exit %d: %s", run.code, run.err);
    cr_expect(lab_until(5, nothing_left, lab), "%d agents and %d folders are left", agents(lab),
              socket_folders(lab));
}

static void check_killed(const char *no_cgroup)
{
    struct lab *lab = locked_project(WAITS, FROM_FILE);
    lab_environment(lab, "TRIPHASE_NO_CGROUP", no_cgroup);
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) FROM task WHERE seq >= 1"), "%s",
              lab_read(lab, "create.err"));
    AUTO_FREE char *run = lab_last_run(lab, "id");
    cr_assert_eq(agents(lab), 1);

    damage_kill(damage_worker(lab));

    cr_expect(lab_until(10, no_agent, lab), "an agent outlived its run's worker");
    cr_expect(damage_empty(lab, run, 10), "%d processes of the run are left", damage_processes(lab, run));
    lab_wait(lab, command, 20);
    lab_write(lab, "go", "%s", "");
    struct lab_result again = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(again.code, 0, "%s", again.err);
    cr_expect(nothing_left(lab), "%d agents and %d folders are left", agents(lab), socket_folders(lab));
}

Test(passphrase, no_agent_outlives_a_killed_worker)
{
    check_killed(NULL);
}

Test(passphrase, no_agent_outlives_a_killed_worker_without_a_cgroup)
{
    check_killed("1");
}

Test(passphrase, no_agent_outlives_a_cancelled_run)
{
    struct lab *lab = locked_project(WAITS, FROM_FILE);
    pid_t command = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) FROM task WHERE seq >= 1"), "%s",
              lab_read(lab, "create.err"));

    kill(command, SIGTERM);

    cr_expect_eq(lab_wait(lab, command, 30), 130);
    cr_expect(nothing_left(lab), "%d agents and %d folders are left", agents(lab), socket_folders(lab));
}

Test(passphrase, a_peers_key_has_its_own)
{
    struct lab *lab =
        locked_project("    - ansible.builtin.command: 'true'\n      delegate_to: other\n", FROM_FILE);
    AUTO_FREE char *key = file_join(lab_folder(lab), "key2"), *both = NULL;
    do_program((const char *const[]){"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key, NULL});
    AUTO_FREE char *first = lab_read(lab, "key.pub"), *second = lab_read(lab, "key2.pub");
    both = xasprintf("%s%s", first, second);
    lab_write(lab, "key.pub", "%s", both);
    lock_key(lab, "key2");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    AUTO_FREE char *settings = xstrdup(strstr(project, "  host:\n") + strlen("  host:\n"));
    char *own = strstr(settings, "/key\n");
    *own = '\0';
    /* By another name, so that it is not reached over the connection to the first. */
    char *address = strstr(settings, "127.0.0.1");
    AUTO_FREE char *rest = xstrdup(address + strlen("127.0.0.1"));
    *address = '\0';
    lab_write(lab, "triphase.yml", "%s    peers: [other]\n  other:\n%slocalhost%s/key2\n%s", project,
              settings, rest, own + 5);
    lab_write(lab, "playbooks/work.yml", "%s    - ansible.builtin.command: 'true'\n", PLAY);
    struct lab_result other = lab_run(lab, "create", "other", NULL);
    cr_assert_eq(other.code, 0, "%s", other.err);
    lab_write(lab, "playbooks/work.yml",
              "%s    - ansible.builtin.command: 'true'\n      delegate_to: other\n", PLAY);

    struct lab_result host = lab_run(lab, "create", "host", NULL);

    cr_expect_eq(host.code, 0, "%s", host.err);
    cr_expect(nothing_left(lab), "%d agents and %d folders are left", agents(lab), socket_folders(lab));
}

Test(passphrase, an_inventory_for_use_by_hand_names_the_key_and_no_agent_that_will_be_gone)
{
    struct lab *lab = locked_project("    - ansible.builtin.command: 'true'\n", FROM_FILE);

    struct lab_result shown = lab_run(lab, "inventory", "host", "--explain", NULL);

    AUTO_FREE char *key = xasprintf("IdentityFile=%s/key", lab_folder(lab));
    cr_expect_eq(shown.code, 0, "%s", shown.err);
    cr_expect(strstr(shown.out, key) != NULL, "%s", shown.out);
    cr_expect(!strstr(shown.out, "IdentityAgent"), "%s", shown.out);
}

Test(passphrase, what_it_would_open_has_to_be_named_and_is_forwarded_to_nobody)
{
    static const struct {
        const char *key, *lines, *says;
    } wrong[] = {
        {"agent", "", "say 'key: PATH'"},
        {"nowhere", "", "there is no private key"},
        {"passphrase", "", "cannot be opened"},
        {"key", "    ssh_options: [ForwardAgent=yes]\n", "may not hold ForwardAgent"},
        {"key", "    ssh_options: [identityagent=/x]\n", "may not hold IdentityAgent"},
    };
    struct lab *lab = locked_project("    - ansible.builtin.command: 'true'\n", FROM_FILE);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    AUTO_FREE char *key = xasprintf("    key: %s/key\n", lab_folder(lab));
    char *at = strstr(project, key);
    *at = '\0';
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        lab_write(lab, "triphase.yml", "%s    key: %s\n%s%s", project, wrong[i].key, at + strlen(key),
                  wrong[i].lines);
        struct lab_result plan = lab_run(lab, "plan", "host", NULL);
        AUTO_FREE char *all = xasprintf("%s%s", plan.out, plan.err);
        cr_expect_eq(plan.code, 78, "%s: exit %d\n%s", wrong[i].says, plan.code, all);
        cr_expect(strstr(all, wrong[i].says) != NULL, "%s:\n%s", wrong[i].says, all);
    }
}

Test(passphrase, it_and_every_other_secret_can_come_from_a_descriptor)
{
    struct lab *lab =
        locked_project("    - ansible.builtin.assert: {that: \"token == 'geheim-8'\", quiet: true}\n",
                       "    key_passphrase: {fd: 7}\n    secrets:\n      token: {fd: 8}\n");
    lab_write(lab, "token", "%s", "geheim-8");
    lab_write(lab, "with.sh", "#!/bin/sh\ncd '%s' && exec \"$TRIPHASE\" create host 7<passphrase 8<token\n",
              lab_folder(lab));
    AUTO_FREE char *script = file_join(lab_folder(lab), "with.sh");

    do_program((const char *const[]){script, NULL});

    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM run WHERE outcome = 'ok'"), 1);
    lab_write(lab, "passphrase", "%s", "wr0ng-one");
    struct lab_result without = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(without.code, 78, "%s", without.err);
    cr_expect(strstr(without.err, "the descriptor is not open") != NULL, "%s", without.err);
}
