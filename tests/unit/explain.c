/* Why a run and its steps ended as they did, as it is told: from what the store has, whoever wrote it. */
#include "report/explain.h"

#include "base/memory.h"
#include "base/moment.h"
#include "format/sql.h"
#include "unit/hostile.h"
#include "unit/record.h"
#include "view/events.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(explain, .fini = hostile_clean);

static const char id[] = "01890000-0000-7000-8000-0123456789ab";

static void put_step(struct record *record, int seq, enum outcome outcome, const char *row, const char *seen,
                     const char *message)
{
    struct event event = rows_step(EVENT_STEP_BEGIN, id, seq);
    record_put(record, &event);
    if (outcome == OUTCOME_NONE)
        return;
    event = rows_step(EVENT_STEP_END, id, seq);
    event.of_step.outcome = outcome;
    event.of_step.verdict = row;
    event.of_step.seen = seen;
    event.of_step.message = message;
    record_put(record, &event);
}

static struct account account_of(struct record *record)
{
    AUTO_ERROR err = ERROR_INIT;
    struct history_run *run;
    struct account account;
    cr_assert_eq(history_run(record->db, id, NULL, &run, &err), 0, "%s", error_text(&err));
    cr_assert_eq(account_load(record->db, record->state, run, &account, &err), 0, "%s", error_text(&err));
    return account;
}

/* What stands under the head line. malloc'ed. */
static char *explained(struct record *record, int width)
{
    struct account account = account_of(record);
    struct table_look look = {.width = width, .utf8 = true};
    AUTO_TEXT out = TEXT_INIT;
    explain_view(&account, &look, &out);
    account_clear(&account);
    return xstrdup(strstr(text_string(&out), "\nrun  "));
}

Test(explain, the_row_what_was_seen_and_the_rows_before_it_are_told_of_the_run_and_each_step)
{
    struct record record = record_start();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 5);
    record_put(&record, &event);
    put_step(&record, 1, OUTCOME_OK, "ok", "exit code 0, 3 event lines, end seen", NULL);
    put_step(&record, 2, OUTCOME_FAILED, "no-end", "exit code 0, no end", "two\nlines \033[2J");
    event = rows_run(EVENT_RUN_END, id, 5);
    event.of_run.outcome = OUTCOME_FAILED;
    event.of_run.verdict = "step";
    event.of_run.seen = "step 2 install ended as failed";
    record_put(&record, &event);
    AUTO_FREE char *said = explained(&record, 60);
    cr_expect_str_eq(said,
                     "\nrun  failed\n"
                     "     row   step, number 7 of 9: a step ended it, and it ends\n"
                     "           as that step did\n"
                     "     not   died, store-broke, files-at-fault, not-begun,\n"
                     "           deadline, cancelled\n"
                     "     seen  step 2 install ended as failed\n"
                     "\n"
                     "  1  install  ok\n"
                     "     row   ok, since none of the 25 before it fitted: its\n"
                     "           record is whole, and nothing in it went wrong\n"
                     "     seen  exit code 0, 3 event lines, end seen\n"
                     "\n"
                     "  2  install  failed\n"
                     "     row   no-end, number 15 of 26: the record of its events\n"
                     "           has no end\n"
                     "     not   died, rolled-back, cancelled, watchdog,\n"
                     "           unarmed-no-way, not-armed, not-back,\n"
                     "           out-of-memory, signalled, not-started, refused,\n"
                     "           no-play, no-hosts, aborted\n"
                     "     seen  exit code 0, no end\n"
                     "     said  two\n"
                     "           lines \\x1b[2J\n"
                     "     log   .triphase/runs/r/01-install.1.log\n",
                     "%s", said);
    record_end(&record);
}

Test(explain, what_was_not_recorded_is_not_known_or_has_not_ended_is_said_to_be_that)
{
    struct record record = record_start();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 5);
    record_put(&record, &event);
    put_step(&record, 1, OUTCOME_OK, NULL, NULL, NULL);
    put_step(&record, 2, OUTCOME_FAILED, "eaten \033[2J", "crumbs \033[2J", NULL);
    put_step(&record, 3, OUTCOME_NONE, NULL, NULL, NULL);
    AUTO_FREE char *said = explained(&record, 0);
    cr_expect_str_eq(
        said,
        "\nrun  crashed\n"
        "     row   none yet: its worker is gone, and the next command that acts on the target judges it\n"
        "\n"
        "  1  install  ok\n"
        "     row   not recorded: an older triphase wrote it\n"
        "\n"
        "  2  install  failed\n"
        "     row   eaten \\x1b[2J: a row that this version of triphase does not know\n"
        "     seen  crumbs \\x1b[2J\n"
        "     log   .triphase/runs/r/01-install.1.log\n"
        "\n"
        "  3  install  crashed\n"
        "     row   none yet: its worker is gone, and the next command that acts on the target judges it\n"
        "     log   .triphase/runs/r/01-install.1.log\n",
        "%s", said);
    record_end(&record);
}

