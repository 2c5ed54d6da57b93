/* A project knows which one it is: a moved folder is followed, a copied one acts on
 * nothing of the original's. */
#include "store/identity.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/layout.h"
#include "format/sql.h"
#include "store/history.h"
#include "store/schema.h"
#include "store/store.h"
#include "unit/folder.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(identity, .fini = folder_clean);

static const char machine_id[] = "01890000-0000-7000-8000-0123456789ab";

/* A project folder with a store in which `web` is made. */
static char *project_at(const char *name)
{
    AUTO_ERROR err = ERROR_INIT;
    char *project = folder_path(name);
    AUTO_FREE char *state = layout_state(project);
    AUTO_FREE char *store = layout_store(state);
    cr_assert_eq(layout_make(state, &err), 0, "%s", error_text(&err));
    cr_assert_eq(store_prepare(store, &err), 0, "%s", error_text(&err));
    AUTO_SQL *db = NULL;
    struct store_appender *appender = NULL;
    AUTO_MACHINE *machine = machine_new();
    machine->id = xstrdup(machine_id);
    machine->target = xstrdup("web");
    machine->provider = xstrdup("static");
    machine->directory = layout_machine(state, machine_id);
    machine->key = file_join(machine->directory, "key");
    machine->made_ns = 1;
    struct event event = {.kind = EVENT_MACHINE, .machine = machine};
    cr_assert_eq(sql_open(store, SQL_WRITE, 1000, &db, &err), 0);
    cr_assert_eq(store_appender_new(db, &appender, &err), 0);
    cr_assert_eq(store_appender_put(appender, &event, &err), 0, "%s", error_text(&err));
    store_appender_free(appender);
    return project;
}

static void run_sql(const char *project, const char *statement)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *state = layout_state(project);
    AUTO_FREE char *store = layout_store(state);
    AUTO_SQL *db = NULL;
    cr_assert_eq(sql_open(store, SQL_WRITE, 1000, &db, &err), 0, "%s", error_text(&err));
    cr_assert_eq(sql_run(db, statement, &err), 0, "%s", error_text(&err));
}

static void copy(const char *from, const char *to)
{
    AUTO_FREE char *command = xasprintf("cp -a '%s' '%s'", from, to);
    cr_assert_eq(system(command), 0); /* NOLINT */
}

/* The id after a claim that must succeed; `moved` NULL: it must not say that the
 * folder was moved. malloc'ed. */
static char *claimed(const char *project, const char *moved)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *from = NULL;
    cr_assert_eq(identity_claim(project, &from, &err), 0, "%s", error_text(&err));
    if (moved)
        cr_expect_str_eq(from ? from : "(not moved)", moved);
    else
        cr_expect_null(from, "moved from %s", from);
    char *id = identity_id(project);
    cr_assert(id && id_is(id));
    return id;
}

static void expect_copy(const char *project, const char *original)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *from = NULL;
    AUTO_FREE char *found = NULL;
    cr_assert_eq(identity_claim(project, &from, &err), -1, "taken for its own");
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect(strstr(error_text(&err), "is a copy of the project in") && strstr(error_text(&err), original) &&
                  strstr(error_text(&err), "(web)") && strstr(error_text(&err), "triphase forget"),
              "%s", error_text(&err));
    cr_expect_eq(identity_is_copy(project, &found, NULL), 1);
    cr_expect_str_eq(found ? found : "", original);
}

Test(identity, a_project_keeps_its_id_under_any_name_of_its_folder)
{
    AUTO_FREE char *project = project_at("one");
    AUTO_FREE char *other_name = folder_path("link");
    cr_assert_eq(symlink(project, other_name), 0);
    AUTO_FREE char *id = claimed(project, NULL);
    AUTO_FREE char *again = claimed(project, NULL);
    AUTO_FREE char *by_link = claimed(other_name, NULL);
    cr_expect_str_eq(id, again);
    cr_expect_str_eq(id, by_link);
}

