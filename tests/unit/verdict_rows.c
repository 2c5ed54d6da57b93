/* The tables of verdicts as such: every row can be reached, is told from the others by its
 * name, and is in the contract. */
#include "verdict/verdict.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

#define LINE(n, kind, rest) "{\"v\":1,\"seq\":" n ",\"t\":1,\"m\":1,\"kind\":\"" kind "\"" rest "}"
#define PLAY                LINE("1", "play_start", ",\"hosts_count\":1")
#define NO_PLAY             LINE("1", "play_start", ",\"hosts_count\":0")
#define STATS(n, failures)  LINE(n, "stats", ",\"hosts\":{\"h\":{\"failures\":" failures "}}")
#define LOST                LINE("2", "unreachable", ",\"host\":\"h\",\"task\":\"T\",\"cause_text\":\"gone\"")
#define CHANGED(n)          LINE(n, "result", ",\"host\":\"h\",\"task\":\"T\",\"status\":\"changed\"")
#define NOTIFY              LINE("2", "notify", ",\"host\":\"h\",\"handlers\":[\"restart\"]")
#define NEVER_RAN(n, host) \
    LINE(n, "never_ran", ",\"host\":\"" host "\",\"play\":\"P\",\"cause_text\":\"never ran\"")
#define END(n, count) LINE(n, "end", ",\"count\":" count)
#define WELL          PLAY, STATS("2", "0"), END("3", "2")

static const struct child_end code_0 = {.exited = true, .code = 0}, code_2 = {.exited = true, .code = 2},
                              code_4 = {.exited = true, .code = 4}, none = {.exited = true, .code = -1},
                              killed = {.exited = false, .signal = 9};

