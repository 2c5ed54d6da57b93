/* What a program of the provider `command` is told: of a machine what was written down when it was made,
 * whatever the file says by then. */
#include "provider/command_request.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "format/json.h"
#include "format/yaml.h"
#include "provider/command_answer.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(command_request, .timeout = 30);

static struct node *map_of(const char *text)
{
    struct node *node = NULL;
    AUTO_WORDS faults = WORDS_INIT;
    cr_assert_eq(yaml_read(text, strlen(text), "f", &node, &faults), 0, "%s", text);
    return node;
}

static struct machine *noted(struct target *target)
{
    struct machine *machine = machine_new();
    machine->id = xstrdup("01a20481-f5ea-7f94-8db5-57e55cbd5271");
    machine->target = xstrdup("box");
    machine->directory = xstrdup("/p/.triphase/machines/m");
    words_add_all(&target->make, "./make", "--small", NULL);
    words_add(&target->verify, "./look");
    words_add(&target->remove, "./remove");
    command_request_note(target, machine);
    return machine;
}

static char *text_of(enum command_kind kind, const struct target *target, const struct machine *machine)
{
    const struct command_request request = {.kind = kind,
                                            .target = target,
                                            .machine = machine,
                                            .project = "demo",
                                            .directory = "/p",
                                            .bound_ns = 90 * NS_PER_S};
    return command_request_text(&request);
}

Test(command_request, programs_and_vars_are_those_of_when_it_was_made)
{
    AUTO_NODE *before = map_of("size: 3\n"), *after = map_of("size: 4\n");
    struct target target = {.name = (char *)"box", .vars = before};
    AUTO_MACHINE *machine = noted(&target);

    words_clear(&target.remove);
    words_add(&target.remove, "./another");
    target.vars = after;

    AUTO_FREE char *text = text_of(COMMAND_REMOVE, &target, machine),
                   *words = json_compact(command_request_noted(machine, COMMAND_REMOVE)),
                   *make = json_compact(command_request_noted(machine, COMMAND_MAKE));
    cr_has(text, "\"vars\":{\"size\":3}");
    cr_expect_str_eq(words, "[\"./remove\"]");
    cr_expect_str_eq(make, "[\"./make\",\"--small\"]");
}

Test(command_request, of_a_target_that_no_file_names_any_more_env_is_what_it_was_when_it_was_made)
{
    struct target target = {.name = (char *)"box"};
    AUTO_WORDS with = WORDS_INIT, without = WORDS_INIT;
    setenv("HCLOUD_TOKEN", "of-the-cloud", 1);
    words_add(&target.env, "HCLOUD_TOKEN");
    AUTO_MACHINE *machine = noted(&target);
    const struct command_request gone = {.kind = COMMAND_REMOVE, .machine = machine};
    command_request_environment(&gone, &with);
    cr_expect_not_null(words_env(&with, "HCLOUD_TOKEN"));

    words_clear(&target.env);
    const struct command_request there = {.kind = COMMAND_REMOVE, .machine = machine, .target = &target};
    command_request_environment(&there, &without);
    cr_expect_null(words_env(&without, "HCLOUD_TOKEN"),
                   "the file says what counts where it names the target");
}

Test(command_request, what_make_answered_stays_when_it_is_written_down_anew_and_is_told)
{
    struct target target = {.name = (char *)"box"};
    AUTO_MACHINE *machine = noted(&target);
    AUTO_FREE char *none = text_of(COMMAND_MAKE, &target, machine);
    json_set(machine->resources, COMMAND_ANSWER, json_parse("{\"reference\":\"i-1\"}", 19, NULL));
    command_request_note(&target, machine);
    AUTO_FREE char *told = text_of(COMMAND_REMOVE, &target, machine);
    cr_has(none, "\"answer\":null");
    cr_has(told, "\"answer\":{\"reference\":\"i-1\"}");
}

Test(command_request, a_target_that_no_file_names_any_more_has_no_host_and_the_rest_is_told)
{
    struct target target = {.name = (char *)"box", .host_name = (char *)"box.example", .port = 2200};
    AUTO_MACHINE *machine = noted(&target);
    AUTO_FREE char *with = text_of(COMMAND_VERIFY, &target, machine),
                   *without = text_of(COMMAND_REMOVE, NULL, machine);
    cr_has(with,
           "\"host\":{\"name\":\"box.example\",\"address\":null,\"port\":2200,\"user\":null,\"key\":null}");
    cr_has_not(without, "\"host\"");
    cr_has(without, "\"call\":\"remove\"");
    cr_has(without, "\"target\":\"box\"");
    cr_has(without, "\"name\":\"tpe55cbd5271\"");
    cr_has(without, "\"within_s\":90");
    cr_has(without, "\"secrets\":{}");
}
