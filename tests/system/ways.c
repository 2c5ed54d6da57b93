/* Which way to a host is taken, why, and when another one: on a real tailnet. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "event/machine.h"
#include "format/json.h"
#include "lab/lab.h"
#include "lab/tailnet.h"
#include "lab/tailnet_fault.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

TestSuite(ways, .timeout = 300);

#define cr_has(text, part) cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

static const char quick[] = "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                            "    - name: a word\n      ansible.builtin.command: hostname\n"
                            "      changed_when: false\n";

static const char requires_tun[] =
    "phases:\n  - {name: work, playbook: playbooks/work.yml, require: [tun]}\n";

static struct json *answer(const struct lab_result *result)
{
    AUTO_ERROR err = ERROR_INIT;
    struct json *report = json_parse(result->out, strlen(result->out), &err);
    cr_assert(report != NULL, "%s: %s%s", error_text(&err), result->out, result->err);
    return report;
}

/* "yes" or "no" for each transport that the evidence weighs, in its order. malloc'ed. */
static char *verdicts(const struct json *evidence)
{
    const struct json *list = json_get(evidence, "transports");
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < json_count(list); i++)
        text_addf(&out, "%s %s\n", json_get_string(json_at(list, i), "name", ""),
                  json_get_bool(json_at(list, i), "usable") ? "yes" : "no");
    return text_take(&out);
}

/* What a command says where this operator's machine is a container of Docker's. malloc'ed. */
static char *in_docker(struct tailnet_operator *op, struct lab *project, const char *words)
{
    return tailnet_operator_shell(
        op,
        "unshare --mount --propagation private sh -c 'mount -t tmpfs tmpfs /run/systemd && echo docker "
        ">/run/systemd/container && exec \"$@\"' sh %s -C %s %s",
        getenv("TRIPHASE"), lab_folder(project), words);
}

/* What inventory --explain and plan say of the target's transports, which has to be the same. malloc'ed. */
static char *agreed(struct lab *project)
{
    struct lab_result shown = lab_run(project, "inventory", "host", "--explain", "--json", NULL);
    AUTO_JSON *inventory = answer(&shown);
    struct lab_result planned = lab_run(project, "plan", "host", "--json", NULL);
    AUTO_JSON *report = answer(&planned);
    const struct json *plan = json_at(json_get(report, "plans"), 0);
    AUTO_FREE char *one = verdicts(json_get(inventory, "evidence"));
    AUTO_FREE char *other = verdicts(json_get(plan, "evidence"));
    cr_assert_str_eq(one, other);
    return TAKE(one);
}

