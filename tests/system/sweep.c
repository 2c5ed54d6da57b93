/* Nothing is forgotten: what is past its time and this project's is found wherever a provider has it, also
 * what no store knows any more, and removed; nothing else is touched. */
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/damage.h"
#include "lab/hetzner.h"
#include "lab/sandbox.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

TestSuite(sweep, .timeout = 120);

/* A cloud of the user's own: a file for each host in hosts/, with what was said of it. `sleepy` beside them
 * holds up one that removes, `dead` fails a list, `clock` says what its clock shows,
 * of the host that `renewing` names the expiry is put off as soon as it was listed, and what `late` says of a
 * host of that name is there from then on. */
static const char programs[] =
    "#!/usr/bin/python3\n"
    "import json, os, select, sys\n"
    "asked = json.load(sys.stdin)\n"
    "call, project = asked['call'], asked['project']['id']\n"
    "os.makedirs('hosts', exist_ok=True)\n"
    "path = lambda name: 'hosts/' + name + '.json'\n"
    "def write():\n"
    "    json.dump(dict(reference=asked['name'], project=project, target=asked['target'],\n"
    "                   machine=asked['machine'], expires=asked['expires'], what='a host of a file'),\n"
    "              open(path(asked['name']), 'w'))\n"
    "if call == 'make':\n"
    "    write()\n"
    "    print(json.dumps(dict(address='127.0.0.1', port=%d, user=os.environ.get('LOGNAME') or 'root',\n"
    "                          key='%s/key', host_keys=['%s'], reference=asked['name'])))\n"
    "elif call == 'verify':\n"
    "    if os.path.exists('deaf'):\n"
    "        os.unlink('deaf'); print('nobody hears', file=sys.stderr); sys.exit(1)\n"
    "    write()\n"
    "    print('{\"state\": \"present\"}')\n"
    "elif call == 'list':\n"
    "    if os.path.exists('dead'):\n"
    "        print('the cloud is down', file=sys.stderr); sys.exit(1)\n"
    "    clock = dict(now=int(open('clock').read())) if os.path.exists('clock') else {}\n"
    "    print(json.dumps(dict(hosts=[json.load(open('hosts/' + n)) for n in "
    "sorted(os.listdir('hosts'))], **clock)))\n"
    "    if os.path.exists('renewing'):\n"
    "        named = path(open('renewing').read()); os.unlink('renewing'); sys.stdout.flush()\n"
    "        host = json.load(open(named)); json.dump(dict(host, expires=4000000000), open(named, 'w'))\n"
    "    if os.path.exists('late'):\n"
    "        os.rename('late', path('late'))\n"
    "else:\n"
    "    name = asked['listed']['reference'] if 'listed' in asked else asked['name']\n"
    "    if os.path.exists('sleepy'):\n"
    "        os.rename('sleepy', 'asleep')\n"
    "        while not os.path.exists('awake'): select.select([], [], [], 0.02)\n"
    "    if os.path.exists(path(name)):\n"
    "        os.unlink(path(name))\n"
    "    print('{\"state\": \"absent\"}')\n";

#define BODY                                                                                              \
    "play; task t1\nif [ -e $FOLDER/slow ]; then touch $FOLDER/there; until [ -e $FOLDER/go ]; do sleep " \
    "0.02; done; fi\nfinish\n"

#define TARGET(name)                                                                                    \
    "  " name                                                                                           \
    ":\n    provider: command\n    recipe: work\n    ttl: 1h\n    python: /usr/bin/python3\n    make: " \
    "[./cloud.py]\n    verify: [./cloud.py]\n    remove: [./cloud.py]\n"
#define LISTED "    list: [./cloud.py]\n"

