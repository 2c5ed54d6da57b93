/* The sandbox provider on real guests: ready means that a command was answered, removed means that nothing is
 * left, whatever died at whatever instant. */
#include "lab/sandbox.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/child.h"
#include "process/scope.h"
#include "sandbox/owner.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(sandbox, .timeout = 300);

static void expect_nothing_left(const struct rig *rig)
{
    AUTO_FREE char *left = rig_left(rig);
    cr_expect_str_eq(left, "");
}

static void expect_answer(const struct rig *rig, const char *command, const char *answer)
{
    AUTO_FREE char *said = rig_ssh(rig, command, NULL);
    cr_expect_str_eq(said, answer, "%s: %s", command, said);
}

Test(sandbox, a_made_host_answers_with_the_keys_it_was_given_and_leaves_nothing)
{
    struct rig *rig = rig_new(NULL);
    rig_make(rig);
    expect_answer(rig,
                  "hostname; id -un; systemctl is-system-running; systemctl list-jobs --no-legend | wc -l",
                  "guest\nroot\nrunning\n0\n");
    /* A logind session is what tells the processes of one connection from others. */
    expect_answer(rig,
                  "test -n \"$XDG_SESSION_ID\" && python3 -c 'print(6*7)' && ls /usr/sbin/policy-rc.d "
                  "2>/dev/null; true",
                  "42\n");
    struct stat state;
    cr_expect(stat(rig->machine->key, &state) == 0 && (state.st_mode & 07777) == 0600);
    cr_expect(stat(rig->machine->directory, &state) == 0 && (state.st_mode & 07777) == 0700);
    cr_expect_eq(rig->machine->host_keys.count, 1);
    AUTO_FREE char *there = rig_ssh(rig, "cut -d' ' -f1,2 /etc/ssh/ssh_host_*_key.pub", NULL);
    AUTO_FREE char *expected = xasprintf("%s\n", rig->machine->host_keys.items[0]);
    cr_expect_str_eq(there, expected);
    cr_expect_str_eq(rig->machine->python, "/usr/bin/python3");
    rig_remove(rig);
    expect_nothing_left(rig);
    rig_remove(rig);
}

Test(sandbox, a_guest_reaches_the_world_of_this_machine_and_its_resolvers)
{
    struct rig *rig = rig_new(NULL);
    rig_make(rig);
    AUTO_FREE char *here = rig_output("grep -c '^nameserver' /etc/resolv.conf");
    AUTO_FREE char *route = rig_output("ip route show default");
    AUTO_FREE char *resolvers = rig_ssh(rig, "cat /etc/resolv.conf", NULL);
    cr_expect_null(strstr(resolvers, "nameserver 127."), "%s", resolvers);
    int code = 0;
    /* Only where this machine itself can. */
    AUTO_FREE char *outside =
        rig_output("timeout 20 apt-get update -o Dir::State::Lists=$(mktemp -d) >/dev/null 2>&1 && echo yes");
    if (!text_is(outside, "yes\n") || !*route)
        cr_skip_test("this machine has no way out");
    free(rig_ssh(rig, "timeout 40 apt-get -q update", &code));
    cr_expect_eq(code, 0);
    rig_remove(rig);
    expect_nothing_left(rig);
}

static void make_in_child(struct rig *rig, pid_t *pid)
{
    *pid = fork();
    cr_assert_geq(*pid, 0);
    if (*pid)
        return;
    AUTO_ERROR err = ERROR_INIT;
    int made = provider_sandbox.make(&rig->target, rig->machine, &err);
    if (made < 0)
        fprintf(stderr, "%s\n", error_text(&err));
    _exit(made < 0);
}

/* What a maker in another process filled in. */
static void fill_from_owner(struct rig *rig)
{
    AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
    cr_assert(sandbox_owner_read(rig->machine->reference, &owner, NULL) == 1);
    rig->machine->address = sandbox_guest_address(owner.subnet);
    rig->machine->port = 22;
    rig->machine->user = xstrdup("root");
    rig->machine->key = file_join(rig->machine->directory, "key");
}

