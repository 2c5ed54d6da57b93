/* `plan --contact`: what the host itself says, each with what to do, before anything is run. */
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/damage.h"
#include "lab/hetzner.h"

#include <criterion/criterion.h>
#include <string.h>

#define cr_has(text, part) cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

TestSuite(plan_contact, .timeout = 120);

static const char playbook[] = "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                               "    - name: say\n      ansible.builtin.command: 'true'\n";

/* What `plan --contact --json` says of one check; "state: text". */
static char *check(const struct lab_result *plan, const char *name)
{
    AUTO_JSON *all = json_parse(plan->out, strlen(plan->out), NULL);
    const struct json *contact = json_get(json_at(json_get(all, "plans"), 0), "contact"),
                      *checks = json_get(contact, "checks");
    for (size_t i = 0; i < json_count(checks); i++)
        if (text_is(json_get_string(json_at(checks, i), "name", NULL), name))
            return xasprintf("%s: %s", json_get_string(json_at(checks, i), "state", ""),
                             json_get_string(json_at(checks, i), "text", ""));
    return xstrdup("");
}

static void expect(const struct lab_result *plan, const char *name, const char *part)
{
    AUTO_FREE char *said = check(plan, name);
    cr_expect(strstr(said, part), "%s is '%s', not '%s'; %s", name, said, part, plan->err);
}

Test(plan_contact, a_host_that_was_never_made_is_asked_and_nothing_is_kept_of_it)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    struct lab_result plan = lab_run(lab, "plan", "--contact", NULL);
    cr_assert_eq(plan.code, 0, "%s", plan.out);
    cr_has(plan.out, "host login     ok       user root at 127.0.0.1 port");
    cr_has(plan.out, "host host-key  ok       ssh-ed25519 SHA256:");
    cr_has(plan.out, "host python    ok       /usr/bin/python3 (3.");
    cr_has(plan.out, "host disk      ok");
    cr_has(plan.out, "can be run\n");
    struct lab_result again = lab_run(lab, "plan", "--contact", NULL), without = lab_run(lab, "plan", NULL);
    cr_has(again.out,
           "can be run (the host was asked now; the rest is unchanged since Ansible was last asked)");
    cr_has(without.out, "can be run (unchanged since Ansible was last asked)");
    cr_expect_not(lab_exists(lab, ".triphase/machines/host") || lab_exists(lab, ".triphase/store.db"));
    cr_expect_eq(lab_processes("contact-"), 0);
}

Test(plan_contact, a_refused_key_and_another_host_key_end_with_4_and_say_what_to_do)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_KEY", "sshd/host_key");
    struct lab_result refused = lab_run(lab, "plan", "host", "--contact", "--json", NULL);
    cr_expect_eq(refused.code, 4);
    expect(&refused, "login", "failed: ");
    expect(&refused, "login", "Permission denied (publickey");
    expect(&refused, "login", "authorized_keys");
    expect(&refused, "host-key", "ok: ");

    lab_environment(lab, "TRIPHASE_TARGETS_HOST_KEY", NULL);
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_HOST_KEYS",
                    "[ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgHDzmuvpWtEVX9tgiHIcOJMcnWzKZr0QDyBtLDWBKB]");
    struct lab_result other = lab_run(lab, "plan", "host", "--contact", "--json", NULL);
    cr_expect_eq(other.code, 4);
    expect(&other, "host-key", "failed: ");
    expect(&other, "login", "unknown: ");
}

Test(plan_contact, a_user_who_cannot_become_root_fails_where_a_playbook_says_become)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    AUTO_FREE char *key = lab_read(lab, "key.pub");
    lab_write(lab, "key.pub", "command=\"PATH=%s/there:$PATH exec /bin/sh\" %s", lab_folder(lab), key);
    lab_write(lab, "there/id", "#!/bin/sh\ncase $1 in -u) echo 1000;; *) echo deploy;; esac\n");
    lab_write(lab, "there/sudo", "#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n");
    struct lab_result plain = lab_run(lab, "plan", "--contact", "--json", NULL);
    cr_expect_eq(plain.code, 0);
    expect(&plain, "sudo", "warning: user deploy cannot become root: sudo: a password is required");

    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_work\n  become: true\n  tasks: []\n");
    struct lab_result becomes = lab_run(lab, "plan", "--contact", "--json", NULL);
    cr_expect_eq(becomes.code, 78, "%s", becomes.out);
    expect(&becomes, "sudo", "failed: user deploy cannot become root");
    expect(&becomes, "sudo", "playbooks/work.yml:2");
    expect(&becomes, "sudo", "NOPASSWD");
    expect(&becomes, "login", "ok: ");
}

