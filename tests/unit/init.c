/* init: all of the project's files or none, nothing overwritten, and what is laid down loads. */
#include "command/command.h"
#include "command/exit_code.h"
#include "folder.h"

#include "base/embedded.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/provider_facts.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(init, .timeout = 60, .init = cr_redirect_stderr, .fini = folder_clean);

extern const struct command command_init;

static int init_for(const char *provider, const char *directory)
{
    AUTO_FREE char *word = xstrdup(directory), *name = xstrdup("init"), *option = xstrdup("--provider");
    AUTO_FREE char *wanted = xstrdup_or_null(provider);
    char *plain[] = {name, word, NULL}, *chosen[] = {name, option, wanted, word, NULL};
    struct command_context context = {.command = &command_init};
    return command_init.run(&context, provider ? 4 : 2, provider ? chosen : plain);
}

static int init(const char *directory)
{
    return init_for(NULL, directory);
}

static char *text_of(const char *path)
{
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_read(path, 1 << 22, &out, &err), 0, "%s", error_text(&err));
    return text_take(&out);
}

Test(init, the_projects_files_are_laid_down_and_load)
{
    AUTO_FREE char *directory = folder_path("deep/er/my-hosts");
    cr_assert_eq(init(directory), EXIT_OK);
    size_t files = 0;
    for (size_t i = 0; i < embedded_file_count; i++) {
        AUTO_FREE char *path = file_join(directory, embedded_files[i].path);
        bool own = text_starts(embedded_files[i].path, "callback/") ||
                   text_starts(embedded_files[i].path, "launcher/") ||
                   text_starts(embedded_files[i].path, "host/") ||
                   text_starts(embedded_files[i].path, "projects/") ||
                   text_starts(embedded_files[i].path, "examples/");
        cr_assert_eq(file_exists(path), !own, "%s", path);
        files += !own;
        if (own || text_is(embedded_files[i].path, "triphase.yml"))
            continue;
        AUTO_FREE char *text = text_of(path);
        cr_assert_str_eq(text, (const char *)embedded_files[i].bytes, "%s", path);
    }
    cr_assert_gt(files, 5);
    AUTO_FREE char *ignore_path = file_join(directory, ".gitignore"), *ignored = text_of(ignore_path);
    cr_assert_str_eq(ignored, ".triphase/\n");
    static const char *const environment[] = {"HOME=/nonexistent", NULL};
    struct config_sources sources = {directory, environment, NULL, NULL, NULL};
    AUTO_PROJECT *project = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(config_load(&sources, &project, &err), 0, "%s", error_text(&err));
    cr_assert_str_eq(project->name, "my-hosts");
    cr_assert_gt(project->target_count, 0);
}

Test(init, each_providers_project_loads_with_a_target_of_it_and_the_programs_it_names)
{
    const char *const *names = provider_names();
    for (size_t i = 0; names[i]; i++) {
        AUTO_FREE char *directory = folder_path(names[i]);
        cr_assert_eq(init_for(names[i], directory), EXIT_OK);
        static const char *const environment[] = {"HOME=/nonexistent", NULL};
        struct config_sources sources = {directory, environment, NULL, NULL, NULL};
        AUTO_PROJECT *project = NULL;
        AUTO_ERROR err = ERROR_INIT;
        cr_assert_eq(config_load(&sources, &project, &err), 0, "%s: %s", names[i], error_text(&err));
        cr_assert_str_eq(project->name, names[i]);
        cr_assert_eq(project->target_count, 1);
        const struct target *target = &project->targets[0];
        cr_assert_str_eq(target->provider, names[i]);
        AUTO_FREE char *folder_of_programs = file_join(directory, "providers");
        cr_assert_eq(file_exists(folder_of_programs), target->make.count > 0, "%s", names[i]);
        const struct words *programs[] = {&target->make, &target->verify, &target->remove};
        for (size_t j = 0; target->make.count && j < COUNT_OF(programs); j++) {
            AUTO_FREE char *program = file_join(directory, programs[j]->items[0]);
            cr_assert(file_is_program(program), "%s", program);
        }
    }
    AUTO_FREE char *other = folder_path("other");
    cr_assert_eq(init_for("heztner", other), EXIT_BAD_USAGE);
    cr_assert_not(file_exists(other));
}

