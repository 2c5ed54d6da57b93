/* `ready` without a host: the key, its place among the items of a run, and what a host may answer. */
#include "folder.h"

#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "config/ready_step.h"
#include "run/progress.h"
#include "stage/cloud_init.h"
#include "stage/ready_answer.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(ready, .timeout = 60, .init = folder_fill, .fini = folder_clean);

#define NONCE "0190c1d2-0000-7000-8000-000000000001"
#define NOW   (1796037900 * NS_PER_S)

static void with_ready(const char *provider, const char *line)
{
    AUTO_FREE char *text =
        xasprintf("project: demo\ntargets:\n  vault:\n    provider: %s\n    recipe: vault\n%s\n", provider,
                  line);
    folder_write("triphase.yml", text);
}

/* "cloud-init 5m00s, true x 30.0s" */
static char *shown(const struct target *target)
{
    struct text out = TEXT_INIT;
    for (size_t i = 0; i < target->ready_count; i++) {
        AUTO_FREE char *one = ready_step_shown(&target->ready[i]),
                       *within = duration_show(target->ready[i].within_ns);
        text_addf(&out, "%s%s %s", i ? ", " : "", one, within);
    }
    return out.length ? text_take(&out) : xstrdup("");
}

Test(ready, entries_keep_their_order_and_each_has_its_own_bound)
{
    with_ready(
        "sandbox",
        "    ready: [user, systemd, reboot, apt, cloud-init, {command: [test, -e, /a b], within: 30s}, "
        "{command: ['true']}]");
    AUTO_PROJECT *project = folder_load();
    AUTO_FREE char *said = shown(&project->targets[0]);
    cr_assert_str_eq(said, "user 30.0s, systemd 1m00s, reboot 3m00s, apt 10m00s, cloud-init 5m00s, "
                           "test -e '/a b' 30.0s, true 2m00s");
    cr_assert(!project->targets[0].ready[0].by_default);
}

Test(ready, nothing_is_waited_for_unless_it_is_said_and_of_a_cloud_its_first_boot)
{
    with_ready("sandbox", "");
    AUTO_PROJECT *here = folder_load();
    cr_assert_eq(here->targets[0].ready_count, 0);
    with_ready("hetzner", "    server_type: cx23");
    AUTO_PROJECT *cloud = folder_load();
    AUTO_FREE char *said = shown(&cloud->targets[0]);
    AUTO_FREE char *explained = folder_explain(cloud, "targets.vault.ready");
    cr_assert_str_eq(said, "cloud-init 5m00s, apt 10m00s, user 30.0s");
    cr_assert_str_eq(explained, "[cloud-init, apt, user] <- built-in");
    cr_assert(cloud->targets[0].ready[0].by_default);
    with_ready("hetzner", "    server_type: cx23\n    ready: []");
    AUTO_PROJECT *not_even = folder_load();
    cr_assert_eq(not_even->targets[0].ready_count, 0);
}

