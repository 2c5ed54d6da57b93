/* What ssh's own log tells of a login: lines of OpenSSH 9.2 and 10, as they were written. */
#include "transport/login_log.h"
#include "event/cause.h"

#include "base/moment.h"

#include <criterion/criterion.h>
#include <string.h>

#define CONNECTED                                                                                    \
    "debug1: sshconnect.c:ssh_connect_direct():485 (pid=7): Connecting to h [10.0.0.2] port 22.\r\n" \
    "debug1: sshconnect.c:ssh_connect_direct():522 (pid=7): Connection established.\r\n"
#define VERSION                                                                                        \
    "debug1: kex.c:kex_exchange_identification():1456 (bin=ssh, pid=7): Remote protocol version 2.0, " \
    "remote software version OpenSSH_10.0\r\n"
#define HOST_KEY \
    "debug1: sshconnect.c:verify_host_key():1477 (pid=7): Server host key: ssh-ed25519 SHA256:Iu90\r\n"
#define MATCHES                                                                                           \
    "debug1: sshconnect.c:check_host_key():1051 (pid=7): Host 'x' is known and matches the ED25519 host " \
    "key.\r\n"
#define OFFERED                                                                                          \
    "debug1: sshconnect2.c:userauth_pubkey():2066 (pid=7): Offering public key: /k ED25519 SHA256:hn5d " \
    "explicit\r\n"

static struct login_log read_it(const char *text)
{
    struct login_log log = LOGIN_LOG_INIT;
    login_log_read(text, strlen(text), &log);
    return log;
}

Test(login_log, each_line_tells_how_far_it_got)
{
    static const struct {
        const char *text;
        enum login_rung rung;
    } logs[] = {
        {"", LOGIN_TCP},
        {"ssh: connect to host h port 22: Connection refused\r\n", LOGIN_TCP},
        {CONNECTED, LOGIN_BANNER},
        {CONNECTED VERSION, LOGIN_KEY_EXCHANGE},
        {CONNECTED VERSION HOST_KEY, LOGIN_HOST_KEY},
        {CONNECTED VERSION HOST_KEY MATCHES, LOGIN_AUTH},
        {CONNECTED VERSION HOST_KEY MATCHES OFFERED
         "Authenticated to h ([10.0.0.2]:22) using \"publickey\".\r\n",
         LOGIN_DONE},
        /* Behind a proxy there is no connection of its own. */
        {VERSION HOST_KEY, LOGIN_HOST_KEY},
        /* Its last line may be on its way still. */
        {CONNECTED
         "debug1: kex.c:kex_exchange_identification():1456 (pid=7): Remote protocol version 2.0, rem",
         LOGIN_KEY_EXCHANGE},
    };
    for (size_t i = 0; i < sizeof logs / sizeof *logs; i++) {
        AUTO_LOGIN_LOG log = read_it(logs[i].text);
        cr_expect_eq(log.rung, logs[i].rung, "%s: %s", logs[i].text, login_rung_name(log.rung));
    }
}

Test(login_log, what_ssh_says_is_kept_without_its_traces)
{
    AUTO_LOGIN_LOG log =
        read_it(CONNECTED VERSION HOST_KEY MATCHES
                "sshconnect2.c:load_identity_file():1714 (pid=7): no such identity: /none: No such file or "
                "directory\r\n" OFFERED "root@h: Permission denied (publickey).\r\n");
    cr_expect_str_eq(
        text_string(&log.said),
        "no such identity: /none: No such file or directory; root@h: Permission denied (publickey).");
    cr_expect_str_eq(log.version, "SSH-2.0-OpenSSH_10.0");
    cr_assert_eq(log.keys.count, 1);
    cr_expect_str_eq(log.keys.items[0], "/k ED25519 SHA256:hn5d");
}

Test(login_log, a_penalty_is_told_by_what_stands_in_place_of_the_version)
{
    AUTO_LOGIN_LOG log = read_it(
        CONNECTED "debug1: kex.c:kex_exchange_identification():1436 (bin=ssh, pid=7): banner line 0: Not "
                  "allowed at this time\r\nkex_exchange_identification: Connection closed by remote host\r\n"
                  "Connection closed by 10.0.0.2 port 22\r\n");
    cr_expect_eq(log.rung, LOGIN_BANNER);
    cr_expect_str_eq(text_string(&log.instead), "Not allowed at this time");
    cr_expect_str_eq(cause_of_text(text_string(&log.instead)), "penalty");
}

Test(login_log, a_host_cannot_put_control_characters_into_it)
{
    AUTO_LOGIN_LOG log = read_it("Received disconnect from 10.0.0.2: \033[31mno\r\n");
    cr_expect_null(strchr(text_string(&log.said), '\033'));
}

Test(cause, too_many_keys_and_a_missing_one_are_a_refused_login)
{
    cr_expect_str_eq(cause_of_text(
                         "Received disconnect from 10.0.0.2 port 22:2: Too many authentication failures"),
                     "auth");
    cr_expect(cause_is_refusal("auth") && cause_is_refusal("host-key"));
    cr_expect_not(cause_is_refusal("penalty") || cause_is_refusal("refused") || cause_is_refusal(NULL));
}

Test(cause, tries_that_the_server_saw_are_far_apart_and_grow)
{
    cr_expect_lt(cause_pause_ns("refused", 1), NS_PER_S, "nobody was there to count it");
    cr_expect_eq(cause_pause_ns("refused", 50), NS_PER_S);
    static const char *const seen[] = {"auth", "penalty", "reset", "banner-timeout", "other"};
    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
        cr_expect_eq(cause_pause_ns(seen[i], 1), 5 * NS_PER_S);
        cr_expect_eq(cause_pause_ns(seen[i], 2), 10 * NS_PER_S);
        cr_expect_eq(cause_pause_ns(seen[i], 50), 30 * NS_PER_S);
    }
}

Test(login_log, tailscales_own_ssh_is_known_by_its_version)
{
    AUTO_LOGIN_LOG plain = read_it(CONNECTED VERSION);
    AUTO_LOGIN_LOG tailscale =
        read_it(CONNECTED
                "debug1: kex.c:kex_exchange_identification():1456 (bin=ssh, pid=7): Remote protocol version "
                "2.0, remote software version Tailscale\r\n");
    cr_expect_not(login_log_is_tailscale(&plain));
    cr_expect(login_log_is_tailscale(&tailscale), "%s", tailscale.version);
    cr_expect(cause_is_refusal("tailscale-ssh"), "the same question gets the same answer");
    cr_expect_str_eq(cause_of_text("tailscale: tailnet policy does not permit you to SSH to this node"),
                     "tailscale-ssh");
    cr_expect_str_eq(cause_of_text("# Tailscale SSH requires an additional check.\nPermission denied"),
                     "tailscale-ssh");
}
