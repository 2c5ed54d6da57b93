/* The parts of the sandbox provider that need no guest: writing into a hostile tree, subnets, mirrors, names,
 * and what is said on a machine that cannot. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "provider/provider.h"
#include "sandbox/check.h"
#include "sandbox/mirror.h"
#include "sandbox/owner.h"
#include "sandbox/prepare.h"
#include "sandbox/subnet.h"
#include "sandbox/tree.h"
#include "unit/hostile.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

TestSuite(sandbox_parts, .timeout = 30, .fini = hostile_clean);

static char *made_folder(const char *name)
{
    char *path = hostile_path(name);
    cr_assert_eq(file_make_dirs(path, 0755, NULL), 0);
    return path;
}

static void put(const char *path, const char *text)
{
    cr_assert_eq(file_replace(path, text, strlen(text), 0644, NULL), 0);
}

static void expect_content(const char *path, const char *expected)
{
    AUTO_TEXT content = TEXT_INIT;
    cr_assert_eq(file_read(path, 4096, &content, NULL), 0, "%s", path);
    cr_expect_str_eq(text_string(&content), expected);
}

Test(sandbox_parts, no_link_in_a_tree_leads_a_write_out_of_it)
{
    AUTO_FREE char *tree = made_folder("tree");
    AUTO_FREE char *outside = made_folder("outside");
    AUTO_FREE char *victim = file_join(outside, "victim");
    AUTO_FREE char *etc = file_join(tree, "etc");
    AUTO_FREE char *direct = file_join(tree, "direct");
    AUTO_FREE char *up = file_join(tree, "up");
    AUTO_ERROR err = ERROR_INIT;
    put(victim, "untouched");
    cr_assert_eq(symlink(outside, etc), 0);
    cr_assert_eq(symlink(victim, direct), 0);
    cr_assert_eq(symlink("../../../../../../../../../..", up), 0);
    AUTO_CLOSE int root = tree_open(tree, &err);
    cr_assert_geq(root, 0);
    AUTO_FREE char *through_up = xasprintf("up%s", victim);
    /* Within the tree the absolute link names a folder that is not there. */
    tree_write(root, "etc/victim", "gone", 4, 0644, &err);
    tree_write(root, through_up, "gone", 4, 0644, &err);
    cr_expect_eq(tree_write(root, "direct", "mine", 4, 0600, &err), 0, "%s", error_text(&err));
    tree_remove(root, "etc/victim", &err);
    tree_folder(root, "etc/folder", 0700, 0, 0, &err);
    tree_link(root, "etc/link", "/", &err);
    expect_content(victim, "untouched");
    expect_content(direct, "mine");
    AUTO_WORDS names = WORDS_INIT;
    cr_assert_eq(file_list(outside, &names, NULL), 0);
    cr_expect_eq(names.count, 1);
}

Test(sandbox_parts, a_tree_gets_folders_modes_and_copies_as_they_are_meant)
{
    AUTO_FREE char *tree = made_folder("tree");
    AUTO_FREE char *from = made_folder("from");
    AUTO_ERROR err = ERROR_INIT;
    umask(077);
    AUTO_CLOSE int root = tree_open(tree, &err);
    AUTO_FREE char *one = file_join(from, "one");
    AUTO_FREE char *link = file_join(from, "link");
    AUTO_FREE char *pipe = file_join(from, "pipe");
    put(one, "text");
    cr_assert_eq(symlink("one", link), 0);
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    cr_expect_eq(tree_copy(root, from, "a/b/copy", NULL, &err), 0, "%s", error_text(&err));
    AUTO_FREE char *copied = file_join(tree, "a/b/copy/link");
    AUTO_FREE char *folder = file_join(tree, "a");
    AUTO_FREE char *no_pipe = file_join(tree, "a/b/copy/pipe");
    struct stat state;
    expect_content(copied, "text");
    cr_expect(lstat(copied, &state) == 0 && S_ISLNK(state.st_mode));
    cr_expect(stat(folder, &state) == 0 && (state.st_mode & 07777) == 0755);
    cr_expect_not(file_exists(no_pipe));
    cr_expect(tree_has(root, "a/b/copy/one"));
    cr_expect_not(tree_has(root, "a/b/copy/two"));
    cr_expect_eq(tree_remove(root, "not/there", &err), 0);
}

