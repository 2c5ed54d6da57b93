/* What a plan refuses, what it warns of, and what it remembers: with real Ansibles, before anything is
 * made. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/lab.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/stat.h>

#define cr_has(text, part)     cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))
#define cr_has_not(text, part) cr_assert_null(strstr((text), (part)), "'%s' says '%s'", (text), (part))

TestSuite(plan, .timeout = 250);

/* A project whose host is never asked for; `keys` are further lines of its phase. */
static struct lab *project(const char *ansible, const char *keys, const char *playbook)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *line = ansible ? xasprintf("ansible: %s/ansible-playbook\n", ansible) : xstrdup("");
    lab_write(lab, "triphase.yml",
              "project: lab\n%stargets:\n  host:\n    provider: static\n    recipe: work\n    address: "
              "192.0.2.1\n    host_keys: accept-new\n",
              line);
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n%s", keys);
    lab_write(lab, "playbooks/work.yml", "%s", playbook);
    return lab;
}

/* The project of tests/cases/plan/NAME, with this Ansible. */
static struct lab *of_case(const char *name, const char *ansible)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *path = xasprintf("plan/%s", name);
    AUTO_FREE char *program = ansible ? xasprintf("%s/ansible-playbook", ansible) : NULL;
    lab_case(lab, path, "");
    lab_environment(lab, "TRIPHASE_ANSIBLE", program);
    return lab;
}

/* Each Ansible there is: the folder of the one in PATH, and /usr/bin. */
static void ansibles(struct words *out)
{
    AUTO_FREE char *first = file_find_program("ansible-playbook", NULL);
    cr_assert(first, "ansible-playbook is not in PATH");
    *strrchr(first, '/') = '\0';
    words_add(out, first);
    if (file_is_program("/usr/bin/ansible-playbook") && !words_have(out, "/usr/bin"))
        words_add(out, "/usr/bin");
}

static const char fine[] = "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n";

static void expect(struct lab *lab, int code, const char *says)
{
    struct lab_result result = lab_run(lab, "plan", "host", NULL);
    cr_expect_eq(result.code, code, "%d: %s%s", result.code, result.out, result.err);
    if (says)
        cr_expect(strstr(result.out, says), "'%s' does not say '%s'", result.out, says);
}

Test(plan, a_fine_project_can_be_run_with_each_ansible)
{
    AUTO_WORDS bins = WORDS_INIT;
    ansibles(&bins);
    for (size_t i = 0; i < bins.count; i++)
        expect(project(bins.items[i], "", fine), 0, "can be run");
}

Test(plan, what_ansible_finds_wrong_is_told_with_its_place)
{
    AUTO_WORDS bins = WORDS_INIT;
    ansibles(&bins);
    for (size_t i = 0; i < bins.count; i++) {
        const char *bin = bins.items[i];
        expect(project(bin, "", "- hosts: recipe_work\n  roles: [nonesuch]\n"), 78, "playbooks/work.yml:2");
        expect(project(bin, "", "- hosts: recipe_work\n  tasks:\n    - nonesuch_module: {}\n"), 78,
               "nonesuch_module");
        expect(project(bin, "", "- hosts: recipe_work\n  tasks:\n    - no_such.collection.module: {}\n"), 69,
               "ansible-galaxy collection install no_such.collection");
        expect(project(bin, "", "- hosts: recipe_work\n  tasks: [\n"), 78, "playbooks/work.yml");
        expect(project(bin, "", "- hosts: recipe_wrok\n"), 78, "no play matches a host");
    }
}

Test(plan, faults_of_several_playbooks_are_told_at_once)
{
    struct lab *lab =
        project(NULL,
                "  - name: more\n    playbook: playbooks/more.yml\n  - name: least\n    playbook: "
                "playbooks/least.yml\n    require: [{program: no-such-program, install: get it}]\n",
                "- hosts: recipe_work\n  roles: [first_missing]\n");
    lab_write(lab, "playbooks/more.yml", "- hosts: recipe_work\n  roles: [second_missing]\n");
    lab_write(lab, "playbooks/least.yml", "- hosts: nobody\n");
    struct lab_result result = lab_run(lab, "plan", NULL);
    cr_assert_eq(result.code, 78);
    cr_has(result.out, "first_missing");
    cr_has(result.out, "second_missing");
    cr_has(result.out, "playbooks/least.yml: no play matches");
    cr_has(result.out, "recipe work, phase least: the program no-such-program is missing");
    cr_has(result.out, "install it with: get it");
}

