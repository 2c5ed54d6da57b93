/* `triphase probe`: every way to a host side by side, against a real sshd and real packet filters. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "format/json.h"
#include "lab/lab.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define cr_has(text, part) cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

TestSuite(probe, .timeout = 110);

static const char playbook[] = "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n";

static struct json *report_of(const struct lab_result *result)
{
    AUTO_ERROR err = ERROR_INIT;
    struct json *report = json_parse(result->out, strlen(result->out), &err);
    cr_assert(report != NULL, "%s: %s%s", error_text(&err), result->out, result->err);
    return report;
}

static const struct json *entry_of(const struct json *report, const char *transport)
{
    const struct json *list = json_get(report, "transports");
    for (size_t i = 0; i < json_count(list); i++)
        if (text_is(json_get_string(json_at(list, i), "transport", NULL), transport))
            return json_at(list, i);
    cr_assert_fail("no entry for %s", transport);
    return NULL;
}

static int compare_ports(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Connections that an sshd's log tells of, whatever became of them: ports of the other end. */
static int connections(const char *log)
{
    int ports[256], count = 0, distinct = 0;
    for (const char *at = log; (at = strstr(at, " port ")) && count < (int)COUNT_OF(ports); at += 6)
        ports[count++] = (int)strtol(at + 6, NULL, 10);
    qsort(ports, (size_t)count, sizeof *ports, compare_ports);
    for (int i = 0; i < count; i++)
        distinct += i == 0 || ports[i] != ports[i - 1];
    return distinct;
}

static void expect_ordered(const struct json *round_trip)
{
    double least = json_real(json_get(round_trip, "min_ms"), 0),
           median = json_real(json_get(round_trip, "median_ms"), 0),
           most = json_real(json_get(round_trip, "p95_ms"), 0);
    cr_expect(least > 0 && least <= median && median <= most, "%f %f %f", least, median, most);
}

Test(probe, a_host_that_is_well_has_figures_of_every_kind_over_one_login)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_environment(lab, "TAILSCALE_SOCKET", "/nonexistent/tailscaled.sock");

    struct lab_result result = lab_run(lab, "probe", "host", "--json", NULL);

    cr_assert_eq(result.code, 0, "%s%s", result.out, result.err);
    AUTO_JSON *report = report_of(&result);
    const struct json *direct = entry_of(report, "direct");
    cr_expect_str_eq(json_get_string(direct, "verdict", ""), "usable", "%s",
                     json_get_string(direct, "why", ""));
    static const char *const figures[] = {"tcp_ms", "banner_ms",        "key_exchange_ms", "auth_ms",
                                          "rung",   "down_bytes_per_s", "up_bytes_per_s",  "round_trip"};
    for (size_t i = 0; i < COUNT_OF(figures); i++)
        cr_expect(json_get(direct, figures[i]) != NULL, "%s", figures[i]);
    cr_expect_gt(json_get_integer(direct, "down_bytes_per_s", 0), 100000);
    cr_expect_gt(json_get_integer(direct, "up_bytes_per_s", 0), 100000);
    cr_expect_eq(json_get_integer(json_get(direct, "round_trip"), "n", 0), 20);
    expect_ordered(json_get(direct, "round_trip"));
    cr_expect_eq(json_get_integer(json_get(direct, "output_bytes"), "largest_through", 0), 32768);
    const struct json *tailnet = entry_of(report, "tailnet");
    cr_expect_str_eq(json_get_string(tailnet, "verdict", ""), "unusable");
    cr_has(json_get_string(tailnet, "why", ""), "/nonexistent/tailscaled.sock");
    cr_expect_str_eq(json_get_string(json_get(tailnet, "path_before"), "daemon", ""), "absent");
    AUTO_FREE char *log = lab_read(lab, "sshd/log");
    int logins = 0;
    for (const char *at = log; (at = strstr(at, "Accepted publickey")); at++)
        logins++;
    cr_expect_eq(logins, 1);
    /* Where it listens, and the lab's own look whether it does, are in it too. */
    cr_expect_leq(connections(log), 3, "none without a login either: %s", log);
    cr_expect_eq(lab_processes("triphase-aside"), 0);
}

static bool is_gone(void *context)
{
    return kill(*(const pid_t *)context, 0) < 0;
}

