/* What the settings of `operator` do to the daemon that triphase up starts, and what is said where a given
 * key does not do. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/up.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(up_settings, .timeout = 240);

#define SOCKET "/var/lib/triphase-tailnet/tailscaled.sock"

static struct json *prefs_of(struct tailnet_operator *op)
{
    AUTO_FREE char *said = tailnet_operator_shell(op, "tailscale --socket=" SOCKET " debug prefs");
    return json_parse(said, strlen(said), NULL);
}

/* ssh, routes and dns as three letters, Y or n. */
static char *three_of(struct tailnet_operator *op)
{
    AUTO_JSON *prefs = prefs_of(op);
    return xasprintf("%c%c%c", json_get_bool(prefs, "RunSSH") ? 'Y' : 'n',
                     json_get_bool(prefs, "RouteAll") ? 'Y' : 'n',
                     json_get_bool(prefs, "CorpDNS") ? 'Y' : 'n');
}

static void expect_up(struct lab *project, struct tailnet_operator *op, const char *three, bool changed)
{
    struct lab_result up = lab_run(project, "up", "--json", NULL);
    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    AUTO_JSON *said = up_parsed(&up);
    AUTO_FREE char *is = three_of(op);
    cr_expect(eq(str, is, (char *)(uintptr_t)three));
    cr_expect(eq(int, json_get_bool(said, "changed"), changed), "%s", up.err);
}

Test(up_settings, ssh_routes_and_dns_are_off_until_asked_for_and_follow_the_settings_without_another_key)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = up_project_with_key(lab, op, key);

    expect_up(project, op, "nnn", true);
    lab_environment(project, "TRIPHASE_OPERATOR_SSH", "true");
    lab_environment(project, "TRIPHASE_OPERATOR_ACCEPT_ROUTES", "true");
    expect_up(project, op, "YYn", true);
    expect_up(project, op, "YYn", false);
    lab_environment(project, "TRIPHASE_OPERATOR_SSH", NULL);
    lab_environment(project, "TRIPHASE_OPERATOR_ACCEPT_DNS", "true");
    expect_up(project, op, "nYY", true);
    lab_environment(project, "TRIPHASE_OPERATOR_HOSTNAME", "renamed");
    expect_up(project, op, "nYY", true);
    AUTO_JSON *prefs = prefs_of(op);
    cr_expect(eq(str, up_string(prefs, "Hostname"), "renamed"));

    up_down(project);
    up_expect_nothing_is_left(lab, op);
}

static char *listeners(struct tailnet_operator *op)
{
    return tailnet_operator_shell(op, "ss -Hltn | awk '{print $4}'");
}

Test(up_settings, a_SOCKS5_port_is_opened_on_loopback_alone_and_only_where_asked_for)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = up_project_with_key(lab, op, key);

    struct lab_result without = lab_run(project, "up", "--json", NULL);
    AUTO_FREE char *closed = listeners(op);
    lab_environment(project, "TRIPHASE_OPERATOR_SOCKS5", "true");
    struct lab_result with = lab_run(project, "up", "--json", NULL);
    AUTO_FREE char *open = listeners(op);

    cr_assert(without.code == 0 && with.code == 0, "%s%s", without.err, with.err);
    AUTO_JSON *said = up_parsed(&with), *before = up_parsed(&without);
    cr_expect(strstr(closed, "127.0.0.1:") == NULL, "%s", closed);
    cr_expect(eq(str, up_string(before, "socks5"), ""));
    cr_assert(text_starts(up_string(said, "socks5"), "127.0.0.1:"), "%s", with.out);
    cr_expect(strstr(open, up_string(said, "socks5")) != NULL, "%s", open);
    AUTO_FREE char *answer = tailnet_operator_shell(
        op,
        "python3 -c 'import socket; s=socket.create_connection((\"127.0.0.1\", %s)); s.send(b\"\\5\\1\\0\"); "
        "print(s.recv(2))'",
        up_string(said, "socks5") + strlen("127.0.0.1:"));
    cr_expect(strstr(answer, "x05") != NULL, "%s", answer);
    up_down(project);
}

