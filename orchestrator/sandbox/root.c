#include "sandbox/root.h"

#include "base/deadline.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "event/step_log.h"
#include "process/program.h"
#include "sandbox/host_root.h"
#include "sandbox/mirror.h"
#include "sandbox/mounts.h"
#include "sandbox/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYRING "/usr/share/keyrings/debian-archive-keyring"
/* What a host that Ansible can work on needs, and what the roles of a Vault host need of Debian. */
#define PACKAGES                                                                                     \
    "systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,python3,sudo,ca-certificates,iproute2," \
    "iptables,nftables,curl,openssl"

enum { LOCK_PAUSE_MS = 50, KEY_DIGITS = 12 };

static const struct release {
    const char *root, *suite;
} releases[] = {{"debian-12", "bookworm"}, {"debian-11", "bullseye"}, {"debian-13", "trixie"}};

static const struct release *release_named(const char *root)
{
    for (size_t i = 0; i < COUNT_OF(releases); i++)
        if (text_is(root, releases[i].root))
            return &releases[i];
    return NULL;
}

static const char *setting(const char *root)
{
    return root ? root : releases[0].root;
}

int root_kind(const char *root, const char *project, char **path, struct error *err)
{
    root = setting(root);
    if (text_is(root, "host"))
        return ROOT_HOST;
    if (release_named(root))
        return ROOT_DEBIAN;
    AUTO_FREE char *full = file_join(project, root);
    struct stat state;
    if (stat(full, &state) < 0)
        return error_set(
            err, ERROR_PROJECT,
            "the root '%s' is none of debian-12, debian-11, debian-13 and host, and %s is not there (%s)",
            root, full, strerrordesc_np(errno));
    if (!S_ISDIR(state.st_mode) && !S_ISREG(state.st_mode))
        return error_set(err, ERROR_PROJECT, "the root %s is neither a folder nor a tar archive", full);
    *path = realpath(full, NULL);
    return S_ISDIR(state.st_mode) ? ROOT_FOLDER : ROOT_TAR;
}

/* malloc'ed name in the cache: changes with whatever the tree is made from. NULL where it cannot be read. */
static char *cache_name(enum root_kind kind, const char *root, const char *path)
{
    struct digest digest;
    char text[DIGEST_TEXT];
    struct stat state;
    digest_begin(&digest);
    if (kind == ROOT_DEBIAN) {
        digest_add_text(&digest, PACKAGES);
    } else {
        if (stat(path, &state) < 0)
            return NULL;
        AUTO_FREE char *facts =
            xasprintf("%ju %ju %jd %jd.%09ld", (uintmax_t)state.st_dev, (uintmax_t)state.st_ino,
                      (intmax_t)state.st_size, (intmax_t)state.st_mtim.tv_sec, state.st_mtim.tv_nsec);
        digest_add_text(&digest, path);
        digest_add_text(&digest, facts);
    }
    digest_end(&digest, text);
    text[KEY_DIGITS] = '\0';
    return xasprintf(SANDBOX_CACHE "/%s-%s", kind == ROOT_DEBIAN ? root : "tar", text);
}

static int debootstrap(const struct release *release, const char *suffix, const char *into, int64_t bound_ns,
                       struct error *err)
{
    AUTO_MIRROR mirror = {NULL, NULL};
    mirror_find("/etc/apt", &mirror);
    if (!mirror.archive)
        return error_set(err, ERROR_MISSING,
                         "cannot build the root tree %s: no Debian archive (an address that ends with "
                         "/debian) is among this machine's apt "
                         "sources; add one, or set root: to a folder, a tar archive or 'host'",
                         release->root);
    const char *keyring = file_exists(KEYRING ".gpg") ? KEYRING ".gpg" : KEYRING ".pgp";
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_WORDS proxies = WORDS_INIT;
    /* What it mounts for the packages' scripts is its own, and goes with it however it ends. */
    words_add_all(&argv, "unshare", "--mount", "--propagation", "private", "--", "mmdebstrap", "--mode=root",
                  "--variant=minbase", "--format=directory", "--include=" PACKAGES, NULL);
    mirror_proxies(&proxies);
    for (size_t i = 0; i < proxies.count; i++)
        words_addf(&argv, "--aptopt=%s", proxies.items[i]);
    words_add_all(&argv, release->suite, into, NULL);
    words_addf(&argv, "deb [signed-by=%s] %s %s main", keyring, mirror.archive, release->suite);
    if (*suffix) {
        words_addf(&argv, "deb [signed-by=%s] %s %s-updates main", keyring, mirror.archive, release->suite);
        if (mirror.security)
            words_addf(&argv, "deb [signed-by=%s] %s %s-security main", keyring, mirror.security,
                       release->suite);
    }
    /* Two minutes in which a log that grows is the only sign of life. */
    struct program program = {.argv = words_argv(&argv), .bound_ns = bound_ns, .echo = STDERR_FILENO};
    return program_do_all(&program, NULL, err);
}

static int build_debian(const struct release *release, const char *into, struct deadline deadline,
                        struct error *err)
{
    if (!release)
        return error_set(err, ERROR_PROJECT, "the root is no Debian release that can be built here");
    AUTO_ERROR first = ERROR_INIT;
    if (debootstrap(release, "updates", into, deadline_left(deadline), &first) == 0)
        return 0;
    /* Some mirrors do not carry the updates of an old release. */
    int64_t left = deadline_left(deadline);
    if (first.kind == ERROR_MISSING || left < 10 * NS_PER_S || file_remove_tree(into, err) < 0 ||
        debootstrap(release, "", into, left, err) < 0) {
        error_move(err, &first);
        return error_prefix(err, "cannot build the root tree %s", release->root);
    }
    return 0;
}

