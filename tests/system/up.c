/* triphase up: this machine in a real tailnet (tests/lab/tailnet.h), over a daemon that triphase starts. */
#include "lab/up.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

TestSuite(up, .timeout = 240);

Test(up, joins_by_a_TUN_where_the_evidence_allows_and_goes_down_without_a_trace)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = up_project_with_key(lab, op, key);
    /* Which is for a daemon without a TUN alone, and no reason to start one with a TUN anew. */
    lab_environment(project, "TRIPHASE_OPERATOR_SOCKS5", "true");

    struct lab_result up = lab_run(project, "up", "--json", NULL);
    struct lab_result again = lab_run(project, "up", "--json", NULL);

    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    cr_assert(eq(int, again.code, 0), "%s%s", again.out, again.err);
    AUTO_JSON *said = up_parsed(&up), *second = up_parsed(&again), *list = up_nodes(lab),
              *status = up_status(op, up_string(said, "socket"));
    cr_expect(eq(str, up_string(said, "socks5"), ""));
    cr_expect(not(json_get_bool(second, "changed")), "%s", again.err);
    cr_expect(eq(int, (int)json_get_integer(second, "pid", 0), (int)json_get_integer(said, "pid", -1)));
    const struct json *self = json_get(status, "Self");
    cr_expect(eq(str, up_string(said, "mode"), "tun"));
    cr_expect(json_get_bool(said, "own") && json_get_bool(said, "changed"));
    cr_expect(eq(str, up_string(status, "BackendState"), "Running"));
    cr_expect(up_has(json_get(self, "Tags"), "tag:operator") &&
              up_has(json_get(said, "tags"), "tag:operator"));
    cr_expect(eq(sz, json_count(list), 1));
    free(tailnet_operator_shell(op, "ip -o addr show dev tailscale0 | grep -qF %s",
                                json_string(json_at(json_get(said, "addresses"), 0), "?")));

    up_down(project);
    up_expect_nothing_is_left(lab, op);
}

/* A tailscaled that does this with a TUN, and is the real one without. */
static void replace_daemon(struct lab *project, struct tailnet_lab *lab, const char *with_a_tun)
{
    lab_write(project, "bin/tailscaled",
              "#!/bin/sh\ncase \"$*\" in *--tun=tailscale0*) %s ;; esac\nexec %s/tailscaled \"$@\"\n",
              with_a_tun, tailnet_lab_programs(lab));
    AUTO_FREE char *path =
        xasprintf("%s/bin:%s:%s", lab_folder(project), tailnet_lab_programs(lab), getenv("PATH"));
    rig_shell("chmod 0755 %s/bin/tailscaled", lab_folder(project));
    lab_environment(project, "PATH", path);
}

Test(up, a_daemon_that_ends_with_a_TUN_is_started_without_one_and_one_that_hangs_is_not)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = up_project_with_key(lab, op, key);

    replace_daemon(project, lab, "exec sleep 60");
    struct lab_result hung = lab_run(project, "up", "--within", "2s", NULL);
    cr_expect(eq(int, hung.code, 4), "%s%s", hung.out, hung.err);
    cr_expect(strstr(hung.err, "did not answer on its socket in time") != NULL, "%s", hung.err);
    cr_expect(strstr(hung.err, "(userspace networking)") == NULL, "%s", hung.err);
    up_expect_nothing_is_left(lab, op);

    replace_daemon(project, lab, "echo no TUN for this one >&2; exit 1");
    struct lab_result up = lab_run(project, "up", NULL);
    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    cr_expect(strstr(up.out, "since with a TUN it did not start") && strstr(up.out, "no TUN for this one"),
              "%s", up.out);
    up_down(project);
    up_expect_nothing_is_left(lab, op);
}

/* Each kind of machine that has no TUN, by what `up` says that it lacks. */
static void expect_userspace(enum tailnet_tun kind, const char *lacks)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, kind);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = up_project_with_key(lab, op, key);

    struct lab_result forced = lab_run(project, "up", "--tun", NULL);
    AUTO_FREE char *left = up_left(op);
    struct lab_result up = lab_run(project, "up", NULL);
    struct lab_result again = lab_run(project, "up", "--json", NULL);

    cr_expect(eq(int, forced.code, 78), "%s%s", forced.out, forced.err);
    cr_expect(strstr(forced.err, lacks) != NULL, "%s", forced.err);
    cr_expect(eq(str, left, ""));
    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    cr_expect(strstr(up.out, lacks) && strstr(up.out, "what would give a TUN here:"), "%s", up.out);
    AUTO_JSON *said = up_parsed(&again);
    cr_expect(eq(str, up_string(said, "mode"), "userspace"));
    up_down(project);
    up_expect_nothing_is_left(lab, op);
}

