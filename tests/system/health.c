/* The health of a host while runs go on, on a real one whose service comes, goes and is ill. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/lab.h"
#include "lab/sandbox.h"
#include "lab/up.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(health, .timeout = 240);

/* The project of tests/cases/health. */
static struct lab *health_lab(void)
{
    rig_needed();
    struct lab *lab = lab_new();
    lab_case(lab, "health", "");
    return lab;
}

/* A key of the target, for the commands that come. */
static void set(struct lab *lab, const char *key, const char *value)
{
    AUTO_FREE char *name = xasprintf("TRIPHASE_TARGETS_BOX_%s", key);
    lab_environment(lab, name, value);
}

/* `health` of the report of the last run. */
static struct json *reported(struct lab *lab)
{
    struct lab_result report = lab_run(lab, "report", "--json", NULL);
    AUTO_JSON *whole = json_parse(report.out, strlen(report.out), NULL);
    struct json *health = json_get(whole, "health");
    cr_assert(health != NULL, "%s%s", report.out, report.err);
    return json_keep(health);
}

static void holds(const char *text, const char *part)
{
    cr_assert(strstr(text, part) != NULL, "'%s' does not say '%s'", text, part);
}

static double number(const struct json *object, const char *key)
{
    return json_value_real(json_get(object, key), -1);
}

static char *causes(const struct json *window)
{
    AUTO_TEXT out = TEXT_INIT;
    const struct json *list = json_get(window, "causes");
    for (size_t i = 0; i < json_count(list); i++)
        text_addf(&out, "%s%s", i ? " " : "", json_value_string(json_at(list, i), "?"));
    return text_take(&out);
}

/* A window of the phase `dip` that took between half a second and what a slow machine makes of it. */
static void expect_window(const struct json *window, const char *words)
{
    AUTO_FREE char *seen = causes(window);
    cr_expect(eq(str, seen, (char *)(uintptr_t)words));
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(window, "name", ""), "dip"));
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(window, "state", ""), "unhealthy"));
    cr_expect(number(window, "ms") > 400 && number(window, "ms") < 20000, "%f", number(window, "ms"));
    cr_expect(not(json_get_bool(window, "open")));
}

static void destroy(struct lab *lab)
{
    struct lab_result gone = lab_run(lab, "destroy", "box", "--yes", NULL);
    cr_assert(eq(int, gone.code, 0), "%s", gone.err);
}

Test(health, the_windows_of_a_run_are_seen_stored_and_told)
{
    struct lab *lab = health_lab();
    struct lab_result made = lab_run(lab, "create", "box", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    AUTO_JSON *health = reported(lab);
    const struct json *windows = json_get(health, "windows");
    AUTO_FREE char *text = json_pretty(health);
    cr_assert(eq(sz, json_count(windows), 3), "%s", text);
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(health, "via", ""), "network"));
    cr_expect(json_get_bool(health, "healthy"));
    cr_expect(number(health, "first_healthy_ms") > 500, "%s", text);
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(json_at(windows, 0), "state", ""), "not-yet"));
    expect_window(json_at(windows, 1), "refused");
    expect_window(json_at(windows, 2), "http-503 http-500");
    /* The view says the same spans, and they meet. */
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM health_window"), 6));
    cr_expect(eq(i64,
                 lab_sql_number(lab, "SELECT count(*) FROM health_window AS a WHERE a.to_ns NOT IN (SELECT "
                                     "from_ns FROM health_window)"),
                 1),
              "all but the last");
    double unhealthy = (double)lab_sql_number(
        lab,
        "SELECT sum(to_ns - from_ns) FROM health_window WHERE healthy = 0 AND from_ns > (SELECT min(from_ns) "
        "FROM health_window WHERE healthy = 1)");
    double told = number(health, "unhealthy_ms") * (double)NS_PER_MS;
    cr_expect(unhealthy - told < 1000 && told - unhealthy < 1000, "%f %f", unhealthy, told);
    /* Each change, one in 15 s, and the last: however long it took. */
    cr_expect(
        le(i64,
           lab_sql_number(lab, "SELECT count(*) - (SELECT count(*) FROM event WHERE kind = 'health') - "
                               "(max(at_ns) - min(at_ns)) / 15000000000 FROM sample WHERE kind = 'health'"),
           1));
    /* What is asked for arrives, and is nowhere here. */
    struct lab_result seen = lab_run(lab, "ssh", "box", "--", "cat /run/seen", NULL);
    holds(seen.out, "/health?deep=1");
    cr_expect(text_starts(seen.out, "2 "), "one connection since it was up again, one behind the churn: %s",
              seen.out);
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM sample WHERE detail LIKE '%deep%'"), 0));
    struct lab_result report = lab_run(lab, "report", NULL);
    holds(report.out, "health  over network: healthy for the first time at +");
    holds(report.out, "in 2 windows");
    holds(report.out, "http-503, http-500");
    struct lab_result events = lab_run(lab, "events", "--json", NULL);
    holds(events.out, "\"kind\":\"health\"");
    holds(made.err, "box: healthy");
    holds(made.err, "box: unhealthy (refused)");
    destroy(lab);
}

