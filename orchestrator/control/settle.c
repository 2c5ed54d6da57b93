#include "control/settle.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/layout.h"
#include "control/reconcile.h"
#include "process/child.h"
#include "process/lock.h"
#include "sandbox/owner.h"
#include "store/identity.h"

#include <stdio.h>
#include <unistd.h>

/* A guard ends a dead run within milliseconds, unless a process of it hangs in the kernel. */
enum { GUARD_BOUND_S = 10, GUARD_LOOK_US = 20000 };

/* Whether the lock's worker is dead and its guard still ends what it left. */
static bool held_by_a_guard(const char *path, const char *boot)
{
    struct lock_owner holder;
    bool held;
    return lock_look(path, &holder, &held, NULL) == 0 && text_is(holder.boot, boot) &&
           !process_alive(holder.pid, holder.start);
}

int settle_lock(const char *state, const char *target, const char *run, int *out, struct error *err)
{
    AUTO_FREE char *path = layout_lock(state, target);
    AUTO_FREE char *boot = process_boot_id();
    struct lock_owner owner = {.pid = getpid(), .start = process_start_time(getpid())};
    snprintf(owner.run, sizeof owner.run, "%s", run);
    snprintf(owner.boot, sizeof owner.boot, "%s", boot);
    for (struct deadline deadline = deadline_in(GUARD_BOUND_S * NS_PER_S);; usleep(GUARD_LOOK_US)) {
        AUTO_ERROR why = ERROR_INIT;
        if (lock_take(path, &owner, out, &why) == 0)
            return 0;
        bool ending = why.kind == ERROR_BUSY && held_by_a_guard(path, boot);
        if (ending && !deadline_over(deadline))
            continue;
        error_move(err, &why);
        return ending ? error_prefix(err, "its worker died, and what that left cannot be ended") : -1;
    }
}

int settle_project(const char *project_directory, struct words *said, struct error *err)
{
    AUTO_FREE char *moved_from = NULL;
    if (identity_claim(project_directory, &moved_from, err) < 0)
        return -1;
    if (!moved_from)
        return 0;
    words_addf(said, "this project was in %s and was moved here", moved_from);
    return geteuid() == 0 ? sandbox_owner_follow(project_directory, err) : 0;
}

int settle(const char *state, const char *target, int exit_code, struct words *said, struct error *err)
{
    AUTO_FREE char *project = file_parent(state);
    if (settle_project(project, said, err) < 0)
        return -1;
    AUTO_CLOSE int lock = -1;
    char id[ID_SIZE];
    id_make(id);
    return settle_lock(state, target, id, &lock, err) < 0
               ? -1
               : reconcile_target(state, target, exit_code, said, err);
}