static struct lab *project(const char *targets)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *body = xasprintf("%sFOLDER=%s\n" BODY, damage_words, lab_folder(lab));
    int port = lab_sshd(lab);
    AUTO_FREE char *host_key = lab_read_line(lab, "sshd/host_key.pub");
    lab_hostile_ansible(lab, body);
    lab_write(lab, "triphase.yml", "project: lab\nansible: bin/ansible-playbook\ntargets:\n%s", targets);
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    AUTO_FREE char *program = xasprintf(programs, port, lab_folder(lab), host_key);
    lab_write(lab, "cloud.py", "%s", program);
    return lab;
}

static void has(const char *text, const char *part)
{
    cr_expect(strstr(text, part) != NULL, "no '%s' in: %s", part, text);
}

static void made(struct lab *lab, const char *target)
{
    struct lab_result result = lab_run(lab, "create", target, NULL);
    cr_assert_eq(result.code, 0, "%s", result.err);
}

/* The project's own id, which the first command that acts gives it. */
static char *own_id(struct lab *lab)
{
    AUTO_FREE char *text = lab_read(lab, ".triphase/project.json");
    AUTO_JSON *object = json_parse(text, strlen(text), NULL);
    return xstrdup(json_get_string(object, "id", ""));
}

#define SOME_ID "01890000-0000-7000-8000-00000000aaaa"

/* As if a command had given it this one. */
static void give_id(struct lab *lab, const char *id)
{
    lab_write(lab, ".triphase/project.json", "{\"version\": 1, \"id\": \"%s\", \"path\": \"%s\"}", id,
              lab_folder(lab));
}

/* A host that no store knows. */
static void plant(struct lab *lab, const char *name, const char *project_id, const char *more)
{
    AUTO_FREE char *path = xasprintf("hosts/%s.json", name);
    lab_write(lab, path, "{\"reference\": \"%s\", \"project\": \"%s\"%s}", name, project_id, more);
}

static bool is_there(struct lab *lab, const char *name)
{
    AUTO_FREE char *path = xasprintf("hosts/%s.json", name);
    return lab_exists(lab, path);
}

static char *name_of(struct lab *lab, const char *target)
{
    AUTO_FREE char *query =
        xasprintf("SELECT reference FROM machine WHERE target = '%s' ORDER BY number DESC", target);
    return lab_sql(lab, query);
}

#define PAST   ", \"expires\": 1700000000, \"target\": \"host\""
#define FUTURE ", \"expires\": 4000000000"

Test(sweep, a_machine_past_its_time_is_named_by_a_dry_run_and_removed_when_that_is_agreed_to)
{
    struct lab *lab = project(TARGET("host") LISTED);
    made(lab, "host");
    AUTO_FREE char *name = name_of(lab, "host");
    struct lab_result early = lab_run(lab, "sweep", "--dry-run", NULL);
    cr_expect_eq(early.code, 0, "%s", early.err);
    has(early.out, "expires in 5");
    struct lab_result status = lab_run(lab, "status", NULL);
    has(status.out, "expires in 5");

    lab_clock(lab, "+3h");
    struct lab_result late = lab_run(lab, "sweep", "--dry-run", "--json", NULL);
    cr_expect_eq(late.code, 1, "%s", late.err);
    has(late.out, "\"fate\": \"goes\"");
    struct lab_result unasked = lab_run(lab, "sweep", NULL);
    cr_expect_eq(unasked.code, 64, "%s", unasked.err);
    has(unasked.err, "without a terminal it needs --yes");
    status = lab_run(lab, "status", NULL);
    has(status.out, "expired 2 h");
    cr_expect(is_there(lab, name));

    struct lab_result swept = lab_run(lab, "sweep", "--yes", "--json", NULL);
    cr_expect_eq(swept.code, 0, "%s", swept.err);
    has(swept.out, "\"became\": \"removed\"");
    cr_expect_not(is_there(lab, name));
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM machine WHERE removed_ns = 0"), 0);
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM run WHERE kind = 'destroy' AND outcome = 'ok'"),
                 1);
    struct lab_result again = lab_run(lab, "sweep", NULL);
    cr_expect_eq(again.code, 0, "nothing is left to ask for: %s", again.err);
}

