#include "figures/account.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "event/outcome.h"
#include "process/child.h"
#include "process/lock.h"

#include <string.h>
#include <sys/stat.h>

enum { BAD_LIMIT = 20, CHAIN_MOST = 64 };

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
    AUTO_FREE char *path = layout_stored(state, step->events);
    struct stat file;
    if (stat(path, &file) < 0 || !S_ISREG(file.st_mode) || file.st_size <= step->event_bytes)
        return 0;
    return file.st_size - step->event_bytes;
}

static void add_time(int64_t *sum, int64_t time)
{
    if (time > 0 && __builtin_add_overflow(*sum, time, sum))
        *sum = INT64_MAX; /* a merged store may say anything */
}

static int add_link(struct sql *db, struct account *account, const struct history_run *run, struct error *err)
{
    struct history_step *steps = NULL;
    size_t count = 0;
    if (history_steps(db, run->id, &steps, &count, err) < 0)
        return -1;
    struct account_link link = {.run = xstrdup(run->id),
                                .kind = xstrdup(run->kind),
                                .outcome = xstrdup_or_null(run->outcome),
                                .duration_ns = run->duration_ns};
    for (size_t i = 0; i < count; i++)
        add_time(text_is(steps[i].kind, "phase") ? &link.phases_ns : &link.stages_ns, steps[i].duration_ns);
    history_steps_free(steps, count);
    account->chain = xreallocarray(account->chain, account->chain_count + 1, sizeof *account->chain);
    memmove(account->chain + 1, account->chain, account->chain_count * sizeof *account->chain);
    account->chain[0] = link;
    account->chain_count++;
    return 0;
}

/* A parent that was pruned ends the chain; one that goes in a circle (a store from
 * elsewhere) is followed so far. */
static int load_chain(struct sql *db, struct account *account, struct error *err)
{
    AUTO_FREE char *parent = xstrdup_or_null(account->run->parent_id);
    while (parent && account->chain_count < CHAIN_MOST) {
        struct history_run *run = NULL;
        AUTO_ERROR gone = ERROR_INIT;
        if (history_run(db, parent, NULL, &run, &gone) < 0)
            return gone.kind == ERROR_USAGE ? 0 : error_move(err, &gone);
        int status = add_link(db, account, run, err);
        free(parent);
        parent = xstrdup_or_null(run->parent_id);
        history_run_free(run);
        if (status < 0)
            return -1;
    }
    return 0;
}

int account_load(struct sql *db, const char *state, struct history_run *run, struct account *out,
                 struct error *err)
{
    struct account account = {.run = run};
    if (history_steps(db, run->id, &account.steps, &account.step_count, err) < 0 ||
        history_lost(db, run->id, &account.lost, &account.lost_count, err) < 0 ||
        history_bad(db, run->id, BAD_LIMIT, &account.bad, &account.bad_count, err) < 0 ||
        history_paths(db, run->id, &account.paths, &account.path_count, err) < 0 ||
        history_boot(db, run->id, &account.boot, &account.boot_count, err) < 0 ||
        history_told(db, run->id, &account.told, &account.told_count, err) < 0 ||
        history_confirm(db, run->id, &account.confirm, err) < 0 ||
        history_health(db, run->id, &account.health_samples, &account.health_sample_count, err) < 0 ||
        load_chain(db, &account, err) < 0) {
        account_clear(&account);
        return -1;
    }
    health_account_make(account.health_samples, account.health_sample_count, account.steps,
                        account.step_count, &account.health);
    for (size_t i = 0; i < account.step_count; i++) {
        const struct history_step *step = &account.steps[i];
        add_time(text_is(step->kind, "phase") ? &account.phases_ns : &account.stages_ns, step->duration_ns);
        if (!run->outcome && !step->outcome)
            account.unread_bytes += unread(state, step);
    }
    AUTO_JSON *plan = run->plan ? json_parse(run->plan, strlen(run->plan), NULL) : NULL;
    account.dry_run = json_get_bool(plan, "dry_run");
    account.outcome = run->outcome;
    if (!run->outcome)
        account.outcome =
            outcome_name(account_is_running(state, run, &account.guarded) ? OUTCOME_NONE : OUTCOME_CRASHED);
    *out = account;
    return 0;
}

void account_clear(struct account *account)
{
    history_run_free(account->run);
    history_steps_free(account->steps, account->step_count);
    history_lost_free(account->lost, account->lost_count);
    history_bad_free(account->bad, account->bad_count);
    history_paths_free(account->paths, account->path_count);
    history_boot_free(account->boot, account->boot_count);
    history_told_free(account->told, account->told_count);
    json_free(account->confirm);
    health_account_clear(&account->health);
    history_health_free(account->health_samples, account->health_sample_count);
    for (size_t i = 0; i < account->chain_count; i++) {
        free(account->chain[i].run);
        free(account->chain[i].kind);
        free(account->chain[i].outcome);
    }
    free(account->chain);
    *account = (struct account){0};
}

const struct history_step *account_step(const struct account *account, int seq)
{
    for (size_t i = 0; i < account->step_count; i++)
        if (account->steps[i].seq == seq)
            return &account->steps[i];
    return NULL;
}

const char *account_step_outcome(const struct account *account, const struct history_step *step)
{
    if (step->outcome)
        return step->outcome;
    return account->run->outcome ? outcome_name(OUTCOME_CRASHED) : account->outcome;
}