Test(plan, a_missing_program_alone_is_69_with_the_line_that_installs_it)
{
    expect(project(NULL, "    require: [{program: no-such-program, install: apt-get install no-such}]\n",
                   fine),
           69, "install it with: apt-get install no-such");
    /* Beside a checkout's program there may be an Ansible that no PATH names; one that
     * is named is the only one. */
    expect(project("/nonexistent", "", fine), 69, "pip install ansible-core==");
}

/* Before a run begins it is 69; what a run misses once it has begun (destroy makes no
 * plan) ends it by its outcome. */
Test(plan, a_missing_ssh_is_69_for_a_made_host_too_and_a_run_that_has_begun_ends_as_its_stage_does)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", fine);
    lab_write(lab, "phases/work.yml",
              "phases: [{name: work, playbook: playbooks/work.yml}]\n"
              "teardown: [{name: bye, playbook: playbooks/work.yml}]\n");
    struct lab_result made = lab_run(lab, "create", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    AUTO_FREE char *ansible = file_find_program("ansible-playbook", NULL), *only = file_parent(ansible);
    lab_environment(lab, "PATH", only);

    struct lab_result run = lab_run(lab, "run", "host", NULL);
    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", NULL);

    cr_expect_eq(run.code, 69, "%s", run.err);
    cr_has(run.err, "apt-get install -y openssh-client");
    cr_expect_eq(lab_sql_number(lab, "SELECT count(*) FROM run"), 2, "a run began");
    cr_expect_eq(gone.code, 4, "%s", gone.err);
    cr_has(gone.err, "cannot start ssh: no program of that name in PATH");
}

Test(plan, a_prompt_needs_a_value)
{
    static const char asks[] =
        "- hosts: recipe_work\n  gather_facts: false\n  vars_prompt:\n    - name: colour\n  tasks: []\n";
    expect(project(NULL, "", asks), 78, "vars_prompt asks for colour");
    expect(project(NULL, "    vars: {colour: red}\n", asks), 0, NULL);
    expect(project(NULL, "    args: [-e, 'x=1 colour=red']\n", asks), 0, NULL);
    expect(project(NULL, "    args: ['-e{\"colour\": \"red\"}']\n", asks), 0, NULL);
    expect(project(NULL, "    args: [--step]\n", fine), 78, NULL);
}

Test(plan, a_password_for_the_login_is_named_with_its_file_and_not_shown)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    lab_write(lab, "playbooks/group_vars/all.yml", "ansible_password: tr0ub4dor\n");
    struct lab_result result = lab_run(lab, "plan", NULL);
    cr_expect_eq(result.code, 0, "%s%s", result.out, result.err);
    cr_has(
        result.out,
        "warning: playbooks/group_vars/all.yml: variable ansible_password of host host is set and not used");
    cr_expect_null(strstr(result.out, "tr0ub4dor"));
}

