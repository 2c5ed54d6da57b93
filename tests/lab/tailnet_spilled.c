/* What the lab's keys may not be found in, at the end of each test. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/ending.h"
#include "lab/lab.h"
#include "lab/spilled.h"
#include "lab/tailnet_parts.h"

#include <criterion/criterion.h>
#include <string.h>

static struct words folders;
static bool begun;
static void (*its_own_end)(void);

/* Of the last run, from what is kept here: its host may be gone by now. */
static void add_bundle(struct lab *project, struct text *out)
{
    AUTO_FREE char *store = file_join(lab_folder(project), ".triphase/store.db"),
                   *archive = file_join(lab_folder(project), "at-the-end.tar.gz");
    AUTO_ERROR err = ERROR_INIT;
    struct lab_result made;
    if (!file_exists(store))
        return;
    lab_within(project, NULL);
    if (lab_attempt(project, &made, &err, "bundle", "--no-host", "--format", "gz", "-o", archive, NULL) < 0)
        text_addf(out, "no bundle: %s\n", error_text(&err));
    else if (made.code && !strstr(made.err, "no run"))
        text_addf(out, "no bundle: %s\n", made.err);
}

/* Criterion calls it behind the test, in its process. */
static void look_at_the_end(void)
{
    AUTO_TEXT said = TEXT_INIT;
    if (its_own_end)
        its_own_end();
    for (size_t i = 0; lab_at(i); i++) {
        add_bundle(lab_at(i), &said);
        words_add(&folders, lab_folder(lab_at(i)));
    }
    AUTO_FREE char *found = spilled_found(&folders);
    text_add(&said, found);
    if (said.length)
        ending_fail("%s", text_string(&said));
}

void tailnet_spilled_machine(const struct tailnet_operator *op)
{
    words_addf(&folders, "/proc/%d/root/var/lib/triphase-tailnet", (int)op->holder.pid);
}

void tailnet_spilled_begin(void)
{
    if (begun)
        return; /* a test with two labs has one end */
    begun = true;
    its_own_end = criterion_current_test->data->fini;
    criterion_current_test->data->fini = look_at_the_end;
}
