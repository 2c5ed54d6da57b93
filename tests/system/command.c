/* The provider `command` over a real sshd: programs of the user's make a host that is used and removed, and
 * whatever they do wrong is told, with nothing forgotten of what they may have made. */
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/fsynced.h"
#include "lab/lab.h"
#include "lab/provider_schema.h"
#include "lab/spilled.h"
#include "provider/provider.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(command, .timeout = 120);

static const char recipe[] = "phases:\n  - name: work\n    playbook: playbooks/work.yml\n";
static const char playbook[] =
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: \"true\"\n"
    "      changed_when: false\n";

/* What it made lies in made/NAME; calls.ndjson has each request. What `vars.how` says it does wrong, and once
 * more where a file `mood` says something else by now. */
static const char cloud[] =
    "#!/usr/bin/python3\n"
    "import base64, json, os, subprocess, sys, time\n"
    "text = sys.stdin.read()\n"
    "open('calls.ndjson', 'a').write(text)\n"
    "asked = json.loads(text)\n"
    "call, how, path = asked['call'], asked['vars'].get('how', ''), 'made/' + asked['name']\n"
    "mood = open('mood').read() if os.path.exists('mood') else ''\n"
    "print(call, 'is heard', file=sys.stderr)\n"
    "def answer(**what):\n"
    "    print(json.dumps(what), end='' if how == 'half' else '\\n')\n"
    "if call == 'make':\n"
    "    os.makedirs('made', exist_ok=True)\n"
    "    if how == 'busy' and not os.path.exists('tried'):\n"
    "        open('tried', 'w').close()\n"
    "        print('no room just now', file=sys.stderr); sys.exit(75)\n"
    "    open(path, 'w').close()\n"
    "    if how == 'full':\n"
    "        print('no room at all', file=sys.stderr); sys.exit(75)\n"
    "    if how == 'crash':\n"
    "        print('{\"reference\": \"i-42\"}'); sys.stdout.flush(); os.abort()\n"
    "    if how == 'sleep':\n"
    "        child = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
    "        print('{\"reference\": \"i-42\"}'); sys.stdout.flush()\n"
    "        open('asleep.new', 'w').write(str(child.pid)); os.rename('asleep.new', 'asleep'); "
    "time.sleep(60)\n"
    "    host = dict(address='127.0.0.1', port=%d, user=os.environ.get('LOGNAME') or 'root', key='%s/key', "
    "host_keys=['%s'],\n"
    "                reference='i-42', data={'zone': 'b'})\n"
    "    if how == 'typo':\n"
    "        host['adress'] = host.pop('address')\n"
    "    if how == 'half':\n"
    "        print(json.dumps(host)[:40]); sys.exit(0)\n"
    "    if how == 'chatty':\n"
    "        print('made it:')\n"
    "    if how == 'keytext':\n"
    "        host['key'] = '-----BEGIN OPENSSH PRIVATE KEY----- AAAA'\n"
    "    if how == 'keyless':\n"
    "        del host['host_keys']\n"
    "    if how == 'tells':\n"
    "        token = open(asked['secrets']['token']).read()\n"
    "        host.update(data={'t': [token]}, resources={token: 1}, reference='i-' + token)\n"
    "        print('the token is', token, base64.b64encode(token.encode()).decode(), file=sys.stderr)\n"
    "        answer(**host); sys.exit(0)\n"
    "    if asked['secrets']:\n"
    "        open('read', 'w').write(open(asked['secrets']['token']).read())\n"
    "    answer(**host)\n"
    "elif mood == 'absent, but 1':\n"
    "    answer(state='absent'); sys.exit(1)\n"
    "elif mood == 'present':\n"
    "    answer(state='present')\n"
    "elif call == 'verify':\n"
    "    answer(state='present' if os.path.exists(path) else 'absent')\n"
    "elif call == 'remove':\n"
    "    if os.path.exists('asleep'):\n"
    "        state = open('/proc/%%s/stat' %% open('asleep').read()).read().rsplit(')', 1)[1].split()[0] if "
    "os.path.exists('/proc/' + open('asleep').read()) else 'X'\n"
    "        open('beside', 'w').write(state)\n"
    "    if how == 'mute':\n"
    "        sys.exit(0)\n"
    "    if how != 'stays' and os.path.exists(path):\n"
    "        os.unlink(path)\n"
    "    answer(state='present' if os.path.exists(path) else 'absent')\n";

