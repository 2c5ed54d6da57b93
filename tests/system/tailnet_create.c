/* The way of a create into a tailnet and out of it again: bootstrap over `direct`, then over the tailnet;
 * against a real headscale and real tailscaled (tests/lab/tailnet.h), with the role of playbooks/tailnet. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/tailnet.h"
#include "lab/tailnet_fault.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>

TestSuite(tailnet_create, .timeout = 300);

#define cr_has(text, part) cr_assert(strstr((text), (part)) != NULL, "no '%s' in: %s", (part), (text))

static const char work[] =
    "- hosts: recipe_web\n  gather_facts: false\n  tasks:\n"
    "    - ansible.builtin.command: hostname\n      changed_when: false\n"
    "    - ansible.builtin.assert:\n        that: triphase_address is match('100.64.')\n";

static const char work_of_host[] = "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                                   "    - ansible.builtin.command: hostname\n      changed_when: false\n";

/* What a bootstrap has to do, as short as can be: the role of playbooks/tailnet copies 50 MB through
 * Ansible. `%s`: folder of the programs; what `tailscale up` is told beside. */
static const char bootstrap[] =
    "- hosts: recipe_web\n  gather_facts: false\n  vars:\n"
    "    root: /var/lib/triphase/tp{{ triphase_machine_dir.split('/')[-2][-10:] }}/root\n  tasks:\n"
    "    - name: Put the programs there\n      delegate_to: localhost\n      ansible.builtin.shell:\n"
    "        cmd: cmp -s %1$s/tailscale {{ root }}/usr/bin/tailscale || cp %1$s/tailscale %1$s/tailscaled {{ "
    "root }}/usr/bin/\n"
    "    - name: Join\n      ansible.builtin.shell:\n"
    "        stdin: \"{{ triphase_tailnet_auth_key }}\"\n        cmd: |\n          set -e\n"
    "          systemctl is-active -q tailscaled || systemd-run -q --unit=tailscaled -E "
    "TS_DEBUG_USE_DERP_HTTP=1 "
    "-E TS_NO_LOGS_NO_SUPPORT=1 /usr/bin/tailscaled --tun=tailscale0\n"
    "          until tailscale status --json >/dev/null 2>&1; do sleep 0.2; done\n"
    "          umask 077; cat >/run/key; trap 'rm -f /run/key' EXIT\n"
    "          tailscale up --auth-key=file:/run/key --login-server={{ triphase_tailnet_login_server }} "
    "--hostname={{ triphase_tailnet_hostname }} --accept-dns=false --timeout=40s %2$s\n%3$s";

static void use_short_bootstrap(struct tailnet_lab *lab, struct lab *project, const char *told,
                                const char *more)
{
    lab_write(project, "join.yml", bootstrap, tailnet_lab_programs(lab), told, more);
    lab_write(project, "phases/web.yml",
              "bootstrap: {playbook: join.yml}\nphases:\n  - {name: work, playbook: work.yml}\n");
}

/* A target `web`, a sandbox that is to be `web` of the lab's tailnet with tag:host. `keys`: further lines of
 * its `tailnet` ("      auth_key: …\n"). */
static struct lab *project_of(struct tailnet_lab *lab, struct tailnet_operator *op, const char *keys)
{
    struct lab *project = lab_new();
    lab_write(project, "triphase.yml",
              "project: shop\ntargets:\n  web:\n    recipe: web\n    transport: [tailnet, "
              "tailnet-userspace]\n    tailnet:\n"
              "      login_server: %s\n      tags: [tag:host]\n%s    vars:\n      tailnet_programs: %s\n"
              "      tailnet_environment: {TS_DEBUG_USE_DERP_HTTP: '1', TS_NO_LOGS_NO_SUPPORT: '1'}\n",
              tailnet_lab_login_server(lab), keys, tailnet_lab_programs(lab));
    lab_write(project, "work.yml", "%s", work);
    use_short_bootstrap(lab, project, "", "");
    tailnet_operator_enter(op, project);
    return project;
}

static struct lab *project_with_key(struct tailnet_lab *lab, struct tailnet_operator *op, const char *tag)
{
    AUTO_FREE char *key = tailnet_lab_key(lab, tag, true, true);
    struct lab *project = project_of(lab, op, "      auth_key: {file: the-key}\n");
    lab_write(project, "the-key", "%s\n", key);
    return project;
}

