/* Reports: the shape that programs rely on, and a table that fits where it is shown. */
#include "report/format.h"
#include "report/text.h"

#include "base/memory.h"
#include "base/moment.h"
#include "report/json.h"
#include "unit/hostile.h"
#include "unit/record.h"
#include "view/events.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <string.h>

static void use_utf8(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
}

TestSuite(report, .init = use_utf8, .fini = hostile_clean);

static const char id[] = "01890000-0000-7000-8000-0123456789ab";
static const struct table_look terminal = {.width = 80, .utf8 = true},
                               as_markdown = {.utf8 = true, .markdown = true};

/* A run with a stage, a phase that became unreachable over a long transport name, and its second attempt. */
static struct account make(struct record *record)
{
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 1700000000 * NS_PER_S);
    record_put(record, &event);
    for (int seq = 1; seq <= 3; seq++) {
        event = rows_step(EVENT_STEP_BEGIN, id, seq);
        event.of_step.kind = seq == 1 ? "stage" : "phase";
        event.of_step.name = seq == 1 ? "provision" : "install";
        event.of_step.attempt = seq == 3 ? 2 : 1;
        event.of_step.transport = seq == 1 ? NULL : "tailnet-userspace";
        record_put(record, &event);
        event.kind = EVENT_STEP_END;
        event.of_step.duration_ns = seq * NS_PER_S / 2;
        event.of_step.outcome = seq == 2 ? OUTCOME_UNREACHABLE : OUTCOME_OK;
        event.of_step.message = seq == 2 ? "lost \033[2J the host" : NULL;
        record_put(record, &event);
    }
    event = (struct event){.kind = EVENT_UNREACHABLE,
                           .run = id,
                           .step = 2,
                           .unreachable = {.host = "vault",
                                           .task = "T",
                                           .cause = "keepalive-timeout",
                                           .cause_source = "master-log",
                                           .message = "gone",
                                           .transport = "tailnet-userspace",
                                           .at_ns = 1700000001 * NS_PER_S}};
    record_put(record, &event);
    event = rows_run(EVENT_RUN_END, id, 1700000000 * NS_PER_S);
    event.of_run.duration_ns = 4 * NS_PER_S;
    record_put(record, &event);
    AUTO_ERROR err = ERROR_INIT;
    struct history_run *run;
    struct account account;
    cr_assert_eq(history_run(record->db, id, NULL, &run, &err), 0, "%s", error_text(&err));
    cr_assert_eq(account_load(record->db, record->state, run, &account, &err), 0, "%s", error_text(&err));
    return account;
}

static void expect_keys(const struct json *object, const char *wanted)
{
    AUTO_TEXT keys = TEXT_INIT;
    const char *key;
    struct json *value;
    for (void *at = NULL; json_each(object, &at, &key, &value);)
        text_addf(&keys, "%s%s", keys.length ? " " : "", key);
    cr_expect(text_starts(text_string(&keys), wanted), "%s\n  where it should begin with\n%s",
              text_string(&keys), wanted);
}

Test(report, json_of_one_run_has_the_documented_members)
{
    struct record record = record_start();
    struct account account = make(&record);
    AUTO_JSON *json = report_json_run(&account, "/p/.triphase");
    expect_keys(json, "version run steps unreachable total");
    const struct json *run = json_get(json, "run"), *step = json_at(json_get(json, "steps"), 1),
                      *lost = json_at(json_get(json, "unreachable"), 0);
    expect_keys(run, "id kind target provider outcome exit partial fresh started duration_ms ansible");
    expect_keys(step, "seq kind name attempt transport outcome started duration_ms ok changed failed"
                      " skipped unreachable ignored rescued scope survivors log events accelerated"
                      " accelerated_why");
    expect_keys(json_get(step, "survivors"), "here host host_evidence");
    expect_keys(lost, "at step host task cause cause_source message ignored transport");
    expect_keys(json_get(json, "total"), "duration_ms phases_ms stages_ms");
    cr_expect_eq(json_get_integer(json, "version", 0), 1);
    cr_expect_eq(json_get_integer(run, "exit", -1), 0);
    cr_expect_str_eq(json_get_string(run, "started", ""), "2023-11-14T22:13:20.000000000Z");
    cr_expect_float_eq(json_real(json_get(run, "duration_ms"), 0), 4000, 1e-9);
    cr_expect_float_eq(json_real(json_get(json_get(json, "total"), "phases_ms"), 0), 2500, 1e-9);
    cr_expect_float_eq(json_real(json_get(json_get(json, "total"), "stages_ms"), 0), 500, 1e-9);
    cr_expect_str_eq(json_get_string(step, "log", ""), "/p/.triphase/runs/r/01-install.1.log");
    cr_expect_null(json_string(json_get(json_get(step, "survivors"), "host"), NULL));
    cr_expect_str_eq(json_get_string(json_get(step, "survivors"), "host_evidence", ""), "nobody looked");
    cr_expect_str_eq(json_get_string(lost, "cause", ""), "keepalive-timeout");
    cr_expect_eq(json_get_integer(lost, "step", 0), 2);
    account_clear(&account);
    record_end(&record);
}