Test(sandbox, two_made_at_once_are_two_and_reach_each_other)
{
    struct rig *rigs[] = {rig_new(NULL), rig_new(NULL)};
    pid_t pids[2];
    for (size_t i = 0; i < 2; i++)
        make_in_child(rigs[i], &pids[i]);
    for (size_t i = 0; i < 2; i++) {
        int status = 0;
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        AUTO_ERROR err = ERROR_INIT;
        fill_from_owner(rigs[i]);
        cr_assert_eq(provider_sandbox.verify(&rigs[i]->target, rigs[i]->machine, 60 * NS_PER_S, &err), 0,
                     "%s", error_text(&err));
    }
    cr_expect_str_neq(rigs[0]->machine->address, rigs[1]->machine->address);
    AUTO_FREE char *command =
        xasprintf("timeout 5 bash -c 'head -c 3 </dev/tcp/%s/22'", rigs[1]->machine->address);
    expect_answer(rigs[0], command, "SSH");
    rig_remove(rigs[0]);
    expect_nothing_left(rigs[0]);
    /* The other is not touched by that. */
    expect_answer(rigs[1], "echo here", "here\n");
    rig_remove(rigs[1]);
    expect_nothing_left(rigs[1]);
}

/* One instant at which the maker is killed. */
static bool mount_is_there(const struct rig *rig)
{
    AUTO_TEXT mounts = TEXT_INIT;
    return file_read("/proc/self/mountinfo", 16 << 20, &mounts, NULL) == 0 &&
           strstr(text_string(&mounts), rig->machine->reference);
}

static bool file_of_name(const char *format, const struct rig *rig)
{
    AUTO_TEXT path = TEXT_INIT;
    for (; *format; format++) {
        if (*format == '@')
            text_add(&path, rig->machine->reference);
        else
            text_add_char(&path, *format);
    }
    return file_exists(text_string(&path));
}

static void kill_at(const char *instant)
{
    struct rig *rig = rig_new(NULL);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *name = xasprintf("test-%s", rig->machine->id);
    AUTO_FREE char *marker = xasprintf("TRIPHASE_TEST=%s", rig->machine->id);
    struct scope scope;
    cr_assert_eq(scope_open(name, marker, &scope, &err), 0, "%s", error_text(&err));
    if (scope.kind != SCOPE_CGROUP)
        cr_skip_test("no cgroup is to be had: the maker's own children could not be killed with it");
    AUTO_FREE char *procs = file_join(scope.path, "cgroup.procs");
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        /* As in a run: the maker and the programs it runs are in one scope, and end with it. */
        int fd = open(procs, O_WRONLY | O_CLOEXEC);
        if (file_write_all(fd, "0", 1) < 0)
            _exit(1);
        close(fd);
        _exit(provider_sandbox.make(&rig->target, rig->machine, NULL) < 0);
    }
    int64_t until = moment_monotonic() + 10 * NS_PER_S;
    bool reached = false;
    while (!reached && moment_monotonic() < until)
        reached = text_is(instant, "mount") ? mount_is_there(rig)
                  : *instant == '+'
                      ? moment_monotonic() >= until - 10 * NS_PER_S + strtol(instant, NULL, 10) * NS_PER_MS
                      : file_of_name(instant, rig);
    cr_expect(reached, "%s was never reached", instant);
    cr_assert_eq(scope_end(&scope, 5 * NS_PER_S, &err), 0, "%s", error_text(&err));
    waitpid(pid, NULL, 0);
    scope_remove(&scope, NULL);
    scope_close(&scope);
    /* From the owner's note alone: the machine's row knows only how it would be called. */
    rig_remove(rig);
    AUTO_FREE char *left = rig_left(rig);
    cr_expect_str_eq(left, "", "killed at %s: %s", instant, left);
}

Test(sandbox, a_maker_killed_at_any_instant_leaves_nothing_that_remove_does_not_find)
{
    static const char *const instants[] = {"+0",
                                           "/var/lib/triphase/@",
                                           "/var/lib/triphase/@/owner.json",
                                           "/run/netns/@",
                                           "/sys/class/net/@",
                                           "mount",
                                           "/var/lib/triphase/@/root/etc/ssh/sshd_config.d/00-triphase.conf",
                                           "/run/systemd/nspawn/propagate/@"};
    for (size_t i = 0; i < COUNT_OF(instants); i++)
        kill_at(instants[i]);
    for (int ms = 2; ms < 80; ms += 7) {
        AUTO_FREE char *instant = xasprintf("+%d", ms);
        kill_at(instant);
    }
}

