/* Names become paths in one place, and none leads out of the project's folder, whoever gave it. */
#include "config/layout.h"

#include "ansible/memory.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/history.h"
#include "unit/folder.h"
#include "unit/hostile.h"
#include "unit/record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void clean(void)
{
    folder_clean();
    hostile_clean();
}

TestSuite(layout, .fini = clean);

static const char good_id[] = "01890000-0000-7000-8000-0123456789ab";

static const char *const bad_names[] = {"",        ".",         "..",
                                        "../../x", "a/b",       "/etc/passwd",
                                        "a\nb",    "-x",        "A",
                                        "x y",     "x.y",       "../locks/a",
                                        "\xff",    "a/../../x", "abcdefghijklmnopqrstuvwxyz-123456"};

Test(layout, what_is_no_name_gives_a_path_on_which_every_call_fails)
{
    for (size_t i = 0; i < COUNT_OF(bad_names); i++) {
        const char *name = bad_names[i];
        AUTO_FREE char *run = layout_run("/project/.triphase", name);
        AUTO_FREE char *machine = layout_machine("/project/.triphase", name);
        AUTO_FREE char *target = layout_target_state("/project/.triphase", name);
        AUTO_FREE char *lock = layout_lock("/project/.triphase", name);
        AUTO_FREE char *step = layout_step_file(1, name, 1, "log");
        AUTO_FREE char *sockets = layout_sockets(name, TRANSPORT_DIRECT);
        const char *const paths[] = {run, machine, target, lock, step, sockets};
        for (size_t k = 0; k < COUNT_OF(paths); k++) {
            AUTO_ERROR err = ERROR_INIT;
            cr_expect(text_starts(paths[k], "/dev/null/") && !strchr(paths[k] + strlen("/dev/null/"), '/'),
                      "'%s' gives %s", name, paths[k]);
            cr_expect_not(file_exists(paths[k]));
            cr_expect_lt(file_make_dirs(paths[k], 0700, NULL), 0);
            cr_expect_lt(file_remove_tree(paths[k], &err), 0, "nothing was removed, and nobody says so");
            cr_expect(strstr(error_text(&err), "is no name"), "%s", error_text(&err));
        }
    }
}

Test(layout, a_good_name_stays_where_the_contract_says)
{
    AUTO_FREE char *run = layout_run("/s", good_id);
    AUTO_FREE char *target = layout_target_state("/s", "web-1");
    AUTO_FREE char *lock = layout_lock("/s", "web-1");
    AUTO_FREE char *step = layout_step_file(3, "web-1", 2, "log");
    cr_expect_str_eq(run, "/s/runs/01890000-0000-7000-8000-0123456789ab");
    cr_expect_str_eq(target, "/s/targets/web-1/state");
    cr_expect_str_eq(lock, "/s/locks/web-1");
    cr_expect_str_eq(step, "03-web-1.2.log");
}

/* XDG_RUNTIME_DIR goes with the login, and a run outlives that. */
Test(layout, sockets_lie_where_no_logout_removes_them)
{
    setenv("XDG_RUNTIME_DIR", folder(), 1);
    AUTO_FREE char *sockets = layout_sockets(good_id, TRANSPORT_TAILNET);
    AUTO_FREE char *expected = xasprintf("/tmp/triphase-%lu/0123456789abt", (unsigned long)geteuid());
    cr_expect_str_eq(sockets, expected);
}

Test(layout, a_folder_of_sockets_that_is_not_ours_alone_is_refused_and_its_owner_named)
{
    AUTO_FREE char *above = folder_path("triphase-0"), *sockets = file_join(above, "0123456789abd");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(layout_make_sockets(sockets, &err), 0, "%s", error_text(&err));
    cr_assert_eq(chmod(above, 0711), 0);
    cr_expect_eq(layout_make_sockets(sockets, &err), -1);
    cr_expect(strstr(error_text(&err), "0711"), "%s", error_text(&err));
    cr_assert(chmod(above, 0700) == 0 && (geteuid() || chown(above, 65534, 0) == 0));
    if (geteuid() == 0) {
        cr_expect_eq(layout_make_sockets(sockets, &err), -1);
        cr_expect(strstr(error_text(&err), "user 65534"), "%s", error_text(&err));
    }
    AUTO_FREE char *link = folder_path("link"), *through = file_join(link, "0123456789abd");
    cr_assert(chown(above, geteuid(), getegid()) == 0 && symlink(above, link) == 0);
    cr_expect_eq(layout_make_sockets(through, &err), -1, "a link was followed");
}

