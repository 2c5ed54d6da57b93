#include "preflight/tailnet_facts.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/tailnet_place.h"
#include "net/http.h"
#include "tailnet/look_told.h"
#include "tailnet/ready.h"

static void add_daemon(const struct tailnet_look *look, struct facts *out)
{
    const struct tun_evidence *tun = &look->tun;
    bool running = look->daemon == TAILNET_DAEMON_ANSWERS && text_is(look->status.state, "Running");
    /* Only hosts of a tailnet need one. */
    if (look->daemon == TAILNET_DAEMON_ANSWERS)
        facts_add(out, "tailnet", running ? FACT_OK : FACT_WARNING,
                  xasprintf("%s %s at %s: %s",
                            look->own ? "triphase's own tailscaled"
                                      : "a tailscaled that triphase did not start,",
                            look->status.version, tun->daemon_socket, look->status.state),
                  running ? NULL : "triphase up", NULL);
    else
        facts_add(out, "tailnet", FACT_WARNING,
                  xasprintf("no tailscaled answers at %s (%s): no host is reached over a tailnet",
                            tun->daemon_socket, tun->daemon_error),
                  look->daemon == TAILNET_DAEMON_NONE
                      ? tailnet_look_start(look)
                      : "restart it, or name another one's socket (operator.socket)",
                  NULL);
}

static void add_tun(const struct tailnet_look *look, struct facts *out)
{
    AUTO_FREE char *mend = tailnet_look_mend(look);
    bool usable = tun_is_usable(&look->tun);
    facts_add(out, "tailnet tun", usable ? FACT_OK : FACT_WARNING,
              xstrdup(
                  look->tun.verdict == TUN_IN_USE ? "that tailscaled has one: the transport tailnet"
                  : usable                        ? "a tailscaled that is started here can have one"
                  : look->tun.verdict == TUN_USERSPACE
                      ? "that tailscaled has none: only tailnet-userspace, where long connections may stall"
                      : "none is to be had: only tailnet-userspace, where long connections may stall"),
              usable ? NULL : mend, NULL);
}

/* Said only where it is missing: nothing of a tailnet can be asked without it. */
static void add_library(struct facts *out)
{
    AUTO_ERROR why = ERROR_INIT;
    if (http_load(&why) < 0)
        facts_add(
            out, "libcurl", FACT_WARNING,
            xasprintf("%s: neither tailscaled nor the tailnet's API can be asked, nor the health of a host",
                      error_text(&why)),
            "apt-get install -y libcurl4", "libcurl4");
}

static void add_membership(const struct tailnet_look *look, const char *wanted, struct facts *out)
{
    bool same = !wanted || !look->control_url || tailnet_look_same_server(wanted, look->control_url);
    AUTO_FREE char *self = look_told_self(&look->status);
    if (look->control_url)
        facts_add(out, "control server", same ? FACT_OK : FACT_WARNING,
                  xasprintf("%s%s%s", *look->control_url ? look->control_url : "Tailscale's",
                            same ? "" : ", and not the one that the project names: ",
                            same ? "" : ready_server_shown(wanted)),
                  same        ? NULL
                  : look->own ? "triphase up with that operator.login_server, or operator.socket for the "
                                "right daemon"
                              : "triphase up --own, or operator.socket for the right daemon",
                  NULL);
    if (self)
        facts_add(out, "tailnet address", FACT_OK, xstrdup(self), NULL, NULL);
    for (size_t i = 0; i < look->status.health.count; i++)
        facts_add(out, "tailnet health", FACT_WARNING, xstrdup(look->status.health.items[i]), NULL, NULL);
}

void tailnet_facts_add(const struct project *project, struct facts *out)
{
    AUTO_TAILNET_LOOK look = {.taken = false};
    const struct target *target = project && project->target_count ? &project->targets[0] : NULL;
    AUTO_FREE char *own = target ? NULL : tailnet_place_running_socket();
    for (size_t i = 0; project && i < project->target_count; i++)
        if (project->targets[i].joins_tailnet && target && !target->joins_tailnet)
            target = &project->targets[i];
    tailnet_look_take(target ? target->tailscale_socket : own, deadline_in(TAILNET_LOOK_S * NS_PER_S), &look);
    add_library(out);
    add_daemon(&look, out);
    add_tun(&look, out);
    if (look.daemon == TAILNET_DAEMON_ANSWERS)
        add_membership(&look, target ? target->control_server : NULL, out);
}
