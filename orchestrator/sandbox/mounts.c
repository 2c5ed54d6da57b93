#include "sandbox/mounts.h"

#include "base/file.h"
#include "base/memory.h"
#include "sandbox/host_root.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOUNTINFO_LIMIT = 16 << 20, BUSY_TRIES = 50, BUSY_PAUSE_MS = 10 };

char *mounts_root(const char *name)
{
    return sandbox_path(name, "root");
}

/* Mount points below the folder `name` of `parent`, in the order they were mounted. */
static int list_mounts(const char *parent, const char *name, struct words *out, struct error *err)
{
    /* The kernel shows the path without links. */
    AUTO_FREE char *home = realpath(parent, NULL);
    if (!home)
        return 0;
    AUTO_FREE char *folder = xasprintf("%s/%s/", home, name);
    AUTO_TEXT mounts = TEXT_INIT;
    if (file_read("/proc/self/mountinfo", MOUNTINFO_LIMIT, &mounts, err) < 0)
        return -1;
    char *state = NULL;
    for (char *line = mounts.bytes ? strtok_r(mounts.bytes, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state)) {
        char *inner = NULL;
        const char *field = strtok_r(line, " ", &inner);
        for (int number = 1; field && number < 5; number++)
            field = strtok_r(NULL, " ", &inner);
        if (field && text_starts(field, folder))
            words_add(out, field);
    }
    return 0;
}

/* A path as the overlay's options want it. */
static void add_option_path(struct text *options, const char *path)
{
    for (; *path; path++) {
        if (strchr("\\:,", *path))
            text_add_char(options, '\\');
        text_add_char(options, *path);
    }
}

static int mount_part(const struct sandbox_owner *owner, size_t number, const char *root, struct error *err)
{
    const struct sandbox_part *part = &owner->parts[number];
    AUTO_FREE char *folder = sandbox_path(owner->name, NULL);
    AUTO_FREE char *upper = xasprintf("%s/upper/%zu", folder, number);
    AUTO_FREE char *work = xasprintf("%s/work/%zu", folder, number);
    AUTO_FREE char *at = file_join(root, part->at);
    if (file_make_dirs(upper, 0755, err) < 0 || file_make_dirs(work, 0700, err) < 0 ||
        file_make_dirs(at, 0755, err) < 0)
        return -1;
    /* The mount shows the upper folder's own mode as the root's. */
    if (chmod(upper, 0755) < 0)
        return error_system(err, errno, "cannot set up %s", upper);
    if (host_root_hide(part, upper, err) < 0)
        return -1;
    AUTO_TEXT options = TEXT_INIT;
    text_add(&options, "lowerdir=");
    add_option_path(&options, part->lower);
    text_addf(&options, ",upperdir=%s,workdir=%s", upper, work);
    if (mount("triphase", at, "overlay", 0, text_string(&options)) < 0)
        return error_system(err, errno, "cannot mount the sandbox's root %s over %s", at, part->lower);
    return 0;
}

int mounts_make(const struct sandbox_owner *owner, struct error *err)
{
    AUTO_FREE char *root = mounts_root(owner->name);
    AUTO_WORDS there = WORDS_INIT;
    if (list_mounts(SANDBOX_HOME, owner->name, &there, err) < 0 || file_make_dirs(root, 0755, err) < 0)
        return -1;
    if (chmod(root, 0755) < 0)
        return error_system(err, errno, "cannot set up %s", root);
    if (there.count == owner->part_count)
        return 0;
    if (mounts_remove(owner->name, err) < 0)
        return -1;
    for (size_t i = 0; i < owner->part_count; i++)
        if (mount_part(owner, i, root, err) < 0)
            return -1;
    return 0;
}

int mounts_remove_below(const char *parent, const char *name, struct error *err)
{
    AUTO_WORDS there = WORDS_INIT;
    if (list_mounts(parent, name, &there, err) < 0)
        return -1;
    for (size_t i = there.count; i-- > 0;) {
        int tries = 0;
        while (umount2(there.items[i], UMOUNT_NOFOLLOW) < 0) {
            if (errno != EBUSY)
                return error_system(err, errno, "cannot unmount %s", there.items[i]);
            /* Whoever still has a file open there keeps it; no name leads to it any more. */
            if (tries++ == BUSY_TRIES && umount2(there.items[i], UMOUNT_NOFOLLOW | MNT_DETACH) == 0)
                break;
            if (tries > BUSY_TRIES)
                return error_system(err, errno, "cannot unmount %s", there.items[i]);
            poll(NULL, 0, BUSY_PAUSE_MS);
        }
    }
    return 0;
}

int mounts_remove(const char *name, struct error *err)
{
    return mounts_remove_below(SANDBOX_HOME, name, err);
}

int mounts_left(const char *name, struct words *left, struct error *err)
{
    AUTO_WORDS there = WORDS_INIT;
    if (list_mounts(SANDBOX_HOME, name, &there, err) < 0)
        return -1;
    for (size_t i = 0; i < there.count; i++)
        words_addf(left, "mount %s", there.items[i]);
    return 0;
}
