/* Cells of a matrix against a real sshd: what each kind of work says of a connection that is well, and of
 * one that is not. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "diagnose/cell_run.h"
#include "lab/climb.h"
#include "process/program.h"
#include "transport/known_hosts.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define cr_has(text, part) cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

TestSuite(diagnose_cell, .timeout = 110);

struct bench {
    struct climb climb;
    struct scope scope;
    struct project project;
};

static struct bench bench_new(void)
{
    struct bench made = {.climb = climb_begin(), .scope = {.fd = -1}};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *name = xasprintf("test-cell-%d", (int)getpid());
    cr_assert(known_hosts_write(made.climb.machine, &made.climb.target, "/", &err) == 0);
    cr_assert(scope_open(name, "TRIPHASE_TEST=cell", &made.scope, &err) == 0, "%s", error_text(&err));
    return made;
}

static void bench_end(struct bench *bench)
{
    cr_expect(scope_end(&bench->scope, 5 * NS_PER_S, NULL) == 0);
    (void)scope_remove(&bench->scope, NULL);
    scope_close(&bench->scope);
    climb_end(&bench->climb);
}

static struct cell take(struct bench *bench, const char *client, const char *work, const char *parameters,
                        bool allow, int64_t bound_ns)
{
    AUTO_ERROR err = ERROR_INIT;
    struct cell cell = {.transport = xstrdup("direct"),
                        .client = xstrdup(client),
                        .work = xstrdup(work),
                        .parameters = json_parse(parameters, strlen(parameters), &err)};
    struct cell_order order = {.project = &bench->project,
                               .target = &bench->climb.target,
                               .machine = bench->climb.machine,
                               .kind = TRANSPORT_DIRECT,
                               .directory = bench->climb.sockets,
                               .scope = &bench->scope,
                               .allow_changes = allow,
                               .deadline = deadline_in(bound_ns)};
    cr_assert(cell_run(&order, &cell, &err) == 0, "%s", error_text(&err));
    return cell;
}

static void expect(struct bench *bench, const char *client, const char *work, const char *parameters,
                   const char *ended, uint64_t bytes)
{
    struct cell cell = take(bench, client, work, parameters, true, 60 * NS_PER_S);
    cr_expect_str_eq(cell.ended, ended, "%s %s %s: %s: %s", client, work, parameters, cell.ended,
                     cell.message ? cell.message : "");
    cr_expect_eq(cell.ok, text_is(ended, "ok"));
    cr_expect_geq(cell.bytes, bytes, "%s %s: %llu", client, work, (unsigned long long)cell.bytes);
    cr_expect(!bytes || (cell.last_good_ns > 0 && cell.last_good_ns <= cell.duration_ns));
    /* What lasts is looked at while it does, whoever has the connection. */
    if (text_is(work, "idle"))
        cr_expect(cell.tcp_state && strstr(cell.tcp_state, "established, "), "%s: %s", client,
                  cell.tcp_state ? cell.tcp_state : "nothing is known of its connection");
    cell_clear(&cell);
}

static const struct {
    const char *work, *parameters;
    uint64_t bytes;
} works[] = {{"echo", "{}", 3},
             {"idle", "{\"seconds\":2}", 3},
             {"trickle", "{\"seconds\":2,\"rate\":100}", 100},
             {"bulk-down", "{\"bytes\":3000001,\"segment\":1000}", 3000001},
             {"bulk-up", "{\"bytes\":3000001}", 3000001},
             {"throttled", "{\"bytes\":200000,\"rate\":200000}", 200000},
             {"bursts", "{\"count\":5,\"segment\":5000}", 25000},
             {"disk", "{\"bytes\":1048576,\"count\":4}", 4 * 2048},
             {"processes", "{\"count\":50}", 50 * 60},
             {"channels", "{\"count\":6,\"bytes\":1000}", 6000},
             {"idle-burst", "{\"seconds\":1,\"bytes\":100000}", 100000}};