Test(ways, plan_and_explain_say_the_same_of_a_userspace_daemon_that_runs_and_that_does_not)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct rig *guest = tailnet_lab_guest(lab);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = lab_new();
    tailnet_lab_project(project, guest, address, "    transport: [tailnet, tailnet-userspace]\n", "", quick);
    tailnet_operator_enter(op, project);

    AUTO_FREE char *running = agreed(project);
    cr_assert_str_eq(running, "tailnet no\ntailnet-userspace yes\n");
    struct lab_result planned = lab_run(project, "plan", "host", NULL);
    cr_assert_eq(planned.code, 0, "%s%s", planned.out, planned.err);
    cr_has(planned.out, "the host is reached without a TUN (tailnet-userspace)");
    struct lab_result made = lab_run(project, "create", "host", NULL);
    cr_assert_eq(made.code, 0, "%s%s", made.out, made.err);
    cr_has(made.err, "the host is reached without a TUN (tailnet-userspace)");

    struct lab_result shown = lab_run(project, "inventory", "host", "--explain", NULL);
    cr_has(shown.out, "# transport: tailnet-userspace\n");
    cr_has(shown.out, "its TUN");
    cr_has(shown.out, "none: userspace networking");
    cr_has(shown.out, "there is no TUN device /dev/net/tun");
    cr_has(shown.out, "what would give one: ");
    AUTO_FREE char *host = xasprintf("the host %s", address);
    cr_has(shown.out, host);
    cr_has(shown.out, "guest");
    cr_has(shown.out, "online");
    struct lab_result report = lab_run(project, "report", NULL);
    cr_has(report.out, "tailnet-userspace: 1 phase without a TUN");
    struct lab_result doctor = lab_run(project, "doctor", NULL);
    cr_has(doctor.out, "a tailscaled that triphase did not start, 1.");
    cr_has(doctor.out, "that tailscaled has none: only tailnet-userspace");
    cr_has(doctor.out, tailnet_lab_login_server(lab));
    cr_has(doctor.out, "tag:operator");
    static const char flags[] = "docker run --network=host --cap-add=NET_ADMIN --device=/dev/net/tun";
    AUTO_FREE char *contained = in_docker(op, project, "doctor"),
                   *explained = in_docker(op, project, "inventory host --explain");
    const char *row = strstr(contained, "tailnet tun");
    cr_assert(row != NULL, "%s", contained);
    AUTO_FREE char *its_mend = xstrndup(strchr(row, '\n'), strcspn(strchr(row, '\n') + 1, "\n") + 1);
    cr_has(its_mend, flags);
    cr_has(explained, flags);

    lab_write(project, "phases/work.yml", "%s", requires_tun);
    struct lab_result required = lab_run(project, "run", "host", NULL);
    cr_assert_eq(required.code, 69, "%s%s", required.out, required.err);
    cr_has(required.err, "it requires a TUN device: there is no TUN device /dev/net/tun");
    cr_has(required.err, "what would give one: ");
    cr_assert_eq(lab_sql_number(project, "SELECT count(*) FROM run"), 1);

    tailnet_fault_daemon(op, SIGSTOP);
    AUTO_FREE char *stopped = agreed(project);
    cr_assert_str_eq(stopped, "tailnet no\ntailnet-userspace no\n");
    tailnet_fault_daemon(op, SIGCONT);
    rig_remove(guest);
}

Test(ways, a_daemon_with_a_TUN_carries_both_ways_of_a_tailnet)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = lab_new();
    lab_write(project, "triphase.yml",
              "project: lab\ntargets:\n  host: {provider: static, recipe: work, address: 100.64.0.9, "
              "host_keys: accept-new, transport: [tailnet, tailnet-userspace]}\n");
    lab_write(project, "phases/work.yml", "phases: [{name: work, playbook: work.yml}]\n");
    lab_write(project, "work.yml", "%s", quick);
    tailnet_operator_enter(op, project);
    AUTO_FREE char *all = agreed(project);
    cr_assert_str_eq(all, "tailnet yes\ntailnet-userspace yes\n");
    struct lab_result shown = lab_run(project, "inventory", "host", "--explain", NULL);
    cr_has(shown.out, "the transport tailnet goes through the kernel");
    cr_has(shown.out, tailnet_lab_login_server(lab));
}

/* The tailnet's policy has this action for root on hosts; until the guest's daemon has heard of it. */
static void let_in_by_ssh(struct tailnet_lab *lab, struct rig *guest, const char *action, const char *heard)
{
    AUTO_FREE char *policy =
        xasprintf("{\"acls\":[{\"action\":\"accept\",\"src\":[\"*\"],\"dst\":[\"*:*\"]}],"
                  "\"tagOwners\":{\"tag:host\":[],\"tag:operator\":[],\"tag:vault\":[]},"
                  "\"ssh\":[{\"action\":\"%s\",\"src\":[\"tag:operator\"],\"dst\":[\"tag:host\"],"
                  "\"users\":[\"root\"]}]}",
                  action);
    AUTO_FREE char *await =
        xasprintf("for i in $(seq 200); do tailscale debug netmap | grep -qi '%s' && exit "
                  "0; sleep 0.1; done; tailscale debug netmap | grep -i -A30 sshpolicy",
                  heard);
    tailnet_lab_policy(lab, policy);
    AUTO_FREE char *said = rig_ssh(guest, await, NULL);
    cr_assert_str_empty(said, "the guest has not heard of the policy: %s", said);
}