Test(plan_contact, a_python_that_modules_do_not_run_on_is_named_with_what_is_needed)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_write(lab, "there/python3", "#!/bin/sh\necho 2.7.18\n");
    AUTO_FREE char *python = xasprintf("%s/there/python3", lab_folder(lab));
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_PYTHON", python);
    struct lab_result old = lab_run(lab, "plan", "--contact", "--json", NULL);
    cr_expect_eq(old.code, 78, "%s", old.out);
    expect(&old, "python", "failed: ");
    expect(&old, "python", "is 2.7.18, and modules of Ansible");

    lab_environment(lab, "TRIPHASE_TARGETS_HOST_PYTHON", "/nonexistent/python3");
    struct lab_result absent = lab_run(lab, "plan", "--contact", "--json", NULL);
    cr_expect_eq(absent.code, 78);
    expect(&absent, "python", "failed: /nonexistent/python3 does not work: ");
}

Test(plan_contact, a_home_that_is_full_or_cannot_be_written_fails_with_what_to_do)
{
    static const struct {
        const char *options, *state, *words;
    } rows[] = {
        {"size=64k", "failed: ", "home is full ("},
        {"size=8m,ro", "failed: ", "home cannot be written by the user; mend its rights or its mount"},
        {"size=8m", "warning: ", "home has only 8 MiB left"},
    };
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    AUTO_FREE char *key = lab_read(lab, "key.pub"), *home = xasprintf("%s/home", lab_folder(lab));
    lab_write(lab, "home/of", "nobody yet\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        lab_write(
            lab, "key.pub",
            "command=\"exec unshare -m sh -c 'mount -t tmpfs -o %s none %s && HOME=%s exec /bin/sh'\" %s",
            rows[i].options, home, home, key);
        struct lab_result plan = lab_run(lab, "plan", "--contact", "--json", NULL);
        cr_expect_eq(plan.code, *rows[i].state == 'f' ? 78 : 0, "%s", plan.out);
        expect(&plan, "disk", rows[i].state);
        expect(&plan, "disk", rows[i].words);
    }
}

Test(plan_contact, where_nothing_is_made_there_is_nothing_to_contact)
{
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml", "project: lab\ntargets:\n  box:\n    recipe: work\n");
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml", "%s", playbook);
    struct lab_result with = lab_run(lab, "plan", "--contact", NULL), without = lab_run(lab, "plan", NULL);
    cr_expect_eq(with.code, without.code, "%s", with.out);
    cr_has(with.out, "there is nothing to contact; 'triphase create box' makes it");
}

/* A project whose target is at the cloud, which `endpoint` is. */
static struct lab *cloud_lab(const char *endpoint)
{
    struct lab *lab = lab_new();
    lab_write(
        lab, "triphase.yml",
        "project: lab\ntargets:\n  box:\n    recipe: work\n    provider: hetzner\n    server_type: cx23\n"
        "    endpoint: %s\n",
        endpoint);
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml", "%s", playbook);
    return lab;
}

Test(plan_contact, a_cloud_is_asked_once_whether_it_takes_the_token_and_who_refuses_is_told_in_its_words)
{
    struct hetzner *cloud = hetzner_start(NULL);
    struct lab *lab = cloud_lab(hetzner_endpoint(cloud));
    static const struct {
        const char *token;
        int code;
        const char *state, *words;
    } rows[] = {{HETZNER_TOKEN, 0, "ok", "takes the token, and shows 0 servers"},
                {"of-nobody", 78, "failed", "401 unauthorized"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        hetzner_forget_requests(cloud);
        lab_environment(lab, "HCLOUD_TOKEN", rows[i].token);
        struct lab_result plan = lab_run(lab, "plan", "--contact", "--json", NULL);
        cr_expect_eq(plan.code, rows[i].code, "%s%s", plan.out, plan.err);
        expect(&plan, "token", rows[i].state);
        expect(&plan, "token", rows[i].words);
        cr_expect_eq(hetzner_asked(cloud, ""), 1);
    }
    hetzner_stop(cloud);
    lab_environment(lab, "HCLOUD_TOKEN", HETZNER_TOKEN);
    struct lab_result gone = lab_run(lab, "plan", "--contact", "--json", NULL);
    cr_expect_eq(gone.code, 4, "%s", gone.out);
    expect(&gone, "token", "the cloud does not answer");
}
