/* What modules have to say with `triphase_told`: on each Ansible, from the task to all that shows it. */
#include "../lab/phase.h"

#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECRET "Zug-27-faehrt-5"

/* Told of that subject, the only one; NULL where there is none. */
static const struct json *find(const struct json *told, const char *subject)
{
    const struct json *found = NULL;
    for (size_t i = 0; i < json_count(told); i++)
        if (text_is(json_get_string(json_at(told, i), "subject", NULL), subject)) {
            cr_expect_null(found, "%s is told twice", subject);
            found = json_at(told, i);
        }
    return found;
}

static void expect(const struct json *told, const char *subject, const char *text, const char *detail)
{
    const struct json *found = find(told, subject);
    cr_assert(found, "%s is not told", subject);
    AUTO_FREE char *compact = json_compact(json_get(found, "detail"));
    cr_expect_str_eq(json_get_string(found, "text", ""), text);
    cr_expect_str_eq(compact, detail);
    cr_expect_str_eq(json_get_string(found, "host", ""), "host");
    cr_expect_str_eq(json_get_string(found, "role", ""), "teller");
    cr_expect_eq(json_get_integer(found, "step", 0), 3);
}

static void check_json(struct lab *lab)
{
    struct lab_result report = lab_run(lab, "report", "--json", NULL);
    AUTO_JSON *json = json_parse(report.out, strlen(report.out), NULL);
    const struct json *told = json_get(json, "told");
    cr_assert_eq(json_count(told), 9, "%s", report.out);
    expect(told, "state", "T1 H0 S1: restore", "{\"evidence\":[\"a receipt\",1],\"whole\":true}");
    expect(told, "item 1", "one of them", "{}");
    expect(told, "item 2", "one of them", "{}");
    expect(told, "fails", "it says why", "{}");
    expect(told, "background", "told at its end", "{}");
    expect(told, "of [REDACTED secret db]", "it is [REDACTED secret db]",
           "{\"list\":[\"a [REDACTED secret db]\",\"[REDACTED secret db]\"]}");
    expect(told, "numbers", "of any size",
           "{\"far\":\"1180591620717411303424\",\"near\":7,\"none\":\"nan\",\"half\":0.5,"
           "\"nul\":\"a\xef\xbf\xbd"
           "b\",\"deep\":{\"in\":[{\"in\":null}]}}");
    const struct json *longest = find(told, "long");
    cr_assert(longest);
    cr_expect_eq(strlen(json_get_string(longest, "text", "")), 500);
    cr_expect_not_null(json_get_string(json_get(longest, "detail"), "left_out", NULL));
}

static void check_shown(struct lab *lab)
{
    struct lab_result table = lab_run(lab, "report", NULL),
                      md = lab_run(lab, "report", "--format", "md", NULL),
                      events = lab_run(lab, "events", NULL), lines = lab_run(lab, "events", "--json", NULL);
    cr_expect(strstr(table.out, "\ntold: state: T1 H0 S1: restore  (3 work, host)\n"), "%s", table.out);
    cr_expect(strstr(md.out, "\n- told: state: T1 H0 S1: restore  (3 work, host)\n"), "%s", md.out);
    cr_expect(strstr(events.out, "told"), "%s", events.out);
    cr_expect(strstr(events.out, "T1 H0 S1: restore"), "%s", events.out);
    cr_expect(strstr(lines.out, "\"subject\":\"state\",\"text\":\"T1 H0 S1: restore\""), "%s", lines.out);
    AUTO_FREE char *log = lab_phase(lab, "events"), *path = xasprintf(".triphase/%s", log);
    AUTO_FREE char *file = lab_read(lab, path),
                   *rows =
                       lab_sql(lab, "SELECT group_concat(detail, char(10)) FROM event WHERE kind = 'told'");
    const char *const all[] = {table.out, md.out, events.out, lines.out, rows, file};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        cr_expect(!strstr(all[i], "geheim"), "what no_log hides is told: %s", all[i]);
        cr_expect(!strstr(all[i], SECRET) && !strstr(all[i], "WnVnLTI3LW"), "a secret is told: %s", all[i]);
        cr_expect(!strchr(all[i], '\033'), "it steers a terminal: %s", all[i]);
    }
}

static void check(const char *ansible)
{
    struct lab *lab = lab_new();
    lab_environment(lab, "DB", SECRET);
    if (ansible)
        lab_ansible(lab, ansible);
    lab_static_project(lab, "    attempts: 1\n", "- ansible.builtin.import_playbook: ../cases/tells.yml\n");
    AUTO_FREE char *file = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml", "%s    secrets:\n      db: {env: DB}\n", file);
    lab_case(lab, "told", "cases");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    check_json(lab);
    check_shown(lab);
}

Test(told, what_a_module_has_to_say_is_an_event_and_a_line_of_the_report)
{
    check(NULL);
}

Test(told, what_a_module_has_to_say_is_an_event_and_a_line_of_the_report_on_the_oldest_ansible)
{
    check(lab_old_ansible());
}

Test(told, what_a_module_has_to_say_is_an_event_and_a_line_of_the_report_on_the_newest_ansible)
{
    check(lab_newest_ansible());
}