Test(sweep, a_run_puts_off_the_expiry_beyond_its_own_deadline_and_gives_back_what_is_left_of_it)
{
    struct lab *lab = project(TARGET("host") LISTED);
    lab_write(lab, "slow", "%s", "");
    pid_t create = lab_start(lab, "create", "create", "host", NULL);
    cr_assert(lab_until_file(lab, 60, "there"));
    AUTO_FREE char *name = name_of(lab, "host");
    cr_expect(lab_sql_number(lab, "SELECT expires_ns / 1000000000 - unixepoch('now') > 7000 FROM machine"),
              "the deadline is 2 h");
    AUTO_FREE char *path = xasprintf("hosts/%s.json", name), *listed = lab_read(lab, path);
    AUTO_FREE char *expires =
        lab_sql(lab, "SELECT '\"expires\": ' || (expires_ns / 1000000000) FROM machine");
    has(listed, expires);

    lab_clock(lab, "+3h");
    struct lab_result busy = lab_run(lab, "sweep", "--yes", NULL);
    cr_expect_eq(busy.code, 0, "%s", busy.err);
    has(busy.out, "is at work on it");
    lab_clock(lab, "");
    lab_write(lab, "go", "%s", "");
    cr_expect_eq(lab_wait(lab, create, 60), 0);
    cr_expect(lab_sql_number(lab, "SELECT abs(expires_ns - made_ns - 3600000000000) < 1000 FROM machine"));
    cr_expect(is_there(lab, name));
    /* What the file says by then counts from the next run on. */
    struct lab_result longer = lab_run(lab, "--set", "targets.host.ttl=5h", "run", "host", NULL);
    cr_expect_eq(longer.code, 0, "%s", longer.err);
    cr_expect(lab_sql_number(lab, "SELECT abs(expires_ns - made_ns - 18000000000000) < 1000 FROM machine"));
    lab_write(lab, "deaf", "%s", "");
    struct lab_result unsaid = lab_run(lab, "--set", "targets.host.ttl=6h", "run", "host", NULL);
    cr_expect_eq(unsaid.code, 0, "%s", unsaid.err);
    has(unsaid.err, "when it expires could not be written down where other machines see it");
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM step WHERE cause = 'expiry-not-written'"), 1);
    longer = lab_run(lab, "--set", "targets.host.ttl=5h", "run", "host", NULL);
    cr_expect_eq(longer.code, 0, "%s", longer.err);
    AUTO_FREE char *later = lab_read(lab, path),
                   *told = lab_sql(lab, "SELECT '\"expires\": ' || (expires_ns / 1000000000) FROM machine");
    has(later, told);
}

Test(sweep, what_is_anothers_is_listed_and_never_touched_and_what_no_store_knows_goes_when_its_time_is_over)
{
    struct lab *lab = project(TARGET("host") LISTED TARGET("kept") LISTED "    protected: true\n");
    made(lab, "host");
    AUTO_FREE char *id = own_id(lab), *known = name_of(lab, "host");
    plant(lab, "theirs", "another", PAST);
    plant(lab, "ours", id, PAST);
    plant(lab, "young", id, FUTURE);
    plant(lab, "ageless", id, "");
    plant(lab, "locked", id, PAST ", \"protected\": true");
    plant(lab, "kept", id, ", \"expires\": 1700000000, \"target\": \"kept\"");

    struct lab_result status = lab_run(lab, "status", "--all", "--json", NULL);
    cr_expect_eq(status.code, 0, "%s", status.err);
    lab_write(lab, "clock", "4050000000");
    struct lab_result astray = lab_run(lab, "sweep", "--dry-run", NULL);
    has(astray.err, " ahead of this machine's: what is past its time by both alone goes");
    lab_write(lab, "clock", "1600000000");
    struct lab_result early = lab_run(lab, "sweep", "--dry-run", NULL);
    has(early.err, " behind this machine's");
    cr_expect_eq(early.code, 0, "nothing is past by both: %s", early.out);
    lab_write(lab, "clock", "4050000000");
    has(status.out, "\"reference\": \"theirs\"");
    has(status.out, "\"expires\": \"2023-11-14T22:13:20.000000000Z\"");
    cr_expect_null(strstr(strstr(status.out, "\"others\""), known), "the store knows that one");
    struct lab_result swept = lab_run(lab, "sweep", "--yes", NULL);

    cr_expect_eq(swept.code, 0, "%s", swept.err);
    has(swept.err, "ours: removed (no row of this store knows it: expired ");
    has(swept.out, "another project's");
    has(swept.out, "never expires; remove it by its provider's own means");
    cr_expect_not(is_there(lab, "ours"));
    static const char *const stay[] = {"theirs", "young", "ageless", "locked", "kept"};
    for (size_t i = 0; i < COUNT_OF(stay); i++)
        cr_expect(is_there(lab, stay[i]), "%s", stay[i]);
    cr_expect(is_there(lab, known));
    AUTO_FREE char *path = xasprintf("%s/hosts/%s.json", lab_folder(lab), known);
    cr_assert_eq(unlink(path), 0);
    struct lab_result lost = lab_run(lab, "sweep", "--dry-run", NULL);
    has(lost.out, "; its provider does not list it");
}

