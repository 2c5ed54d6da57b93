/* The recipe vault where it takes minutes: states that are not touched, a run cut off between any two steps
 * of a commit, what was bent on the host made good, other Debians, the oldest and the newest Ansible. Each
 * test leaves a row of figures, also when it fails (figures.h). */
#include "lab/vault.h"
#include "figures.h"
#include "lab/damage.h"
#include "lab/ending.h"
#include "lab/phase.h"
#include "lab/sandbox.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What one test counts: cases that were to hold, those that did, and the slowest of the
 * commands that showed it. */
static struct figures {
    char *what;
    size_t cases, held;
    double slowest;
    int64_t since;
} figures;

static void expect_cases(size_t cases, char *what)
{
    figures = (struct figures){.what = what, .cases = cases, .since = moment_monotonic()};
}

static void held(struct lab_result result)
{
    figures.held++;
    figures.slowest = result.seconds > figures.slowest ? result.seconds : figures.slowest;
}

static void tell(void)
{
    AUTO_FREE char *what = figures.what;
    if (!what)
        return; /* skipped */
    AUTO_FREE char *row =
        xasprintf("| %s | %zu | %zu | %.0f s | %.1f s |\n", what, figures.cases, figures.held,
                  (double)(moment_monotonic() - figures.since) / (double)NS_PER_S, figures.slowest);
    AUTO_ERROR err = ERROR_INIT;
    if (figures_write("| of the recipe vault | cases | held | in all | slowest command that shows it "
                      "|\n|---|---|---|---|---|\n",
                      row, &err) < 0)
        ending_fail("%s", error_text(&err));
}

TestSuite(vault_soak, .timeout = 3000, .fini = tell);

#define STATE "/var/lib/openbao"
#define ROLES "playbooks/vault/roles/"

static struct lab *made(void)
{
    struct lab *lab = vault_lab();
    vault_expect(lab, 0, "create", NULL);
    vault_expect_active(lab);
    return lab;
}

static void on_guest(struct lab *lab, const char *script)
{
    free(vault_guest(lab, script, NULL, NULL));
}

static char *kept_path(struct lab *lab, const char *name)
{
    AUTO_FREE char *state = vault_state(lab);
    return file_join(state, name);
}

/* A file of the folder that holds what is kept, replaced with mode 0600; NULL: removed. */
static void keep(struct lab *lab, const char *name, const char *text)
{
    AUTO_FREE char *below = kept_path(lab, name), *path = file_join(lab_folder(lab), below);
    AUTO_ERROR err = ERROR_INIT;
    if (!text)
        cr_assert(unlink(path) == 0 || !file_exists(path), "%s", path);
    else
        cr_assert(file_replace(path, text, strlen(text), 0600, &err) == 0, "%s", error_text(&err));
}

/* Everything a run could touch, on both sides. malloc'ed. */
static char *everything(struct lab *lab)
{
    AUTO_FREE char *guest =
        vault_guest(lab,
                    "systemctl show -P MainPID -P ActiveEnterTimestamp -P ActiveState openbao; "
                    "find /etc/openbao " STATE
                    " /usr/local /etc/systemd/system -type f ! -path '*/data*' -exec sha256sum {} + | sort",
                    NULL, NULL);
    AUTO_FREE char *state = vault_state(lab),
                   *kept =
                       rig_output("find %s/%s -type f -exec sha256sum {} + | sort", lab_folder(lab), state);
    return xasprintf("%s%s", guest, kept);
}

static void hold_refused(struct lab *lab, const char *phase, const char *words)
{
    AUTO_FREE char *before = everything(lab);
    struct lab_result result = vault_expect(lab, 2, "run", "vault", phase, NULL);
    cr_assert(strstr(result.err, words) != NULL, "no '%s' in: %s", words, result.err);
    AUTO_FREE char *after = everything(lab), *changed = vault_changed(lab);
    cr_assert(eq(str, after, before), "%s", words);
    cr_assert(eq(str, changed, ""), "%s", words);
    held(result);
}

static void hold_well(struct lab *lab)
{
    vault_expect_active(lab);
    vault_expect(lab, 0, "run", "vault", "--check-idempotent", NULL);
}