static int unpack(const char *archive, const char *into, struct deadline deadline, struct error *err)
{
    if (file_make_dirs(into, 0755, err) < 0)
        return -1;
    if (program_do(deadline_left(deadline), NULL, err, "tar", "--extract", "--preserve-permissions",
                   "--same-owner", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--file", archive,
                   "--directory", into, NULL) < 0)
        return error_prefix(err, "cannot unpack the root tree %s", archive);
    return 0;
}

/* The lock of one entry of the cache. */
static int lock_entry(const char *entry, int kind, struct deadline deadline, struct error *err)
{
    AUTO_FREE char *path = xasprintf("%s.lock", entry);
    AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_system(err, errno, "cannot open %s", path);
    for (bool said = false; flock(fd, kind | LOCK_NB) < 0; said = true) {
        if (!said)
            step_log_say("another one is building the root tree %s: waiting for it", entry);
        if (deadline_over(deadline))
            return error_set(err, ERROR_DEADLINE, "another one was building the root tree %s all the time",
                             entry);
        poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return TAKE_FD(fd);
}

static int fill_cache(enum root_kind kind, const char *root, const char *path, const char *entry,
                      struct deadline deadline, struct error *err)
{
    if (file_is_dir(entry))
        return 0;
    /* Set-user-id programs of a tree that is never updated are not for this machine's users. */
    if (file_make_dirs(SANDBOX_CACHE, 0700, err) < 0)
        return -1;
    AUTO_CLOSE int lock = lock_entry(entry, LOCK_EX, deadline, err);
    if (lock < 0)
        return -1;
    if (file_is_dir(entry))
        return 0;
    step_log_say("making the root tree %s, once for this machine, in %s", root, entry);
    AUTO_FREE char *beside = xasprintf("%s.building", entry);
    if (mounts_remove_below(SANDBOX_CACHE, strrchr(beside, '/') + 1, err) < 0 ||
        file_remove_tree(beside, err) < 0)
        return error_prefix(err, "a root tree that was begun and not finished stands in the way");
    int result = kind == ROOT_DEBIAN ? build_debian(release_named(root), beside, deadline, err)
                                     : unpack(path, beside, deadline, err);
    if (result == 0)
        result = prepare_check(beside, root, err);
    if (result == 0 && rename(beside, entry) < 0)
        result = error_system(err, errno, "cannot keep the root tree %s", entry);
    if (result < 0)
        file_remove_tree(beside, NULL);
    return result;
}

int root_parts(const char *root, const char *project, int64_t bound_ns, struct sandbox_owner *owner,
               struct error *err)
{
    AUTO_FREE char *path = NULL;
    struct deadline deadline = deadline_in(bound_ns);
    root = setting(root);
    int kind = root_kind(root, project, &path, err);
    if (kind < 0)
        return -1;
    if (kind == ROOT_HOST)
        return host_root_parts(owner, err);
    if (kind == ROOT_FOLDER) {
        if (prepare_check(path, root, err) < 0)
            return -1;
        sandbox_owner_add_part(owner, "", path);
        return 0;
    }
    AUTO_FREE char *entry = cache_name((enum root_kind)kind, root, path);
    if (!entry)
        return error_set(err, ERROR_PROJECT, "cannot read the root %s", path);
    if (fill_cache((enum root_kind)kind, root, path, entry, deadline, err) < 0)
        return -1;
    /* Until the sandbox's own note says that it is in use. */
    AUTO_CLOSE int held = lock_entry(entry, LOCK_SH, deadline, err);
    if (held < 0)
        return -1;
    if (!file_is_dir(entry))
        return error_set(err, ERROR_PROVIDER, "the root tree %s was taken away at this moment: try again",
                         entry);
    owner->tree_lock = TAKE_FD(held);
    sandbox_owner_add_part(owner, "", entry);
    return 0;
}

static bool is_shown(const char *entry, const struct words *names)
{
    for (size_t i = 0; i < names->count; i++) {
        AUTO_SANDBOX_OWNER owner = SANDBOX_OWNER_INIT;
        int known = sandbox_owner_read(names->items[i], &owner, NULL);
        if (known < 0)
            return true;
        for (size_t k = 0; k < owner.part_count; k++)
            if (file_is_within(owner.parts[k].lower, entry))
                return true;
    }
    return false;
}

int root_drop_unused(struct words *kept, struct words *removed, struct error *err)
{
    AUTO_WORDS names = WORDS_INIT, files = WORDS_INIT;
    if (sandbox_names(&names, err) < 0 || file_list(SANDBOX_CACHE, &files, err) < 0)
        return -1;
    for (size_t i = 0; i < files.count; i++) {
        AUTO_FREE char *path = file_join(SANDBOX_CACHE, files.items[i]);
        if (text_ends(path, ".lock"))
            continue;
        AUTO_FREE char *entry =
            text_ends(path, ".building") ? xstrndup(path, strlen(path) - strlen(".building")) : xstrdup(path);
        AUTO_FREE char *lock = xasprintf("%s.lock", entry);
        AUTO_CLOSE int held = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (held < 0 || flock(held, LOCK_EX | LOCK_NB) < 0 || is_shown(entry, &names))
            words_add(kept, path);
        else if (file_remove_tree(path, err) < 0)
            return -1;
        else
            words_add(removed, path);
    }
    return 0;
}

bool root_is_cached(const char *root, const char *project)
{
    AUTO_FREE char *path = NULL;
    root = setting(root);
    int kind = root_kind(root, project, &path, NULL);
    if (kind != ROOT_DEBIAN && kind != ROOT_TAR)
        return true;
    AUTO_FREE char *entry = cache_name((enum root_kind)kind, root, path);
    return entry && file_is_dir(entry);
}
