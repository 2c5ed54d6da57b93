/* Writing a compressed tar archive over libarchive (the only file that includes it is tarball.c). The archive
 * appears under its name when it is whole, mode 0600 and on disk; until then it has no name, or where the
 * file system knows no such files a hidden one beside it. Errors are ERROR_SYSTEM. */
#pragma once
#include "base/error.h"
#include <stdint.h>

enum tarball_format { TARBALL_ZSTD, TARBALL_GZIP };

struct tarball;
int tarball_begin(const char *path, enum tarball_format format, struct tarball **out, struct error *err);
/* A regular file, mode 0600, of exactly `size` bytes, read from the start of `fd` (which a shorter file makes
 * an error). `name` is a relative path of ASCII. */
int tarball_add(struct tarball *tarball, const char *name, int64_t modified_ns, int fd, int64_t size,
                struct error *err);
/* Makes it whole, puts it on disk and gives it its name, replacing what stood there. Ends the tarball in any
 * case. `size` may be NULL. */
int tarball_end(struct tarball *tarball, int64_t *size, struct error *err);
/* Ends it without a trace. NULL is fine. */
void tarball_drop(struct tarball *tarball);
/* A file without a name in that folder, open for reading and writing: for what a tarball is to take. */
int tarball_scratch(const char *folder, struct error *err);