Test(vault_soak, states_that_do_not_fit_are_told_and_not_touched)
{
    struct lab *lab = made();
    expect_cases(11, xstrdup("states that do not fit: told, nothing touched"));
    AUTO_FREE char *shares_path = kept_path(lab, "init.json"), *shares = lab_read(lab, shares_path),
                   *token_path = kept_path(lab, "admin.token"), *token = lab_read(lab, token_path);

    on_guest(lab, "cp -p " STATE "/receipt.json /root/; echo '{' >" STATE "/receipt.json");
    hold_refused(lab, "converge", "the receipt " STATE "/receipt.json cannot be read");
    on_guest(lab, "rm " STATE "/receipt.json");
    hold_refused(lab, "converge", "there is initialised data in " STATE "/data, but no receipt");
    on_guest(lab, "echo '{\"keys_ba' >" STATE "/bootstrap/init.json");
    hold_refused(lab, "converge", "the initialisation was cut off while its shares were written");
    on_guest(lab, "echo '{\"keys_base64\": [\"a\", \"b\", \"c\"], \"root_token\": \"x\"}' >" STATE
                  "/bootstrap/init.json");
    hold_refused(lab, "converge", "does not hold the shares that are staged on the host");
    on_guest(lab, "rm " STATE "/bootstrap/init.json; mv /root/receipt.json " STATE "/");

    keep(lab, "init.json", NULL);
    hold_refused(lab, "converge", "init.json is gone, but there is admin.token, receipt.json");
    AUTO_FREE char *receipt_path = kept_path(lab, "receipt.json"), *receipt = lab_read(lab, receipt_path),
                   *tokens_path = kept_path(lab, "tokens.json"),
                   *tokens = lab_exists(lab, tokens_path) ? lab_read(lab, tokens_path) : NULL;
    keep(lab, "admin.token", NULL);
    keep(lab, "receipt.json", NULL);
    keep(lab, "tokens.json", NULL);
    hold_refused(lab, "converge", "the host was initialised, but its shares are not in ");
    keep(lab, "admin.token", token);
    AUTO_JSON *other = json_parse(shares, strlen(shares), NULL);
    AUTO_JSON *keys = json_new_array();
    json_append(keys, json_new_string("AAAA"));
    json_set(other, "keys_base64", json_keep(keys));
    json_set(other, "threshold", json_new_integer(1));
    AUTO_FREE char *foreign = json_pretty(other);
    keep(lab, "init.json", foreign);
    hold_refused(lab, "converge", "the shares in init.json are not those of its lineage");
    json_set(other, "lineage",
             json_new_string("63c1dd951ffedf6f7fd968ad4efa39b8ed584f162f46e715114ee184f8de9201"));
    AUTO_FREE char *sound = json_pretty(other);
    keep(lab, "init.json", sound);
    hold_refused(lab, "converge", "are not of the same initialisation");
    keep(lab, "init.json", shares);
    keep(lab, "receipt.json", receipt);
    keep(lab, "tokens.json", tokens);

    keep(lab, "admin.token", "s.nonsense\n");
    hold_refused(lab, "finalize", "-e vault_common_root_from_shares=true");
    keep(lab, "admin.token", token);
    hold_well(lab);

    on_guest(lab, "systemctl stop openbao; mv " STATE
                  "/data /root/; install -d -o openbao -g openbao -m 0700 " STATE "/data");
    hold_refused(lab, "converge", "but the data in " STATE "/data is gone");
    AUTO_FREE char *store = kept_path(lab, "store"), *away = file_join(lab_folder(lab), "away"),
                   *full = file_join(lab_folder(lab), store);
    cr_assert(rename(full, away) == 0 || !file_exists(full));
    on_guest(lab, "mv " STATE "/receipt.json /root/");
    hold_refused(lab, "converge", "vault_begin_anew=");
    cr_assert(rename(away, full) == 0 || !file_exists(away));
    on_guest(lab, "rm -r " STATE "/data; mv /root/data /root/receipt.json " STATE "/");
    vault_expect(lab, 0, "run", "vault", NULL);
    hold_well(lab);
}

