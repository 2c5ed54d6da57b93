/* What a plan finds without a host: with a program in Ansible's place where only its answers matter. */
#include "action/plan.h"
#include "base/memory.h"
#include "base/moment.h"
#include "folder.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(plan, .timeout = 60, .init = folder_fill, .fini = folder_clean);

static void write_program(const char *path, const char *text)
{
    folder_write(path, text);
    AUTO_FREE char *full = folder_path(path);
    cr_assert_eq(chmod(full, 0755), 0);
}

/* A program in Ansible's place, in which everything but its version is `body`. */
static void ansible_is(const char *body)
{
    AUTO_FREE char *text = xasprintf(
        "#!/bin/sh\n[ \"$1\" != --version ] || { echo 'ansible-playbook [core 2.19.14]'; exit 0; }\n%s",
        body);
    write_program("bin/ansible-playbook", text);
    write_program("bin/ansible-inventory", text);
    folder_write("triphase.yml",
                 "project: demo\nansible: bin/ansible-playbook\ntargets:\n  vault:\n    recipe: vault\n");
}

static struct plan_report plan(const struct plan_options *options)
{
    AUTO_PROJECT *project = folder_load();
    struct plan_report report = {0};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(plan_check(project, &project->targets[0], options, &report, &err), 0, "%s",
                 error_text(&err));
    return report;
}

/* All findings, "error: WHERE: TEXT" or "warning: …", a line each. malloc'ed. */
static char *findings(const struct plan_report *report)
{
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < report->count; i++)
        text_addf(&out, "%s: %s: %s\n", report->findings[i].refuses ? "error" : "warning",
                  report->findings[i].where ? report->findings[i].where : "", report->findings[i].text);
    return text_take(&out);
}

Test(plan, what_hangs_while_ansible_is_asked_ends_the_plan_in_time_and_is_named)
{
    ansible_is("\"$(dirname \"$0\")\"/vault-pass.sh\n");
    write_program("bin/vault-pass.sh", "#!/bin/sh\nsleep 1000\n:\n");
    int64_t began = moment_monotonic();
    struct plan_report report = plan(&(struct plan_options){.questions_ns = NS_PER_S});
    cr_assert_lt(moment_monotonic() - began, 10 * NS_PER_S);
    AUTO_FREE char *all = findings(&report);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(plan_error(&report, &err), -1);
    cr_assert_eq(err.kind, ERROR_PROJECT);
    cr_has(all, "it waited for: /bin/sh");
    const char *named = strstr(all, "bin/vault-pass.sh");
    cr_assert(named, "%s", all);
    cr_assert_null(strstr(named + 1, "bin/vault-pass.sh"), "told once, not for each question: %s", all);
    plan_report_free(&report);
}
