/* The same truth in all modes of `accelerate`: what Ansible says of a playbook as a phase is, line by line,
 * what it says without triphase, and so is what the store holds of it. Where mitogen differs, the manual says
 * so. */
#include "../lab/ledger.h"
#include "../lab/phase.h"

#include <criterion/criterion.h>

TestSuite(truth, .timeout = 300);

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
        {keys, false, NULL, "host [waits for a job", "\"delta\"", data},
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