Test(sandbox, the_host_lives_on_when_its_maker_and_the_makers_scope_are_gone)
{
    struct rig *rig = rig_new(NULL);
    pid_t pid;
    make_in_child(rig, &pid);
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    fill_from_owner(rig);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(provider_sandbox.verify(&rig->target, rig->machine, 60 * NS_PER_S, &err), 0, "%s",
                 error_text(&err));
    struct machine *known_only_by_id = machine_new();
    known_only_by_id->id = xstrdup(rig->machine->id);
    cr_expect_eq(provider_sandbox.remove(NULL, known_only_by_id, 60 * NS_PER_S, &err), 0, "%s",
                 error_text(&err));
    machine_free(known_only_by_id);
    expect_nothing_left(rig);
}

Test(sandbox, remove_finds_each_resource_when_others_are_gone_already)
{
    static const char *const losses[] = {"ip link del %s", "ip netns del %s", "nft delete table ip %s",
                                         "rm /var/lib/triphase/%s/owner.json"};
    for (size_t i = 0; i < COUNT_OF(losses); i++) {
        struct rig *rig = rig_new(NULL);
        rig_make(rig);
        AUTO_TEXT command = TEXT_INIT;
        const char *percent = strchr(losses[i], '%');
        text_add_bytes(&command, losses[i], (size_t)(percent - losses[i]));
        text_addf(&command, "%s%s", rig->machine->reference, percent + 2);
        rig_shell("%s", text_string(&command));
        rig_remove(rig);
        expect_nothing_left(rig);
    }
}

/* Until the guest answers and is another boot than the one that had the file; with the provider's
 * help, or left to itself. */
static void wait_for_new_boot(struct rig *rig, bool verify)
{
    int64_t until = moment_monotonic() + 30 * NS_PER_S;
    while (moment_monotonic() < until) {
        int code = 0;
        AUTO_ERROR err = ERROR_INIT;
        if (verify && provider_sandbox.verify(&rig->target, rig->machine, 30 * NS_PER_S, &err) < 0)
            cr_log_warn("%s", error_text(&err));
        free(rig_ssh(rig, "test -e /run/this-boot", &code));
        if (code == 1)
            return;
        poll(NULL, 0, 50);
    }
    cr_assert_fail("the guest did not come back");
}

Test(sandbox, a_guest_that_reboots_comes_back_as_the_same_host)
{
    struct rig *rig = rig_new(NULL);
    int code;
    rig_make(rig);
    for (int round = 0; round < 2; round++) {
        free(rig_ssh(rig, "touch /run/this-boot; echo kept >/root/kept; systemctl reboot", &code));
        wait_for_new_boot(rig, false);
        expect_answer(rig, "cat /root/kept; ip -4 -br addr show host0 | grep -c UP", "kept\n1\n");
    }
    rig_remove(rig);
    expect_nothing_left(rig);
}

Test(sandbox, verify_starts_again_what_went_down_with_this_machine)
{
    struct rig *rig = rig_new(NULL);
    const char *name;
    rig_make(rig);
    name = rig->machine->reference;
    free(rig_ssh(rig, "touch /run/this-boot; echo kept >/root/kept; sync", NULL));
    AUTO_FREE char *scope_path =
        xasprintf("%s/machine-%s", scope_root(NULL) ? scope_root(NULL) : "", rig->machine->id);
    struct scope scope;
    AUTO_ERROR err = ERROR_INIT;
    if (scope_open_existing(scope_path, &scope, &err) < 0)
        cr_skip_test("no cgroup is to be had");
    /* What a reboot of this machine takes: processes, mounts, network, rules. */
    cr_assert_eq(scope_end(&scope, 10 * NS_PER_S, &err), 0, "%s", error_text(&err));
    scope_close(&scope);
    rig_shell(
        "umount /var/lib/triphase/%s/root && ip link del %s && ip netns del %s && nft delete table ip %s",
        name, name, name, name);
    wait_for_new_boot(rig, true);
    expect_answer(rig, "cat /root/kept", "kept\n");
    rig_remove(rig);
    expect_nothing_left(rig);
}

Test(sandbox, other_debian_releases_boot_too)
{
    static const struct {
        const char *root, *version;
    } releases[] = {{"debian-11", "11\n"}, {"debian-13", "13\n"}};
    for (size_t i = 0; i < COUNT_OF(releases); i++) {
        struct rig *rig = rig_new(releases[i].root);
        rig_make(rig);
        expect_answer(rig, "cut -d. -f1 /etc/debian_version", releases[i].version);
        expect_answer(rig, "systemctl is-system-running; systemctl list-units --failed --no-legend",
                      "running\n");
        rig_remove(rig);
        expect_nothing_left(rig);
    }
}

