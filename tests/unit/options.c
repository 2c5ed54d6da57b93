/* Options of commands: only whole names, and what is Ansible's is never taken for one of triphase's. */
#include "command/options.h"
#include "base/words.h"
#include "command/command.h"
#include "command/exit_code.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

extern const struct command command_plan, command_create, command_run, command_resume, command_cycle,
    command_status, command_destroy;

TestSuite(options, .timeout = 10, .init = cr_redirect_stderr);

static const struct option own[] = {{"check-idempotent", no_argument, NULL, 'i'},
                                    {"jobs", required_argument, NULL, 'j'},
                                    {0}};

static int first(const char *name, const char *word, const char *next)
{
    AUTO_WORDS words = WORDS_INIT;
    words_addf(&words, "triphase %s", name);
    words_add_all(&words, "web", word, next, NULL);
    const struct command command = {
        .help = {.name = name}, .options = own, .letters = "j:y", .hands_on = strcmp(name, "status") != 0};
    optind = 0;
    return options_next(&command, (int)words.count, words.items);
}

Test(options, a_beginning_of_a_name_is_no_option)
{
    cr_expect_eq(first("run", "--check", "x"), '?');
    cr_expect_eq(first("run", "--check-idem", "x"), '?');
    cr_expect_eq(first("create", "--job", "2"), '?');
    cr_expect_eq(first("create", "--job=2", "x"), '?');
}

Test(options, whole_names_letters_and_their_values_are_taken)
{
    cr_expect_eq(first("run", "--check-idempotent", "x"), 'i');
    cr_expect_eq(first("create", "--jobs", "2"), 'j');
    cr_expect_eq(first("create", "--jobs=2", "x"), 'j');
    cr_expect_eq(first("create", "-j", "2"), 'j');
    cr_expect_eq(first("create", "-j2", "x"), 'j');
    cr_expect_eq(first("create", "-y", "x"), 'y');
    cr_expect_eq(first("create", "--jobs", "-5"), 'j', "what stands behind it is its value");
    cr_expect_eq(first("run", "site", "--"), -1);
    cr_expect_eq(first("run", "--", "--check"), -1, "what stands behind -- is not looked at");
}

Test(options, commands_that_start_ansible_say_so_in_their_entry)
{
    cr_expect(command_plan.hands_on && command_create.hands_on && command_run.hands_on &&
              command_resume.hands_on && command_cycle.hands_on);
    cr_expect_not(command_status.hands_on || command_destroy.hands_on);
}

Test(options, what_ansible_has_is_said_to_go_behind_the_dashes)
{
    cr_expect_eq(first("run", "--check", "x"), '?');
    cr_expect_eq(first("plan", "-t", "x"), '?');
    cr_expect_eq(first("status", "--jsn=1", "x"), '?');
    cr_assert_stderr_eq_str(
        "triphase: run has no option '--check'; did you mean '--check-idempotent'? Else what is for "
        "ansible-playbook goes behind '--': triphase run ... -- --check\n"
        "triphase: plan has no option '-t'; what is for ansible-playbook goes behind '--': triphase plan ... "
        "-- -t\n"
        "triphase: status has no option '--jsn'; 'triphase status --help' lists them\n");
}

Test(options, plan_takes_the_arguments_that_a_run_would_take_and_refuses_the_same)
{
    AUTO_WORDS words = WORDS_INIT;
    words_add_all(&words, "plan", "--", "--inventory", "hosts.yml", NULL);
    struct command_context context = {.command = &command_plan, .directory = "/nonexistent"};
    cr_expect_eq(command_plan.run(&context, (int)words.count, words.items), EXIT_BAD_USAGE);
    cr_assert_stderr_eq_str(
        "triphase: --inventory is refused: triphase renders the inventory; name your own under "
        "'inventory:' in triphase.yml\n");
}