Test(sandbox_parts, a_prepared_tree_knows_its_user_and_keeps_foreign_files)
{
    AUTO_FREE char *tree = made_folder("tree");
    AUTO_FREE char *python = NULL;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_CLOSE int root = tree_open(tree, &err);
    static const char *const files[] = {
        "usr/lib/systemd/systemd", "usr/sbin/sshd", "usr/lib/systemd/system/ssh.service",
        "usr/sbin/policy-rc.d",    "etc/sudoers",   "etc/ssh/ssh_host_rsa_key",
        "usr/bin/python3"};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        cr_assert_eq(tree_write(root, files[i], "x", 1, 0755, &err), 0);
    static const char passwd_text[] = "root:x:0:0::/root:/bin/sh\nold:x:1004:1004::/home/old:/bin/sh";
    cr_assert_eq(tree_write(root, "etc/passwd", passwd_text, strlen(passwd_text), 0644, &err), 0);
    cr_assert_eq(tree_write(root, "etc/ssh/sshd_config", "Port 22\n", 8, 0644, &err), 0);
    struct sandbox_settings settings = {.machine = "01a20481-f5ea-7f94-8db5-57e55cbd5271",
                                        .host_name = "guest",
                                        .user = "admin",
                                        .port = 2222,
                                        .authorized_key = "ssh-ed25519 AAAAkey",
                                        .host_key = "private",
                                        .host_public = "ssh-ed25519 AAAAhost",
                                        .resolvers = "nameserver 192.0.2.1\n"};
    cr_assert_eq(prepare_check(tree, "tree", &err), 0, "%s", error_text(&err));
    cr_assert_eq(prepare_guest(tree, &settings, &python, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(python, "/usr/bin/python3");
    static const struct {
        const char *path, *content;
    } expected[] = {
        {"etc/hostname", "guest\n"},
        {"etc/machine-id", "01a20481f5ea7f948db557e55cbd5271\n"},
        {"etc/passwd", "root:x:0:0::/root:/bin/sh\nold:x:1004:1004::/home/old:/bin/sh\nadmin:x:1005:1005::/"
                       "home/admin:/bin/sh\n"},
        {"home/admin/.ssh/authorized_keys", "ssh-ed25519 AAAAkey\n"},
        {"etc/sudoers.d/admin", "admin ALL=(ALL:ALL) NOPASSWD: ALL\n"},
        {"etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nPort 22\n"},
        {"etc/resolv.conf", "nameserver 192.0.2.1\n"},
    };
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        AUTO_FREE char *path = file_join(tree, expected[i].path);
        expect_content(path, expected[i].content);
    }
    struct stat state;
    AUTO_FREE char *keys = file_join(tree, "home/admin/.ssh");
    AUTO_FREE char *host_key = file_join(tree, "etc/ssh/ssh_host_ed25519_key");
    cr_expect(stat(keys, &state) == 0 && state.st_uid == 1005 && (state.st_mode & 07777) == 0700);
    cr_expect(stat(host_key, &state) == 0 && (state.st_mode & 07777) == 0600);
    cr_expect_not(tree_has(root, "usr/sbin/policy-rc.d"));
    cr_expect_not(tree_has(root, "etc/ssh/ssh_host_rsa_key"));
    /* A second time nobody is made twice. */
    free(python);
    python = NULL;
    cr_assert_eq(prepare_guest(tree, &settings, &python, &err), 0, "%s", error_text(&err));
    AUTO_FREE char *passwd = file_join(tree, "etc/passwd");
    expect_content(passwd, expected[2].content);
    settings.user = "a:0:0";
    cr_expect_lt(prepare_guest(tree, &settings, &python, &err), 0);
}

Test(sandbox_parts, subnets_avoid_what_is_taken)
{
    AUTO_SUBNETS taken = {NULL, 0};
    AUTO_ERROR err = ERROR_INIT;
    in_addr_t first = 0, second = 0, third = 0;
    cr_assert_eq(subnet_choose(&taken, "tp0123456789", &first, &err), 0);
    cr_expect_eq(ntohl(first) >> 16, 0x0ad5);
    cr_expect_eq(ntohl(first) & 3, 0);
    subnets_add(&taken, ntohl(first), 30);
    cr_assert_eq(subnet_choose(&taken, "tp0123456789", &second, &err), 0);
    cr_expect_neq(first, second);
    /* An address within is enough, and so is a route around. */
    subnets_add(&taken, ntohl(second) + 3, 32);
    cr_assert_eq(subnet_choose(&taken, "tp0123456789", &third, &err), 0);
    cr_expect(third != first && third != second);
    subnets_add(&taken, 0x0a800000, 9);
    subnets_add(&taken, 0xac100000, 12);
    cr_assert_eq(subnet_choose(&taken, "tp0123456789", &first, &err), 0);
    cr_expect_eq(ntohl(first) >> 8, 0xc0a8d5);
    cr_expect_eq(subnets_add_routes(&taken, &err), 0, "%s", error_text(&err));
}

Test(sandbox_parts, mirrors_are_found_in_both_formats_of_apt)
{
    AUTO_FREE char *apt = made_folder("apt/sources.list.d");
    AUTO_FREE char *folder = hostile_path("apt");
    AUTO_FREE char *list = file_join(folder, "sources.list");
    AUTO_FREE char *foreign = file_join(apt, "a.list");
    AUTO_FREE char *sources = file_join(apt, "debian.sources");
    AUTO_MIRROR none = {NULL, NULL};
    AUTO_MIRROR both = {NULL, NULL};
    AUTO_MIRROR old = {NULL, NULL};
    put(foreign,
        "# deb http://off.invalid/debian x main\ndeb [arch=amd64] https://else.invalid/apt stable main\n");
    mirror_find(folder, &none);
    cr_expect_null(none.archive);
    put(sources,
        "Types: deb\nURIs: http://mirror.invalid/debian/\n http://second.invalid/debian\nSuites: x\n\n"
        "Types: deb\nuris: http://mirror.invalid/debian-security\nSuites: y\n");
    mirror_find(folder, &both);
    cr_expect_str_eq(both.archive, "http://mirror.invalid/debian");
    cr_expect_str_eq(both.security, "http://mirror.invalid/debian-security");
    put(list, "deb [signed-by=/k] http://first.invalid/some/debian bookworm main\ndeb-src "
              "http://no.invalid/debian b main\n");
    mirror_find(folder, &old);
    cr_expect_str_eq(old.archive, "http://first.invalid/some/debian");
}

Test(sandbox_parts, names_come_from_ids_alone)
{
    char name[SANDBOX_NAME_SIZE];
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sandbox_name("01a20481-f5ea-7f94-8db5-57e55cbd5271", name, &err), 0);
    cr_expect_str_eq(name, "tpe55cbd5271");
    static const char *const strange[] = {"", "../../etc", "01a20481-f5ea-7f94-8db5-57e55cbd527/"};
    for (size_t i = 0; i < COUNT_OF(strange); i++) {
        struct machine machine = {.id = (char *)strange[i], .reference = (char *)"../../home"};
        cr_expect_lt(sandbox_name(strange[i], name, &err), 0);
        cr_expect_lt(provider_sandbox.remove(NULL, &machine, 1, &err), 0,
                     "a row from elsewhere names what is removed");
    }
    cr_expect_null(provider_named("nobody"));
    cr_expect_eq(provider_named("sandbox"), &provider_sandbox);
}

