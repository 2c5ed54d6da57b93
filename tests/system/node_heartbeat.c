/* The role node_heartbeat on a real host, with a control plane that answers, fails, hangs and goes away. */
#include "lab/firewall.h"
#include "lab/recipe_lab.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(node_heartbeat, .timeout = 480);

#define TOKEN "hb-0123456789abcdefghijklmnopqrstuv"

enum { HEARD_BOUND_S = 30 };

static struct lab *project;
static struct firewall_client *control_plane;

static char *heard(void)
{
    return lab_read(project, "heard");
}

/* Heartbeats so far that were answered in this way (NULL: in whatever way). */
static int count(const char *answer)
{
    AUTO_FREE char *log = heard();
    int found = 0;
    for (const char *at = log; (at = strstr(at, "\"what\": \"heartbeat\", \"answer\": \"")); at++)
        found += !answer || text_starts(at + strlen("\"what\": \"heartbeat\", \"answer\": \""), answer);
    return found;
}

struct wanted {
    const char *answer;
    int least;
};

static bool has_come(void *context)
{
    const struct wanted *wanted = context;
    return count(wanted->answer) >= wanted->least;
}

static void await(const char *answer, int more)
{
    struct wanted wanted = {answer, count(answer) + more};
    AUTO_FREE char *log = NULL;
    if (!lab_until(HEARD_BOUND_S, has_come, &wanted))
        log = heard();
    cr_assert(log == NULL, "%s: too few heartbeats: %s", answer, log);
}

struct said {
    int lines;
};

static bool is_ready(void *context)
{
    const struct said *said = context;
    AUTO_FREE char *out = firewall_said(control_plane);
    int lines = 0;
    for (const char *at = out; (at = strchr(at, '\n')); at++)
        lines++;
    return lines >= said->lines;
}

static void be(const char *word)
{
    static struct said said = {1};
    firewall_tell(control_plane, word);
    said.lines++;
    cr_assert(lab_until(HEARD_BOUND_S, is_ready, &said), "the control plane is not ready");
}

static void start_control_plane(const char *address)
{
    AUTO_FREE char *words = xasprintf("%s 8099 %s/heard", address, lab_folder(project));
    lab_write(project, "heard", "%s", "");
    control_plane = firewall_start(project, "tests/lab/heartbeat_receiver.py", words);
}