Test(init, a_server_that_costs_has_an_expiry_and_what_is_to_be_done_first_is_a_command_that_works)
{
    AUTO_FREE char *directory = folder_path("cloud"), *said = folder_path("said");
    cr_assert(freopen(said, "w", stderr));
    cr_assert_eq(init_for("hetzner", directory), EXIT_OK);
    AUTO_FREE char *next = text_of(said);
    cr_has(next, "\n  export HCLOUD_TOKEN=…   the token ");
    static const char *const environment[] = {"HOME=/nonexistent", NULL};
    struct config_sources sources = {directory, environment, NULL, NULL, NULL};
    AUTO_PROJECT *project = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(config_load(&sources, &project, &err), 0, "%s", error_text(&err));
    cr_assert_gt(project->targets[0].ttl_ns, 0);
}

Test(init, nothing_is_laid_down_where_one_file_is_in_the_way)
{
    folder_write("phases/vault.yml", "mine\n");
    cr_assert_eq(init(folder()), EXIT_PROJECT);
    AUTO_WORDS names = WORDS_INIT;
    cr_assert_eq(file_list(folder(), &names, NULL), 0);
    cr_assert_eq(names.count, 1, "%zu", names.count);
    AUTO_FREE char *path = folder_path("phases/vault.yml"), *mine = text_of(path);
    cr_assert_str_eq(mine, "mine\n");
}

Test(init, what_was_begun_is_taken_back_when_it_cannot_be_finished)
{
    /* A file where a folder has to be is found only on the way. */
    folder_write("p/phases", "mine\n");
    AUTO_FREE char *directory = folder_path("p");
    cr_assert_neq(init(directory), EXIT_OK);
    AUTO_WORDS names = WORDS_INIT;
    cr_assert_eq(file_list(directory, &names, NULL), 0);
    cr_assert_eq(names.count, 1, "%zu", names.count);
    cr_assert_str_eq(names.items[0], "phases");
}

Test(init, a_folder_whose_name_is_no_project_name_gives_demo)
{
    AUTO_FREE char *directory = folder_path("My Hosts");
    cr_assert_eq(init(directory), EXIT_OK);
    AUTO_FREE char *path = file_join(directory, "triphase.yml"), *text = text_of(path);
    cr_has(text, "\nproject: demo\n");
}

Test(init, a_gitignore_that_is_there_gets_the_line_once)
{
    folder_write("a/.gitignore", "*.o\n*.a");
    folder_write("b/.gitignore", "*.o\n.triphase\n");
    AUTO_FREE char *a = folder_path("a"), *b = folder_path("b"), *a_path = folder_path("a/.gitignore"),
                   *b_path = folder_path("b/.gitignore");
    cr_assert_eq(init(a), EXIT_OK);
    cr_assert_eq(init(b), EXIT_OK);
    AUTO_FREE char *first = text_of(a_path), *second = text_of(b_path);
    cr_assert_str_eq(first, "*.o\n*.a\n.triphase/\n");
    cr_assert_str_eq(second, "*.o\n.triphase\n");
}

Test(init, behind_sudo_the_files_belong_to_the_user_who_called_it)
{
    const struct passwd *entry = geteuid() == 0 ? getpwnam("nobody") : NULL;
    if (!entry)
        cr_skip_test("needs root and a user nobody");
    uid_t user = entry->pw_uid;
    AUTO_FREE char *id = xasprintf("%u", (unsigned)user);
    setenv("SUDO_UID", id, 1);
    AUTO_FREE char *directory = folder_path("new/one");
    cr_assert_eq(init(directory), EXIT_OK);
    static const char *const paths[] = {"new",
                                        "new/one",
                                        "new/one/triphase.yml",
                                        "new/one/phases",
                                        "new/one/phases/vault.yml",
                                        "new/one/.gitignore"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO_FREE char *path = folder_path(paths[i]);
        struct stat state;
        cr_assert_eq(stat(path, &state), 0, "%s", path);
        cr_assert_eq(state.st_uid, user, "%s", path);
    }
}
