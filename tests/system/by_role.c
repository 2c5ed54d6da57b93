/* The table of a provisioning, `report --by role`, of roles as they are written for one: some fail and are
 * rescued, one runs in the background while others work, one is skipped. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <string.h>

static const char playbook[] = "- hosts: recipe_work\n  gather_facts: false\n  roles: [packages]\n  tasks:\n"
                               "    - ansible.builtin.include_role: {name: prepull, tasks_from: begin.yml}\n"
                               "    - ansible.builtin.include_role: {name: firewall}\n"
                               "    - ansible.builtin.import_role: {name: unwanted}\n      when: false\n"
                               "    - ansible.builtin.include_role: {name: prepull, tasks_from: join.yml}\n"
                               "    - ansible.builtin.import_role: {name: metadata}\n";

static const char *const roles[][2] = {
    {"packages/tasks/main.yml", "- ansible.builtin.command: 'true'\n"},
    {"prepull/tasks/begin.yml",
     "- ansible.builtin.command: sleep 1.5\n  async: 30\n  poll: 0\n  register: job\n"
     "  environment: {HOME: \"{{ '~root' | expanduser }}\"}\n"},
    {"prepull/tasks/join.yml",
     "- ansible.builtin.async_status: {jid: \"{{ job.ansible_job_id }}\"}\n  register: end\n"
     "  until: end is finished\n  delay: 1\n  retries: 30\n"
     "  environment: {HOME: \"{{ '~root' | expanduser }}\"}\n"},
    {"firewall/tasks/main.yml", "- block:\n    - ansible.builtin.command: 'false'\n  rescue:\n"
                                "    - ansible.builtin.debug: {msg: goes on}\n"},
    {"unwanted/tasks/main.yml", "- ansible.builtin.command: 'true'\n- ansible.builtin.command: 'true'\n"},
    {"metadata/tasks/main.yml",
     "- ansible.builtin.command: 'false'\n  register: looked\n  ignore_errors: true\n"
     "- ansible.builtin.command: 'true'\n  changed_when: false\n"},
};

static const struct json *row_of(const struct json *rows, const char *name)
{
    for (size_t i = 0; i < json_count(rows); i++)
        if (text_is(json_get_string(json_at(rows, i), "name", NULL), name))
            return json_at(rows, i);
    cr_assert_fail("there is no row of %s", name);
    return NULL;
}

static double wall_of(const struct json *rows, const char *name)
{
    return json_real(json_get(row_of(rows, name), "wall_ms"), -1);
}

Test(by_role, real_roles_that_fail_are_rescued_wait_and_are_skipped_have_their_status_and_time)
{
    struct lab *lab = lab_phase_project(NULL, "");
    lab_play(lab, playbook);
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        AUTO_FREE char *path = xasprintf("cases/roles/%s", roles[i][0]);
        lab_write(lab, path, "%s", roles[i][1]);
    }
    struct lab_result run = lab_run(lab, "run", "host", NULL);
    cr_assert_eq(run.code, 0, "%s", run.err);
    struct lab_result report = lab_run(lab, "report", "--by", "role", "--json", NULL);
    AUTO_JSON *json = json_parse(report.out, strlen(report.out), NULL);
    const struct json *rows = json_get(json, "rows");
    static const char *const statuses[][2] = {{"packages", "changed"}, {"prepull", "changed"},
                                              {"firewall", "failed"},  {"unwanted", "skipped"},
                                              {"metadata", "ok"},      {"all", "failed"}};
    double sum = 0;
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        const struct json *row = row_of(rows, statuses[i][0]);
        cr_expect_str_eq(json_get_string(row, "status", ""), statuses[i][1], "%s", statuses[i][0]);
        cr_expect(json_get_string(row, "started", NULL) != NULL);
        sum += i + 1 < COUNT_OF(statuses) ? wall_of(rows, statuses[i][0]) : 0;
    }
    cr_expect(text_is(json_get_string(json_at(rows, json_count(rows) - 1), "name", NULL), "all"));
    /* The one in the background spans the others, so that all of them together are more than all. */
    cr_expect(wall_of(rows, "prepull") >= 1000 && wall_of(rows, "prepull") > wall_of(rows, "firewall"));
    cr_expect(wall_of(rows, "all") >= wall_of(rows, "prepull") && wall_of(rows, "all") < sum, "%f of %f",
              wall_of(rows, "all"), sum);
    struct lab_result table = lab_run(lab, "report", "--by", "role", NULL),
                      csv = lab_run(lab, "report", "--by", "role", "--format", "csv", NULL),
                      md = lab_run(lab, "report", "--by", "role", "--format", "md", NULL);
    cr_expect(strstr(table.out, "firewall") && strstr(table.out, "failed") && strstr(table.out, "\nall"),
              "%s", table.out);
    cr_expect(strstr(csv.out, "\nall,,") && strstr(csv.out, "max_ms,status,started,wall_ms\n"), "%s",
              csv.out);
    cr_expect(strstr(md.out, "| all"), "%s", md.out);
}
