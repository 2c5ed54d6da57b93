/* Handlers that a broken attempt owed: they run in a later one, or the phase is not ok. With real playbooks
 * whose connection is cut. */
#include "../lab/phase.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct loss {
    const char *name;        /* of its playbook in tests/cases/handlers */
    const char *environment; /* "NAME=VALUE", may be NULL */
    const char *outcome, *cause;
    int code;
    int64_t attempts;       /* that it took */
    const char *file, *ran; /* what the handler noted: attempts, one a line */
};

static const struct loss losses[] = {
    {"run-by-the-second-attempt", NULL, "ok", "-", 0, 2, "restart", "2\n"},
    {"run-by-the-third-attempt", NULL, "ok", "-", 0, 3, "restart", "3\n"},
    {"flushed-before-the-loss", NULL, "ok", "-", 0, 2, "restart", "1\n"},
    {"its-play-matches-no-host-any-more", NULL, "failed", "handlers-lost", 2, 2, NULL, NULL},
    {"its-play-matches-no-host-any-more", "TRIPHASE_PHASES_WORK_WORK_LOST_HANDLERS=warn", "ok",
     "handlers-dropped", 0, 2, NULL, NULL},
    {"two-listen-to-a-topic", NULL, "ok", "-", 0, 2, "second", "\n2\n"},
    {"of-a-role-by-its-full-name", NULL, "ok", "-", 0, 2, "restart", "2\n"},
    {"a-task-failed", "TRIPHASE_PHASES_WORK_WORK_RETRY_ON=[failed]", "ok", "-", 0, 2, "restart", "2\n"},
    {"the-handler-failed", "TRIPHASE_PHASES_WORK_WORK_RETRY_ON=[failed]", "ok", "-", 0, 2, "restart",
     "1\n2\n"},
};

static void set(struct lab *lab, const char *environment, bool there)
{
    if (!environment)
        return;
    AUTO_FREE char *name = xstrndup(environment, strcspn(environment, "="));
    lab_environment(lab, name, there ? environment + strlen(name) + 1 : NULL);
}

static void check_loss(struct lab *lab, const struct loss *loss)
{
    AUTO_FREE char *notes = file_join(lab_folder(lab), "home/notes");
    cr_assert_eq(file_remove_tree(notes, NULL), 0);
    lab_write(lab, "home/notes/.keep", "%s", "");
    lab_play_case(lab, "handlers", loss->name);
    set(lab, loss->environment, true);
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    set(lab, loss->environment, false);
    lab_expect(lab, &result, loss->name, loss->outcome, loss->cause, loss->code);
    cr_expect(lab_phase_number(lab, "attempt") == loss->attempts, "%s: it took %lld attempts, not %lld",
              loss->name, (long long)lab_phase_number(lab, "attempt"), (long long)loss->attempts);
    AUTO_FREE char *owed = lab_sql(
        lab,
        "SELECT handlers_owed FROM step WHERE kind = 'phase' AND attempt = 1 ORDER BY number DESC LIMIT 1");
    bool nothing_owed = strstr(loss->name, "flushed-before");
    cr_expect(nothing_owed ? !*owed : strstr(owed, "\"host\":\"host\"") != NULL,
              "%s: the first attempt owes '%s'", loss->name, owed);
    if (loss->code) {
        AUTO_FREE char *message = lab_phase(lab, "message");
        cr_expect(strstr(message, "'restart' on host") && strstr(message, "never ran"),
                  "%s: the message names nothing: %s", loss->name, message);
    }
    if (loss->file) {
        AUTO_FREE char *path = file_join("home/notes", loss->file);
        AUTO_FREE char *ran = lab_exists(lab, path) ? lab_read(lab, path) : xstrdup("it did not run");
        cr_expect_str_eq(ran, loss->ran, "%s: the handler noted '%s'", loss->name, ran);
    }
    free(result.out);
    free(result.err);
}

/* Ansible throws away what was notified, without a word; or runs it in a way of its own. */
static void check_dropped(const char *ansible)
{
    static const struct {
        const char *name; /* of its playbook in tests/cases/handlers-dropped */
        bool dropped;
    } plays[] = {
        {"end-play", true},
        {"end-host", true},
        {"flushed-first", false},
        {"notified-in-every-way", false},
        {"a-roles-by-its-full-name", false},
    };
    struct lab *lab = lab_phase_project(ansible, "");
    for (size_t i = 0; i < COUNT_OF(plays); i++) {
        lab_play_case(lab, "handlers-dropped", plays[i].name);
        struct lab_result result = lab_run(lab, "run", "host", NULL);
        lab_expect(lab, &result, plays[i].name, "ok", plays[i].dropped ? "handlers-dropped" : "-", 0);
        struct lab_result report = lab_run(lab, "report", NULL), events = lab_run(lab, "events", NULL);
        cr_expect(!plays[i].dropped == !strstr(report.out, "'restart app' on host") &&
                      !plays[i].dropped == !strstr(events.out, "'restart app' on host") &&
                      !plays[i].dropped == !strstr(result.err, "warning: handlers-dropped"),
                  "%s: %s\n%s\n%s", plays[i].name, result.err, report.out, events.out);
    }
}

Test(outcomes, a_handler_that_ansible_throws_away_is_a_warning_that_names_it)
{
    check_dropped(NULL);
}

Test(outcomes, a_handler_that_the_oldest_ansible_throws_away_is_a_warning_that_names_it)
{
    check_dropped(lab_old_ansible());
}

/* All, or those in which the two Ansibles differ: where a topic, a role's name and what is owed come from. */
static void check_losses(const char *ansible, bool all)
{
    static const size_t differing[] = {0, 3, 5, 6};
    struct lab *lab = lab_phase_project(ansible, "    attempts: 3\n");
    for (size_t i = 0; i < (all ? COUNT_OF(losses) : COUNT_OF(differing)); i++)
        check_loss(lab, &losses[all ? i : differing[i]]);
}

Test(outcomes, a_handler_that_a_broken_attempt_owed_runs_later_or_fails_the_phase_on_the_newest_ansible,
     .timeout = 240)
{
    check_losses(NULL, true);
}

Test(outcomes, a_handler_that_a_broken_attempt_owed_runs_later_or_fails_the_phase_on_the_oldest_ansible,
     .timeout = 240)
{
    check_losses(lab_old_ansible(), false);
}
