/* The root `host` shows this machine's packages and nothing private: what was planted in many places is not
 * to be found in the guest. */
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

TestSuite(sandbox_host_root, .timeout = 120);

/* Folders where people, services and administrators keep what is theirs; each gets a tmpfs in the test's own
 * mount namespace, with what was there linked through where the system needs it. */
static const char *const places[] = {
    "/root",
    "/home",
    "/srv",
    "/opt",
    "/mnt",
    "/media",
    "/boot",
    "/var/tmp",
    "/var/spool",
    "/var/cache",
    "/var/log",
    "/var/mail",
    "/var/backups",

    "/etc/ssl/private",
    "/etc/sudoers.d",
    "/etc/profile.d",
    "/etc/cron.d",
    "/etc/apt/auth.conf.d",
    "/etc/wireguard",
    "/etc/systemd/system",
};

/* Files of /etc that are often filled with secrets; replaced by a bind mount. */
static const char *const files[] = {"/etc/environment", "/etc/profile", "/etc/bash.bashrc",
                                    "/etc/hosts",       "/etc/fstab",   "/etc/shadow",
                                    "/etc/sudoers",     "/etc/crontab", "/etc/ssh/ssh_host_ed25519_key"};

Test(sandbox_host_root, planted_secrets_are_not_seen)
{
    rig_go_private();
    char id[ID_SIZE];
    id_make(id);
    AUTO_FREE char *token = xasprintf("planted%s", id_tail(id, 12));
    rig_shell("mkdir -p /var/lib/triphase/plant && echo 'password=%s' >/var/lib/triphase/plant/file", token);
    size_t planted = 0;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        /* The cache of root trees stays where it is. */
        if (!file_is_dir(places[i]))
            continue;
        rig_shell(
            "mount -t tmpfs tmpfs %s && mkdir -p %s/deep/er && cp /var/lib/triphase/plant/file %s/%s && "
            "cp /var/lib/triphase/plant/file %s/deep/er/%s",
            places[i], places[i], places[i], token, places[i], token);
        planted++;
    }
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        if (!file_exists(files[i]))
            continue;
        rig_shell("{ cat %s; echo '# %s'; } >/var/lib/triphase/plant/%zu && mount --bind "
                  "/var/lib/triphase/plant/%zu %s",
                  files[i], token, i, i, files[i]);
        planted++;
    }
    cr_assert_geq(planted, 10);
    rig_shell("touch /etc/%s-x 2>/dev/null; rm -f /etc/%s-x; printf 'deb "
              "https://user:%s@mirror.invalid/debian stable main\\n' "
              ">/var/lib/triphase/plant/list && mount -t tmpfs tmpfs /etc/apt/sources.list.d && "
              "cp /var/lib/triphase/plant/list /etc/apt/sources.list.d/private.list",
              token, token, token);
    rig_shell("mkdir -p /var/lib/misc && mount -t tmpfs tmpfs /var/lib/misc && cp "
              "/var/lib/triphase/plant/file /var/lib/misc/%s",
              token);
    setenv("TRIPHASE_PLANTED", token, 1);
    /* A mount would not be seen through the overlay of /usr anyway: this one really stands there. */
    AUTO_FREE char *local = xasprintf("/usr/local/share/%s", token);
    AUTO_FREE char *secret = xasprintf("password=%s\n", token);
    rig_plant(local, secret);

    struct rig *rig = rig_new("host");
    rig_shell("cp /var/lib/triphase/plant/file %s/.triphase/%s", rig->project, token);
    rig_make(rig);
    AUTO_FREE char *names = xasprintf(
        "find / -xdev -name '*%s*' -print; find /usr /var/lib/dpkg /tmp /run -xdev -name '*%s*' -print",
        token, token);
    AUTO_FREE char *named = rig_ssh(rig, names, NULL);
    cr_expect_str_eq(named, "", "%s", named);
    int code = 0;
    AUTO_FREE char *contents = xasprintf("grep -rlsa -D skip %s /etc /root /home /srv /opt /var /tmp "
                                         "/run /boot /mnt /media /usr/local /dev/shm /proc/1/environ; "
                                         "grep -lsa %s /proc/[0-9]*/environ | grep -v self",
                                         token, token);
    AUTO_FREE char *held = rig_ssh(rig, contents, &code);
    AUTO_TEXT found = TEXT_INIT;
    char *state = NULL;
    /* The journal may hold the command itself. */
    for (char *line = strtok_r(held, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        if (!strstr(line, "journal"))
            text_addf(&found, "%s\n", line);
    cr_expect_str_eq(text_string(&found), "", "%s", text_string(&found));
    AUTO_FREE char *people =
        rig_ssh(rig, "awk -F: '$3 >= 1000 && $3 < 65000' /etc/passwd; cut -d: -f2 /etc/shadow | sort -u",
                NULL);
    cr_expect_str_eq(people, "*\n", "%s", people);
    /* And it is a host: packages are known, commands are there. */
    AUTO_FREE char *works =
        rig_ssh(rig,
                "systemctl is-system-running; dpkg-query -W -f '${Status}\\n' dpkg; cd /usr && touch written",
                NULL);
    cr_expect_str_eq(works, "running\ninstall ok installed\n", "%s", works);
    cr_expect_not(file_exists("/usr/written"));
    rig_remove(rig);
    AUTO_FREE char *left = rig_left(rig);
    cr_expect_str_eq(left, "");
}
