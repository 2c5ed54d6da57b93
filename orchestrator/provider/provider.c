#include "provider/provider.h"

#include "config/provider_facts.h"

const struct provider *provider_named(const char *name)
{
    return provider_facts(name)->calls;
}