/* A repository may hold a link: a command that only looks would close the folder that it leads to. */
Test(layout, a_link_in_place_of_the_state_is_refused_and_what_it_leads_to_stays_as_it_is)
{
    AUTO_FREE char *outside = folder_path("outside"), *state = folder_path(".triphase"),
                   *trace = file_join(outside, ".gitignore");
    struct stat now;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(mkdir(outside, 0755) == 0 && chmod(outside, 0755) == 0 && symlink("outside", state) == 0);
    cr_expect_eq(layout_make(state, &err), -1);
    cr_expect(err.kind == ERROR_PROJECT && strstr(error_text(&err), "remove the link"), "%s",
              error_text(&err));
    cr_expect(stat(outside, &now) == 0 && (now.st_mode & 0777) == 0755, "it was closed");
    cr_expect_not(file_exists(trace), "it was written into");
    cr_assert_eq(unlink(state), 0);
    cr_expect_eq(layout_make(state, &err), 0, "%s", error_text(&err));
}

Test(layout, a_path_of_a_row_stays_below_the_folder)
{
    static const char *const bad[] = {"",        "/etc/shadow", "..",     "../x",      "runs/../../x",
                                      "runs//x", "runs/.",      "./runs", "runs/x/..", "runs/x/"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_FREE char *path = layout_stored("/s", bad[i]);
        cr_expect(text_starts(path, "/dev/null/"), "'%s' gives %s", bad[i], path);
    }
    AUTO_FREE char *path = layout_stored("/s", "runs/x/01-a...1.log");
    cr_expect_str_eq(path, "/s/runs/x/01-a...1.log");
}

/* A store that came from elsewhere: what its rows name is not looked for, let alone removed. */
Test(layout, a_row_with_a_name_that_is_none_is_refused)
{
    static const char *const spoils[] = {"UPDATE run SET target = '../../x'",
                                         "UPDATE run SET id = '../../../x'",
                                         "UPDATE run SET machine_id = '..'"};
    for (size_t i = 0; i < COUNT_OF(spoils); i++) {
        struct record record = record_start();
        struct history_run **runs = NULL;
        AUTO_ERROR err = ERROR_INIT;
        record_whole(&record, good_id, 1, 1);
        cr_assert_eq(sql_run(record.db, spoils[i], &err), 0, "%s", error_text(&err));
        cr_expect_eq(history_last_runs(record.db, NULL, 5, &runs, &err), -1, "taken: %s", spoils[i]);
        cr_expect(err.kind == ERROR_STORE && strstr(error_text(&err), "no triphase writes"), "%s",
                  error_text(&err));
        record_end(&record);
        cr_assert_eq(file_remove_tree(hostile_folder(), NULL), 0);
        cr_assert_eq(file_make_dirs(hostile_folder(), 0700, NULL), 0);
    }
}

Test(layout, a_machine_or_a_target_of_a_row_with_a_name_that_is_none_is_refused)
{
    struct record record = record_start();
    struct machine *machine = NULL;
    AUTO_WORDS targets = WORDS_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(sql_run(record.db,
                         "INSERT INTO machine (id, target, provider, made_ns, removed_ns, record) VALUES"
                         " ('01890000-0000-7000-8000-0123456789ab', '../x', 'static', 1, 0,"
                         "  '{\"id\":\"01890000-0000-7000-8000-0123456789ab\",\"target\":\"../x\"}'),"
                         " ('01890000-0000-7000-8000-0123456789ac', 'web', 'static', 1, 0,"
                         "  '{\"id\":\"../../x\",\"target\":\"web\"}')",
                         &err),
                 0, "%s", error_text(&err));
    cr_expect_eq(history_machine(record.db, "../x", &machine, &err), -1);
    cr_expect_eq(history_machine(record.db, "web", &machine, &err), -1);
    cr_expect_eq(err.kind, ERROR_STORE);
    cr_expect_eq(history_targets(record.db, &targets, &err), -1);
    record_end(&record);
}

Test(layout, the_clean_up_of_plans_takes_plans_alone)
{
    AUTO_FREE char *plans = file_join(folder(), "plans");
    AUTO_FREE char *mine = file_join(plans, "notes.txt");
    AUTO_FREE char *upper =
        file_join(plans, "ABCDEF0123456789012345678901234567890123456789012345678901234567");
    AUTO_JSON *warnings = json_new_array();
    cr_assert_eq(file_make_dirs(plans, 0700, NULL), 0);
    cr_assert_eq(file_replace(mine, "x", 1, 0600, NULL), 0);
    cr_assert_eq(file_replace(upper, "x", 1, 0600, NULL), 0);
    char digest[DIGEST_TEXT];
    for (int i = 0; i < 70; i++) {
        snprintf(digest, sizeof digest, "%064x", (unsigned)i);
        ansible_memory_keep(folder(), digest, warnings);
    }
    AUTO_WORDS left = WORDS_INIT;
    cr_assert_eq(file_list(plans, &left, NULL), 0);
    cr_expect(left.count < 20, "%zu are kept", left.count);
    cr_expect(file_exists(mine));
    cr_expect(file_exists(upper));
    AUTO_JSON *recalled = ansible_memory_recall(folder(), digest);
    cr_expect(recalled);
}
