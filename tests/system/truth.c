/* The same truth in all modes of `accelerate`: what Ansible says of a playbook as a phase is, line by line,
 * what it says without triphase, and so is what the store holds of it. Where mitogen differs, the manual says
 * so. */
#include "../lab/ledger.h"
#include "../lab/phase.h"

#include "base/memory.h"

#include <criterion/criterion.h>

TestSuite(truth, .timeout = 480);

static const char *const plainly[] = {NULL};

/* Lines of the manual's list. */
static const char keys[] = "their results have other keys", message[] = "has mitogen\\(aqs words before it";
/* Another of it. */
static const char raw[] = "which takes no environment, Ansible warns of that";
static const char warned[] =
    "[\"raw\"], \"warnings\": [\"raw module does not support the environment keyword\"]}";
static const char data[] = "\"data\": \"\", \"delta\"", eof[] = "EOF on stream; last 100 lines received:\\n",
                  failed[] = "Failed to connect to the host via ssh: ", refused[] = "Connection refused\"";

/* Handlers, roles, includes, blocks, loops, files with their differences, a task in check mode, no_log, jobs,
 * become, this machine. */
static void check_tasks(const char *ansible)
{
    static const struct ledger_allowed allowed[] = {
        {keys, false, NULL, "host [asks for the job]", "\"delta\"", data},
        {keys, false, NULL, "host [begins a job]", "\"results_file\": \"...\", ", ""},
        {0}};
    ledger_expect_same(ledger_project(ansible), ansible, "truth", "tasks", plainly, allowed);
}

Test(truth, tasks_of_every_kind_are_in_each_mode_what_they_are_without_triphase)
{
    check_tasks(NULL);
}

Test(truth, tasks_of_every_kind_are_in_each_mode_what_they_are_without_triphase_on_the_oldest_ansible)
{
    check_tasks(lab_old_ansible());
}

Test(truth, tasks_of_every_kind_are_in_each_mode_what_they_are_without_triphase_on_the_newest_ansible)
{
    check_tasks(lab_newest_ansible());
}

/* More modules, facts, loops; files in both directions, odd output, a task that takes too long, a new
 * connection. */
static void check_more(const char *ansible)
{
    static const struct ledger_allowed allowed[] = {{keys, false, NULL, "host [waits for a job", "\"delta\"",
                                                     data},
                                                    {raw, true, "2.19", "host [raw]", "[\"raw\"]}", warned},
                                                    {raw, true, "2.21", "host [raw]", "[\"raw\"]}", warned},
                                                    {0}};
    ledger_expect_same(ledger_project(ansible), ansible, "truth", "more", plainly, allowed);
}

Test(truth, more_modules_have_in_each_mode_the_results_that_they_have_without_triphase)
{
    check_more(NULL);
}

Test(truth, more_modules_have_in_each_mode_the_results_that_they_have_without_triphase_on_the_oldest_ansible)
{
    check_more(lab_old_ansible());
}

Test(truth, more_modules_have_in_each_mode_the_results_that_they_have_without_triphase_on_the_newest_ansible)
{
    check_more(lab_newest_ansible());
}

static void check_checked(const char *ansible)
{
    static const char *const check[] = {"--check", "--diff", NULL};
    static const struct ledger_allowed allowed[] = {/* Up to 2.14 no job is begun. */
                                                    {keys, false, "2.19", "host [jobs]", "\"delta\"", data},
                                                    {keys, false, "2.21", "host [jobs]", "\"delta\"", data},
                                                    {0}};
    ledger_expect_same(ledger_project(ansible), ansible, "truth", "checked", check, allowed);
}

Test(truth, a_phase_in_check_mode_says_in_each_mode_what_it_says_without_triphase)
{
    check_checked(NULL);
}

Test(truth, a_phase_in_check_mode_says_in_each_mode_what_it_says_without_triphase_on_the_oldest_ansible)
{
    check_checked(lab_old_ansible());
}

Test(truth, a_phase_in_check_mode_says_in_each_mode_what_it_says_without_triphase_on_the_newest_ansible)
{
    check_checked(lab_newest_ansible());
}

/* One is not to be reached, one fails; in batches, each at its own pace, all for one. */
static void check_hosts(const char *ansible)
{
    static const struct ledger_allowed allowed[] = {
        {message, false, NULL, "b_gone [knock", failed, eof},
        {message, false, NULL, "c_last [for one that is lost]", failed, eof},
        {message, false, NULL, "phase unreachable", failed, "EOF on stream; last 100 lines received: "},
        {message, false, "2.14", "b_gone [knock", refused, "Connection refused\\r\""},
        {message, false, "2.14", "c_last [for one that is lost]", refused, "Connection refused\\r\""},
        {message, false, "2.14", "phase unreachable", "refused", "refused "},
        {0}};
    ledger_expect_same(ledger_project(ansible), ansible, "truth", "hosts", plainly, allowed);
}

Test(truth, several_hosts_have_in_each_mode_the_lines_that_they_have_without_triphase)
{
    check_hosts(NULL);
}

