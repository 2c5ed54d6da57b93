/* A firewall that is put in place and leaves kept connections dead in silence, and this recipe's, side by
 * side; with Docker, and with connections that are kept as long as clients do, in tests/soak/silence.c. */
#include "lab/silence.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(node_silence, .timeout = 480);

#define KEPT_S 10.0

Test(node_silence, lasts_the_old_way_as_long_as_connections_are_kept_and_there_is_none_with_this_recipe)
{
    struct rig *guest = firewall_guest(NULL);
    struct lab *lab = firewall_project(guest);
    cr_expect(lt(dbl, silence_of_the_role(lab, guest, KEPT_S), KEPT_S / 2));
    cr_expect(ge(dbl, silence_of_old(lab, guest, KEPT_S), KEPT_S));
}