Test(sandbox_parts, who_is_not_root_is_told_so_before_anything_is_removed)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct machine machine = {.id = (char *)"01a20481-f5ea-7f94-8db5-57e55cbd5271"};
    AUTO_FREE char *folder = sandbox_path("tpe55cbd5271", NULL);
    AUTO_ERROR err = ERROR_INIT;
    /* A folder of its own, gone with this process. */
    cr_assert_eq(file_make_dirs("/var/lib/triphase", 0755, NULL), 0);
    cr_assert_eq(unshare(CLONE_NEWNS), 0);
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount("tmpfs", "/var/lib/triphase", "tmpfs", 0, "mode=0755"), 0);
    cr_assert_eq(mkdir(folder, 0700), 0);
    cr_assert_eq(seteuid(65534), 0);
    int status = provider_sandbox.remove(NULL, &machine, INT64_C(200000000), &err);
    cr_assert_eq(seteuid(0), 0);
    cr_expect_lt(status, 0);
    cr_expect_not_null(strstr(error_text(&err),
                              "root alone removes the sandbox tpe55cbd5271: run triphase with sudo"),
                       "%s", error_text(&err));
    cr_expect(file_exists(folder));
}

static void drop_capability(int number)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    cr_assert_eq(syscall(SYS_capget, &header, data), 0);
    data[number / 32].effective &= ~(UINT32_C(1) << (number % 32));
    cr_assert_eq(syscall(SYS_capset, &header, data), 0);
}