Test(plan, host_vars_that_would_bend_the_connection_are_refused_by_name_value_and_file)
{
    AUTO_WORDS bins = WORDS_INIT;
    ansibles(&bins);
    for (size_t i = 0; i < bins.count; i++) {
        struct lab *lab = project(bins.items[i], "", fine);
        lab_write(lab, "playbooks/host_vars/host.yml", "ansible_host: 192.0.2.99\nharmless: 1\n");
        struct lab_result result = lab_run(lab, "plan", NULL);
        cr_assert_eq(result.code, 78, "%s", result.out);
        cr_has(result.out, "variable ansible_host of host host is '192.0.2.99', probably set in "
                           "playbooks/host_vars/host.yml, and "
                           "the target's key 'address' says '192.0.2.1' (triphase.yml:");
        cr_has(result.out, "1 to mend");
        cr_has_not(result.out, "harmless");
    }
    struct lab *lab = project(NULL, "", fine);
    lab_write(lab, "inventory/hosts.yml", "all: {children: {recipe_work: {}}}\n");
    lab_write(lab, "inventory/group_vars/recipe_work/main.yml",
              "ansible_ssh_common_args: -o ControlPath=/tmp/mine\n");
    expect(lab, 0, NULL); /* the rendered host variable is the stronger one, and has them */
    lab_write(lab, "inventory/host_vars/host", "ansible_ssh_common_args: -o ControlPath=/tmp/mine\n");
    expect(lab, 78, "inventory/host_vars/host");
}

Test(plan, restarts_that_cut_the_branch_they_sit_on_are_warned_of)
{
    struct lab *lab = of_case("restarts", NULL);
    struct lab_result result = lab_run(lab, "plan", NULL);
    cr_assert_eq(result.code, 0, "%s", result.out);
    cr_has(result.out, "playbooks/work.yml:5: docker is stopped or restarted");
    cr_has(result.out, "playbooks/work.yml:8: ssh is stopped");
    cr_has(result.out, "playbooks/work.yml:9: networking is stopped");
    cr_has(result.out, "playbooks/more.yml:1: tailscaled is stopped");
    cr_has(result.out, "4 warnings");
}

Test(plan, hosts_that_nobody_can_know_before_are_warned_of)
{
    expect(project(NULL, "",
                   "- hosts: '{{ somewhere | default(\"recipe_work\") }}'\n  gather_facts: false\n"),
           0, "is templated");
    struct lab_result known =
        lab_run(project(NULL, "", "- hosts: '{{ triphase_host }}'\n  gather_facts: false\n"), "plan", NULL);
    cr_expect_eq(known.code, 0, "%s", known.out);
    cr_has_not(known.out, "is templated");
    expect(project(NULL, "",
                   "- hosts: '{{ triphase_host }}:{{ more | default(\"\") }}'\n  gather_facts: false\n"),
           0, "is templated");
    expect(project(NULL, "",
                   "- hosts: later\n  gather_facts: false\n  tasks:\n    - ansible.builtin.add_host: {name: "
                   "x, groups: later}\n"),
           0, "add_host makes hosts");
}

Test(plan, a_plan_that_passed_is_remembered_until_something_changes)
{
    struct lab *lab = project(NULL, "", fine);
    lab_write(lab, "playbooks/tasks/other.yml", "[]\n");
    struct lab_result first = lab_run(lab, "plan", NULL), second = lab_run(lab, "plan", NULL);
    cr_assert_eq(first.code + second.code, 0);
    cr_has_not(first.out, "unchanged");
    cr_has(second.out, "unchanged since");
    cr_expect_lt(second.seconds, 0.3);
    static const char *const files[] = {"playbooks/tasks/other.yml", "playbooks/group_vars/all.yml",
                                        "phases/work.yml",           "ansible.cfg",
                                        "inventory/hosts.yml",       "roles/x/tasks/main.yml"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        AUTO_FREE char *content = lab_exists(lab, files[i]) ? lab_read(lab, files[i]) : xstrdup("");
        lab_write(lab, files[i], "%s# changed\n", content);
        struct lab_result changed = lab_run(lab, "plan", NULL), again = lab_run(lab, "plan", NULL);
        cr_expect(!strstr(changed.out, "unchanged since"), "%s changed", files[i]);
        cr_expect(strstr(again.out, "unchanged since"), "%s: %s", files[i], again.out);
    }
    lab_write(lab, "playbooks/work.yml", "- hosts: nobody\n");
    expect(lab, 78, "no play matches");
    expect(lab, 78, "no play matches"); /* what failed is never remembered */
    lab_write(lab, "playbooks/work.yml", "%s", fine);
    expect(lab, 0, NULL);
    expect(lab, 0, "unchanged since");
    lab_environment(lab, "ANSIBLE_ROLES_PATH", "/elsewhere");
    struct lab_result other = lab_run(lab, "plan", NULL);
    cr_expect(!strstr(other.out, "unchanged since"), "roles are looked for elsewhere");
}

