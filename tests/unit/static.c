/* The provider `static`: what the user's own ssh knows of a host is found, nothing is trusted that was not
 * known, and nothing is claimed to be removed. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/provider_facts.h"
#include "provider/provider.h"
#include "transport/known_hosts.h"
#include "unit/hostile.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(static_hosts, .timeout = 30, .fini = hostile_clean);

static const char key[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu1Cw9kZ8pVfQmT3sXyLh2nD5rE7gBvKq4oWtYcMaNb";

/* A home of the test's own, with these files in .ssh; ssh looks into the user database, so it is mounted over
 * the real one, for this process alone. */
static void use_home(const char *config, const char *known)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0)
        cr_skip_test("needs root");
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount("tmpfs", "/root", "tmpfs", 0, NULL), 0);
    cr_assert_eq(mkdir("/root/.ssh", 0700), 0);
    cr_assert_eq(file_replace("/root/.ssh/config", config, strlen(config), 0600, NULL), 0);
    cr_assert_eq(file_replace("/root/.ssh/known_hosts", known, strlen(known), 0600, NULL), 0);
    unsetenv("SUDO_UID");
}

static struct machine *new_machine(void)
{
    struct machine *machine = machine_new();
    AUTO_FREE char *folder = hostile_path("project/.triphase/machines/m");
    machine->id = xstrdup("01a20481-f5ea-7f94-8db5-57e55cbd5271");
    machine->target = xstrdup("box");
    machine->directory = xstrdup(folder);
    return machine;
}