static struct lab *project_with_api(struct tailnet_lab *lab, struct tailnet_operator *op, const char *more)
{
    AUTO_FREE char *keys =
        xasprintf("      api: %s/api/v2\n      oauth: {id: {file: the-id}, secret: {file: the-key}}\n%s",
                  tailnet_lab_api(lab), more);
    struct lab *project = project_of(lab, op, keys);
    lab_write(project, "the-id", "%s\n", TAILNET_API_OWN_ID);
    lab_write(project, "the-key", "%s\n", tailnet_lab_api_secret(lab));
    return project;
}

/* A second target that is to have the first one's name in the tailnet. */
static void use_as_well(struct lab *project, const char *name)
{
    AUTO_FREE char *was = lab_read(project, "triphase.yml");
    const char *first = strstr(was, "  web:\n"), *keys = strstr(was, "    tailnet:\n");
    cr_assert(first && keys);
    AUTO_FREE char *body = xstrndup(first + strlen("  web:\n"), (size_t)(keys - first) - strlen("  web:\n"));
    lab_write(project, "triphase.yml", "%s  %s:\n%s    tailnet:\n      hostname: web\n%s", was, name, body,
              keys + strlen("    tailnet:\n"));
}

/* With what its host has to tell: no key is in it, as in nothing else that is kept (lab/tailnet.h). */
static void make_bundle(struct lab *project)
{
    AUTO_FREE char *archive = file_join(lab_folder(project), "web.tar.gz");
    struct lab_result bundle = lab_run(project, "bundle", "web", "--format", "gz", "-o", archive, NULL);
    cr_expect(eq(int, bundle.code, 0), "%s", bundle.err);
}

/* "web:tag:host operator:tag:operator", by headscale's own list. */
static char *nodes(struct tailnet_lab *lab)
{
    AUTO_FREE char *said = tailnet_lab_headscale(lab, "nodes", "list", "-o", "json", NULL);
    AUTO_JSON *list = json_parse(said, strlen(said), NULL);
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < json_count(list); i++) {
        const struct json *node = json_at(list, i), *tags = json_get(node, "tags");
        text_addf(&out, " %s:%s", json_get_string(node, "given_name", "?"),
                  json_string(json_at(tags, 0), "-"));
    }
    text_add_char(&out, ' ');
    return text_take(&out);
}

static char *steps_of_last_run(struct lab *project)
{
    return lab_sql(project,
                   "SELECT group_concat(name || ':' || coalesce(transport, '-') || ':' || outcome, ' ') FROM "
                   "(SELECT * FROM step WHERE run = (SELECT max(number) FROM run) ORDER BY seq)");
}

/* What the last destroy tried, a line for each way to the host. */
static char *log_out_of_destroy(struct lab *project)
{
    return lab_sql(project,
                   "SELECT json_extract(evidence, '$.log_out') FROM step WHERE name = 'destroy' ORDER "
                   "BY run DESC LIMIT 1");
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        count++;
    return count;
}

static void expect_ok(struct lab_result result)
{
    cr_assert(eq(int, result.code, 0), "%s%s", result.out, result.err);
}

Test(tailnet_create, a_host_joins_over_direct_and_is_converged_over_the_tailnet_and_leaves_it_when_destroyed)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_key(lab, op, "tag:host");
    lab_environment(project, "TRIPHASE_TARGETS_WEB_READY", "[user]");

    expect_ok(lab_run(project, "create", "web", NULL));

    AUTO_FREE char *first = steps_of_last_run(project), *there = nodes(lab);
    cr_expect_str_eq(
        first,
        "provision:-:ok ready-user:-:ok tailnet-look:-:ok transport:-:ok bootstrap:direct:ok tailnet:-:ok "
        "transport:-:ok work:tailnet:ok");
    cr_has(there, " web:tag:host ");
    AUTO_FREE char *asked =
        lab_sql(project, "SELECT json_extract(evidence, '$.asked') FROM step WHERE name = 'tailnet'");
    cr_expect_str_eq(asked, "peers");

    /* Nothing of the tailnet is touched a second time, and the host asked over it whether it is ready. */
    expect_ok(lab_run(project, "create", "web", NULL));
    AUTO_FREE char *second = steps_of_last_run(project), *same = nodes(lab);
    cr_expect_str_eq(second,
                     "provision:-:ok tailnet-look:-:ok transport:-:ok ready-user:tailnet:ok work:tailnet:ok");
    cr_expect_str_eq(same, there);
    make_bundle(project);

    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
    AUTO_FREE char *gone = nodes(lab), *log_out = log_out_of_destroy(project);
    cr_expect_null(strstr(gone, "web"), "%s", gone);
    cr_expect_str_eq(log_out, "[\"direct: it is out\"]");
    AUTO_FREE char *left = lab_sql(project, "SELECT count(*) FROM machine WHERE removed_ns = 0");
    cr_expect_str_eq(left, "0");
}

