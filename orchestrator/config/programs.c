#include "config/programs.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/invoker.h"

#include <limits.h>
#include <unistd.h>

#define ENVIRONMENT_BIN ".venv/bin"

static void add(struct text *list, const char *folder)
{
    if (folder && *folder)
        text_addf(list, "%s%s", list->length ? ":" : "", folder);
}

static void add_environment(struct text *list, const char *folder)
{
    AUTO_FREE char *bin = folder ? file_join(folder, ENVIRONMENT_BIN) : NULL;
    if (bin && file_is_dir(bin))
        add(list, bin);
}

/* The folder above the one that the program lies in: build/triphase belongs to the checkout. */
static char *checkout_of(const char *program)
{
    if (!program)
        return NULL;
    AUTO_FREE char *build = file_parent(program);
    return file_parent(build);
}

char *programs_path(const char *directory, const char *const *environment, const char *program)
{
    AUTO_TEXT list = TEXT_INIT;
    const char *path = environment_value(environment, "PATH");
    /* Whoever activated an environment means that one; else the project's own says more than what a
     * machine happens to have. */
    bool active = environment_value(environment, "VIRTUAL_ENV") != NULL;
    if (active)
        add(&list, path);
    add_environment(&list, directory);
    if (!active)
        add(&list, path);
    AUTO_FREE char *checkout = checkout_of(program);
    add_environment(&list, checkout);
    return text_take(&list);
}

char *programs_own(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    return length > 0 && (size_t)length < sizeof path ? xstrndup(path, (size_t)length) : NULL;
}
