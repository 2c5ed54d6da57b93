#include "format/tarball.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 65536 };

struct tarball {
    struct archive *archive;
    char *path, *folder;
    char *beside; /* its name until it is whole; NULL: it has none */
    int fd;
    int problem; /* errno of a write that failed */
    bool dropped;
};

/* What was written without a name gets one in the end; not every file system has such files (overlayfs
 * before Linux 6.1, FUSE). */
static int open_nameless(const char *folder)
{
    return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static char *hidden_name(const char *folder)
{
    return xasprintf("%s/.triphase.%ld.%llx", folder, (long)getpid(), (unsigned long long)moment_monotonic());
}

static int open_hidden(const char *name)
{
    return open(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int tarball_scratch(const char *folder, struct error *err)
{
    int fd = open_nameless(folder);
    if (fd < 0) {
        AUTO_FREE char *name = hidden_name(folder);
        fd = open_hidden(name);
        if (fd < 0)
            return error_system(err, errno, "cannot write into the folder %s", folder);
        unlink(name);
    }
    return fd;
}

static la_ssize_t take(struct archive *archive, void *context, const void *bytes, size_t length)
{
    struct tarball *tarball = context;
    if (tarball->dropped || file_write_all(tarball->fd, bytes, length) == 0)
        return (la_ssize_t)length;
    tarball->problem = errno;
    archive_set_error(archive, errno, "cannot write");
    return -1;
}

static int fail(const struct tarball *tarball, struct error *err)
{
    if (tarball->problem)
        return error_system(err, tarball->problem, "cannot write %s", tarball->path);
    const char *why = archive_error_string(tarball->archive);
    return error_set(err, ERROR_SYSTEM, "cannot write %s: %s", tarball->path,
                     why ? why : "libarchive does not say why");
}

static int prepare(struct tarball *tarball, enum tarball_format format, struct error *err)
{
    struct archive *archive = tarball->archive = archive_write_new();
    if (!archive)
        return error_set(err, ERROR_SYSTEM, "cannot write %s: libarchive has no memory", tarball->path);
    int filter = format == TARBALL_GZIP ? archive_write_add_filter_gzip(archive)
                                        : archive_write_add_filter_zstd(archive);
    if (filter != ARCHIVE_OK || archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(archive, 1) != ARCHIVE_OK ||
        archive_write_open2(archive, tarball, NULL, take, NULL, NULL) != ARCHIVE_OK)
        return fail(tarball, err);
    return 0;
}

int tarball_begin(const char *path, enum tarball_format format, struct tarball **out, struct error *err)
{
    struct tarball *tarball = xcalloc(1, sizeof *tarball);
    AUTO_FREE char *copy = xstrdup(path);
    tarball->path = xstrdup(path);
    tarball->folder = xstrdup(dirname(copy));
    tarball->fd = open_nameless(tarball->folder);
    if (tarball->fd < 0) {
        tarball->beside = hidden_name(tarball->folder);
        tarball->fd = open_hidden(tarball->beside);
    }
    int result =
        tarball->fd < 0 ? error_system(err, errno, "cannot write %s", path) : prepare(tarball, format, err);
    if (result < 0)
        tarball_drop(tarball);
    else
        *out = tarball;
    return result;
}

static int add_bytes(struct tarball *tarball, const char *name, int fd, int64_t size, struct error *err)
{
    char block[BLOCK];
    for (int64_t at = 0; at < size;) {
        size_t wanted = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
        ssize_t got = pread(fd, block, wanted, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_system(err, errno, "cannot read what is to be %s in %s", name, tarball->path);
        if (!got)
            return error_set(err, ERROR_SYSTEM, "cannot write %s into %s: it has become shorter", name,
                             tarball->path);
        if (archive_write_data(tarball->archive, block, (size_t)got) != got)
            return fail(tarball, err);
        at += got;
    }
    return 0;
}

int tarball_add(struct tarball *tarball, const char *name, int64_t modified_ns, int fd, int64_t size,
                struct error *err)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return error_set(err, ERROR_SYSTEM, "cannot write %s: libarchive has no memory", tarball->path);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0600);
    archive_entry_set_size(entry, size);
    archive_entry_set_mtime(entry, (time_t)(modified_ns / NS_PER_S), 0);
    int result = archive_write_header(tarball->archive, entry) != ARCHIVE_OK
                     ? fail(tarball, err)
                     : add_bytes(tarball, name, fd, size, err);
    archive_entry_free(entry);
    return result;
}

/* Its name: over whatever has it. A link to a file without a name cannot replace, so it
 * goes by way of a hidden one. */
static int give_name(struct tarball *tarball, struct error *err)
{
    if (fsync(tarball->fd) < 0)
        return error_system(err, errno, "cannot put %s on disk", tarball->path);
    if (!tarball->beside) {
        AUTO_FREE char *self = xasprintf("/proc/self/fd/%d", tarball->fd);
        AUTO_FREE char *beside = hidden_name(tarball->folder);
        if (linkat(AT_FDCWD, self, AT_FDCWD, beside, AT_SYMLINK_FOLLOW) < 0)
            return error_system(err, errno, "cannot give %s its name", tarball->path);
        tarball->beside = TAKE(beside);
    }
    if (rename(tarball->beside, tarball->path) < 0)
        return error_system(err, errno, "cannot give %s its name", tarball->path);
    free(TAKE(tarball->beside));
    AUTO_CLOSE int folder = open(tarball->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0)
        (void)fsync(folder); /* not every file system can; the file itself is on disk */
    return 0;
}

int tarball_end(struct tarball *tarball, int64_t *size, struct error *err)
{
    struct stat state;
    int result =
        archive_write_close(tarball->archive) != ARCHIVE_OK ? fail(tarball, err) : give_name(tarball, err);
    if (result == 0 && size && fstat(tarball->fd, &state) == 0)
        *size = state.st_size;
    tarball_drop(tarball);
    return result;
}

void tarball_drop(struct tarball *tarball)
{
    if (!tarball)
        return;
    if (tarball->archive) {
        /* Only closing frees the library's buffer; what it still has to write goes nowhere. */
        tarball->dropped = true;
        archive_write_close(tarball->archive);
        archive_write_free(tarball->archive);
    }
    if (tarball->beside)
        unlink(tarball->beside);
    free(tarball->beside);
    fd_close(&tarball->fd);
    free(tarball->folder);
    free(tarball->path);
    free(tarball);
}