Test(probe, killed_in_the_middle_it_leaves_nothing)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_write(lab, "bin/way", "#!/bin/sh\necho $$ >%s/begun; exec sleep 60\n", lab_folder(lab));
    lab_write(lab, "ansible.cfg", "[ssh_connection]\nssh_args = -o ProxyCommand=%s/bin/way\n",
              lab_folder(lab));
    pid_t sshd = lab_sshd_pid(lab);
    kill(sshd, SIGKILL);
    pid_t command = lab_start(lab, "probe", "probe", "host", "--transport", "direct", NULL);
    cr_assert(lab_until_file(lab, 30, "begun"));

    kill(command, SIGKILL);
    int code = lab_wait(lab, command, 5);

    cr_expect_eq(code, 128 + SIGKILL);
    AUTO_FREE char *begun = lab_read(lab, "begun");
    pid_t way = (pid_t)strtol(begun, NULL, 10);
    cr_expect(lab_until(5, is_gone, &way), "what leads to the host goes on");
    cr_expect_eq(lab_processes(lab_folder(lab)), 0);
}

Test(probe, the_table_is_readable_at_eighty_columns)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_environment(lab, "COLUMNS", "80");
    lab_environment(lab, "TAILSCALE_SOCKET", "/nonexistent/tailscaled.sock");

    struct lab_result result = lab_run(lab, "probe", "host", NULL);

    cr_assert_eq(result.code, 0, "%s%s", result.out, result.err);
    cr_has(result.out, "TRANSPORT");
    cr_has(result.out, "logs in, and output of every size comes through");
    cr_has(result.out, "no tailscaled answers");
    for (const char *line = result.out; *line; line += strcspn(line, "\n") + 1)
        cr_expect_leq(strcspn(line, "\n"), 80, "%.90s", line);
}

Test(probe, where_nothing_is_usable_the_exit_code_is_4_and_every_way_says_why)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_environment(lab, "TAILSCALE_SOCKET", "/nonexistent/tailscaled.sock");
    kill(lab_sshd_pid(lab), SIGKILL);

    struct lab_result result = lab_run(lab, "probe", "host", NULL);

    cr_expect_eq(result.code, 4, "%s%s", result.out, result.err);
    cr_has(result.out, "Connection refused");
    cr_has(result.out, "tailnet-userspace:");
}

Test(probe, a_host_key_that_changed_is_told_and_nothing_is_run)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    AUTO_FREE char *project = lab_read(lab, "triphase.yml"), *other = lab_read_line(lab, "key.pub");
    char *list = strstr(project, "host_keys: ['");
    *list = '\0';
    lab_write(lab, "triphase.yml", "%shost_keys: ['%s']\n", project, other);

    struct lab_result result = lab_run(lab, "probe", "host", "--transport", "direct", "--json", NULL);

    cr_expect_eq(result.code, 4, "%s%s", result.out, result.err);
    AUTO_JSON *report = report_of(&result);
    const struct json *direct = entry_of(report, "direct");
    cr_expect_str_eq(json_get_string(direct, "rung", ""), "host-key");
    cr_has(json_get_string(direct, "why", ""), "another key than the known one");
}

Test(probe, a_sshd_that_never_says_its_version_is_bounded)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    kill(lab_sshd_pid(lab), SIGSTOP);

    struct lab_result result = lab_run(lab, "probe", "host", "--transport", "direct", NULL);

    kill(lab_sshd_pid(lab), SIGCONT);
    cr_expect_eq(result.code, 4, "%s%s", result.out, result.err);
    cr_expect_lt(result.seconds, 25);
    cr_has(result.out, "waiting for the server's version");
}

Test(probe, names_that_are_no_transport_or_target_are_refused)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    cr_expect_eq(lab_run(lab, "probe", "host", "--transport", "carrier-pigeon", NULL).code, 64);
    struct lab_result second = lab_run(lab, "probe", "host", "--transport", "direct,pigeon", NULL);
    cr_expect_eq(second.code, 64);
    cr_has(second.err, "there is no transport 'pigeon'");
    struct lab_result both = lab_run(lab, "probe", "host", "--transport", "direct,tailnet", "--json", NULL);
    cr_expect_eq(both.code, 0, "%s", both.err);
    cr_has(both.out, "\"direct\"");
    cr_has(both.out, "\"tailnet\"");
    cr_expect_eq(lab_run(lab, "probe", "hots", NULL).code, 64);
    cr_expect_eq(lab_run(lab, "probe", NULL).code, 64);
}

/* The target's lines of the project, with more behind them. */
static void add_keys(struct lab *lab, const char *format, const char *value)
{
    AUTO_FREE char *project = lab_read(lab, "triphase.yml"), *more = xasprintf("    %s: %s\n", format, value);
    lab_write(lab, "triphase.yml", "%s%s", project, more);
}

