/* What a person sees of a run: one redrawn line a target on a terminal, Ansible's own words
 * elsewhere, and why it failed. */
#include "base/memory.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Cells of the widest line, control sequences left out; `drawn`: of one that is drawn again. */
static int widest(const char *output, bool drawn)
{
    int most = 0, cells = 0;
    for (const char *at = output; *at; at++) {
        if (*at == '\x1b') {
            at += strcspn(at, "ABCDHJKm");
            if (!*at)
                break;
            most = *at == 'K' && cells > most ? cells : most;
        } else if (*at == '\n' || *at == '\r') {
            cells = 0;
        } else if (((unsigned char)*at & 0xc0) != 0x80) {
            cells++;
        }
        most = !drawn && cells > most ? cells : most;
    }
    return most;
}

#define LONG_NAME                                                                                         \
    "a-task-whose-name-is-so-long-that-no-terminal-of-eighty-columns-has-room-for-it-beside-the-rest-of-" \
    "the-line"

static void hold_fits(int columns)
{
    struct lab *lab = damage_lab("", "play; task " LONG_NAME "; sleep 1.5; task t2; finish\n");
    int code;
    AUTO_FREE char *output = damage_terminal(lab, columns, NULL, &code, "create", "host", NULL);
    cr_assert(eq(int, code, 0), "%s", output);
    cr_assert(strstr(output, "\x1b[K") != NULL, "nothing was drawn");
    cr_assert(strstr(output, "a-task-whose") != NULL, "the task is not shown: %s", output);
    cr_assert(strstr(output, "of 30m") != NULL, "the deadline is not shown");
    cr_assert(lt(int, widest(output, false), columns), "%s", output);
    AUTO_FREE char *run = damage_run(lab);
    cr_assert(strstr(output, run + strlen(run) - 8) != NULL, "the run is not named: %s", output);
}

Test(commands_live, at_80_columns_no_line_is_too_long)
{
    hold_fits(80);
}

Test(commands_live, at_120_columns_no_line_is_too_long)
{
    hold_fits(120);
}

/* A run at a terminal so wide says what the pattern says in a line that is drawn. */
static char *expect_drawn(struct lab *lab, int columns, const char *word, const char *pattern)
{
    int code;
    char *output = damage_terminal(lab, columns, NULL, &code, word, "host", NULL);
    regex_t compiled;
    cr_assert(eq(int, code, 0), "%s", output);
    cr_assert(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    cr_expect(regexec(&compiled, output, 0, NULL, 0) == 0, "no %s in %s", pattern, output);
    regfree(&compiled);
    cr_expect(lt(int, widest(output, true), columns), "%s", output);
    return output;
}

Test(commands_live, by_the_run_before_it_a_line_says_how_far_it_is_and_how_long_still_and_stays_one)
{
    struct lab *lab = damage_lab("", "play; task t1; sleep 1.2; task t2; finish\n");
    AUTO_FREE char *first = expect_drawn(lab, 120, "create", "work +[0-9]+s of 30m  ok=1");
    AUTO_FREE char *wide =
        expect_drawn(lab, 120, "run", "work +[0-9]+s of 30m, [0-9]+ %, about 1s, usually 1s  ok=1");
    AUTO_FREE char *narrow = expect_drawn(lab, 46, "run", "host work [0-9]+s, [0-9]+ %, about 1s  ok=1");
    cr_expect(strstr(first, " %,") == NULL, "nothing was before it: %s", first);
    cr_expect(strstr(narrow, "usually") == NULL, "%s", narrow);
}

Test(commands_live, elsewhere_the_output_of_ansible_is_streamed)
{
    struct lab *lab = damage_lab("", "play; echo words of ansible itself; task t1; finish\n");
    struct lab_result result = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, result.code, 0), "%s", result.err);
    cr_assert(strstr(result.err, "words of ansible itself\n") != NULL, "%s", result.err);
    cr_assert(eq(str, result.out, ""), "facts alone belong to stdout");
    cr_assert(strchr(result.err, '\x1b') == NULL, "control sequences without a terminal");
}

static int times(const char *haystack, const char *needle)
{
    int count = 0;
    for (const char *at = haystack; (at = strstr(at, needle)); at += strlen(needle))
        count++;
    return count;
}

Test(commands_live, a_failure_shows_task_host_place_message_last_lines_and_log)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "",
                       "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - name: Break it\n"
                       "      ansible.builtin.fail:\n        msg: because the test says so\n");
    int code;
    AUTO_FREE char *terminal = damage_terminal(lab, 100, NULL, &code, "create", "host", NULL);
    cr_assert(eq(int, code, 2));
    AUTO_FREE char *place = xasprintf("%s/playbooks/work.yml:4", lab_folder(lab)),
                   *log = damage_step_file(lab, ".log");
    const char *const shown[] = {"Break it", "on host", place, "because the test says so", "PLAY RECAP", log};
    for (size_t i = 0; i < COUNT_OF(shown); i++)
        cr_expect(strstr(terminal, shown[i]) != NULL, "no %s in:\n%s", shown[i], terminal);
    struct lab_result streamed = lab_run(lab, "create", "host", NULL);
    AUTO_FREE char *second_log = damage_step_file(lab, ".log");
    cr_assert(eq(int, streamed.code, 2));
    cr_expect(strstr(streamed.err, place) && strstr(streamed.err, second_log), "%s", streamed.err);
}

Test(commands_live, a_failed_stage_says_why_once)
{
    struct lab *lab = damage_lab("", "play; task t1; finish\n");
    kill(lab_sshd_pid(lab), SIGKILL);
    lab_environment(lab, "TRIPHASE_DEFAULTS_STAGE_DEADLINE_TRANSPORT", "2s");
    struct lab_result streamed = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, streamed.code, 4), "%s", streamed.err);
    cr_assert(eq(int, times(streamed.err, "no TCP connection"), 1), "%s", streamed.err);
    AUTO_FREE char *log = damage_step_file(lab, ".log");
    cr_assert(strstr(streamed.err, log) != NULL, "%s", streamed.err);
}

Test(commands_live, bytes_that_steer_a_terminal_are_shown_and_not_sent)
{
    struct lab *lab =
        damage_lab("    attempts: 1\n",
                   "play; task 't\\u001b[2J'; printf 'FATAL \\033]0;title\\007 \\033[2J\\n'; exit 2\n");
    struct lab_result streamed = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, streamed.code, 2), "%s", streamed.err);
    cr_assert(strchr(streamed.err, '\x1b') == NULL && strchr(streamed.err, '\a') == NULL, "%s", streamed.err);
    int code;
    AUTO_FREE char *terminal = damage_terminal(lab, 100, NULL, &code, "create", "host", NULL);
    cr_assert(strstr(terminal, "\x1b[2J") == NULL && strchr(terminal, '\a') == NULL, "%s", terminal);
}