static struct lab *project(const char *how, const char *more)
{
    struct lab *lab = lab_new();
    int port = lab_sshd(lab);
    AUTO_FREE char *host_key = lab_read_line(lab, "sshd/host_key.pub");
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  host:\n    provider: command\n    recipe: work\n    python: "
              "/usr/bin/python3\n"
              "    make: [./cloud.py]\n    verify: [./cloud.py]\n    remove: [./cloud.py]\n"
              "    vars: {how: %s, size: 3}\n%s",
              how, more);
    lab_write(lab, "phases/work.yml", "%s", recipe);
    lab_write(lab, "playbooks/work.yml", "%s", playbook);
    AUTO_FREE char *program = xasprintf(cloud, port, lab_folder(lab), host_key);
    lab_write(lab, "cloud.py", "%s", program);
    return lab;
}

static void has(const char *text, const char *part)
{
    cr_expect(strstr(text, part) != NULL, "no '%s' in: %s", part, text);
}

/* How often it was asked so. */
static int calls(struct lab *lab, const char *call)
{
    AUTO_FREE char *all = lab_read(lab, "calls.ndjson"), *member = xasprintf("\"call\":\"%s\"", call);
    int count = 0;
    for (const char *at = all; (at = strstr(at, member)); at++)
        count++;
    return count;
}

static bool is_made(struct lab *lab)
{
    AUTO_FREE char *name = lab_sql(lab, "SELECT 'made/tp' || substr(replace(id, '-', ''), -10) FROM machine");
    return lab_exists(lab, name);
}

Test(command, makes_uses_verifies_and_removes_a_host_by_the_users_programs)
{
    struct lab *lab = project("well", "    secrets: {token: {file: token}}\n");
    lab_write(lab, "token", "of-no-use-elsewhere\n");

    struct lab_result made = lab_run(lab, "create", "host", NULL);

    cr_assert_eq(made.code, 0, "%s", made.err);
    has(made.err, "make is heard");
    AUTO_FREE char *read = lab_read(lab, "read"), *asked = lab_read(lab, "calls.ndjson");
    cr_expect_str_eq(read, "of-no-use-elsewhere");
    cr_expect(strstr(asked, "of-no-use") == NULL, "%s", asked);
    has(asked, "\"vars\":{\"how\":\"well\",\"size\":3}");
    has(asked, "\"token\":\"/proc/self/fd/");
    AUTO_FREE char *reference = lab_sql(lab, "SELECT reference FROM machine");
    cr_expect_str_eq(reference, "i-42");
    cr_expect(is_made(lab));
    AUTO_FREE char *requests = xasprintf("%s/calls.ndjson", lab_folder(lab));

    cr_expect_eq(lab_run(lab, "create", "host", NULL).code, 0);
    cr_expect_eq(calls(lab, "make"), 1);
    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", NULL);
    cr_expect_eq(gone.code, 0, "%s", gone.err);
    cr_expect(!is_made(lab));
    AUTO_FREE char *all = lab_read(lab, "calls.ndjson");
    has(strstr(all, "\"call\":\"remove\""), "\"data\":{\"zone\":\"b\"}");
    cr_expect_eq(provider_schema_look("requests", requests), 4);
}

Test(command, an_answer_that_is_none_is_refused_by_name_and_what_was_made_is_removed)
{
    static const struct {
        const char *how, *says;
    } cases[] = {
        {"typo", "has a member 'adress', which is unknown (did you mean 'address'?)"},
        {"half", "its answer is no JSON"},
        {"chatty", "its answer is no JSON"},
        {"keytext", "is the text of a key: give the path of a file"},
        {"keyless", "no host key of 127.0.0.1 is known"},
        {"crash", "signal 6"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lab *lab = project(cases[i].how, "");
        struct lab_result made = lab_run(lab, "create", "host", NULL);
        cr_expect_eq(made.code, 3, "%s: %d %s", cases[i].how, made.code, made.err);
        has(made.err, cases[i].says);
        has(made.err, "what it may have made was removed");
        cr_expect(!is_made(lab), "%s", cases[i].how);
    }
}

Test(command, what_half_an_answer_told_is_told_to_the_program_that_removes)
{
    struct lab *lab = project("crash", "");
    cr_expect_eq(lab_run(lab, "create", "host", NULL).code, 3);
    AUTO_FREE char *all = lab_read(lab, "calls.ndjson");
    has(strstr(all, "\"call\":\"remove\""), "\"answer\":{\"reference\":\"i-42\"}");
}

Test(command, what_time_mends_is_tried_again)
{
    struct lab *lab = project("busy", "");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 0, "%s", made.err);
    has(made.err, "no room just now; what it may have made was removed; tried again in 1 s");
    cr_expect_eq(calls(lab, "make"), 2);
}

