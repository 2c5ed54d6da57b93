#include "provider/machine_folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/program.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_BOUND (30 * NS_PER_S)

enum { SMALL_FILE = 65536 };

int machine_folder_make_key(const char *folder, const char *file, const char *comment, struct error *err)
{
    AUTO_FREE char *path = file_join(folder, file);
    AUTO_FREE char *public = xasprintf("%s.pub", path);
    unlink(path);
    unlink(public);
    return program_do(KEY_BOUND, NULL, err, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment,
                      "-f", path, NULL);
}

int machine_folder_read(const char *folder, const char *file, struct text *out, struct error *err)
{
    AUTO_FREE char *path = file_join(folder, file);
    if (file_read(path, SMALL_FILE, out, err) < 0)
        return -1;
    while (out->length && out->bytes[out->length - 1] == '\n')
        text_truncate(out, out->length - 1);
    return 0;
}

static int give(const char *path, const struct stat *to, struct error *err)
{
    if (file_give(path, to->st_uid, to->st_gid) < 0 && errno != ENOENT)
        return error_system(err, errno, "cannot give %s to its project's owner", path);
    return 0;
}

int machine_folder_give(const char *folder, const char *const *files, size_t count, struct error *err)
{
    AUTO_FREE char *above = xasprintf("%s/..", folder);
    struct stat state;
    if (stat(above, &state) < 0)
        return error_system(err, errno, "cannot look at %s", above);
    if (give(folder, &state, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *path = file_join(folder, files[i]);
        if (give(path, &state, err) < 0)
            return -1;
    }
    return 0;
}

/* Or what a kill left of writing it (base/file.h, file_replace). */
static bool is_file(const char *name, const char *file)
{
    return text_starts(name, file) && (!name[strlen(file)] || text_starts(name + strlen(file), ".new."));
}

void machine_folder_forget(const char *folder, const char *const *files, size_t count)
{
    AUTO_WORDS names = WORDS_INIT;
    if (!folder || file_list(folder, &names, NULL) < 0)
        return;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(folder, names.items[i]);
        for (size_t k = 0; k < count; k++)
            if (is_file(names.items[i], files[k]))
                unlink(path);
    }
    rmdir(folder);
}

int machine_folder_settle(const char *folder, struct error *err)
{
    AUTO_FREE char *above = file_parent(folder), *top = file_parent(above);
    const char *const folders[] = {folder, above, top};
    for (size_t i = 0; i < COUNT_OF(folders); i++) {
        AUTO_CLOSE int fd = open(folders[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        /* EINVAL: a file system that has no such thing. */
        if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
            return error_system(err, errno, "cannot make sure that %s is kept", folders[i]);
    }
    return 0;
}