Test(ready, what_is_no_entry_is_refused_where_it_stands)
{
    static const struct {
        const char *value, *said;
    } cases[] = {
        {"[cloud_init]",
         "triphase.yml:6:13: 'ready': nothing is known of 'cloud_init'; did you mean 'cloud-init'?"},
        {"[command]", "triphase.yml:6:13: 'ready': nothing is known of 'command'"},
        {"[apt, apt]", "triphase.yml:6:18: 'ready': 'apt' stands here twice"},
        {"apt", "triphase.yml:6:12: 'ready' takes a list"},
        {"[5]", "triphase.yml:6:13: 'ready' takes words, and maps"},
        {"[{within: 5s}]", "triphase.yml:6:13: 'ready' takes a word, or a map with 'command'"},
        {"[{command: uptime}]", "triphase.yml:6:23: 'command' in 'ready' takes a program and its arguments"},
        {"[{command: []}]", "'command' in 'ready' takes a program and its arguments"},
        {"[{command: [[a]]}]", "'command' in 'ready' takes texts"},
        {"[{command: [a], within: soon}]", "triphase.yml:6:36: 'ready': 'soon' is no duration"},
        {"[{command: [a], within: 0s}]", "a duration of 0 makes no sense here"},
        {"[{comand: [a]}]", "triphase.yml:6:14: unknown key 'comand' in 'ready'; did you mean 'command'?"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_FREE char *line = xasprintf("    ready: %s", cases[i].value);
        with_ready("sandbox", line);
        AUTO_FREE char *said = folder_refusal(ERROR_PROJECT);
        cr_has(said, cases[i].said);
    }
}

/* Names of the items from where the run stands. */
static char *to_come(const struct progress *progress)
{
    struct text out = TEXT_INIT;
    for (size_t i = progress->at; i < progress->items.count; i++) {
        const struct item *item = &progress->items.all[i];
        text_addf(&out, "%s%s", out.length ? " " : "", item->stage ? item->stage : item->phase->name);
        if (item->number > 1)
            text_addf(&out, "/%d", item->number);
    }
    return text_take(&out);
}

static void begin(const struct project *project, const char *does, const struct machine *machine,
                  struct progress *progress)
{
    const char *const all[] = {NULL};
    progress_begin(progress, &(struct runner_request){.project = project,
                                                      .target = &project->targets[0],
                                                      .does = does,
                                                      .machine = machine,
                                                      .phases = all});
}

Test(ready, a_create_waits_behind_provision_and_a_run_and_a_destroy_do_not)
{
    with_ready("sandbox", "    ready: [cloud-init, {command: [a]}]");
    AUTO_PROJECT *project = folder_load();
    struct progress create, run, destroy;
    begin(project, "create", NULL, &create);
    begin(project, "run", NULL, &run);
    begin(project, "destroy", NULL, &destroy);
    AUTO_FREE char *created = to_come(&create), *ran = to_come(&run), *destroyed = to_come(&destroy);
    cr_assert_str_eq(created, "provision ready-cloud-init ready-command install");
    cr_assert(!create.items.all[1].over_transport);
    cr_assert_str_eq(ran, "install");
    cr_assert_str_eq(destroyed, "destroy");
    progress_clear(&create);
    progress_clear(&run);
    progress_clear(&destroy);
}

Test(ready, what_was_ready_before_a_reboot_is_looked_at_again_behind_it)
{
    with_ready("sandbox", "    ready: [cloud-init, apt, reboot, user]");
    AUTO_PROJECT *project = folder_load();
    struct progress progress;
    begin(project, "create", NULL, &progress);
    progress.at = 3;
    progress_look_again(&progress);
    progress_done(&progress);
    AUTO_FREE char *said = to_come(&progress);
    cr_assert_str_eq(said, "ready-cloud-init/2 ready-apt/2 ready-user install");
    cr_assert_eq(progress.items.all[5].ready, 1);
    progress_clear(&progress);
}

Test(ready, a_machine_that_is_a_device_already_is_asked_over_what_carries_it)
{
    with_ready("sandbox", "    ready: [apt]\n    tailnet: {auth_key: {env: KEY}, tags: ['tag:host']}");
    AUTO_PROJECT *project = folder_load();
    struct progress fresh, joined;
    AUTO_MACHINE *machine = machine_new();
    machine->tailnet = json_new_object();
    begin(project, "create", machine, &fresh);
    json_set_string(machine->tailnet, "address", "100.64.0.7");
    begin(project, "create", machine, &joined);
    AUTO_FREE char *first = to_come(&fresh), *later = to_come(&joined);
    cr_assert_str_eq(first, "provision ready-apt tailnet-look tailnet install");
    cr_assert_str_eq(later, "provision tailnet-look tailnet ready-apt install");
    cr_assert(!fresh.items.all[1].over_transport);
    cr_assert(joined.items.all[3].over_transport);
    progress_joined(&joined);
    progress_clear(&fresh);
    progress_clear(&joined);
}

/* Reads "LINES…end NONCE" behind a greeting; the error's text, or "". */
static char *read_answer(const char *lines, struct ready_answer *out)
{
    AUTO_FREE char *text = xasprintf("Welcome!\n\ntriphase-ready " NONCE "\n%s", lines);
    AUTO_ERROR err = ERROR_INIT;
    *out = (struct ready_answer)READY_ANSWER_INIT;
    return xstrdup(ready_answer_read(text, strlen(text), NONCE, out, &err) < 0 ? error_text(&err) : "");
}

#define END "end " NONCE "\n"

Test(ready, an_answer_is_whole_or_it_is_none)
{
    AUTO_READY_ANSWER answer = READY_ANSWER_INIT;
    AUTO_FREE char *whole =
        read_answer("boot 0f-4.17\nnow 12.5\nword a\033[31m\nword b  \nstate warned\n" END, &answer);
    cr_assert_str_eq(whole, "");
    cr_assert_eq(answer.state, READY_WARNED);
    cr_assert_str_eq(answer.boot, "0f-4.17");
    cr_assert_float_eq(answer.now_s, 12.5, 0.001);
    cr_assert_eq(answer.said.count, 2);
    cr_assert_null(strchr(answer.said.items[0], '\033'));
    cr_assert_str_eq(answer.said.items[1], "b");
    ready_answer_clear(&answer);
    static const struct {
        const char *lines, *said;
    } bad[] = {
        {"boot 1.2\nstate ok\n", "broke off"},
        {"boot 1.2\nstate ok\nend 0190c1d2-0000-7000-8000-000000000002\n", "says"},
        {"state fine\n" END, "says"},
        {"boot 1.2\n" END, "says"},
        {"boot $(reboot)\nstate ok\n" END, "says"},
        {"something else\nstate ok\n" END, "says"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_READY_ANSWER out = READY_ANSWER_INIT;
        AUTO_FREE char *said = read_answer(bad[i].lines, &out);
        cr_expect(strstr(said, bad[i].said), "%zu: '%s'", i, said);
        ready_answer_clear(&out);
    }
}

/* As cloud-init 22.4 writes it, on one line. */
#define STAGE(name, start, finished, errors) \
    "\"" name "\":{\"errors\":[" errors "],\"finished\":" finished ",\"start\":" start "}"
#define RECORD(last)                                                              \
    "status {\"v1\":{\"datasource\":\"NoCloud\"," STAGE(                          \
        "modules-config", "1796037833.9", "1796037836.7",                         \
        "") "," STAGE("init", "1796037813.3", "1796037826.8",                     \
                      "") "," STAGE("init-local", "1796037808.1", "1796037809.0", \
                                    "") "," STAGE("modules-init", "null", "null", "") "," last "}}\n"
#define WELL RECORD(STAGE("modules-final", "1796037844.1", "1796037850.1", "") ",\"stage\":null")
#define BROKEN                                                    \
    RECORD(STAGE("modules-final", "1796037844.1", "1796037850.1", \
                 "\"('scripts-user', RuntimeError())\"") ",\"stage\":null")
#define BUSY RECORD(STAGE("modules-final", "1796037844.1", "null", "") ",\"stage\":\"modules-final\"")

Test(ready, the_stages_of_cloud_init_are_told_by_the_clock_of_this_machine)
{
    AUTO_READY_ANSWER answer = READY_ANSWER_INIT;
    /* Its own clock is 50 s behind. */
    AUTO_FREE char *said =
        read_answer("now 1796037850.1\n" WELL "finished 1796037850\nstate ok\n" END, &answer);
    cr_assert_str_eq(said, "");
    AUTO_JSON *stages = cloud_init_stages(&answer, NOW);
    cr_assert_eq(json_count(stages), 5);
    static const char *const names[] = {"init-local", "init", "modules-config", "modules-final",
                                        "boot-finished"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        cr_expect_str_eq(json_get_string(json_at(stages, i), "stage", ""), names[i]);
    int64_t last = json_get_integer(json_at(stages, 3), "finished_ns", 0),
            began = json_get_integer(json_at(stages, 3), "started_ns", 0);
    cr_assert(last > NOW - NS_PER_S / 100 && last < NOW + NS_PER_S / 100);
    cr_assert_float_eq((double)(last - began) / (double)NS_PER_S, 6.0, 0.01);
    ready_answer_clear(&answer);
}

Test(ready, a_stage_of_cloud_init_that_failed_is_named_and_one_that_recovered_is_no_failure)
{
    AUTO_READY_ANSWER well = READY_ANSWER_INIT, broken = READY_ANSWER_INIT, error = READY_ANSWER_INIT,
                      degraded = READY_ANSWER_INIT, busy = READY_ANSWER_INIT;
    AUTO_WORDS why = WORDS_INIT;
    free(read_answer(WELL "said {\"status\":\"done\",\"errors\":[]}\nstate ok\n" END, &well));
    cr_assert(!cloud_init_failed(&well, &why) && !cloud_init_degraded(&well, &why));
    free(read_answer(BROKEN "state ok\n" END, &broken));
    cr_assert(cloud_init_failed(&broken, &why));
    cr_assert_str_eq(why.items[0], "modules-final: ('scripts-user', RuntimeError())");
    free(read_answer("said {\"status\":\"error\",\"errors\":[\"unit cloud-final failed\"]}\nstate ok\n" END,
                     &error));
    words_clear(&why);
    cr_assert(cloud_init_failed(&error, &why));
    cr_assert_str_eq(why.items[0], "cloud-init: unit cloud-final failed");
    free(read_answer(WELL
                     "said {\"status\":\"done\",\"extended_status\":\"degraded done\",\"recoverable_errors\":"
                     "{\"WARNING\":[\"old key\"]}}\nstate ok\n" END,
                     &degraded));
    words_clear(&why);
    cr_assert(!cloud_init_failed(&degraded, &why) && cloud_init_degraded(&degraded, &why));
    cr_assert_str_eq(why.items[0], "WARNING: old key");
    free(read_answer(BUSY "state late\n" END, &busy));
    AUTO_FREE char *stage = cloud_init_busy(&busy);
    cr_assert_str_eq(stage, "modules-final");
    struct ready_answer *const all[] = {&well, &broken, &error, &degraded, &busy};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        ready_answer_clear(all[i]);
}
