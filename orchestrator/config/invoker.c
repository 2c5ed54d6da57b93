#include "config/invoker.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"

#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

const char *environment_value(const char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return (*environment)[length + 1] ? *environment + length + 1 : NULL;
    return NULL;
}

static bool read_id(const char *text, unsigned *out)
{
    int64_t value;
    if (number_parse(text, 0, UINT_MAX - 1, &value, NULL) < 0)
        return false;
    *out = (unsigned)value;
    return true;
}

static const char *const *own_environment(const char *const *environment)
{
    return environment ? environment : (const char *const *)environ;
}

void invoker_find(const char *const *environment, struct invoker *out)
{
    const char *const *list = own_environment(environment);
    unsigned uid = 0, gid = 0;
    *out = (struct invoker){.uid = geteuid(), .gid = getegid()};
    const char *home = environment_value(list, "HOME");
    if (geteuid() == 0 && read_id(environment_value(list, "SUDO_UID"), &uid) && uid != 0) {
        const struct passwd *entry = getpwuid(uid);
        out->behind_sudo = true;
        out->uid = uid;
        out->gid = entry ? entry->pw_gid : read_id(environment_value(list, "SUDO_GID"), &gid) ? gid : 0;
        home = entry ? entry->pw_dir : NULL;
    } else if (!home) {
        const struct passwd *entry = getpwuid(geteuid());
        home = entry ? entry->pw_dir : NULL;
    }
    out->home = home && *home == '/' ? xstrdup(home) : NULL;
}

void invoker_clear(struct invoker *invoker)
{
    free(invoker->home);
    *invoker = (struct invoker){0};
}

char *invoker_config_directory(const struct invoker *invoker, const char *const *environment)
{
    const char *base =
        invoker->behind_sudo ? NULL : environment_value(own_environment(environment), "XDG_CONFIG_HOME");
    if (base && *base == '/')
        return file_join(base, "triphase");
    return invoker->home ? file_join(invoker->home, ".config/triphase") : NULL;
}

char *invoker_expand(const struct invoker *invoker, const char *path)
{
    return text_starts(path, "~/") && invoker->home ? file_join(invoker->home, path + 2) : xstrdup(path);
}

int invoker_own(const struct invoker *invoker, const char *path)
{
    return invoker->behind_sudo ? file_give(path, invoker->uid, invoker->gid) : 0;
}
