/* Diagnoses in the store: kept, found again, merged, pruned. */
#include "store/diagnoses.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "store/maintain.h"
#include "store/store.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <unistd.h>

#define ID(n) "0190a000-0000-7000-8000-00000000000" #n

struct place {
    char *directory, *path;
    struct sql *db;
};

static struct place place_make(void)
{
    AUTO_ERROR err = ERROR_INIT;
    char name[] = "/tmp/triphase-diagnoses.XXXXXX";
    cr_assert(ne(ptr, mkdtemp(name), NULL));
    struct place place = {.directory = xstrdup(name), .path = file_join(name, "store.db")};
    cr_assert(eq(int, store_prepare(place.path, &err), 0), "%s", error_text(&err));
    cr_assert(eq(int, sql_open(place.path, SQL_WRITE, 1000, &place.db, &err), 0));
    return place;
}

static void place_remove(struct place *place)
{
    sql_close(place->db);
    file_remove_tree(place->directory, NULL);
    free(place->directory);
    free(place->path);
}

static void keep(struct place *place, const char *id, bool ends)
{
    static const char cell[] = "{\"transport\":\"direct\",\"client\":\"libssh\",\"work\":\"bulk-down\","
                               "\"parameters\":{\"bytes\":8000000},\"ok\":false,\"ended\":\"stalled\","
                               "\"duration_ns\":5000,\"last_good_ns\":400,\"bytes\":77,\"stalls\":1}",
                      said[] =
                          "{\"variable\":\"volume\",\"findings\":[{\"variable\":\"volume\",\"sure\":\"sure\","
                          "\"transport\":\"direct\"}]}";
    AUTO_ERROR err = ERROR_INIT;
    AUTO_JSON *taken = json_parse(cell, strlen(cell), &err),
              *concluded = json_parse(said, strlen(said), &err), *seen = json_new_object();
    cr_assert(eq(int, diagnoses_begin(place->db, id, "vault", "usual", "here", &err), 0), "%s",
              error_text(&err));
    cr_assert(eq(int, diagnoses_put_cell(place->db, id, 1, taken, &err), 0), "%s", error_text(&err));
    if (ends)
        cr_assert(eq(int, diagnoses_end(place->db, id, concluded, seen, &err), 0), "%s", error_text(&err));
}

static struct json *find(struct place *place, const char *name)
{
    AUTO_ERROR err = ERROR_INIT;
    struct json *found = NULL;
    cr_assert(eq(int, diagnoses_load(place->db, name, "vault", &found, &err), 0), "%s", error_text(&err));
    return found;
}

Test(diagnoses, are_found_again_with_their_cells_by_id_and_by_age)
{
    struct place place = place_make();
    keep(&place, ID(1), true);
    keep(&place, ID(2), true);
    AUTO_JSON *last = find(&place, "last"), *previous = find(&place, "previous"),
              *tail = find(&place, "00000001"), *none = find(&place, "00000009");
    cr_expect(eq(str, (char *)json_get_string(last, "id", ""), ID(2)));
    cr_expect(eq(str, (char *)json_get_string(previous, "id", ""), ID(1)));
    cr_expect(eq(str, (char *)json_get_string(tail, "id", ""), ID(1)));
    cr_expect(eq(ptr, none, NULL));
    const struct json *cell = json_at(json_get(last, "cells"), 0);
    cr_expect(eq(str, (char *)json_get_string(cell, "ended", ""), "stalled"));
    cr_expect(eq(i64, json_get_integer(json_get(cell, "parameters"), "bytes", 0), 8000000));
    cr_expect(eq(str, (char *)json_get_string(json_get(last, "conclusion"), "variable", ""), "volume"));
    place_remove(&place);
}

Test(diagnoses, one_that_broke_off_is_known_as_such_and_never_the_last)
{
    struct place place = place_make();
    AUTO_JSON *open = NULL, *old = NULL;
    keep(&place, ID(1), true);
    keep(&place, ID(2), false);
    AUTO_JSON *last = find(&place, "last");
    cr_expect(eq(str, (char *)json_get_string(last, "id", ""), ID(1)));
    cr_assert(eq(
        int, diagnoses_unfinished(place.db, "vault", ID(3), moment_wall() - 60 * NS_PER_S, &open, NULL), 0));
    cr_expect(eq(str, (char *)json_get_string(open, "id", ""), ID(2)));
    cr_assert(eq(
        int, diagnoses_unfinished(place.db, "vault", ID(3), moment_wall() + 60 * NS_PER_S, &old, NULL), 0));
    cr_expect(eq(ptr, old, NULL));
    cr_assert(eq(int, diagnoses_unfinished(place.db, "vault", ID(2), 0, &old, NULL), 0));
    cr_expect(eq(ptr, old, NULL), "the one that goes on now is none that broke off");
    place_remove(&place);
}

