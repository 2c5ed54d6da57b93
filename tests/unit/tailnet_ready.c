/* Joining, without a daemon: when it is ready, what is said to `tailscale up`, what its failures mean, what
 * would give a TUN, what somebody else's daemon does not do. */
#include "base/memory.h"
#include "base/text.h"
#include "tailnet/join.h"
#include "tailnet/join_error.h"
#include "tailnet/not_in_effect.h"
#include "tailnet/ready.h"
#include "tailnet/tun_advice.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct words words_of(const char *list)
{
    struct words words = WORDS_INIT;
    cr_assert_eq(words_add_split(&words, list), 0);
    return words;
}

struct is {
    const char *state, *url, *addresses, *tailnet, *tags, *suffix;
};

static enum ready_verdict judge(struct is node, const char *server, const char *tailnet, const char *tags,
                                bool exactly)
{
    AUTO_WORDS wanted = words_of(tags);
    struct tailnet_status status = {.state = xstrdup(node.state),
                                    .tailnet = xstrdup(node.tailnet),
                                    .suffix = xstrdup(node.suffix),
                                    .addresses = words_of(node.addresses),
                                    .self.tags = words_of(node.tags)};
    struct ready_wish wish = {
        .login_server = server, .tailnet = tailnet, .tags = &wanted, .exactly = exactly};
    enum ready_verdict verdict = ready_judge(&status, node.url, &wish);
    tailnet_status_clear(&status);
    return verdict;
}

static const struct is good = {"Running",     "http://hs:8080", "100.64.0.1",
                               "example.com", "tag:a",          "tail1.ts.net"};

Test(tailnet_ready, is_only_what_runs_in_the_wanted_server_and_tailnet_with_address_peers_and_tags)
{
    struct is stopped = good, nameless = good, untold = good, bare = good;
    stopped.state = "NeedsLogin";
    nameless.addresses = "";
    untold.tailnet = "";
    bare.tags = "";
    cr_expect_eq(judge(good, "http://hs:8080", "-", "tag:a", true), READY);
    cr_expect_eq(judge(good, "http://hs:8080", "example.com", "tag:a", true), READY);
    cr_expect_eq(judge(stopped, "http://hs:8080", "-", "tag:a", true), READY_NOT_RUNNING);
    cr_expect_eq(judge(good, "http://other:8080", "-", "tag:a", true), READY_OTHER_SERVER);
    cr_expect_eq(judge(good, NULL, "-", "tag:a", true), READY_OTHER_SERVER);
    cr_expect_eq(judge(good, "http://hs:8080", "example.org", "tag:a", true), READY_OTHER_TAILNET);
    cr_expect_eq(judge(nameless, "http://hs:8080", "-", "tag:a", true), READY_NO_ADDRESS);
    cr_expect_eq(judge(untold, "http://hs:8080", "-", "tag:a", true), READY_NO_PEERS);
    cr_expect_eq(judge(bare, "http://hs:8080", "-", "tag:a", true), READY_TAGS);
    cr_expect_eq(judge(good, "http://hs:8080", "-", "tag:a tag:b", true), READY_TAGS);
}

Test(tailnet_ready, a_tailnet_is_known_by_its_name_and_by_the_suffix_of_its_names)
{
    struct is plain = good, here = good;
    plain.suffix = "";
    cr_expect_eq(judge(good, "http://hs:8080", "Example.com", "tag:a", true), READY);
    cr_expect_eq(judge(good, "http://hs:8080", "tail1.ts.net", "tag:a", true), READY);
    cr_expect_eq(judge(good, "http://hs:8080", "tail2.ts.net", "tag:a", false), READY_OTHER_TAILNET);
    cr_expect_eq(judge(plain, "http://hs:8080", "tail1.ts.net", "tag:a", false), READY_OTHER_TAILNET);
    cr_expect_not(ready_is_on_its_way(READY_OTHER_TAILNET));
    struct tailnet_status status = {.tailnet = xstrdup(here.tailnet), .suffix = xstrdup(here.suffix)};
    struct ready_wish wish = {.tailnet = "example.org"};
    AUTO_FREE char *text = ready_text(READY_OTHER_TAILNET, &status, here.url, &wish);
    cr_expect_str_eq(text, "is in the tailnet example.com, tail1.ts.net where example.org is wanted");
    tailnet_status_clear(&status);
}

Test(tailnet_ready, more_tags_than_wanted_are_fine_for_a_daemon_of_somebody_else_only)
{
    struct is more = good;
    more.tags = "tag:a tag:b";
    cr_expect_eq(judge(more, "http://hs:8080", "-", "tag:a", false), READY);
    cr_expect_eq(judge(more, "http://hs:8080", "-", "tag:a", true), READY_TAGS);
    cr_expect_eq(judge(more, "http://hs:8080", "-", "", true), READY);
}

