#include "figures/earlier.h"

#include "base/memory.h"
#include "base/moment.h"
#include "config/layout.h"
#include "config/provider_facts.h"
#include "process/follow.h"
#include "store/history_alike.h"

enum { RUNS_MOST = 20, TASKS_MOST = 50000 };

static void on_task(void *estimate, const struct history_alike_task *task)
{
    static const enum line_status of_row[] = {STATUS_OK, STATUS_CHANGED, STATUS_SKIPPED, STATUS_FAILED,
                                              STATUS_OK /* unreachable */};
    bool known = task->status >= 0 && (size_t)task->status < COUNT_OF(of_row);
    estimate_add_task(estimate,
                      &(struct estimate_task){.host = task->host,
                                              .role = task->role,
                                              .task = task->task,
                                              .status = known ? of_row[task->status] : STATUS_FAILED,
                                              .unreachable = task->status == 4,
                                              .ended_ns = task->ended_ns});
}

/* Its row says so only when it ends: the machine is none that was there before it. */
static int is_fresh(struct sql *db, const struct history_run *run, struct error *err)
{
    AUTO_MACHINE *machine = NULL;
    if (history_machine(db, run->target, &machine, err) < 0)
        return -1;
    return run->fresh || (!provider_facts(run->provider)->existing &&
                          (!machine || !machine->made_ns || machine->made_ns >= run->started_ns));
}

static int add_all(struct sql *db, const struct history_alike *list, size_t count, struct estimate *estimate,
                   struct error *err)
{
    int64_t room = TASKS_MOST;
    for (size_t i = 0; i < count && (!i || list[i].tasks <= room); i++) {
        estimate_add(estimate, list[i].duration_ns, list[i].behind_ns);
        if (list[i].tasks <= room &&
            history_alike_tasks(db, list[i].number, room, on_task, estimate, err) < 0)
            return -1;
        room -= list[i].tasks;
    }
    return 0;
}

int earlier_estimate(struct sql *db, const char *id, const struct history_step *step, struct estimate **out,
                     struct error *err)
{
    struct history_run *run = NULL;
    AUTO_FREE struct history_alike *list = NULL;
    size_t count;
    if (history_run(db, id, NULL, &run, err) < 0)
        return -1;
    int fresh = is_fresh(db, run, err);
    int status = fresh < 0 ? -1 : history_alike(db, run, step, fresh, RUNS_MOST, &list, &count, err);
    history_run_free(run);
    if (status < 0)
        return -1;
    struct estimate *estimate = count ? estimate_new() : NULL;
    if (add_all(db, list, count, estimate, err) < 0) {
        estimate_free(estimate);
        return -1;
    }
    *out = estimate;
    return 0;
}

struct reading {
    struct estimate *estimate;
    int64_t started_ns, now_ns;
};

static void on_line(void *context, const char *bytes, size_t length, bool skipped)
{
    const struct reading *reading = context;
    struct line line;
    if (skipped || line_parse(bytes, length, &line, NULL) < 0)
        return;
    estimate_line(reading->estimate, &line, reading->started_ns, reading->now_ns);
    line_clear(&line);
}

static int look(struct sql *db, const char *state, const char *run, const struct history_step *step,
                struct earlier_now *out, struct error *err)
{
    enum { LINE_LIMIT = 1 << 20 };
    struct reading reading = {.started_ns = step->started_monotonic_ns, .now_ns = moment_monotonic()};
    AUTO_FREE char *events = step->events ? layout_stored(state, step->events) : NULL;
    int64_t offset = 0;
    if (earlier_estimate(db, run, step, &reading.estimate, err) < 0)
        return -1;
    /* What cannot be read of it has not been done yet. */
    if (events && estimate_has_tasks(reading.estimate))
        (void)follow_whole(events, LINE_LIMIT, on_line, &reading, &offset, NULL);
    *out = (struct earlier_now){.name = xstrdup(step->name),
                                .attempt = step->attempt,
                                .elapsed_ns = reading.now_ns - reading.started_ns};
    estimate_look(reading.estimate, out->elapsed_ns, &out->figures);
    estimate_free(reading.estimate);
    return 0;
}

int earlier_now(struct sql *db, const char *state, const struct history_run *run, struct earlier_now *out,
                struct error *err)
{
    struct history_step *steps = NULL;
    size_t count = 0;
    if (history_steps(db, run->id, &steps, &count, err) < 0)
        return -1;
    *out = (struct earlier_now){0};
    int status =
        count && !steps[count - 1].outcome ? look(db, state, run->id, &steps[count - 1], out, err) : 0;
    history_steps_free(steps, count);
    return status;
}

void earlier_now_clear(struct earlier_now *now)
{
    free(now->name);
    *now = (struct earlier_now){0};
}
