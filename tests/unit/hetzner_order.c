/* What the API of the cloud is sent for a machine, where a server of it is reached, what of it a listing
 * says, and what of its keys is another by now. */
#include "provider/hetzner_order.h"
#include "provider/hetzner_list.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(hetzner_order, .timeout = 60);

static const char id[] = "01a22c34-3d2e-72b3-9cd8-60fb911ece47";

static struct machine machine_of(const char *target)
{
    return (struct machine){.id = (char *)id, .target = (char *)target, .reference = (char *)"tpfb911ece47"};
}

static struct json *parse(const char *text)
{
    AUTO_ERROR err = ERROR_INIT;
    struct json *value = json_parse(text, strlen(text), &err);
    cr_assert_not_null(value, "%s", error_text(&err));
    return value;
}

Test(hetzner_order, the_users_labels_stand_beside_triphases_own)
{
    AUTO_NODE *users = node_new_map();
    node_set(users, "team", node_new_string("a"));
    const struct cloud_settings settings = {.labels = users};
    struct machine machine = machine_of("web--");
    machine.expires_ns = 1796037977 * NS_PER_S + 5;
    AUTO_JSON *labels = hetzner_order_labels(&settings, &machine, "p-1");
    AUTO_FREE char *text = json_compact(labels);
    cr_assert_str_eq(text, "{\"team\":\"a\",\"triphase-id\":\"p-1\",\"triphase-target\":\"web\",\"triphase-"
                           "machine\":\"01a22c34-3d2e-72b3-9cd8-60fb911ece47\",\"triphase-expires\":"
                           "\"1796037977\"}");
}

Test(hetzner_order, labels_are_put_anew_without_losing_anybodys)
{
    AUTO_NODE *users = node_new_map();
    node_set(users, "team", node_new_string("b"));
    const struct cloud_settings settings = {.labels = users};
    struct machine machine = machine_of("web");
    AUTO_JSON *had = parse("{\"team\":\"a\",\"of\":\"another\",\"triphase-expires\":\"5\"}");
    AUTO_JSON *forever = hetzner_order_relabel(had, &settings, &machine, "p-1");
    AUTO_FREE char *text = json_compact(forever);
    cr_assert_str_eq(text, "{\"team\":\"b\",\"of\":\"another\",\"triphase-id\":\"p-1\",\"triphase-target\":"
                           "\"web\",\"triphase-machine\":\"01a22c34-3d2e-72b3-9cd8-60fb911ece47\"}");
    machine.expires_ns = 7 * NS_PER_S;
    AUTO_JSON *later = hetzner_order_relabel(had, &settings, &machine, "p-1");
    cr_assert_str_eq(json_get_string(later, "triphase-expires", ""), "7");
}

Test(hetzner_order, a_firewall_lets_in_each_of_its_ports_from_each_of_its_networks)
{
    struct cloud_settings settings = {.ipv4 = true};
    AUTO_JSON *labels = json_new_object();
    words_add_all(&settings.firewall_in, "tcp/22", "udp/8000-8100", "icmp", NULL);
    words_add_all(&settings.firewall_from, "203.0.113.0/24", "::/0", NULL);
    AUTO_JSON *body = hetzner_order_firewall("tp1", &settings, labels);
    AUTO_FREE char *text = json_compact(body);
    cr_assert_str_eq(
        text,
        "{\"name\":\"tp1\",\"rules\":[{\"direction\":\"in\",\"protocol\":\"tcp\",\"port\":\"22\","
        "\"source_ips\":[\"203.0.113.0/24\",\"::/0\"]},{\"direction\":\"in\",\"protocol\":\"udp\",\"port\":"
        "\"8000-8100\",\"source_ips\":[\"203.0.113.0/24\",\"::/0\"]},{\"direction\":\"in\",\"protocol\":"
        "\"icmp\",\"source_ips\":[\"203.0.113.0/24\",\"::/0\"]}],\"labels\":{}}");
    cloud_settings_clear(&settings);
}

