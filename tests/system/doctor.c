/* triphase doctor, from outside: what it says is there is there, what is missing is named with what mends
 * it, and it changes nothing. */
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "format/json.h"
#include "lab/hetzner.h"
#include "lab/lab.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

TestSuite(doctor, .timeout = 60);

static struct json *parse(const char *text)
{
    AUTO_ERROR err = ERROR_INIT;
    struct json *document = json_parse(text, strlen(text), &err);
    cr_assert_not_null(document, "%s", error_text(&err));
    return document;
}

static const struct json *fact_named(const struct json *document, const char *name)
{
    const struct json *facts = json_get(document, "facts");
    for (size_t i = 0; i < json_count(facts); i++)
        if (text_is(json_get_string(json_at(facts, i), "name", ""), name))
            return json_at(facts, i);
    cr_assert_fail("the doctor says nothing of '%s'", name);
    return NULL;
}

/* Scripts take a fact by its name. Of a tailnet's health there may be several. */
static void expect_names_of_one_thing_each(const struct json *document)
{
    const struct json *facts = json_get(document, "facts");
    AUTO_WORDS seen = WORDS_INIT;
    for (size_t i = 0; i < json_count(facts); i++) {
        const char *name = json_get_string(json_at(facts, i), "name", "");
        cr_expect(!words_have(&seen, name) || text_is(name, "tailnet health"), "two facts are called '%s'",
                  name);
        words_add(&seen, name);
    }
    fact_named(document, "sandbox tun");
    fact_named(document, "tailnet tun");
}

Test(doctor, a_machine_that_can_make_sandboxes_is_told_so)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = lab_new();
    struct lab_result said = lab_run(lab, "doctor", "--json", NULL);
    AUTO_JSON *document = parse(said.out);
    cr_expect_eq(said.code, 0, "%s", said.out);
    cr_expect(json_get_bool(document, "sandbox"));
    cr_expect_str_eq(json_get_string(fact_named(document, "systemd-nspawn"), "state", ""), "ok");
    cr_expect_str_eq(json_get_string(fact_named(document, "kernel"), "state", ""), "ok");
    expect_names_of_one_thing_each(document);
    struct lab_result people = lab_run(lab, "doctor", NULL);
    cr_expect_eq(people.code, 0);
    cr_expect(strstr(people.out, "this machine can make sandboxes"), "%s", people.out);
    cr_expect_not(lab_exists(lab, ".triphase"));
}

Test(doctor, a_machine_without_the_programs_gets_the_line_that_installs_them_and_69)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = lab_new();
    /* A copy of the program, since beside the checkout's own there is an Ansible that it finds by itself. */
    AUTO_FREE char *alone = xasprintf("cp \"$1\" %s/program; shift; set -- %s/program \"$@\"; PATH=/nowhere",
                                      lab_folder(lab), lab_folder(lab));
    struct lab_result said = lab_run_after(lab, alone, "doctor", "--json", NULL);
    AUTO_JSON *document = parse(said.out);
    cr_expect_eq(said.code, 69);
    cr_expect_not(json_get_bool(document, "sandbox"));
    cr_expect_str_eq(json_get_string(fact_named(document, "nft"), "mend", ""), "apt-get install -y nftables");
    cr_expect(text_starts(json_get_string(document, "install", ""), "apt-get install -y systemd-container"),
              "%s", said.out);
    cr_expect_str_eq(json_get_string(fact_named(document, "ansible"), "state", ""), "missing");
}

Test(doctor, a_cloud_of_the_project_has_a_row_that_says_whether_its_token_is_there_and_from_where)
{
    struct hetzner *cloud = hetzner_start(NULL);
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml",
              "project: lab\nproviders:\n  hetzner:\n    server_type: cx23\n    endpoint: %s\ntargets:\n"
              "  a: {recipe: work, provider: hetzner}\n  b: {recipe: work, provider: hetzner}\n"
              "  c: {recipe: work, provider: hetzner, token: {file: token}}\n",
              hetzner_endpoint(cloud));
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: work.yml\n");
    lab_write(lab, "work.yml", "- hosts: recipe_work\n  tasks: []\n");
    lab_environment(lab, "HCLOUD_TOKEN", "of-the-cloud");
    AUTO_JSON *document = parse(lab_run(lab, "doctor", "--json", NULL).out);
    const struct json *there = fact_named(document, "cloud a"), *not_there = fact_named(document, "cloud c");
    cr_expect_str_eq(json_get_string(there, "state", ""), "ok");
    cr_expect(strstr(json_get_string(there, "what", ""), "(env: HCLOUD_TOKEN), and libcurl"));
    cr_expect_str_eq(json_get_string(not_there, "state", ""), "missing");
    cr_expect(strstr(json_get_string(not_there, "what", ""), "token"));
    cr_expect(strstr(json_get_string(not_there, "mend", ""), "HCLOUD_TOKEN"));
    expect_names_of_one_thing_each(document);
    cr_expect_eq(hetzner_asked(cloud, ""), 0, "it was contacted");
    hetzner_stop(cloud);
}

Test(doctor, a_wrong_word_is_refused)
{
    struct lab *lab = lab_new();
    cr_expect_eq(lab_run(lab, "doctor", "patient", NULL).code, 64);
}
