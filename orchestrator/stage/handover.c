#include "stage/handover.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REQUEST_LIMIT = 16 << 20 };

static const char *const handed_over[] = {"ssh_args", "ssh_common_args", "ssh_extra_args"};

void handover_put_target(const struct target *target, struct json *request)
{
    if (!target)
        return;
    const char *const values[] = {target->ssh_args, target->ssh_common_args, target->ssh_extra_args};
    for (size_t i = 0; i < COUNT_OF(handed_over); i++)
        json_set_string(request, handed_over[i], values[i]);
    if (target->user_is_ansibles)
        json_set_string(request, "user", target->user);
    if (target->port_is_ansibles)
        json_set_integer(request, "port", target->port);
    if (target->key_is_ansibles)
        json_set_string(request, "key", target->key);
}

static void take_text(char **at, const char *text)
{
    if (!text)
        return;
    free(*at);
    *at = xstrdup(text);
}

void handover_take_target(struct target *target, const struct json *request)
{
    char **const values[] = {&target->ssh_args, &target->ssh_common_args, &target->ssh_extra_args};
    for (size_t i = 0; i < COUNT_OF(handed_over); i++) {
        free(*values[i]);
        *values[i] = xstrdup_or_null(json_get_string(request, handed_over[i], NULL));
    }
    target->user_is_ansibles = json_get(request, "user");
    target->port_is_ansibles = json_get(request, "port");
    target->key_is_ansibles = json_get(request, "key");
    take_text(&target->user, json_get_string(request, "user", NULL));
    take_text(&target->key, json_get_string(request, "key", NULL));
    target->port = (int)json_get_integer(request, "port", target->port);
}

int handover_memfd(const char *name, const struct json *value, bool sealed, struct error *err)
{
    AUTO_CLOSE int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return error_system(err, errno, "cannot make a descriptor for the stage's %s", name);
    if (value && handover_write(fd, value, err) < 0)
        return -1;
    if (sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        return error_system(err, errno, "cannot seal the stage's %s", name);
    return TAKE_FD(fd);
}

struct json *handover_read(int fd)
{
    AUTO_TEXT bytes = TEXT_INIT;
    char block[4096];
    for (off_t at = 0; at < REQUEST_LIMIT;) {
        ssize_t got = pread(fd, block, sizeof block, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        text_add_bytes(&bytes, block, (size_t)got);
        at += got;
    }
    return json_parse(text_string(&bytes), bytes.length, NULL);
}

int handover_write(int fd, const struct json *value, struct error *err)
{
    AUTO_FREE char *bytes = json_compact(value);
    if (lseek(fd, 0, SEEK_SET) < 0 || ftruncate(fd, 0) < 0 || file_write_all(fd, bytes, strlen(bytes)) < 0)
        return error_system(err, errno, "cannot hand over the stage's result");
    return 0;
}