Test(plan, warnings_are_remembered_with_the_plan)
{
    struct lab *lab = project(
        NULL, "",
        "- hosts: later\n  gather_facts: false\n  tasks:\n    - ansible.builtin.group_by: {key: later}\n");
    struct lab_result first = lab_run(lab, "plan", NULL), second = lab_run(lab, "plan", NULL);
    cr_has(first.out, "no play matches a host of the inventory yet");
    cr_has(second.out, "no play matches a host of the inventory yet");
    cr_has(second.out, "unchanged since");
}

Test(plan, hostile_playbooks_are_only_faults)
{
    static const char *const texts[] = {"",
                                        "\xff\xfe",
                                        "42\n",
                                        "- 42\n",
                                        "- {hosts: {a: b}}\n",
                                        "- import_playbook: work.yml\n",
                                        "&a [*a]\n",
                                        "- hosts: recipe_work\n  roles: 5\n",
                                        "- hosts: recipe_work\n  tasks: {a: b}\n",
                                        "- hosts: recipe_work\n  vars_prompt: 3\n",
                                        "$ANSIBLE_VAULT;1.1;AES256\n6162\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct lab *lab = project(NULL, "", texts[i]);
        struct lab_result result = lab_run(lab, "plan", NULL);
        cr_expect(result.code == 78 || result.code == 0, "%zu: %d %s%s", i, result.code, result.out,
                  result.err);
    }
}

/* A plan of a case by each Ansible there is: its code, and all of them say each of the
 * texts; the last is NULL. */
static void expect_by_each(const char *name, int code, const char *const *says)
{
    AUTO_WORDS bins = WORDS_INIT;
    ansibles(&bins);
    for (size_t i = 0; i < bins.count; i++) {
        struct lab_result result = lab_run(of_case(name, bins.items[i]), "plan", "host", NULL);
        cr_expect_eq(result.code, code, "%s: %d: %s%s", bins.items[i], result.code, result.out, result.err);
        for (const char *const *text = says; *text; text++)
            cr_expect(strstr(result.out, *text), "%s: '%s' does not say '%s'", bins.items[i], result.out,
                      *text);
    }
}

Test(plan, plugins_that_this_ansible_cannot_load_are_named_with_place_and_setting)
{
    expect_by_each(
        "missing-plugins", 78,
        (const char *const[]){"refused: ansible.cfg:3: stdout_callback: Ansible cannot load the callback "
                              "plugin no.such.stdout",
                              "ansible-galaxy collection install no.such",
                              "refused: playbooks/work.yml:1: Ansible cannot load the strategy plugin "
                              "no.such.strategy",
                              "refused: playbooks/work.yml:5: Ansible cannot load the become plugin "
                              "nosuchbecome",
                              "warning: playbooks/work.yml:8: Ansible cannot load the connection plugin "
                              "nosuchconnection",
                              "warning: ansible.cfg:4: callbacks_enabled: Ansible cannot load the callback "
                              "plugin nosuchcallback",
                              "warning: ansible.cfg:5: vars_plugins_enabled: Ansible cannot load the vars "
                              "plugin nosuchvars",
                              "warning: ansible.cfg:7: enable_plugins: Ansible cannot load the inventory "
                              "plugin nosuchinventory",
                              "3 to mend, 4 warnings", NULL});
}

Test(plan, inventories_that_ansible_would_pass_over_are_refused_with_its_reason)
{
    expect_by_each("broken-inventories", 78,
                   (const char *const[]){"refused: inventory/broken.yml", "refused: inventory/cloud.yml",
                                         "unknown plugin 'no.such.cloud'", "refused: inventory/script",
                                         "it begins with #! and is not executable (chmod +x)",
                                         "refused: inventory/program", "broken", "refused: inventory/marked",
                                         "begins with a byte order mark", "5 to mend, 0 warnings", NULL});
}

