/* `triphase diagnose`: causes made real between an operator without a TUN and a host of a real tailnet,
 * and the word for each. All ten, and more healthy ways, are in tests/soak. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"
#include "lab/causes.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(diagnose, .timeout = 240);

static void find(struct causes *causes, const char *name)
{
    const struct cause *cause = causes_named(name);
    struct causes_said said = causes_diagnose(causes, cause, "--quick");
    cr_expect(eq(str, said.variable, (char *)cause->word), "%s: %s\n%s", name, said.words, said.all);
    cr_expect(eq(int, said.code, cause->code), "%s", name);
    cr_expect(lt(dbl, said.seconds, 60), "%s", name);
    /* No socket of this machine's leads to the host: who has the connection is said in its place. */
    const char *held =
        strstr(said.all, "\"tcp_state\": \"no socket of the kernel's: tailscaled has the connection");
    cr_expect(held != NULL, "%s: %s", name, said.all);
}

Test(diagnose, of_three_causes_over_userspace_names_each_and_of_none_none)
{
    struct causes causes = causes_new();

    find(&causes, "nothing");
    find(&causes, "MaxSessions");
    find(&causes, "a dead daemon");
    find(&causes, "policy");

    causes_end(&causes);
}

static const char playbook[] = "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n";

static int64_t cells_of(struct lab *lab)
{
    return lab_sql_number(lab, "SELECT count(*) FROM diagnosed_cell");
}

Test(diagnose, is_kept_and_set_beside_an_earlier_one_and_beside_a_file)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);

    struct lab_result first =
        lab_run(lab, "diagnose", "host", "--quick", "--transport", "direct", "--json", NULL);
    struct lab_result alone = lab_run(lab, "report", "--diagnose", "host", NULL);
    struct lab_result second = lab_run(lab, "diagnose", "host", "--quick", "--transport", "direct", NULL);
    lab_write(lab, "first.json", "%s", first.out);
    AUTO_FREE char *file = xasprintf("%s/first.json", lab_folder(lab));
    struct lab_result pair = lab_run(lab, "diagnose", "--compare", file, "last", NULL);
    struct lab_result week = lab_run(lab, "report", "--diagnose", "--json", NULL);
    struct lab_result none = lab_run(lab, "diagnose", "--compare", "0badcafe", "last", NULL);

    cr_expect(eq(int, first.code, 0), "%s%s", first.out, first.err);
    cr_expect(lt(dbl, first.seconds, 60));
    cr_expect(eq(int, second.code, 0), "%s%s", second.out, second.err);
    cr_expect(strstr(second.out, "all that was done over direct went well") != NULL, "%s", second.out);
    cr_expect(eq(int, alone.code, 64), "%s", alone.err);
    cr_expect(eq(int, pair.code, 0), "%s%s", pair.out, pair.err);
    cr_expect(strstr(pair.out, "bulk-down 1.0 MB by libssh") != NULL, "%s", pair.out);
    cr_expect(eq(int, week.code, 0), "%s%s", week.out, week.err);
    cr_expect(strstr(week.out, "\"differing\": 0") != NULL, "%s", week.out);
    cr_expect(eq(int, none.code, 64), "%s", none.err);
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM diagnosed WHERE variable = 'none'"), 2));
}

Test(diagnose, the_table_is_readable_at_eighty_columns)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_environment(lab, "COLUMNS", "80");

    struct lab_result result = lab_run(lab, "diagnose", "host", "--quick", "--transport", "direct", NULL);

    cr_assert(eq(int, result.code, 0), "%s%s", result.out, result.err);
    for (const char *line = result.out; *line; line += strcspn(line, "\n") + 1)
        cr_expect(le(sz, strcspn(line, "\n"), 80), "%.90s", line);
}