/* Over the tailnet it can only say that it will, since the connection goes with it. */
Test(tailnet_create, a_host_that_lets_nobody_in_but_over_the_tailnet_is_logged_out_before_it_is_removed)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_key(lab, op, "tag:host");
    expect_ok(lab_run(project, "create", "web", NULL));
    expect_ok(lab_run(project, "ssh", "web", "--",
                      "iptables -A INPUT -p tcp --dport 22 ! -i tailscale0 -j DROP", NULL));

    struct lab_result destroyed = lab_run(project, "destroy", "web", "--yes", NULL);

    expect_ok(destroyed);
    cr_has(destroyed.err, "logging out of the tailnet, over tailnet: it said that it will\n");
    cr_has(destroyed.err, "its device is out of the tailnet (asked: peers)\n");
    AUTO_FREE char *gone = nodes(lab);
    cr_expect_null(strstr(gone, "web"), "%s", gone);
}

/* The operator's daemon has no TUN, so that a host is made, converged and removed over userspace too. (Its
 * machine has one: the sandbox needs it.) */
Test(tailnet_create, a_key_is_made_by_the_API_for_one_bootstrap_and_deleted_behind_it)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_daemon(op, NULL, false, NULL);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_api(lab, op, "");
    lab_environment(project, "TRIPHASE_TARGETS_WEB_TRANSPORT", "tailnet-userspace");

    expect_ok(lab_run(project, "create", "web", NULL));
    AUTO_FREE char *first = tailnet_lab_api_requests(lab);
    cr_expect_eq(count_of(first, "POST /api/v2/tailnet/-/keys 200"), 1, "%s", first);
    cr_expect_eq(count_of(first, "DELETE /api/v2/tailnet/-/keys/"), 1, "%s", first);
    AUTO_FREE char *asked =
        lab_sql(project, "SELECT json_extract(evidence, '$.asked') FROM step WHERE name = 'tailnet'");
    cr_expect_str_eq(asked, "api");
    AUTO_FREE char *steps = steps_of_last_run(project);
    cr_expect_str_eq(steps,
                     "provision:-:ok tailnet-look:-:ok transport:-:ok bootstrap:direct:ok tailnet:-:ok "
                     "transport:-:ok work:tailnet-userspace:ok");

    expect_ok(lab_run(project, "create", "web", NULL));
    AUTO_FREE char *second = tailnet_lab_api_requests(lab);
    cr_expect_eq(count_of(second, "POST /api/v2/tailnet/-/keys 200"), 1, "%s", second);
    make_bundle(project);

    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
    AUTO_FREE char *gone = nodes(lab),
                   *left = lab_sql(project, "SELECT count(*) FROM machine WHERE removed_ns = 0");
    cr_expect_null(strstr(gone, "web"), "%s", gone);
    cr_expect_str_eq(left, "0");
}

/* ------------------------------------------------------------ keys that are made */

/* A bootstrap that holds the key and comes to no end until `go` is there; then it fails. */
static const char held_bootstrap[] =
    "- hosts: recipe_web\n  gather_facts: false\n  tasks:\n"
    "    - delegate_to: localhost\n      ansible.builtin.shell:\n"
    "        cmd: cat >/dev/null; touch there; until test -e go; do sleep 0.2; done; exit 1\n"
    "        stdin: \"{{ triphase_tailnet_auth_key }}\"\n"
    "      args: {chdir: \"{{ playbook_dir }}\"}\n";

