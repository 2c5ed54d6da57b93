/* Which earlier steps an estimate is made of: those of the same kind, and no other. */
#include "figures/earlier.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>

TestSuite(earlier, .timeout = 60, .fini = hostile_clean);

#define BEGUN  (1700000000 * NS_PER_S) /* of each step, by the wall clock */
#define BEHIND (40 * NS_PER_S)         /* until the end of its run */

struct how { /* zero: a rerun of vault whose phase of 10 s ended ok */
    const char *kind, *recipe, *provider, *ansible, *digest, *plan, *transport, *accelerated, *step, *target;
    bool fresh, partial, failed, run_failed, open;
    int attempt;
    int64_t task_s; /* when its only task ended; 0: it has none */
};

static char *put(struct record *record, int number, struct how how)
{
    char *id = xasprintf("01890000-0000-7000-8000-0000%08x", (unsigned)number);
    struct event run = rows_run(EVENT_RUN_BEGIN, id, BEGUN - number * NS_PER_S),
                 step = rows_step(EVENT_STEP_BEGIN, id, 1);
    run.of_run.kind = how.kind ? how.kind : "run";
    run.of_run.target = how.target ? how.target : "vault";
    run.of_run.recipe = how.recipe ? how.recipe : "vault";
    run.of_run.provider = how.provider ? how.provider : "static";
    run.of_run.ansible = how.ansible ? how.ansible : "2.19.14";
    run.of_run.extra_digest = how.digest;
    run.of_run.plan = how.plan ? how.plan : "{\"dry_run\":false,\"arguments\":[]}";
    run.of_run.fresh = how.fresh;
    run.of_run.partial = how.partial;
    step.of_step.name = how.step ? how.step : "install";
    step.of_step.transport = how.transport ? how.transport : "direct";
    step.of_step.accelerated = how.accelerated;
    step.of_step.attempt = how.attempt ? how.attempt : 1;
    record_put(record, &run);
    record_put(record, &step);
    if (how.task_s) {
        struct event task = rows_task(id, 1, "base", "packages", "changed");
        task.task.started_ns = BEGUN + (how.task_s - 1) * NS_PER_S;
        task.task.duration_ns = NS_PER_S;
        record_put(record, &task);
    }
    if (how.open)
        return id;
    step.kind = EVENT_STEP_END;
    step.of_step.duration_ns = 10 * NS_PER_S;
    step.of_step.outcome = how.failed ? OUTCOME_FAILED : OUTCOME_OK;
    step.of_step.ok = how.task_s ? 1 : 0;
    step.of_step.changed = 0;
    record_put(record, &step);
    run.kind = EVENT_RUN_END;
    run.of_run.duration_ns = step.of_step.started_ns - run.of_run.started_ns + 10 * NS_PER_S + BEHIND;
    run.of_run.outcome = how.run_failed ? OUTCOME_FAILED : OUTCOME_OK;
    record_put(record, &run);
    return id;
}

/* Of the step that this run is at. */
static struct estimate *estimate_of(struct record *record, const char *id)
{
    AUTO_ERROR err = ERROR_INIT;
    struct history_step *steps;
    struct estimate *estimate;
    size_t count;
    cr_assert_eq(history_steps(record->db, id, &steps, &count, &err), 0, "%s", error_text(&err));
    cr_assert_eq(earlier_estimate(record->db, id, steps, &estimate, &err), 0, "%s", error_text(&err));
    history_steps_free(steps, count);
    return estimate;
}

static struct estimate_figures look(struct record *record, const char *id, int64_t seconds)
{
    struct estimate_figures figures;
    struct estimate *estimate = estimate_of(record, id);
    estimate_look(estimate, seconds * NS_PER_S, &figures);
    estimate_free(estimate);
    return figures;
}

/* Of one run `how`, the only one of its target, how many are told of by one that goes on as `now`. */
static size_t counted(struct record *record, struct how how, struct how now)
{
    static int number;
    AUTO_FREE char *target = xasprintf("t%d", number);
    how.target = now.target = target;
    now.open = true;
    AUTO_FREE char *before = put(record, ++number, how), *id = put(record, ++number, now);
    return look(record, id, 0).n;
}

Test(earlier, only_steps_of_the_same_kind_that_ended_well_are_told_of)
{
    struct record record = record_start();
    static const struct {
        const char *what;
        struct how how;
    } others[] = {
        {"failed", {.failed = true}},
        {"of a resume", {.kind = "resume"}},
        {"by another recipe", {.recipe = "node"}},
        {"of another provider", {.provider = "command"}},
        {"with another Ansible", {.ansible = "2.21.0"}},
        {"with other -e", {.digest = "abc"}},
        {"with other arguments", {.plan = "{\"dry_run\":false,\"arguments\":[\"--tags\",\"x\"]}"}},
        {"a dry run", {.plan = "{\"dry_run\":true,\"arguments\":[]}"}},
        {"of a part", {.partial = true}},
        {"over another transport", {.transport = "tailnet"}},
        {"by mitogen", {.accelerated = "mitogen"}},
        {"without the zygote", {.accelerated = "none"}},
        {"of another phase", {.step = "converge"}},
        {"on a machine just made", {.fresh = true}},
        {"behind a broken attempt", {.attempt = 2}},
    };
    cr_assert(eq(sz, counted(&record, (struct how){0}, (struct how){0}), 1));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        cr_expect(eq(sz, counted(&record, others[i].how, (struct how){0}), 0), "one %s is told of",
                  others[i].what);
    record_end(&record);
}

