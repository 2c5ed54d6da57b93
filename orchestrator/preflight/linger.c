#include "preflight/linger.h"

#include "base/file.h"
#include "base/memory.h"

#include <pwd.h>

char *linger_warning(uid_t user, const char *root)
{
    const struct passwd *entry = user ? getpwuid(user) : NULL;
    if (!entry)
        return NULL;
    AUTO_FREE char *systemd = xasprintf("%s/run/systemd/system", root),
                   *lingers = xasprintf("%s/var/lib/systemd/linger/%s", root, entry->pw_name);
    if (!file_exists(systemd) || file_exists(lingers))
        return NULL;
    return xasprintf(
        "%s does not linger: with the last logout of %s systemd ends what runs for %s, this run too;"
        " 'sudo loginctl enable-linger %s' keeps it",
        entry->pw_name, entry->pw_name, entry->pw_name, entry->pw_name);
}