Test(diagnoses, today_is_set_against_one_that_is_a_week_older_else_the_oldest)
{
    struct place place = place_make();
    AUTO_JSON *week = NULL, *oldest = NULL;
    AUTO_ERROR err = ERROR_INIT;
    for (int i = 1; i <= 4; i++) {
        AUTO_FREE char *id = xasprintf("0190a000-0000-7000-8000-00000000000%d", i);
        AUTO_FREE char *age = xasprintf("UPDATE diagnosis SET started_ns = %d WHERE id = '%s'", i * 100, id);
        keep(&place, id, true);
        cr_assert(eq(int, sql_run(place.db, age, &err), 0), "%s", error_text(&err));
    }
    cr_assert(eq(int, diagnoses_earlier(place.db, "vault", 250, &week, &err), 0), "%s", error_text(&err));
    cr_expect(eq(str, (char *)json_get_string(week, "id", ""), ID(2)));
    cr_assert(eq(int, diagnoses_earlier(place.db, "vault", 50, &oldest, &err), 0), "%s", error_text(&err));
    cr_expect(eq(str, (char *)json_get_string(oldest, "id", ""), ID(1)));
    place_remove(&place);
}

Test(diagnoses, come_along_with_a_merge_whole_and_once_and_unfinished_ones_do_not)
{
    struct place from = place_make(), to = place_make();
    AUTO_ERROR err = ERROR_INIT;
    struct store_merged merged;
    int64_t rows, cells;
    keep(&from, ID(1), true);
    keep(&from, ID(2), false);
    keep(&to, ID(3), true);
    for (int i = 0; i < 2; i++)
        cr_assert(eq(int, store_merge(to.path, from.path, &merged, &err), 0), "%s", error_text(&err));
    cr_assert(eq(int, sql_query_integer(to.db, "SELECT count(*) FROM diagnosis", 0, &rows, &err), 0));
    cr_assert(eq(int, sql_query_integer(to.db, "SELECT count(*) FROM diagnosed_cell", 0, &cells, &err), 0));
    cr_expect(eq(i64, rows, 2));
    cr_expect(eq(i64, cells, 2));
    place_remove(&from);
    place_remove(&to);
}

Test(diagnoses, old_ones_are_pruned_but_for_the_last_twenty_of_a_target)
{
    struct place place = place_make();
    AUTO_ERROR err = ERROR_INIT;
    struct store_pruned pruned;
    int64_t rows, cells;
    for (int i = 10; i < 35; i++) {
        AUTO_FREE char *id = xasprintf("0190a000-0000-7000-8000-0000000000%d", i);
        keep(&place, id, true);
    }
    cr_assert(eq(int, sql_run(place.db, "UPDATE diagnosis SET started_ns = 5", &err), 0));
    cr_assert(eq(int, store_prune(place.path, place.directory, 1000, &pruned, &err), 0), "%s",
              error_text(&err));
    cr_assert(eq(int, sql_query_integer(place.db, "SELECT count(*) FROM diagnosis", 0, &rows, &err), 0));
    cr_assert(
        eq(int, sql_query_integer(place.db, "SELECT count(*) FROM diagnosis_cell", 0, &cells, &err), 0));
    cr_expect(eq(i64, rows, 20));
    cr_expect(eq(i64, cells, 20));
    place_remove(&place);
}

/* With `keep` at nothing, and twenty that began later. */
Test(diagnoses, one_that_goes_on_is_never_pruned_and_one_that_broke_off_long_ago_is)
{
    struct place place = place_make();
    AUTO_ERROR err = ERROR_INIT;
    struct store_pruned pruned;
    int64_t rows, now = moment_wall();
    for (int i = 10; i < 32; i++) {
        AUTO_FREE char *id = xasprintf("0190a000-0000-7000-8000-0000000000%d", i);
        keep(&place, id, i >= 12);
    }
    AUTO_FREE char *going = xasprintf("UPDATE diagnosis SET started_ns = %lld WHERE id LIKE '%%11'",
                                      (long long)(now - 1800 * NS_PER_S));
    cr_assert(eq(int, sql_run(place.db, "UPDATE diagnosis SET started_ns = 5 WHERE id LIKE '%10'", &err), 0));
    cr_assert(eq(int, sql_run(place.db, going, &err), 0));

    cr_assert(eq(int, store_prune(place.path, place.directory, now, &pruned, &err), 0), "%s",
              error_text(&err));

    cr_assert(
        eq(int,
           sql_query_integer(place.db, "SELECT count(*) FROM diagnosis WHERE id LIKE '%11'", 0, &rows, &err),
           0));
    cr_expect(eq(i64, rows, 1), "the one that goes on");
    cr_assert(
        eq(int,
           sql_query_integer(place.db, "SELECT count(*) FROM diagnosis WHERE id LIKE '%10'", 0, &rows, &err),
           0));
    cr_expect(eq(i64, rows, 0), "the one that broke off");
    place_remove(&place);
}
