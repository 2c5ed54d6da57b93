/* Loaded into the program by LD_PRELOAD: counts calls of the C library and fails the nth. Needs nothing of
 * the program; what it may do is said by control.h. Calls are resolved by name, so those that the C library
 * makes inside itself are not seen. */
#define _GNU_SOURCE
#include "control.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static struct failing_control *control;

/* Without the C library's own functions where these are replaced here. */
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("LAB_FAILING");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    void *map = (void *)syscall(SYS_mmap, NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map != MAP_FAILED)
        control = map;
}

static bool is_named(void)
{
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    return strncmp(name, control->process, strlen(control->process)) == 0;
}

static bool is_below(const char *path)
{
    return path && strncmp(path, control->below, strlen(control->below)) == 0;
}

/* Whether this call is the one. */
static bool strikes(enum fault_calls kind, const char *call, const char *path)
{
    uint64_t number = atomic_fetch_add(&control->count, 1) + 1;
    if (!control->nth || number < control->nth || (number > control->nth && !control->forever))
        return false;
    if (!atomic_exchange(&control->struck, 1))
        snprintf(control->what, sizeof control->what, "%s %s", call, path);
    (void)kind;
    return true;
}

/* `path` NULL: the file of the descriptor. */
static bool fails(enum fault_calls kind, const char *call, const char *path, int fd)
{
    char name[64], target[1024];
    if (!control || !(control->calls & kind) || !is_named())
        return false;
    if (!path) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, name, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        path = target;
    }
    return is_below(path) && strikes(kind, call, path);
}

#define NEXT(name)                 \
    static __typeof__(name) *next; \
    if (!next)                     \
    next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* A call that does nothing but fail. */
#define SIMPLE(kind, result, name, path, fd, parameters, arguments)       \
    result name parameters                                                \
    {                                                                     \
        NEXT(name);                                                       \
        if (fails(kind, #name, path, fd)) {                               \
            errno = control->error == FAULT_SHORT ? EIO : control->error; \
            return (result)-1;                                            \
        }                                                                 \
        return next arguments;                                            \
    }

/* One that may do half of it. */
#define TRANSFER(kind, name, fd, parameters, arguments)                         \
    ssize_t name parameters                                                     \
    {                                                                           \
        NEXT(name);                                                             \
        if (fails(kind, #name, NULL, fd)) {                                     \
            if (control->error != FAULT_SHORT || size < 2) {                    \
                errno = control->error == FAULT_SHORT ? EINTR : control->error; \
                return -1;                                                      \
            }                                                                   \
            size /= 2;                                                          \
        }                                                                       \
        return next arguments;                                                  \
    }

TRANSFER(FAULT_WRITE, write, fd, (int fd, const void *bytes, size_t size), (fd, bytes, size))
TRANSFER(FAULT_WRITE, pwrite, fd, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at))
TRANSFER(FAULT_WRITE, pwrite64, fd, (int fd, const void *bytes, size_t size, off64_t at),
         (fd, bytes, size, at))
TRANSFER(FAULT_READ, read, fd, (int fd, void *bytes, size_t size), (fd, bytes, size))
TRANSFER(FAULT_READ, pread, fd, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at))
TRANSFER(FAULT_READ, pread64, fd, (int fd, void *bytes, size_t size, off64_t at), (fd, bytes, size, at))
SIMPLE(FAULT_WRITE, ssize_t, writev, NULL, fd, (int fd, const struct iovec *parts, int count),
       (fd, parts, count))
SIMPLE(FAULT_SYNC, int, fsync, NULL, fd, (int fd), (fd))
SIMPLE(FAULT_SYNC, int, fdatasync, NULL, fd, (int fd), (fd))
SIMPLE(FAULT_CHANGE, int, ftruncate, NULL, fd, (int fd, off_t size), (fd, size))
SIMPLE(FAULT_CHANGE, int, ftruncate64, NULL, fd, (int fd, off64_t size), (fd, size))
SIMPLE(FAULT_CHANGE, int, fallocate, NULL, fd, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size))
SIMPLE(FAULT_CHANGE, int, fchmod, NULL, fd, (int fd, mode_t mode), (fd, mode))
SIMPLE(FAULT_CHANGE, int, fchown, NULL, fd, (int fd, uid_t user, gid_t group), (fd, user, group))
SIMPLE(FAULT_CHANGE, int, mkdir, path, -1, (const char *path, mode_t mode), (path, mode))
SIMPLE(FAULT_CHANGE, int, rename, to, -1, (const char *from, const char *to), (from, to))
SIMPLE(FAULT_REMOVE, int, unlink, path, -1, (const char *path), (path))
SIMPLE(FAULT_REMOVE, int, rmdir, path, -1, (const char *path), (path))
SIMPLE(FAULT_CHANGE, int, link, to, -1, (const char *from, const char *to), (from, to))
SIMPLE(FAULT_CHANGE, int, linkat, to, -1, (int here, const char *from, int there, const char *to, int flags),
       (here, from, there, to, flags))
