/* What a target asks of a host before its first phase, on guests with Debian's own cloud-init. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/cloud_tree.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(ready, .timeout = 120);

Test(ready, a_seed_of_the_lab_goes_through_all_stages_of_real_cloud_init)
{
    struct cloud_seed seed = {.user_data = "#cloud-config\nruncmd: [[touch, /root/seen]]\n"};
    struct rig *rig = rig_new(cloud_tree(lab_new(), &seed));
    rig_make(rig);
    AUTO_FREE char *said =
        rig_ssh(rig, "cloud-init status --wait --long; ls /root/seen; cat /run/cloud-init/status.json", NULL);
    static const char *const expected[] = {"status: done", "/root/seen", "\"init-local\"",
                                           "\"modules-final\"", "[seed=/var/lib/cloud/seed/nocloud]"};
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        cr_expect(strstr(said, expected[i]) != NULL, "%s: %s", expected[i], said);
}
