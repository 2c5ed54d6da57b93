#include "provider/provider.h"

#include "base/memory.h"
#include "base/text.h"

static const struct provider *const providers[] = {&provider_sandbox, &provider_static};

const struct provider *provider_named(const char *name)
{
    for (size_t i = 0; name && i < COUNT_OF(providers); i++)
        if (text_is(name, providers[i]->name))
            return providers[i];
    return NULL;
}
