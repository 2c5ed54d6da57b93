/* triphase up, killed at more instants than the system tests have time for. */
#include "lab/up.h"

#include <criterion/criterion.h>

TestSuite(up_soak, .timeout = 1800);

Test(up_soak, killed_at_any_instant_it_leaves_nothing)
{
    enum { INSTANTS = 40 };
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project_with_api(lab, op, "");
    up_kill_rounds(lab, op, project, INSTANTS);
}