Test(earlier, what_is_said_of_this_one_has_to_be_said_of_them)
{
    struct record record = record_start();
    const struct how part = {.partial = true, .plan = "{\"dry_run\":false,\"arguments\":[\"--tags\",\"x\"]}"};
    cr_expect(eq(sz, counted(&record, part, part), 1));
    cr_expect(eq(sz, counted(&record, (struct how){.accelerated = "warm"}, (struct how){0}), 1),
              "as before it was told");
    cr_expect(eq(sz, counted(&record, (struct how){0}, (struct how){.attempt = 2}), 1),
              "all there is beside a second one");
    cr_expect(eq(sz, counted(&record, (struct how){.plan = "no JSON"}, (struct how){.plan = "no JSON"}), 1));
    record_end(&record);
}

Test(earlier, a_machine_that_this_run_makes_is_set_beside_those_that_were_just_made)
{
    struct record record = record_start();
    const struct how create = {.kind = "create", .provider = "sandbox"},
                     made = {.kind = "create", .provider = "sandbox", .fresh = true};
    cr_expect(eq(sz, counted(&record, made, create), 1), "its row says so only at its end");
    cr_expect(eq(sz, counted(&record, create, create), 0));
    record_end(&record);
}

Test(earlier, how_long_the_run_goes_on_is_that_of_whole_runs_of_the_same_phases)
{
    static const struct how create = {.kind = "create"}, failed = {.run_failed = true},
                            asked = {.plan = "{\"dry_run\":false,\"arguments\":[],\"asked\":[\"install\"]}"};
    struct record record = record_start();
    AUTO_FREE char *a = put(&record, 1, create), *b = put(&record, 2, failed), *c = put(&record, 3, asked);
    AUTO_FREE char *id = put(&record, 4, (struct how){.open = true});
    struct estimate_figures figures = look(&record, id, 0);
    cr_expect(eq(sz, figures.n, 3));
    cr_expect(eq(i64, figures.behind_ns, -1));
    AUTO_FREE char *whole = put(&record, 5, (struct how){0}),
                   *now = put(&record, 6, (struct how){.open = true});
    cr_expect(eq(i64, look(&record, now, 0).behind_ns, BEHIND));
    record_end(&record);
}

Test(earlier, a_run_is_at_its_last_step_until_that_has_ended)
{
    struct record record = record_start();
    AUTO_FREE char *before = put(&record, 1, (struct how){0}),
                   *id = put(&record, 2, (struct how){.open = true});
    AUTO_ERROR err = ERROR_INIT;
    struct history_run *run;
    struct earlier_now now;
    cr_assert_eq(history_run(record.db, id, NULL, &run, &err), 0, "%s", error_text(&err));
    cr_assert_eq(earlier_now(record.db, record.state, run, &now, &err), 0, "%s", error_text(&err));
    cr_expect(eq(str, now.name, "install"));
    cr_expect(eq(sz, now.figures.n, 1));
    earlier_now_clear(&now);
    struct event end = rows_step(EVENT_STEP_END, id, 1);
    record_put(&record, &end);
    cr_assert_eq(earlier_now(record.db, record.state, run, &now, &err), 0, "%s", error_text(&err));
    cr_expect(now.name == NULL && now.figures.n == 0);
    history_run_free(run);
    record_end(&record);
}

Test(earlier, the_last_twenty_are_told_of_with_their_tasks)
{
    struct record record = record_start();
    for (int i = 1; i <= 23; i++)
        free(put(&record, i, (struct how){.task_s = i < 4 ? 9 : 6}));
    AUTO_FREE char *id = put(&record, 24, (struct how){.open = true});
    struct estimate *estimate = estimate_of(&record, id);
    estimate_ended(estimate, &(struct estimate_task){.host = "vault",
                                                     .role = "base",
                                                     .task = "packages",
                                                     .status = STATUS_CHANGED,
                                                     .ended_ns = 3 * NS_PER_S});
    struct estimate_figures figures;
    estimate_look(estimate, 3 * NS_PER_S, &figures);
    cr_expect(eq(sz, figures.n, 20));
    cr_expect(eq(i64, figures.high_ns, 4 * NS_PER_S));
    cr_expect(eq(i64, figures.low_ns, 4 * NS_PER_S), "of older ones it were 1 s");
    estimate_free(estimate);
    record_end(&record);
}