Test(vault_soak, a_check_of_a_host_with_nothing_on_it_tells_what_would_be_made_and_makes_none_of_it)
{
    struct lab *lab = vault_lab();
    expect_cases(1, xstrdup("a check of a host with nothing on it"));
    struct lab_result result = vault_expect(lab, 0, "create", "vault", "--", "--check", NULL);
    AUTO_FREE char *changed = vault_changed(lab),
                   *there =
                       vault_guest(lab, "ls -d /etc/openbao " STATE " /usr/local/bin/bao 2>/dev/null || true",
                                   NULL, NULL);
    cr_assert(strstr(changed, "Make the user") && strstr(changed, "Tell what is not tried in check mode") &&
                  strstr(changed, "Lay down programs, service and timer"),
              "%s", changed);
    cr_assert(eq(str, there, ""));
    AUTO_FREE char *shares = kept_path(lab, "init.json");
    cr_assert(not(lab_exists(lab, shares)));
    held(result);
}

/* As the host was after the first phase: nothing initialised, nothing kept. */
static void begin_anew(struct lab *lab)
{
    on_guest(lab, "systemctl stop openbao openbao-snapshot.timer; rm -rf " STATE "/data/* " STATE
                  "/bootstrap/* " STATE "/snapshots/* " STATE
                  "/receipt.json /etc/openbao/snapshot.token /etc/openbao/unseal.shares");
    keep(lab, "receipt.json", NULL);
    AUTO_FREE char *below = kept_path(lab, "store"), *store = file_join(lab_folder(lab), below);
    rig_shell("rm -rf %s", store);
    keep(lab, "init.json", NULL);
    keep(lab, "admin.token", NULL);
    keep(lab, "tokens.json", NULL);
}

/* Whatever happened before: one more run makes it whole, nothing of the beginning is left, and the
 * next one changes nothing. */
static void hold_made_good(struct lab *lab)
{
    struct lab_result result = vault_expect(lab, 0, "run", "vault", NULL);
    hold_well(lab);
    AUTO_JSON *kept = vault_kept(lab);
    cr_assert(json_get(kept, "root_token") == NULL);
    cr_assert(eq(sz, json_count(json_get(kept, "keys_base64")), 3));
    AUTO_FREE char *staged =
        vault_guest(lab, "ls -A " STATE "/bootstrap; stat -c %a " STATE "/receipt.json", NULL, NULL);
    cr_assert(eq(str, staged, "600\n"));
    AUTO_FREE char *path = kept_path(lab, "admin.token"), *token = lab_read(lab, path), *said = NULL;
    cr_assert(eq(int, vault_ask(lab, token, "GET", "/v1/auth/token/lookup-self", &said), 200));
    cr_assert(eq(int, vault_ask(lab, token, "LIST", "/v1/auth/token/accessors", &said), 200));
    held(result);
}

static const struct cut {
    const char *file, *task;
} cuts[] = {
    {ROLES "vault_converge/tasks/initialise.yml", "Read the staged shares"},
    {ROLES "vault_converge/tasks/initialise.yml", "Keep the shares on the execution host"},
    {ROLES "vault_converge/tasks/initialise.yml", "Stop where other shares than the staged ones are kept"},
    {ROLES "vault_converge/tasks/promote.yml", "Give the host the shares that it unseals itself with"},
    {ROLES "vault_converge/tasks/promote.yml", "Write the receipt"},
    {ROLES "vault_converge/tasks/promote.yml", "Remove the staged shares"},
    {ROLES "vault_converge/tasks/promote.yml", "Keep a copy of the receipt"},
    {ROLES "vault_converge/tasks/converge.yml", "Unseal"},
    {ROLES "vault_converge/tasks/unseal.yml", "Look until the server is active"},
    {ROLES "vault_finalize/tasks/tokens.yml", "Make the tokens that are missing"},
    {ROLES "vault_finalize/tasks/tokens.yml", "Keep the admin token on the execution host"},
    {ROLES "vault_finalize/tasks/tokens.yml", "Keep who is who, and who is to end"},
    {ROLES "vault_finalize/tasks/tokens.yml", "Put the token for snapshots where their unit reads it"},
    {ROLES "vault_finalize/tasks/tokens.yml", "End what is to end"},
    {ROLES "vault_finalize/tasks/end.yml", "End them"},
    {ROLES "vault_finalize/tasks/end.yml", "Look whether they are gone"},
    {ROLES "vault_finalize/tasks/end.yml", "Forget the root token here"},
    {ROLES "vault_snapshots/tasks/main.yml", "Reload units before anything else can go wrong"},
    {ROLES "vault_snapshots/tasks/main.yml", "Take a snapshot"},
    {ROLES "vault_snapshots/tasks/main.yml", "Start the timer"},
};