Test(sandbox, a_folder_or_an_archive_can_be_the_root_and_is_never_written)
{
    struct rig *first = rig_new(NULL);
    rig_make(first);
    AUTO_FREE char *tree = xstrdup(json_get_string(first->machine->resources, "root", ""));
    rig_remove(first);
    AUTO_FREE char *before =
        rig_output("find '%s' -newermt '-1 hour' -printf '%%p %%C@\\n' | sort | md5sum", tree);
    struct rig *folder = rig_new(tree);
    rig_make(folder);
    free(rig_ssh(folder, "echo written >/etc/motd; rm /etc/debian_version", NULL));
    rig_remove(folder);
    expect_nothing_left(folder);
    AUTO_FREE char *after =
        rig_output("find '%s' -newermt '-1 hour' -printf '%%p %%C@\\n' | sort | md5sum", tree);
    cr_expect_str_eq(after, before);

    struct rig *archive = rig_new(NULL);
    AUTO_FREE char *path = xasprintf("%s/root tree.tar", archive->project);
    rig_shell("tar --create --numeric-owner --xattrs --exclude=./usr/share/doc --exclude=./usr/share/locale "
              "--file '%s' --directory '%s' .",
              path, tree);
    free(archive->target.root);
    archive->target.root = xstrdup("root tree.tar");
    rig_make(archive);
    AUTO_FREE char *cached = xstrdup(json_get_string(archive->machine->resources, "root", ""));
    expect_answer(archive, "cut -d. -f1 /etc/debian_version", "12\n");
    rig_remove(archive);
    expect_nothing_left(archive);
    cr_assert(text_starts(cached, "/var/cache/triphase/tar-"));
    rig_shell("rm -r '%s' '%s.lock'", cached, cached);
}

Test(sandbox, a_root_without_systemd_or_sshd_is_refused_before_anything_is_made)
{
    struct rig *rig = rig_new(NULL);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *path = file_join(rig->project, "empty");
    rig_shell("mkdir -p '%s/usr/lib/systemd' && touch '%s/usr/lib/systemd/systemd'", path, path);
    free(rig->target.root);
    rig->target.root = xstrdup(path);
    cr_expect_lt(provider_sandbox.make(&rig->target, rig->machine, &err), 0);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect(strstr(error_text(&err), "openssh-server"), "%s", error_text(&err));
    cr_expect_eq(sandbox_owner_read(rig->machine->reference, &(struct sandbox_owner)SANDBOX_OWNER_INIT, NULL),
                 0);
    free(rig->target.root);
    rig->target.root = xstrdup("debian-9");
    cr_expect_lt(provider_sandbox.plan(&rig->target, rig->machine, &err), 0);
    cr_expect_eq(err.kind, ERROR_PROJECT);
}

Test(sandbox, a_guest_that_does_not_come_up_is_told_with_its_consoles_last_words)
{
    struct rig *rig = rig_new(NULL);
    AUTO_ERROR err = ERROR_INIT;
    rig_make(rig);
    AUTO_FREE char *tree = xstrdup(json_get_string(rig->machine->resources, "root", ""));
    rig_remove(rig);
    struct rig *broken = rig_new(NULL);
    AUTO_FREE char *copy = file_join(broken->project, "tree");
    rig_shell(
        "cp -a '%s' '%s' && printf '#!/bin/sh\\necho no such luck\\nexit 3\\n' >'%s/usr/lib/systemd/systemd'",
        tree, copy, copy);
    free(broken->target.root);
    broken->target.root = xstrdup(copy);
    int64_t start = moment_monotonic();
    cr_expect_eq(provider_sandbox.make(&broken->target, broken->machine, &err), 0, "%s", error_text(&err));
    cr_expect_lt(provider_sandbox.verify(&broken->target, broken->machine, 30 * NS_PER_S, &err), 0);
    cr_expect_lt(moment_monotonic() - start, 15 * NS_PER_S, "it waited for what was gone");
    cr_expect(strstr(error_text(&err), "no such luck"), "%s", error_text(&err));
    rig_remove(broken);
    AUTO_FREE char *left = rig_left(broken);
    file_remove_tree(copy, NULL); /* 300 MB: the warden has not the time for them */
    cr_expect_str_eq(left, "");
}