static pid_t begin_held(struct tailnet_lab *lab, struct lab *project, const char *word)
{
    rig_shell("rm -f %s/go %s/there", lab_folder(project), lab_folder(project));
    pid_t run = lab_start(project, word, word, "web", NULL);
    if (!lab_until_file(project, 100, "there")) {
        AUTO_FREE char *name = xasprintf("%s.err", word), *said = lab_read(project, name);
        cr_assert(false, "no bootstrap: %s", said);
    }
    AUTO_FREE char *key = tailnet_lab_api_minted(lab), *keys = tailnet_lab_api_keys(lab);
    cr_assert(strlen(key) > 20, "no key was made");
    cr_assert(keys[0] == 'k' && !strchr(keys, ' '), "not one key is there: %s", keys);
    return run;
}

static void expect_no_key(struct tailnet_lab *lab, const char *when)
{
    AUTO_FREE char *keys = tailnet_lab_api_keys(lab);
    cr_expect_str_empty(keys, "%s: %s", when, keys);
}

Test(tailnet_create,
     a_key_that_was_made_is_deleted_where_its_bootstrap_failed_or_was_cancelled_or_killed_and_seen_by_nobody)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_api(lab, op, "");
    lab_write(project, "join.yml", "%s", held_bootstrap);

    pid_t failing = begin_held(lab, project, "create");
    lab_write(project, "go", "%s", "");
    cr_expect(eq(int, lab_wait(project, failing, 60), 2));
    expect_no_key(lab, "its bootstrap failed");

    pid_t cancelled = begin_held(lab, project, "resume");
    kill(cancelled, SIGINT);
    cr_expect(eq(int, lab_wait(project, cancelled, 60), 130));
    expect_no_key(lab, "it was cancelled");

    /* Its id stands in the machine's row, for whoever comes next. */
    pid_t killed = begin_held(lab, project, "resume");
    kill(lab_worker(project), SIGKILL);
    cr_expect(eq(int, lab_wait(project, killed, 60), 70));
    make_bundle(project);
    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
    expect_no_key(lab, "its worker was killed");
    AUTO_FREE char *left = lab_sql(project, "SELECT count(*) FROM event WHERE kind = 'key_left'");
    cr_expect_str_eq(left, "0");
}

Test(tailnet_create, resume_plans_the_bootstrap_as_create_does)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_key(lab, op, "tag:host");
    lab_write(project, "join.yml",
              "- hosts: recipe_web\n  gather_facts: false\n  tasks:\n"
              "    - ansible.builtin.fail:\n");
    lab_run(project, "create", "web", NULL);

    lab_write(project, "join.yml",
              "- hosts: recipe_web\n  gather_facts: false\n  tasks:\n"
              "    - no_such_module_at_all:\n");
    struct lab_result refused = lab_run(project, "resume", "web", NULL);

    cr_expect(eq(int, refused.code, 78), "%s%s", refused.out, refused.err);
    cr_has(refused.err, "no_such_module_at_all");
    AUTO_FREE char *runs = lab_sql(project, "SELECT count(*) FROM run");
    cr_expect_str_eq(runs, "1");
    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
}

/* The role that comes with triphase does it as well. It copies the programs through Ansible, which takes its
 * time. */
Test(tailnet_create, the_role_that_comes_with_it_joins_a_host_and_its_teardown_takes_it_out, .timeout = 580)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_key(lab, op, "tag:host");
    rig_shell("mkdir %s/playbooks && cp -r playbooks/tailnet %s/playbooks/", lab_folder(project),
              lab_folder(project));
    lab_write(project, "phases/web.yml",
              "bootstrap: {playbook: playbooks/tailnet/bootstrap.yml}\n"
              "phases:\n  - {name: work, playbook: work.yml}\n"
              "teardown:\n  - {name: leave, playbook: playbooks/tailnet/leave.yml}\n");

    pid_t create = lab_start(project, "create", "create", "web", NULL);
    int code = lab_wait(project, create, 480);
    AUTO_FREE char *said = lab_read(project, "create.err"), *there = nodes(lab);
    cr_assert(eq(int, code, 0), "%s", said);
    cr_has(there, " web:tag:host ");

    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
    AUTO_FREE char *gone = nodes(lab);
    cr_expect_null(strstr(gone, "web"), "%s", gone);
}

/* ------------------------------------------------------------ devices that stand in the way */

static void expect_failure(struct lab_result result, int code, const char *says)
{
    cr_assert(eq(int, result.code, code), "%s%s", result.out, result.err);
    cr_has(result.err, says);
}

