/* A machine's device in its tailnet: what its row says, and which of those that are seen it is. */
#include "stage/own_device.h"

#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

static struct machine *machine_with(const char *row)
{
    struct machine *machine = machine_new();
    machine->tailnet = row ? json_parse(row, strlen(row), NULL) : NULL;
    return machine;
}

Test(own_device, what_a_row_says_decides_whose_the_device_is)
{
    static const struct {
        const char *row;
        bool joined, joining, ours;
    } cases[] = {
        {NULL, false, false, false},
        {"{\"name\": \"web\"}", false, true, true},
        {"{\"name\": \"web\", \"address\": \"100.64.0.7\"}", true, false, true},
        {"{\"name\": \"web\", \"address\": \"100.64.0.7\", \"left\": true}", true, false, true},
        {"{\"name\": \"web\", \"address\": \"100.64.0.7\", \"adopted\": true}", true, false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_MACHINE *machine = machine_with(cases[i].row);
        cr_expect_eq(own_device_has_joined(machine), cases[i].joined, "%zu", i);
        cr_expect_eq(own_device_was_joining(machine), cases[i].joining, "%zu", i);
        cr_expect_eq(own_device_is_ours(machine), cases[i].ours, "%zu", i);
    }
}

Test(own_device, is_found_by_its_address_and_by_its_name_only_before_one_was_known)
{
    char web[] = "web.tail.net", none[] = "";
    struct tailnet_seen seen[2] = {{.node = none, .name = web, .hostname = none},
                                   {.node = none, .name = none, .hostname = none}};
    words_add(&seen[1].addresses, "100.64.0.7");
    const struct tailnet_sight sight = {.devices = seen, .count = 2};
    static const struct {
        const char *row;
        int found;
    } cases[] = {
        {NULL, -1},
        {"{\"name\": \"web\"}", 0},
        {"{\"name\": \"db\"}", -1},
        {"{\"name\": \"web.tail.net\", \"address\": \"100.64.0.7\"}", 1},
        {"{\"name\": \"web.tail.net\", \"address\": \"100.64.0.9\"}", -1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_MACHINE *machine = machine_with(cases[i].row);
        const struct tailnet_seen *found = own_device_find(&sight, machine);
        cr_expect_eq(found ? (int)(found - seen) : -1, cases[i].found, "%zu", i);
    }
    words_clear(&seen[1].addresses);
}

Test(own_device, that_no_peer_is_it_means_something_only_where_it_was_one_or_its_host_was_logged_out)
{
    static const struct {
        const char *row;
        bool means;
    } cases[] = {
        {"{\"name\": \"web\", \"seen_by\": \"peers\"}", true},
        {"{\"name\": \"web\", \"seen_by\": \"host\"}", false},
        {"{\"name\": \"web\", \"seen_by\": \"api\"}", false},
        {"{\"name\": \"web\", \"seen_by\": \"host\", \"left\": true}", false},
        {"{\"name\": \"web\"}", false},
        {"{\"name\": \"web\", \"left\": true}", true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_MACHINE *machine = machine_with(cases[i].row);
        cr_expect_eq(own_device_would_be_a_peer(machine), cases[i].means, "%s", cases[i].row);
    }
}

Test(own_device, a_row_names_the_first_address_of_each_kind_and_whether_it_was_there_before)
{
    AUTO_MACHINE *machine = machine_new();
    const struct target target = {0};
    AUTO_WORDS addresses = WORDS_INIT, tags = WORDS_INIT;
    words_add_all(&addresses, "fd7a::7", "100.64.0.7", "100.64.0.8", NULL);
    words_add(&tags, "tag:host");
    own_device_note_intent(machine, &target, "web");
    cr_expect(own_device_was_joining(machine));
    own_device_note(machine, &target,
                    &(struct own_device){.addresses = &addresses,
                                         .tags = &tags,
                                         .node = "n7",
                                         .name = "web.tail.net",
                                         .seen_by = "peers",
                                         .adopted = true});
    cr_expect_str_eq(json_get_string(machine->tailnet, "address", ""), "100.64.0.7");
    cr_expect_str_eq(json_get_string(machine->tailnet, "address6", ""), "fd7a::7");
    cr_expect_str_eq(json_get_string(machine->tailnet, "seen_by", ""), "peers");
    cr_expect_str_eq(json_string(json_at(json_get(machine->tailnet, "tags"), 0), ""), "tag:host");
    cr_expect_not(own_device_is_ours(machine));
}
