#include "command/transport_names.h"

#include "base/memory.h"
#include "command/exit_code.h"
#include "config/transport_kind.h"
#include "view/help.h"

#include <string.h>

int transport_names_add(const char *list, struct words *out)
{
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        AUTO_FREE char *name = xstrndup(at, strcspn(at, ","));
        enum transport_kind ignored;
        if (transport_from(name, &ignored) < 0) {
            help_problem("there is no transport '%s'; there are direct, tailnet and tailnet-userspace", name);
            return EXIT_BAD_USAGE;
        }
        if (!words_have(out, name))
            words_add(out, name);
    }
    return EXIT_OK;
}