struct phase_case {
    const char *row, *seen;
    enum ended_by by;
    const struct child_end *end;
    bool oom, beyond, owed, looks;
    enum confirm_became confirm;
    const char *lines[6];
};
static const struct phase_case phases[] = {
    {.row = "died",
     .seen = "triphase died, so that nobody saw how its process ended, 0 hosts lost, 0 tasks failed, 1 event "
             "line, "
             "no end",
     .by = ENDED_BY_DEATH,
     .end = &none,
     .lines = {PLAY}},
    {.row = "rolled-back",
     .seen = "ended since the host had put itself back, exit code 0, 0 hosts lost, 0 tasks failed, 3 event "
             "lines, end seen, put back by the host",
     .by = ENDED_BY_ROLLBACK,
     .end = &code_0,
     .confirm = CONFIRM_BECAME_BACK,
     .lines = {WELL}},
    {.row = "cancelled",
     .seen = "ended by a cancel, exit code 0, 0 hosts lost, 0 tasks failed, 1 event line, no end",
     .by = ENDED_BY_CANCEL,
     .end = &code_0,
     .lines = {PLAY}},
    {.row = "watchdog",
     .seen = "ended by a watchdog (silence), signal 9, 1 host lost, 0 tasks failed, 2 event lines, no end",
     .by = ENDED_BY_SILENCE,
     .end = &killed,
     .lines = {PLAY, LOST}},
    {.row = "unarmed-no-way",
     .seen = "its process never ran, no play began, 0 event lines, its way back not armed",
     .end = &none,
     .confirm = CONFIRM_BECAME_NO_WAY},
    {.row = "not-armed",
     .seen = "its process never ran, no play began, 0 event lines, its way back not armed",
     .end = &none,
     .confirm = CONFIRM_BECAME_UNARMED},
    {.row = "not-back",
     .seen =
         "exit code 0, 0 hosts lost, 0 tasks failed, 3 event lines, end seen, neither confirmed nor seen put "
         "back",
     .end = &code_0,
     .confirm = CONFIRM_BECAME_OPEN,
     .lines = {WELL}},
    {.row = "out-of-memory",
     .seen = "signal 9, the kernel ran out of memory, 0 hosts lost, 0 tasks failed, 1 event line, no end",
     .end = &killed,
     .oom = true,
     .lines = {PLAY}},
    {.row = "signalled", .seen = "signal 9, no play began, 0 event lines", .end = &killed},
    {.row = "not-started", .seen = "its process never ran, no play began, 0 event lines", .end = &none},
    {.row = "refused",
     .seen = "exit code 2, no play began, refused by the callback, 1 event line, no end",
     .end = &code_2,
     .lines = {LINE("1", "refused", ",\"cause_text\":\"a host beyond\"")}},
    {.row = "no-play", .seen = "exit code 4, no play began, 0 event lines", .end = &code_4},
    {.row = "no-hosts",
     .seen = "exit code 0, no host matched a play, 2 event lines, end seen",
     .end = &code_0,
     .lines = {NO_PLAY, END("2", "1")}},
    {.row = "aborted",
     .seen = "exit code 2, 0 hosts lost, 0 tasks failed, 1 event line, no end",
     .end = &code_2,
     .lines = {PLAY}},
    {.row = "no-end",
     .seen = "exit code 0, 0 hosts lost, 0 tasks failed, 1 event line, no end",
     .end = &code_0,
     .lines = {PLAY}},
    {.row = "lost-hosts",
     .seen = "exit code 4, 1 host lost, 2 tasks failed, 4 event lines, end seen",
     .end = &code_4,
     .lines = {PLAY, LOST, STATS("3", "2"), END("4", "3")}},
    {.row = "failed-tasks",
     .seen = "exit code 2, 0 hosts lost, 1 task failed, 3 event lines, end seen",
     .end = &code_2,
     .lines = {PLAY, STATS("2", "1"), END("3", "2")}},
    {.row = "host-beyond",
     .seen = "exit code 4, 0 hosts lost, 1 host beyond lost, 0 tasks failed, 4 event lines, end seen",
     .end = &code_4,
     .beyond = true,
     .lines = {PLAY, LOST, STATS("3", "0"), END("4", "3")}},
    {.row = "events-incomplete",
     .seen = "exit code 0, 0 hosts lost, 0 tasks failed, 2 event lines, end seen after 7 by its own count, 1 "
             "unreadable line, a gap",
     .end = &code_0,
     .lines = {PLAY, "no line", END("4", "7")}},
    {.row = "handlers-lost",
     .seen = "exit code 0, 0 hosts lost, 0 tasks failed, 1 handler owed, 3 event lines, end seen",
     .end = &code_0,
     .owed = true,
     .lines = {WELL}},
    {.row = "left-out",
     .seen = "exit code 2, 0 hosts lost, 0 tasks failed, 2 hosts never ran, 5 event lines, end seen",
     .end = &code_2,
     .lines = {PLAY, NEVER_RAN("2", "b"), NEVER_RAN("3", "c"), STATS("4", "0"), END("5", "4")}},
    {.row = "changed",
     .seen = "exit code 0, 0 hosts lost, 0 tasks failed, 2 tasks changed, 5 event lines, end seen",
     .end = &code_0,
     .looks = true,
     .lines = {PLAY, CHANGED("2"), CHANGED("3"), STATS("4", "0"), END("5", "4")}},
    {.row = "exit-code",
     .seen = "exit code 2, 0 hosts lost, 0 tasks failed, 3 event lines, end seen",
     .end = &code_2,
     .lines = {WELL}},
    {.row = "did-not-leave",
     .seen = "ended since it did not leave, signal 9, 0 hosts lost, 0 tasks failed, 3 event lines, end seen",
     .by = ENDED_BY_STAYING,
     .end = &killed,
     .lines = {WELL}},
    {.row = "handlers-dropped",
     .seen = "exit code 0, 0 hosts lost, 0 tasks failed, 1 handler owed, 4 event lines, end seen",
     .end = &code_0,
     .lines = {PLAY, NOTIFY, STATS("3", "0"), END("4", "3")}},
    {.row = "ok",
     .seen = "exit code 0, 0 hosts lost, 0 tasks failed, 3 event lines, end seen",
     .end = &code_0,
     .lines = {WELL}},
};

