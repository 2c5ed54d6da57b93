/* The event lines of a real playbook, and what of them reaches the store: whole, bounded, without what is to
 * be hidden; on both Ansibles. */
#include "../lab/phase.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "format/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PLAY "- hosts: recipe_work\n  gather_facts: false\n"

struct kinds {
    int play_start, task_start, host_start, result, notify, handler, async_poll, stats, end, other;
};

static void count_kind(struct kinds *kinds, const char *kind)
{
    const struct {
        const char *name;
        int *count;
    } all[] = {{"play_start", &kinds->play_start},
               {"task_start", &kinds->task_start},
               {"host_start", &kinds->host_start},
               {"result", &kinds->result},
               {"notify", &kinds->notify},
               {"handler", &kinds->handler},
               {"async_poll", &kinds->async_poll},
               {"stats", &kinds->stats},
               {"end", &kinds->end}};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (text_is(kind, all[i].name)) {
            (*all[i].count)++;
            return;
        }
    kinds->other++;
}

/* Of the results, the one of a task. */
static const struct json *find_result(const struct json *lines, const char *task)
{
    for (size_t i = 0; i < json_count(lines); i++)
        if (text_is(json_get_string(json_at(lines, i), "kind", NULL), "result") &&
            text_is(json_get_string(json_at(lines, i), "task", NULL), task))
            return json_at(lines, i);
    cr_assert_fail("there is no result of '%s'", task);
    return NULL;
}

static struct json *read_lines(char *content, struct kinds *kinds)
{
    struct json *lines = json_new_array();
    char *state = NULL;
    int64_t seq = 0, before = 0;
    for (char *line = strtok_r(content, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        struct json *json = json_parse(line, strlen(line), NULL);
        cr_assert(json != NULL, "no JSON: %.200s", line);
        cr_assert(strlen(line) < 8192, "a line of %zu bytes", strlen(line));
        cr_assert_eq(json_get_integer(json, "v", 0), 1);
        cr_assert_eq(json_get_integer(json, "seq", 0), ++seq);
        cr_assert(json_get_integer(json, "m", 0) >= before &&
                  json_get_integer(json, "t", 0) > INT64_C(1500000000) * 1000000000);
        before = json_get_integer(json, "m", 0);
        count_kind(kinds, json_get_string(json, "kind", ""));
        json_append(lines, json);
    }
    cr_assert_eq(json_get_integer(json_at(lines, json_count(lines) - 1), "count", 0), seq - 1,
                 "the last line is no end, or counts wrongly");
    return lines;
}

static void check_lines(const char *ansible)
{
    struct lab *lab = lab_phase_project(ansible, "");
    lab_play_case(lab, "events", "lines");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "all kinds of lines", "ok", "-", 0);

    AUTO_FREE char *shown = lab_phase(lab, "events"), *path = xasprintf(".triphase/%s", shown);
    AUTO_FREE char *full = xasprintf("%s/%s", lab_folder(lab), path);
    struct stat state;
    cr_assert(stat(full, &state) == 0);
    cr_expect_eq(state.st_mode & 0777, 0600);
    cr_expect_eq(lab_phase_number(lab, "event_bytes"), state.st_size, "the worker read %lld bytes of %lld",
                 (long long)lab_phase_number(lab, "event_bytes"), (long long)state.st_size);
    AUTO_FREE char *content = lab_read(lab, path);
    cr_expect(!strstr(content, "geheim-argument") && !strstr(content, "geheim\\n"), "a line tells arguments");
    struct kinds kinds = {0};
    AUTO_JSON *lines = read_lines(content, &kinds);
    cr_expect_eq(kinds.play_start, 2);
    cr_expect_eq(kinds.task_start, 15);
    cr_expect_eq(kinds.host_start, 15);
    cr_expect_eq(kinds.result, 15);
    cr_expect_eq(kinds.notify, 1);
    cr_expect_eq(kinds.handler, 1);
    cr_expect(kinds.async_poll >= 1);
    cr_expect_eq(kinds.stats, 1);
    cr_expect_eq(kinds.end, 1);
    cr_expect_eq(kinds.other, 0);

