/* A firewall that is put in place and leaves kept connections dead in silence, and this recipe's, side by
 * side; with Docker, and with connections that are kept as long as clients do, in tests/soak/silence.c. */
#include "lab/silence.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(node_silence, .timeout = 480);

#define KEPT_S 8.0

Test(node_silence, lasts_the_old_way_as_long_as_connections_are_kept_and_there_is_none_with_this_recipe)
{
    struct rig *guest = firewall_guest(NULL);
    struct lab *lab = firewall_project(guest);
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_HEALTH_URL", "http://{address}:8443/");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_HEALTH_EVERY", "200ms");
    cr_expect(lt(dbl, silence_of_the_role(lab, guest, KEPT_S), KEPT_S / 2));
    /* The run itself has asked the node all the time, and was answered. */
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM health_window WHERE healthy"), 1));
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM health_window WHERE NOT healthy"), 0));
    cr_expect(ge(dbl, silence_of_old(lab, guest, KEPT_S), KEPT_S));
}