Test(identity, a_moved_folder_is_followed_and_its_rows_with_it)
{
    AUTO_FREE char *project = project_at("one");
    AUTO_FREE char *moved = folder_path("two");
    AUTO_FREE char *id = claimed(project, NULL);
    cr_assert_eq(rename(project, moved), 0);
    AUTO_FREE char *after = claimed(moved, project);
    cr_expect_str_eq(after, id);
    AUTO_FREE char *then = claimed(moved, NULL);
    cr_expect_str_eq(then, id);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SQL *db = NULL;
    AUTO_MACHINE *machine = NULL;
    AUTO_FREE char *state = layout_state(moved);
    AUTO_FREE char *store = layout_store(state);
    AUTO_FREE char *folder_of_it = layout_machine(state, machine_id);
    cr_assert_eq(history_open(store, &db, &err), 0);
    cr_assert_eq(history_machine(db, "web", &machine, &err), 0, "%s", error_text(&err));
    cr_expect_str_eq(machine->directory, folder_of_it);
    cr_expect(text_starts(machine->key, folder_of_it), "%s", machine->key);
    int64_t absolute = 0;
    cr_assert_eq(sql_query_integer(db, "SELECT count(*) FROM machine WHERE record LIKE '%\"/%'", 0, &absolute,
                                   &err),
                 0);
    cr_expect_eq(absolute, 0, "a row names the project by an absolute path");
}

Test(identity, a_copy_that_believes_in_the_originals_machines_is_refused_until_they_are_forgotten)
{
    AUTO_FREE char *project = project_at("one");
    AUTO_FREE char *other = folder_path("two");
    AUTO_FREE char *id = claimed(project, NULL);
    run_sql(project, "INSERT INTO run (id, kind, target, partial, fresh, started_ns) VALUES"
                     " ('01890000-0000-7000-8000-0123456789ac', 'run', 'web', 0, 0, 1)");
    copy(project, other);
    expect_copy(other, project);
    expect_copy(other, project);
    AUTO_FREE char *still = claimed(project, NULL);
    cr_expect_str_eq(still, id);

    run_sql(other, "UPDATE machine SET removed_ns = 2");
    AUTO_FREE char *own = claimed(other, NULL);
    cr_expect_str_neq(own, id);
    AUTO_FREE char *kept = claimed(other, NULL);
    cr_expect_str_eq(kept, own);
    AUTO_FREE char *original = claimed(project, NULL);
    cr_expect_str_eq(original, id);
    /* What ran when it was copied runs in the original, not here. */
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *state = layout_state(other);
    AUTO_FREE char *store = layout_store(state);
    AUTO_SQL *db = NULL;
    int64_t open = -1;
    cr_assert_eq(history_open(store, &db, &err), 0);
    cr_assert_eq(sql_query_integer(db, "SELECT count(*) FROM run WHERE outcome IS NULL", -1, &open, &err), 0);
    cr_expect_eq(open, 0);
}

Test(identity, a_copy_whose_original_is_gone_is_that_project)
{
    AUTO_FREE char *project = project_at("one");
    AUTO_FREE char *other = folder_path("two");
    AUTO_FREE char *id = claimed(project, NULL);
    copy(project, other);
    cr_assert_eq(file_remove_tree(project, NULL), 0);
    AUTO_FREE char *after = claimed(other, project);
    cr_expect_str_eq(after, id);
}

Test(identity, an_original_that_cannot_be_seen_is_not_taken_for_gone)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    AUTO_FREE char *project = project_at("closed/one");
    AUTO_FREE char *closed = folder_path("closed");
    AUTO_FREE char *other = folder_path("two");
    AUTO_FREE char *id = claimed(project, NULL);
    copy(project, other);
    AUTO_FREE char *give =
        xasprintf("chown -R 65534 '%s'; chmod 711 '%s'; chmod 0 '%s'", other, folder(), closed);
    cr_assert_eq(system(give), 0); /* NOLINT */
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *from = NULL;
    cr_assert_eq(seteuid(65534), 0);
    int status = identity_claim(other, &from, &err);
    cr_assert_eq(seteuid(0), 0);
    cr_expect_eq(status, -1);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect(strstr(error_text(&err), "cannot be seen"), "%s", error_text(&err));
}

