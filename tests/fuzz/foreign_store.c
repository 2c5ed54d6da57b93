/* A store from elsewhere: the bytes are the database file. It is checked, read as every report reads it,
 * merged into a sound store, and pruned as if it were the project's own. Half of the mutations go through
 * SQLite itself, so that hostile values and tables reach what comes behind a sound file. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/words.h"
#include "figures/account.h"
#include "fuzz/hold.h"
#include "report/explain.h"
#include "report/format.h"
#include "report/json.h"
#include "report/text.h"
#include "store/maintain.h"
#include "store/store.h"
#include "view/events.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUNS = 20 };

static const char foreign[] = "foreign.db", own[] = "own.db", sound[] = "sound.db";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t room, unsigned seed);

static void write_file(const char *path, const void *bytes, size_t size)
{
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    hold(fd >= 0 && file_write_all(fd, bytes, size) == 0, "the fuzzer can write");
}

static void remove_database(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        AUTO_FREE char *name = xasprintf("%s%s", path, endings[i]);
        unlink(name);
    }
}

/* A fresh copy of a store that is made once. */
static void make_own(void)
{
    static struct text bytes;
    AUTO_ERROR err = ERROR_INIT;
    if (!bytes.length) {
        remove_database(sound);
        hold(store_prepare(sound, &err) == 0, error_text(&err));
        hold(file_read(sound, 16 << 20, &bytes, &err) == 0, error_text(&err));
    }
    remove_database(own);
    write_file(own, bytes.bytes, bytes.length);
}

/* Says where it is not. */
static void hold_printable(const struct text *out, const char *what)
{
    for (size_t i = 0; i < out->length; i++)
        if ((unsigned char)out->bytes[i] < 0x20 && out->bytes[i] != '\n') {
            size_t from = i > 60 ? i - 60 : 0;
            fprintf(stderr, "byte 0x%02x behind '%.*s'\n", (unsigned char)out->bytes[i], (int)(i - from),
                    out->bytes + from);
            hold(false, what);
        }
    hold(text_is_utf8(text_string(out), out->length), what);
}

static void report(const struct account *accounts, size_t count)
{
    static const struct table_look plain = {.width = 100, .utf8 = true}, narrow = {.width = 20},
                                   as_markdown = {.utf8 = true, .markdown = true};
    AUTO_TEXT one = TEXT_INIT, several = TEXT_INIT, markdown = TEXT_INIT, csv = TEXT_INIT;
    report_run(accounts, &plain, &one);
    report_run(accounts, &narrow, &one);
    report_run(accounts, &as_markdown, &markdown);
    report_runs(accounts, count, &plain, &several);
    report_runs(accounts, count, &as_markdown, &markdown);
    report_format_named("csv")->runs(&(struct report_runs){accounts, count, true, "."}, &plain, &csv);
    AUTO_JSON *json = report_json_run(accounts, "."), *all = report_json_runs(accounts, count, ".");
    AUTO_JSON *why = explain_json(accounts);
    AUTO_FREE char *json_text = json_pretty(json), *all_text = json_pretty(all), *why_text = json_pretty(why);
    AUTO_TEXT explained = TEXT_INIT;
    explain_view(accounts, &plain, &explained);
    explain_view(accounts, &narrow, &explained);
    events_add_verdict(accounts->run, NULL, &plain, &explained);
    for (size_t i = 0; i < accounts->step_count; i++)
        events_add_verdict(NULL, &accounts->steps[i], &plain, &explained);
    hold_printable(&explained, "why is printable");
    hold(text_is_utf8(why_text, strlen(why_text)), "why as JSON is UTF-8");
    hold_printable(&one, "a report is printable");
    hold_printable(&several, "a report of several runs is printable");
    hold_printable(&markdown, "a Markdown report is printable");
    hold(text_is_utf8(json_text, strlen(json_text)) && text_is_utf8(all_text, strlen(all_text)),
         "JSON is UTF-8");
}

