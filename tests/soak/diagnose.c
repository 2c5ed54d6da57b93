/* Ten causes made real over a userspace network, one at a time, and three ways that are well, one of them
 * over a TUN: what `diagnose` calls each, and in what time. CAUSE picks one by its name. And a matrix with
 * all that there is, cut off and gone on with. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/causes.h"
#include "soak/figures.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

TestSuite(diagnose, .timeout = 5400);

enum { BOUND_S = 300 };

static const char head[] = "| induced | matrix | conclusion | right | exit | took |\n"
                           "|---|---|---|---|---|---|\n";

static void diagnose(struct causes *causes, const struct cause *cause)
{
    AUTO_TEXT row = TEXT_INIT;
    const char *wanted = getenv("CAUSE");
    if (wanted && !text_is(wanted, cause->name))
        return;
    struct causes_said said = causes_diagnose(causes, cause, NULL);
    bool right = text_is(said.variable, cause->word) && said.code == cause->code;
    text_addf(&row, "| %s | %s | `%s`: %s | %s | %d | %.0f s |\n", cause->name,
              cause->size ? cause->size : "usual", said.variable, said.words, right ? "yes" : "NO", said.code,
              said.seconds);
    figures_add(head, text_string(&row));
    cr_expect(right, "%s: %s, exit %d\n%s", cause->name, said.variable, said.code, said.all);
    cr_expect(lt(dbl, said.seconds, BOUND_S), "%s", cause->name);
}

Test(diagnose, names_each_of_ten_causes_and_none_where_there_is_none)
{
    struct causes causes = causes_new();
    for (const struct cause *cause = causes_healthy; cause->name; cause++)
        diagnose(&causes, cause);
    for (const struct cause *cause = causes_of_ten; cause->name; cause++)
        diagnose(&causes, cause);
    causes_end(&causes);
}

/* Whoever has no mirror in reach can reinstall no package: that says nothing of the path. */
#define COUNTED "ended IN ('ok', 'remote-failed') AND (ok = 1 OR work = 'package')"

Test(diagnose, a_full_one_with_changes_is_cut_off_gone_on_with_and_beside_a_quick_one)
{
    if (getenv("CAUSE"))
        cr_skip_test("one cause is asked for");
    struct causes causes = causes_new();
    struct lab *lab = causes.lab;
    struct lab_result quick = lab_run(lab, "diagnose", "host", "--quick", NULL);
    cr_expect(eq(int, quick.code, 0), "%s%s", quick.out, quick.err);
    pid_t cut = lab_start(lab, "cut", "diagnose", "host", "--full", "--allow-changes", NULL);
    cr_assert(lab_until_sql(lab, 300, "SELECT count(*) FROM diagnosed_cell WHERE work = 'disk'"));

    kill(cut, SIGINT);
    int cut_code = lab_wait(lab, cut, 15);
    pid_t whole = lab_start(lab, "whole", "diagnose", "host", "--full", "--allow-changes", "--resume", NULL);
    int code = lab_wait(lab, whole, 900);

    AUTO_FREE char *out = lab_read(lab, "whole.out"), *told = lab_read(lab, "whole.err");
    cr_expect(eq(int, cut_code, 130));
    cr_expect(eq(int, code, 0), "%s%s", out, told);
    cr_expect(strstr(out, "none (sure) over tailnet-userspace\n") != NULL, "%s", out);
    cr_expect(strstr(told, "more are taken already: about 5m31s on a path that is well") != NULL, "%s", told);
#define LAST \
    "diagnosis = (SELECT diagnosis FROM diagnosed WHERE size = 'full' ORDER BY started_ns DESC LIMIT 1)"
    cr_expect(ge(i64, lab_sql_number(lab, "SELECT count(*) FROM diagnosed_cell WHERE " LAST), 29), "%s", out);
    cr_expect(eq(i64,
                 lab_sql_number(lab,
                                "SELECT count(*) FROM diagnosed_cell WHERE " LAST " AND NOT (" COUNTED ")"),
                 0),
              "%s", out);
    AUTO_FREE char *there =
        rig_ssh(causes.guest, "ls /tmp/triphase-diagnose.* 2>/dev/null; pgrep -ax \"dd|sleep|tail\"; true",
                NULL);
    cr_expect(eq(str, there, (char *)(uintptr_t) ""), "on the host");
    struct lab_result beside = lab_run(lab, "report", "--diagnose", "host", "--json", NULL);
    cr_expect(eq(int, beside.code, 0), "%s%s", beside.out, beside.err);
    cr_expect(strstr(beside.out, "\"differing\": 0") != NULL, "%s", beside.out);
    causes_end(&causes);
}
