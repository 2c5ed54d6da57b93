/* A tailnet without a TUN: each connection goes to tailscaled by `tailscale nc`. */
#include "base/memory.h"
#include "base/text.h"
#include "transport/ssh_words.h"
#include "transport/transport.h"

static char *lack(const struct tailnet_look *look, bool for_contact)
{
    char *found = for_contact ? tailnet_lack(look) : NULL;
    if (found || !for_contact || look->program)
        return found;
    return xstrdup("the program tailscale is not in PATH; install Debian's or Tailscale's package "
                   "'tailscale'");
}

/* And why not through the kernel. */
static char *why(const struct tailnet_look *look)
{
    AUTO_FREE char *mend = tailnet_look_mend(look);
    return xasprintf("each connection is handed to the tailscaled at %s by 'tailscale nc'%s%s",
                     look->tun.daemon_socket, mend ? ", which has no TUN: " : "", mend ? mend : "");
}

/* Two parsers: ssh expands % in it, then a shell reads it. */
static int proxy(const struct machine *machine, const struct target *target, char **out, struct error *err)
{
    (void)machine;
    AUTO_TEXT quoted = TEXT_INIT;
    if (target->tailscale_socket) {
        if (ssh_check_socket(target->tailscale_socket, err) < 0)
            return -1;
        AUTO_FREE char *option = xasprintf("--socket=%s", target->tailscale_socket);
        text_add_shell_word(&quoted, option);
        text_add_char(&quoted, ' ');
    }
    struct text command = TEXT_INIT;
    text_add(&command, "ProxyCommand=tailscale ");
    for (const char *c = text_string(&quoted); *c; c++)
        text_addf(&command, "%s%c", *c == '%' ? "%" : "", *c);
    text_add(&command, "nc %h %p");
    *out = text_take(&command);
    return 0;
}

const struct transport transport_userspace = {
    .by_daemon = true, .of_tailnet = true, .lack = lack, .why = why, .proxy = proxy};
