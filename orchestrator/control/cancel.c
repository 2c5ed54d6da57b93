#include "control/cancel.h"

#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "control/reconcile.h"
#include "process/lock.h"

#include <poll.h>
#include <signal.h>
#include <time.h>

/* The rest of a run after its worker: its guard takes milliseconds. */
enum { REST_BOUND_S = 20, LOOK_MS = 10 };

int cancel_tell(const struct child *worker, bool now)
{
    int status = child_signal(worker, SIGTERM);
    /* Two signals of one kind could arrive as one; these are two, and the second ends it at once. */
    if (status == 0 && now)
        status = child_signal(worker, SIGINT);
    child_signal(worker, SIGCONT);
    return status;
}

static bool gone_within(const struct child *worker, int64_t bound_ns)
{
    return deadline_poll(&(struct pollfd){.fd = worker->pidfd, .events = POLLIN}, 1, deadline_in(bound_ns)) >
           0;
}

static bool is_locked(const char *state, const struct history_run *run)
{
    AUTO_FREE char *path = layout_lock(state, run->target);
    struct lock_owner owner;
    bool held = false;
    return lock_look(path, &owner, &held, NULL) == 0 && held && text_is(owner.run, run->id);
}

int cancel_wait(const char *state, const struct history_run *run, const struct child *worker,
                int64_t bound_ns, bool force, struct error *err)
{
    if (!gone_within(worker, bound_ns)) {
        if (!force)
            return error_set(
                err, ERROR_BUSY,
                "its worker (process %d) still ends it; 'triphase cancel --now %s' does not wait",
                (int)worker->pid, run->id);
        child_signal(worker, SIGKILL);
        if (!gone_within(worker, REST_BOUND_S * NS_PER_S))
            return error_set(err, ERROR_BUSY, "its worker (process %d) does not end even when it is killed",
                             (int)worker->pid);
    }
    for (struct deadline deadline = deadline_in(REST_BOUND_S * NS_PER_S);;) {
        bool locked = is_locked(state, run);
        int left = locked ? 0 : reconcile_look(run).processes;
        if (!locked && left <= 0)
            return 0;
        if (deadline_over(deadline))
            return error_set(err, ERROR_BUSY,
                             locked ? "its worker is gone, but its guard still ends what that left"
                                    : "its worker is gone, but %d process(es) of it are left",
                             left);
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * NS_PER_MS}, NULL);
    }
}