static char *cause_of(struct lab *project, const char *step)
{
    AUTO_FREE char *query =
        xasprintf("SELECT outcome || ' ' || coalesce(cause, '-') FROM step WHERE name = '%s' ORDER BY "
                  "run DESC, seq DESC LIMIT 1",
                  step);
    return lab_sql(project, query);
}

/* Another operator's daemon that is called `web` in the tailnet, and then ended or not. */
static struct tailnet_operator *start_namesake(struct tailnet_lab *lab, const char *tag, bool stays)
{
    struct tailnet_operator *other = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    AUTO_FREE char *key = tailnet_lab_key(lab, tag, false, false);
    tailnet_operator_daemon(other, NULL, false, NULL);
    tailnet_operator_join_by(other, key, "web");
    if (!stays)
        kill(tailnet_operator_daemon_pid(other), SIGKILL);
    return other;
}

static void delete_node(struct tailnet_lab *lab, const char *name)
{
    AUTO_FREE char *said = tailnet_lab_headscale(lab, "nodes", "list", "-o", "json", NULL);
    AUTO_JSON *list = json_parse(said, strlen(said), NULL);
    for (size_t i = 0; i < json_count(list); i++)
        if (text_is(json_get_string(json_at(list, i), "given_name", ""), name)) {
            AUTO_FREE char *id = xasprintf("%lld", (long long)json_get_integer(json_at(list, i), "id", 0));
            free(tailnet_lab_headscale(lab, "nodes", "delete", "-i", id, "--force", NULL));
        }
}

static bool sees_the_second(void *context)
{
    struct lab_result said = tailnet_operator_run(context, "tailscale", "status", NULL);
    return strstr(said.out, "web-1") != NULL;
}

static bool is_offline(void *context)
{
    AUTO_FREE char *said = tailnet_lab_headscale(context, "nodes", "list", "-o", "json", NULL);
    AUTO_JSON *list = json_parse(said, strlen(said), NULL);
    for (size_t i = 0; i < json_count(list); i++)
        if (text_is(json_get_string(json_at(list, i), "given_name", ""), "web") &&
            json_get_bool(json_at(list, i), "online"))
            return false;
    return true;
}

Test(tailnet_create, a_stale_device_of_its_name_is_refused_by_name_before_anything_is_done_on_the_host)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    start_namesake(lab, "tag:host", true);
    struct lab *project = project_with_key(lab, op, "tag:host");

    expect_failure(lab_run(project, "create", "web", NULL), 3, "the device web");

    AUTO_FREE char *cause = cause_of(project, "tailnet-look"), *steps = steps_of_last_run(project);
    cr_expect_str_eq(cause, "failed tailnet-stale");
    cr_expect_str_eq(steps, "provision:-:ok tailnet-look:-:failed");
    /* Nothing was joined, so nothing of the tailnet is asked, and the other one stays. */
    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
    AUTO_FREE char *there = nodes(lab);
    cr_has(there, " web:tag:host ");
}

Test(tailnet_create, a_stale_device_is_removed_only_where_it_is_ended_and_carries_the_targets_tags)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_api(lab, op, "      stale: remove\n");
    struct tailnet_operator *other = start_namesake(lab, "tag:vault", true);

    expect_failure(lab_run(project, "create", "web", NULL), 3, "it is connected, so it is left alone");
    kill(tailnet_operator_daemon_pid(other), SIGKILL);
    cr_assert(lab_until(60, is_offline, lab), "headscale still calls it online");
    expect_failure(lab_run(project, "create", "web", NULL), 3,
                   "it does not carry tag:host, so it is left alone");
    AUTO_FREE char *kept = nodes(lab);
    cr_has(kept, " web:tag:vault ");
    delete_node(lab, "web");

    start_namesake(lab, "tag:host", false);
    cr_assert(lab_until(60, is_offline, lab), "headscale still calls it online");
    expect_ok(lab_run(project, "create", "web", NULL));
    AUTO_FREE char *there = nodes(lab),
                   *removed = lab_sql(project, "SELECT json_extract(evidence, '$.removed[0]') FROM step "
                                               "WHERE name = 'tailnet-look' ORDER BY run DESC LIMIT 1");
    cr_expect_eq(count_of(there, "web"), 1, "%s", there);
    cr_has(there, " web:tag:host ");
    cr_has(removed, "web (");
    make_bundle(project);
    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
}

