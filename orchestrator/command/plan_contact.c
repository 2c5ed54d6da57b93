#include "command/plan_contact.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "command/put_in_order.h"
#include "config/layout.h"
#include "config/marks.h"
#include "config/provider_facts.h"
#include "preflight/host_check.h"
#include "process/guard.h"
#include "provider/account.h"
#include "provider/made_look.h"
#include "provider/planned.h"
#include "provider/provider.h"
#include "store/history.h"
#include "transport/choose.h"
#include "transport/key_agent.h"
#include "transport/route.h"

#include <errno.h>
#include <unistd.h>

#define ACCOUNT_BOUND (10 * NS_PER_S)

/* Everything that a look leaves on this machine is in the scope and in the folder `sockets`,
 * which are gone afterwards. */
static int look(const struct host_check_request *request, const char *id, struct json **out,
                struct error *err)
{
    AUTO_FREE char *name = xasprintf("contact-%s", id), *marker = marks_run(id);
    struct scope scope = {.fd = -1};
    struct child guard = CHILD_INIT;
    if (scope_open(name, marker, &scope, err) < 0)
        return -1;
    int status = guard_start(&scope, request->sockets, -1, &guard, err);
    if (status == 0) {
        struct host_check_request with = *request;
        struct key_agent agent = {request->project, request->sockets, &scope, marker};
        with.masters = &scope;
        status = key_agent_load(&agent, request->target, request->machine, err);
        if (status == 0)
            status = host_check(&with, out, err);
        (void)transport_close_masters(request->sockets, NULL);
        (void)scope_end(&scope, 2 * NS_PER_S, NULL);
        (void)guard_dismiss(&guard, NULL);
    }
    (void)scope_remove(&scope, NULL);
    scope_close(&scope);
    return status;
}

static int contact(const struct project *project, const struct target *target, const char *ansible_version,
                   struct json **out, struct error *err)
{
    AUTO_FREE char *state = layout_state(project->directory), *store = layout_store(state);
    AUTO_MACHINE *row = NULL, *machine = NULL;
    AUTO_MADE made = MADE_INIT;
    enum transport_kind kind;
    char id[ID_SIZE];
    id_make(id);
    if (file_exists(store) && put_in_order_project(project->directory, err) < 0)
        return -1;
    /* Paths in ssh's arguments start there, as for a run. */
    if (chdir(project->directory) < 0)
        return error_system(err, errno, "cannot go to the project's folder %s", project->directory);
    if (history_made(store, target->name, &row, err) < 0)
        return -1;
    if (row)
        made_look(project, target, row, &made, &machine);
    if (row && made_refuse(&made, target, row, false, err) < 0)
        return -1;
    if (!machine && !provider_facts(target->provider)->existing) {
        AUTO_FREE char *text = xasprintf("nothing is made for the target '%s', so there is nothing to "
                                         "contact; 'triphase create %s' makes it",
                                         target->name, target->name);
        *out = host_check_alone("login", "unknown", text);
        return 0;
    }
    struct deadline contact = deadline_in(target->transport_ns);
    if (transport_choose_for(target, machine, &contact, &kind, err) < 0)
        return -1;
    AUTO_FREE char *sockets = layout_sockets(id, kind);
    if (layout_make_sockets(sockets, err) < 0)
        return -1;
    if (!machine && !(machine = planned_as_made(project, target, id, sockets, err))) {
        (void)transport_close_masters(sockets, NULL);
        return -1;
    }
    const struct host_check_request request = {.project = project,
                                               .target = target,
                                               .machine = machine,
                                               .kind = kind,
                                               .sockets = sockets,
                                               .ansible_version = ansible_version};
    return look(&request, id, out, err);
}

/* The account is asked whether or not something is made: with it the next `create` or `destroy` begins. */
static int contact_cloud(const struct project *project, const struct target *target, struct json *report,
                         struct error *err)
{
    AUTO_FREE char *said = NULL;
    AUTO_ERROR failed = ERROR_INIT;
    int status = account_try(project, target, ACCOUNT_BOUND, &said, &failed);
    host_check_add(report, "token", status < 0 ? "failed" : "ok", "%s",
                   status < 0 ? error_text(&failed) : said);
    return status < 0 ? error_move(err, &failed) : 0;
}

int plan_contact(const struct project *project, const struct target *target, const char *ansible_version,
                 struct json **out, struct error *err)
{
    AUTO_ERROR failed = ERROR_INIT;
    struct json *report = NULL;
    int status = contact(project, target, ansible_version, &report, &failed);
    *out = report ? report : host_check_alone("login", "failed", error_text(&failed));
    if (provider_facts(target->provider)->cloud &&
        contact_cloud(project, target, *out, status < 0 ? NULL : &failed) < 0)
        status = -1;
    return status < 0 ? error_move(err, &failed) : 0;
}