Test(command, a_host_is_gone_only_where_its_program_says_so)
{
    static const struct {
        const char *how, *says;
    } cases[] = {{"stays", "is still there, says its program"}, {"mute", "is gone is not known"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lab *lab = project(cases[i].how, "");
        cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 0);
        struct lab_result left = lab_run(lab, "destroy", "host", "--yes", NULL);
        cr_expect_eq(left.code, 3, "%s", left.err);
        has(left.err, cases[i].says);
        AUTO_FREE char *outcome = lab_sql(lab, "SELECT outcome FROM run ORDER BY id DESC");
        cr_expect_str_eq(outcome, "leftover");
        struct lab_result status = lab_run(lab, "status", NULL);
        has(status.out, "host             leftover ");
        has(status.out, "not all of it was seen to be gone: 'triphase destroy host' goes on");
    }
}

Test(command, a_worker_killed_while_the_program_makes_leaves_what_destroy_finds)
{
    struct lab *lab = project("sleep", "");
    pid_t create = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 20, "asleep"));
    cr_assert(is_made(lab));

    cr_assert_eq(kill(lab_worker(lab), SIGKILL), 0);
    lab_wait(lab, create, 30);
    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", NULL);

    cr_expect_eq(gone.code, 0, "%s", gone.err);
    cr_expect_eq(calls(lab, "remove"), 1);
    cr_expect(!is_made(lab));
}

Test(command, a_host_that_went_away_by_itself_is_told)
{
    struct lab *lab = project("well", "");
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 0);
    AUTO_FREE char *name = lab_sql(lab, "SELECT 'made/tp' || substr(replace(id, '-', ''), -10) FROM machine");
    AUTO_FREE char *path = xasprintf("%s/%s", lab_folder(lab), name);
    cr_assert_eq(remove(path), 0);
    struct lab_result again = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(again.code, 3, "%s", again.err);
    has(again.err, "is gone, says its program: destroy it");
}

Test(command, a_target_without_its_programs_is_refused_before_anything_is_begun)
{
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  host: {provider: command, recipe: work, make: [./make]}\n");
    lab_write(lab, "phases/work.yml", "%s", recipe);
    lab_write(lab, "playbooks/work.yml", "%s", playbook);
    struct lab_result plan = lab_run(lab, "plan", NULL);
    cr_expect_eq(plan.code, 78);
    has(plan.err, "target 'host' has no 'verify', which is required");
    has(plan.err, "target 'host' has no 'remove', which is required");
}

Test(command, what_a_crashed_program_made_and_nobody_removed_is_in_the_row_and_goes_with_the_next_destroy)
{
    struct lab *lab = project("crash", "");
    lab_write(lab, "mood", "present");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 3, "%s", made.err);
    has(made.err, "signal 6");
    has(made.err, "is still there, says its program");
    AUTO_FREE char *known = lab_sql(lab, "SELECT record FROM machine WHERE removed_ns = 0");
    has(known, "\"answer\":{\"reference\":\"i-42\"}");

    lab_write(lab, "mood", "none");
    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", NULL);

    cr_expect_eq(gone.code, 0, "%s", gone.err);
    cr_expect(!is_made(lab));
    cr_expect_eq(calls(lab, "remove"), 2);
}

Test(command, what_time_does_not_mend_within_the_bound_ends_the_stage_in_its_words)
{
    struct lab *lab = project("full", "    stage_deadline: {provision: 4s}\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 3, "%d %s", made.code, made.err);
    has(made.err, "no room at all; what it may have made was removed; tried again in 1 s");
    int tries = calls(lab, "make");
    cr_expect(tries == 2 || tries == 3, "%d", tries);
    cr_expect_eq(calls(lab, "remove"), tries);
    cr_expect(!is_made(lab));
}

Test(command, nothing_is_made_again_while_what_was_made_before_is_still_there)
{
    struct lab *lab = project("full", "");
    lab_write(lab, "mood", "present");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 3, "%s", made.err);
    has(made.err, "no room at all; and the host");
    cr_expect_eq(calls(lab, "make"), 1);
}

Test(command, at_the_stages_deadline_the_program_and_all_that_it_started_are_ended_before_remove_is_called)
{
    struct lab *lab = project("sleep", "    stage_deadline: {provision: 3s}\n");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_neq(made.code, 0);
    has(made.err, "./cloud.py did not end within 3.00s and was killed");
    has(made.err, "what it may have made was removed");
    AUTO_FREE char *beside = lab_read(lab, "beside"), *all = lab_read(lab, "calls.ndjson");
    cr_expect(*beside == 'Z' || *beside == 'X', "what it started was still there: %s", beside);
    has(strstr(all, "\"call\":\"remove\""), "\"answer\":{\"reference\":\"i-42\"}");
    cr_expect(!is_made(lab));
}

