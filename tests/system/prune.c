/* What `keep` promises: old runs and their logs go by themselves, and nothing else does. */

#include "lab/lab.h"

#include "base/memory.h"
#include "base/moment.h"

#include <criterion/criterion.h>

Test(prune, a_run_older_than_keep_goes_with_its_folder_after_the_next_good_run)
{
    struct lab *lab = lab_new();
    lab_static_project(
        lab, "",
        "- name: Little\n  hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - name: Say\n"
        "      ansible.builtin.debug:\n        msg: x\n");
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 0);
    AUTO_FREE char *first = lab_sql(lab, "SELECT id FROM run");
    AUTO_FREE char *folder = xasprintf(".triphase/runs/%s", first);
    cr_assert(lab_exists(lab, folder));

    /* As many later runs as are kept in any case. */
    lab_add_runs(lab, 20, NS_PER_S, 0);
    cr_assert_eq(lab_run(lab, "run", "host", NULL).code, 0);
    bool kept_within = lab_exists(lab, folder);
    struct lab_result later = lab_run(lab, "--set", "keep=1ms", "run", "host", NULL);

    cr_assert_eq(later.code, 0, "%s", later.err);
    cr_expect(kept_within, "90 days had not passed");
    cr_expect_not(lab_exists(lab, folder), "the old run's folder is gone");
    AUTO_FREE char *rows = xasprintf("SELECT count(*) FROM run WHERE id = '%s'", first);
    cr_expect_eq(lab_sql_number(lab, rows), 0, "and its row");
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM machine WHERE removed_ns = 0"), 1,
                 "the machine stays");
}
