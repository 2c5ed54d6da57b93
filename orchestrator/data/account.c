#include "data/account.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/layout.h"
#include "data/outcome.h"
#include "mechanism/child.h"
#include "mechanism/lock.h"

#include <string.h>
#include <sys/stat.h>

enum { BAD_LIMIT = 20 };

bool account_is_running(const char *state, const struct history_run *run, bool *guarded)
{
    AUTO_FREE char *path = layout_lock(state, run->target);
    AUTO_FREE char *boot = process_boot_id();
    struct lock_owner owner = {0};
    bool held = false;
    if (file_exists(path) && lock_look(path, &owner, &held, NULL) < 0)
        held = false;
    bool ours = held && text_is(owner.run, run->id);
    if (guarded)
        *guarded = ours;
    /* A worker of another kernel (a shared file system) cannot be seen, but its lock can. */
    if (!text_is(boot, run->boot_id))
        return ours && !text_is(boot, owner.boot);
    return run->pid > 0 && process_alive((pid_t)run->pid, run->pid_start);
}

static int64_t unread(const char *state, const struct history_step *step)
{
    if (!step->events)
        return 0;
    AUTO_FREE char *path = file_join(state, step->events);
    struct stat file;
    if (stat(path, &file) < 0 || !S_ISREG(file.st_mode) || file.st_size <= step->event_bytes)
        return 0;
    return file.st_size - step->event_bytes;
}

int account_load(struct sql *db, const char *state, struct history_run *run, struct account *out,
                 struct error *err)
{
    struct account account = {.run = run};
    if (history_steps(db, run->id, &account.steps, &account.step_count, err) < 0 ||
        history_lost(db, run->id, &account.lost, &account.lost_count, err) < 0 ||
        history_bad(db, run->id, BAD_LIMIT, &account.bad, &account.bad_count, err) < 0) {
        account_free(&account);
        return -1;
    }
    for (size_t i = 0; i < account.step_count; i++) {
        const struct history_step *step = &account.steps[i];
        int64_t *sum = text_is(step->kind, "phase") ? &account.phases_ns : &account.stages_ns;
        if (step->duration_ns > 0 && __builtin_add_overflow(*sum, step->duration_ns, sum))
            *sum = INT64_MAX; /* a merged store may say anything */
        if (!run->outcome && !step->outcome)
            account.unread_bytes += unread(state, step);
    }
    account.outcome = run->outcome;
    if (!run->outcome)
        account.outcome =
            outcome_name(account_is_running(state, run, &account.guarded) ? OUTCOME_NONE : OUTCOME_CRASHED);
    *out = account;
    return 0;
}

void account_free(struct account *account)
{
    history_run_free(account->run);
    history_steps_free(account->steps, account->step_count);
    history_lost_free(account->lost, account->lost_count);
    history_bad_free(account->bad, account->bad_count);
    *account = (struct account){0};
}

const char *account_step_outcome(const struct account *account, const struct history_step *step)
{
    if (step->outcome)
        return step->outcome;
    return account->run->outcome ? outcome_name(OUTCOME_CRASHED) : account->outcome;
}