struct stage_case {
    const char *row, *outcome, *cause, *seen;
    enum ended_by by;
    const struct child_end *end;
    struct stage_answer answer;
};
#define FAILED(name, why)                                                            \
    {                                                                                \
        .stage = name, .answered = true, .failed = true, .kind = why, .message = "m" \
    }
static const struct stage_case stages[] = {
    {"died",
     "crashed",
     NULL,
     "triphase died, so that nobody saw how its process ended",
     ENDED_BY_DEATH,
     &none,
     {.stage = "provision"}},
    {"cancelled",
     "cancelled",
     NULL,
     "ended by a cancel, signal 9, no answer",
     ENDED_BY_CANCEL,
     &killed,
     {.stage = "provision"}},
    {"deadline",
     "deadline",
     "deadline",
     "ended by a watchdog (deadline), signal 9, no answer",
     ENDED_BY_DEADLINE,
     &killed,
     {.stage = "provision"}},
    {"files-at-fault", "invalid", NULL, "exit code 0, it answered with an error (project)", ENDED_BY_ITSELF,
     &code_0, FAILED("destroy", ERROR_PROJECT)},
    {"left-over", "leftover", NULL, "exit code 0, it answered with an error (provider)", ENDED_BY_ITSELF,
     &code_0, FAILED("destroy", ERROR_PROVIDER)},
    {"look-timeout",
     "deadline",
     NULL,
     "exit code 0, it answered with an error (deadline)",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "sweep",
      .look = true,
      .answered = true,
      .failed = true,
      .kind = ERROR_DEADLINE,
      .message = "m"}},
    {"no-way",
     "unreachable",
     "refused",
     "exit code 0, it answered with an error (unreachable), cause refused",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "transport",
      .answered = true,
      .failed = true,
      .kind = ERROR_UNREACHABLE,
      .cause = "refused",
      .message = "m"}},
    {"look-no-way",
     "unreachable",
     NULL,
     "exit code 0, it answered with an error (unreachable)",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "sweep",
      .look = true,
      .answered = true,
      .failed = true,
      .kind = ERROR_UNREACHABLE,
      .message = "m"}},
    {"tailnet-no-way",
     "unreachable",
     "refused",
     "exit code 0, it answered with an error (unreachable), cause refused",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "tailnet",
      .joins = true,
      .answered = true,
      .failed = true,
      .kind = ERROR_UNREACHABLE,
      .cause = "refused",
      .message = "m"}},
    {"not-in-tailnet",
     "failed",
     "tailnet-stale",
     "exit code 0, it answered with an error (provider), cause tailnet-stale",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "tailnet-look",
      .joins = true,
      .answered = true,
      .failed = true,
      .kind = ERROR_PROVIDER,
      .cause = "tailnet-stale",
      .message = "m"}},
    {"ready-no-way",
     "unreachable",
     "reset",
     "exit code 0, it answered with an error (unreachable), cause reset",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "ready-apt",
      .ready = true,
      .answered = true,
      .failed = true,
      .kind = ERROR_UNREACHABLE,
      .cause = "reset",
      .message = "m"}},
    {"not-ready",
     "failed",
     "not-ready",
     "exit code 0, it answered with an error (provider), cause not-ready",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "ready-apt",
      .ready = true,
      .answered = true,
      .failed = true,
      .kind = ERROR_PROVIDER,
      .cause = "not-ready",
      .message = "m"}},
    {"not-healthy",
     "unhealthy",
     "http-503",
     "exit code 0, it answered with an error (deadline), cause http-503",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "health",
      .health = true,
      .answered = true,
      .failed = true,
      .kind = ERROR_DEADLINE,
      .message = "m",
      .cause = "http-503"}},
    {"stage-failed", "failed", NULL, "exit code 0, it answered with an error (deadline)", ENDED_BY_ITSELF,
     &code_0, FAILED("provision", ERROR_DEADLINE)},
    {"signalled",
     "child-crashed",
     "signal",
     "signal 9, no answer",
     ENDED_BY_ITSELF,
     &killed,
     {.stage = "provision"}},
    {"not-started",
     "child-crashed",
     "exit-code",
     "its process never ran, no answer",
     ENDED_BY_ITSELF,
     &none,
     {.stage = "provision"}},
    {"exit-code",
     "child-crashed",
     "exit-code",
     "exit code 2, it answered",
     ENDED_BY_ITSELF,
     &code_2,
     {.stage = "provision", .answered = true}},
    {"no-answer",
     "child-crashed",
     "exit-code",
     "exit code 0, no answer",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "provision"}},
    {"warned",
     "ok",
     "degraded",
     "exit code 0, it answered",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "ready-systemd", .ready = true, .answered = true, .cause = "degraded", .warning = "w"}},
    {"ok",
     "ok",
     NULL,
     "exit code 0, it answered",
     ENDED_BY_ITSELF,
     &code_0,
     {.stage = "provision", .answered = true}},
};

