/* Answers of a provider's programs, of a table that the JSON Schema is held against too (the system suite
 * provider_schema): what the schema refuses is refused here. */
#include "provider/command_answer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(command_answer, .timeout = 30);

static int judge(const char *call, struct json *answer, struct machine *machine, struct error *err)
{
    enum command_state state;
    AUTO_FREE char *text = json_compact(answer);
    AUTO_JSON *parsed = command_answer_parse(text, strlen(text), err);
    if (!parsed)
        return -1;
    AUTO_LISTING listing = {0};
    return text_is(call, "make")   ? command_answer_made(parsed, machine, err)
           : text_is(call, "list") ? command_answer_hosts(parsed, &listing, err)
                                   : command_answer_state(parsed, &state, err);
}

Test(command_answer, each_of_the_table_is_taken_or_refused_as_the_schema_has_it)
{
    AUTO_TEXT bytes = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_read("tests/cases/provider/answers.json", 1 << 20, &bytes, &err), 0, "%s",
                 error_text(&err));
    AUTO_JSON *table = json_parse(text_string(&bytes), bytes.length, &err);
    cr_assert_gt(json_count(table), 100);
    for (size_t i = 0; i < json_count(table); i++) {
        const struct json *row = json_at(table, i);
        struct json *answer = json_get(row, "answer");
        AUTO_FREE char *text = json_compact(row);
        AUTO_MACHINE *machine = machine_new(), *untouched = machine_new();
        AUTO_ERROR why = ERROR_INIT;
        int status = judge(json_get_string(row, "call", ""), answer, machine, &why);
        cr_expect_eq(status, json_get_bool(row, "good") ? 0 : -1, "%s: %s", text, error_text(&why));
        if (status == 0)
            continue;
        cr_expect_eq(why.kind, ERROR_PROVIDER, "%s", text);
        AUTO_JSON *is = machine_to_json(machine), *was = machine_to_json(untouched);
        AUTO_FREE char *after = json_compact(is), *before = json_compact(was);
        cr_expect_str_eq(after, before, "%s", text);
    }
}

Test(command_answer, what_was_made_is_in_the_machine_and_its_whole_answer_in_the_resources)
{
    static const char text[] =
        "{\"address\":\"192.0.2.7\",\"port\":2200,\"user\":\"admin\",\"key\":\"id\",\"jump\":\"hop\",\"host_"
        "keys\":["
        "\"ssh-ed25519 "
        "AAAAC3NzaC1lZDI1NTE5AAAAIJu1Cw9kZ8pVfQmT3sXyLh2nD5rE7gBvKq4oWtYcMaNb\"],\"python\":\"/opt/"
        "python\",\"reference\":\"i-42\",\"resources\":{\"disk\":7},\"data\":[1]}";
    AUTO_MACHINE *machine = machine_new();
    AUTO_ERROR err = ERROR_INIT;
    machine->directory = xstrdup("/m");
    AUTO_JSON *answer = command_answer_parse(text, strlen(text), &err);
    cr_assert_eq(command_answer_made(answer, machine, &err), 0, "%s", error_text(&err));
    AUTO_FREE char *kept = json_compact(json_get(machine->resources, COMMAND_ANSWER));
    cr_expect_str_eq(kept, text);
    cr_expect_str_eq(machine->address, "192.0.2.7");
    cr_expect_eq(machine->port, 2200);
    cr_expect_str_eq(machine->user, "admin");
    cr_expect_str_eq(machine->key, "/m/id");
    cr_expect_str_eq(machine->jump, "hop");
    cr_expect_str_eq(machine->python, "/opt/python");
    cr_expect_str_eq(machine->reference, "i-42");
    cr_expect_eq(machine->host_keys.count, 1);
}

Test(command_answer, a_key_may_be_the_agents_or_lie_elsewhere)
{
    static const char *const cases[][2] = {{"agent", "agent"},
                                           {"/etc/key", "/etc/key"},
                                           {"a/key", "/m/a/key"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_MACHINE *machine = machine_new();
        AUTO_ERROR err = ERROR_INIT;
        machine->directory = xstrdup("/m");
        AUTO_JSON *answer = json_new_object();
        json_set_string(answer, "address", "h");
        json_set_string(answer, "key", cases[i][0]);
        cr_assert_eq(command_answer_made(answer, machine, &err), 0, "%s", error_text(&err));
        cr_expect_str_eq(machine->key, cases[i][1]);
    }
}

Test(command_answer, the_text_of_a_key_is_named_as_such_and_never_repeated)
{
    AUTO_MACHINE *machine = machine_new();
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *answer = json_new_object();
    json_set_string(answer, "address", "h");
    json_set_string(answer, "key", "-----BEGIN OPENSSH PRIVATE KEY-----\nof-no-use\n");
    cr_assert_eq(command_answer_made(answer, machine, &err), -1);
    cr_expect_str_eq(error_text(&err), "its answer's 'key' is the text of a key: give the path of a file");
}