Test(static_hosts, the_users_ssh_config_and_known_hosts_answer)
{
    AUTO_FREE char *known = xasprintf("[192.0.2.7]:2200 %s comment\nother %s\n", key, "ssh-rsa AAAAB3wrong");
    use_home("Host box\n  HostName 192.0.2.7\n  Port 2200\n  User admin\n  ProxyJump hop\n  IdentityFile "
             "~/.ssh/mine\n",
             known);
    cr_assert_eq(file_replace("/root/.ssh/mine", "x", 1, 0600, NULL), 0);
    struct target target = {.name = (char *)"box"};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_MACHINE *machine = new_machine();
    cr_assert_eq(provider_static.plan(&target, machine, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(machine->address, "192.0.2.7");
    cr_expect_eq(machine->port, 2200);
    cr_expect_str_eq(machine->user, "admin");
    cr_expect_str_eq(machine->jump, "hop");
    cr_expect_str_eq(machine->key, "/root/.ssh/mine");
    cr_assert_eq(machine->host_keys.count, 1);
    cr_expect_str_eq(machine->host_keys.items[0], key);
    cr_assert_eq(provider_static.make(&target, machine, &err), 0, "%s", error_text(&err));
    AUTO_FREE char *path = file_join(machine->directory, "known_hosts");
    AUTO_TEXT written = TEXT_INIT;
    cr_assert_eq(file_read(path, 65536, &written, &err), 0);
    AUTO_FREE char *expected = xasprintf("triphase-%s %s", machine->id, key);
    cr_expect(text_starts(text_string(&written), expected), "%s", text_string(&written));
    cr_expect_eq(provider_static.remove(NULL, machine, 1, &err), 0);
    cr_expect(provider_facts("static")->existing);
}

Test(static_hosts, what_the_target_says_goes_before_the_config)
{
    use_home("Host 192.0.2.9\n  Port 2200\n  User admin\n", "");
    struct target target = {.name = (char *)"box",
                            .address = (char *)"192.0.2.9",
                            .port = 22,
                            .user = (char *)"root",
                            .key = (char *)"agent",
                            .python = (char *)"/opt/python",
                            .host_key_kind = HOST_KEYS_LIST};
    words_add(&target.host_keys, key);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_MACHINE *machine = new_machine();
    cr_assert_eq(provider_static.plan(&target, machine, &err), 0, "%s", error_text(&err));
    cr_expect_null(machine->python, "what is named counts while it is named, and is not written down");
    cr_expect_eq(machine->port, 22);
    cr_expect_str_eq(machine->user, "root");
    cr_expect_str_eq(machine->key, "agent");
    cr_expect_str_eq(machine->host_keys.items[0], key);
    words_clear(&target.host_keys);
}

Test(static_hosts, an_unknown_host_key_is_refused_with_the_command_that_learns_it)
{
    use_home("", "");
    struct target target = {.name = (char *)"box", .address = (char *)"192.0.2.9", .port = 2222};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_MACHINE *machine = new_machine();
    cr_assert_lt(provider_static.plan(&target, machine, &err), 0);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect(strstr(error_text(&err), "ssh-keyscan -p 2222 192.0.2.9 >>/root/.ssh/known_hosts"), "%s",
              error_text(&err));
    target.host_key_kind = HOST_KEYS_ACCEPT_NEW;
    error_clear(&err);
    cr_expect_eq(provider_static.plan(&target, machine, &err), 0, "%s", error_text(&err));
    cr_expect_eq(machine->host_keys.count, 0);
}

Test(static_hosts, known_hosts_that_cannot_be_read_do_not_make_a_host_unknown)
{
    use_home("", "");
    cr_assert(unlink("/root/.ssh/known_hosts") == 0 && symlink("known_hosts", "/root/.ssh/known_hosts") == 0);
    struct target target = {.name = (char *)"box", .address = (char *)"192.0.2.9"};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_MACHINE *machine = new_machine();
    cr_assert_lt(provider_static.plan(&target, machine, &err), 0);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect(strstr(error_text(&err), "cannot be told: cannot read /root/.ssh/known_hosts: ") &&
                  !strstr(error_text(&err), "ssh-keyscan"),
              "%s", error_text(&err));
}

Test(static_hosts, what_is_no_host_key_or_address_is_refused)
{
    use_home("Host proxied\n  ProxyCommand nc %h %p\n", "");
    static const char *const wrong[] = {"AAAAC3", "ssh-ed25519", "ssh-ed25519 not*base64", "* ssh-ed25519"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct target target = {.name = (char *)"box",
                                .address = (char *)"192.0.2.9",
                                .host_key_kind = HOST_KEYS_LIST};
        AUTO_MACHINE *machine = new_machine();
        AUTO_ERROR err = ERROR_INIT;
        words_add(&target.host_keys, wrong[i]);
        cr_expect_lt(provider_static.plan(&target, machine, &err), 0, "%s", wrong[i]);
        cr_expect_eq(err.kind, ERROR_PROJECT);
        words_clear(&target.host_keys);
    }
    static const char *const addresses[] = {"-oProxyCommand=true", "proxied"};
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct target target = {.name = (char *)"box",
                                .address = (char *)addresses[i],
                                .host_key_kind = HOST_KEYS_ACCEPT_NEW};
        AUTO_MACHINE *machine = new_machine();
        AUTO_ERROR err = ERROR_INIT;
        cr_expect_lt(provider_static.plan(&target, machine, &err), 0, "%s", addresses[i]);
    }
}

Test(static_hosts, what_the_user_revoked_and_whom_he_trusts_to_certify_holds)
{
    static const char bad[] =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFzzRevokedRevokedRevokedRevokedRevokedRevo";
    AUTO_FREE char *known = xasprintf("@revoked * %s\n@cert-authority *.example.net %s\n192.0.2.9 %s\n", bad,
                                      key, "ssh-ed25519 AAAAplain");
    use_home("Host box\n  HostName web.example.net\n", known);
    AUTO_FREE char *revoked = xasprintf("@revoked %s", bad);
    AUTO_FREE char *authority = xasprintf("@cert-authority %s", key);
    AUTO_ERROR err = ERROR_INIT;
    {
        /* Known by its authority: the name that the certificate bears is the one that ssh is to ask for. */
        struct target target = {.name = (char *)"box"};
        AUTO_MACHINE *machine = new_machine();
        cr_assert_eq(provider_static.plan(&target, machine, &err), 0, "%s", error_text(&err));
        cr_expect(words_have(&machine->host_keys, revoked));
        cr_expect(words_have(&machine->host_keys, authority));
        cr_assert_eq(provider_static.make(&target, machine, &err), 0, "%s", error_text(&err));
        AUTO_FREE char *path = file_join(machine->directory, "known_hosts");
        AUTO_TEXT written = TEXT_INIT;
        cr_assert_eq(file_read(path, 65536, &written, &err), 0);
        AUTO_FREE char *expected =
            xasprintf("@revoked web.example.net %s\n@cert-authority web.example.net %s\n", bad, key);
        cr_expect_str_eq(text_string(&written), expected);
        AUTO_FREE char *alias = known_hosts_alias(machine);
        cr_expect_str_eq(alias, "web.example.net");
        cr_expect_eq(provider_static.remove(NULL, machine, 1, &err), 0);
    }
    static const enum host_key_kind kinds[] = {HOST_KEYS_DEFAULT, HOST_KEYS_LIST, HOST_KEYS_ACCEPT_NEW};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct target target = {.name = (char *)"box",
                                .address = (char *)"192.0.2.9",
                                .host_key_kind = kinds[i]};
        AUTO_MACHINE *machine = new_machine();
        words_add(&target.host_keys, key);
        cr_assert_eq(provider_static.plan(&target, machine, &err), 0, "%s", error_text(&err));
        cr_assert_eq(provider_static.make(&target, machine, &err), 0, "%s", error_text(&err));
        AUTO_FREE char *path = file_join(machine->directory, "known_hosts");
        AUTO_FREE char *line = xasprintf("@revoked triphase-%s %s\n", machine->id, bad);
        AUTO_TEXT written = TEXT_INIT;
        cr_assert_eq(file_read(path, 65536, &written, &err), 0);
        cr_expect(strstr(text_string(&written), line), "%zu: %s", i, text_string(&written));
        cr_expect_null(strstr(text_string(&written), "@cert-authority"));
        cr_expect_eq(provider_static.remove(NULL, machine, 1, &err), 0);
        words_clear(&target.host_keys);
    }
}

Test(static_hosts, a_host_whose_only_known_key_is_revoked_is_unknown)
{
    AUTO_FREE char *known = xasprintf("@revoked 192.0.2.9 %s\n", key);
    use_home("", known);
    struct target target = {.name = (char *)"box", .address = (char *)"192.0.2.9"};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_MACHINE *machine = new_machine();
    cr_assert_lt(provider_static.plan(&target, machine, &err), 0);
    cr_expect(strstr(error_text(&err), "no host key of 192.0.2.9 is known"), "%s", error_text(&err));
}