static void report_by(struct sql *db, const struct words *ids, enum history_by by)
{
    static const struct table_look plain = {.width = 100, .utf8 = true};
    struct history_sums sums;
    AUTO_TEXT out = TEXT_INIT;
    if (history_sums(db, words_argv(ids), by, 0, &sums, NULL) < 0)
        return;
    report_sums(&sums, by, &plain, &out);
    hold_printable(&out, "sums are printable");
    report_format_named("csv")->sums(&sums, by, &plain, &out);
    json_free(report_json_sums(&sums, by));
    history_sums_clear(&sums);
}

static void show_events(struct sql *db, const char *run)
{
    static const struct table_look plain = {.width = 100, .utf8 = true};
    struct history_event *events;
    size_t count;
    AUTO_TEXT lines = TEXT_INIT, json = TEXT_INIT;
    if (history_events(db, run, 0, &events, &count, NULL) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        events_add_line(&events[i], &plain, &lines);
        events_add_json(&events[i], run, &json);
    }
    hold_printable(&lines, "events are printable");
    hold_printable(&json, "events as JSON are printable");
    history_events_free(events, count);
}

static void read_runs(struct sql *db)
{
    struct history_run **runs = NULL;
    struct account accounts[RUNS];
    size_t count = 0;
    AUTO_WORDS ids = WORDS_INIT;
    if (history_last_runs(db, NULL, RUNS, &runs, NULL) < 0)
        return;
    for (size_t i = 0; runs[i]; i++)
        words_add(&ids, runs[i]->id);
    for (size_t i = 0; i < ids.count; i++) {
        struct history_run *run = runs[i];
        runs[i] = NULL;
        show_events(db, ids.items[i]);
        count += account_load(db, ".", run, &accounts[count], NULL) == 0;
    }
    free(runs);
    if (count)
        report(accounts, count);
    for (size_t i = 0; i < count; i++)
        account_clear(&accounts[i]);
    report_by(db, &ids, HISTORY_BY_ROLE);
    report_by(db, &ids, HISTORY_BY_TASK);
}

static void read_targets(struct sql *db)
{
    AUTO_WORDS targets = WORDS_INIT;
    if (history_targets(db, &targets, NULL) < 0)
        return;
    for (size_t i = 0; i < targets.count && i < RUNS; i++) {
        AUTO_MACHINE *machine = NULL;
        struct history_run **open = NULL;
        if (history_machine(db, targets.items[i], &machine, NULL) == 0 && machine)
            json_free(machine_to_json(machine));
        if (history_open_runs(db, targets.items[i], &open, NULL) == 0)
            history_runs_free(open);
    }
}

static void read_all(void)
{
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    if (history_open(foreign, &db, &err) < 0) {
        hold(*error_text(&err) && text_is_utf8(error_text(&err), strlen(error_text(&err))),
             "a refusal says why");
        return;
    }
    read_runs(db);
    read_targets(db);
}

static void check(const char *path, bool must_be_sound)
{
    AUTO_WORDS findings = WORDS_INIT;
    AUTO_FREE char *summary = NULL;
    AUTO_ERROR err = ERROR_INIT;
    int result = store_check(path, &findings, &summary, &err);
    if (must_be_sound)
        hold(result == 0 && !findings.count, findings.count ? findings.items[0] : error_text(&err));
}

static void merge(void)
{
    static bool fresh;
    struct store_merged merged;
    AUTO_ERROR err = ERROR_INIT;
    if (!fresh)
        make_own();
    fresh = true;
    if (store_merge(own, foreign, &merged, &err) < 0) {
        hold(*error_text(&err) != '\0', "a refusal says why");
        return;
    }
    /* What was taken over is as sound as if it had been written here. */
    check(own, true);
    fresh = false;
}