Test(up, without_the_device_takes_userspace_and_says_what_would_give_a_TUN)
{
    expect_userspace(TAILNET_TUN_ABSENT, "there is no TUN device");
}

Test(up, with_a_device_that_does_not_open_takes_userspace_and_says_what_would_give_a_TUN)
{
    expect_userspace(TAILNET_TUN_CLOSED, "cannot be opened");
}

Test(up, without_NET_ADMIN_takes_userspace_and_says_what_would_give_a_TUN)
{
    expect_userspace(TAILNET_TUN_NO_CAPABILITY, "CAP_NET_ADMIN");
}

Test(up, takes_the_mode_that_is_asked_for_and_changes_it_only_then)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = up_project_with_key(lab, op, key);

    struct lab_result forced = lab_run(project, "up", "--userspace", "--json", NULL);
    struct lab_result plain = lab_run(project, "up", "--json", NULL);
    struct lab_result tun = lab_run(project, "up", "--tun", "--json", NULL);

    cr_assert(forced.code == 0 && plain.code == 0 && tun.code == 0, "%s%s%s", forced.err, plain.err, tun.err);
    AUTO_JSON *first = up_parsed(&forced), *second = up_parsed(&plain), *third = up_parsed(&tun);
    cr_expect(eq(str, up_string(first, "mode"), "userspace"));
    cr_expect(eq(str, up_string(second, "mode"), "userspace"));
    cr_expect(not(json_get_bool(second, "changed")));
    cr_expect(eq(str, up_string(third, "mode"), "tun"));
    /* The same node: its key, which could be used once, was enough. */
    cr_expect(eq(str, (char *)json_string(json_at(json_get(first, "addresses"), 0), ""),
                 (char *)json_string(json_at(json_get(third, "addresses"), 0), "?")));
    up_down(project);
    up_expect_nothing_is_left(lab, op);
}

/* ---- somebody else's daemon */

/* What a daemon is and how it is set, as one text: any change of it by others shows. */
/* Of itself alone: whom it sees among its peers is the control server's to say. */
static char *portrait(struct tailnet_operator *op)
{
    return tailnet_operator_shell(
        op,
        "tailscale --socket=%s debug prefs; tailscale --socket=%s status --json --peers=false | grep -E "
        "'BackendState|\"(ID|PublicKey)\"'; readlink /proc/%d/exe",
        tailnet_operator_socket(op), tailnet_operator_socket(op), (int)tailnet_operator_daemon_pid(op));
}

Test(up, uses_a_daemon_of_somebody_else_that_is_in_the_wanted_tailnet_and_changes_nothing_of_it)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    struct lab *project = up_project(lab, op, "  ssh: true\n  auth_key: {file: none}\n");
    tailnet_operator_join(op, "tag:operator");
    AUTO_JSON *status = up_status(op, tailnet_operator_socket(op));
    const char *tailnet = json_get_string(json_get(status, "CurrentTailnet"), "Name", NULL);
    cr_assert_not_null(tailnet);
    lab_environment(project, "TRIPHASE_OPERATOR_TAILNET", tailnet);
    AUTO_FREE char *before = portrait(op);

    struct lab_result up = lab_run(project, "up", "--json", NULL);
    struct lab_result down = lab_run(project, "up", "--down", "--json", NULL);

    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    AUTO_JSON *said = up_parsed(&up), *ended = up_parsed(&down);
    cr_expect(not(json_get_bool(said, "own")));
    cr_expect(not(json_get_bool(said, "changed")));
    cr_expect(strstr(up.out, "operator.ssh is not in effect") != NULL, "%s", up.out);
    cr_expect(text_ends(up_string(said, "socket"), "/run/tailscale/tailscaled.sock"), "%s", up.out);
    cr_expect(down.code == 0 && !json_get_bool(ended, "ended"), "%s", down.err);
    AUTO_FREE char *after = portrait(op),
                   *left = tailnet_operator_shell(op, "ls -A /var/lib/triphase-tailnet");
    cr_expect(eq(str, after, before));
    cr_expect(eq(str, left, ""));
}

static void expect_offer(struct lab *project, const char *why)
{
    struct lab_result up = lab_run(project, "up", NULL);
    cr_expect(eq(int, up.code, 78), "%s%s", up.out, up.err);
    cr_expect(strstr(up.err, why) && strstr(up.err, "'triphase up --own'"), "'%s': %s", why, up.err);
}