Test(plan, inventory_plugins_that_triphase_itself_needs_have_to_be_enabled)
{
    struct lab *lab = project(NULL, "", fine);
    lab_write(lab, "ansible.cfg", "[inventory]\nenable_plugins = ini\n");
    expect(lab, 78, "refused: ansible.cfg:2: enable_plugins lacks the inventory plugin 'yaml'");
    lab_write(lab, "ansible.cfg", "[inventory]\nenable_plugins = ansible.builtin.yaml, ini\n");
    expect(lab, 0, NULL);
    lab_environment(lab, "PASSWORD", "secret");
    lab_write(lab, "triphase.yml",
              "project: lab\ntargets:\n  host:\n    provider: static\n    recipe: work\n    address: "
              "192.0.2.1\n    host_keys: accept-new\n    "
              "secrets: {password: {env: PASSWORD}}\n");
    expect(lab, 78, "refused: ansible.cfg:2: enable_plugins lacks the inventory plugin 'script'");
}

/* `says` NULL: nothing of such words. The project is refused anyway, so that nothing begins. */
static void expect_asked(struct lab *lab, const char *option, const char *word, const char *says)
{
    struct lab_result result = lab_run(lab, "create", "host", "--", option, word, NULL);
    cr_expect_eq(result.code, 78, "%s %s: %d %s%s", option, word, result.code, result.out, result.err);
    cr_expect(!says == !strstr(result.err, "no task of any phase has it"), "%s %s: %s", option, word,
              result.err);
    if (says)
        cr_expect(strstr(result.err, says), "%s %s: %s", option, word, result.err);
}

Test(plan, tags_and_tasks_that_no_phase_has_are_refused_before_anything_is_made)
{
    struct lab *lab = of_case("tags", NULL);
    expect_asked(lab, "--tags", "confg", "--tags confg: no task of any phase has it; did you mean 'config'?");
    expect_asked(lab, "--tags", "config,confg", "--tags confg: no task of any phase has it");
    expect_asked(lab, "--skip-tags", "nothing", "--skip-tags nothing: no task of any phase has it");
    expect_asked(lab, "--start-at-task", "middle", "--start-at-task middle: no task of any phase has it");
    expect_asked(lab, "--tags", "inner,config,whole,all", NULL);
    expect_asked(lab, "--start-at-task", "las*", NULL);
    /* What a dynamic include brings can be skipped by its tag, but is reached only
     * by a tag of the include. */
    lab_write(lab, "playbooks/more.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.include_role: "
              "{name: r}\n");
    expect_asked(lab, "--skip-tags", "inner", NULL);
    expect_asked(lab, "--tags", "inner", "--tags inner: no task of any phase has it");
    /* A tag that `apply` lays upon what is included is none of the include's. */
    lab_write(lab, "playbooks/more.yml",
              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.include_role: "
              "{name: r, apply: {tags: [laid]}}\n");
    expect_asked(lab, "--skip-tags", "laid", NULL);
    expect_asked(lab, "--tags", "laid", "--tags laid: no task of any phase has it");
}

Test(plan, the_plan_as_json_has_every_finding)
{
    struct lab *lab = project(NULL, "    require: [{program: no-such-program}]\n",
                              "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - "
                              "ansible.builtin.shell: service ssh restart\n");
    struct lab_result result = lab_run(lab, "plan", "--json", NULL);
    AUTO_JSON *all = json_parse(result.out, strlen(result.out), NULL);
    const struct json *plan = json_at(json_get(all, "plans"), 0);
    cr_assert_eq(result.code, 69);
    cr_assert_str_eq(json_get_string(plan, "target", ""), "host");
    cr_assert_eq(json_count(json_get(plan, "findings")), 2);
    cr_assert_str_eq(json_get_string(json_at(json_get(plan, "findings"), 0), "kind", ""), "missing");
    cr_assert_str_eq(json_get_string(json_at(json_get(plan, "findings"), 1), "level", ""), "warning");
}
