#include "sandbox/host_root.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "sandbox/tree.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SMALL_FILE = 4 << 20, FIRST_USER = 1000, NOBODY = 65534 };

/* Folders of the root that are links into /usr on a merged system, else folders of packages. */
static const char *const system_folders[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

/* Of /etc: what packages laid there and every Debian system needs. Nothing that services or
 * administrators fill with secrets. */
static const char *const shown[] = {
    "adduser.conf",
    "alternatives",
    "apt/sources.list",
    "apt/sources.list.d",
    "apt/trusted.gpg.d",
    "apt/keyrings",
    "apt/preferences.d",
    "bindresvport.blacklist",
    "ca-certificates.conf",
    "dbus-1",
    "debconf.conf",
    "debian_version",
    "deluser.conf",
    "dpkg",
    "ethertypes",
    "gai.conf",
    "host.conf",
    "inputrc",
    "iproute2",
    "issue",
    "issue.net",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "libaudit.conf",
    "locale.alias",
    "localtime",
    "login.defs",
    "mke2fs.conf",
    "networks",
    "nsswitch.conf",
    "os-release",
    "pam.conf",
    "pam.d",
    "perl",
    "protocols",
    "python3",
    "python3.9",
    "python3.11",
    "python3.13",
    "rpc",
    "security",
    "selinux",
    "services",
    "shells",
    "ssh/moduli",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
    "xattr.conf",
    "debuginfod",
    "ca-certificates",
    "redhat-release",
    "crypto-policies",
};

/* Whether a file of those may be shown: a URI with a user and a password in it, or a private
 * key, may stand anywhere. */
static bool wanted(const char *from)
{
    AUTO_TEXT content = TEXT_INIT;
    struct stat state;
    if (stat(from, &state) < 0 || !(state.st_mode & S_IROTH) ||
        file_read(from, SMALL_FILE, &content, NULL) < 0)
        return false;
    if (memmem(text_string(&content), content.length, "PRIVATE KEY", strlen("PRIVATE KEY")))
        return false;
    if (!strstr(from, "/apt/") || text_ends(from, ".gpg"))
        return true;
    return !strchr(text_string(&content), '@');
}

int host_root_parts(struct sandbox_owner *owner, struct error *err)
{
    if (!file_exists("/usr/lib/systemd/systemd") && !file_exists("/lib/systemd/systemd"))
        return error_set(err, ERROR_MISSING,
                         "root: host cannot be used: this machine has no systemd; run: apt-get install -y "
                         "systemd systemd-sysv dbus libpam-systemd");
    if (!file_exists("/usr/sbin/sshd"))
        return error_set(err, ERROR_MISSING,
                         "root: host cannot be used: this machine has no sshd; run: apt-get install -y "
                         "openssh-server");
    sandbox_owner_add_part(owner, "usr", "/usr");
    for (size_t i = 0; i < COUNT_OF(system_folders); i++) {
        AUTO_FREE char *path = xasprintf("/%s", system_folders[i]);
        struct stat state;
        if (lstat(path, &state) == 0 && S_ISDIR(state.st_mode))
            sandbox_owner_add_part(owner, system_folders[i], path);
    }
    if (file_is_dir("/var/lib/dpkg"))
        sandbox_owner_add_part(owner, "var/lib/dpkg", "/var/lib/dpkg");
    return 0;
}

int host_root_hide(const struct sandbox_part *part, const char *upper, struct error *err)
{
    AUTO_FREE char *path = file_join(upper, "local");
    if (!text_is(part->at, "usr"))
        return 0;
    if (mkdir(path, 0755) < 0)
        return errno == EEXIST ? 0 : error_system(err, errno, "cannot make %s", path);
    /* An opaque folder: what stands below it in the lower tree is not seen. */
    if (chmod(path, 0755) < 0 || setxattr(path, "trusted.overlay.opaque", "y", 1, 0) < 0)
        return error_system(err, errno, "cannot hide /usr/local from the guest");
    return 0;
}

bool host_root_is(const struct sandbox_owner *owner)
{
    return owner->part_count && *owner->parts[0].at;
}

/* Passwd (then `shadow` gets a line without a password for each) or group without the people:
 * numbers below 1000 and nobody. */
static int copy_accounts(int root, const char *file, struct text *shadow, struct error *err)
{
    AUTO_TEXT content = TEXT_INIT;
    AUTO_TEXT kept = TEXT_INIT;
    AUTO_FREE char *from = xasprintf("/etc/%s", file);
    AUTO_FREE char *to = xasprintf("etc/%s", file);
    if (file_read(from, SMALL_FILE, &content, err) < 0)
        return -1;
    char *state = NULL;
    for (char *line = content.bytes ? strtok_r(content.bytes, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state)) {
        char name[64];
        unsigned number;
        if (sscanf(line, "%63[^:]:%*[^:]:%u:", name, &number) != 2 ||
            (number >= FIRST_USER && number != NOBODY))
            continue;
        /* The members of a group are people too. */
        char *last = strrchr(line, ':');
        if (!shadow && last)
            last[1] = '\0';
        text_addf(&kept, "%s\n", line);
        if (shadow)
            text_addf(shadow, "%s:*:19000:0:99999:7:::\n", name);
    }
    return tree_write(root, to, text_string(&kept), kept.length, 0644, err);
}

static int write_text(int root, const char *path, mode_t mode, const char *text, struct error *err)
{
    return tree_write(root, path, text, strlen(text), mode, err);
}

static int fill_etc(int root, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(shown); i++) {
        AUTO_FREE char *from = xasprintf("/etc/%s", shown[i]);
        AUTO_FREE char *to = xasprintf("etc/%s", shown[i]);
        if (file_exists(from) && tree_copy(root, from, to, wanted, err) < 0)
            return -1;
    }
    AUTO_TEXT shadow = TEXT_INIT;
    if (copy_accounts(root, "passwd", &shadow, err) < 0 || copy_accounts(root, "group", NULL, err) < 0 ||
        write_text(root, "etc/shadow", 0640, text_string(&shadow), err) < 0)
        return -1;
    return write_text(
        root, "etc/sudoers", 0440,
        "Defaults env_reset\n"
        "Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n"
        "root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n",
        err);
}

