#include "tailnet/own_environment.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "process/child.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Names in full end with '='. TS_: tailscaled's own settings, TS_AUTH_KEY and the like excepted. */
static const char *const handed_on[] = {"PATH=", "HOME=",   "USER=",          "LOGNAME=",      "LANG=", "LC_",
                                        "TZ=",   "TMPDIR=", "SSL_CERT_FILE=", "SSL_CERT_DIR=", "TS_"};
static const char *const proxies[] = {"http_proxy=", "https_proxy=", "all_proxy=", "no_proxy="};
static const char *const secret[] = {"TS_AUTH", "TS_CLIENT", "TS_API", "TS_OAUTH"};

static bool begins_with_one(const char *entry, const char *const *list, size_t count,
                            int (*compare)(const char *, const char *, size_t))
{
    for (size_t i = 0; i < count; i++)
        if (compare(entry, list[i], strlen(list[i])) == 0)
            return true;
    return false;
}

void own_environment(struct words *out)
{
    for (char **entry = environ; *entry; entry++)
        if ((begins_with_one(*entry, handed_on, COUNT_OF(handed_on), strncmp) ||
             begins_with_one(*entry, proxies, COUNT_OF(proxies), strncasecmp)) &&
            !begins_with_one(*entry, secret, COUNT_OF(secret), strncmp) && !child_keeps_back(*entry))
            words_add(out, *entry);
    if (!words_env(out, "PATH"))
        words_set_env(out, "PATH", FILE_USUAL_PATH);
}
