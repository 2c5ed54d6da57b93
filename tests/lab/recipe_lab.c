#include "lab/recipe_lab.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "event/line.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

enum { MOST_WORDS = 8 };

/* How much longer than its own bound is waited, since a machine with other work is no fault of a recipe's. */
static int64_t patience(void)
{
    const char *text = getenv("TEST_PATIENCE");
    int64_t times = text ? strtoll(text, NULL, 10) : 1;
    return times > 1 ? times : 1;
}

static const char boot_id[] = "cat /proc/sys/kernel/random/boot_id";

struct lab *recipe_lab_new(double bound_s)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *home = file_join(lab_folder(lab), "home");
    lab_write(lab, "home/.empty", "%s", "");
    lab_environment(lab, "HOME", home);
    recipe_lab_expect(lab, bound_s, 0, "init", NULL);
    return lab;
}

/* What it writes is a file for each command, all of which a tailnet's lab looks through at its end. */
struct lab_result recipe_lab_run(struct lab *lab, double seconds, const char *word, va_list more)
{
    static int number;
    const char *words[MOST_WORDS + 1] = {word};
    for (size_t i = 1; words[i - 1]; i++) {
        cr_assert(i <= MOST_WORDS);
        words[i] = va_arg(more, const char *);
    }
    AUTO_FREE char *name = xasprintf("%s%d", word, ++number), *out = xasprintf("%s.out", name),
                   *said = xasprintf("%s.err", name);
    int64_t before = moment_monotonic();
    pid_t pid = lab_start(lab, name, words[0], words[1], words[2], words[3], words[4], words[5], words[6],
                          words[7], NULL);
    struct lab_result result = {.code = lab_wait(lab, pid, seconds * (double)patience())};
    result.seconds = (double)(moment_monotonic() - before) / (double)NS_PER_S;
    result.out = lab_keep(lab_read(lab, out));
    result.err = lab_keep(lab_read(lab, said));
    return result;
}

struct lab_result recipe_lab_expect(struct lab *lab, double seconds, int code, const char *word, ...)
{
    va_list more;
    va_start(more, word);
    struct lab_result result = recipe_lab_expect_list(lab, seconds, code, word, more);
    va_end(more);
    return result;
}

struct lab_result recipe_lab_expect_list(struct lab *lab, double seconds, int code, const char *word,
                                         va_list more)
{
    struct lab_result result = recipe_lab_run(lab, seconds, word, more);
    cr_assert(eq(int, result.code, code), "%s: %s%s", word, result.out, result.err);
    return result;
}

char *recipe_lab_guest(struct lab *lab, const char *target, int bound_s, const char *script,
                       const char *input, int *code)
{
    const char *const argv[] = {getenv("TRIPHASE"), "-C", lab_folder(lab), "ssh", target, "--", script, NULL};
    struct program program = {.argv = argv, .input = input, .bound_ns = bound_s * patience() * NS_PER_S};
    struct child_end end;
    AUTO_TEXT out = TEXT_INIT, said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_run(&program, &out, &said, &end, &err) == 0, "%s: %s", script, error_text(&err));
    if (code)
        *code = end.code;
    else
        cr_assert(eq(int, end.code, 0), "%s: %s", script, text_string(&said));
    return text_take(&out);
}

struct boot {
    struct lab *lab;
    const char *target;
    int guest_s;
    char *before;
};

static bool is_up_again(void *context)
{
    const struct boot *boot = context;
    int code;
    AUTO_FREE char *now = recipe_lab_guest(boot->lab, boot->target, boot->guest_s, boot_id, NULL, &code);
    return code == 0 && !text_is(now, boot->before);
}

void recipe_lab_reboot(struct lab *lab, const char *target, int guest_s, int bound_s)
{
    int code;
    AUTO_FREE char *before = recipe_lab_guest(lab, target, guest_s, boot_id, NULL, NULL);
    free(recipe_lab_guest(lab, target, guest_s, "systemctl reboot", NULL, &code));
    cr_assert(lab_until((double)(bound_s * patience()), is_up_again,
                        &(struct boot){lab, target, guest_s, before}),
              "the guest did not come back");
    AUTO_FREE char *state =
        recipe_lab_guest(lab, target, guest_s, "systemctl is-system-running --wait", NULL, &code);
    cr_assert(eq(str, state, "running\n"));
}

int64_t recipe_lab_changed(struct lab *lab)
{
    AUTO_FREE char *query =
        xasprintf("SELECT count(*) FROM task JOIN step ON step.number = task.step WHERE task.status = %d AND "
                  "step.run = (SELECT number FROM run ORDER BY started_ns DESC LIMIT 1)",
                  STATUS_CHANGED);
    return lab_sql_number(lab, query);
}