struct run_case {
    const char *row, *outcome, *message, *seen;
    struct run_standing standing;
};
static const struct error of_files = {ERROR_PROJECT, (char *)(uintptr_t) "a key"},
                          of_system = {ERROR_SYSTEM, (char *)(uintptr_t) "no room"};
#define STEP(outcome_, tries, again)        \
    .step = {.outcome = OUTCOME_##outcome_, \
             .name = "install",             \
             .message = "why",              \
             .seq = 4,                      \
             .attempt = 2,                  \
             .attempts = tries,             \
             .retried = again},             \
    .last_step = 4
static const struct run_case runs[] = {
    {"died",
     "crashed",
     "triphase itself died; 3 process(es) of the run were found and ended",
     "its worker was gone, 3 of its processes were left",
     {.died = true, .ended = 3}},
    {"store-broke",
     "crashed",
     "the begin of the run could not be stored: full; free the disk or the lock, then run again",
     "before any step, the begin of the run was not stored",
     {.unstored = "the begin of the run", .store_failure = "full"}},
    {"files-at-fault",
     "invalid",
     "a key",
     "after step 1, the next step did not begin",
     {.unbegun = &of_files, .last_step = 1}},
    {"not-begun",
     "failed",
     "no room",
     "after step 1, the next step did not begin, the run was cancelled",
     {.unbegun = &of_system, .last_step = 1, .cancelled = true}},
    {"deadline",
     "deadline",
     "the deadline of the whole run",
     "step 4 install (attempt 2 of at most 3) ended as deadline, the run was cancelled, the run's deadline "
     "had struck",
     {STEP(DEADLINE, 3, false), .cancelled = true, .expired = true}},
    {"cancelled",
     "cancelled",
     "cancelled between two steps",
     "after step 4, the run was cancelled, the run's deadline had struck",
     {.cancelled = true, .expired = true, .last_step = 4}},
    {"step",
     "failed",
     "why",
     "step 4 install (attempt 2 of at most 3) ended as failed, which retry_on does not name",
     {STEP(FAILED, 3, false)}},
    {"changed",
     "ok",
     NULL,
     "after step 4, a task had changed something, nothing was left to do",
     {.changed = true, .last_step = 4}},
    {"ok", "ok", NULL, "after step 4, nothing was left to do", {.last_step = 4}},
};
static const struct run_case dry_runs[] = {
    {"ok",
     "ok",
     "dry run: 1 task would change",
     "after step 4, nothing was left to do",
     {.last_step = 4, .dry_run = true, .would_change = 1}},
    {"changed",
     "ok",
     "dry run: 2 tasks would change",
     "after step 4, a task had changed something, nothing was left to do",
     {.last_step = 4, .dry_run = true, .would_change = 2, .changed = true}},
    {"step",
     "failed",
     "why",
     "step 4 install (attempt 2 of at most 3) ended as failed, which retry_on does not name",
     {STEP(FAILED, 3, false), .dry_run = true, .would_change = 2}},
};

