#include "preflight/tailnet.h"

#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "tailnet/local_api.h"

static const char place[] = "tailnet";

/* A machine that has joined keeps its login: then a key is missed by nobody yet. */
static void look_for_key(struct plan_report *report, const struct target *target, bool joined)
{
    const struct tailnet_login *login = &target->tailnet;
    enum error_kind kind = joined ? ERROR_NONE : ERROR_PROJECT;
    if (tailnet_login_has_api(login) || login->auth_key.kind != SECRET_NONE)
        return;
    if (login->login_server && !login->api)
        plan_find(
            report, kind, place,
            "there is no key to join %s with: it has no API that makes keys, so give the target 'tailnet: "
            "{auth_key: …}' (headscale: 'headscale preauthkeys create --ephemeral --tags …')",
            login->login_server);
    else
        plan_find(
            report, kind, place,
            "there is no key to join with: give the target 'tailnet: {oauth: {id: …, secret: …}}', api_key "
            "or auth_key");
}

/* NULL: it can be asked. malloc'ed. */
static char *daemon_problem(const struct target *target)
{
    AUTO_TAILNET_STATUS status = {0};
    AUTO_ERROR err = ERROR_INIT;
    if (local_api_status(target->tailscale_socket, false, deadline_in(LOCAL_API_S * NS_PER_S), &status,
                         &err) < 0)
        return xstrdup(error_text(&err));
    return text_is(status.state, "Running")
               ? NULL
               : xasprintf("this machine's tailscaled is in the state %s", status.state);
}

static void look_for_witness(struct plan_report *report, const struct target *target)
{
    AUTO_FREE char *problem = tailnet_login_has_api(&target->tailnet) ? NULL : daemon_problem(target);
    if (problem)
        plan_find(
            report, ERROR_NONE, place,
            "nobody here can say which devices the tailnet has (no credentials of its API, and %s): a stale "
            "device is found only when the host has joined, and a destroy ends as leftover",
            problem);
}

void plan_tailnet(struct plan_report *report, const struct target *target, const struct machine *machine,
                  const struct recipe *recipe)
{
    bool joined = machine && json_get_string(machine->tailnet, "address", NULL);
    if (!target->joins_tailnet)
        return;
    if (recipe->bootstrap)
        look_for_key(report, target, joined);
    else if (!joined)
        plan_find(
            report, ERROR_NONE, place,
            "recipe %s has no 'bootstrap' that would join the host: it has to be a device of the tailnet "
            "already",
            recipe->name);
    if (target->stale_remove && !tailnet_login_has_api(&target->tailnet))
        plan_find(
            report, ERROR_PROJECT, place,
            "'stale: remove' needs credentials of the tailnet's API (oauth or api_key): nobody else can "
            "remove a device");
    look_for_witness(report, target);
}