Test(report, a_run_that_did_not_end_has_neither_exit_nor_duration)
{
    struct record record = record_start();
    struct event event = rows_run(EVENT_RUN_BEGIN, id, 1700000000 * NS_PER_S);
    record_put(&record, &event);
    struct history_run *run;
    struct account account;
    cr_assert_eq(history_run(record.db, id, NULL, &run, NULL), 0);
    cr_assert_eq(account_load(record.db, record.state, run, &account, NULL), 0);
    AUTO_JSON *json = report_json_run(&account, "/p");
    AUTO_FREE char *text = json_compact(json);
    cr_expect(strstr(text, "\"outcome\":\"crashed\",\"exit\":null,") &&
                  strstr(text, "\"duration_ms\":null,\"ansible\""),
              "%s", text);
    account_clear(&account);
    record_end(&record);
}

Test(report, json_of_several_runs_and_of_sums_has_the_documented_members)
{
    struct record record = record_start();
    struct account account = make(&record);
    AUTO_JSON *json = report_json_runs(&account, 1, "/p");
    expect_keys(json, "version runs statistics");
    expect_keys(json_at(json_get(json, "runs"), 0), "run steps unreachable total");
    expect_keys(json_at(json_get(json, "statistics"), 0),
                "target recipe step transport fresh ansible accelerated n min_ms median_ms p95_ms max_ms");
    cr_expect_eq(json_count(json_get(json, "statistics")), 2, "the unreachable attempt is in no statistic");
    struct history_sum sum = {.name = (char *)"r",
                              .host = (char *)"h",
                              .n = 2,
                              .sum_ns = 1500000,
                              .max_ns = 1000000,
                              .status = "skipped",
                              .started_ns = 1700000000 * NS_PER_S,
                              .wall_ns = 2500000};
    AUTO_JSON *sums = report_json_sums(&(struct history_sums){.rows = &sum, .count = 1}, HISTORY_BY_ROLE);
    AUTO_FREE char *text = json_compact(sums);
    cr_expect_str_eq(text, "{\"version\":1,\"by\":\"role\",\"rows\":[{\"name\":\"r\",\"host\":\"h\",\"n\":2,"
                           "\"ok\":0,\"changed\":0,\"failed\":0,"
                           "\"sum_ms\":1.5,\"max_ms\":1.0,\"status\":\"skipped\","
                           "\"started\":\"2023-11-14T22:13:20.000000000Z\",\"wall_ms\":2.5}]}");
    AUTO_TEXT csv = TEXT_INIT;
    report_format_named("csv")->sums(&(struct history_sums){.rows = &sum, .count = 1}, HISTORY_BY_ROLE,
                                     &terminal, &csv);
    cr_expect(text_starts(text_string(&csv),
                          "name,host,n,ok,changed,failed,sum_ms,max_ms,status,started,wall_ms\n"
                          "r,h,2,0,0,0,1.500000,1.000000,skipped,2023-11-14T22:13:20.000000000Z,2.500000\n"),
              "%s", text_string(&csv));
    account_clear(&account);
    record_end(&record);
}

static int widest(const char *text)
{
    int most = 0;
    for (const char *end; *text; text = *end ? end + 1 : end) {
        end = strchr(text, '\n') ? strchr(text, '\n') : text + strlen(text);
        AUTO_FREE char *line = xstrndup(text, (size_t)(end - text));
        int cells = table_cells(line);
        most = cells > most ? cells : most;
    }
    return most;
}

