#include "event/own_hosts.h"

#include "base/text.h"

bool own_hosts_are_here(const char *name)
{
    return text_is(name, "localhost") || text_is(name, "127.0.0.1") || text_is(name, "::1");
}

bool own_hosts_have(const struct words *own, const char *name)
{
    return !own || words_have(own, name) || own_hosts_are_here(name);
}

void own_hosts_of(const struct project *project, const struct target *target, struct words *out)
{
    words_add(out, target->host_name);
    for (size_t i = 0; i < target->peers.count; i++) {
        const struct target *peer = project_target(project, target->peers.items[i], NULL);
        if (peer)
            words_add(out, peer->host_name);
    }
}
