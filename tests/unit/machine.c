/* The row of a machine: what is put in comes out again, and which address belongs to which transport. */
#include "event/machine.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

static const char device[] = "{\"address\":\"100.64.0.9\",\"address6\":\"fd7a:115c:a1e0::9\",\"node\":\"n1\","
                             "\"name\":\"vault.tail.net\",\"tags\":[\"tag:vault\"]}";

static struct machine *joined(void)
{
    struct machine *machine = machine_new();
    machine->id = xstrdup("01890000-0000-7000-8000-00000000abcd");
    machine->address = xstrdup("192.0.2.7");
    machine->tailnet = json_parse(device, strlen(device), NULL);
    cr_assert_not_null(machine->tailnet);
    return machine;
}

Test(machine, each_transport_has_its_own_address_and_a_machine_that_never_joined_has_one_for_all)
{
    AUTO_MACHINE *machine = joined();
    cr_expect_str_eq(machine_address(machine, TRANSPORT_DIRECT), "192.0.2.7");
    cr_expect_str_eq(machine_address(machine, TRANSPORT_TAILNET), "100.64.0.9");
    cr_expect_str_eq(machine_address(machine, TRANSPORT_TAILNET_USERSPACE), "100.64.0.9");
    json_free(TAKE(machine->tailnet));
    for (int kind = 0; kind < TRANSPORT_KINDS; kind++)
        cr_expect_str_eq(machine_address(machine, (enum transport_kind)kind), "192.0.2.7");
    free(TAKE(machine->address));
    cr_expect_null(machine_address(machine, TRANSPORT_TAILNET));
}

Test(machine, its_device_in_the_tailnet_survives_the_row_and_a_copy_has_its_own)
{
    AUTO_MACHINE *machine = joined();
    AUTO_JSON *row = machine_to_row(machine, "/srv/shop");
    AUTO_MACHINE *read = machine_from_row(row, "/srv/shop"), *copy = machine_copy(machine);
    AUTO_FREE char *said = json_compact(read->tailnet);
    cr_expect_str_eq(said, device);
    json_set_string(copy->tailnet, "address", "100.64.0.10");
    cr_expect_str_eq(machine_address(machine, TRANSPORT_TAILNET), "100.64.0.9");
    cr_expect_str_eq(machine_address(read, TRANSPORT_TAILNET), "100.64.0.9");
    cr_expect_str_eq(machine_address(copy, TRANSPORT_TAILNET), "100.64.0.10");
}

Test(machine, it_expires_so_long_after_it_was_made_but_not_before_the_run_that_is_at_work_on_it_is_over)
{
    static const struct {
        const char *provider;
        int64_t made, ttl, needed, expires;
    } cases[] = {
        {"sandbox", 100, 0, 0, 0},      {"sandbox", 100, 0, 500, 0},    {"sandbox", 100, 50, 0, 150},
        {"sandbox", 100, 50, 149, 150}, {"sandbox", 100, 50, 500, 500}, {"static", 100, 50, 500, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_MACHINE *machine = machine_new();
        machine->provider = xstrdup(cases[i].provider);
        machine->made_ns = cases[i].made;
        cr_expect_eq(machine_expiry(machine, cases[i].ttl, cases[i].needed), cases[i].expires, "case %zu", i);
    }
    AUTO_MACHINE *unmade = machine_new();
    unmade->provider = xstrdup("sandbox");
    int64_t before = moment_wall(), expires = machine_expiry(unmade, NS_PER_S, 0);
    cr_expect(expires >= before + NS_PER_S && expires <= moment_wall() + NS_PER_S, "counted from now");
}

Test(machine, its_expiry_survives_the_row_and_one_of_an_older_row_has_none)
{
    AUTO_MACHINE *machine = joined();
    machine->expires_ns = 42;
    AUTO_JSON *row = machine_to_row(machine, "/srv/shop");
    AUTO_MACHINE *read = machine_from_row(row, "/srv/shop");
    cr_expect_eq(read->expires_ns, 42);
    AUTO_JSON *old = json_parse("{}", 2, NULL);
    AUTO_MACHINE *older = machine_from_row(old, "/srv/shop");
    cr_expect_eq(older->expires_ns, 0);
}