Test(vault_soak, a_first_run_cut_off_between_any_two_steps_is_made_good_by_the_next)
{
    struct lab *lab = made();
    expect_cases(COUNT_OF(cuts), xstrdup("a first run cut off between two steps of a commit"));
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        begin_anew(lab);
        AUTO_FREE char *whole = vault_cut_before(lab, cuts[i].file, cuts[i].task);
        struct lab_result result = vault_expect(lab, 2, "run", "vault", "converge", "finalize", NULL);
        cr_assert(strstr(result.err, "cut here") != NULL, "%s", result.err);
        lab_write(lab, cuts[i].file, "%s", whole);
        fprintf(stderr, "cut before '%s'\n", cuts[i].task);
        hold_made_good(lab);
    }
}

Test(vault_soak, shares_that_were_staged_keep_their_threshold_whatever_the_settings_say_by_then)
{
    static const char file[] = ROLES "vault_converge/tasks/initialise.yml";
    struct lab *lab = made();
    expect_cases(1, xstrdup("other settings between staging and keeping"));
    begin_anew(lab);
    AUTO_FREE char *whole = vault_cut_before(lab, file, "Keep the shares on the execution host");
    vault_expect(lab, 2, "run", "vault", "converge", NULL);
    lab_write(lab, file, "%s", whole);
    struct lab_result result = vault_expect(lab, 0, "run", "vault", "converge", "finalize", "--", "-e",
                                            "vault_converge_threshold=3", NULL);
    AUTO_JSON *kept = vault_kept(lab);
    cr_assert(eq(i64, json_get_integer(kept, "threshold", 0), 2));
    AUTO_FREE char *given = vault_guest(lab, "wc -l </etc/openbao/unseal.shares", NULL, NULL);
    cr_assert(eq(str, given, "2\n"));
    hold_well(lab);
    held(result);
}

struct waiting {
    struct lab *lab;
    const char *guest, *here;
};

static bool is_there(void *context)
{
    const struct waiting *waiting = context;
    if (waiting->here)
        return lab_exists(waiting->lab, waiting->here);
    int code;
    free(vault_guest(waiting->lab, waiting->guest, NULL, &code));
    return code == 0;
}

Test(vault_soak, a_worker_killed_while_shares_are_staged_or_kept_loses_none)
{
    struct lab *lab = made();
    AUTO_FREE char *shares = kept_path(lab, "init.json"), *token = kept_path(lab, "admin.token");
    const struct waiting moments[] = {
        {lab, "curl -sk https://127.0.0.1:8200/v1/sys/health | grep -q '\"initialized\":true'", NULL},
        {lab, "test -s " STATE "/bootstrap/init.json", NULL},
        {lab, NULL, shares},
        {lab, "test -s " STATE "/receipt.json", NULL},
        {lab, NULL, token},
        {lab, "test -s /etc/openbao/snapshot.token", NULL},
    };
    expect_cases(COUNT_OF(moments), xstrdup("the worker of a first run killed at such a step"));
    for (size_t i = 0; i < COUNT_OF(moments); i++) {
        begin_anew(lab);
        pid_t command = lab_start(lab, "cut", "run", "vault", "converge", "finalize", NULL);
        struct waiting moment = moments[i];
        cr_assert(lab_until(120, is_there, &moment), "moment %zu never came", i);
        pid_t worker = lab_worker(lab);
        cr_assert(gt(int, worker, 0), "moment %zu came too late", i);
        damage_kill(worker);
        cr_assert(eq(int, lab_wait(lab, command, 30), 70));
        hold_made_good(lab);
    }
}

enum { CUT_S = 40 };

static bool job_has_begun(void *context)
{
    const char *const *where = context; /* the lab's guest, the job */
    AUTO_FREE char *path = xasprintf("/var/lib/triphase/%s/root/root/%s.begun", where[0], where[1]);
    return file_exists(path);
}

/* Each job writes down that it began, and goes on once /root/go is there. */
static void hold_jobs_back(struct lab *lab, const char *job)
{
    AUTO_FREE char *script = xasprintf(
        "rm -f /root/go /root/*.begun; d=/etc/systemd/system/openbao-job-%s.service.d; mkdir -p $d; printf "
        "'[Service]\\nExecStartPre=/bin/sh -c \"echo begun >>/root/%s.begun; until [ -e /root/go ]; do sleep "
        "0.1; done\"\\n' >$d/hold.conf; systemctl daemon-reload",
        job, job);
    on_guest(lab, script);
}

