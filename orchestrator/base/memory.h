/* Memory and descriptors that clean up after themselves. Allocation succeeds or the process aborts: a worker
 * that dies falsifies no row (its guard and the next acting command see to the rest), while a half-handled
 * ENOMEM could. Sizes of arrays are checked for overflow. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
void *xreallocarray(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((returns_nonnull, nonnull));
/* NULL in, NULL out. */
char *xstrdup_or_null(const char *text);
char *xstrndup(const char *text, size_t length) __attribute__((returns_nonnull, nonnull));
char *xasprintf(const char *format, ...) __attribute__((returns_nonnull, format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args) __attribute__((returns_nonnull, format(printf, 1, 0)));

/* Overwrites `size` bytes in a way the compiler may not remove, then frees. For secrets. NULL is fine. */
void memory_free_secret(void *bytes, size_t size);

void memory_free_pointer(void *pointer_to_pointer);
void memory_close_fd(int *fd);
#define AUTO_FREE  __attribute__((cleanup(memory_free_pointer)))
#define AUTO_CLOSE __attribute__((cleanup(memory_close_fd)))

/* Closes *fd when it is >= 0 and makes it -1; errno is kept. */
void fd_close(int *fd);
/* Moves ownership out of a cleanup variable: the variable is reset, its old value returned. */
#define TAKE_FD(fd)           \
    __extension__({           \
        int taken_fd_ = (fd); \
        (fd) = -1;            \
        taken_fd_;            \
    })
#define TAKE(pointer)                           \
    __extension__({                             \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
