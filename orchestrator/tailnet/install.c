#include "tailnet/install.h"

#include "base/file.h"
#include "base/memory.h"

const char *install_lacks(void)
{
    static const char *const names[] = {"tailscaled", "tailscale"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO_FREE char *found = file_find_program(names[i], NULL);
        if (!found)
            return names[i];
    }
    return NULL;
}

const char *install_advice(void)
{
    return "install Tailscale's package (https://tailscale.com/download), or put tailscale and tailscaled "
           "into "
           "a folder of PATH";
}
