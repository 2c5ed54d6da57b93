/* While a run goes on: how far it is and how long still, by those before it. */
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Its second task ends at once, or, where the gate is a pipe, when somebody opens it. */
static struct lab *project(void)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *playbook =
        xasprintf("- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                  "    - {name: Lay down, ansible.builtin.command: 'true'}\n"
                  "    - {name: Wait for the word, ansible.builtin.command: cat %s/gate}\n"
                  "    - {name: Put away, ansible.builtin.command: sleep 1}\n",
                  lab_folder(lab));
    lab_static_project(lab, "", playbook);
    lab_write(lab, "gate", "%s", "");
    return lab;
}

static void do_run(struct lab *lab, const char *word)
{
    struct lab_result result = lab_run(lab, word, "host", NULL);
    cr_assert(eq(int, result.code, 0), "%s", result.err);
}

static pid_t start_held(struct lab *lab)
{
    AUTO_FREE char *gate = xasprintf("%s/gate", lab_folder(lab));
    cr_assert(unlink(gate) == 0 && mkfifo(gate, 0600) == 0);
    return lab_start(lab, "held", "run", "host", NULL);
}

static void let_go(struct lab *lab, pid_t held)
{
    AUTO_FREE char *gate = xasprintf("%s/gate", lab_folder(lab));
    AUTO_CLOSE int end = open(gate, O_WRONLY | O_CLOEXEC);
    cr_assert(end >= 0);
    fd_close(&end);
    cr_assert(eq(int, lab_wait(lab, held, 60), 0));
}

static struct json *step_now(struct lab *lab)
{
    struct lab_result status = lab_run(lab, "status", "host", "--json", NULL);
    cr_assert(eq(int, status.code, 0), "%s", status.err);
    AUTO_JSON *document = json_parse(status.out, strlen(status.out), NULL);
    const struct json *target = json_at(json_get(document, "targets"), 0);
    return json_keep(json_get(json_get(target, "run"), "step"));
}

/* How far the median of earlier runs was when their first task had ended. */
static int64_t first_percent;

static bool is_at_the_gate(void *context)
{
    AUTO_JSON *step = step_now(context);
    return json_get_integer(json_get(step, "estimate"), "percent", 0) > first_percent &&
           text_is(json_get_string(step, "name", NULL), "work");
}

static bool is_slower(void *context)
{
    AUTO_JSON *step = step_now(context);
    return text_is(json_get_string(json_get(step, "estimate"), "slower", NULL), "task");
}

Test(estimate, by_three_runs_a_fourth_has_percent_and_time_and_what_takes_longer_than_ever_is_said)
{
    struct lab *lab = project();
    do_run(lab, "create");
    do_run(lab, "run");
    do_run(lab, "run");
    first_percent = lab_sql_number(
        lab, "SELECT 100 * (task.started_ns + task.duration_ns - step.started_ns) / step.duration_ns"
             " FROM step JOIN task ON task.step = step.number AND task.seq = 1 ORDER BY 1 LIMIT 1 OFFSET 1");
    pid_t held = start_held(lab);
    cr_assert(lab_until(60, is_at_the_gate, lab), "the tasks that ended are not told of");
    AUTO_JSON *step = step_now(lab);
    const struct json *estimate = json_get(step, "estimate");
    cr_expect(eq(i64, json_get_integer(estimate, "runs", 0), 3));
    cr_expect(ge(i64, json_get_integer(estimate, "remaining_ms", 0), 1000), "a second is behind the gate");
    cr_expect(
        le(i64, json_get_integer(estimate, "remaining_ms", 0), json_get_integer(estimate, "usual_ms", 0)));
    struct lab_result told = lab_run(lab, "status", "host", NULL);
    cr_expect(strstr(told.out, "\n  work ") && strstr(told.out, " %, about "), "%s", told.out);
    cr_assert(lab_until(60, is_slower, lab), "nothing is said of a task that is held");
    struct lab_result slow = lab_run(lab, "status", "host", NULL);
    cr_expect(strstr(slow.out, " %, slower than ever seen, usually ") != NULL, "%s", slow.out);
    int code;
    AUTO_FREE char *narrow = damage_terminal(lab, 46, NULL, &code, "status", "host", NULL);
    cr_expect(strstr(narrow, " %, slower than ever seen\r\n") != NULL, "it leaves out nothing: %s", narrow);
    let_go(lab, held);
    struct lab_result over = lab_run(lab, "status", "host", NULL);
    cr_expect(strchr(over.out, '%') == NULL, "it is over: %s", over.out);
}
