/* triphase up: this machine in a real tailnet (tests/lab/tailnet.h), over a daemon that triphase starts. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/spilled.h"
#include "lab/tailnet.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(up, .timeout = 240);

/* A project that joins this headscale with what `keys` say ("  auth_key: …\n"), run on a machine of its own. */
static struct lab *project_of(struct tailnet_lab *lab, struct tailnet_operator *op, const char *keys)
{
    struct lab *project = lab_new();
    lab_write(project, "triphase.yml",
              "project: demo\noperator:\n  login_server: %s\n  hostname: op\n  tags: [tag:operator]\n%s"
              "targets:\n  host:\n    provider: static\n    recipe: work\n    address: 192.0.2.1\n",
              tailnet_lab_login_server(lab), keys);
    lab_write(project, "phases/work.yml", "phases:\n  - name: work\n    playbook: work.yml\n");
    lab_write(project, "work.yml", "- hosts: all\n");
    tailnet_operator_enter(op, project);
    return project;
}

/* A key of headscale's in a file, which the project names. */
static struct lab *project_with_key(struct tailnet_lab *lab, struct tailnet_operator *op, const char *key)
{
    struct lab *project = project_of(lab, op, "  auth_key: {file: the-key}\n");
    lab_write(project, "the-key", "%s\n", key);
    spilled_watch(key);
    return project;
}

static void check_spilled(struct lab *project)
{
    AUTO_FREE char *source = file_join(lab_folder(project), "the-key");
    spilled_check(source, lab_folder(project), NULL);
}

static struct json *parsed(const struct lab_result *result)
{
    struct json *document = json_parse(result->out, strlen(result->out), NULL);
    cr_assert_not_null(document, "%s%s", result->out, result->err);
    return document;
}

/* What the daemon at the socket says of itself, by Tailscale's own program. */
__attribute__((unused)) static struct json *status_of(struct tailnet_operator *op, const char *socket)
{
    struct lab_result said =
        tailnet_operator_run(op, "tailscale", "--socket", socket, "status", "--json", NULL);
    cr_assert_eq(said.code, 0, "%s", said.err);
    return parsed(&said);
}

static struct json *nodes(struct tailnet_lab *lab)
{
    AUTO_FREE char *list = tailnet_lab_headscale(lab, "nodes", "list", "-o", "json", NULL);
    return json_parse(list, strlen(list), NULL);
}

static bool nobody_is_left(void *context)
{
    AUTO_JSON *list = nodes(context);
    return json_count(list) == 0;
}

static char *left_of(struct tailnet_operator *op)
{
    return tailnet_operator_shell(op,
                                  "ls /var/lib/triphase-tailnet | grep -vx -e lock -e tailscaled.log; "
                                  "for one in /proc/[0-9]*; do grep -qs tailscaled $one/comm && test $(stat "
                                  "-Lc %%i $one/ns/net) = $(stat -Lc %%i "
                                  "/proc/self/ns/net) && tr '\\0' ' ' <$one/cmdline; done; ip -o link show "
                                  "type tun 2>/dev/null; true");
}

Test(up, joins_by_a_TUN_where_the_evidence_allows_and_goes_down_without_a_trace)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = project_with_key(lab, op, key);

    struct lab_result up = lab_run(project, "up", "--json", NULL);

    cr_assert_eq(up.code, 0, "%s%s", up.out, up.err);
    AUTO_JSON *said = parsed(&up), *list = nodes(lab);
    cr_expect_str_eq(json_get_string(said, "state", ""), "Running");
    cr_expect_str_eq(json_get_string(said, "mode", ""), "tun", "%s", up.out);
    cr_expect_str_eq(json_string(json_at(json_get(said, "tags"), 0), ""), "tag:operator");
    cr_expect(json_get_bool(said, "own") && json_get_bool(said, "changed"));
    cr_expect_eq(json_count(list), 1);
    free(tailnet_operator_shell(op, "ip -o addr show dev tailscale0 | grep -qF %s",
                                json_string(json_at(json_get(said, "addresses"), 0), "?")));

    struct lab_result again = lab_run(project, "up", "--json", NULL);
    AUTO_JSON *second = parsed(&again);
    cr_expect(again.code == 0 && !json_get_bool(second, "changed"), "%s%s", again.out, again.err);
    cr_expect_eq(json_get_integer(said, "pid", 1), json_get_integer(second, "pid", 2));

    struct lab_result down = lab_run(project, "up", "--down", NULL);
    cr_expect_eq(down.code, 0, "%s%s", down.out, down.err);
    AUTO_FREE char *left = left_of(op);
    cr_expect_str_eq(left, "");
    cr_expect(lab_until(10, nobody_is_left, lab),
              "the device is still there: its daemon was ended, not logged out");
    check_spilled(project);
}
