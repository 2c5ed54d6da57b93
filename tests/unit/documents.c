/* What documents show as files of a project is taken as such. */
#include "folder.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(documents, .timeout = 60, .fini = folder_clean);

/* Writes each block of YAML whose first line is "# NAME" as that file of the folder; returns how many. */
static size_t lay_down(const char *document)
{
    static const char fence[] = "\n```yaml\n# ";
    AUTO_TEXT text = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    size_t count = 0;
    cr_assert_eq(file_read(document, 1 << 20, &text, &err), 0, "%s", error_text(&err));
    for (const char *at = text_string(&text); (at = strstr(at, fence)); count++) {
        at += strlen(fence);
        AUTO_FREE char *name = xstrndup(at, strcspn(at, "\n"));
        const char *end = strstr(at, "\n```\n");
        cr_assert_not_null(end, "%s", name);
        AUTO_FREE char *block = xstrndup(at + strlen(name) + 1, (size_t)(end - at) - strlen(name));
        folder_write(name, block);
    }
    return count;
}

Test(documents, the_files_that_replace_a_create_sh_load)
{
    static const char *const playbooks[] = {"playbooks/tailnet/bootstrap.yml", "playbooks/install.yml",
                                            "playbooks/converge.yml", "playbooks/finalize.yml"};
    cr_assert_eq(lay_down("docs/from-create-sh.md"), 2);
    for (size_t i = 0; i < COUNT_OF(playbooks); i++)
        folder_write(playbooks[i], "[]\n");
    AUTO_PROJECT *project = folder_load();
    const struct target *target = &project->targets[0];
    cr_assert_str_eq(target->provider, "hetzner");
    cr_assert_eq(target->cloud.locations.count, 3);
    cr_assert(target->joins_tailnet);
    cr_assert_eq(project->recipes[0].phase_count, 3);
    cr_assert_not_null(project->recipes[0].bootstrap);
}
