#include "config/provider_facts.h"

#include "base/memory.h"
#include "base/text.h"

extern const struct provider provider_sandbox, provider_static, provider_command, provider_hetzner;

static const struct provider_preset of_clouds[] = {{"stage_deadline.provision", "10m"},
                                                   {"ready", "[cloud-init, apt, user]"},
                                                   {NULL, NULL}};

static const struct provider_facts rows[] = {
    {.name = "sandbox",
     .local = true,
     .own_key = true,
     .user = "root",
     .port = 22,
     .calls = &provider_sandbox},
    {.name = "static", .existing = true, .calls = &provider_static},
    {.name = "command", .by_programs = true, .calls = &provider_command},
    {.name = "hetzner",
     .cloud = true,
     .own_key = true,
     .user = "root",
     .port = 22,
     .presets = of_clouds,
     .calls = &provider_hetzner},
};

const struct provider_facts *provider_facts(const char *name)
{
    static const struct provider_facts none = {.name = ""};
    for (size_t i = 0; name && i < COUNT_OF(rows); i++)
        if (text_is(name, rows[i].name))
            return &rows[i];
    return &none;
}

const char *const *provider_names(void)
{
    static const char *names[COUNT_OF(rows) + 1];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        names[i] = rows[i].name;
    return names;
}