Test(tailnet_create, a_device_of_other_tags_than_wanted_is_told_and_carries_no_phase)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_key(lab, op, "tag:vault");

    expect_failure(lab_run(project, "create", "web", NULL), 3,
                   "its device has tag:vault, and tag:host was wanted");

    AUTO_FREE char *cause = cause_of(project, "tailnet"),
                   *ran = lab_sql(project, "SELECT count(*) FROM step WHERE name = 'work'");
    cr_expect_str_eq(cause, "failed tailnet-tags");
    cr_expect_str_eq(ran, "0");
    make_bundle(project);
    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
    AUTO_FREE char *gone = nodes(lab);
    cr_expect_null(strstr(gone, "web"), "%s", gone);
}

Test(tailnet_create, two_devices_of_its_name_are_one_too_many)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_key(lab, op, "tag:host");
    expect_ok(lab_run(project, "create", "web", NULL));

    start_namesake(lab, "tag:host", true);
    cr_assert(lab_until(20, sees_the_second, op), "the operator does not hear of it");
    expect_failure(lab_run(project, "create", "web", NULL), 3,
                   "a second device of its name is in the tailnet: web-1");

    AUTO_FREE char *cause = cause_of(project, "tailnet-look");
    cr_expect_str_eq(cause, "failed tailnet-twice");
    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
    AUTO_FREE char *left = nodes(lab);
    cr_expect_eq(count_of(left, "web"), 1, "%s", left);
    cr_has(left, " web-1:tag:host ");
}

/* ------------------------------------------------------------ what breaks on the way */

/* A signal to processes of that name in the guest ("": to all). */
static void signal_guest(struct lab *project, const char *word, const char *name)
{
    AUTO_FREE char *guest = lab_sql(project, "SELECT reference FROM machine WHERE removed_ns = 0");
    cr_assert(guest[0] != '\0');
    rig_shell("for p in $(ip netns pids %s); do grep -q '%s' /proc/$p/comm && kill -%s $p; done; true", guest,
              name, word);
}

Test(tailnet_create, a_worker_killed_before_it_knows_that_the_host_joined_loses_neither_host_nor_device)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_key(lab, op, "tag:host");
    /* Its daemon stands still, so that the stage behind the bootstrap waits for its word. */
    use_short_bootstrap(lab, project, "", "    - ansible.builtin.shell: kill -STOP $(pidof tailscaled)\n");

    pid_t create = lab_start(project, "create", "create", "web", NULL);
    cr_assert(lab_until_sql(project, 100, "SELECT count(*) FROM step WHERE name = 'tailnet'"),
              "no stage tailnet");
    kill(lab_worker(project), SIGKILL);
    cr_expect(eq(int, lab_wait(project, create, 30), 70));
    signal_guest(project, "CONT", "tailscaled");

    /* The name was free when the bootstrap began, so the device is the machine's own. */
    expect_ok(lab_run(project, "resume", "web", NULL));
    AUTO_FREE char *steps = steps_of_last_run(project), *there = nodes(lab);
    cr_expect_str_eq(steps, "provision:-:ok tailnet-look:-:ok transport:-:ok work:tailnet:ok");
    cr_expect_eq(count_of(there, "web"), 1, "%s", there);

    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
    AUTO_FREE char *gone = nodes(lab);
    cr_expect_null(strstr(gone, "web"), "%s", gone);
}

Test(tailnet_create, a_run_killed_in_its_bootstrap_is_destroyed_with_the_device_it_made)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_key(lab, op, "tag:host");
    use_short_bootstrap(
        lab, project, "",
        "    - delegate_to: localhost\n      ansible.builtin.shell: touch there; exec sleep 100\n"
        "      args: {chdir: \"{{ playbook_dir }}\"}\n");

    pid_t create = lab_start(project, "create", "create", "web", NULL);
    cr_assert(lab_until_file(project, 100, "there"), "the host did not join");
    kill(lab_worker(project), SIGKILL);
    cr_expect(eq(int, lab_wait(project, create, 30), 70));
    AUTO_FREE char *there = nodes(lab);
    cr_has(there, " web:tag:host ");

    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
    AUTO_FREE char *gone = nodes(lab);
    cr_expect_null(strstr(gone, "web"), "%s", gone);
    make_bundle(project);
}

