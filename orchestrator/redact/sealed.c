#include "redact/sealed.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const off_t most = 64 << 20;

int redact_sealed_put(int fd, const char *kind, const char *value, size_t length, struct error *err)
{
    AUTO_FREE char *size = xasprintf("%zu", length);
    if (file_write_all(fd, kind, strlen(kind) + 1) < 0 || file_write_all(fd, size, strlen(size) + 1) < 0 ||
        file_write_all(fd, value, length) < 0)
        return error_system(err, errno, "cannot keep a secret in memory");
    return 0;
}

size_t redact_sealed_read(struct redact_rules *rules, const char *bytes, size_t length)
{
    const char *end = bytes + length, *at = bytes;
    while (at < end) {
        const char *kind = at, *size = kind + strnlen(kind, (size_t)(end - kind)) + 1;
        const char *value = size < end ? size + strnlen(size, (size_t)(end - size)) + 1 : end;
        size_t many = value < end ? strtoul(size, NULL, 10) : 0;
        if (!many || many > (size_t)(end - value))
            break;
        if (text_starts(kind, REDACT_BESIDE))
            redact_rules_add_beside(rules, kind + strlen(REDACT_BESIDE), value, many);
        else if (text_is(kind, REDACT_NAME))
            redact_rules_give_way(rules, value, many);
        else
            redact_rules_add(rules, kind, value, many);
        at = value + many;
    }
    return (size_t)(at - bytes);
}

/* What stands behind the first `from` bytes; where it ends. */
static off_t add_from(struct redact_rules *rules, int fd, off_t from)
{
    struct stat state;
    if (fd < 0 || fstat(fd, &state) < 0 || state.st_size > most || state.st_size <= from)
        return from;
    size_t size = (size_t)(state.st_size - from), have = 0;
    char *bytes = xcalloc(1, size + 1);
    for (ssize_t got; have < size && (got = pread(fd, bytes + have, size - have, from + (off_t)have)) > 0;)
        have += (size_t)got;
    from += (off_t)redact_sealed_read(rules, bytes, have);
    memory_free_secret(bytes, size + 1);
    return from;
}

void redact_sealed_add(struct redact_rules *rules, int fd)
{
    add_from(rules, fd, 0);
}

/* ---- of another process ---- */

struct redact_sealed {
    struct source {
        int fd;
        off_t read;
    } * sources;
    size_t count;
};

struct redact_sealed *redact_sealed_of(pid_t pid)
{
    struct redact_sealed *sealed = xcalloc(1, sizeof *sealed);
    AUTO_FREE char *folder = xasprintf("/proc/%d/fd", (int)pid);
    AUTO_WORDS names = WORDS_INIT;
    if (file_list(folder, &names, NULL) < 0)
        return sealed;
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(folder, names.items[i]);
        char name[64];
        ssize_t length = readlink(path, name, sizeof name - 1);
        name[length > 0 ? length : 0] = '\0';
        if (!text_starts(name, "/memfd:" REDACT_SEALED_NAME " "))
            continue;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        sealed->sources = xreallocarray(sealed->sources, sealed->count + 1, sizeof *sealed->sources);
        sealed->sources[sealed->count++] = (struct source){fd, 0};
    }
    return sealed;
}

void redact_sealed_learn(struct redact_sealed *sealed, struct redact_rules *rules)
{
    for (size_t i = 0; sealed && i < sealed->count; i++)
        sealed->sources[i].read = add_from(rules, sealed->sources[i].fd, sealed->sources[i].read);
}

void redact_sealed_free(struct redact_sealed *sealed)
{
    if (!sealed)
        return;
    for (size_t i = 0; i < sealed->count; i++)
        close(sealed->sources[i].fd);
    free(sealed->sources);
    free(sealed);
}
