#include "lab/up.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/spilled.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct lab *up_project(struct tailnet_lab *lab, struct tailnet_operator *op, const char *keys)
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

struct lab *up_project_with_key(struct tailnet_lab *lab, struct tailnet_operator *op, const char *key)
{
    struct lab *project = up_project(lab, op, "  auth_key: {file: the-key}\n");
    lab_write(project, "the-key", "%s\n", key);
    spilled_watch(key); /* it may be one that the test thought up */
    return project;
}

struct lab *up_project_with_api(struct tailnet_lab *lab, struct tailnet_operator *op, const char *keys)
{
    AUTO_FREE char *all =
        xasprintf("  api: %s/api/v2\n  oauth: {id: {file: the-id}, secret: {file: the-key}}\n%s",
                  tailnet_lab_api(lab), keys);
    struct lab *project = up_project(lab, op, all);
    lab_write(project, "the-id", "%s\n", TAILNET_API_OWN_ID);
    lab_write(project, "the-key", "%s\n", tailnet_lab_api_secret(lab));
    return project;
}

struct json *up_parsed(const struct lab_result *result)
{
    struct json *document = json_parse(result->out, strlen(result->out), NULL);
    cr_assert_not_null(document, "%s%s", result->out, result->err);
    return document;
}

struct json *up_status(struct tailnet_operator *op, const char *socket)
{
    struct lab_result said =
        tailnet_operator_run(op, "tailscale", "--socket", socket, "status", "--json", NULL);
    cr_assert_eq(said.code, 0, "%s", said.err);
    return up_parsed(&said);
}

struct json *up_nodes(struct tailnet_lab *lab)
{
    AUTO_FREE char *list = tailnet_lab_headscale(lab, "nodes", "list", "-o", "json", NULL);
    return json_parse(list, strlen(list), NULL);
}

static bool nobody_is_left(void *context)
{
    AUTO_JSON *list = up_nodes(context);
    return json_count(list) == 0;
}

char *up_left(struct tailnet_operator *op)
{
    return tailnet_operator_shell(op,
                                  "ls /var/lib/triphase-tailnet | grep -vx -e lock -e tailscaled.log; "
                                  "for one in /proc/[0-9]*; do grep -qs tailscaled $one/comm && test $(stat "
                                  "-Lc %%i $one/ns/net) = $(stat -Lc %%i "
                                  "/proc/self/ns/net) && tr '\\0' ' ' <$one/cmdline; done; ip -o link show "
                                  "type tun 2>/dev/null; true");
}

void up_expect_nothing_is_left(struct tailnet_lab *lab, struct tailnet_operator *op)
{
    AUTO_FREE char *left = up_left(op);
    cr_expect(eq(str, left, ""));
    cr_expect(lab_until(15, nobody_is_left, lab), "a device is still in the tailnet");
}

void up_down(struct lab *project)
{
    struct lab_result down = lab_run(project, "up", "--down", NULL);
    cr_expect(eq(int, down.code, 0), "%s%s", down.out, down.err);
}

bool up_has(const struct json *list, const char *word)
{
    for (size_t i = 0; i < json_count(list); i++)
        if (text_is(json_string(json_at(list, i), ""), word))
            return true;
    return false;
}

char *up_string(const struct json *document, const char *key)
{
    return (char *)json_get_string(document, key, "");
}

int up_daemons(struct tailnet_operator *op)
{
    AUTO_FREE char *count =
        tailnet_operator_shell(op, "n=0; for one in /proc/[0-9]*; do grep -qs tailscaled $one/comm && test "
                                   "$(stat -Lc %%i $one/ns/net) = $(stat "
                                   "-Lc %%i /proc/self/ns/net) && n=$((n+1)); done; echo $n");
    return (int)strtol(count, NULL, 10);
}

/* Killed after so many milliseconds, whatever it is doing. */
static void kill_after(struct lab *project, int ms)
{
    AUTO_FREE char *name = xasprintf("killed-%d", ms);
    pid_t pid = lab_start(project, name, "up", NULL);
    moment_sleep(ms * NS_PER_MS);
    kill(pid, SIGKILL);
    lab_wait(project, pid, 20);
}

static int time_of_a_whole_one(struct lab *project)
{
    struct lab_result up = lab_run(project, "up", NULL);
    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    up_down(project);
    return (int)(up.seconds * 1000);
}

void up_kill_rounds(struct tailnet_lab *lab, struct tailnet_operator *op, struct lab *project, int instants)
{
    int whole_ms = time_of_a_whole_one(project);
    for (int i = 0; i < instants; i++) {
        kill_after(project, whole_ms * i / instants + 5);
        if (i % 2) {
            struct lab_result up = lab_run(project, "up", "--json", NULL);
            cr_expect(eq(int, up.code, 0), "%d of %d: %s%s", i, instants, up.out, up.err);
            cr_expect(eq(int, up_daemons(op), 1), "%d of %d", i, instants);
        }
        up_down(project);
        cr_expect(eq(int, up_daemons(op), 0), "%d of %d", i, instants);
        up_expect_nothing_is_left(lab, op);
    }
}
