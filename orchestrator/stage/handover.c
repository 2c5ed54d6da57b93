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

static struct json *variables_of(const struct target *target)
{
    struct json *out = json_new_object();
    const char *const values[] = {target->ssh_args, target->ssh_common_args, target->ssh_extra_args};
    json_set_bool(out, "known", target->host_variables != NULL);
    for (size_t i = 0; i < COUNT_OF(handed_over); i++)
        json_set_string(out, handed_over[i], values[i]);
    if (target->user_is_ansibles)
        json_set_string(out, "user", target->user);
    if (target->port_is_ansibles)
        json_set_integer(out, "port", target->port);
    if (target->key_is_ansibles)
        json_set_string(out, "key", target->key);
    return out;
}

void handover_put_targets(const struct project *project, const struct target *target, struct json *request)
{
    if (!target)
        return;
    struct json *all = json_new_object();
    json_set(all, target->name, variables_of(target));
    for (size_t i = 0; project && i < target->peers.count; i++) {
        const struct target *peer = project_target(project, target->peers.items[i], NULL);
        if (peer)
            json_set(all, peer->name, variables_of(peer));
    }
    json_set(request, "variables", all);
}

static void take_text(char **at, const char *text)
{
    if (!text)
        return;
    free(*at);
    *at = xstrdup(text);
}

static void take_variables(struct target *target, const struct json *from)
{
    char **const values[] = {&target->ssh_args, &target->ssh_common_args, &target->ssh_extra_args};
    for (size_t i = 0; i < COUNT_OF(handed_over); i++) {
        free(*values[i]);
        *values[i] = xstrdup_or_null(json_get_string(from, handed_over[i], NULL));
    }
    if (json_get_bool(from, "known") && !target->host_variables)
        target->host_variables = json_new_object();
    target->user_is_ansibles = json_get(from, "user");
    target->port_is_ansibles = json_get(from, "port");
    target->key_is_ansibles = json_get(from, "key");
    take_text(&target->user, json_get_string(from, "user", NULL));
    take_text(&target->key, json_get_string(from, "key", NULL));
    target->port = (int)json_get_integer(from, "port", target->port);
}

void handover_take_targets(struct project *project, const struct json *request)
{
    for (size_t i = 0; i < project->target_count; i++) {
        const struct json *from = json_get(json_get(request, "variables"), project->targets[i].name);
        if (from)
            take_variables(&project->targets[i], from);
    }
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
