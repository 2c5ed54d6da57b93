/* Names of devices: what a host that asks for one is called, and whose name stands in its way; and whom to
 * ask. */
#include "stage/tailnet_sight.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "web.h"

#include <criterion/criterion.h>
#include <string.h>

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

#define DAEMON_OF(server, state)                                                                         \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"BackendState\":\"" state                \
    "\",\"ControlURL\":\"" server "\",\"TailscaleIPs\":[\"100.64.0.1\"],\"Self\":{\"HostName\":\"op\"}," \
    "\"Peer\":{\"nodekey:a\":{\"ID\":\"n1\",\"HostName\":\"web\",\"TailscaleIPs\":[\"100.64.0.7\"]}}}"
#define DAEMON(state) DAEMON_OF("http://hs.example.org", state)

Test(tailnet_sight, the_peers_of_a_daemon_count_where_its_control_server_is_the_targets_whatever_it_is_called)
{
    static const struct {
        const char *daemon, *target;
        const char *strange; /* what the reason says; NULL: they are the target's peers */
    } cases[] = {
        {DAEMON_OF("https://login.tailscale.com", "Running"), NULL, NULL},
        {DAEMON_OF("https://controlplane.tailscale.com/", "Running"), "https://login.tailscale.com", NULL},
        {DAEMON_OF("", "Running"), NULL, NULL},
        {DAEMON_OF("http://HS.example.org/", "Running"), "http://hs.example.org", NULL},
        {DAEMON("Running"), NULL,
         "logged in to http://hs.example.org, the target to https://controlplane.tailscale.com"},
        {DAEMON_OF("", "Running"), "http://hs.example.org",
         "logged in to https://controlplane.tailscale.com, the target to http://hs.example.org"},
    };
    char folder[] = "/tmp/triphase-sight.XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FREE char *path = xasprintf("%s/%zu.sock", folder, i);
        const struct web_answer answer = {.bytes = cases[i].daemon};
        const struct tailnet_question question = {.socket = path, .login_server = cases[i].target};
        AUTO_TAILNET_SIGHT sight = {0};
        web_start(path, &answer, 1);
        cr_assert_eq(tailnet_sight_take(&question, true, deadline_in(4 * NS_PER_S), &sight, NULL), 0);
        cr_expect_eq(sight.source != NULL, cases[i].strange == NULL, "case %zu: %s", i, sight.why);
        if (cases[i].strange && sight.why)
            cr_expect(strstr(sight.why, cases[i].strange) != NULL, "case %zu: %s", i, sight.why);
    }
    file_remove_tree(folder, NULL);
}

Test(tailnet_sight, a_daemon_that_is_starting_is_waited_for_half_of_the_time_before_nobody_can_say)
{
    /* Its look asks three times, with the knock before; then it listens for news. */
    const struct web_answer starting = {.bytes = DAEMON("Starting")}, running = {.bytes = DAEMON("Running")};
    const struct web_answer soon[] = {starting, starting, starting, running}, never[] = {starting};
    char folder[] = "/tmp/triphase-sight.XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    for (int comes = 0; comes < 2; comes++) {
        AUTO_FREE char *path = xasprintf("%s/%d.sock", folder, comes);
        const struct tailnet_question question = {.socket = path, .login_server = "http://hs.example.org/"};
        AUTO_TAILNET_SIGHT sight = {0};
        web_start(path, comes ? soon : never, comes ? COUNT_OF(soon) : 1);
        int64_t since = moment_monotonic();
        cr_assert_eq(tailnet_sight_take(&question, true, deadline_in(2 * NS_PER_S), &sight, NULL), 0);
        int64_t took = moment_monotonic() - since;
        if (comes) {
            cr_expect_str_eq(sight.source, "peers", "%s", sight.why);
            cr_expect_eq(sight.count, 2);
        } else {
            cr_expect_null(sight.source);
            cr_expect(strstr(sight.why, "in the state Starting") != NULL, "%s", sight.why);
            cr_expect(took >= 9 * NS_PER_S / 10 && took < 2 * NS_PER_S, "%.1f s", (double)took / NS_PER_S);
        }
    }
    file_remove_tree(folder, NULL);
}