int host_root_fill(const char *path, struct error *err)
{
    static const struct {
        const char *path;
        mode_t mode;
    } folders[] = {
        {"etc", 0755},
        {"etc/sudoers.d", 0750},
        {"root", 0700},
        {"home", 0755},
        {"srv", 0755},
        {"opt", 0755},
        {"mnt", 0755},
        {"media", 0755},
        {"boot", 0755},
        {"proc", 0555},
        {"sys", 0555},
        {"dev", 0755},
        {"run", 0755},
        {"tmp", 01777},
        {"var", 0755},
        {"var/tmp", 01777},
        {"var/log", 0755},
        {"var/cache", 0755},
        {"var/spool", 0755},
        {"var/mail", 02775},
        {"var/lib/misc", 0755},
        {"var/lib/systemd", 0755},
        {"var/lib/dbus", 0755},
        {"var/lib/apt/lists/partial", 0755},
        {"var/cache/apt/archives/partial", 0755},
        {"var/lib/pam", 0755},
        {"var/lib/python", 0755},
        {"var/lib/sudo", 0700},
        {"usr/local/bin", 0755},
        {"usr/local/sbin", 0755},
        {"usr/local/lib", 0755},
        {"usr/local/share", 0755},
    };
    AUTO_CLOSE int root = tree_open(path, err);
    if (root < 0)
        return -1;
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        if (tree_folder(root, folders[i].path, folders[i].mode, 0, 0, err) < 0)
            return -1;
    for (size_t i = 0; i < COUNT_OF(system_folders); i++) {
        AUTO_FREE char *from = xasprintf("/%s", system_folders[i]);
        char to[PATH_MAX];
        ssize_t length = readlink(from, to, sizeof to - 1);
        if (length < 0)
            continue;
        to[length] = '\0';
        if (tree_link(root, system_folders[i], to, err) < 0)
            return -1;
    }
    if (tree_link(root, "var/run", "/run", err) < 0 || tree_link(root, "var/lock", "/run/lock", err) < 0)
        return -1;
    if (file_is_dir("/var/lib/pam") && tree_copy(root, "/var/lib/pam", "var/lib/pam", NULL, err) < 0)
        return -1;
    if (file_exists("/usr/share/base-files/profile") &&
        tree_copy(root, "/usr/share/base-files/profile", "etc/profile", NULL, err) < 0)
        return -1;
    return fill_etc(root, err);
}