/* Rows of an older triphase held absolute paths, and there was no id. */
static void make_old(const char *project, const char *was_at)
{
    AUTO_FREE char *state = layout_state(project);
    AUTO_FREE char *identity = file_join(state, "project.json");
    unlink(identity);
    AUTO_FREE char *statement = xasprintf(
        "UPDATE machine SET record = json_set(record, '$.directory', '%s/.triphase/machines/%s',"
        " '$.key', '%s/.triphase/machines/%s/key'); DROP INDEX run_group;"
        " ALTER TABLE run DROP COLUMN seen; ALTER TABLE run DROP COLUMN verdict;"
        " DROP VIEW phase_timing; "
        "CREATE VIEW phase_timing AS\n"
        "  SELECT run.id AS run, run.target AS target, step.name AS step, step.attempt AS attempt,\n"
        "    step.transport AS transport, run.fresh AS fresh, run.ansible AS ansible, step.outcome AS "
        "outcome,\n"
        "    step.started_ns AS started_ns, step.duration_ns AS duration_ns\n"
        "  FROM step JOIN run ON run.number = step.run\n"
        "  WHERE step.kind = 'phase' AND run.partial = 0;"
        " ALTER TABLE step DROP COLUMN accelerated_why; ALTER TABLE step DROP COLUMN accelerated;"
        " ALTER TABLE step DROP COLUMN seen; ALTER TABLE step DROP COLUMN verdict;"
        " ALTER TABLE machine DROP COLUMN expires_ns;"
        " DROP VIEW path_sample; DROP VIEW diagnosed_cell; DROP VIEW diagnosed; DROP TABLE "
        "diagnosis_cell; DROP TABLE "
        "diagnosis; PRAGMA user_version = 3",
        was_at, machine_id, was_at, machine_id);
    run_sql(project, statement);
}

Test(identity, an_old_store_is_brought_up_to_paths_from_the_project)
{
    AUTO_FREE char *project = project_at("one");
    make_old(project, project);
    AUTO_FREE char *id = claimed(project, NULL);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SQL *db = NULL;
    AUTO_FREE char *state = layout_state(project);
    AUTO_FREE char *store = layout_store(state);
    cr_assert_eq(store_prepare(store, &err), 0, "%s", error_text(&err));
    cr_assert_eq(history_open(store, &db, &err), 0, "%s", error_text(&err));
    AUTO_STATEMENT *query = NULL;
    cr_assert_eq(
        sql_prepare(db,
                    "SELECT json_extract(record, '$.directory'), json_extract(record, '$.key') FROM machine",
                    &query, &err),
        0);
    cr_assert_eq(sql_step(query, &err), 1);
    cr_expect_str_eq(sql_text(query, 0), ".triphase/machines/01890000-0000-7000-8000-0123456789ab");
    cr_expect_str_eq(sql_text(query, 1), ".triphase/machines/01890000-0000-7000-8000-0123456789ab/key");
}

Test(identity, a_copy_of_an_old_project_is_known_by_its_rows_and_stays_known)
{
    AUTO_FREE char *project = project_at("one");
    AUTO_FREE char *other = folder_path("two");
    make_old(project, project);
    copy(project, other);
    expect_copy(other, project);
    AUTO_FREE char *state = layout_state(other);
    AUTO_FREE char *store = layout_store(state);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(store_prepare(store, &err), 0, "%s", error_text(&err));
    expect_copy(other, project);
    AUTO_FREE char *id = claimed(project, NULL);
    cr_expect(id);
}

