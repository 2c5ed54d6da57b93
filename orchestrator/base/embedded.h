/* What `triphase init` lays down, and the event callback, built into the program
 * (setup/embed.sh makes the table). */
#pragma once
#include <stddef.h>

struct embedded_file {
    const char *path;           /* relative to the project, sorted by byte value */
    const unsigned char *bytes; /* constant for the life of the process; a NUL stands behind the last byte */
    size_t size;                /* without that NUL */
    unsigned mode;              /* 0644 or 0755 */
};

extern const struct embedded_file embedded_files[];
extern const size_t embedded_file_count;
/* NULL: the program was built without it. */
const struct embedded_file *embedded_find(const char *path);