Test(vault_soak, the_connection_cut_in_each_long_task_and_back_loses_none_and_begins_none_twice)
{
    struct lab *lab = made();
    static const char *const jobs[] = {"restart", "initialise", "restore"};
    expect_cases(COUNT_OF(jobs), xstrdup("the connection cut in each long task, and back"));
    AUTO_FREE char *id = lab_sql(lab, "SELECT id FROM machine"),
                   *space = xasprintf("tp%s", id + strlen(id) - 10);
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        if (text_is(jobs[i], "restore"))
            on_guest(lab, "systemctl stop openbao; rm -rf " STATE "/data/* " STATE "/receipt.json "
                          "/etc/openbao/unseal.shares");
        else
            begin_anew(lab);
        hold_jobs_back(lab, jobs[i]);
        pid_t command = lab_start(lab, "cut", "run", "vault", "converge", "finalize", NULL);
        const char *where[] = {space, jobs[i]};
        cr_assert(lab_until(300, job_has_begun, where), "%s did not begin", jobs[i]);
        rig_shell("ip netns exec %s sh -c 'iptables -I INPUT -j DROP; iptables -I OUTPUT -j DROP'", space);
        poll(NULL, 0, CUT_S * 1000); /* how long the fault lasts */
        rig_shell("touch /var/lib/triphase/%s/root/root/go; ip netns exec %s iptables -F", space, space);
        struct lab_result result = {.code = lab_wait(lab, command, 400)};
        AUTO_FREE char *said = lab_read(lab, "cut.err"),
                       *begun = rig_output("cat /var/lib/triphase/%s/root/root/%s.begun", space, jobs[i]);
        cr_assert(eq(int, result.code, 0), "%s: %s", jobs[i], said);
        cr_assert(eq(str, begun, "begun\n"), "%s", jobs[i]);
        on_guest(lab, "rm -rf /etc/systemd/system/openbao-job-*.service.d; systemctl daemon-reload");
        hold_well(lab);
        held(result);
    }
}

/* Asked for as a run does it; but the shares are written down only once somebody waits for the unit. */
static const char slow_initialisation[] =
    "curl -s --cacert /etc/openbao/tls/ca.crt https://127.0.0.1:8200/v1/sys/init -X PUT -o /root/late "
    "-d '{\"secret_shares\": 3, \"secret_threshold\": 2}'\n"
    "timeout 300 sh -c \"until pgrep -f '^systemctl start openbao-job-initialise'; do sleep 0.1; done\" && "
    "mv "
    "/root/late " STATE "/bootstrap/init.json\n";

Test(vault_soak, an_initialisation_that_goes_on_without_its_run_is_waited_for)
{
    struct lab *lab = made();
    expect_cases(1, xstrdup("an initialisation that goes on without its run"));
    begin_anew(lab);
    free(vault_guest(lab,
                     "cat >/root/slow; systemctl stop openbao-job-initialise; systemctl start openbao; "
                     "systemd-run --no-block -q --unit=openbao-job-initialise "
                     "-p Type=oneshot -p RemainAfterExit=yes sh /root/slow; "
                     "timeout 30 sh -c 'until [ -s /root/late ]; do sleep 0.1; done'",
                     slow_initialisation, NULL));
    hold_made_good(lab);
}