Test(probe, a_key_with_a_passphrase_is_opened_by_an_agent_of_its_own)
{
    struct lab *lab = lab_new();
    AUTO_ERROR err = ERROR_INIT;
    lab_static_project(lab, "", playbook);
    AUTO_FREE char *key = file_join(lab_folder(lab), "key");
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "ssh-keygen", "-q", "-p", "-N", "of seven words", "-f",
                         key, NULL) == 0,
              "%s", error_text(&err));
    struct lab_result closed = lab_run(lab, "probe", "host", "--transport", "direct", NULL);
    cr_expect_eq(closed.code, 4);
    cr_expect(strstr(closed.out, "tailnet") == NULL, "one way was asked for");
    lab_write(lab, "phrase", "of seven words");
    AUTO_FREE char *path = file_join(lab_folder(lab), "phrase");
    cr_assert(chmod(path, 0600) == 0);
    add_keys(lab, "key_passphrase", "{file: phrase}");

    struct lab_result result = lab_run(lab, "probe", "host", "--transport", "direct", NULL);

    cr_expect_eq(result.code, 0, "%s%s", result.out, result.err);
    cr_expect(strstr(result.out, "of seven words") == NULL && strstr(result.err, "of seven words") == NULL);
}

Test(probe, a_proxy_of_the_users_own_is_the_way_and_ends_with_the_probe)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    AUTO_FREE char *seen = file_join(lab_folder(lab), "seen");
    lab_write(
        lab, "bin/way",
        "#!/usr/bin/python3\nimport os, select, socket, sys\nopen('%s', 'a').write(' '.join(sys.argv[1:]) + "
        "'\\n')\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "while True:\n    for r in select.select([0, s], [], [])[0]:\n        b = os.read(0, 65536) if r == "
        "0 else "
        "s.recv(65536)\n        if not b: sys.exit()\n        s.sendall(b) if r == 0 else os.write(1, b)\n",
        seen);
    lab_write(lab, "ansible.cfg", "[ssh_connection]\nssh_args = -o 'ProxyCommand=%s/bin/way %%h %%p'\n",
              lab_folder(lab));

    struct lab_result result = lab_run(lab, "probe", "host", "--transport", "direct", "--json", NULL);

    cr_expect_eq(result.code, 0, "%s%s", result.out, result.err);
    AUTO_JSON *report = report_of(&result);
    const struct json *direct = entry_of(report, "direct");
    cr_expect(json_get(direct, "tcp_ms") == NULL, "the connection is the proxy's");
    cr_expect_gt(json_get_integer(direct, "down_bytes_per_s", 0), 100000);
    AUTO_FREE char *words = lab_read(lab, "seen"), *expected = xasprintf("127.0.0.1 %d\n", lab_sshd(lab));
    cr_expect_str_eq(words, expected, "one connection through it");
    AUTO_FREE char *way = file_join(lab_folder(lab), "bin/way");
    cr_expect_eq(lab_processes(way), 0);
}

Test(probe, a_proxy_that_fails_is_told_in_its_own_words)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_write(lab, "bin/way", "#!/bin/sh\necho no way through here >&2; exit 1\n");
    lab_write(lab, "ansible.cfg", "[ssh_connection]\nssh_args = -o ProxyCommand=%s/bin/way\n",
              lab_folder(lab));
    struct lab_result result = lab_run(lab, "probe", "host", "--transport", "direct", NULL);
    cr_expect_eq(result.code, 4, "%s%s", result.out, result.err);
    cr_has(result.out, "no way through here");
}

Test(probe, a_jump_goes_through_the_host_between)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    AUTO_FREE char *key = lab_read(lab, "sshd/host_key.pub"),
                   *jump = xasprintf("root@localhost:%d", lab_sshd(lab));
    lab_write(lab, "jump_hosts", "[localhost]:%d %s", lab_sshd(lab), key);
    lab_write(lab, "bin/ssh",
              "#!/bin/sh\nfor word; do case $word in -W) exec /usr/bin/ssh -F none -i %s/key -o "
              "UserKnownHostsFile=%s/jump_hosts \"$@\";; esac; done\nexec /usr/bin/ssh \"$@\"\n",
              lab_folder(lab), lab_folder(lab));
    AUTO_FREE char *path = xasprintf("%s/bin:%s", lab_folder(lab), getenv("PATH"));
    lab_environment(lab, "PATH", path);
    add_keys(lab, "jump", jump);

    struct lab_result result = lab_run(lab, "probe", "host", "--transport", "direct", NULL);

    cr_expect_eq(result.code, 0, "%s%s", result.out, result.err);
    AUTO_FREE char *log = lab_read(lab, "sshd/log");
    int logins = 0;
    for (const char *at = log; (at = strstr(at, "Accepted publickey")); at++)
        logins++;
    cr_expect_eq(logins, 2, "the jump's and the host's");
}