Test(tailnet_create, a_dead_host_is_removed_and_its_device_deleted_by_the_API)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_api(lab, op, "      stale: remove\n");
    expect_ok(lab_run(project, "create", "web", NULL));

    signal_guest(project, "KILL", "");
    /* It is not connected and has the tags, but it is another target's, as the store knows. */
    cr_assert(lab_until(60, is_offline, lab), "headscale still calls it online");
    use_as_well(project, "db");
    expect_failure(lab_run(project, "create", "db", NULL), 3, "it is the machine of target web");
    expect_ok(lab_run(project, "destroy", "db", "--yes", NULL));
    AUTO_FREE char *there = nodes(lab);
    cr_has(there, " web:tag:host ");

    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));

    AUTO_FREE char *gone = nodes(lab), *requests = tailnet_lab_api_requests(lab);
    cr_expect_null(strstr(gone, "web"), "%s", gone);
    cr_has(requests, "DELETE /api/v2/device/");
}

Test(tailnet_create, a_device_that_nobody_sees_gone_is_left_over_until_it_is)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = project_with_key(lab, op, "tag:host");
    expect_ok(lab_run(project, "create", "web", NULL));

    signal_guest(project, "KILL", "");
    lab_environment(project, "TRIPHASE_DEFAULTS_STAGE_DEADLINE_TAILNET", "4s");
    expect_failure(lab_run(project, "destroy", "web", "--yes", NULL), 3, "is still in the tailnet");
    AUTO_FREE char *cause = cause_of(project, "destroy"), *tried = log_out_of_destroy(project),
                   *kept = lab_sql(project, "SELECT count(*) FROM machine WHERE removed_ns = 0");
    cr_expect_str_eq(cause, "leftover -");
    cr_expect_str_eq(kept, "1");
    cr_has(tried, "\"direct: no connection to the host: ");
    cr_has(tried, "\"tailnet: no connection to the host: ");

    /* Neither credentials nor a daemon here: gone or not, nobody can say so. */
    tailnet_fault_daemon(op, SIGKILL);
    delete_node(lab, "web");
    expect_failure(lab_run(project, "destroy", "web", "--yes", NULL), 3,
                   "nobody here can say whether its device");
    AUTO_FREE char *again = cause_of(project, "destroy");
    cr_expect_str_eq(again, "leftover -");
    tailnet_operator_daemon(op, NULL, true, NULL);
    lab_environment(project, "TRIPHASE_DEFAULTS_STAGE_DEADLINE_TAILNET", NULL);
    expect_ok(lab_run(project, "destroy", "web", "--yes", NULL));
}

/* ------------------------------------------------------------ a host that somebody else joined */

Test(tailnet_create, a_host_that_was_in_the_tailnet_before_triphase_met_it_keeps_its_login)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    struct rig *guest = tailnet_lab_guest(lab);
    tailnet_guest_join(lab, guest, "tag:host", "web");
    tailnet_operator_join(op, "tag:operator");
    struct lab *project = lab_new();
    AUTO_FREE char *keys =
        xasprintf("    transport: [tailnet]\n    tailnet: {login_server: '%s', tags: [tag:host], "
                  "hostname: web, auth_key: {file: the-key}}\n",
                  tailnet_lab_login_server(lab));
    tailnet_lab_project(project, guest, guest->machine->address, keys,
                        "bootstrap: {playbook: playbooks/never.yml}\n", work_of_host);
    lab_write(project, "playbooks/never.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
              "    - ansible.builtin.fail: {msg: it was there before}\n");
    /* It would be needed, were it not there. */
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:host", true, true);
    lab_write(project, "the-key", "%s\n", key);
    tailnet_operator_enter(op, project);

    expect_ok(lab_run(project, "create", "host", NULL));
    AUTO_FREE char *steps = steps_of_last_run(project),
                   *adopted =
                       lab_sql(project, "SELECT json_extract(record, '$.tailnet.adopted') FROM machine");
    cr_expect_str_eq(steps, "provision:-:ok tailnet-look:-:ok transport:-:ok work:tailnet:ok");
    cr_expect_str_eq(adopted, "1");

    expect_ok(lab_run(project, "destroy", "host", "--yes", NULL));
    AUTO_FREE char *there = nodes(lab), *tried = log_out_of_destroy(project);
    cr_has(there, " web:tag:host ");
    cr_expect_str_eq(tried, "");
    rig_remove(guest);
}
