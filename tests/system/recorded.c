/* What is shown of a store does not change by itself: a store of an older version, with what was shown of it
 * then, byte by byte. tests/cases/recorded has the store, the commands, and what each printed. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/sql.h"
#include "lab/lab.h"
#include "store/store.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define CASES "tests/cases/recorded/"

enum { MOST = 1 << 20 };

TestSuite(recorded, .timeout = 120);

static char *read_whole(const char *path)
{
    AUTO_TEXT content = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_read(path, MOST, &content, &err), 0, "%s", error_text(&err));
    return xstrdup(text_string(&content));
}

/* Names of the folder that the lab made are those of the record. */
static char *without(const char *text, const char *folder)
{
    AUTO_TEXT out = TEXT_INIT;
    for (const char *at; (at = strstr(text, folder)); text = at + strlen(folder)) {
        text_add_bytes(&out, text, (size_t)(at - text));
        text_add(&out, "@PROJECT@");
    }
    text_add(&out, text);
    return xstrdup(text_string(&out));
}

static struct lab *lab_with_the_store(void)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *statements = read_whole(CASES "store.sql");
    AUTO_FREE char *state = file_join(lab_folder(lab), ".triphase"), *store = file_join(state, "store.db");
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SQL *db = NULL;
    cr_assert_eq(file_make_dirs(state, 0700, &err), 0);
    cr_assert(sql_open(store, SQL_CREATE, 1000, &db, &err) == 0 && sql_run(db, statements, &err) == 0, "%s",
              error_text(&err));
    sql_close(TAKE(db));
    cr_assert_eq(store_prepare(store, &err), 0, "%s", error_text(&err));
    lab_write(lab, "triphase.yml", "project: recorded\ntargets:\n  box:\n    recipe: work\n");
    lab_write(lab, "phases/work.yml", "phases:\n  - name: install\n    playbook: install.yml\n");
    lab_write(lab, "install.yml", "- hosts: all\n");
    lab_environment(lab, "TZ", "UTC");
    lab_environment(lab, "COLUMNS", "120");
    lab_environment(lab, "LANG", "C.UTF-8");
    return lab;
}

static struct lab_result run_line(struct lab *lab, char *line)
{
    const char *words[8] = {NULL};
    char *state = NULL;
    size_t count = 0;
    for (char *word = strtok_r(line, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        cr_assert_lt(count, 7);
        words[count++] = word;
    }
    return lab_run(lab, words[0], words[1], words[2], words[3], words[4], words[5], words[6], NULL);
}

Test(recorded, reports_and_events_of_an_older_store_are_byte_for_byte_what_they_were)
{
    struct lab *lab = lab_with_the_store();
    AUTO_FREE char *commands = read_whole(CASES "commands");
    char *state = NULL;
    for (char *line = strtok_r(commands, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        AUTO_FREE char *name = xstrdup(line), *shown = xstrdup(line);
        for (char *c = name; *c; c++)
            *c = *c == ' ' ? '_' : *c;
        AUTO_FREE char *path = xasprintf(CASES "%s.out", name);
        struct lab_result result = run_line(lab, line);
        AUTO_FREE char *out = without(result.out, lab_folder(lab));
        if (getenv("RECORD")) {
            cr_assert_eq(file_replace(path, out, strlen(out), 0644, NULL), 0);
            continue;
        }
        AUTO_FREE char *recorded = read_whole(path);
        cr_expect_eq(result.code, 0, "%s: %s", shown, result.err);
        cr_expect(text_is(out, recorded), "'%s' shows\n%s\nand not\n%s", shown, out, recorded);
    }
}

/* The only row's text, to be freed. */
static char *asked(struct sql *db, const char *statement)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_STATEMENT *rows = NULL;
    cr_assert(sql_prepare(db, statement, &rows, &err) == 0 && sql_step(rows, &err) == 1, "%s: %s", statement,
              error_text(&err));
    return xstrdup_or_null(sql_text(rows, 0));
}

Test(recorded, views_of_an_older_store_have_the_columns_and_rows_that_they_had)
{
    static const char *const views[] = {"phase_timing", "unreachable", "slowest_task", "role_timing",
                                        "health_window"};
    struct lab *lab = lab_with_the_store();
    AUTO_FREE char *store = file_join(lab_folder(lab), ".triphase/store.db"),
                   *recorded = read_whole(CASES "views.out");
    AUTO_ERROR err = ERROR_INIT;
    AUTO_SQL *db = NULL;
    AUTO_TEXT out = TEXT_INIT;

    cr_assert_eq(sql_open(store, SQL_READ, 1000, &db, &err), 0, "%s", error_text(&err));
    for (size_t i = 0; i < COUNT_OF(views); i++) {
        AUTO_FREE char *ask_names =
            xasprintf("SELECT group_concat(name) FROM pragma_table_info('%s')", views[i]);
        AUTO_FREE char *names = asked(db, ask_names);
        AUTO_FREE char *ask_rows =
            xasprintf("SELECT group_concat(json_array(%s), char(10)) FROM %s", names, views[i]);
        AUTO_FREE char *rows = asked(db, ask_rows);
        text_addf(&out, "%s %s\n%s%s", views[i], names, rows ? rows : "", rows ? "\n" : "");
    }

    cr_expect(text_is(text_string(&out), recorded), "the views have\n%s", text_string(&out));
}
