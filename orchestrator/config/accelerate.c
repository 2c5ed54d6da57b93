#include "config/accelerate.h"

#include "base/memory.h"
#include "base/text.h"

const char *const *accelerate_names(void)
{
    static const char *const names[] = {
        [ACCELERATE_NONE] = "none", [ACCELERATE_WARM] = "warm", [ACCELERATE_MITOGEN] = "mitogen", NULL};
    return names;
}

const char *accelerate_name(enum accelerate kind)
{
    return accelerate_names()[kind];
}

int accelerate_from(const char *name, enum accelerate *out)
{
    for (size_t i = 0; accelerate_names()[i]; i++)
        if (text_is(accelerate_names()[i], name)) {
            *out = (enum accelerate)i;
            return 0;
        }
    return -1;
}