Test(sweep, a_place_that_cannot_be_asked_is_told_and_what_is_due_elsewhere_goes)
{
    struct lab *lab = project(TARGET("host") TARGET("dead") "    list: [./dead.sh]\n");
    made(lab, "host");
    made(lab, "dead");
    lab_write(lab, "dead.sh", "#!/bin/sh\necho the cloud is down >&2\nexit 1\n");
    lab_clock(lab, "+3h");
    struct lab_result swept = lab_run(lab, "sweep", "--yes", NULL);
    cr_expect_eq(swept.code, 69, "%s", swept.err);
    has(swept.err,
        "command (dead): what is there could not be asked: ./dead.sh exited with 1: the cloud is down");
    has(swept.err, "command (host): what is there beyond this store nobody can be asked");
    AUTO_FREE char *left = lab_sql(lab, "SELECT group_concat(target) FROM machine WHERE removed_ns = 0");
    cr_expect_str_eq(left, "dead", "%s%s", swept.out, swept.err);
    has(swept.out, "but its provider could not be asked");
    struct lab_result status = lab_run(lab, "status", NULL), all = lab_run(lab, "status", "--all", NULL);
    cr_expect(status.code == 0 && !*status.err, "nobody is asked: %s", status.err);
    cr_expect_eq(all.code, 69, "%s", all.err);
    has(all.err, "the cloud is down");
}

Test(sweep, killed_while_it_removes_it_finds_the_same_again)
{
    struct lab *lab = project(TARGET("host") LISTED);
    made(lab, "host");
    AUTO_FREE char *id = own_id(lab), *known = name_of(lab, "host");
    plant(lab, "ours", id, PAST);
    lab_clock(lab, "+3h");
    lab_write(lab, "sleepy", "%s", "");
    pid_t sweep = lab_start(lab, "sweep", "sweep", "--yes", NULL);
    cr_assert(lab_until_file(lab, 30, "asleep"));
    cr_assert_eq(kill(sweep, SIGKILL), 0);
    lab_wait(lab, sweep, 10);
    cr_expect(is_there(lab, "ours") && is_there(lab, known));
    struct lab_result again = lab_run(lab, "sweep", "--yes", NULL);
    cr_expect_eq(again.code, 0, "%s", again.err);
    cr_expect_not(is_there(lab, "ours"));
    cr_expect_not(is_there(lab, known));
    lab_write(lab, "awake", "%s", ""); /* the program that was left alone ends too */
}