    cr_expect_str_eq(json_get_string(find_result(lines, "of a role"), "role", ""), "part");
    cr_expect_eq(json_get_integer(find_result(lines, "loops"), "items", 0), 3);
    cr_expect_eq(json_get_integer(find_result(lines, "waits"), "async", 0), 20);
    cr_expect(json_get_integer(find_result(lines, "waits"), "duration_ns", 0) > 900 * INT64_C(1000000));
    cr_expect_null(json_get_string(find_result(lines, "hushed and failed"), "cause_text", NULL),
                   "what no_log hides is told");
    cr_expect(json_get_bool(find_result(lines, "hushed and failed"), "ignored"));
    size_t length = strlen(json_get_string(find_result(lines, "long"), "cause_text", ""));
    cr_expect(length > 1000 && length <= 2000, "a message of %zu bytes", length);
    cr_expect_str_eq(json_get_string(find_result(lines, "binary"), "status", ""), "failed");
    const char *died = json_get_string(find_result(lines, "dies"), "cause_text", "");
    cr_expect_str_eq(died, "the module died: OSError: [Errno 28] No space left on device (rc 1)", "%s", died);
    cr_expect(json_get_bool(find_result(lines, "tell"), "handler"));
    cr_expect_str_eq(json_get_string(find_result(lines, "nested"), "delegate", ""), "localhost");
    const char *path_of_task = json_get_string(find_result(lines, "loops"), "path", "");
    cr_expect(text_ends(path_of_task, "now.yml:12"), "%s", path_of_task);
    AUTO_FREE char *held = lab_read(lab, "held");
    AUTO_FREE char *seen = lab_read(lab, "seen");
    cr_expect(strlen(seen) >= 4, "no worker was looked at");
    cr_expect_str_eq(held, "", "a task's process holds the event file");

    AUTO_FREE char *rows =
        lab_sql(lab, "SELECT count(*) FROM task WHERE step = (SELECT max(number) FROM step)");
    cr_expect_str_eq(rows, "15");
    AUTO_FREE char *long_play = lab_sql(lab, "SELECT max(length(text)) FROM name");
    cr_expect(strtol(long_play, NULL, 10) <= 1024, "a name of %s characters", long_play);
    AUTO_FREE char *counts = lab_phase(lab, "ok || ' ' || changed || ' ' || failed || ' ' || ignored");
    cr_expect_str_eq(counts, "1 10 0 4", "%s", counts);
    AUTO_FREE char *role = lab_sql(lab, "SELECT tasks FROM role_timing WHERE role = 'part'");
    cr_expect_str_eq(role, "1");
}

Test(events, the_lines_of_a_playbook_are_whole_bounded_and_hide_what_is_to_be_hidden_on_the_newest_ansible)
{
    check_lines(NULL);
}

Test(events, the_lines_of_a_playbook_are_whole_bounded_and_hide_what_is_to_be_hidden_on_the_oldest_ansible)
{
    check_lines(lab_old_ansible());
}

/* A file system of 64 KiB behind the event file: Ansible goes on, the record is not whole,
 * and the phase is not ok. */
Test(events, a_disk_full_under_the_event_file_is_no_success)
{
    struct lab *lab = lab_phase_project(NULL, "");
    lab_hostile_ansible(lab, "ulimit -f 4; exec \"$REAL\" \"$@\"");
    lab_static_project(lab, "    attempts: 1\n", "- ansible.builtin.import_playbook: ../cases/now.yml\n");
    lab_play(lab,
             PLAY "  tasks:\n    - ansible.builtin.debug: {msg: x}\n      loop: [1]\n    - "
                  "ansible.builtin.debug: {msg: \"{{ item }}\"}\n      loop: \"{{ range(40) | list }}\"\n");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    AUTO_FREE char *outcome = lab_phase(lab, "outcome");
    cr_expect(result.code != 0 && !text_is(outcome, "ok"), "exit %d, '%s'", result.code, outcome);
}

Test(events, a_hundred_thousand_lines_of_a_writer_are_all_in_the_store)
{
    struct lab *lab = lab_hostile_project("", NULL);
    lab_hostility(lab, "begin; n=100001; i=1; while [ $i -lt $n ]; do i=$((i+1)); echo "
                       "\"{\\\"v\\\":1,\\\"seq\\\":$i,\\\"t\\\":1795373171143395242,\\\"m\\\":5,"
                       "\\\"kind\\\":\\\"result\\\",\\\"host\\\":\\\"host\\\",\\\"play\\\":\\\"p\\\","
                       "\\\"task\\\":\\\"t\\\",\\\"uuid\\\":\\\"u\\\",\\\"status\\\":"
                       "\\\"changed\\\",\\\"duration_ns\\\":7}\"; done >> \"$EVENTS\"; finish");
    struct lab_result result = lab_run(lab, "run", "host", NULL);
    lab_expect(lab, &result, "100,000 lines", "ok", "-", 0);
    AUTO_FREE char *rows =
        lab_sql(lab, "SELECT count(*) FROM task WHERE step = (SELECT max(number) FROM step)");
    cr_expect_str_eq(rows, "100000");
    cr_expect_eq(lab_phase_number(lab, "changed"), 100000);
}