Test(command, an_interrupt_while_it_makes_ends_it_and_destroy_finds_what_it_made)
{
    struct lab *lab = project("sleep", "");
    pid_t create = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 20, "asleep"));
    cr_assert_eq(kill(create, SIGINT), 0);
    cr_expect_eq(lab_wait(lab, create, 30), 130);

    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", NULL);

    cr_expect_eq(gone.code, 0, "%s", gone.err);
    cr_expect_eq(calls(lab, "make"), 1);
    cr_expect_geq(calls(lab, "remove"), 1);
    cr_expect(!is_made(lab));
}

Test(command, an_exit_code_makes_an_answer_unknown_never_absent)
{
    struct lab *lab = project("well", "");
    cr_assert_eq(lab_run(lab, "create", "host", NULL).code, 0);
    lab_write(lab, "mood", "absent, but 1");
    struct lab_result again = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(again.code, 3, "%s", again.err);
    has(again.err, "is there is not known: ./cloud.py exited with 1");
    struct lab_result left = lab_run(lab, "destroy", "host", "--yes", NULL);
    cr_expect_eq(left.code, 3, "%s", left.err);
    has(left.err, "is gone is not known: ./cloud.py exited with 1");
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM machine WHERE removed_ns = 0"), 1);
}

Test(command, a_secret_that_the_program_tells_is_in_no_log_message_row_or_bundle)
{
    struct lab *lab = project("tells", "    secrets: {token: {file: token}}\n");
    AUTO_FREE char *secret = xasprintf("of-no-use-%d-elsewhere", (int)getpid()),
                   *given = xasprintf("%s/token", lab_folder(lab));
    AUTO_WORDS folders = WORDS_INIT;
    words_add(&folders, lab_folder(lab));
    lab_write(lab, "token", "%s\n", secret);
    spilled_given(given);
    spilled_watch(secret);

    struct lab_result made = lab_run(lab, "create", "host", NULL);

    cr_assert_eq(made.code, 0, "%s", made.err);
    has(made.err, "the token is [REDACTED secret token]");
    AUTO_FREE char *reference = lab_sql(lab, "SELECT reference FROM machine");
    cr_expect_str_eq(reference, "i-[REDACTED secret token]");
    AUTO_FREE char *packed = xasprintf("%s/bundle.tar.gz", lab_folder(lab));
    struct lab_result bundle = lab_run(lab, "bundle", "-o", packed, NULL);
    cr_expect_eq(bundle.code, 0, "%s", bundle.err);
    cr_expect_eq(lab_run(lab, "destroy", "host", "--yes", NULL).code, 0);
    AUTO_FREE char *found = spilled_found(&folders);
    cr_expect_str_eq(found, "");
}

Test(command, a_program_that_is_not_there_leaves_nothing_to_remove)
{
    struct lab *lab = project("well", "");
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_MAKE", "[./not-there.py]");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_neq(made.code, 0);
    has(made.err, "./not-there.py");
    cr_expect_eq(lab_run(lab, "destroy", "host", "--yes", NULL).code, 0);
    cr_expect(!lab_exists(lab, "calls.ndjson"));
}

/* The note of it, and the folders that it lies in, would outlast a power cut that comes next. */
Test(command, that_something_is_being_made_is_on_disk_before_its_program_is_called)
{
    struct lab *lab = lab_new();
    struct target target = {.name = (char *)"host",
                            .provider = (char *)"command",
                            .provision_ns = 5 * NS_PER_S};
    words_add(&target.make, "/nowhere/make");
    AUTO_MACHINE *machine = machine_new();
    AUTO_ERROR err = ERROR_INIT;
    machine->id = xstrdup("01a22c34-3d2e-72b3-9cd8-60fb911ece47");
    machine->target = xstrdup("host");
    machine->directory = xasprintf("%s/.triphase/machines/%s", lab_folder(lab), machine->id);
    fsynced_watch();

    cr_assert_eq(provider_command.make(&target, machine, &err), -1);

    AUTO_FREE char *machines = xasprintf("%s/.triphase/machines", lab_folder(lab)),
                   *state = xasprintf("%s/.triphase", lab_folder(lab));
    cr_expect(fsynced(machine->directory), "%s", error_text(&err));
    cr_expect(fsynced(machines));
    cr_expect(fsynced(state));
    words_clear(&target.make);
}