Test(sweep, a_machine_that_a_run_took_in_hand_meanwhile_is_left_alone)
{
    struct lab *lab = project(TARGET("host") LISTED);
    made(lab, "host");
    AUTO_FREE char *id = own_id(lab), *known = name_of(lab, "host");
    plant(lab, "ours", id, PAST);
    lab_write(lab, "sleepy", "%s", "");
    lab_clock(lab, "+3h");
    pid_t sweep = lab_start(lab, "sweep", "sweep", "--yes", NULL);
    lab_clock(lab, "");
    cr_assert(lab_until_file(lab, 30, "asleep"));
    struct lab_result run = lab_run(lab, "--set", "targets.host.ttl=9h", "run", "host", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    lab_write(lab, "awake", "%s", "");
    cr_expect_eq(lab_wait(lab, sweep, 60), 0);
    AUTO_FREE char *said = lab_read(lab, "sweep.err");
    has(said, "host: it is not past its time any more, and is left alone");
    cr_expect(is_there(lab, known));
    cr_expect_not(is_there(lab, "ours"));
}

Test(sweep, what_was_put_off_after_it_was_listed_is_left_alone)
{
    struct lab *lab = project(TARGET("host") LISTED);
    give_id(lab, SOME_ID);
    plant(lab, "ours", SOME_ID, PAST);
    lab_write(lab, "renewing", "ours");
    struct lab_result swept = lab_run(lab, "sweep", "--yes", NULL);
    cr_expect_eq(swept.code, 3, "%s", swept.err);
    has(swept.err, "the host ours is not past its time any more, and is left alone");
    cr_expect(is_there(lab, "ours"));
}

Test(sweep, what_a_clone_made_goes_from_another_that_says_the_same_id_and_else_it_says_how)
{
    struct lab *maker = project(TARGET("host") LISTED), *clone = project(TARGET("host") LISTED);
    made(maker, "host");
    AUTO_FREE char *id = own_id(maker);
    plant(clone, "theirs", id, PAST);
    struct lab_result strange = lab_run(clone, "sweep", "--yes", NULL);
    cr_expect_eq(strange.code, 0, "%s", strange.err);
    has(strange.err, "where that is a clone of this one, give both the same 'id' in triphase.yml");
    cr_expect(is_there(clone, "theirs"));
    AUTO_FREE char *text = lab_read(clone, "triphase.yml");
    lab_write(clone, "triphase.yml", "id: %s\n%s", id, text);
    lab_write(maker, "triphase.yml", "id: %s\n%s", id, text);
    struct lab_result swept = lab_run(clone, "sweep", "--yes", NULL);
    cr_expect_eq(swept.code, 0, "%s", swept.err);
    cr_expect_not(is_there(clone, "theirs"));
    struct lab_result same = lab_run(maker, "sweep", "--dry-run", NULL);
    cr_expect_eq(same.code, 0, "%s", same.err);
    cr_expect_eq(lab_run(maker, "--set", "id=" SOME_ID, "sweep", NULL).code, 64,
                 "it stands in the file or nowhere");
}

Test(sweep, on_a_terminal_it_shows_what_goes_and_asks)
{
    struct lab *lab = project(TARGET("host") LISTED);
    made(lab, "host");
    AUTO_FREE char *id = own_id(lab);
    plant(lab, "ours", id, PAST);
    int code = 0;
    AUTO_FREE char *no = damage_terminal(lab, 120, "n\n", &code, "sweep", NULL);
    has(no, "Remove the 1 that is past its time? [y/N]");
    AUTO_FREE char *narrow = damage_terminal(lab, 60, "n\n", &code, "sweep", NULL);
    has(narrow, "\r\n  no row of this store knows it: expired ");
    has(no, "nothing was removed");
    cr_expect_eq(code, 130);
    cr_expect(is_there(lab, "ours"));
    lab_write(lab, "late", "{\"reference\": \"late\", \"project\": \"%s\"%s}", id, PAST);
    AUTO_FREE char *yes = damage_terminal(lab, 120, "y\n", &code, "sweep", NULL);
    cr_expect_eq(code, 0, "%s", yes);
    cr_expect_not(is_there(lab, "ours"));
    cr_expect(is_there(lab, "late"), "it was not there when it was shown what goes: %s", yes);
}

Test(sweep, a_cycle_removes_first_what_is_past_its_time_of_its_own_target_and_names_it)
{
    struct lab *lab = project(TARGET("host") LISTED TARGET("other") LISTED);
    made(lab, "host");
    AUTO_FREE char *id = own_id(lab);
    plant(lab, "ours", id, PAST);
    plant(lab, "others", id, ", \"expires\": 1700000000, \"target\": \"other\"");
    int code = 0;
    AUTO_FREE char *no = damage_terminal(lab, 200, "n\n", &code, "cycle", "host", "-n", "1", NULL);
    has(no, "Remove ours (");
    has(no, "then destroy and create host 1 times?");
    cr_expect(is_there(lab, "ours"));
    lab_write(lab, "renewing", "ours");
    AUTO_FREE char *put_off =
        damage_terminal(lab, 200, "y\n", &code, "cycle", "host", "-n", "1", "--keep-last", NULL);
    has(put_off, "Remove ours (");
    cr_expect_eq(code, 0, "what is not past its time any more is no failure: %s", put_off);
    cr_expect(is_there(lab, "ours"));
    plant(lab, "ours", id, PAST);
    struct lab_result cycle = lab_run(lab, "cycle", "host", "-n", "1", "--yes", NULL);
    cr_expect_eq(cycle.code, 0, "%s", cycle.err);
    has(cycle.err, "ours: removed");
    cr_expect_not(is_there(lab, "ours"));
    cr_expect(is_there(lab, "others"));
}

Test(sweep,
     forget_refuses_while_the_program_that_lists_still_names_the_host_and_says_where_nobody_can_be_asked)
{
    struct lab *lab = project(TARGET("host") LISTED TARGET("mute"));
    made(lab, "host");
    made(lab, "mute");
    AUTO_FREE char *name = name_of(lab, "host");
    struct lab_result there = lab_run(lab, "forget", "host", "--yes", NULL);
    cr_expect_eq(there.code, 3, "%s", there.err);
    has(there.err, "it is still there");
    lab_write(lab, "dead", "%s", "");
    struct lab_result unsure = lab_run(lab, "forget", "host", "--yes", NULL);
    cr_expect_eq(unsure.code, 3, "%s", unsure.err);
    has(unsure.err, "the cloud is down");
    struct lab_result mute = lab_run(lab, "forget", "mute", "--yes", NULL);
    cr_expect_eq(mute.code, 0, "%s", mute.err);
    has(mute.err, "whether it is still there nobody can be asked");
    AUTO_FREE char *path = xasprintf("%s/hosts/%s.json", lab_folder(lab), name),
                   *dead = xasprintf("%s/dead", lab_folder(lab));
    cr_assert(unlink(path) == 0 && unlink(dead) == 0);
    cr_expect_eq(lab_run(lab, "forget", "host", "--yes", NULL).code, 0);
}

static struct lab *sandbox_project(void)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *body = xasprintf("%sFOLDER=%s\n" BODY, damage_words, lab_folder(lab));
    lab_hostile_ansible(lab, body);
    lab_write(lab, "triphase.yml",
              "project: lab\nansible: bin/ansible-playbook\ntargets: {box: {recipe: work, ttl: 1h, deadline: "
              "50m}}\n");
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    return lab;
}