Test(explain, why_a_phase_was_made_faster_by_less_than_was_asked_for_is_told)
{
    struct record record = record_start();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 5);
    record_put(&record, &event);
    for (int seq = 1; seq <= 3; seq++)
        put_step(&record, seq, OUTCOME_OK, NULL, NULL, NULL);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(
        sql_run(record.db,
                "UPDATE step SET accelerated = 'warm' WHERE seq = 1;"
                "UPDATE step SET accelerated = 'warm', accelerated_why = 'no \033[2J mitogen' WHERE seq "
                "= 2; UPDATE step SET accelerated = 'none' WHERE seq = 3",
                &err),
        0, "%s", error_text(&err));
    AUTO_FREE char *said = explained(&record, 0);
    const char *usual = strstr(said, "\n  1  "), *less = strstr(said, "\n  2  "),
               *asked = strstr(said, "\n  3  "), *told = strstr(said, "     fast  ");
    cr_assert(usual && less && asked && told, "%s", said);
    cr_expect(told > less, "what is usual is not told: %s", said);
    cr_expect(text_starts(told, "     fast  warm: no \\x1b[2J mitogen\n"), "%s", said);
    cr_expect(strstr(asked, "     fast  none, as asked for\n"), "%s", said);
    record_end(&record);
}

/* A store from elsewhere may hold anything there. */
Test(explain, an_outcome_that_no_triphase_gives_reaches_the_terminal_as_text)
{
    struct record record = record_start();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 5);
    record_put(&record, &event);
    put_step(&record, 1, OUTCOME_FAILED, NULL, NULL, NULL);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_run(record.db,
                         "UPDATE run SET outcome = 'a' || char(27) || '[2J';"
                         "UPDATE step SET outcome = 'b' || char(27) || '[2J'",
                         &err),
                 0, "%s", error_text(&err));
    AUTO_FREE char *said = explained(&record, 0);
    cr_expect(strstr(said, "\nrun  a\\x1b[2J\n") && strstr(said, "  1  install  b\\x1b[2J\n"), "%s", said);
    cr_expect_null(strchr(said, '\033'), "%s", said);
    record_end(&record);
}

Test(explain, json_has_the_documented_members)
{
    struct record record = record_start();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 5);
    record_put(&record, &event);
    put_step(&record, 1, OUTCOME_CANCELLED, "cancelled", "ended by a cancel", "in task 't'");
    put_step(&record, 2, OUTCOME_OK, NULL, NULL, NULL);
    struct account account = account_of(&record);
    AUTO_JSON *json = explain_json(&account), *steps = json_keep(json_get(json, "steps"));
    AUTO_FREE char *first = json_compact(json_at(steps, 0)), *second = json_compact(json_at(steps, 1)),
                   *run = json_compact(json_get(json, "run"));
    cr_expect_eq(json_get_integer(json, "version", 0), 1);
    cr_expect_str_eq(first, "{\"seq\":1,\"kind\":\"phase\",\"name\":\"install\",\"attempt\":1,\"outcome\":"
                            "\"cancelled\",\"verdict\":\"cancelled\",\"means\":\"the run was cancelled while "
                            "it ran\",\"seen\":\"ended by a cancel\",\"message\":\"in task 't'\",\"before\":["
                            "\"died\",\"rolled-back\"],\"accelerated\":null,\"accelerated_why\":null}");
    cr_expect_str_eq(second, "{\"seq\":2,\"kind\":\"phase\",\"name\":\"install\",\"attempt\":1,\"outcome\":"
                             "\"ok\",\"verdict\":null,\"means\":null,\"seen\":null,\"message\":null,"
                             "\"before\":null,\"accelerated\":null,\"accelerated_why\":null}");
    cr_expect_str_eq(run, "{\"id\":\"01890000-0000-7000-8000-0123456789ab\",\"target\":\"vault\",\"outcome\":"
                          "\"crashed\",\"verdict\":null,\"means\":null,\"seen\":null,\"message\":null,"
                          "\"before\":null}");
    account_clear(&account);
    record_end(&record);
}

Test(explain, an_end_is_a_line_among_the_events_where_its_row_was_recorded)
{
    struct record record = record_start();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 5);
    record_put(&record, &event);
    put_step(&record, 1, OUTCOME_FAILED, "no-end", "exit code 0 \033[2J", NULL);
    put_step(&record, 2, OUTCOME_OK, NULL, NULL, NULL);
    struct account account = account_of(&record);
    struct table_look look = {.width = 80, .utf8 = true};
    AUTO_TEXT line = TEXT_INIT, none = TEXT_INIT;
    events_add_verdict(NULL, &account.steps[0], &look, &line);
    events_add_verdict(NULL, &account.steps[1], &look, &none);
    events_add_verdict(account.run, NULL, &look, &none);
    cr_expect(strstr(text_string(&line),
                     "  1 install        verdict  outcome failed  row no-end  seen exit code 0 \\x1b[2J\n"),
              "%s", text_string(&line));
    cr_expect_eq(none.length, 0, "%s", text_string(&none));
    account_clear(&account);
    record_end(&record);
}
