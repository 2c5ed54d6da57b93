/* The same truth in all modes of `accelerate`: what Ansible says of a playbook as a phase is, line by line,
 * what it says without triphase, and so is what the store holds of it. Where mitogen differs, the manual says
 * so. */
#include "../lab/ledger.h"
#include "../lab/phase.h"

#include <criterion/criterion.h>

TestSuite(truth, .timeout = 300);

static const char *const plainly[] = {NULL};

/* Handlers, roles, includes, blocks, loops, files with their differences, check mode of a task, no_log, jobs,
 * another user, this machine. */
static void check_tasks(const char *ansible)
{
    static const char keys[] = "their results have other keys";
    static const struct ledger_allowed allowed[] = {
        {keys, NULL, "host [waits for a job", "\"delta\"", "\"data\": \"\", \"delta\""},
        {keys, NULL, "host [asks for the job]", "\"delta\"", "\"data\": \"\", \"delta\""},
        {keys, NULL, "host [begins a job]", "\"results_file\": \"...\", ", ""},
        {0}};
    struct lab *lab = ledger_project(ansible);
    ledger_expect_same(lab, ansible, "tasks", plainly, 2, allowed);
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