Test(sweep,
     a_sandbox_that_the_project_made_from_elsewhere_goes_when_its_time_is_over_with_all_that_belongs_to_it)
{
    rig_needed();
    struct lab *maker = sandbox_project(), *lab = sandbox_project();
    made(maker, "box");
    AUTO_FREE char *machine = lab_sql(maker, "SELECT id FROM machine"), *id = own_id(maker);
    give_id(lab, id);

    struct lab_result early = lab_run(lab, "sweep", "--yes", NULL);
    cr_expect_eq(early.code, 0, "%s", early.err);
    has(early.out, "no row of this store knows it: expires in 5");
    AUTO_FREE char *whose = xasprintf("a sandbox of target box of project lab (%s)", lab_folder(maker));
    has(early.out, whose);
    lab_clock(lab, "+2h");
    struct lab_result swept = lab_run(lab, "sweep", "--yes", NULL);

    cr_expect_eq(swept.code, 0, "%s", swept.err);
    AUTO_FREE char *left = damage_left(machine);
    cr_expect_str_eq(left, "");
}

Test(sweep, what_was_made_is_removed_by_its_own_programs_though_the_file_says_another_provider)
{
    struct lab *lab = project(TARGET("host") LISTED TARGET("other") LISTED);
    made(lab, "host");
    made(lab, "other");
    AUTO_FREE char *host = name_of(lab, "host"), *other = name_of(lab, "other");
    lab_write(lab, "triphase.yml",
              "project: lab\ndefaults: {provider: static, address: 192.0.2.7, recipe: work}\ntargets: {host: "
              "{}, other: "
              "{}}\n");
    struct lab_result destroy = lab_run(lab, "destroy", "other", "--yes", NULL);
    cr_expect_eq(destroy.code, 0, "%s", destroy.err);
    cr_expect_not(is_there(lab, other));
    lab_clock(lab, "+3h");
    struct lab_result swept = lab_run(lab, "sweep", "--yes", NULL);
    cr_expect_eq(swept.code, 0, "%s", swept.err);
    cr_expect_not(is_there(lab, host));
}