/* ---- given keys that do not do */

static void expect_refusal(struct tailnet_lab *lab, struct tailnet_operator *op, const char *key,
                           const char *words)
{
    struct lab *project = up_project_with_key(lab, op, key);
    struct lab_result up = lab_run(project, "up", "--within", "30s", NULL);
    cr_expect(eq(int, up.code, 78), "%s%s", up.out, up.err);
    cr_expect(strstr(up.err, words) != NULL, "no '%s' in: %s", words, up.err);
    cr_expect(up.seconds < 25, "%g s", up.seconds);
    up_expect_nothing_is_left(lab, op);
}

Test(up_settings, a_key_that_does_not_do_is_told_by_what_is_wrong_with_it)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct tailnet_operator *other = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    AUTO_FREE char *spent = tailnet_lab_key(lab, "tag:operator", false, true),
                   *tagged = tailnet_lab_key(lab, "tag:host", true, true);
    struct lab *first = up_project_with_key(lab, other, spent);
    struct lab_result used = lab_run(first, "up", NULL);
    cr_assert(eq(int, used.code, 0), "%s", used.err);
    up_down(first);

    expect_refusal(lab, op, spent, "not reusable");
    expect_refusal(lab, op,
                   "hskey-auth-nobodyknows1-0123456789012345678901234567890123456789012345678901234567890123",
                   "does not know the key");
    expect_refusal(lab, op, "what is no key at all", "copied wrong");
    expect_refusal(lab, op, tagged, "has the tags tag:host where tag:operator is wanted");
}

Test(up_settings, a_key_that_has_expired_is_told)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    free(tailnet_lab_headscale(lab, "preauthkeys", "expire", "--id", "1", NULL));
    expect_refusal(lab, op, key, "has expired");
}

Test(up_settings, without_anything_to_join_with_it_says_so_at_once_and_never_waits_for_a_browser)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project(lab, op, "");

    struct lab_result up = lab_run(project, "up", NULL);

    cr_expect(eq(int, up.code, 78), "%s%s", up.out, up.err);
    cr_expect(strstr(up.err, "auth_key") != NULL, "%s", up.err);
    cr_expect(up.seconds < 10, "%g s", up.seconds);
    /* Its log would have stayed. */
    AUTO_FREE char *place = tailnet_operator_shell(op, "ls -A /var/lib/triphase-tailnet");
    cr_expect(eq(str, place, "lock\n"));
    up_expect_nothing_is_left(lab, op);
}

Test(up_settings, a_key_may_come_by_a_descriptor)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = up_project(lab, op, "  auth_key: {fd: 7}\n");
    lab_write(project, "the-key", "%s", key);
    AUTO_FREE char *before = xasprintf("exec 7<%s/the-key", lab_folder(project));

    struct lab_result up = lab_run_after(project, before, "up", "--json", NULL);

    cr_expect(eq(int, up.code, 0), "%s%s", up.out, up.err);
    up_down(project);
}

Test(up_settings, are_the_users_own_where_there_is_no_project)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *home = lab_new();
    lab_write(home, "triphase/config.yml", "operator:\n  login_server: %s\n  auth_key: {file: %s/the-key}\n",
              tailnet_lab_login_server(lab), lab_folder(home));
    lab_write(home, "the-key", "%s\n", key);
    AUTO_FREE char *away =
        xasprintf("cd / && XDG_CONFIG_HOME=%s exec %s \"$@\"", lab_folder(home), getenv("TRIPHASE"));

    struct lab_result up = tailnet_operator_run(op, "sh", "-c", away, "sh", "up", "--json", NULL);
    struct lab_result down = tailnet_operator_run(op, "sh", "-c", away, "sh", "up", "--down", NULL);

    cr_expect(eq(int, up.code, 0), "%s%s", up.out, up.err);
    cr_expect(eq(int, down.code, 0), "%s%s", down.out, down.err);
}