/* What came: times, and that no connection was used twice. */
static void hold_apart(void)
{
    AUTO_FREE char *log = heard();
    AUTO_WORDS peers = WORDS_INIT;
    char *state = NULL;
    int connections = 0, heartbeats = 0;
    for (char *line = strtok_r(log, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        AUTO_ERROR err = ERROR_INIT;
        AUTO_JSON *one = json_parse(line, strlen(line), &err);
        if (text_is(json_get_string(one, "what", ""), "connection")) {
            connections++;
            continue;
        }
        const char *peer = json_get_string(one, "peer", "");
        cr_expect(words_have(&peers, peer) == false, "a connection carried two heartbeats: %s", peer);
        words_add(&peers, peer);
        heartbeats++;
        const struct json *body = json_get(one, "body"), *memory = json_get(body, "memory"),
                          *disk = json_get(body, "disk");
        cr_expect(eq(str, (char *)(uintptr_t)json_get_string(body, "node", ""), "node-7"));
        cr_expect(eq(str, (char *)(uintptr_t)json_get_string(one, "authorization", ""), "Bearer " TOKEN));
        cr_expect(eq(str, (char *)(uintptr_t)json_get_string(one, "type", ""), "application/json"));
        cr_expect(eq(str, (char *)(uintptr_t)json_get_string(one, "path", ""), "/v1/beat?fleet=lab"));
        cr_expect(eq(sz, json_count(json_get(body, "load")), 3));
        cr_expect(gt(i64, json_get_integer(memory, "available", 0), 0));
        cr_expect(gt(i64, json_get_integer(memory, "total", 0), json_get_integer(memory, "available", 0)));
        cr_expect(gt(i64, json_get_integer(disk, "total", 0), json_get_integer(disk, "available", -1)));
        cr_expect(gt(i64, json_get_integer(disk, "available", -1), -1));
    }
    cr_expect(eq(int, connections, heartbeats));
}

Test(node_heartbeat, is_sent_at_once_and_then_again_and_again_whatever_the_control_plane_does)
{
    struct rig *guest = firewall_guest(NULL);
    AUTO_FREE char *here =
        rig_output("ip -4 -o addr show dev %s | grep -oE 'inet [0-9.]+' | cut -c6- | tr -d '\\n'",
                   guest->machine->reference);
    project = firewall_project(guest);
    start_control_plane(here);
    AUTO_FREE char *vars = xasprintf(
        "  vars: {node_heartbeat_url: 'http://%s:8099/v1/beat?fleet=lab', node_heartbeat_id: node-7, "
        "node_heartbeat_token: " TOKEN ", node_heartbeat_every: 2, node_heartbeat_jitter: 0, "
        "node_heartbeat_connect: 1, node_heartbeat_total: 1}\n",
        here);
    firewall_play(project, "node_heartbeat", vars);
    firewall_run(project, 0, "create");
    await("200", 3);
    /* When they come here is the machine's load too; how far apart they begin is the timer's. */
    AUTO_FREE char *apart =
        rig_ssh(guest,
                "systemctl show -P TimersMonotonic node-heartbeat.timer | grep -o 'OnUnitActiveUSec=[^ ]*'; "
                "systemctl show -P RandomizedDelayUSec node-heartbeat.timer",
                NULL);
    cr_expect(eq(str, apart, "OnUnitActiveUSec=2s\n0\n"));

    /* None of these keeps the next one from coming, or makes the unit one that failed. */
    be("500");
    await("500", 1);
    be("302");
    await("302", 1);
    be("hang");
    /* In the middle of one that is never answered, nobody waits. */
    await("hang", 2);
    free(rig_ssh(guest,
                 "sed -i 's/\"total\": .*,/\"total\": 90.0,/' /etc/node-heartbeat/config.json; grep -q 90.0 "
                 "/etc/node-heartbeat/config.json && systemctl restart node-heartbeat.service",
                 NULL));
    await("hang", 1);
    int64_t before = moment_monotonic();
    free(rig_ssh(guest, "systemctl stop node-heartbeat.service", NULL));
    cr_expect(lt(i64, moment_monotonic() - before, 30 * NS_PER_S));
    free(rig_ssh(guest, "sed -i 's/90.0/1.0/' /etc/node-heartbeat/config.json", NULL));
    be("gone");
    be("200");
    free(rig_ssh(
        guest,
        "timeout 30 sh -c 'until journalctl -q -u node-heartbeat | grep -q refused; do journalctl -qfn0 "
        "-u node-heartbeat | head -n 1 >/dev/null; done'",
        NULL));
    be("back");
    await("200", 2);
    hold_apart();
    AUTO_FREE char *seen = rig_ssh(guest,
                                   "systemctl is-failed node-heartbeat.service node-heartbeat.timer; "
                                   "journalctl -q -u node-heartbeat -o cat "
                                   "| sed 's/.*: //' | sort -u; grep -rla " TOKEN
                                   " /etc /var/log /run/log /usr/local 2>/dev/null; "
                                   "stat -c %a /etc/node-heartbeat/token",
                                   NULL);
    cr_expect(strstr(seen, "failed") == NULL, "%s", seen);
    cr_expect(strstr(seen, "it answers 500\n") && strstr(seen, "it answers 302\n") &&
                  strstr(seen, "no answer within 1 s\n"),
              "%s", seen);
    cr_expect(strstr(seen, "\n/etc/node-heartbeat/token\n600\n") != NULL, "%s", seen);

    firewall_run(project, 0, "run");
    cr_expect(eq(i64, recipe_lab_changed(project), 0));
}