Test(vault_soak, what_was_bent_on_the_host_is_made_good)
{
    struct lab *lab = made();
    expect_cases(3, xstrdup("a host that was bent, or lost whole"));
    on_guest(lab, "echo '# bent' >>/etc/openbao/openbao.hcl; cp -p /usr/local/bin/bao /tmp/bao; echo x "
                  ">>/tmp/bao; mv /tmp/bao /usr/local/bin/bao; rm " STATE "/snapshots/*; "
                  "chmod 0755 " STATE "/data; chown root " STATE
                  "/snapshots; systemctl disable --now openbao-snapshot.timer; "
                  "systemctl disable openbao; echo >/usr/local/lib/openbao-snapshots/snapshot_take.py; rm "
                  "/etc/openbao/snapshot.token /etc/openbao/tls/tls.key");
    struct lab_result result = vault_expect(lab, 0, "run", "vault", NULL);
    AUTO_FREE char *changed = vault_changed(lab);
    static const char *const tasks[] = {"Make directories that are not as they have to be",
                                        "Write the configuration",
                                        "Copy the program",
                                        "Make a key and a request on the host",
                                        "Put key and certificate where the server reads them",
                                        "Have it started at boot, and unsealed",
                                        "Have the host do this, however the connection fares: restart",
                                        "Make the tokens that are missing",
                                        "Lay down programs, service and timer",
                                        "Run the job of the timer once",
                                        "Start the timer"};
    for (size_t i = 0; i < COUNT_OF(tasks); i++)
        cr_assert(strstr(changed, tasks[i]) != NULL, "'%s' is not in: %s", tasks[i], changed);
    hold_well(lab);
    held(result);

    on_guest(lab,
             "echo '{\"file\": \"openbao-x.snap\", \"sha256\": \"0\"}' >" STATE "/snapshots/latest.json; "
             "echo '# bent' >>/etc/systemd/system/openbao.service; systemctl daemon-reload; "
             "export was=$(systemctl show -P MainPID openbao); kill -KILL $was; timeout 30 sh -c 'until "
             "systemctl is-active -q openbao && [ $(systemctl show -P MainPID openbao) != $was ]; do sleep "
             "0.2; done'");
    result = vault_expect(lab, 0, "run", "vault", NULL);
    hold_well(lab);
    held(result);

    vault_expect(lab, 0, "destroy", "vault", "--yes", NULL);
    result = vault_expect(lab, 0, "create", NULL);
    hold_well(lab);
    held(result);
}

/* All of it with another root tree or Ansible; NULL: as it comes. */
static void live_whole(struct lab *lab, const char *root, const char *ansible)
{
    expect_cases(3, xasprintf("a whole life on %s", root ? root : "debian-12"));
    if (root)
        lab_environment(lab, "TRIPHASE_TARGETS_VAULT_ROOT", root);
    if (ansible)
        lab_environment(lab, "TRIPHASE_ANSIBLE", ansible);
    struct lab_result result = vault_expect(lab, 0, "create", NULL);
    cr_assert(strstr(result.err, "DEPRECATION") == NULL && strstr(result.err, "WARNING") == NULL, "%s",
              result.err);
    AUTO_FREE char *life = figures.what, *version = lab_sql(lab, "SELECT ansible FROM run");
    figures.what = xasprintf("%s by Ansible %s", life, version);
    hold_well(lab);
    held(result);
    vault_reboot(lab);
    result = vault_expect(lab, 0, "run", "vault", NULL);
    AUTO_FREE char *changed = vault_changed(lab);
    cr_assert(eq(str, changed, ""));
    hold_well(lab);
    held(result);
    held(vault_expect(lab, 0, "destroy", "vault", "--yes", NULL));
}

static void whole_life(const char *root, const char *ansible)
{
    live_whole(vault_lab(), root, ansible);
}

static const char *ansible_of(const char *variable)
{
    const char *path = getenv(variable);
    if (!path)
        cr_skip_test("%s names no ansible-playbook on this machine", variable);
    return path;
}

Test(vault_soak, a_whole_life_on_debian_11)
{
    whole_life("debian-11", NULL);
}

Test(vault_soak, a_whole_life_on_debian_13)
{
    whole_life("debian-13", NULL);
}

Test(vault_soak, a_whole_life_by_the_oldest_ansible)
{
    whole_life(NULL, ansible_of("OLD_ANSIBLE"));
}

Test(vault_soak, a_whole_life_by_the_oldest_ansible_on_debian_13)
{
    whole_life("debian-13", ansible_of("OLD_ANSIBLE"));
}

Test(vault_soak, a_whole_life_by_the_newest_ansible)
{
    whole_life(NULL, ansible_of("NEWEST_ANSIBLE"));
}

Test(vault_soak, a_whole_life_by_the_newest_ansible_on_debian_11)
{
    whole_life("debian-11", ansible_of("NEWEST_ANSIBLE"));
}

Test(vault_soak, a_whole_life_under_mitogen)
{
    struct lab *lab = vault_lab();
    lab_use_mitogen(lab);
    live_whole(lab, NULL, NULL);
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM step WHERE kind = 'phase' AND accelerated <> "
                                     "'mitogen'"),
                 0);
}
