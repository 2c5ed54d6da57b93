#include "ansible/request.h"

#include "base/file.h"
#include "base/memory.h"
#include "config/layout.h"

#include <string.h>
#include <unistd.h>

void ansible_child_keep(struct ansible_child *child, int fd)
{
    size_t count = 0;
    while (child->keep && child->keep[count] >= 0)
        count++;
    child->keep = xreallocarray(child->keep, count + 2, sizeof(int));
    child->keep[count] = fd;
    child->keep[count + 1] = -1;
}

const char *ansible_child_write(const struct ansible_request *request, const char *suffix, const char *bytes,
                                mode_t mode, struct ansible_child *child, struct error *err)
{
    AUTO_FREE char *name = layout_step_file(request->seq, request->phase->name, request->attempt, suffix);
    AUTO_FREE char *full = file_join(request->run_directory, name);
    if (file_replace(full, bytes, strlen(bytes), mode, err) < 0)
        return NULL;
    words_own(&child->files, TAKE(full));
    return child->files.items[child->files.count - 1];
}

void ansible_child_clear(struct ansible_child *child)
{
    for (int *fd = child->keep; fd && *fd >= 0; fd++)
        close(*fd);
    free(child->keep);
    words_clear(&child->argv);
    words_clear(&child->environment);
    words_clear(&child->files);
    *child = (struct ansible_child){0};
}