static void expect_missing(const char *const *words)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_lt(sandbox_check(NULL, &err), 0);
    cr_expect_eq(err.kind, ERROR_MISSING);
    for (; *words; words++)
        cr_expect(strstr(error_text(&err), *words), "no '%s' in: %s", *words, error_text(&err));
}

/* As a triphase without ids of projects wrote it: the folder alone says whose it is. */
Test(sandbox_parts, a_note_whose_folder_cannot_be_seen_is_anothers)
{
    AUTO_FREE char *ours = made_folder("project/.triphase/machines/m"), *circle = hostile_path("circle");
    AUTO_MACHINE *machine = machine_new();
    machine->id = xstrdup("01890000-0000-7000-8000-0123456789ab");
    machine->target = xstrdup("box");
    machine->directory = xstrdup(ours);
    cr_assert_eq(symlink("circle", circle), 0);
    static const struct {
        const char *folder;
        int taken;
    } notes[] = {{"gone", 0}, {"circle", -1}};
    for (size_t i = 0; i < COUNT_OF(notes); i++) {
        AUTO_FREE char *folder = hostile_path(notes[i].folder);
        AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
        AUTO_ERROR err = ERROR_INIT;
        owner.directory = file_join(folder, "m");
        cr_expect_eq(sandbox_owner_take(&owner, machine, &err), notes[i].taken, "%s: %s", notes[i].folder,
                     error_text(&err));
    }
}

Test(sandbox_parts, an_ordinary_user_is_told_to_use_sudo)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    cr_assert_eq(seteuid(65534), 0);
    expect_missing((const char *const[]){"sudo", NULL});
    /* So that the leak checker can look at this process. */
    cr_assert(seteuid(0) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
}

Test(sandbox_parts, a_container_without_rights_is_told_the_flags)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    drop_capability(CAP_SYS_ADMIN);
    expect_missing((const char *const[]){"--privileged", "--cap-add SYS_ADMIN", "CAP_SYS_ADMIN",
                                         "mounting is refused", NULL});
}

Test(sandbox_parts, missing_programs_are_named_with_one_line_that_installs_them)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    AUTO_FREE char *empty = made_folder("empty");
    setenv("PATH", empty, 1);
    expect_missing((const char *const[]){
        "systemd-nspawn", "apt-get install -y systemd-container iproute2 util-linux nftables openssh-client",
        NULL});
}