Test(up, refuses_a_daemon_of_somebody_else_that_is_not_as_wanted_and_offers_one_of_its_own)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = up_project_with_key(lab, op, key);
    tailnet_operator_daemon(op, NULL, false, NULL);
    expect_offer(project, "is not Running (NeedsLogin)");

    tailnet_operator_join(op, "tag:host");
    AUTO_FREE char *before = portrait(op);
    expect_offer(project, "has the tags tag:host where tag:operator is wanted");
    lab_environment(project, "TRIPHASE_OPERATOR_LOGIN_SERVER", "http://10.99.0.1:9999");
    expect_offer(project, "belongs to the control server http://10.99.0.1:8080");
    lab_environment(project, "TRIPHASE_OPERATOR_LOGIN_SERVER", NULL);
    lab_environment(project, "TRIPHASE_OPERATOR_TAILNET", "elsewhere.example");
    expect_offer(project, "where elsewhere.example is wanted");
    lab_environment(project, "TRIPHASE_OPERATOR_TAILNET", NULL);

    struct lab_result own = lab_run(project, "up", "--own", "--json", NULL);
    cr_assert(eq(int, own.code, 0), "%s%s", own.out, own.err);
    AUTO_JSON *said = up_parsed(&own);
    cr_expect(json_get_bool(said, "own") && up_has(json_get(said, "tags"), "tag:operator"));
    struct lab_result again = lab_run(project, "up", "--json", NULL);
    AUTO_JSON *second = up_parsed(&again);
    cr_expect(again.code == 0 && json_get_bool(second, "own") && !json_get_bool(second, "changed"), "%s",
              again.err);
    up_down(project);
    AUTO_FREE char *after = portrait(op);
    cr_expect(eq(str, after, before));
}

Test(up, beside_a_daemon_that_has_the_TUN_takes_userspace)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = up_project_with_key(lab, op, key);
    tailnet_operator_join(op, "tag:host");

    struct lab_result forced = lab_run(project, "up", "--own", "--tun", NULL);
    struct lab_result own = lab_run(project, "up", "--own", "--json", NULL);

    cr_expect(forced.code == 78 && strstr(forced.err, "take each other's routes"), "%s", forced.err);
    cr_assert(eq(int, own.code, 0), "%s%s", own.out, own.err);
    AUTO_JSON *said = up_parsed(&own);
    cr_expect(eq(str, up_string(said, "mode"), "userspace"));
    up_down(project);
    free(tailnet_operator_shell(op, "ip link show tailscale0 && ip rule | grep -q 'lookup 52'"));
}

/* Accepts and never answers. */
static void listen_silently(struct tailnet_operator *op, const char *path)
{
    free(tailnet_operator_shell(op,
                                "mkdir -p $(dirname %s) && python3 -c 'import socket,os,sys,time\n"
                                "s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(64)\n"
                                "os.fork() and os._exit(0)\nos.setsid()\nfor fd in (0,1,2): os.close(fd)\n"
                                "k=[]\nwhile True: k.append(s.accept())' %s",
                                path, path));
}

Test(up, ends_within_its_bounds_where_a_socket_accepts_and_never_answers)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project(lab, op, "  auth_key: {file: none}\n");
    listen_silently(op, "/run/tailscale/tailscaled.sock");

    struct lab_result up = lab_run(project, "up", NULL);

    cr_expect(up.code == 78 && strstr(up.err, "cannot be used"), "%s", up.err);
    cr_expect(up.seconds < 12, "%g s", up.seconds);
}

Test(up, says_69_where_nobody_listens_at_the_socket_that_was_named_or_a_program_lacks)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct lab *project = up_project(lab, op, "  auth_key: {file: none}\n  socket: /run/nobody.sock\n");
    struct lab_result named = lab_run(project, "up", NULL);
    cr_expect(named.code == 69 && strstr(named.err, "/run/nobody.sock"), "%d %s", named.code, named.err);

    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *joins = up_project_with_key(lab, op, key);
    lab_environment(joins, "PATH", "/usr/bin:/bin");
    struct lab_result lacks = lab_run(joins, "up", NULL);
    cr_expect(lacks.code == 69, "%d %s", lacks.code, lacks.err);
    cr_expect(strstr(lacks.err, "the program tailscaled is not to be found") != NULL, "%s", lacks.err);
    up_expect_nothing_is_left(lab, op);
}
