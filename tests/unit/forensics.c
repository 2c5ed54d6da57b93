/* A look before something is ended: what it sees, what it must not tell, that nothing which hangs holds it
 * up, and that it fits on one screen. */
#include "step/forensics.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "process/look.h"
#include "redact/sealed.h"
#include "stage/look.h"
#include "unit/hostile.h"
#include "view/forensics_view.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(forensics, .fini = hostile_clean);

static struct json *seen;
static struct loop *loop;

static void on_looked(void *context, struct json *look)
{
    cr_expect_eq(context, &seen);
    cr_assert_null(seen, "it is told once");
    seen = json_keep(look);
    loop_stop(loop);
}

/* Runs a program that takes the place of `triphase stage look REQUEST RESULT`; seconds it took. */
static double look_with(const char *script)
{
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *self = hostile_path("looker");
    cr_assert(file_replace(self, script, strlen(script), 0700, &err) == 0);
    cr_assert_eq(loop_new(&loop, &err), 0);
    struct scope *scope = hostile_scope(SCOPE_MARKER);
    struct forensics_plan plan = {.self = self, .run = "r", .scope = scope};
    struct forensics *forensics = NULL;
    int64_t since = moment_monotonic();
    cr_assert_eq(forensics_start(loop, &plan, on_looked, &seen, &forensics, &err), 0, "%s", error_text(&err));
    cr_assert_eq(loop_run(loop, &err), 0);
    double took = (double)(moment_monotonic() - since) / 1e9;
    forensics_stop(&forensics);
    loop_free(loop);
    cr_assert_not_null(seen);
    return took;
}

Test(forensics, a_look_that_hangs_is_left_at_its_bound_and_what_it_saw_before_counts)
{
    double took = look_with("#!/bin/sh\nexec 2>/dev/null\nprintf '{\"log\":[\"seen\"]}\\n{\"mux\":' "
                            ">>/proc/self/fd/$4\nexec sleep 60\n");
    cr_expect(took > 1 && took < 1.5, "%.2f s", took);
    cr_expect_str_eq(json_string(json_at(json_get(seen, "log"), 0), ""), "seen");
    cr_expect(json_get_bool(seen, "unfinished") && !json_get(seen, "mux"));
    json_free(seen);
}

Test(forensics, a_look_that_is_done_is_not_waited_for_and_one_that_dies_says_so)
{
    double took = look_with("#!/bin/sh\nprintf '{\"log\":[]}\\n' >>/proc/self/fd/$4\n");
    cr_expect(took < 1, "%.2f s", took);
    cr_expect_not(json_get_bool(seen, "unfinished"));
    json_free(TAKE(seen));
    look_with("#!/bin/sh\nkill -9 $$\n");
    cr_expect(json_get_bool(seen, "unfinished"));
    json_free(seen);
}