SIMPLE(FAULT_CHANGE, int, symlink, to, -1, (const char *from, const char *to), (from, to))

/* What _FORTIFY_SOURCE makes of them. */
ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room);
ssize_t __pread_chk(int fd, void *bytes, size_t size, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *bytes, size_t size, off64_t at, size_t room);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
TRANSFER(FAULT_READ, __read_chk, fd, (int fd, void *bytes, size_t size, size_t room), (fd, bytes, size, room))
TRANSFER(FAULT_READ, __pread_chk, fd, (int fd, void *bytes, size_t size, off_t at, size_t room),
         (fd, bytes, size, at, room))
TRANSFER(FAULT_READ, __pread64_chk, fd, (int fd, void *bytes, size_t size, off64_t at, size_t room),
         (fd, bytes, size, at, room))
SIMPLE(FAULT_OPEN, int, __open_2, path, -1, (const char *path, int flags), (path, flags))
SIMPLE(FAULT_OPEN, int, __open64_2, path, -1, (const char *path, int flags), (path, flags))

#define OPEN(name)                                                                 \
    int name(const char *path, int flags, ...)                                     \
    {                                                                              \
        NEXT(name);                                                                \
        va_list args;                                                              \
        va_start(args, flags);                                                     \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;  \
        va_end(args);                                                              \
        if (fails(flags & O_CREAT ? FAULT_CHANGE : FAULT_OPEN, #name, path, -1)) { \
            errno = control->error == FAULT_SHORT ? EIO : control->error;          \
            return -1;                                                             \
        }                                                                          \
        return next(path, flags, mode);                                            \
    }
OPEN(open)
OPEN(open64)

/* Below a folder's descriptor the path is that descriptor's: enough to know which files are meant. */
int openat(int folder, const char *path, int flags, ...)
{
    NEXT(openat);
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (fails(flags & O_CREAT ? FAULT_CHANGE : FAULT_OPEN, "openat", *path == '/' ? path : NULL, folder)) {
        errno = control->error == FAULT_SHORT ? EIO : control->error;
        return -1;
    }
    return next(folder, path, flags, mode);
}
SIMPLE(FAULT_REMOVE, int, unlinkat, *path == '/' ? path : NULL, folder,
       (int folder, const char *path, int flags), (folder, path, flags))
SIMPLE(FAULT_CHANGE, int, mkdirat, *path == '/' ? path : NULL, folder,
       (int folder, const char *path, mode_t mode), (folder, path, mode))
SIMPLE(FAULT_CHANGE, int, renameat, *to == '/' ? to : NULL, there,
       (int here, const char *from, int there, const char *to), (here, from, there, to))

#define MAP(name)                                                                      \
    void *name(void *at, size_t size, int protection, int flags, int fd, off_t offset) \
    {                                                                                  \
        NEXT(name);                                                                    \
        if (fd >= 0 && fails(FAULT_MAP, #name, NULL, fd)) {                            \
            errno = control->error == FAULT_SHORT ? ENOMEM : control->error;           \
            return MAP_FAILED;                                                         \
        }                                                                              \
        return next(at, size, protection, flags, fd, offset);                          \
    }
MAP(mmap)
MAP(mmap64)

/* Memory. The C library's own names for these need no dlsym, which allocates itself. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static bool is_denied(const char *call)
{
    if (!control || !(control->calls & FAULT_MEMORY) || !is_named() || !strikes(FAULT_MEMORY, call, "memory"))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return is_denied("malloc") ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_denied("calloc") ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return is_denied("realloc") ? NULL : __libc_realloc(old, size);
}
