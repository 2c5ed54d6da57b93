#include "config/cloud_settings.h"

#include "base/memory.h"

#include <stdlib.h>

void cloud_settings_clear(struct cloud_settings *settings)
{
    char *texts[] = {settings->endpoint, settings->server_type, settings->image, settings->user_data,
                     settings->placement_group};
    struct words *lists[] = {&settings->locations,   &settings->ssh_keys,      &settings->firewalls,
                             &settings->firewall_in, &settings->firewall_from, &settings->networks};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        free(texts[i]);
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        words_clear(lists[i]);
    secret_clear(&settings->token);
    node_free(settings->labels);
    *settings = (struct cloud_settings){0};
}
