#include "control/running.h"

#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "control/reconcile.h"
#include "process/lock.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int running_find(const char *state, const struct history_run *run, struct child *out, struct error *err)
{
    if (run->outcome || reconcile_look(run).elsewhere || run->pid <= 0)
        return 0;
    AUTO_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)run->pid, 0);
    /* Asked after the handle was opened: so the handle is the worker's, or the worker is gone. */
    if (pidfd < 0 || !process_alive((pid_t)run->pid, run->pid_start))
        return 0;
    fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    AUTO_FREE char *path = layout_lock(state, run->target);
    struct lock_owner owner;
    bool held = false;
    if (lock_look(path, &owner, &held, NULL) < 0 || !held || !text_is(owner.run, run->id) ||
        owner.pid != (pid_t)run->pid || owner.start != run->pid_start)
        return error_set(
            err, ERROR_BUSY,
            "process %lld looks like the worker of run %s, but the lock of %s is not in its hands: it is"
            " left alone; end it in order with 'kill %lld'",
            (long long)run->pid, id_shown(run->id), run->target, (long long)run->pid);
    *out = (struct child){(pid_t)run->pid, TAKE_FD(pidfd)};
    return 1;
}