Test(sweep, of_a_cloud_two_hundred_servers_take_few_requests_and_the_one_that_is_past_its_time_goes)
{
    struct hetzner *cloud = hetzner_start(NULL);
    struct lab *lab = lab_new();
    lab_environment(lab, "HCLOUD_TOKEN", HETZNER_TOKEN);
    lab_write(lab, "triphase.yml",
              "project: lab\nproviders: {hetzner: {endpoint: '%s', server_type: cx23}}\n"
              "targets: {web: {provider: hetzner, recipe: work}, api: {provider: hetzner, recipe: work}}\n",
              hetzner_endpoint(cloud));
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    give_id(lab, SOME_ID);
    hetzner_preload(cloud, 200, "{\"triphase-id\": \"another\", \"triphase-expires\": \"1700000000\"}");
    hetzner_preload(cloud, 1,
                    "{\"triphase-id\": \"" SOME_ID "\", \"triphase-target\": \"web\", "
                    "\"triphase-machine\": \"01890000-0000-7000-8000-00000000bbbb\", \"triphase-expires\": "
                    "\"1700000000\"}");

    struct lab_result dry = lab_run(lab, "sweep", "--dry-run", NULL);
    cr_expect_eq(dry.code, 1, "%s", dry.err);
    cr_expect(dry.seconds <= 1, "%.2f s", dry.seconds);
    static const char *const kinds[] = {"GET /v1/servers", "GET /v1/firewalls", "GET /v1/ssh_keys"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        cr_expect(hetzner_asked(cloud, kinds[i]) <= 5, "%s: %zu", kinds[i], hetzner_asked(cloud, kinds[i]));
    struct lab_result flipped = lab_run(lab, "--set", "targets.web.provider=sandbox", "--set",
                                        "targets.api.provider=sandbox", "sweep", "--yes", NULL);
    cr_expect_eq(flipped.code, 0, "its keys stayed, and it is asked: %s", flipped.err);
    has(flipped.err, "tp000000bbbb: removed");
    cr_expect_eq(hetzner_count(cloud, "servers"), 200);
    hetzner_fault(cloud, "{\"fault\": 401, \"times\": 0}");
    struct lab_result gone = lab_run(lab, "sweep", "--yes", NULL);
    cr_expect_eq(gone.code, 69, "%s", gone.err);
    has(gone.err, "hetzner (web, api): what is there could not be asked: ");
    hetzner_stop(cloud);
}