Test(report, the_table_fits_its_terminal_and_says_what_happened)
{
    struct record record = record_start();
    struct account account = make(&record);
    for (int width = 70; width <= 200; width += 10) {
        struct table_look look = {.width = width, .utf8 = true};
        AUTO_TEXT out = TEXT_INIT;
        report_run(&account, &look, &out);
        /* Messages are left for the terminal to wrap, the table is not. */
        if (width < 100 && strstr(text_string(&out), "\nphases"))
            text_truncate(&out, (size_t)(strstr(out.bytes, "\nphases") - out.bytes));
        cr_expect_leq(widest(text_string(&out)), width, "%s", text_string(&out));
    }
    AUTO_TEXT out = TEXT_INIT;
    report_run(&account, &terminal, &out);
    const char *const said[] = {"vault  create 456789ab  sandbox  ok in 4.00s",
                                "provision",
                                "unreachable",
                                "UNREACHABLE 1",
                                "keepalive-timeout (master-log)",
                                "gone",
                                "log: .triphase/runs/r/01-install.1.log",
                                "phases 2.50s   stages 0.50s   between 1.00s   total 4.00s",
                                "█"};
    for (size_t i = 0; i < COUNT_OF(said); i++)
        cr_expect(strstr(text_string(&out), said[i]), "'%s' is missing in\n%s", said[i], text_string(&out));
    account_clear(&account);
    record_end(&record);
}

Test(report, colour_and_utf8_come_only_where_asked_and_nothing_of_the_store_steers_the_terminal)
{
    struct record record = record_start();
    struct account account = make(&record);
    struct table_look ascii = {.width = 80}, colour = {.width = 80, .colour = true, .utf8 = true};
    AUTO_TEXT plain = TEXT_INIT, coloured = TEXT_INIT, markdown = TEXT_INIT, csv = TEXT_INIT;
    report_run(&account, &ascii, &plain);
    for (size_t i = 0; i < plain.length; i++)
        cr_assert((plain.bytes[i] >= 0x20 && plain.bytes[i] < 0x7f) || plain.bytes[i] == '\n',
                  "byte %d in\n%s", plain.bytes[i], plain.bytes);
    report_run(&account, &colour, &coloured);
    cr_expect(strstr(text_string(&coloured), "\033[1;31munreachable\033[0m"), "%s", text_string(&coloured));
    report_run(&account, &as_markdown, &markdown);
    report_format_named("csv")->runs(&(struct report_runs){&account, 1, false, "/p"}, &terminal, &csv);
    cr_expect_null(strstr(text_string(&coloured), "\033[2J"));
    cr_expect_null(strchr(text_string(&markdown), '\033'));
    cr_expect_null(strchr(text_string(&csv), '\033'));
    cr_expect(strstr(text_string(&plain), "lost \\x1b[2J the host"));
    account_clear(&account);
    record_end(&record);
}

/* Both phases were made faster with that, the first for this reason. */
static void accelerate(struct account *account, const char *kind, const char *why)
{
    for (size_t i = 1; i < account->step_count; i++) {
        struct history_step *step = &account->steps[i];
        free(step->accelerated);
        free(step->accelerated_why);
        step->accelerated = xstrdup_or_null(kind);
        step->accelerated_why = i == 1 ? xstrdup_or_null(why) : NULL;
    }
}

Test(report, what_made_phases_faster_is_told_where_it_is_not_as_usual)
{
    static const struct {
        const char *kind, *why, *text, *csv;
    } rows[] = {
        {NULL, NULL, NULL, ",0,,\n"},
        {"warm", NULL, NULL, ",0,warm,\n"},
        {"none", NULL, "\naccelerate: 2 phases none\n", ",0,none,\n"},
        {"mitogen", NULL, "\naccelerate: 2 phases mitogen\n", ",0,mitogen,\n"},
        {"warm", "no mitogen", "\naccelerate: 1 phase warm, less than was asked for (see report --explain)\n",
         ",0,warm,no mitogen\n"},
    };
    struct record record = record_start();
    struct account account = make(&record);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_TEXT text = TEXT_INIT, markdown = TEXT_INIT, csv = TEXT_INIT;
        accelerate(&account, rows[i].kind, rows[i].why);
        report_run(&account, &terminal, &text);
        report_run(&account, &as_markdown, &markdown);
        report_format_named("csv")->runs(&(struct report_runs){&account, 1, false, "/p"}, &terminal, &csv);
        const char *const forms[] = {text_string(&text), text_string(&markdown)};
        for (size_t k = 0; k < COUNT_OF(forms); k++)
            cr_expect(rows[i].text ? strstr(forms[k], rows[i].text) != NULL
                                   : !strstr(forms[k], "accelerate:"),
                      "row %zu: %s", i, forms[k]);
        cr_expect(strstr(text_string(&csv), "rescued,accelerated,accelerated_why\n") &&
                      strstr(text_string(&csv), rows[i].csv),
                  "row %zu: %s", i, text_string(&csv));
    }
    account_clear(&account);
    record_end(&record);
}