static void run(struct lab *lab, const char *what, const char *recipe, int code)
{
    set(lab, "RECIPE", recipe);
    struct lab_result ran = lab_run(lab, what, "box", NULL);
    cr_assert(eq(int, ran.code, code), "%s %s: %s%s", what, recipe, ran.out, ran.err);
}

#define LAST_RUN "(SELECT max(number) FROM run)"
#define LAST_STEPS                                                                                         \
    "SELECT group_concat(name || ' ' || coalesce(outcome, '-'), ', ') FROM (SELECT * FROM step WHERE run " \
    "= " LAST_RUN " ORDER BY seq)"

static void expect_steps(struct lab *lab, const char *words)
{
    AUTO_FREE char *steps = lab_sql(lab, LAST_STEPS);
    cr_assert(eq(str, steps, (char *)(uintptr_t)words));
}

Test(health, what_listens_on_the_loopback_alone_is_asked_over_ssh_and_a_run_can_require_it)
{
    struct lab *lab = health_lab();
    set(lab, "HEALTH_URL", "http://127.0.0.1:8080/health");
    set(lab, "HEALTH_REQUIRED", "true");
    run(lab, "create", "loopback", 0);
    expect_steps(lab, "provision ok, transport ok, serve ok, health ok");
    AUTO_JSON *health = reported(lab);
    cr_assert(eq(str, (char *)(uintptr_t)json_get_string(health, "via", ""), "ssh"));
    cr_assert(json_get_bool(health, "healthy"));
    AUTO_FREE char *id = lab_sql(lab, "SELECT id FROM run");
    AUTO_FREE char *sockets = xasprintf("/tmp/triphase-%u/%sd", (unsigned)geteuid(), id + strlen(id) - 12);
    cr_expect(not(file_exists(sockets)), "the forward is gone with the run");
    /* Well, but not as it is wanted. */
    set(lab, "HEALTH_EXPECT", "[204]");
    set(lab, "HEALTH_WITHIN", "1s");
    run(lab, "run", "idle", 6);
    expect_steps(lab, "transport ok, rest ok, health unhealthy");
    AUTO_FREE char *cause =
        lab_sql(lab, "SELECT cause FROM step WHERE name = 'health' ORDER BY number DESC LIMIT 1");
    cr_assert(eq(str, cause, "http-200"));
    struct lab_result explained = lab_run(lab, "report", "--explain", NULL);
    holds(explained.out, "not-healthy");
    /* What is waited for can be cancelled, and gone on with. */
    set(lab, "HEALTH_WITHIN", "10m");
    pid_t waiting = lab_start(lab, "waiting", "run", "box", NULL);
    cr_assert(lab_until_sql(lab, 100, "SELECT count(*) FROM step WHERE name = 'health' AND outcome IS NULL"));
    struct lab_result cancelled = lab_run(lab, "cancel", "box", NULL);
    cr_assert(eq(int, cancelled.code, 0), "%s", cancelled.err);
    cr_assert(eq(int, lab_wait(lab, waiting, 60), 130));
    expect_steps(lab, "transport ok, rest ok, health cancelled");
    set(lab, "HEALTH_EXPECT", NULL);
    run(lab, "resume", "idle", 0);
    expect_steps(lab, "transport ok, health ok");
    destroy(lab);
}

