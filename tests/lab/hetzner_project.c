#include "lab/hetzner_project.h"

#include "base/memory.h"

#include <criterion/criterion.h>

static const char recipe[] = "phases:\n  - name: work\n    playbook: playbooks/work.yml\n";
static const char playbook[] =
    "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: cat /root/users\n"
    "      changed_when: false\n";

struct lab *hetzner_project(struct hetzner *cloud, const char *lines)
{
    struct lab *lab = lab_new();
    lab_write(lab, "token", HETZNER_TOKEN "\n");
    lab_write(
        lab, "triphase.yml",
        "project: lab\nproviders:\n  hetzner: {server_type: cx23, endpoint: '%s', token: {file: token}}\n"
        "targets:\n  host:\n    provider: hetzner\n    recipe: work\n%s",
        hetzner_endpoint(cloud), lines);
    lab_write(lab, "phases/work.yml", "%s", recipe);
    lab_write(lab, "playbooks/work.yml", "%s", playbook);
    return lab;
}

struct hetzner *hetzner_of_nobody(void)
{
    return hetzner_start((const char *const[]){"--ipv4", "127.0.0.1", NULL});
}

void hetzner_expect_each(struct hetzner *cloud, size_t count)
{
    static const char *const kinds[] = {"servers", "firewalls", "ssh_keys"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        cr_expect_eq(hetzner_count(cloud, kinds[i]), count, "%s", kinds[i]);
}

void hetzner_expect_destroyed(struct lab *lab, struct hetzner *cloud)
{
    struct lab_result gone = lab_run(lab, "destroy", "host", "--yes", NULL);
    cr_expect_eq(gone.code, 0, "%s", gone.err);
    hetzner_expect_each(cloud, 0);
}