Test(truth, several_hosts_have_in_each_mode_the_lines_that_they_have_without_triphase_on_the_oldest_ansible)
{
    check_hosts(lab_old_ansible());
}

Test(truth, several_hosts_have_in_each_mode_the_lines_that_they_have_without_triphase_on_the_newest_ansible)
{
    check_hosts(lab_newest_ansible());
}

/* Each way in which a phase can end that Ansible by itself goes too, and what becomes of handlers. */
static void check_outcomes(const char *ansible, size_t part)
{
    static const struct ledger_allowed nothing[] = {{0}};
    static const struct ledger_allowed passed[] = {{message, false, NULL, "gone [", failed, eof},
                                                   {message, false, "2.14", "gone [", refused,
                                                    "Connection refused\\r\""},
                                                   {0}};
    static const struct ledger_allowed lost[] = {
        {message, false, NULL, "gone [", failed, eof},
        {message, false, "2.14", "gone [", refused, "Connection refused\\r\""},
        {message, false, NULL, "phase unreachable", failed, "EOF on stream; last 100 lines received: "},
        {message, false, "2.14", "phase unreachable", "refused", "refused "},
        {0}};
    static const struct {
        const char *folder, *name;
        const struct ledger_allowed *allowed;
    } all[] = {{"outcomes", "ok", nothing},
               {"outcomes", "all-skipped", nothing},
               {"outcomes", "failed", nothing},
               {"outcomes", "failed-under-no-log", nothing},
               {"outcomes", "rescued", nothing},
               {"outcomes", "rescue-that-fails", nothing},
               {"outcomes", "always-that-fails-after-a-rescue", nothing},
               {"outcomes", "ignored", nothing},
               {"outcomes", "ignored-by-a-template-that-says-no", nothing},
               {"outcomes", "one-play-without-hosts", nothing},
               {"outcomes", "aborted-after-a-play-began", nothing},
               {"outcomes", "unreachable", lost},
               {"outcomes", "unreachable-and-not-rescued", lost},
               {"outcomes", "unreachable-and-failed-unreachable-counts-first", lost},
               {"outcomes", "ignore-unreachable", passed},
               {"outcomes", "ignore-unreachable-of-a-whole-play", passed},
               {"outcomes", "ignore-unreachable-by-a-template-that-says-no", lost},
               {"outcomes", "cleared-and-it-took-part-again", passed},
               {"outcomes", "cleared-and-it-took-no-further-part", lost},
               {"outcomes", "a-handler-fails", nothing},
               {"outcomes", "an-undefined-variable", nothing},
               {"handlers-dropped", "end-play", nothing},
               {"handlers-dropped", "end-host", nothing},
               {"handlers-dropped", "flushed-first", nothing},
               {"handlers-dropped", "notified-in-every-way", nothing},
               {"handlers-dropped", "a-roles-by-its-full-name", nothing}};
    struct lab *lab = ledger_project(ansible);
    for (size_t i = part; i < COUNT_OF(all); i += 2)
        ledger_expect_same(lab, ansible, all[i].folder, all[i].name, plainly, all[i].allowed);
}

Test(truth, a_phase_ends_in_each_mode_as_it_does_without_triphase_one)
{
    check_outcomes(NULL, 0);
}

Test(truth, a_phase_ends_in_each_mode_as_it_does_without_triphase_two)
{
    check_outcomes(NULL, 1);
}

Test(truth, a_phase_ends_in_each_mode_as_it_does_without_triphase_on_the_oldest_ansible_one)
{
    check_outcomes(lab_old_ansible(), 0);
}

Test(truth, a_phase_ends_in_each_mode_as_it_does_without_triphase_on_the_oldest_ansible_two)
{
    check_outcomes(lab_old_ansible(), 1);
}

Test(truth, a_phase_ends_in_each_mode_as_it_does_without_triphase_on_the_newest_ansible_one)
{
    check_outcomes(lab_newest_ansible(), 0);
}

Test(truth, a_phase_ends_in_each_mode_as_it_does_without_triphase_on_the_newest_ansible_two)
{
    check_outcomes(lab_newest_ansible(), 1);
}

static void check_su(const char *ansible)
{
    static const struct ledger_allowed allowed[] = {
        {"become_flags of su are not passed on", false, NULL, "host [with flags]",
         "\"stdout\": \"a login\", \"stdout_lines\": [\"a login\"]",
         "\"stdout\": \"no login\", \"stdout_lines\": [\"no login\"]"},
        {0}};
    ledger_expect_same(ledger_project(ansible), ansible, "truth", "su", plainly, allowed);
}

Test(truth, flags_of_su_count_in_each_mode_but_mitogens)
{
    check_su(NULL);
}

Test(truth, flags_of_su_count_in_each_mode_but_mitogens_on_the_oldest_ansible)
{
    check_su(lab_old_ansible());
}

Test(truth, flags_of_su_count_in_each_mode_but_mitogens_on_the_newest_ansible)
{
    check_su(lab_newest_ansible());
}
