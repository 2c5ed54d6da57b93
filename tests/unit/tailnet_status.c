/* What a tailscaled says of itself, read. */
#include "tailnet/status.h"

#include "base/memory.h"
#include "base/moment.h"

#include <criterion/criterion.h>
#include <string.h>

/* As tailscaled 1.102.3 wrote it, shortened. */
static const char running[] =
    "{\"Version\":\"1.102.3-t1234\",\"TUN\":true,\"BackendState\":\"Running\",\"HaveNodeKey\":true,"
    "\"AuthURL\":\"\",\"TailscaleIPs\":[\"100.64.0.2\",\"fd7a:115c:a1e0::2\"],"
    "\"Self\":{\"ID\":\"2\",\"PublicKey\":\"nodekey:aa\",\"HostName\":\"vault\",\"DNSName\":\"vault-1.\","
    "\"TailscaleIPs\":[\"100.64.0.2\"],\"Tags\":[\"tag:op\"],\"Relay\":\"hs\",\"Online\":true},"
    "\"Health\":[\"not connected to home relay\"],\"MagicDNSSuffix\":\"\","
    "\"CurrentTailnet\":{\"Name\":\"example\",\"MagicDNSSuffix\":\"tail1234.ts.net\"},"
    "\"Peer\":{\"nodekey:bb\":{\"ID\":\"1\",\"PublicKey\":\"nodekey:bb\",\"HostName\":\"db\","
    "\"DNSName\":\"db.example.ts.net.\",\"TailscaleIPs\":[\"100.64.0.1\",\"fd7a:115c:a1e0::1\"],"
    "\"Tags\":[\"tag:x\",\"tag:y\"],\"CurAddr\":\"10.0.0.2:41641\",\"Relay\":\"hs\",\"PeerRelay\":\"\","
    "\"RxBytes\":1234,\"TxBytes\":567,\"LastSeen\":\"0001-01-01T00:00:00Z\","
    "\"LastHandshake\":\"2026-01-02T03:04:05.5Z\",\"Online\":true,\"Active\":true,"
    "\"sshHostKeys\":[\"ssh-ed25519 AAAA\"]}}}";

static struct tailnet_status parsed(const char *bytes)
{
    struct tailnet_status status;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(tailnet_status_parse(bytes, strlen(bytes), &status, &err) == 0, "%s", error_text(&err));
    return status;
}

Test(tailnet_status, a_running_daemon_is_read_whole)
{
    AUTO_TAILNET_STATUS status = parsed(running);
    cr_assert(status.tun);
    cr_assert_str_eq(status.version, "1.102.3-t1234");
    cr_assert_str_eq(status.state, "Running");
    cr_assert_str_eq(status.tailnet, "example");
    cr_assert_str_eq(status.suffix, "tail1234.ts.net");
    cr_assert_eq(status.addresses.count, 2);
    cr_assert_str_eq(status.health.items[0], "not connected to home relay");
    cr_assert_str_eq(status.self.dns_name, "vault-1");
    cr_assert_str_eq(status.self.host_name, "vault");
    cr_assert(words_have(&status.self.tags, "tag:op"));
    const struct tailnet_peer *peer = tailnet_status_peer(&status, "fd7a:115c:a1e0::1");
    cr_assert_not_null(peer);
    cr_assert_str_eq(peer->key, "nodekey:bb");
    cr_assert_str_eq(peer->dns_name, "db.example.ts.net");
    cr_assert_eq(peer->tags.count, 2);
    cr_assert_eq(peer->received, 1234);
    cr_assert_eq(peer->sent, 567);
    cr_assert_eq(peer->last_seen_ns, 0, "the zero time of Go is never");
    cr_assert_eq(peer->handshake_ns, INT64_C(1767323045) * NS_PER_S + NS_PER_S / 2);
    cr_assert(peer->online && peer->active && peer->serves_ssh);
    cr_assert_null(tailnet_status_peer(&status, "100.64.0.3"));
    cr_assert_null(tailnet_status_peer(&status, NULL));
}

Test(tailnet_status, what_is_not_there_is_empty_and_never_null)
{
    AUTO_TAILNET_STATUS status =
        parsed("{\"BackendState\":\"NeedsLogin\",\"TailscaleIPs\":null,\"Self\":null,\"Health\":null,"
               "\"CurrentTailnet\":null,\"Peer\":null}");
    cr_assert_str_eq(status.tailnet, "");
    cr_assert_str_eq(status.suffix, "");
    cr_assert_str_eq(status.self.dns_name, "");
    cr_assert_eq(status.peer_count, 0);
    cr_assert_eq(status.addresses.count, 0);
}

Test(tailnet_status, the_path_counts_only_while_the_peer_is_active)
{
    struct tailnet_peer peer = {.current_address = "", .relay = "hs", .peer_relay = "", .active = true};
    cr_assert_eq(tailnet_peer_path(&peer), TAILNET_PATH_RELAY);
    peer.peer_relay = "10.0.0.9:40000:vni:1";
    cr_assert_eq(tailnet_peer_path(&peer), TAILNET_PATH_PEER_RELAY);
    peer.current_address = "10.0.0.2:41641";
    cr_assert_eq(tailnet_peer_path(&peer), TAILNET_PATH_DIRECT);
    cr_assert_str_eq(tailnet_path_name(TAILNET_PATH_PEER_RELAY), "peer-relay");
    peer.active = false;
    cr_assert_eq(tailnet_peer_path(&peer), TAILNET_PATH_UNKNOWN);
}

Test(tailnet_status, times_with_a_zone_and_nonsense_for_times)
{
    AUTO_TAILNET_STATUS status =
        parsed("{\"BackendState\":\"x\",\"Peer\":{\"a\":{\"LastHandshake\":\"2026-01-02T04:04:05+01:00\","
               "\"LastSeen\":\"yesterday\",\"RxBytes\":-5,\"TxBytes\":\"7\",\"Tags\":[1,\"tag:x\",null]},"
               "\"b\":3}}");
    cr_assert_eq(status.peer_count, 1, "a peer that is no object is none");
    cr_assert_eq(status.peers[0].handshake_ns, INT64_C(1767323045) * NS_PER_S);
    cr_assert_eq(status.peers[0].last_seen_ns, 0);
    cr_assert_eq(status.peers[0].received, 0);
    cr_assert_eq(status.peers[0].tags.count, 1);
}

Test(tailnet_status, what_is_no_status_is_refused)
{
    static const char *const answers[] = {
        "", "{}", "[]", "null", "{\"BackendState\":3}", "{\"BackendState\":\"Running\"", "<html>"};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        struct tailnet_status status = {.version = (char *)"untouched"};
        AUTO_ERROR err = ERROR_INIT;
        cr_assert(tailnet_status_parse(answers[i], strlen(answers[i]), &status, &err) < 0, "%s", answers[i]);
        cr_assert_eq(err.kind, ERROR_SYSTEM);
        cr_assert_str_eq(status.version, "untouched");
    }
}
