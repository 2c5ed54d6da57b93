#include "sandbox/prepare.h"

#include "base/memory.h"
#include "base/text.h"
#include "sandbox/tree.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SMALL_FILE = 1 << 20, FIRST_USER = 1000, LAST_USER = 59999 };

/* Where Debian and others keep their units. */
static const char *const unit_folders[] = {"usr/lib/systemd/system", "lib/systemd/system"};

static const char *unit_folder(int root, const char *unit)
{
    for (size_t i = 0; i < COUNT_OF(unit_folders); i++) {
        AUTO_FREE char *path = xasprintf("%s/%s", unit_folders[i], unit);
        if (tree_has(root, path))
            return unit_folders[i];
    }
    return NULL;
}

int prepare_check(const char *path, const char *name, struct error *err)
{
    AUTO_CLOSE int root = tree_open(path, err);
    if (root < 0)
        return -1;
    if (!tree_has(root, "usr/lib/systemd/systemd") && !tree_has(root, "lib/systemd/systemd"))
        return error_set(err, ERROR_PROJECT,
                         "the root tree %s has no systemd: install systemd, systemd-sysv and dbus in it",
                         name);
    if (!tree_has(root, "usr/sbin/sshd"))
        return error_set(err, ERROR_PROJECT,
                         "the root tree %s has no /usr/sbin/sshd: install openssh-server in it", name);
    return 0;
}

static int write_text(int root, const char *path, mode_t mode, const char *text, struct error *err)
{
    return tree_write(root, path, text, strlen(text), mode, err);
}

static int mask(int root, const char *unit, struct error *err)
{
    AUTO_FREE char *path = xasprintf("etc/systemd/system/%s", unit);
    return tree_link(root, path, "/dev/null", err);
}

/* Timers and waits are only taken out of the boot, so that a role can still enable them; what a guest without
 * a console and without memory of its own has no use for is masked. */