Test(diagnose_cell, every_kind_of_work_is_ok_over_a_connection_that_is_well)
{
    struct bench bench = bench_new();
    for (size_t i = 0; i < COUNT_OF(works); i++)
        expect(&bench, "libssh", works[i].work, works[i].parameters, "ok", works[i].bytes);
    AUTO_FREE char *left = NULL;
    AUTO_TEXT out = TEXT_INIT;
    cr_assert(program_do(5 * NS_PER_S, &out, NULL, "sh", "-c",
                         "ls /tmp/triphase-diagnose.* 2>/dev/null; true", NULL) == 0);
    left = text_take(&out);
    cr_expect_str_eq(left, "", "the work's file is gone");
    bench_end(&bench);
}

Test(diagnose_cell, the_openssh_client_takes_the_same_works_with_a_master_and_without)
{
    struct bench bench = bench_new();
    for (size_t i = 0; i < COUNT_OF(works); i++)
        expect(&bench, "openssh", works[i].work, works[i].parameters, "ok", works[i].bytes);
    expect(&bench, "openssh", "echo", "{\"mux\":true}", "ok", 3);
    bench_end(&bench);
}

Test(diagnose_cell, ansible_takes_what_a_task_can_do_with_the_rendered_inventory)
{
    struct bench bench = bench_new();
    AUTO_ERROR err = ERROR_INIT;
    lab_write(bench.climb.lab, "triphase.yml", "project: lab\n");
    bench.project = (struct project){.directory = (char *)lab_folder(bench.climb.lab), .name = "lab"};
    bench.project.ansible = lab_keep(file_find_program("ansible-playbook", NULL));
    cr_assert(bench.project.ansible != NULL);
    bench.project.ansible_found = true;
    static const char *const taken[] = {"echo", "bulk-down", "disk", "idle"};
    for (size_t i = 0; i < COUNT_OF(works); i++)
        for (size_t j = 0; j < COUNT_OF(taken); j++)
            if (text_is(works[i].work, taken[j]))
                expect(&bench, "ansible", works[i].work, works[i].parameters, "ok", works[i].bytes);
    expect(&bench, "ansible", "bulk-up", "{}", "skipped", 0);
    free(bench.climb.machine->key);
    bench.climb.machine->key = file_join(lab_folder(bench.climb.lab), "sshd/host_key");
    expect(&bench, "ansible", "echo", "{}", "auth", 0);
    bench_end(&bench);
}

Test(diagnose_cell, what_writes_on_the_host_is_skipped_until_it_is_allowed)
{
    struct bench bench = bench_new();
    static const char *const changing[] = {"disk", "package"};
    for (size_t i = 0; i < COUNT_OF(changing); i++) {
        struct cell cell = take(&bench, "libssh", changing[i], "{}", false, 10 * NS_PER_S);
        cr_expect_str_eq(cell.ended, "skipped");
        cr_expect_not(cell.ok);
        cell_clear(&cell);
    }
    AUTO_ERROR err = ERROR_INIT;
    struct cell large = {.client = "libssh",
                         .work = "disk",
                         .parameters = json_parse("{\"bytes\":99999999}", 18, &err)};
    struct cell_order order = {.target = &bench.climb.target,
                               .machine = bench.climb.machine,
                               .directory = bench.climb.sockets,
                               .scope = &bench.scope,
                               .allow_changes = true,
                               .deadline = deadline_in(10 * NS_PER_S)};
    cr_expect_lt(cell_run(&order, &large, &err), 0);
    cr_has(error_text(&err), "64 MiB at most");
    json_free(large.parameters);
    bench_end(&bench);
}

Test(diagnose_cell, channels_beyond_the_hosts_limit_are_told_by_both_clients)
{
    struct bench bench = bench_new();
    static const char *const clients[] = {"libssh", "openssh"};
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        struct cell cell =
            take(&bench, clients[i], "channels", "{\"count\":14,\"bytes\":10}", false, 30 * NS_PER_S);
        cr_expect_str_eq(cell.ended, "channel-refused", "%s: %s: %s", clients[i], cell.ended, cell.message);
        cr_has(cell.message, "of 14 channels at once were refused");
        cell_clear(&cell);
    }
    bench_end(&bench);
}

