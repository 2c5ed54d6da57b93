#include "ansible/peers.h"

#include "base/file.h"
#include "base/memory.h"
#include "config/layout.h"
#include "provider/made_look.h"
#include "store/history.h"
#include "transport/known_hosts.h"

static int add(const struct target *target, struct machine *machine, const char *run, int alive_count,
               bool with_agents, struct peers *out, struct error *err)
{
    enum transport_kind kind;
    size_t at = out->count;
    out->machines[at] = machine;
    out->ssh[at] = (struct ssh_arguments)SSH_ARGUMENTS_INIT;
    out->control_paths[at] = NULL;
    out->count++;
    if (transport_from(target->transports.items[0], &kind) < 0)
        return error_set(err, ERROR_PROJECT, "peer %s: '%s' is no transport", target->name,
                         target->transports.items[0]);
    AUTO_FREE char *sockets = layout_sockets(run, kind);
    if (layout_make_sockets(sockets, err) < 0 ||
        ssh_arguments_make(machine, target, kind, sockets, with_agents ? sockets : NULL, SSH_ALIVE_INTERVAL,
                           alive_count, &out->ssh[at], err) < 0)
        return error_prefix(err, "peer %s", target->name);
    out->control_paths[at] = file_join(sockets, "%C");
    out->hosts[at] = (struct inventory_host){target, machine, kind, &out->ssh[at], out->control_paths[at]};
    return 0;
}

int peers_find(const struct project *project, const struct target *target, const char *state, const char *run,
               int alive_count, unsigned how, struct peers *out, struct error *err)
{
    bool lenient = how & PEERS_LENIENT;
    *out = (struct peers)PEERS_INIT;
    if (!target->peers.count)
        return 0;
    AUTO_FREE char *store = layout_store(state);
    AUTO_SQL *db = NULL;
    if ((lenient ? history_find(store, &db, err) : history_open(store, &db, err)) < 0)
        return -1;
    if (!db)
        return 0;
    size_t most = target->peers.count;
    *out = (struct peers){xcalloc(most, sizeof *out->hosts), xcalloc(most, sizeof *out->machines),
                          xcalloc(most, sizeof *out->ssh), xcalloc(most, sizeof *out->control_paths), 0};
    for (size_t i = 0; i < most; i++) {
        const struct target *peer = project_target(project, target->peers.items[i], err);
        AUTO_MACHINE *machine = NULL;
        if (!peer || history_machine(db, peer->name, &machine, err) < 0)
            return -1;
        if (machine && machine->made_ns) {
            AUTO_MADE made = MADE_INIT;
            AUTO_MACHINE *now = NULL;
            made_look(project, peer, machine, &made, &now);
            if (made_refuse(&made, peer, machine, false, err) < 0)
                return error_prefix(err, "peer %s", peer->name);
            if (known_hosts_write(now, peer, project->directory, err) < 0 ||
                add(peer, TAKE(now), run, alive_count, how & PEERS_WITH_AGENTS, out, err) < 0)
                return -1;
        } else if (!lenient) {
            return error_set(err, ERROR_PROJECT, "the peer %s is not made; 'triphase create %s' makes it",
                             peer->name, peer->name);
        }
    }
    return 0;
}

void peers_clear(struct peers *peers)
{
    for (size_t i = 0; i < peers->count; i++) {
        machine_free(peers->machines[i]);
        ssh_arguments_clear(&peers->ssh[i]);
        free(peers->control_paths[i]);
    }
    free(peers->hosts);
    free(peers->machines);
    free(peers->ssh);
    free(peers->control_paths);
    *peers = (struct peers)PEERS_INIT;
}