static struct verdict judge_phase(const struct phase_case *c)
{
    struct tally tally = TALLY_INIT;
    AUTO_WORDS own = WORDS_INIT;
    words_add(&own, "mine");
    if (c->beyond)
        tally.own = &own;
    if (c->owed) {
        static const char pending[] = "[{\"host\":\"h\",\"handler\":\"restart\"}]";
        AUTO_JSON *list = json_parse(pending, strlen(pending), NULL);
        tally_owe(&tally, list);
    }
    for (const char *const *line = c->lines; *line; line++) {
        struct line parsed;
        if (line_parse(*line, strlen(*line), &parsed, NULL) < 0) {
            tally_bad_line(&tally);
            continue;
        }
        tally_line(&tally, &parsed);
        line_clear(&parsed);
    }
    const struct confirm_seen confirm = {.became = c->confirm, .words = "its words"};
    struct verdict verdict = verdict_of_phase(&(struct evidence){.by = c->by,
                                                                 .end = c->end,
                                                                 .tally = &tally,
                                                                 .out_of_memory = c->oom,
                                                                 .confirm = &confirm,
                                                                 .only_looks = c->looks,
                                                                 .log_tail = "a line"});
    tally_clear(&tally);
    return verdict;
}

static void expect(const struct verdict_table *table, size_t at, const char *row, const char *seen,
                   struct verdict *verdict)
{
    cr_expect_str_eq(verdict->row, row, "%s: %s, and not %s, for: %s", table->of, verdict->row, row,
                     verdict->seen);
    cr_expect_eq(verdict_row_at(table, row), (int)at, "%s: the row %s is the one of number %zu", table->of,
                 row, at);
    cr_expect_str_eq(verdict->seen, seen, "%s %s has seen: %s", table->of, row, verdict->seen);
    verdict_clear(verdict);
}

Test(verdict_rows, each_of_a_phase_is_reached_and_says_what_was_seen)
{
    const struct verdict_table *table = verdict_table("phase");
    cr_assert_eq(table->count, COUNT_OF(phases), "a row has no case here");
    for (size_t i = 0; i < COUNT_OF(phases); i++) {
        struct verdict verdict = judge_phase(&phases[i]);
        expect(table, i, phases[i].row, phases[i].seen, &verdict);
    }
}

Test(verdict_rows, each_of_a_stage_is_reached_and_says_what_was_seen)
{
    const struct verdict_table *table = verdict_table("stage");
    cr_assert_eq(table->count, COUNT_OF(stages), "a row has no case here");
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        const struct stage_case *c = &stages[i];
        struct tally empty = TALLY_INIT;
        struct verdict verdict = verdict_of_stage(&(struct evidence){
            .by = c->by, .end = c->end, .tally = &empty, .log_tail = "", .stage = &c->answer});
        cr_expect_str_eq(outcome_name(verdict.outcome), c->outcome, "%s", c->row);
        cr_expect(c->cause ? text_is(verdict.cause, c->cause) : !verdict.cause, "%s: the cause is %s", c->row,
                  verdict.cause);
        expect(table, i, c->row, c->seen, &verdict);
    }
}

Test(verdict_rows, each_of_a_run_is_reached_and_says_what_was_seen)
{
    const struct verdict_table *table = verdict_table("run");
    cr_assert_eq(table->count, COUNT_OF(runs), "a row has no case here");
    for (size_t i = 0; i < COUNT_OF(runs); i++) {
        const struct run_case *c = &runs[i];
        struct verdict verdict = verdict_of_run(&c->standing);
        cr_expect_str_eq(outcome_name(verdict.outcome), c->outcome, "%s", c->row);
        cr_expect(c->message ? text_is(verdict.message, c->message) : !verdict.message, "%s says: %s", c->row,
                  verdict.message);
        expect(table, i, c->row, c->seen, &verdict);
    }
}

Test(verdict_rows, a_dry_run_says_how_many_tasks_would_change)
{
    for (size_t i = 0; i < COUNT_OF(dry_runs); i++) {
        struct verdict verdict = verdict_of_run(&dry_runs[i].standing);
        cr_expect_str_eq(outcome_name(verdict.outcome), dry_runs[i].outcome);
        cr_expect_str_eq(verdict.row, dry_runs[i].row);
        cr_expect_str_eq(verdict.message, dry_runs[i].message);
        verdict_clear(&verdict);
    }
}

