/* The list of variables that decide how a host is reached, against what each installed
 * Ansible itself documents. */
#include "config/connection_variables.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Every variable of the connection plugin ssh, as ansible-doc tells it; `count` of
 * those that are in the list. */
static void check(const char *playbook_program)
{
    AUTO_FREE char *bin = file_parent(playbook_program);
    AUTO_FREE char *program = file_join(bin, "ansible-doc");
    if (!file_is_program(program))
        cr_skip_test("there is no %s", program);
    const char *const argv[] = {program, "-t", "connection", "-j", "ssh", NULL};
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do_argv(60 * NS_PER_S, argv, &out, &err) == 0, "%s", error_text(&err));
    AUTO_JSON *document = json_parse(text_string(&out), out.length, NULL);
    const struct json *options = json_get(json_get(json_get(document, "ssh"), "doc"), "options");
    size_t known = 0;
    void *at = NULL;
    const char *name;
    for (struct json *option; json_each(options, &at, &name, &option);) {
        const struct json *variables = json_get(option, "vars");
        for (size_t i = 0; i < json_count(variables); i++) {
            const char *variable = json_get_string(json_at(variables, i), "name", "");
            if (text_is(variable, "inventory_hostname") || text_starts(variable, "delegated_vars["))
                continue; /* not a variable that anybody sets */
            cr_expect(connection_variable_find(variable), "%s (of '%s') is in no list", variable, name);
            known++;
        }
    }
    cr_expect_gt(known, 25, "%zu of %s", known, program);
}

Test(connection_variables, the_list_has_every_variable_of_the_ansible_in_path, .timeout = 90)
{
    AUTO_FREE char *found = file_find_program("ansible-playbook", NULL);
    cr_assert(found);
    check(found);
}

Test(connection_variables, the_list_has_every_variable_of_the_oldest_ansible, .timeout = 90)
{
    const char *old = getenv("OLD_ANSIBLE");
    if (!old)
        cr_skip_test("this machine has no Ansible 2.14");
    check(old);
}

Test(connection_variables, the_list_has_every_variable_of_the_newest_ansible, .timeout = 90)
{
    const char *newest = getenv("NEWEST_ANSIBLE");
    if (!newest)
        cr_skip_test("the newest Ansible is not there");
    check(newest);
}
