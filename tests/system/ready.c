/* What a target's `ready` asks of a host before its first phase, on guests with Debian's own cloud-init. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/cloud_tree.h"
#include "lab/sandbox.h"
#include "lab/tailnet.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

TestSuite(ready, .timeout = 120);

#define PLAY                                                                                        \
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.raw: 'test ! -e " \
    "/root/wanted || test -e /root/seen'\n"

/* A project whose target `host` is a sandbox with these keys. */
static struct lab *project(const char *target_keys)
{
    rig_needed();
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  host:\n    provider: sandbox\n    recipe: work\n%s", target_keys);
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml", PLAY);
    return lab;
}

/* A project whose target `host` is in its first boot, by Debian's own cloud-init with this seed. A sandbox is
 * ready only once that is over, so the target is `static`. */
static struct lab *first_boot(const char *target_keys, const char *user_data, struct rig **out)
{
    struct lab *lab = lab_new();
    struct rig *guest = rig_new(cloud_tree(lab, &(struct cloud_seed){.user_data = user_data}));
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(provider_sandbox.make(&guest->target, guest->machine, &err) == 0, "%s", error_text(&err));
    *out = guest;
    tailnet_lab_project(lab, guest, guest->machine->address, target_keys, "", PLAY);
    return lab;
}

static struct lab_result create(struct lab *lab, int code)
{
    struct lab_result made = lab_run(lab, "create", "host", "--yes", NULL);
    cr_assert(eq(int, made.code, code), "%s%s", made.out, made.err);
    return made;
}

/* What went wrong with the step of this name in the last run: "OUTCOME CAUSE: MESSAGE". */
static char *ended(struct lab *lab, const char *step)
{
    AUTO_FREE char *query = xasprintf("SELECT outcome || ' ' || coalesce(cause, '-') || ': ' || "
                                      "coalesce(message, '') FROM step WHERE name = "
                                      "'%s' ORDER BY number DESC LIMIT 1",
                                      step);
    return lab_sql(lab, query);
}

static void holds(const char *text, const char *part)
{
    cr_assert(strstr(text, part) != NULL, "'%s' does not say '%s'", text, part);
}

/* The guest of the only target runs this as root; its stdout. */
static char *on_guest(struct lab *lab, const char *command)
{
    struct lab_result said = lab_run(lab, "ssh", "host", "--", command, NULL);
    cr_assert(eq(int, said.code, 0), "%s: %s%s", command, said.out, said.err);
    return xstrdup(said.out);
}

/* The log of the last step of this name, "" before there is one. */
static char *log_of(struct lab *lab, const char *step)
{
    AUTO_FREE char *query =
        xasprintf("SELECT log FROM step WHERE name = '%s' ORDER BY number DESC LIMIT 1", step);
    AUTO_FREE char *log = lab_sql(lab, query);
    AUTO_FREE char *path = xasprintf(".triphase/%s", log);
    return *log ? lab_read(lab, path) : xstrdup("");
}

static bool is_waiting(void *context)
{
    AUTO_FREE char *log = log_of(context, "ready-cloud-init");
    return strstr(log, "cloud-init is under way") != NULL;
}

Test(ready, the_first_boot_is_waited_for_and_its_stages_are_samples_of_the_run)
{
    struct rig *guest;
    struct lab *lab = first_boot("    ready: [cloud-init, apt, user]\n",
                                 "#cloud-config\nbootcmd: [[touch, /root/wanted]]\n"
                                 "runcmd: ['until [ -e /root/go ]; do sleep 0.1; done; touch /root/seen']\n",
                                 &guest);
    pid_t run = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 30, ".triphase/store.db") && lab_until(60, is_waiting, lab));
    rig_shell("touch /var/lib/triphase/%s/root/root/go", guest->machine->reference);
    cr_assert(eq(int, lab_wait(lab, run, 60), 0));
    AUTO_FREE char *stages =
        lab_sql(lab, "SELECT group_concat(json_extract(detail, '$.stage')) FROM (SELECT detail FROM sample "
                     "WHERE kind = 'cloud-init' ORDER BY at_ns)");
    cr_assert(text_ends(stages, "modules-final,boot-finished"), "%s", stages);
    struct lab_result report = lab_run(lab, "report", NULL),
                      json = lab_run(lab, "report", "--format", "json", NULL);
    holds(report.out, "first boot\n");
    holds(report.out, "modules-final ");
    holds(report.out, "ready-user");
    holds(json.out, "\"first_boot\"");
    struct lab_result plan = lab_run(lab, "plan", "host", NULL);
    holds(plan.out, "ready cloud-init (5m00s), apt (10m00s), user (30.0s)");
    AUTO_FREE char *before = lab_sql(lab, "SELECT count(*) FROM sample WHERE kind = 'cloud-init'");
    /* A host that is made already has been through it. */
    create(lab, 0);
    cr_assert(eq(
        int,
        lab_sql_number(lab, "SELECT count(*) FROM step WHERE name = 'ready-cloud-init' AND outcome = 'ok'"),
        2));
    AUTO_FREE char *behind = lab_sql(lab, "SELECT count(*) FROM sample WHERE kind = 'cloud-init'");
    cr_assert(eq(str, behind, before));
}

Test(ready, a_first_boot_that_failed_fails_the_run_and_names_its_stage)
{
    struct rig *guest;
    struct lab *lab = first_boot("    ready: [cloud-init]\n",
                                 "#cloud-config\nruncmd: [['/bin/nothing-of-the-kind']]\n", &guest);
    struct lab_result made = create(lab, 3);
    AUTO_FREE char *said = ended(lab, "ready-cloud-init");
    holds(said, "failed not-ready: 'cloud-init' of 'ready' failed: modules-final: ");
    holds(said, "scripts");
    holds(made.err, "ready-cloud-init");
    cr_assert(eq(int, lab_sql_number(lab, "SELECT count(*) FROM step WHERE kind = 'phase'"), 0));
}