Test(tailnet_ready, one_control_server_may_be_written_in_several_ways)
{
    cr_expect(ready_is_same_server(NULL, "https://controlplane.tailscale.com"));
    cr_expect(ready_is_same_server("", "https://login.tailscale.com/"));
    cr_expect(ready_is_same_server("http://hs:8080/", "http://HS:8080"));
    cr_expect_not(ready_is_same_server(NULL, "http://hs:8080"));
    cr_expect_not(ready_is_same_server("http://hs:8080", "https://hs:8080"));
}

static char *said_to_up(const char *login_server, bool key, bool ssh)
{
    AUTO_WORDS tags = words_of("tag:a tag:b"), said = WORDS_INIT;
    struct join_order order = {.program = "tailscale",
                               .socket = "/s",
                               .login_server = login_server,
                               .hostname = "op",
                               .tags = &tags,
                               .key = key ? "tskey-auth-secret" : NULL,
                               .ssh = ssh};
    join_words(&order, 60, &said);
    return words_join(&said, " ");
}

Test(tailnet_join, no_key_is_in_argv_and_every_setting_is_named)
{
    AUTO_FREE char *said = said_to_up("http://hs:8080", true, true);
    cr_expect_str_eq(said,
                     "--socket=/s up --reset --timeout=60s --auth-key=file:/proc/self/fd/0 "
                     "--login-server=http://hs:8080 --advertise-tags=tag:a,tag:b --hostname=op --ssh=true "
                     "--accept-routes=false --accept-dns=false --accept-risk=all");
}

static const struct {
    const char *said;
    enum error_kind kind;
    const char *means;
} failures[] = {
    {"backend error: requested tags [tag:x] are invalid or not permitted\n", ERROR_PROJECT,
     "a tag is not permitted"},
    {"backend error: auth-key has already been used\n", ERROR_PROJECT, "not reusable"},
    {"backend error: auth-key expired\n", ERROR_PROJECT, "the key has expired"},
    {"backend error: invalid key: API key does not exist", ERROR_PROJECT, "does not take the key"},
    {"backend error: auth-key not found: record not found\n", ERROR_PROJECT, "does not know the key"},
    {"backend error: tags are invalid\n", ERROR_PROJECT, "a tag is not permitted"},
    {"backend error: authkey already used\n", ERROR_PROJECT, "not reusable"},
    {"backend error: invalid pre auth key\n", ERROR_PROJECT, "does not know the key"},
    {"backend error: failed to parse auth-key\n", ERROR_PROJECT, "copied wrong"},
    {"backend error: invalid authorization\n", ERROR_PROJECT, "does not take the key"},
    {"dial unix /s: connect: permission denied\n", ERROR_MISSING, "user"},
    {"context deadline exceeded\n", ERROR_DEADLINE, "in time"},
    {"the request timed out\n", ERROR_DEADLINE, "in time"},
    {"x509: certificate has expired or is not yet valid: current time", ERROR_PROJECT, "clock"},
    {"timeout waiting for Tailscale service to enter a Running state; check health", ERROR_DEADLINE,
     "in time"},
    {"Access denied: profiles access denied\n", ERROR_MISSING, "user"},
    {"something nobody has seen yet", ERROR_PROJECT, "something nobody has seen yet"},
    {"", ERROR_PROJECT, "nothing"},
};

Test(tailnet_join, what_tailscale_up_says_is_told_as_what_it_means)
{
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        AUTO_ERROR err = ERROR_INIT;
        cr_expect_eq(join_error_of(failures[i].said, &err), -1);
        cr_expect_eq(err.kind, failures[i].kind, "%s", failures[i].said);
        cr_expect(strstr(error_text(&err), failures[i].means), "'%s' becomes '%s'", failures[i].said,
                  error_text(&err));
    }
}

Test(tailnet_join, a_node_that_is_late_is_told_by_its_state)
{
    AUTO_ERROR approval = ERROR_INIT, clock = ERROR_INIT, late = ERROR_INIT;
    join_error_late("NeedsMachineAuth", "", "S", &approval);
    join_error_late("NeedsLogin", "x509: certificate has expired or is not yet valid", "S", &clock);
    join_error_late("Starting", "", "S", &late);
    cr_expect(approval.kind == ERROR_PROJECT && strstr(error_text(&approval), "approve"));
    cr_expect(clock.kind == ERROR_PROJECT && strstr(error_text(&clock), "set this machine's clock"));
    cr_expect(late.kind == ERROR_DEADLINE && strstr(error_text(&late), "Starting"));
}

