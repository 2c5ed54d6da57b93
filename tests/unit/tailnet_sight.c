/* Names of devices: what a host that asks for one is called, and whose name stands in its way. */
#include "stage/tailnet_sight.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>

Test(tailnet_sight, a_name_becomes_the_label_that_tailscale_makes_of_it)
{
    static const struct {
        const char *asked, *label;
    } cases[] = {{"web", "web"},     {"Web-1", "web-1"}, {"my_web.example", "my-web-example"},
                 {"-web-", "web"},   {"we/b", "web"},    {"", ""},
                 {"a b@c", "a-b-c"}, {"___", ""}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FREE char *label = tailnet_sight_label(cases[i].asked);
        cr_expect_str_eq(label, cases[i].label, "%s", cases[i].asked);
    }
}

Test(tailnet_sight, the_name_that_a_device_got_counts_and_one_that_asked_for_it_is_a_namesake)
{
    char web[] = "web", dns[] = "web.tail.net", first[] = "web-1.tail.net", other[] = "webs.tail.net",
         none[] = "";
    struct tailnet_seen got = {.name = dns, .hostname = none}, asked = {.name = first, .hostname = web},
                        longer = {.name = other, .hostname = other},
                        nameless = {.name = none, .hostname = web};
    cr_expect(tailnet_sight_is_called(&got, "web") && tailnet_sight_is_called(&nameless, "web"));
    cr_expect_not(tailnet_sight_is_called(&asked, "web"));
    cr_expect(tailnet_sight_is_namesake(&asked, "web"));
    cr_expect_not(tailnet_sight_is_namesake(&longer, "web"));
}

Test(tailnet_sight, the_machines_own_device_is_known_by_its_address)
{
    char id[] = "n7", name[] = "web";
    struct tailnet_seen seen[2] = {{.node = id, .name = name, .hostname = name},
                                   {.node = id, .name = name, .hostname = name}};
    words_add(&seen[1].addresses, "100.64.0.7");
    const struct tailnet_sight sight = {.devices = seen, .count = 2};
    AUTO_JSON *device = json_new_object(), *by_node = json_new_object();
    json_set_string(device, "address", "100.64.0.7");
    json_set_string(by_node, "node", "n7");
    cr_expect_eq(tailnet_sight_of(&sight, device), &seen[1]);
    cr_expect_eq(tailnet_sight_of(&sight, by_node), &seen[0]);
    cr_expect_null(tailnet_sight_of(&sight, NULL));
    words_clear(&seen[1].addresses);
}