Test(health,
     a_certificate_by_an_authority_that_a_phase_makes_is_verified_and_a_killed_worker_leaves_what_is_known)
{
    struct lab *lab = health_lab();
    set(lab, "HEALTH_URL", "https://{address}:8443/health");
    set(lab, "HEALTH_CA", "tls/ca.crt");
    set(lab, "HEALTH_SERVER_NAME", "vault.test");
    set(lab, "HEALTH_REQUIRED", "true");
    run(lab, "create", "tls", 0);
    AUTO_JSON *health = reported(lab);
    const struct json *first = json_at(json_get(health, "windows"), 0);
    AUTO_FREE char *seen = causes(first);
    cr_assert(eq(str, seen, "no-ca refused"), "first it is not there, then nobody listens");
    cr_assert(json_get_bool(health, "healthy"));
    struct lab_result there = lab_run(lab, "ssh", "box", "--", "cat /run/seen", NULL);
    holds(there.out, "/health vault.test:8443");
    /* Another name than the certificate's. */
    set(lab, "HEALTH_SERVER_NAME", "other.test");
    set(lab, "HEALTH_WITHIN", "1s");
    run(lab, "run", "idle", 6);
    AUTO_FREE char *cause =
        lab_sql(lab, "SELECT cause FROM step WHERE name = 'health' ORDER BY number DESC LIMIT 1");
    cr_assert(eq(str, cause, "certificate"));
    /* Killed within a window: it is told from its begin to the last that was seen. */
    set(lab, "HEALTH_SERVER_NAME", "vault.test");
    set(lab, "RECIPE", "dip");
    pid_t running = lab_start(lab, "killed", "run", "box", NULL);
    cr_assert(lab_until_sql(
        lab, 100,
        "SELECT count(*) FROM sample WHERE kind = 'health' AND healthy = 0 AND run = " LAST_RUN
        " AND at_ns > (SELECT min(at_ns) FROM sample WHERE healthy = 1 AND run = " LAST_RUN ")"));
    AUTO_FREE char *begin =
        lab_sql(lab,
                "SELECT min(at_ns) FROM sample WHERE kind = 'health' AND healthy = 0 AND run = " LAST_RUN);
    cr_assert(eq(int, kill(lab_worker(lab), SIGKILL), 0));
    cr_assert(eq(int, lab_wait(lab, running, 30), 70));
    AUTO_JSON *broken = reported(lab);
    const struct json *windows = json_get(broken, "windows");
    const struct json *window = json_at(windows, json_count(windows) - 1);
    AUTO_FREE char *from = moment_rfc3339(strtoll(begin, NULL, 10));
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(window, "from", ""), from));
    cr_expect(json_get_bool(window, "open"));
    cr_expect(not(json_get_bool(broken, "healthy")));
    struct lab_result report = lab_run(lab, "report", NULL);
    holds(report.out, "for at least");
    destroy(lab);
}

static void expect_via(struct lab *lab, const char *via)
{
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_HEALTH_VIA", via);
    struct lab_result ran = lab_run(lab, "create", "host", "--yes", NULL);
    cr_assert(eq(int, ran.code, 0), "%s: %s%s", via, ran.out, ran.err);
    AUTO_JSON *health = reported(lab);
    AUTO_FREE char *text = json_pretty(health);
    const char *wanted = text_is(via, "auto") ? "proxy" : via;
    cr_expect(eq(str, (char *)(uintptr_t)json_get_string(health, "via", ""), (char *)(uintptr_t)wanted));
    cr_expect(json_get_bool(health, "healthy"), "%s: %s", via, text);
}

Test(health, over_userspace_the_proxy_of_our_own_daemon_leads_there_and_ssh_does)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct rig *guest = tailnet_lab_guest(lab);
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    AUTO_FREE char *keys = xasprintf(
        "    transport: tailnet-userspace\n"
        "    health: {url: 'http://{address}:8080/', every: 500ms, via: proxy, required: true, within: 30s}\n"
        "operator:\n  login_server: %s\n  hostname: op\n  tags: [tag:operator]\n  auth_key: {file: "
        "the-key}\n",
        tailnet_lab_login_server(lab));
    struct lab *project = lab_new();
    tailnet_lab_project(
        project, guest, address, keys, "",
        "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.raw: >-\n"
        "        systemctl is-active web || systemd-run --unit web python3 -m http.server 8080\n");
    lab_write(project, "the-key", "%s\n", key);
    tailnet_operator_enter(op, project);
    struct lab_result up = lab_run(project, "up", "--json", NULL);
    AUTO_JSON *said = up_parsed(&up);
    cr_assert(text_starts(up_string(said, "socks5"), "127.0.0.1:"), "the target's health needs it: %s",
              up.out);
    expect_via(project, "proxy");
    expect_via(project, "auto");
    expect_via(project, "ssh");
    up_down(project);
    rig_remove(guest);
}