static int drop_needless(int root, struct error *err)
{
    static const char *const links[] = {
        "timers.target.wants/apt-daily.timer",
        "timers.target.wants/apt-daily-upgrade.timer",
        "timers.target.wants/dpkg-db-backup.timer",
        "timers.target.wants/e2scrub_all.timer",
        "timers.target.wants/fstrim.timer",
        "timers.target.wants/man-db.timer",
        "timers.target.wants/motd-news.timer",
        "multi-user.target.wants/e2scrub_reap.service",
        "network-online.target.wants/systemd-networkd-wait-online.service",
        "network-online.target.wants/NetworkManager-wait-online.service",
        "default.target.wants/e2scrub_reap.service",
    };
    static const char *const units[] = {
        "console-getty.service",
        "getty.target",
        "dev-hugepages.mount",
        "systemd-firstboot.service",
        "systemd-update-utmp-runlevel.service",
    };
    for (size_t i = 0; i < COUNT_OF(links); i++) {
        AUTO_FREE char *path = xasprintf("etc/systemd/system/%s", links[i]);
        if (tree_remove(root, path, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (unit_folder(root, units[i]) && mask(root, units[i], err) < 0)
            return -1;
    return 0;
}

static int write_names(int root, const struct sandbox_settings *settings, struct error *err)
{
    AUTO_TEXT id = TEXT_INIT;
    for (const char *at = settings->machine; *at; at++)
        if (*at != '-')
            text_add_char(&id, *at);
    text_add_char(&id, '\n');
    AUTO_FREE char *name = xasprintf("%s\n", settings->host_name);
    AUTO_FREE char *hosts =
        xasprintf("127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost ip6-loopback\n"
                  "ff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
                  settings->host_name);
    if (write_text(root, "etc/machine-id", 0444, text_string(&id), err) < 0 ||
        tree_remove(root, "var/lib/dbus/machine-id", err) < 0 ||
        write_text(root, "etc/hostname", 0644, name, err) < 0 ||
        write_text(root, "etc/hosts", 0644, hosts, err) < 0 ||
        write_text(root, "etc/resolv.conf", 0644, settings->resolvers, err) < 0 ||
        /* Keeps packages that are installed in the guest from starting: meant for
         * image builds, not for hosts. */
        tree_remove(root, "usr/sbin/policy-rc.d", err) < 0)
        return -1;
    /* The address is set from outside: no network manager of the tree shall take it away. */
    if (unit_folder(root, "systemd-networkd.service") &&
        write_text(root, "etc/systemd/network/10-triphase.network", 0644,
                   "[Match]\nName=host0\n\n[Link]\nUnmanaged=yes\n", err) < 0)
        return -1;
    if (tree_has(root, "etc/NetworkManager") &&
        write_text(root, "etc/NetworkManager/conf.d/10-triphase.conf", 0644,
                   "[keyfile]\nunmanaged-devices=interface-name:host0\n", err) < 0)
        return -1;
    /* Debian 13 has the former as a link to the latter, which PAM then misses. */
    static const char *const locales[] = {"etc/locale.conf", "etc/default/locale"};
    for (size_t i = 0; i < COUNT_OF(locales); i++)
        if (!tree_has(root, locales[i]) && write_text(root, locales[i], 0644, "LANG=C.UTF-8\n", err) < 0)
            return -1;
    if (!tree_has(root, "etc/environment") && write_text(root, "etc/environment", 0644, "", err) < 0)
        return -1;
    return 0;
}

static int write_sshd(int root, const struct sandbox_settings *settings, struct error *err)
{
    static const char *const others[] = {"rsa", "ecdsa", "dsa"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        AUTO_FREE char *key = xasprintf("etc/ssh/ssh_host_%s_key", others[i]);
        AUTO_FREE char *public = xasprintf("%s.pub", key);
        if (tree_remove(root, key, err) < 0 || tree_remove(root, public, err) < 0)
            return -1;
    }
    AUTO_FREE char *public = xasprintf("%s\n", settings->host_public);
    if (write_text(root, "etc/ssh/ssh_host_ed25519_key", 0600, settings->host_key, err) < 0 ||
        write_text(root, "etc/ssh/ssh_host_ed25519_key.pub", 0644, public, err) < 0)
        return -1;

    AUTO_TEXT drop_in = TEXT_INIT;
    text_add(&drop_in, "# Of a sandbox of triphase.\nHostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS "
                       "no\nPubkeyAuthentication yes\n");
    if (text_is(settings->user, "root"))
        text_add(&drop_in, "PermitRootLogin prohibit-password\n");
    if (settings->port != 22)
        text_addf(&drop_in, "Port %d\n", settings->port);
    if (write_text(root, "etc/ssh/sshd_config.d/00-triphase.conf", 0644, text_string(&drop_in), err) < 0)
        return -1;
    AUTO_TEXT config = TEXT_INIT;
    if (tree_read(root, "etc/ssh/sshd_config", SMALL_FILE, &config, NULL) < 0)
        text_add(&config, "UsePAM yes\nKbdInteractiveAuthentication no\nAcceptEnv LANG LC_*\n"
                          "Subsystem sftp /usr/lib/openssh/sftp-server\n");
    if (!strstr(text_string(&config), "\nInclude /etc/ssh/sshd_config.d/")) {
        AUTO_TEXT whole = TEXT_INIT;
        text_addf(&whole, "Include /etc/ssh/sshd_config.d/*.conf\n%s", text_string(&config));
        if (write_text(root, "etc/ssh/sshd_config", 0644, text_string(&whole), err) < 0)
            return -1;
    }

    const char *unit = "ssh.service";
    const char *folder = unit_folder(root, unit);
    if (!folder) {
        unit = "sshd.service";
        folder = unit_folder(root, unit);
    }
    if (!folder)
        return error_set(err, ERROR_PROJECT,
                         "the root tree has an sshd but neither ssh.service nor sshd.service");
    AUTO_FREE char *there = xasprintf("/%s/%s", folder, unit);
    AUTO_FREE char *wanted = xasprintf("etc/systemd/system/multi-user.target.wants/%s", unit);
    if (tree_link(root, wanted, there, err) < 0 || tree_remove(root, "etc/ssh/sshd_not_to_be_run", err) < 0 ||
        tree_remove(root, "etc/systemd/system/sockets.target.wants/ssh.socket", err) < 0 ||
        tree_remove(root, "etc/systemd/system/ssh.service.requires/ssh.socket", err) < 0 ||
        mask(root, "ssh.socket", err) < 0)
        return -1;
    return text_is(unit, "ssh.service") ? tree_link(root, "etc/systemd/system/sshd.service", there, err) : 0;
}

struct account {
    unsigned user, group;
    char *home;
};

/* 1 and the account of that name from the tree's passwd; else 0 and in `user` a number that is free there. */
static int find_account(const char *passwd, const char *name, struct account *out)
{
    AUTO_FREE char *copy = xstrdup(passwd);
    char *state = NULL;
    out->user = FIRST_USER;
    for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        char this[64], home[512] = "";
        unsigned user, group;
        if (sscanf(line, "%63[^:]:%*[^:]:%u:%u:%*[^:]:%511[^:]", this, &user, &group, home) < 3 &&
            sscanf(line, "%63[^:]::%u:%u:%*[^:]:%511[^:]", this, &user, &group, home) < 3)
            continue;
        if (!*home)
            sscanf(line, "%*[^:]:%*[^:]:%*u:%*u::%511[^:]", home);
        if (text_is(this, name)) {
            *out = (struct account){user, group, xstrdup(*home == '/' ? home + 1 : "root")};
            return 1;
        }
        if (user >= out->user && user < LAST_USER)
            out->user = user + 1;
    }
    return 0;
}

/* Adds a line to an account file of the tree. */
static int append(int root, const char *path, mode_t mode, const char *line, struct error *err)
{
    AUTO_TEXT content = TEXT_INIT;
    if (tree_has(root, path) && tree_read(root, path, SMALL_FILE, &content, err) < 0)
        return -1;
    if (content.length && !text_ends(content.bytes, "\n"))
        text_add_char(&content, '\n');
    text_add(&content, line);
    return write_text(root, path, mode, text_string(&content), err);
}

static int make_account(int root, const char *name, struct account *account, struct error *err)
{
    account->group = account->user;
    account->home = xasprintf("home/%s", name);
    const char *shell = tree_has(root, "bin/bash") ? "/bin/bash" : "/bin/sh";
    AUTO_FREE char *passwd =
        xasprintf("%s:x:%u:%u::/%s:%s\n", name, account->user, account->group, account->home, shell);
    AUTO_FREE char *shadow = xasprintf("%s:*:19000:0:99999:7:::\n", name);
    AUTO_FREE char *group = xasprintf("%s:x:%u:\n", name, account->group);
    AUTO_FREE char *sudo = xasprintf("%s ALL=(ALL:ALL) NOPASSWD: ALL\n", name);
    AUTO_FREE char *sudoers = xasprintf("etc/sudoers.d/%s", name);
    if (append(root, "etc/passwd", 0644, passwd, err) < 0 ||
        append(root, "etc/shadow", 0600, shadow, err) < 0 || append(root, "etc/group", 0644, group, err) < 0)
        return -1;
    if (tree_folder(root, account->home, 0700, account->user, account->group, err) < 0)
        return -1;
    return tree_has(root, "etc/sudoers") ? write_text(root, sudoers, 0440, sudo, err) : 0;
}

static int write_account(int root, const struct sandbox_settings *settings, struct error *err)
{
    AUTO_TEXT passwd = TEXT_INIT;
    struct account account = {0, 0, NULL};
    if (strspn(settings->user, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(settings->user))
        return error_set(err, ERROR_PROJECT,
                         "the user '%s' cannot be made in a sandbox: use a-z, 0-9, _ and -", settings->user);
    if (tree_read(root, "etc/passwd", SMALL_FILE, &passwd, err) < 0)
        return -1;
    int found = find_account(text_string(&passwd), settings->user, &account);
    int result = found ? 0 : make_account(root, settings->user, &account, err);
    AUTO_FREE char *home = account.home;
    if (result < 0)
        return -1;
    AUTO_FREE char *folder = xasprintf("%s/.ssh", home);
    AUTO_FREE char *keys = xasprintf("%s/authorized_keys", folder);
    AUTO_FREE char *line = xasprintf("%s\n", settings->authorized_key);
    if (tree_folder(root, folder, 0700, account.user, account.group, err) < 0 ||
        write_text(root, keys, 0600, line, err) < 0 ||
        tree_own(root, keys, account.user, account.group, err) < 0)
        return -1;
    return 0;
}

int prepare_guest(const char *path, const struct sandbox_settings *settings, char **python, struct error *err)
{
    AUTO_CLOSE int root = tree_open(path, err);
    if (root < 0 || write_names(root, settings, err) < 0 || write_account(root, settings, err) < 0 ||
        write_sshd(root, settings, err) < 0 || drop_needless(root, err) < 0)
        return -1;
    *python = tree_has(root, "usr/bin/python3") ? xstrdup("/usr/bin/python3") : NULL;
    return 0;
}