Test(ways, tailscales_own_ssh_on_the_host_is_recognised_refused_and_taken_where_it_is_accepted)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    struct rig *guest = tailnet_lab_guest(lab);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");
    AUTO_FREE char *set = rig_ssh(guest, "tailscale set --ssh", NULL);
    struct lab *project = lab_new();
    tailnet_lab_project(project, guest, address, "    transport: tailnet\n", "", quick);
    tailnet_operator_enter(op, project);

    int64_t since = moment_monotonic();
    struct lab_result refused = lab_run(project, "create", "host", NULL);
    cr_assert_eq(refused.code, 4, "%s%s", refused.out, refused.err);
    cr_has(refused.err, "tailscale-ssh");
    cr_has(refused.err, "tailscale_ssh: accept");
    cr_assert_lt(moment_monotonic() - since, 30 * NS_PER_S, "it is not waited for");
    AUTO_FREE char *cause = lab_sql(project, "SELECT cause FROM step WHERE name = 'transport'");
    cr_assert_str_eq(cause, "tailscale-ssh");

    let_in_by_ssh(lab, guest, "accept", "\"accept\": *true");
    lab_run(project, "forget", "host", "--yes", NULL);
    tailnet_lab_project(project, guest, address,
                        "    transport: tailnet\n    tailnet: {tailscale_ssh: accept}\n",
                        "    host_silent: 2m\n", quick);
    struct lab_result taken = lab_run(project, "create", "host", NULL);
    AUTO_FREE char *daemon =
        taken.code ? rig_ssh(guest, "journalctl --no-pager -q -u tailscaled -n 60", NULL) : NULL;
    cr_assert_eq(taken.code, 0, "%s%s%s", taken.out, taken.err, daemon);
    AUTO_FREE char *evidence =
        lab_sql(project, "SELECT evidence FROM step WHERE kind = 'phase' AND outcome = 'ok'");
    cr_has(evidence, "SSH-2.0-Tailscale");

    /* It holds whoever logs in until somebody made the check. Neither the host's silence nor the stage's time
     * is over when that is given up. */
    let_in_by_ssh(lab, guest, "check", "\"holdAndDelegate\": *\"http");
    struct lab_result held = lab_run(project, "run", "host", NULL);
    cr_assert_eq(held.code, 4, "%s%s", held.out, held.err);
    cr_has(held.err, "tailscale-ssh");
    cr_has(held.err, "without a check in a browser");
    cr_assert(held.seconds > 8 && held.seconds < 30, "%g s", held.seconds);
    rig_remove(guest);
}

/* ------------------------------------------------------------ another way within a run */

/* The first attempt of it takes a minute. */
static const char long_once[] =
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
    "    - name: long, once\n"
    "      ansible.builtin.shell: test -e /var/tmp/second || { touch /var/tmp/second; sleep 90; }\n"
    "      changed_when: false\n";

/* Behind the first one a way is looked for anew. */
static const char churned_and_more[] =
    "phases:\n  - {name: work, playbook: playbooks/work.yml, network_churn: true}\n"
    "  - {name: more, playbook: playbooks/work.yml}\n";

/* Of a target that joins the lab's tailnet and is reached in more than one way. malloc'ed. */
static char *joins(struct tailnet_lab *lab, const char *transports)
{
    return xasprintf("    transport: %s\n    stage_deadline: {transport: 30s}\n"
                     "    tailnet: {login_server: '%s', tags: [tag:host], hostname: guest}\n",
                     transports, tailnet_lab_login_server(lab));
}

static bool is_under_way(void *context)
{
    return file_exists(context);
}

Test(ways, a_way_that_dies_in_a_phase_and_stays_dead_comes_last_and_the_run_ends_over_the_next_one)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    struct rig *guest = tailnet_lab_guest(lab);
    tailnet_guest_join(lab, guest, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = lab_new();
    AUTO_FREE char *keys = joins(lab, "[tailnet, direct]");
    tailnet_lab_project(project, guest, guest->machine->address, keys, "", long_once);
    lab_write(project, "phases/work.yml", "%s", churned_and_more);
    tailnet_operator_enter(op, project);

    pid_t pid = lab_start(project, "create", "create", "host", NULL);
    AUTO_FREE char *mark = xasprintf("/var/lib/triphase/%s/root/var/tmp/second", guest->machine->reference);
    if (!lab_until(90, is_under_way, mark)) {
        AUTO_FREE char *said = lab_read(project, "create.err");
        cr_assert_fail("the phase never began: %s", said);
    }
    tailnet_fault(guest, NULL, TAILNET_FAULT_SILENCE, 0);
    int code = lab_wait(project, pid, 150);
    AUTO_FREE char *log = lab_read(project, "create.err");
    cr_assert_eq(code, 0, "%s", log);
    AUTO_FREE char *ways =
        lab_sql(project, "SELECT group_concat(name || ':' || transport, ' ') FROM (SELECT name, "
                         "transport FROM step WHERE kind = 'phase' ORDER BY seq)");
    cr_assert_str_eq(ways, "work:tailnet work:direct more:direct");
    cr_assert_eq(lab_sql_number(project, "SELECT count(*) FROM event WHERE kind = 'switched'"), 1);
    /* Looked for anew behind the churn: the dead one is not tried first again. */
    cr_assert_lt(lab_sql_number(project,
                                "SELECT duration_ns FROM step WHERE name = 'transport' ORDER BY seq DESC "
                                "LIMIT 1"),
                 10 * NS_PER_S);
    rig_remove(guest);
}