Test(hetzner_order, a_firewall_that_keeps_out_the_port_of_ssh_is_known_before_anything_is_made)
{
    static const struct {
        const char *in;
        int port;
        bool lets_in;
    } all[] = {
        {NULL, 22, true},         {"tcp/22", 22, true},  {"tcp/22", 2222, false}, {"tcp/20-30", 22, true},
        {"tcp/23-30", 22, false}, {"udp/22", 22, false}, {"icmp", 22, false},     {"tcp/20-22", 22, true},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct cloud_settings settings = {.ipv4 = true};
        if (all[i].in)
            words_add(&settings.firewall_in, all[i].in);
        cr_expect_eq(hetzner_order_lets_in(&settings, all[i].port), all[i].lets_in, "%s", all[i].in);
        /* Another one may let it in. */
        words_add(&settings.firewalls, "office");
        cr_expect(hetzner_order_lets_in(&settings, all[i].port));
        cloud_settings_clear(&settings);
    }
}

Test(hetzner_order, a_servers_body_has_all_that_was_looked_up)
{
    const struct cloud_settings settings = {.ipv4 = false, .ipv6 = true};
    AUTO_JSON *keys = parse("[7, 8]"), *firewalls = parse("[9]"), *networks = parse("[10]"),
              *labels = parse("{\"a\": \"b\"}");
    const struct hetzner_parts parts = {.name = "tp1",
                                        .server_type = "cx23",
                                        .user_data = "#!x",
                                        .image = 5,
                                        .placement_group = 6,
                                        .keys = keys,
                                        .firewalls = firewalls,
                                        .networks = networks,
                                        .labels = labels};
    AUTO_JSON *body = hetzner_order_server(&parts, &settings);
    AUTO_FREE char *text = json_compact(body);
    cr_assert_str_eq(
        text, "{\"name\":\"tp1\",\"server_type\":\"cx23\",\"image\":5,\"ssh_keys\":[7,8],\"labels\":{"
              "\"a\":\"b\"},\"firewalls\":[{\"firewall\":9}],\"networks\":[10],\"public_net\":{\"enable_"
              "ipv4\":false,\"enable_ipv6\":true},\"start_after_create\":true,\"user_data\":\"#!x\","
              "\"placement_group\":6}");
}

