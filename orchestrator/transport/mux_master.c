#include "transport/mux_master.h"

#include "base/memory.h"
#include "net/socket_diag.h"
#include "process/look.h"

bool mux_master_among(const pid_t *pids, int count, const char *control_path, struct mux_master *out)
{
    struct mux_master found = {.listener = socket_diag_listener(control_path)};
    struct process_look process;
    if (!found.listener)
        return false;
    found.pid = socket_diag_holder(found.listener, pids, count);
    if (!found.pid || !process_look(found.pid, &process))
        return false;
    found.start = process.start;
    /* Forwardings are cleared, so the one connection of a master is the one to its host. */
    found.over_tcp = tcp_state_find(found.pid, &found.socket, 1, NULL) == 1;
    *out = found;
    return true;
}

bool mux_master_find(const struct scope *run, const char *control_path, struct mux_master *out)
{
    /* Members are looked for only where there is something to find: without a cgroup that takes
     * a look at every process. */
    if (!socket_diag_listener(control_path))
        return false;
    AUTO_FREE pid_t *pids = NULL;
    int count = scope_members(run, &pids, NULL);
    return count > 0 && mux_master_among(pids, count, control_path, out);
}

bool mux_master_look(const struct mux_master *master, bool *stopped, struct tcp_state *tcp)
{
    struct process_look process;
    *tcp = (struct tcp_state){0};
    if (!master->pid || !process_look(master->pid, &process) || process.start != master->start ||
        process.state == 'Z')
        return false;
    *stopped = process.state == 'T' || process.state == 't';
    return !master->over_tcp || tcp_state_look(&master->socket, tcp, NULL) == 0;
}