/* The same where the first one has no kernel socket to the host: only the daemon tells that it is dead. */
Test(ways, a_create_that_began_over_userspace_ends_over_another_way_when_that_one_is_cut_in_a_phase)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct rig *guest = tailnet_lab_guest(lab);
    tailnet_guest_join(lab, guest, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = lab_new();
    AUTO_FREE char *keys = joins(lab, "[tailnet-userspace, direct]");
    tailnet_lab_project(project, guest, guest->machine->address, keys, "", long_once);
    lab_write(project, "phases/work.yml", "%s", churned_and_more);
    tailnet_operator_enter(op, project);

    pid_t pid = lab_start(project, "create", "create", "host", NULL);
    AUTO_FREE char *mark = xasprintf("/var/lib/triphase/%s/root/var/tmp/second", guest->machine->reference);
    if (!lab_until(90, is_under_way, mark)) {
        AUTO_FREE char *said = lab_read(project, "create.err");
        cr_assert_fail("the phase never began: %s", said);
    }
    tailnet_fault(guest, NULL, TAILNET_FAULT_SILENCE, 0);
    int code = lab_wait(project, pid, 150);
    AUTO_FREE char *log = lab_read(project, "create.err");
    cr_assert_eq(code, 0, "%s", log);
    AUTO_FREE char *ways =
        lab_sql(project, "SELECT group_concat(name || ':' || transport || ':' || outcome, ' ') FROM (SELECT "
                         "name, transport, outcome FROM step WHERE kind = 'phase' ORDER BY seq)");
    cr_assert_str_eq(ways, "work:tailnet-userspace:transport-lost work:direct:ok more:direct:ok");
    cr_assert_eq(lab_sql_number(project, "SELECT count(*) FROM event WHERE kind = 'switched'"), 1);
    /* Why: what was tried before it, and what came of that. */
    AUTO_FREE char *tried =
        lab_sql(project, "SELECT json_extract(evidence, '$.tried') FROM step WHERE kind = 'phase' AND "
                         "outcome = 'ok' AND name = 'work'");
    cr_has(tried, "\"name\":\"tailnet-userspace\"");
    cr_has(tried, "\"cause\":\"");
    /* Looked for anew behind the churn: the one that died comes last, so it is not even tried. */
    AUTO_FREE char *behind = lab_sql(project, "SELECT json_extract(evidence, '$.tried') FROM step WHERE "
                                              "kind = 'phase' AND name = 'more'");
    cr_has(behind, "\"name\":\"direct\"");
    cr_assert_null(strstr(behind, "tailnet-userspace"), "%s", behind);
    rig_remove(guest);
}

/* ------------------------------------------------------------ a daemon that comes up */

/* A real daemon that was ended and started, which comes up as soon as its control server answers. */
static void restart_daemon(struct tailnet_operator *op)
{
    tailnet_fault_daemon(op, SIGKILL);
    tailnet_operator_daemon(op, NULL, true, NULL);
}

static bool looks_for_a_way(void *context)
{
    return lab_sql_number(context, "SELECT count(*) FROM step WHERE name = 'transport' AND outcome IS NULL "
                                   "AND run = (SELECT max(number) FROM run)") > 0;
}