Test(report, csv_has_a_line_for_each_step_and_quotes_what_needs_it)
{
    static const struct table_column columns[] = {{.title = "a"},
                                                  {.title = "bar", .bar = true},
                                                  {.title = "b"}};
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    table_add(table, "x,\"y\"", TABLE_PLAIN);
    table_add_share(table, 0.5);
    table_add(table, NULL, TABLE_PLAIN);
    AUTO_TEXT out = TEXT_INIT;
    table_write_csv(table, &out);
    cr_expect_str_eq(text_string(&out), "a,b\n\"x,\"\"y\"\"\",\n");
    AUTO_TEXT markdown = TEXT_INIT;
    table_write(table, &as_markdown, &markdown);
    cr_expect_str_eq(text_string(&markdown), "| a | b |\n|---|---|\n| x,\"y\" |  |\n");
    struct record record = record_start();
    struct account account = make(&record);
    AUTO_TEXT csv = TEXT_INIT;
    report_format_named("csv")->runs(&(struct report_runs){&account, 1, false, "/p"}, &terminal, &csv);
    int lines = 0;
    for (const char *at = text_string(&csv); (at = strchr(at, '\n')); at++)
        lines++;
    cr_expect_eq(lines, 4);
    account_clear(&account);
    record_end(&record);
}

Test(report, wide_and_combining_characters_are_measured_as_they_are_shown)
{
    cr_expect_eq(table_cells("abc"), 3);
    cr_expect_eq(table_cells("a\xcc\x88"), 1, "a letter and a combining diaeresis");
    cr_expect_eq(table_cells("\xe6\xbc\xa2\xe5\xad\x97"), 4, "two wide characters");
    static const struct table_column columns[] = {{.title = "n", .shrinks = 4}, {.title = "x"}};
    AUTO_TABLE *table = table_new(columns, COUNT_OF(columns));
    table_add(table, "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2", TABLE_PLAIN);
    table_add(table, "1", TABLE_PLAIN);
    struct table_look look = {.width = 7, .utf8 = true};
    AUTO_TEXT out = TEXT_INIT;
    table_write(table, &look, &out);
    cr_expect_str_eq(text_string(&out), "n     x\n\xe6\xbc\xa2…   1\n");
}

Test(report, events_are_readable_and_their_json_is_one_line)
{
    struct history_event event = {
        .number = 7,
        .at_ns = 1700000000 * NS_PER_S,
        .step = 2,
        .step_name = (char *)"install",
        .kind = (char *)"watchdog",
        .detail =
            (char *)"{\"watchdog\":\"silence\",\"after_ms\":900,\"ignored\":false,\"bad\":\"\\u001b[2J\"}"};
    AUTO_TEXT line = TEXT_INIT, json = TEXT_INIT;
    events_add_line(&event, &terminal, &line);
    cr_expect(strstr(text_string(&line), "2 install") &&
                  strstr(text_string(&line), "watchdog  watchdog silence  after_ms 900  bad \\x1b[2J\n"),
              "%s", text_string(&line));
    events_add_json(&event, id, &json);
    AUTO_JSON *parsed = json_parse(json.bytes, json.length, NULL);
    cr_expect_not_null(parsed);
    cr_expect_eq(strchr(text_string(&json), '\n'), json.bytes + json.length - 1);
    cr_expect_str_eq(json_get_string(json_get(parsed, "detail"), "watchdog", ""), "silence");
    event.detail = (char *)"no json";
    text_truncate(&line, 0);
    events_add_line(&event, &terminal, &line);
    cr_expect(strstr(text_string(&line), "no json"));
}
