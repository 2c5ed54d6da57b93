/* What drifts found, from their rows: since when, and that they stand in nobody's way. */
#include "store/history_drift.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "store/history.h"
#include "store/maintain.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <string.h>

static char *id(int number)
{
    return xasprintf("01890a5d-ac96-774b-bcce-b302099a8%03d", number);
}

/* A run of one phase at so many seconds; changes: names of tasks that would change something; "-NAME" was
 * not checked, "=NAME" is as it should be. */
static void put(struct record *record, int number, const char *kind, enum outcome outcome,
                const char *changes)
{
    AUTO_FREE char *run = id(number), *path = xasprintf("tasks.yml:%d", number), *names = xstrdup(changes);
    struct event event = rows_run(EVENT_RUN_BEGIN, run, number * NS_PER_S);
    event.of_run.kind = kind;
    event.of_run.partial = text_is(kind, "drift");
    record_put(record, &event);
    event = rows_step(EVENT_STEP_BEGIN, run, 1);
    record_put(record, &event);
    char *state = NULL;
    for (char *name = strtok_r(names, " ", &state); name; name = strtok_r(NULL, " ", &state)) {
        event = rows_task(run, 1, "role", name + (*name == '='),
                          *name == '-'   ? "skipped"
                          : *name == '=' ? "ok"
                                         : "changed");
        event.task.path = path;
        event.task.unchecked = *name == '-';
        record_put(record, &event);
    }
    event = rows_step(EVENT_STEP_END, run, 1);
    event.of_step.outcome = outcome;
    record_put(record, &event);
    event = rows_run(EVENT_RUN_END, run, number * NS_PER_S);
    event.of_run.outcome = outcome;
    record_put(record, &event);
}

/* "task@seconds ..." of the run; of what could not be checked the name alone. */
static void expect(struct record *record, int number, const char *wanted)
{
    AUTO_FREE char *run = id(number);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT out = TEXT_INIT;
    struct history_drift *found;
    size_t count;
    cr_assert_eq(history_drift(record->db, run, &found, &count, &err), 0, "%s", error_text(&err));
    for (size_t i = 0; i < count; i++) {
        text_addf(&out, "%s%s", i ? " " : "", found[i].task);
        if (!found[i].unchecked)
            text_addf(&out, "@%lld", (long long)(found[i].since_ns / NS_PER_S));
        cr_expect(text_is(found[i].role, "role") && text_is(found[i].phase, "install"));
    }
    cr_expect_str_eq(text_string(&out), wanted);
    history_drift_free(found, count);
}

Test(drift, since_is_the_first_in_a_row_that_found_the_same_task)
{
    struct record record = record_start();
    put(&record, 1, "drift", OUTCOME_OK, "a");
    put(&record, 2, "drift", OUTCOME_OK, "b =a");
    put(&record, 3, "drift", OUTCOME_OK, "a b -raw -raw");
    put(&record, 4, "run", OUTCOME_OK, "a");
    put(&record, 5, "drift", OUTCOME_FAILED, ""); /* it did not come so far */
    put(&record, 6, "drift", OUTCOME_OK, "a b c -raw");
    expect(&record, 1, "a@1");
    expect(&record, 3, "a@3 b@2 -raw");
    expect(&record, 6, "a@3 b@2 c@6 -raw");
    expect(&record, 5, "");
    record_end(&record);
}

Test(drift, one_that_is_over_hides_no_run_and_is_counted_apart_when_runs_are_pruned)
{
    struct record record = record_start();
    AUTO_ERROR err = ERROR_INIT;
    put(&record, 1, "create", OUTCOME_FAILED, "a");
    for (int i = 2; i < 40; i++)
        put(&record, i, "drift", OUTCOME_OK, "a");
    struct history_run *last;
    struct history_run **several;
    cr_assert_eq(history_last_here(record.db, "vault", &last, &err), 0);
    cr_expect_str_eq(last->kind, "create");
    history_run_free(last);
    cr_assert_eq(history_last_runs(record.db, NULL, 5, &several, &err), 0);
    cr_expect(several[0] && !several[1]);
    history_runs_free(several);
    /* One that goes on is what the target is at. */
    AUTO_FREE char *run = id(50);
    struct event event = rows_run(EVENT_RUN_BEGIN, run, 50 * NS_PER_S);
    event.of_run.kind = "drift";
    record_put(&record, &event);
    cr_assert_eq(history_last_here(record.db, "vault", &last, &err), 0);
    cr_expect_str_eq(last->kind, "drift");
    history_run_free(last);
    struct store_pruned pruned = {0};
    cr_assert_eq(store_prune(record.path, record.state, moment_wall(), &pruned, &err), 0, "%s",
                 error_text(&err));
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run WHERE kind = 'create'"), 1);
    cr_expect_eq(record_number(&record, "SELECT count(*) FROM run WHERE kind = 'drift'"), 20);
    record_end(&record);
}
