/* The regression check on real runs: what is slow is named with exit 1, what is as before is not, and too
 * little data is said to be that. */
#include "base/file.h"
#include "base/memory.h"
#include "format/sql.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static bool has(const char *text, const char *words)
{
    return strstr(text, words) != NULL;
}

/* Takes as long as the file says. */
#define SLEEPER "play; task t1; sleep $(cat $FOLDER/seconds); finish\n"

static void run_for(struct lab *lab, const char *seconds)
{
    lab_write(lab, "seconds", "%s", seconds);
    struct lab_result run = lab_run(lab, "run", "host", NULL);
    cr_assert(eq(int, run.code, 0), "%s", run.err);
}

/* A made host and ten runs that differ by most of a second: the noise that a busy machine makes is less. */
static struct lab *lab_with_history(void)
{
    struct lab *lab = damage_lab("", SLEEPER);
    lab_write(lab, "seconds", "0.1");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    for (int i = 0; i < 10; i++)
        run_for(lab, i % 2 ? "0.1" : "0.9");
    return lab;
}

Test(regress, names_a_phase_that_got_slower_and_no_other_run_is_mixed_in)
{
    struct lab *lab = lab_with_history();
    run_for(lab, "0.1");
    AUTO_FREE char *path = file_join(lab_folder(lab), ".triphase/store.db");
    AUTO_SQL *db = NULL;
    cr_assert(sql_open(path, SQL_WRITE, 5000, &db, NULL) == 0 &&
              sql_run(db, "UPDATE run SET fresh = 1 WHERE kind = 'create'", NULL) == 0);
    sql_close(TAKE(db));
    struct lab_result same = lab_run(lab, "report", "--regress", NULL);
    cr_expect(eq(int, same.code, 0), "%s", same.out);
    cr_expect(has(same.out, "against 10 earlier runs: none of 2 got slower beyond noise"), "%s", same.out);
    cr_expect(has(same.out, "1 earlier run is left out"), "the create was on a fresh machine: %s", same.out);

    lab_write(lab, "seconds", "8");
    struct lab_result partial = lab_run(lab, "run", "host", "work", NULL);
    cr_assert(eq(int, partial.code, 0), "%s", partial.err);
    same = lab_run(lab, "report", "--regress", "--target", "host", NULL);
    cr_expect(eq(int, same.code, 0), "a partial run is nobody's newest: %s", same.out);

    run_for(lab, "8");
    struct lab_result slower = lab_run(lab, "report", "--regress", NULL);
    cr_expect(eq(int, slower.code, 1), "%s%s", slower.out, slower.err);
    cr_expect(has(slower.out, "\nslower   phase  work"), "%s", slower.out);
    struct lab_result json = lab_run(lab, "report", "--regress", "--json", NULL);
    cr_expect(eq(int, json.code, 1));
    cr_expect(has(json.out, "\"verdict\": \"slower\",\n  \"slower\": 1,\n  \"judged\": 2,"), "%s", json.out);
}

Test(regress, says_that_there_is_too_little_data_and_ends_with_0)
{
    struct lab *lab = damage_lab("", SLEEPER);
    lab_write(lab, "seconds", "0");
    struct lab_result none = lab_run(lab, "report", "--regress", NULL);
    cr_expect(eq(int, none.code, 64), "no run yet");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert(eq(int, made.code, 0), "%s", made.err);
    struct lab_result alone = lab_run(lab, "report", "--regress", NULL);
    cr_expect(eq(int, alone.code, 0), "%s", alone.err);
    cr_expect(has(alone.out, "\nno earlier run counts: whole runs that ended do, "), "%s", alone.out);
    run_for(lab, "0");
    run_for(lab, "2");
    struct lab_result few = lab_run(lab, "report", "--regress", NULL);
    cr_expect(eq(int, few.code, 0));
    cr_expect(has(few.out, "too little data to judge"), "%s", few.out);
    few = lab_run(lab, "report", "--regress", "--json", NULL);
    cr_expect(eq(int, few.code, 0));
    cr_expect(has(few.out, "\"verdict\": \"too-little-data\""), "%s", few.out);
    few = lab_run(lab, "report", "--compare", "previous", "last", NULL);
    cr_expect(eq(int, few.code, 0));
    cr_expect(has(few.out, "too little data to judge"), "%s", few.out);
    cr_expect(has(few.out, "tried.direct.tcp.ms"), "the evidence of both, side by side: %s", few.out);
}

Test(regress, refuses_options_that_do_not_go_together)
{
    struct lab *lab = damage_lab("", SLEEPER);
    cr_expect(eq(int, lab_run(lab, "report", "--compare", "last", NULL).code, 64));
    cr_expect(eq(int, lab_run(lab, "report", "--compare", "--regress", "a", "b", NULL).code, 64));
    cr_expect(eq(int, lab_run(lab, "report", "--regress", "--last", "3", NULL).code, 64));
    cr_expect(eq(int, lab_run(lab, "report", "--group", "a", "b", NULL).code, 64));
    cr_expect(eq(int, lab_run(lab, "report", "--regress", "--by", "role", NULL).code, 64));
}