Test(hetzner_order, a_server_is_reached_at_the_first_address_that_it_has)
{
    static const struct {
        const char *server, *address;
    } all[] = {
        {"{\"public_net\":{\"ipv4\":{\"ip\":\"192.0.2.1\"},\"ipv6\":{\"ip\":\"2001:db8:1:2::/64\"}}}",
         "192.0.2.1"},
        {"{\"public_net\":{\"ipv4\":null,\"ipv6\":{\"ip\":\"2001:db8:1:2::/64\"}}}", "2001:db8:1:2::1"},
        {"{\"public_net\":{\"ipv4\":null,\"ipv6\":null},\"private_net\":[{\"ip\":\"10.0.0.2\"},{\"ip\":"
         "\"10.1.0.2\"}]}",
         "10.0.0.2"},
        {"{\"public_net\":{},\"private_net\":[]}", NULL},
        {"{}", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_JSON *server = parse(all[i].server);
        AUTO_FREE char *address = hetzner_order_address(server);
        cr_assert(text_is(address, all[i].address), "%s of %s", address, all[i].server);
    }
}

Test(hetzner_order, a_listing_has_a_row_for_each_machine_whatever_is_left_of_it)
{
    struct json *const lists[HETZNER_KINDS] = {
        parse("[{\"id\":1,\"name\":\"tpfb911ece47\",\"created\":\"2026-11-30T11:00:00+00:00\",\"location\":{"
              "\"name\":\"fsn1\"},\"labels\":{\"triphase-id\":\"p\",\"triphase-target\":\"web\",\"triphase-"
              "machine\":\"01a22c34-3d2e-72b3-9cd8-60fb911ece47\",\"triphase-expires\":\"90\"}},{\"id\":2,"
              "\"name\":\"renamed\",\"protection\":{\"delete\":true},\"labels\":{\"triphase-id\":\"other\","
              "\"triphase-"
              "machine\":\"01a22c34-3d2e-72b3-9cd8-000000000002\",\"triphase-expires\":\"x\"}}]"),
        parse("[{\"id\":3,\"name\":\"tpfb911ece47\",\"labels\":{\"triphase-id\":\"p\",\"triphase-machine\":"
              "\"01a22c34-3d2e-72b3-9cd8-60fb911ece47\"}},{\"id\":4,\"name\":\"tp0000000003\",\"labels\":{"
              "\"triphase-id\":\"p\",\"triphase-machine\":\"01a22c34-3d2e-72b3-9cd8-000000000003\"}}]"),
        parse("[{\"id\":5,\"name\":\"tp0000000003\",\"labels\":{\"triphase-id\":\"p\",\"triphase-machine\":"
              "\"01a22c34-3d2e-72b3-9cd8-000000000003\"}},{\"id\":6,\"name\":\"odd\",\"labels\":{\"triphase-"
              "id\":"
              "\"p\"}}]"),
    };
    AUTO_LISTING listing = {0};
    hetzner_list_read(lists, &listing);
    cr_assert_eq(listing.count, 4);
    const struct listed *server = listing_find(&listing, "tpfb911ece47");
    cr_assert_str_eq(server->what, "server 1 (tpfb911ece47) in fsn1");
    cr_assert_str_eq(server->project_id, "p");
    cr_assert_str_eq(server->target, "web");
    cr_assert_str_eq(server->machine, id);
    cr_assert_eq(server->expires_ns, 90 * NS_PER_S);
    cr_assert_eq(server->made_ns, moment_from_rfc3339("2026-11-30T11:00:00Z"));
    cr_assert_null(server->kept_by);
    const struct listed *renamed = listing_find(&listing, "tp0000000002");
    cr_assert_str_eq(renamed->kept_by, "its delete protection is on");
    cr_assert_eq(renamed->expires_ns, 0);
    const struct listed *left = listing_find(&listing, "tp0000000003");
    cr_assert_str_eq(left->what,
                     "of a server that is gone: firewall 4 (tp0000000003), ssh key 5 (tp0000000003)");
    cr_assert_not_null(listing_find(&listing, "odd"));
    for (size_t i = 0; i < HETZNER_KINDS; i++)
        json_free(lists[i]);
}

#define SERVER(id, more)                                                                                     \
    "{\"id\":" id ",\"name\":\"tpfb911ece47\",\"location\":{\"name\":\"fsn1\"},\"labels\":{\"triphase-id\":" \
    "\"p\",\"triphase-machine\":\"01a22c34-3d2e-72b3-9cd8-60fb911ece47\"" more "}}"

Test(hetzner_order, servers_that_bear_the_label_of_one_machine_are_all_named_and_go_when_the_last_may)
{
    static const struct {
        const char *expiries[2];
        int64_t seconds;
    } all[] = {{{",\"triphase-expires\":\"90\"", ",\"triphase-expires\":\"70\""}, 90},
               {{",\"triphase-expires\":\"70\"", ",\"triphase-expires\":\"90\""}, 90},
               {{",\"triphase-expires\":\"70\"", ""}, 0},
               {{"", ",\"triphase-expires\":\"70\""}, 0}};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO_FREE char *text = xasprintf("[" SERVER("1", "%s") "," SERVER("2", "%s") "]", all[i].expiries[0],
                                         all[i].expiries[1]);
        struct json *const lists[HETZNER_KINDS] = {parse(text), parse("[]"), parse("[]")};
        AUTO_LISTING listing = {0};
        hetzner_list_read(lists, &listing);
        cr_assert_eq(listing.count, 1);
        cr_assert_str_eq(listing.items[0].what,
                         "server 1 (tpfb911ece47) in fsn1, server 2 (tpfb911ece47) in fsn1");
        cr_assert_eq(listing.items[0].expires_ns, all[i].seconds * NS_PER_S, "%zu", i);
        for (size_t j = 0; j < HETZNER_KINDS; j++)
            json_free(lists[j]);
    }
}

Test(hetzner_order, what_a_cloud_calls_its_things_is_shown_without_what_moves_a_terminal)
{
    AUTO_JSON *server = parse("{\"id\":1,\"name\":\"a\\u001b[2J\",\"location\":{\"name\":\"b\\u001b[2J\"}}");
    AUTO_FREE char *what = hetzner_what(HETZNER_SERVER, server);
    cr_assert_null(strchr(what, '\x1b'), "%s", what);
    cr_assert_not_null(strstr(what, ") in b"), "%s", what);

    struct json *const lists[HETZNER_KINDS] = {
        parse("[{\"id\":1,\"name\":\"a\\u001b[2J\",\"labels\":{\"triphase-target\":\"b\\u001b[2J\"}}]"),
        parse("[]"), parse("[]")};
    AUTO_LISTING listing = {0};
    hetzner_list_read(lists, &listing);
    cr_assert_null(strchr(listing.items[0].reference, '\x1b'));
    cr_assert_null(strchr(listing.items[0].target, '\x1b'));
    for (size_t i = 0; i < HETZNER_KINDS; i++)
        json_free(lists[i]);
}