Test(diagnose_cell, a_login_that_fails_says_at_what)
{
    struct bench bench = bench_new();
    static const char *const clients[] = {"libssh", "openssh"};
    AUTO_FREE char *key = TAKE(bench.climb.machine->key);
    AUTO_FREE char *other = file_join(lab_folder(bench.climb.lab), "sshd/host_key");
    int port = bench.climb.machine->port;
    for (size_t i = 0; i < COUNT_OF(clients); i++) {
        bench.climb.machine->key = xstrdup(other);
        expect(&bench, clients[i], "echo", "{}", "auth", 0);
        free(bench.climb.machine->key);
        bench.climb.machine->key = xstrdup(key);
        bench.climb.machine->port = 1;
        expect(&bench, clients[i], "echo", "{}", "refused", 0);
        bench.climb.machine->port = port;
        free(bench.climb.machine->address);
        bench.climb.machine->address = xstrdup("no-such-host.invalid");
        expect(&bench, clients[i], "echo", "{}", "dns", 0);
        free(bench.climb.machine->address);
        bench.climb.machine->address = xstrdup("127.0.0.1");
    }
    bench_end(&bench);
}

/* Freezes, from outside, the one of the connections of the lab's sshd over which the work already moves: a
 * login, which is another's or takes longer than one thinks, has written far less. */
static struct child freeze_later(struct bench *bench)
{
    AUTO_ERROR err = ERROR_INIT;
    struct child later = CHILD_INIT;
    AUTO_FREE char *script =
        xasprintf("while :; do for p in $(pgrep -P %d); do"
                  " w=$(sed -n 's/^wchar: //p' /proc/$p/io 2>/dev/null);"
                  " if [ \"${w:-0}\" -gt 700000 ]; then kill -STOP $p; sleep 60; kill -CONT $p; exit; fi;"
                  " done; sleep 0.05; done",
                  (int)lab_sshd_pid(bench->climb.lab));
    struct child_plan plan = {.argv = (const char *const[]){"/bin/sh", "-c", script, NULL},
                              .in = -1,
                              .out = -1,
                              .error = -1,
                              .scope = &bench->scope,
                              .die_with_parent = true};
    cr_assert(child_start(&plan, &later, &err) == 0, "%s", error_text(&err));
    return later;
}

Test(diagnose_cell, a_host_that_stops_in_the_middle_is_a_stall_with_its_last_good_moment)
{
    struct bench bench = bench_new();
    struct child later = freeze_later(&bench);

    struct cell cell =
        take(&bench, "libssh", "throttled", "{\"bytes\":50000000,\"rate\":500000}", false, 15 * NS_PER_S);

    cr_expect_str_eq(cell.ended, "stalled", "%s: %s", cell.ended, cell.message);
    cr_expect_gt(cell.bytes, 100000);
    cr_expect(cell.last_good_ns > NS_PER_S && cell.last_good_ns < 9 * NS_PER_S, "%ld",
              (long)cell.last_good_ns);
    cr_expect_gt(cell.stalls, 0);
    cr_has(cell.tcp_state, "established");
    cr_expect_lt(cell.duration_ns, 22 * NS_PER_S);
    cell_clear(&cell);
    child_signal(&later, SIGKILL);
    child_await(&later, 5 * NS_PER_S);
    child_close(&later);
    bench_end(&bench);
}

Test(diagnose_cell, works_on_the_host_end_when_the_connection_does)
{
    struct bench bench = bench_new();
    struct cell cell = take(&bench, "libssh", "trickle", "{\"seconds\":60,\"rate\":77}", false, 3 * NS_PER_S);
    cr_expect_str_eq(cell.ended, "timeout", "%s: %s", cell.ended, cell.message);
    AUTO_ERROR err = ERROR_INIT;
    struct deadline deadline = deadline_in(5 * NS_PER_S);
    int left;
    while ((left = lab_processes("head -c 77 /dev/zero")) > 0 && !deadline_over(deadline))
        moment_sleep(20 * NS_PER_MS);
    cr_expect_eq(left, 0);
    cell_clear(&cell);
    bench_end(&bench);
}
