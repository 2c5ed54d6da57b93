/* What `create` takes where no target is named. */
#include "base/memory.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

/* Two targets over the lab's sshd; `keys` are further lines of YAML for each. */
static void write_targets(struct lab *lab, const char *first, const char *second)
{
    static char *project;
    if (!project)
        project = lab_read(lab, "triphase.yml");
    const char *settings = strstr(project, "  host:\n") + strlen("  host:\n");
    lab_write(lab, "triphase.yml", "%s%s  other:\n%s%s", project, first, settings, second);
}

static int64_t runs(struct lab *lab)
{
    return lab_sql_number(lab, "SELECT count(*) FROM run");
}

Test(create, without_names_leaves_out_what_is_protected_and_made)
{
    struct lab *lab = damage_lab("", "play; task t1; finish\n");
    write_targets(lab, "    protected: true\n", "");
    struct lab_result first = lab_run(lab, "create", NULL);
    cr_assert(eq(int, first.code, 0), "one that was never made is made: %s", first.err);
    cr_assert(eq(i64, runs(lab), 2));

    struct lab_result second = lab_run(lab, "create", NULL);
    cr_expect(eq(int, second.code, 0), "%s", second.err);
    cr_expect(strstr(second.err, "host is protected and made: left out") != NULL, "%s", second.err);
    cr_expect(eq(i64, runs(lab), 3), "the other one alone");

    write_targets(lab, "    protected: true\n", "    protected: true\n");
    struct lab_result third = lab_run(lab, "create", NULL);
    cr_expect(eq(int, third.code, 0), "%s", third.err);
    cr_expect(strstr(third.err, "nothing is left to do") != NULL, "%s", third.err);
    cr_expect(eq(i64, runs(lab), 3));

    struct lab_result named = lab_run(lab, "create", "host", NULL);
    cr_expect(eq(int, named.code, 0), "%s", named.err);
    cr_expect(eq(i64, runs(lab), 4), "one that is named is meant");
}

Test(create, without_names_asks_on_a_terminal_before_it_acts_on_several_made_targets)
{
    struct lab *lab = damage_lab("", "play; task t1; finish\n");
    write_targets(lab, "", "");
    int code;
    AUTO_FREE char *unmade = damage_terminal(lab, 80, NULL, &code, "create", NULL);
    cr_assert(eq(int, code, 0), "nothing is made yet, so nothing is asked: %s", unmade);
    cr_assert(eq(i64, runs(lab), 2));

    AUTO_FREE char *refused = damage_terminal(lab, 80, "n\n", &code, "create", NULL);
    cr_expect(eq(int, code, 130), "%s", refused);
    cr_expect(strstr(refused, "host, other are made already") != NULL, "%s", refused);
    cr_expect(eq(i64, runs(lab), 2), "it acted without an answer");

    AUTO_FREE char *agreed = damage_terminal(lab, 80, "y\n", &code, "create", NULL);
    cr_expect(eq(int, code, 0), "%s", agreed);
    AUTO_FREE char *said = damage_terminal(lab, 80, NULL, &code, "create", "--yes", NULL);
    cr_expect(eq(int, code, 0), "%s", said);
    cr_expect(strstr(said, "made already") == NULL, "%s", said);
    AUTO_FREE char *named = damage_terminal(lab, 80, NULL, &code, "create", "host", "other", NULL);
    cr_expect(eq(int, code, 0), "%s", named);
    struct lab_result piped = lab_run(lab, "create", NULL);
    cr_expect(eq(int, piped.code, 0), "nobody is there to be asked: %s", piped.err);
    cr_expect(eq(i64, runs(lab), 10));
}

/* The phase of `host` empties the file that `other` is to be made by, so that it is wrong only
 * after all was looked at. */
Test(create, a_file_that_is_wrong_only_when_its_run_begins_makes_the_run_invalid)
{
    struct lab *lab = damage_lab("", ": >$FOLDER/other.pub; play; task t1; finish\n");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml"), *key = lab_read(lab, "sshd/host_key.pub");
    char *settings = strstr(project, "  host:\n") + strlen("  host:\n");
    AUTO_FREE char *common = xstrndup(settings, (size_t)(strstr(settings, "    host_keys:") - settings));
    lab_write(lab, "other.pub", "%s", key);
    lab_write(lab, "triphase.yml", "%s  other:\n%s    host_keys: {file: other.pub}\n", project, common);

    struct lab_result created = lab_run(lab, "create", "host", "other", NULL);

    cr_expect(eq(int, created.code, 78), "%s", created.err);
    cr_expect(strstr(created.err, "there is no public host key in") != NULL, "%s", created.err);
    AUTO_FREE char *outcome = lab_sql(lab, "SELECT outcome FROM run WHERE target = 'other'");
    cr_expect(eq(str, outcome, "invalid"));
}
