/* A path on the command line that is not what it is to be is the user's slip: 64, what
 * it is, and nothing begun. */
#include "base/memory.h"
#include "base/text.h"
#include "lab/damage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

/* `path` is below the lab's folder; it is the last word. */
static void hold(struct lab *lab, const char *command, const char *word, const char *path, const char *said)
{
    AUTO_FREE char *whole = xasprintf("%s/%s", lab_folder(lab), path);
    struct lab_result got =
        word ? lab_run(lab, command, word, whole, NULL) : lab_run(lab, command, whole, NULL);
    cr_expect(eq(int, got.code, 64), "%s %s %s: %s", command, word ? word : "", path, got.err);
    cr_expect(strstr(got.err, said) && strstr(got.err, lab_folder(lab)), "no '%s' in: %s", said, got.err);
}

Test(given_path, what_is_not_there_or_of_another_kind_is_64_everywhere)
{
    struct lab *lab = damage_lab("", "finish\n");
    lab_write(lab, "a/text", "This is no store.\n");
    lab_write(lab, "a/empty", "%s", "");
    hold(lab, "store", "merge", "a/absent", "No such file");
    hold(lab, "store", "merge", "a/text/below", "no folder");
    hold(lab, "store", "merge", "a", "is no file");
    hold(lab, "store", "merge", "a/text", "not a database");
    hold(lab, "store", "merge", "a/empty", "empty");
    hold(lab, "store", "export", "a", "is a folder");
    hold(lab, "store", "export", "a/text", "is there already");
    hold(lab, "bundle", "--output", "a/text/below.tar.gz", "is no folder");
    hold(lab, "init", NULL, "a/text", "is no folder");
    hold(lab, "init", NULL, "a/text/below", "no folder");
    AUTO_FREE char *text = lab_read(lab, "a/text");
    cr_assert(eq(str, text, "This is no store.\n"));
}

Test(given_path, a_folder_that_is_not_there_is_named)
{
    struct lab *lab = damage_lab("", "finish\n");
    static const char *const words[][2] = {{"store", "export"}, {"bundle", "--output"}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        AUTO_FREE char *folder = xasprintf("%s/absent", lab_folder(lab)),
                       *file = xasprintf("%s/x.tar.gz", folder);
        struct lab_result got = lab_run(lab, words[i][0], words[i][1], file, NULL);
        AUTO_FREE char *said = xasprintf("%s: No such file", folder);
        cr_expect(eq(int, got.code, 64), "%s", got.err);
        cr_expect(strstr(got.err, said) != NULL, "%s", got.err);
    }
    struct lab_result got = lab_run(lab, "-C", "absent", "status", NULL);
    cr_expect(eq(int, got.code, 64), "%s", got.err);
    cr_expect(strstr(got.err, "the folder absent: No such file") != NULL, "%s", got.err);
    cr_assert(not(lab_exists(lab, ".triphase/store.db")), "something was begun");
}