static void prune(void)
{
    struct store_pruned pruned;
    store_prune(foreign, ".", moment_wall(), &pruned, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    mkdir("runs", 0700);
    remove_database(foreign);
    write_file(foreign, bytes, size);
    check(foreign, false);
    read_all();
    merge();
    prune();
    return 0;
}

/* ---- mutations ---- */

static const char *const hostile_values[] = {"NULL",
                                             "-1",
                                             "0",
                                             "1",
                                             "9223372036854775807",
                                             "-9223372036854775808",
                                             "4100000000000000000",
                                             "2147483648",
                                             "''",
                                             "char(27, 91, 51, 49, 109)",
                                             "char(10, 13, 9, 8)",
                                             "CAST(x'ff80c3' AS TEXT)",
                                             "x'00ff'",
                                             "1e308",
                                             "char(8238, 173, 8203, 65279)",
                                             "replace(hex(zeroblob(2000)), '00', 'x')",
                                             "'../../../etc'",
                                             "'runs/../../x'",
                                             "'{\"a\":[1,'",
                                             "'{}'",
                                             "'[{\"host\":1}]'",
                                             "'ok'",
                                             "'crashed'",
                                             "'phase'",
                                             "'unreachable'",
                                             "'direct'",
                                             "'=cmd|x'",
                                             "'a|b'",
                                             "'<b>'",
                                             "'01890a5d-ac96-774b-bcce-b302099a8057'",
                                             "NULL",
                                             "abs(random())",
                                             "random()"};

static const char *const hostile_schemas[] = {
    "UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = '%w'",
    "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = '%w'",
    "UPDATE sqlite_schema SET sql = replace(sql, 'INTEGER', 'TEXT') WHERE name = '%w'",
    "DELETE FROM sqlite_schema WHERE name = '%w'",
    "UPDATE sqlite_schema SET rootpage = rootpage + 1 WHERE name = '%w'",
    "DROP TABLE \"%w\"; CREATE VIEW \"%w\" AS SELECT 1",
    "CREATE TRIGGER t_%w AFTER DELETE ON \"%w\" BEGIN DELETE FROM name; END",
};

/* A word of the schema, chosen by chance; "" when it cannot be read. sqlite3_free. */
static char *pick(sqlite3 *db, const char *query)
{
    char *out = NULL;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, query, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        out = sqlite3_mprintf("%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return out ? out : sqlite3_mprintf("");
}

static void change(sqlite3 *db, unsigned seed)
{
    char *table = pick(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' "
                           "ORDER BY random() LIMIT 1");
    char *columns =
        sqlite3_mprintf("SELECT name FROM pragma_table_info('%q') ORDER BY random() LIMIT 1", table);
    char *column = pick(db, columns), *statement;
    if (seed % 8 == 0)
        statement = sqlite3_mprintf(hostile_schemas[seed / 8 % COUNT_OF(hostile_schemas)], table, table);
    else if (seed % 8 == 1)
        statement = sqlite3_mprintf("DELETE FROM \"%w\" WHERE random() %% 2", table);
    else
        statement = sqlite3_mprintf("UPDATE OR IGNORE \"%w\" SET \"%w\" = %s WHERE random() %% 2", table,
                                    column, hostile_values[seed / 8 % COUNT_OF(hostile_values)]);
    sqlite3_exec(db, statement, NULL, NULL, NULL);
    sqlite3_free(statement);
    sqlite3_free(column);
    sqlite3_free(columns);
    sqlite3_free(table);
}

static int stop_soon(void *context)
{
    (void)context;
    return 1;
}

static size_t mutate_values(uint8_t *bytes, size_t size, size_t room, unsigned seed)
{
    sqlite3 *db = NULL;
    unsigned char *copy = sqlite3_malloc64(size ? size : 1), *image = NULL;
    sqlite3_int64 length = 0;
    size_t result = 0;
    memcpy(copy, bytes, size);
    if (sqlite3_open(":memory:", &db) == SQLITE_OK &&
        sqlite3_deserialize(db, "main", copy, (sqlite3_int64)size, (sqlite3_int64)size,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK) {
        sqlite3_progress_handler(db, 100000, stop_soon, NULL);
        sqlite3_exec(db, "PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON", NULL, NULL,
                     NULL);
        for (unsigned i = 0; i < 1 + seed % 3; i++)
            change(db, seed / 3 + i * 7919);
        image = sqlite3_serialize(db, "main", &length, 0);
    }
    if (image && length > 0 && (size_t)length <= room) {
        memcpy(bytes, image, (size_t)length);
        result = (size_t)length;
    }
    sqlite3_free(image);
    sqlite3_close(db);
    return result;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t room, unsigned seed)
{
    size_t made = seed % 2 ? mutate_values(bytes, size, room, seed / 2) : 0;
    return made ? made : LLVMFuzzerMutate(bytes, size, room);
}