Test(diagnose, cut_off_leaves_nothing_on_either_side_and_is_gone_on_with_over_another_way_too)
{
    struct causes causes = causes_new();
    int left = -1;
    struct lab *lab = causes.lab;
    pid_t child = lab_start(lab, "cut", "diagnose", "host", NULL);
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) >= 4 FROM diagnosed_cell"));

    kill(child, SIGINT);
    int code = lab_wait(lab, child, 15);
    int64_t taken = cells_of(lab);
    AUTO_FREE char *there =
        rig_ssh(causes.guest,
                "for i in 1 2 3 4 5 6 7 8 9 10; do pgrep -x sleep >/dev/null || exit 0; read -t 0.5 x "
                "</dev/zero; done; pgrep -ax sleep; exit 1",
                &left);
    /* Over a second way too, over which there is no such host. */
    struct lab_result resumed = lab_run(lab, "diagnose", "host", "--quick", "--resume", "--transport",
                                        "direct,tailnet-userspace", NULL);

    cr_expect(eq(int, code, 130));
    cr_expect(eq(int, left, 0), "on the host: %s", there);
    cr_expect(eq(int, lab_processes(lab_folder(lab)), 0));
    cr_expect(eq(int, resumed.code, 1), "%s%s", resumed.out, resumed.err);
    cr_expect(strstr(resumed.out, "transport (sure) over direct\n") != NULL, "%s", resumed.out);
    cr_expect(strstr(resumed.out, "none (sure) over tailnet-userspace\n") != NULL, "%s", resumed.out);
    cr_expect(strstr(resumed.err, "more are taken already") != NULL, "%s", resumed.err);
    AUTO_FREE char *said = lab_read(lab, "cut.err");
    cr_expect(strstr(said, "--resume goes on with them") != NULL, "%s", said);
    /* Those that both have were not taken again. */
    cr_expect(ge(i64,
                 lab_sql_number(
                     lab, "SELECT count(*) FROM diagnosed_cell AS a JOIN diagnosed_cell AS b ON a.diagnosis <"
                          " b.diagnosis AND a.work = b.work AND a.client = b.client AND a.parameters ="
                          " b.parameters AND a.duration_ns = b.duration_ns"),
                 3));
    cr_expect(ge(i64, taken, 4));
    causes_end(&causes);
}

/* Its answer is more than anybody reads. */
static bool waits_in_write(void *context)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/syscall", *(const pid_t *)context);
    AUTO_TEXT said = TEXT_INIT;
    return file_read(path, 256, &said, NULL) == 0 && text_starts(text_string(&said), "1 0x1 ");
}

Test(diagnose, an_interrupt_ends_it_too_when_its_answer_waits_for_a_reader)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    kill(lab_sshd_pid(lab), SIGTERM);
    AUTO_FREE char *path = xasprintf("%s/unread.out", lab_folder(lab));
    cr_assert(eq(int, mkfifo(path, 0600), 0));
    AUTO_CLOSE int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    while (write(fd, path, 1) == 1)
        ;

    pid_t child = lab_start(lab, "unread", "diagnose", "host", "--quick", "--transport", "direct", NULL);
    cr_assert(lab_until(60, waits_in_write, &child));
    kill(child, SIGINT);

    cr_expect(eq(int, lab_wait(lab, child, 5), 130));
}

Test(diagnose, the_hangup_of_its_terminal_ends_it_as_an_interrupt_does)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    pid_t child = lab_start(lab, "hung", "diagnose", "host", "--transport", "direct", NULL);
    cr_assert(lab_until_sql(lab, 60, "SELECT count(*) >= 3 FROM diagnosed_cell"));

    kill(child, SIGHUP);
    int code = lab_wait(lab, child, 15);

    cr_expect(eq(int, code, 130));
    cr_expect(ge(i64, cells_of(lab), 3));
    cr_expect(eq(i64, lab_sql_number(lab, "SELECT count(*) FROM diagnosis WHERE duration_ns IS NULL"), 1));
    cr_expect(le(int, lab_processes(lab_folder(lab)), 1), "but for the host's sshd");
}