Test(ways, a_daemon_that_is_starting_is_waited_for_and_no_reason_to_refuse)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    struct rig *guest = tailnet_lab_guest(lab);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = lab_new();
    tailnet_lab_project(project, guest, address, "    transport: tailnet\n", "", quick);
    tailnet_operator_enter(op, project);

    /* At once, as after a restart of its service. */
    restart_daemon(op);
    struct lab_result made = lab_run(project, "create", "host", NULL);
    cr_assert_eq(made.code, 0, "%s%s", made.out, made.err);
    restart_daemon(op);
    struct lab_result shell = lab_run(project, "ssh", "host", "--", "true", NULL);
    cr_assert_eq(shell.code, 0, "%s%s", shell.out, shell.err);
    restart_daemon(op);
    struct lab_result probed = lab_run(project, "probe", "host", "--transport", "tailnet", NULL);
    cr_assert_eq(probed.code, 0, "%s%s", probed.out, probed.err);

    tailnet_lab_stop(lab);
    restart_daemon(op);
    AUTO_FREE char *agrees = agreed(project);
    cr_assert_str_eq(agrees, "tailnet yes\n");
    struct lab_result planned = lab_run(project, "plan", "host", NULL);
    cr_assert_eq(planned.code, 0, "%s%s", planned.out, planned.err);
    cr_has(planned.out, "a run waits until it is Running");
    pid_t pid = lab_start(project, "run", "run", "host", NULL);
    cr_assert(lab_until(60, looks_for_a_way, project), "no stage transport");
    tailnet_lab_start(lab);
    int code = lab_wait(project, pid, 100);
    AUTO_FREE char *log = lab_read(project, "run.err");
    cr_assert_eq(code, 0, "%s", log);

    /* One that never comes up is told within the stage's time. */
    tailnet_lab_stop(lab);
    restart_daemon(op);
    lab_environment(project, "TRIPHASE_DEFAULTS_STAGE_DEADLINE_TRANSPORT", "8s");
    int64_t since = moment_monotonic();
    struct lab_result refused = lab_run(project, "run", "host", NULL);
    cr_assert_eq(refused.code, 4, "%s%s", refused.out, refused.err);
    cr_has(refused.err, "was waited for");
    cr_assert_lt(moment_monotonic() - since, 30 * NS_PER_S);
    rig_remove(guest);
}

Test(ways, another_way_within_a_run_never_rides_on_the_connection_of_the_one_before)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    struct rig *guest = tailnet_lab_guest(lab);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    tailnet_operator_join(op, "tag:operator");
    /* Whoever goes by `tailscale nc` comes to another key. */
    AUTO_FREE char *other =
        rig_ssh(guest,
                "ssh-keygen -q -t ed25519 -N '' -f /run/other && /usr/sbin/sshd -p 2222 -o "
                "HostKey=/run/other -o PidFile=none",
                NULL);
    struct lab *project = lab_new();
    tailnet_lab_project(project, guest, guest->machine->address, "", "", quick);
    lab_write(project, "phases/work.yml",
              "phases:\n  - {name: work, playbook: playbooks/work.yml, transport: direct}\n"
              "  - {name: more, playbook: playbooks/work.yml, transport: tailnet-userspace}\n");
    tailnet_operator_enter(op, project);
    lab_write(project, "bin/tailscale", "#!/bin/sh\nexec %s/tailscale nc %s 2222\n",
              tailnet_lab_programs(lab), address);
    AUTO_FREE char *script = file_join(lab_folder(project), "bin/tailscale");
    AUTO_FREE char *path =
        xasprintf("%s/bin:%s:%s", lab_folder(project), tailnet_lab_programs(lab), getenv("PATH"));
    rig_shell("chmod 0755 %s", script);
    lab_environment(project, "PATH", path);

    struct lab_result made = lab_run(project, "create", "host", NULL);
    cr_assert_eq(made.code, 4, "%s%s", made.out, made.err);
    AUTO_FREE char *cause =
        lab_sql(project, "SELECT cause FROM step WHERE name = 'transport' ORDER BY seq DESC LIMIT 1");
    cr_assert_str_eq(cause, "host-key", "%s", made.err);
    cr_assert_eq(lab_sql_number(project, "SELECT count(*) FROM step WHERE name = 'more'"), 0);
    rig_remove(guest);
}
