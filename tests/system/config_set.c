/* `triphase config set` and `config unset` from outside: what is said, the codes, and whose files they
 * write. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/lab.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(config_set, .timeout = 60);

#define PROJECT "project: lab\ntargets:\n  web:\n    recipe: web\n    deadline: 1h  # enough\n"

static struct lab *project(void)
{
    struct lab *lab = lab_new();
    lab_write(lab, "triphase.yml", "%s", PROJECT);
    lab_write(lab, "phases/web.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n");
    lab_write(lab, "playbooks/work.yml", "- hosts: recipe_web\n  tasks: []\n");
    return lab;
}

static void expect(struct lab_result result, int code, const char *out, const char *err)
{
    cr_assert(eq(int, result.code, code), "%s%s", result.out, result.err);
    cr_assert(eq(str, result.out, (char *)(uintptr_t)out));
    cr_assert(strstr(result.err, err) != NULL, "no '%s' in: %s", err, result.err);
}

static void expect_file(struct lab *lab, const char *path, const char *text)
{
    cr_assert(eq(str, lab_read(lab, path), (char *)(uintptr_t)text));
}

Test(config_set, says_what_it_changed_and_the_next_command_goes_by_it)
{
    struct lab *lab = project();
    expect(lab_run(lab, "config", "set", "targets.web.deadline", "90m", NULL), 0,
           "triphase.yml: targets.web.deadline: 1h -> 90m\n", "");
    expect_file(lab, "triphase.yml",
                "project: lab\ntargets:\n  web:\n    recipe: web\n    deadline: 90m  # enough\n");
    cr_assert(strstr(lab_run(lab, "config", "web", NULL).out, "90m") != NULL);
    expect(lab_run(lab, "config", "set", "--project", "targets.web.deadline", "90m", NULL), 0,
           "triphase.yml: targets.web.deadline is so already; nothing was written\n", "");
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_DEADLINE", "3h");
    expect(lab_run(lab, "config", "set", "targets.web.deadline", "1h", NULL), 0,
           "triphase.yml: targets.web.deadline: 90m -> 1h\n",
           "what counts is another layer's: environment TRIPHASE_TARGETS_WEB_DEADLINE: 3h");
    expect_file(lab, "triphase.yml", PROJECT);
    lab_environment(lab, "TRIPHASE_TARGETS_WEB_DEADLINE", NULL);
    expect(lab_run(lab, "config", "unset", "targets.web.deadline", NULL), 0,
           "triphase.yml: targets.web.deadline: 1h -> (not set)\n", "what counts now: built-in: 2h");
    expect(lab_run(lab, "config", "unset", "targets.web.deadline", NULL), 0,
           "triphase.yml: targets.web.deadline is not set already; nothing was written\n", "");
    cr_assert(not(lab_exists(lab, ".triphase")), "a setting left a state folder");
}

Test(config_set, a_dry_run_shows_the_lines_and_writes_nothing)
{
    struct lab *lab = project();
    expect(
        lab_run(lab, "config", "set", "--dry-run", "targets.web.deadline", "90m", NULL), 0,
        "triphase.yml: targets.web.deadline: 1h -> 90m\n-    deadline: 1h  # enough\n+    deadline: 90m  # "
        "enough\n",
        "nothing was written");
    expect_file(lab, "triphase.yml", PROJECT);
    AUTO_FREE char *home = xasprintf("%s/new", lab_folder(lab));
    lab_environment(lab, "XDG_CONFIG_HOME", home);
    expect(lab_run(lab, "config", "set", "--user", "--dry-run", "keep", "9d", NULL), 0,
           lab_keep(xasprintf("%s/triphase/config.yml: keep: (not set) -> 9d\n+keep: 9d\n", home)), "");
    cr_assert(not(file_exists(home)));
}

Test(config_set, what_is_wrong_is_78_in_one_line_and_wrong_words_are_64)
{
    static const struct {
        const char *words[4];
        int code;
        const char *says;
    } rows[] = {
        {{"set", "targets.web.deadlin", "1h"}, 78, "the nearest is targets.web.deadline"},
        {{"set", "targets.web.deadline", "soon"},
         78,
         "'soon' is no duration; write it like 90s, 5m or 1h30m"},
        {{"set", "targets.web.become_password", "letmein"}, 78, "{env: NAME}"},
        {{"set", "--user", "targets.web.deadline", "1h"}, 78, "the user's own file takes"},
        {{"unset", "targets.web.recipe"}, 78, "recipe"},
        {{"set", "targets.web.deadline"}, 64, "a path and a value"},
        {{"unset", "a", "b"}, 64, "one path"},
        {{"set", "--user", "--project", "keep"}, 64, "not both"},
        {{"--user", "web"}, 64, "are for 'triphase config set"},
        {{"set", "--bogus", "keep", "1d"}, 64, "--bogus"},
    };
    struct lab *lab = project();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *const *words = rows[i].words;
        struct lab_result result = lab_run(lab, "config", words[0], words[1], words[2], words[3], NULL);
        expect(result, rows[i].code, "", rows[i].says);
        cr_expect(strchr(result.err, '\n') == result.err + strlen(result.err) - 1, "%s", result.err);
        cr_expect(strstr(result.err, "letmein") == NULL, "%s", result.err);
    }
    expect_file(lab, "triphase.yml", PROJECT);
}

Test(config_set, the_facts_are_there_as_json)
{
    struct lab *lab = project();
    struct lab_result result = lab_run(lab, "config", "set", "--json", "defaults.deadline", "5h", NULL);
    static const char *const parts[] = {"\"file\": \"triphase.yml\"", "\"path\": \"defaults.deadline\"",
                                        "\"before\": null",           "\"after\": \"5h\"",
                                        "\"written\": true",          "web: triphase.yml:5:5: 1h"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        cr_expect(strstr(result.out, parts[i]) != NULL, "no %s in %s", parts[i], result.out);
}

Test(config_set, behind_sudo_the_projects_file_stays_its_owners)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    struct lab *lab = project();
    AUTO_FREE char *path = xasprintf("%s/triphase.yml", lab_folder(lab));
    cr_assert(eq(int, chown(lab_folder(lab), 65534, 65534), 0));
    cr_assert(eq(int, chown(path, 65534, 65533), 0));
    cr_assert(eq(int, chmod(path, 0664), 0));
    lab_environment(lab, "SUDO_UID", "65534");
    lab_environment(lab, "SUDO_GID", "65534");
    struct lab_result result = lab_run(lab, "config", "set", "targets.web.deadline", "2h", NULL);
    cr_assert(eq(int, result.code, 0), "%s", result.err);
    struct stat state;
    cr_assert(eq(int, stat(path, &state), 0));
    cr_assert(state.st_uid == 65534 && state.st_gid == 65533 && (state.st_mode & 07777) == 0664);
}
