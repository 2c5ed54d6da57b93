/* Plain SSH, past every tailnet. */
#include "base/memory.h"
#include "base/text.h"
#include "config/provider_facts.h"
#include "transport/ssh_words.h"
#include "transport/transport.h"

static char *why(const struct tailnet_look *look)
{
    (void)look;
    return xstrdup("plain SSH needs nothing of this machine");
}

static int proxy(const struct machine *machine, const struct target *target, char **out, struct error *err)
{
    (void)target;
    if (machine->jump) {
        struct text option = TEXT_INIT;
        if (ssh_check_jump(machine->jump, err) < 0)
            return -1;
        text_add(&option, "ProxyJump=");
        ssh_add_option_value(&option, machine->jump, false);
        *out = text_take(&option);
    } else if (provider_facts(machine->provider)->local) {
        /* It is on this machine: what leads to others leads past it. */
        *out = xstrdup("ProxyCommand=none");
    }
    return 0;
}

const struct transport transport_direct = {.why = why, .proxy = proxy};