Test(identity, a_damaged_file_is_refused_by_name)
{
    AUTO_FREE char *project = project_at("one");
    AUTO_FREE char *id = claimed(project, NULL);
    AUTO_FREE char *path = folder_path("one/.triphase/project.json");
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *from = NULL;
    cr_assert_eq(file_replace(path, "{}", 2, 0600, NULL), 0);
    cr_expect_eq(identity_claim(project, &from, &err), -1);
    cr_expect(strstr(error_text(&err), path), "%s", error_text(&err));
}

Test(identity, a_key_that_a_user_keeps_beside_the_project_survives_its_row)
{
    static const char *const keys[][2] = {
        {"../good", "/srv/shop/../good"},     {"./good", "/srv/shop/./good"},
        {"keys/good", "/srv/shop/keys/good"}, {"/etc/good", "/etc/good"},
        {"~/.ssh/good", "~/.ssh/good"},       {"agent", "agent"}};
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        AUTO_MACHINE *said = machine_new();
        said->key = xstrdup(keys[i][0]);
        AUTO_JSON *row = machine_to_row(said, "/srv/shop");
        AUTO_MACHINE *read = machine_from_row(row, "/srv/shop");
        cr_expect_str_eq(read->key, keys[i][1]);
        AUTO_JSON *again = machine_to_row(read, "/srv/shop");
        cr_expect_str_eq(json_get_string(again, "key", ""), keys[i][0]);
    }
    AUTO_MACHINE *astray = machine_new();
    astray->directory = xstrdup("../other");
    AUTO_JSON *row = machine_to_row(astray, "/srv/shop");
    AUTO_MACHINE *read = machine_from_row(row, "/srv/shop");
    cr_expect(text_starts(read->directory, "/dev/null/"), "%s", read->directory);
}

static void say_id(const char *project, const char *id)
{
    AUTO_FREE char *path = file_join(project, "triphase.yml"),
                   *text = xasprintf("project: demo\nid: %s\n", id);
    cr_assert_eq(file_replace(path, text, strlen(text), 0600, NULL), 0);
}

Test(identity,
     clones_that_say_the_same_id_are_one_project_and_one_that_has_another_is_told_which_to_put_where)
{
    static const char said[] = "01890000-0000-7000-8000-00000000aaaa";
    AUTO_FREE char *one = project_at("one"), *two = project_at("two"), *three = project_at("three");
    say_id(one, said);
    say_id(two, said);
    AUTO_FREE char *before = identity_id(two);
    AUTO_FREE char *first = claimed(one, NULL), *second = claimed(two, NULL), *own = claimed(three, NULL);
    cr_expect_str_eq(before ? before : "", said, "what bears it is its own before it acted at all");
    cr_expect_str_eq(first, said);
    cr_expect_str_eq(second, said);
    cr_expect_str_neq(own, said);

    say_id(three, said);
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *from = NULL, *put = xasprintf("put 'id: %s' into triphase.yml", own);
    cr_expect_eq(identity_claim(three, &from, &err), -1);
    cr_expect_eq(err.kind, ERROR_PROJECT);
    cr_expect(strstr(error_text(&err), put), "%s", error_text(&err));
    AUTO_FREE char *kept = identity_id(three);
    cr_expect_str_eq(kept, own);
    say_id(three, own);
    AUTO_FREE char *agreed = claimed(three, NULL);
    cr_expect_str_eq(agreed, own);
}

Test(identity, a_copy_of_a_clone_that_believes_in_nothing_keeps_the_id_that_both_say)
{
    static const char said[] = "01890000-0000-7000-8000-00000000aaaa";
    AUTO_FREE char *project = project_at("one"), *other = folder_path("two");
    say_id(project, said);
    AUTO_FREE char *id = claimed(project, NULL);
    copy(project, other);
    expect_copy(other, project);
    run_sql(other, "UPDATE machine SET removed_ns = 2");
    AUTO_FREE char *same = claimed(other, NULL);
    cr_expect_str_eq(same, id);
}
