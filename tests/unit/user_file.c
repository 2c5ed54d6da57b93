/* The user's own file is read tolerantly: what is wrong in it falls through alone, with a warning and its
 * place, and what stands beside it counts. */
#include "base/memory.h"
#include "base/text.h"
#include "folder.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(user_file, .timeout = 60, .fini = folder_clean);

#define FILE_NAME "home/.config/triphase/config.yml"

static void expect(const struct project *project, const char *row, const char *path, const char *begins)
{
    AUTO_FREE char *said = folder_explain(project, path);
    if (begins)
        cr_expect(said && text_starts(said, begins), "%s: %s is %s", row, path, said);
    else
        cr_expect(!said || text_starts(said, "null <- built-in"), "%s: %s is %s", row, path, said);
}

static const struct row {
    const char *text, *warns, *path, *value, *sibling, *sibling_value;
} rows[] = {
    {"defaults: {port: many, user: me}\n", ":1:18: 'port' takes a whole number", "targets.vault.port", NULL,
     "targets.vault.user", "me <- "},
    {"defaults:\n  deadline: 90\n  user: me\n", ":2:13: 'deadline': '90' is no duration",
     "targets.vault.deadline", "2h <- built-in", "targets.vault.user", "me <- "},
    {"defaults: {protected: maybe, user: me}\n", ":1:23: 'protected' takes true or false",
     "targets.vault.protected", "false <- built-in", "targets.vault.user", "me <- "},
    {"defaults: {groups: one, user: me}\n", ":1:20: 'groups' takes a list", "targets.vault.groups",
     "[] <- built-in", "targets.vault.user", "me <- "},
    {"defaults: {stage_deadline: {ready: soon, tailnet: 3m}}\n", ":1:36: 'stage_deadline.ready': 'soon'",
     "targets.vault.stage_deadline.ready", "60s <- built-in", "targets.vault.stage_deadline.tailnet",
     "3m <- "},
    {"defaults: {stage_deadline: 5m, user: me}\n", ":1:28: 'stage_deadline' takes a map",
     "targets.vault.stage_deadline.ready", "60s <- built-in", "targets.vault.user", "me <- "},
    {"defaults: {secrets: {a: plain, b: {env: B}}}\n", ":1:25: 'secrets.a'", "targets.vault.secrets.a", NULL,
     "targets.vault.secrets.b", "{env: B} <- "},
    {"defaults: {usr: you, user: me}\n", ":1:12: unknown key 'usr'; did you mean 'user'?",
     "targets.vault.usr", NULL, "targets.vault.user", "me <- "},
    {"defaults: {port: 7, port: 8, user: me}\n", ":1:21: 'port' stands here twice", "targets.vault.port",
     NULL, "targets.vault.user", "me <- "},
    {"keep: 9d\nkeep: 8d\ndefaults: {user: me}\n", ":2:1: 'keep' stands here twice", "keep",
     "90d <- built-in", "targets.vault.user", "me <- "},
    {"defaults: [user, me]\nkeep: 9d\n", ":1:11: 'defaults' takes a map, not a list", "targets.vault.user",
     NULL, "keep", "9d <- "},
    {"defaults: me\nkeep: 9d\n", ":1:11: 'defaults' takes a map, not text", "targets.vault.user", NULL,
     "keep", "9d <- "},
    {"providers: {sandbox: 5}\nkeep: 9d\n", ":1:13: the provider 'sandbox' takes a map", "targets.vault.user",
     NULL, "keep", "9d <- "},
    {"providers: {elsewhere: {user: you}, sandbox: {user: me}}\n", ":1:13: unknown provider 'elsewhere'",
     "targets.vault.port", NULL, "targets.vault.user", "me <- "},
    {"targets: {vault: {user: you}}\nkeep: 9d\n", ":1:1: unknown key 'targets'", "targets.vault.user", NULL,
     "keep", "9d <- "},
    {"operator: {hostname: \"-\", tags: [tag:me]}\n", ":1:22: 'operator.hostname'", "operator.hostname", NULL,
     "operator.tags", "[\"tag:me\"] <- "},
};

Test(user_file, a_malformed_field_falls_through_alone_with_its_place)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        folder_fill();
        folder_write(FILE_NAME, row->text);
        AUTO_PROJECT *project = folder_load();
        cr_assert_eq(project->warnings.count, 1, "%s: %zu warnings, the first is %s", row->text,
                     project->warnings.count, project->warnings.count ? project->warnings.items[0] : "");
        cr_expect(strstr(project->warnings.items[0], row->warns), "%s: %s", row->text,
                  project->warnings.items[0]);
        cr_expect(text_ends(project->warnings.items[0], "(in the user's own file: left out)"));
        expect(project, row->text, row->path, row->value);
        expect(project, row->text, row->sibling, row->sibling_value);
    }
}

Test(user_file, one_that_is_no_map_or_no_yaml_at_all_is_left_out_as_a_whole_and_the_project_loads)
{
    static const char *const texts[] = {"[keep, 9d]\n",
                                        "keep\n",
                                        "keep: [9d\n",
                                        "keep: 9d\n\tuser: me\n",
                                        "keep: 9d\n---\nkeep: 8d\n",
                                        "keep: 9d # \xff\n",
                                        "keep: *nothing\n"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        folder_fill();
        folder_write(FILE_NAME, texts[i]);
        AUTO_PROJECT *project = folder_load();
        cr_assert_eq(project->warnings.count, 1, "%s", texts[i]);
        expect(project, texts[i], "keep", "90d <- built-in");
    }
}