Test(ready, a_pending_reboot_is_done_once_and_what_was_ready_before_is_looked_at_again)
{
    struct lab *lab = project("    ready: [systemd, user]\n");
    create(lab, 0);
    free(on_guest(lab, "touch /run/reboot-required; echo linux-image >/run/reboot-required.pkgs"));
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_READY", "[systemd, reboot, user]");
    create(lab, 0);
    create(lab, 0);
    AUTO_FREE char *order = lab_sql(lab, "SELECT group_concat(name || '/' || attempt) FROM (SELECT name, "
                                         "attempt FROM step WHERE name LIKE 'ready-%' AND run "
                                         "= (SELECT min(run) + 1 FROM step) ORDER BY seq)");
    cr_assert(eq(str, order, "ready-systemd/1,ready-reboot/1,ready-systemd/2,ready-user/1"));
    cr_assert(
        eq(int,
           lab_sql_number(lab, "SELECT count(*) FROM step WHERE name = 'ready-reboot' AND evidence LIKE "
                               "'%\"from\"%' AND evidence LIKE '%\"to\"%'"),
           1));
    AUTO_FREE char *left = on_guest(lab, "ls /run/reboot-required 2>&1 || true");
    holds(left, "No such file");
}

Test(ready, what_holds_apt_is_waited_for_and_named)
{
    struct lab *lab = project("");
    create(lab, 0);
    /* apt's own kind of lock, on its own file */
    static const char hold[] = "setsid python3 -c 'import fcntl,time; "
                               "f=open(\"/var/lib/dpkg/lock-frontend\",\"w\"); fcntl.lockf(f,fcntl.LOCK_EX); "
                               "open(\"/run/held\",\"w\"); time.sleep(%s)' >/dev/null 2>&1 </dev/null & "
                               "while [ ! -e /run/held ]; do sleep 0.1; done";
    AUTO_FREE char *briefly = xasprintf(hold, "4");
    free(on_guest(lab, briefly));
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_READY", "[apt]");
    create(lab, 0);
    cr_assert(lab_sql_number(lab, "SELECT duration_ns > 1500000000 FROM step WHERE name = 'ready-apt'"));
    AUTO_FREE char *said = log_of(lab, "ready-apt");
    holds(said, "/var/lib/dpkg/lock-frontend is locked by process ");
    holds(said, "(python3 -c import fcntl");
}

Test(ready, a_degraded_host_is_ready_and_its_failed_units_are_a_warning)
{
    struct lab *lab = project("");
    create(lab, 0);
    free(on_guest(lab, "systemd-run --unit=broken-thing false; while ! systemctl is-failed -q broken-thing; "
                       "do sleep 0.1; done"));
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_READY", "[systemd]");
    create(lab, 0);
    AUTO_FREE char *said = ended(lab, "ready-systemd");
    holds(said, "ok degraded: ");
    holds(said, "broken-thing.service");
    struct lab_result report = lab_run(lab, "report", NULL);
    holds(report.out, "broken-thing.service");
}

Test(ready, a_user_whom_sudo_refuses_is_not_ready_unless_a_password_is_given)
{
    struct lab *lab = project("    user: worker\n");
    create(lab, 0);
    free(on_guest(lab, "sudo sh -c 'echo \"worker ALL=(ALL) ALL\" >/etc/sudoers.d/worker'"));
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_READY", "[user]");
    create(lab, 3);
    AUTO_FREE char *said = ended(lab, "ready-user");
    holds(said, "failed not-ready: 'user' of 'ready' does not hold: worker is not root, and sudo refuses: ");
    holds(said, "password");
    lab_environment(lab, "WORD", "of a test");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_BECOME_PASSWORD", "{env: WORD}");
    create(lab, 0);
}

Test(ready, what_is_not_there_fails_and_a_command_is_tried_until_it_is_well_or_its_time_is_over)
{
    struct lab *lab = project(
        "    ready: [{command: [sh, -c, 'echo try >>/root/tries; test $(wc -l </root/tries) -ge 2']}]\n");
    create(lab, 0);
    AUTO_FREE char *tries = on_guest(lab, "wc -l </root/tries");
    cr_assert(eq(str, tries, "2\n"));
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_READY",
                    "[{command: [sh, -c, 'echo \"not yet\"; exit 3'], within: 2s}]");
    create(lab, 3);
    AUTO_FREE char *said = ended(lab, "ready-command");
    holds(said, "did not hold within 2.00s: try 1 ended with 3: not yet");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_READY", "[cloud-init]");
    create(lab, 3);
    AUTO_FREE char *absent = ended(lab, "ready-cloud-init");
    holds(absent, "failed not-ready: 'cloud-init' of 'ready' is not installed there");
}

Test(ready, a_host_that_goes_away_is_unreachable_and_a_cancel_ends_the_wait)
{
    struct lab *lab = project("    ready: [{command: [sh, -c, 'touch /run/waiting; sleep 60']}]\n");
    pid_t run = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) FROM step WHERE name = 'ready-command'"));
    lab_run(lab, "cancel", "host", NULL);
    cr_assert(eq(int, lab_wait(lab, run, 20), 130));
    AUTO_FREE char *cancelled = ended(lab, "ready-command");
    holds(cancelled, "cancelled");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_STAGE_DEADLINE_READY", "5s");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_READY",
                    "[{command: [sh, -c, 'systemctl halt --force --force; sleep 60']}]");
    create(lab, 4);
    AUTO_FREE char *said = ended(lab, "ready-command");
    holds(said, "unreachable ");
}