Test(verdict_rows, a_run_that_a_step_ended_says_why_that_was_not_tried_again)
{
    static const struct {
        struct run_standing standing;
        const char *seen;
    } cases[] = {
        {{STEP(UNREACHABLE, 2, true)},
         "step 4 install (attempt 2 of at most 2) ended as unreachable, no attempt is left"},
        {{STEP(FAILED, 2, false)},
         "step 4 install (attempt 2 of at most 2) ended as failed, which retry_on does not name"},
        {{STEP(LEFTOVER, 0, false)}, "step 4 install ended as leftover"},
        {{STEP(CANCELLED, 2, false), .cancelled = true},
         "step 4 install (attempt 2 of at most 2) ended as cancelled, the run was cancelled"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct verdict verdict = verdict_of_run(&cases[i].standing);
        cr_expect_str_eq(verdict.seen, cases[i].seen);
        verdict_clear(&verdict);
    }
}

static bool is_name(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name) && strlen(name) <= 20;
}

Test(verdict_rows, each_has_a_name_of_its_own_and_a_meaning_and_the_last_one_always_fits)
{
    static const char *const all[] = {"phase", "stage", "run"};
    for (size_t t = 0; t < COUNT_OF(all); t++) {
        const struct verdict_table *table = verdict_table(all[t]);
        for (size_t i = 0; i < table->count; i++) {
            const struct verdict_row *row = &table->rows[i];
            cr_expect(is_name(row->name), "%s: '%s'", all[t], row->name);
            cr_expect_eq(verdict_row_at(table, row->name), (int)i, "%s has two rows %s", all[t], row->name);
            cr_expect(row->means && strlen(row->means) > 10 && strlen(row->means) < 100 &&
                          !strchr(row->means, '\n'),
                      "%s %s means nothing, or too much", all[t], row->name);
        }
        const struct verdict_row *last = &table->rows[table->count - 1];
        cr_expect(last->fits(&(struct evidence){0}), "%s: nothing may fit", all[t]);
        cr_expect_str_eq(last->name, "ok");
    }
    cr_expect_null(verdict_table("machine"));
    cr_expect_eq(verdict_row_at(verdict_table("run"), "no-hosts"), -1);
    cr_expect_eq(verdict_row_at(verdict_table("run"), NULL), -1);
}

/* The names in the first column of the table of a section, each behind a blank. */
static char *first_column(const char *section)
{
    AUTO_TEXT names = TEXT_INIT;
    const char *end = strstr(section, "\n#") ? strstr(section, "\n#") : section + strlen(section);
    for (const char *at = section; (at = strstr(at, "\n| `")) && at < end;) {
        at += strlen("\n| `");
        text_add_char(&names, ' ');
        text_add_bytes(&names, at, strcspn(at, "`"));
    }
    return text_take(&names);
}

Test(verdict_rows, the_contract_names_each)
{
    static const char *const all[] = {"phase", "stage", "run"};
    AUTO_TEXT contract = TEXT_INIT;
    cr_assert_eq(file_read("docs/contract.md", 1 << 20, &contract, NULL), 0);
    for (size_t t = 0; t < COUNT_OF(all); t++) {
        const struct verdict_table *table = verdict_table(all[t]);
        AUTO_FREE char *head = xasprintf("### Of a %s\n\n", all[t]);
        const char *section = strstr(text_string(&contract), "## Outcomes");
        AUTO_TEXT wanted = TEXT_INIT;
        for (size_t i = 0; i < table->count; i++)
            text_addf(&wanted, " %s", table->rows[i].name);
        section = section ? strstr(section, head) : NULL;
        cr_assert(section, "the contract has no section '%s'", head);
        AUTO_FREE char *named = first_column(section + strlen(head));
        cr_expect_str_eq(named, text_string(&wanted), "of a %s it names%s", all[t], named);
    }
}
