#include "preflight/made.h"

#include "base/memory.h"
#include "config/layout.h"
#include "provider/made_look.h"
#include "store/history.h"

/* false: it could not be looked at. */
static bool look_at(const struct project *project, const struct target *target, const char *store,
                    struct made *out, struct machine **machine, struct plan_report *report)
{
    AUTO_ERROR err = ERROR_INIT;
    *machine = NULL;
    if (history_made(store, target->name, machine, &err) < 0) {
        plan_find(report, ERROR_NONE, NULL, "what was made cannot be looked at: %s", error_text(&err));
        return false;
    }
    if (*machine)
        made_look(project, target, *machine, out, NULL);
    return true;
}

/* As create, run and resume have it. Of a target that is not made itself nobody can tell what
 * it will be created with. */
static void look_at_unmade_peer(const struct target *target, const struct target *peer, bool made,
                                struct plan_report *report)
{
    AUTO_FREE char *where = xasprintf("peer %s", peer->name);
    if (made)
        plan_find(report, ERROR_PROJECT, where, "it is not made; 'triphase create %s' makes it", peer->name);
    else
        plan_find(
            report, ERROR_NONE, where,
            "it is not made: 'triphase create %s' alone is refused, 'triphase create %s %s' makes it first",
            target->name, peer->name, target->name);
}

/* A play reaches its peers by delegation, so what stops acting on one stops it too; what is said of one's
 * making does not matter to it. */
static void look_at_peer(const struct project *project, const struct target *target,
                         const struct target *peer, const char *store, bool made_itself, bool seen_to,
                         struct plan_report *report)
{
    AUTO_MADE made = MADE_INIT;
    AUTO_MACHINE *machine = NULL;
    AUTO_ERROR err = ERROR_INIT;
    if (!look_at(project, peer, store, &made, &machine, report))
        return;
    AUTO_FREE char *where = xasprintf("peer %s", peer->name);
    if (machine && made_refuse(&made, peer, machine, false, &err) < 0)
        plan_find_error(report, where, &err);
    else if (!machine && !seen_to)
        look_at_unmade_peer(target, peer, made_itself, report);
}

void plan_made(const struct project *project, const struct target *target, const char *state, bool create,
               bool peers_seen_to, struct plan_report *report)
{
    AUTO_FREE char *store = layout_store(state);
    AUTO_MADE made = MADE_INIT;
    AUTO_MACHINE *machine = NULL;
    AUTO_ERROR err = ERROR_INIT;
    (void)look_at(project, target, store, &made, &machine, report);
    bool stops = machine && made_refuse(&made, target, machine, create, &err) < 0;
    if (stops)
        plan_find_error(report, NULL, &err);
    for (size_t i = 0; i < made.count; i++) {
        const struct made_difference *item = &made.items[i];
        AUTO_FREE char *text = made_text(item);
        bool told = item->effect == MADE_REFUSES || (create && item->effect == MADE_AT_MAKING);
        if (!told)
            plan_find(report, ERROR_NONE, NULL, "%s", text);
    }
    report->differs = made_json(&made);
    for (size_t i = 0; i < target->peers.count; i++) {
        const struct target *peer = project_target(project, target->peers.items[i], NULL);
        if (peer)
            look_at_peer(project, target, peer, store, machine != NULL, peers_seen_to, report);
    }
}