/* What the child itself writes, read back as the worker does. */
static struct json *look_at(struct json *request)
{
    AUTO_CLOSE int out = memfd_create("look", MFD_CLOEXEC);
    AUTO_FREE char *path = xasprintf("/proc/self/fd/%d", out);
    AUTO_TEXT lines = TEXT_INIT;
    stage_look(request, out);
    json_free(request);
    cr_assert_eq(file_read(path, 1 << 20, &lines, NULL), 0);
    struct json *look = json_new_object();
    char *state = NULL;
    for (char *line = strtok_r(lines.bytes, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        AUTO_JSON *part = json_parse(line, strlen(line), NULL);
        const char *key;
        struct json *value;
        cr_assert_not_null(part, "%s", line);
        for (void *at = NULL; json_each(part, &at, &key, &value);)
            json_set(look, key, json_keep(value));
    }
    return look;
}

/* State S alone comes earlier: on a busy machine it is still on a queue then, and waits in nothing. */
static bool is_asleep(const void *pid)
{
    struct process_look process;
    AUTO_TEXT wchan = TEXT_INIT;
    process_look_wchan(*(const pid_t *)pid, &wchan);
    return process_look(*(const pid_t *)pid, &process) && process.state == 'S' &&
           text_is(process.name, "sleep") && wchan.length;
}

Test(forensics, the_look_names_processes_as_a_tree_with_state_and_wchan_and_tells_no_secret)
{
    struct child parent =
        hostile_start(hostile_scope(SCOPE_MARKER),
                      "sleep 98 & sh -c ': geheimnis; sleep 97 & echo ready >&9; wait' & wait");
    AUTO_FREE char *children = xasprintf("/proc/%d/task/%d/children", (int)parent.pid, (int)parent.pid);
    AUTO_FREE char *log = hostile_path("log");
    AUTO_TEXT list = TEXT_INIT;
    cr_assert_eq(file_read(children, 4096, &list, NULL), 0);
    cr_assert_eq(file_replace(log, "one\ntwo geheimnis\n\nthree\n", 25, 0600, NULL), 0);
    AUTO_CLOSE int secret = memfd_create("secret", MFD_CLOEXEC);
    cr_assert_eq(redact_sealed_put(secret, "secret", "geheimnis", 9, NULL), 0);

    struct json *request = json_new_object(), *pids = json_new_array(), *secrets = json_new_array();
    json_append(pids, json_new_integer(parent.pid));
    pid_t sleeper = (pid_t)strtol(text_string(&list), NULL, 10);
    cr_assert(hostile_wait(is_asleep, &sleeper, 2000));
    char *state = NULL;
    for (char *pid = strtok_r(list.bytes, " \n", &state); pid; pid = strtok_r(NULL, " \n", &state))
        json_append(pids, json_new_integer(strtol(pid, NULL, 10)));
    json_append(pids, json_new_integer(1 << 22)); /* one that is gone meanwhile */
    json_append(secrets, json_new_integer(secret));
    json_set(request, "pids", pids);
    json_set(request, "secrets", secrets);
    json_set_string(request, "log", log);
    kill(parent.pid, SIGSTOP);
    cr_assert(hostile_wait(hostile_is_stopped, &parent.pid, 2000));
    AUTO_JSON *look = look_at(request);

    const struct json *processes = json_get(look, "processes"), *first = json_at(processes, 0);
    cr_assert_eq(json_count(processes), 3U);
    cr_expect_eq(json_get_integer(look, "process_count", 0), 3);
    cr_expect_eq(json_get_integer(first, "pid", 0), parent.pid);
    cr_expect_str_eq(json_get_string(first, "state", ""), "T");
    cr_expect_eq(json_get_integer(first, "depth", -1), 0);
    cr_expect_eq(json_get_integer(json_at(processes, 1), "depth", -1), 1);
    AUTO_FREE char *all = json_compact(look);
    cr_expect(strstr(all, "hrtimer_nanosleep"), "%s", all);
    cr_expect(strstr(all, "sleep 98") && strstr(all, ": [REDACTED secret];"), "%s", all);
    cr_expect(strstr(all, "\"log\":[\"one\",\"two [REDACTED secret]\",\"three\"]"), "%s", all);
    cr_expect_null(strstr(all, "geheimnis"));
    kill(parent.pid, SIGKILL);
    hostile_end(&parent);
}

Test(forensics, nothing_that_is_not_there_and_no_pipe_in_a_files_place_holds_the_look)
{
    AUTO_FREE char *pipe_path = hostile_path("pipe");
    cr_assert_eq(mkfifo(pipe_path, 0600), 0);
    struct json *request = json_new_object();
    json_set_string(request, "log", pipe_path);
    json_set_string(request, "console", "/nonexistent/console");
    json_set_string(request, "control_directory", "/nonexistent");
    json_set_string(request, "control_path", "/nonexistent/mux");
    AUTO_JSON *look = look_at(request);
    cr_expect(!json_get(look, "log") && !json_get(look, "console") && !json_get(look, "mux"));
    cr_expect_eq(json_count(json_get(look, "processes")), 0U);
}

Test(forensics, whatever_was_seen_fits_on_one_screen)
{
    AUTO_FREE char *text = xmalloc(5001);
    memset(text, 'x', 5000);
    text[5000] = '\0';
    AUTO_JSON *detail = json_new_object();
    static const char *const texts[] = {"task", "host", "path", "connection"};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        json_set_string(detail, texts[i], text);
    static const char *const lists[] = {"log", "console", "words", "processes", "connections"};
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct json *list = json_new_array();
        for (int n = 0; n < 40; n++) {
            struct json *entry = json_new_object();
            json_set_string(entry, "state", "S");
            json_set_string(entry, "local", text);
            json_set_string(entry, "wchan", text);
            json_set_integer(entry, "depth", n * 100);
            json_append(list, i < 3 ? json_new_string(text) : json_keep(entry));
            json_free(entry);
        }
        json_set(detail, lists[i], list);
    }
    json_set_integer(detail, "process_count", 400);
    struct json *mux = json_new_object();
    json_set_string(mux, "answer", text);
    json_set(detail, "mux", mux);
    json_set_bool(detail, "unfinished", true);
    AUTO_TEXT out = TEXT_INIT;
    forensics_view_add(detail, &(struct table_look){0}, &out);
    int lines = 0;
    char *state = NULL;
    for (char *line = strtok_r(out.bytes, "\n", &state); line; line = strtok_r(NULL, "\n", &state), lines++)
        cr_expect(strlen(line) <= 100, "%zu columns: %s", strlen(line), line);
    cr_expect(lines <= 24, "%d lines", lines);
    AUTO_JSON *empty = json_new_object();
    AUTO_TEXT little = TEXT_INIT;
    forensics_view_add(empty, &(struct table_look){0}, &little);
    cr_expect(strstr(text_string(&little), "none, after never"), "%s", text_string(&little));
}

Test(forensics, what_tells_a_dead_path_from_a_busy_host_is_on_a_narrow_screen_too)
{
    static const char narrow[] =
        "{\"connections\":[{\"pid\":1149312,\"process\":\"S\",\"wchan\":\"poll_schedule_timeout\",\"state\":"
        "\"established\",\"local\":\"192.168.213.201:43574\",\"remote\":\"192.168.213.202:22\",\"unacked\":"
        "12,"
        "\"backoff\":4,\"timer\":\"retransmit\",\"timer_ms\":1234,\"last_ack_ms\":10100,\"last_received_ms\":"
        "10200,\"send_queue\":1035416,\"receive_queue\":0}]}";
    AUTO_JSON *detail = json_parse(narrow, strlen(narrow), NULL);
    AUTO_TEXT out = TEXT_INIT;

    forensics_view_add(detail, &(struct table_look){.width = 80}, &out);

    static const char *const words[] = {"192.168.213.202:22", "unacked 12",  "backoff 4",
                                        "retransmit in",      "acked 10.1s", "heard 10.2s ago",
                                        "1035416/0 B"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        cr_expect(strstr(text_string(&out), words[i]), "no '%s' in %s", words[i], text_string(&out));
    AUTO_FREE char *copy = xstrdup(text_string(&out));
    char *state = NULL;
    for (char *line = strtok_r(copy, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        cr_expect(strlen(line) <= 80, "%zu columns: %s", strlen(line), line);
}