Test(tailnet_tun, what_would_give_one_is_the_exact_flags_of_this_container)
{
    struct tun_evidence absent = {.verdict = TUN_ABSENT, .device_looked = true, .device_errno = ENOENT};
    static const char *const kinds[] = {"docker", "podman",         "kubernetes",
                                        "lxc",    "systemd-nspawn", "container"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        AUTO_FREE char *advice = tun_advice(&absent, kinds[i]);
        cr_assert_not_null(advice);
        cr_expect(strstr(advice, "/dev/net/tun") && strcasestr(advice, "net_admin"), "%s: %s", kinds[i],
                  advice);
    }
    AUTO_FREE char *docker = tun_advice(&absent, "docker");
    cr_expect(strstr(docker, "--network=host --cap-add=NET_ADMIN --device=/dev/net/tun"), "%s", docker);
}

Test(tailnet_tun, on_a_machine_the_three_lacks_are_told_apart)
{
    struct tun_evidence absent = {.verdict = TUN_ABSENT, .device_looked = true, .device_errno = ENOENT};
    struct tun_evidence closed = {
        .verdict = TUN_NOT_OPENABLE, .device_looked = true, .device_present = true, .device_errno = EACCES};
    struct tun_evidence powerless = {
        .verdict = TUN_NO_CAPABILITY, .device_looked = true, .device_present = true, .device_opens = true};
    struct tun_evidence usable = {
        .device_looked = true, .device_present = true, .device_opens = true, .net_admin = true};
    AUTO_FREE char *load = tun_advice(&absent, NULL), *open = tun_advice(&closed, NULL),
                   *capability = tun_advice(&powerless, NULL);
    AUTO_FREE char *lacks = tun_lack(&powerless);
    cr_expect(strstr(load, "modprobe tun"), "%s", load);
    cr_expect(strstr(open, geteuid() == 0 ? "DeviceAllow" : "sudo triphase up"), "%s", open);
    cr_expect(strstr(capability, geteuid() == 0 ? "AmbientCapabilities" : "sudo triphase up"), "%s",
              capability);
    cr_expect(strstr(lacks, "CAP_NET_ADMIN"), "%s", lacks);
    cr_expect_null(tun_advice(&usable, "docker"));
    cr_expect_null(tun_lack(&usable));
}

/* ---- somebody else's daemon */

static struct operator_settings all_that_can_be_set(void)
{
    static char name[] = "ops";
    return (struct operator_settings){
        .login.hostname = name, .ssh = true, .accept_routes = true, .accept_dns = true, .socks5 = true};
}

/* The settings that are noted, in order. */
static char *noted(const struct operator_settings *settings, bool tun, const char *prefs)
{
    char host_name[] = "Ops";
    struct tailnet_status status = {.tun = tun, .self.host_name = host_name};
    AUTO_JSON *own = prefs ? json_parse(prefs, strlen(prefs), NULL) : NULL;
    AUTO_WORDS notes = WORDS_INIT;
    struct text out = TEXT_INIT;
    not_in_effect(settings, "/run/x.sock", &status, own, &notes);
    for (size_t i = 0; i < notes.count; i++) {
        const char *at = notes.items[i] + strlen("operator.");
        cr_assert(text_starts(notes.items[i], "operator.") && strstr(at, "/run/x.sock"), "%s", at);
        text_addf(&out, "%s%.*s%s", i ? " " : "", (int)strcspn(at, " "), at,
                  strstr(at, "did not say") ? "?" : "");
    }
    return text_take(&out);
}

Test(tailnet_ready, what_is_set_and_not_in_effect_on_a_daemon_of_somebody_else_is_noted)
{
    struct operator_settings all = all_that_can_be_set(), none = {.ssh = false}, renamed = none;
    static const char on[] = "{\"RunSSH\": true, \"RouteAll\": true, \"CorpDNS\": true}";
    char other[] = "other";
    renamed.login.hostname = other;
    AUTO_FREE char *off = noted(&all, false, "{}"), *unknown = noted(&all, false, NULL),
                   *tun = noted(&all, true, on), *nothing = noted(&none, false, on),
                   *name = noted(&renamed, true, on);
    cr_expect_str_eq(off, "ssh accept_routes accept_dns socks5");
    cr_expect_str_eq(unknown, "ssh? accept_routes? accept_dns? socks5");
    cr_expect_str_eq(tun, "");
    cr_expect_str_eq(nothing, "");
    cr_expect_str_eq(name, "hostname");
}
