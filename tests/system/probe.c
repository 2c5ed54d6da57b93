/* `triphase probe`: every way to a host side by side, against a real sshd and real packet filters. */
#include "base/memory.h"
#include "base/moment.h"
#include "format/json.h"
#include "lab/lab.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

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
    cr_expect_gt(json_get_integer(direct, "down_bytes_per_s", 0), 1000000);
    cr_expect_gt(json_get_integer(direct, "up_bytes_per_s", 0), 1000000);
    cr_expect_eq(json_get_integer(json_get(direct, "round_trip"), "n", 0), 20);
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
    AUTO_FREE char *marked = lab_keep(xasprintf("%s/", lab_folder(lab)));
    (void)marked;
}

Test(probe, the_table_is_readable_at_eighty_columns)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_environment(lab, "COLUMNS", "80");

    struct lab_result result = lab_run(lab, "probe", "host", "--transport", "direct", NULL);

    cr_assert_eq(result.code, 0, "%s%s", result.out, result.err);
    cr_has(result.out, "TRANSPORT");
    cr_has(result.out, "logs in, and output of every size comes through");
    cr_expect(strstr(result.out, "tailnet") == NULL, "one way was asked for");
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
    AUTO_FREE char *project = lab_read(lab, "triphase.yml"), *other = lab_read(lab, "key.pub");
    char *list = strstr(project, "host_keys: ['");
    *list = '\0';
    other[strcspn(other, "\n")] = '\0';
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
    cr_expect_eq(lab_run(lab, "probe", "hots", NULL).code, 64);
    cr_expect_eq(lab_run(lab, "probe", NULL).code, 64);
}
