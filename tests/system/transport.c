/* Climbing to a verified channel over a real sshd, and each rung on which that can end. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "lab/climb.h"
#include "lab/damage.h"
#include "process/child.h"
#include "process/program.h"
#include "transport/route.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define cr_has(text, part) cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

TestSuite(transport, .timeout = 100);

static void expect_failure(struct climb *fixture, const char *rung, const char *cause, int64_t bound)
{
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    int64_t since = moment_monotonic();
    cr_assert(climb_up(fixture, false, bound, &result, &err) < 0);
    cr_expect_eq(err.kind, ERROR_UNREACHABLE);
    cr_expect_str_eq(result.rung, rung, "%s", error_text(&err));
    cr_expect_str_eq(result.cause, cause, "%s", error_text(&err));
    cr_has(error_text(&err), cause);
    cr_expect_str_eq(json_get_string(result.evidence, "failed_rung", ""), rung);
    cr_expect_lt(moment_monotonic() - since, bound + 5 * NS_PER_S);
    transport_result_clear(&result);
}

Test(transport, every_rung_is_taken_and_the_master_stays)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(climb_up(&fixture, false, 30 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    cr_assert_str_eq(result.rung, "done");
    cr_assert_not_null(result.python);
    cr_assert(file_exists(result.control_path));
    static const char *const rungs[] = {"tcp",  "banner",  "key-exchange", "host-key",
                                        "auth", "channel", "output"};
    const struct json *taken = json_get(result.evidence, "rungs");
    cr_assert_eq(json_count(taken), COUNT_OF(rungs));
    for (size_t i = 0; i < COUNT_OF(rungs); i++)
        cr_expect_str_eq(json_get_string(json_at(taken, i), "rung", ""), rungs[i]);
    cr_expect(text_starts(json_get_string(json_at(taken, 1), "saw", ""), "SSH-2.0-"));
    transport_result_clear(&result);
    /* Again: the one that is there is verified and kept. */
    cr_assert(climb_up(&fixture, false, 30 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    cr_expect(json_get_bool(result.evidence, "kept"));
    cr_expect_eq(json_count(json_get(result.evidence, "rungs")), 2);
    transport_result_clear(&result);
    climb_end(&fixture);
}

Test(transport, a_socket_without_its_master_is_replaced)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(climb_up(&fixture, false, 30 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    /* A socket that nobody listens on, as a killed master leaves it. */
    AUTO_FREE char *path = xstrdup(result.control_path);
    AUTO_FREE char *aside = xasprintf("%s.aside", path);
    cr_assert(rename(path, aside) == 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr address = {.sa_family = AF_UNIX};
    char buffer[128] = {0};
    memcpy(buffer, &address, sizeof(address.sa_family));
    memcpy(buffer + sizeof(address.sa_family), path, strlen(path) + 1);
    cr_assert(bind(fd, (const struct sockaddr *)buffer,
                   (socklen_t)(sizeof(address.sa_family) + strlen(path) + 1)) == 0);
    close(fd);
    transport_result_clear(&result);
    cr_assert(climb_up(&fixture, false, 30 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    cr_expect_not(json_get_bool(result.evidence, "kept"));
    transport_result_clear(&result);
    climb_end(&fixture);
}

/* A frozen master hangs whoever asks it, so it is asked under a timer. */
Test(transport, a_frozen_master_is_replaced_in_seconds)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_TEXT found = TEXT_INIT;
    cr_assert(climb_up(&fixture, false, 30 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    AUTO_FREE char *needle = xasprintf("ControlPath=%s/", fixture.sockets);
    cr_assert(program_do(5 * NS_PER_S, &found, &err, "pgrep", "-f", "--", needle, NULL) == 0, "%s",
              error_text(&err));
    pid_t master = (pid_t)strtol(text_string(&found), NULL, 10);
    cr_assert(master > 1 && kill(master, SIGSTOP) == 0);
    transport_result_clear(&result);
    int64_t since = moment_monotonic();
    int status = climb_up(&fixture, false, 30 * NS_PER_S, &result, &err);
    kill(master, SIGKILL);
    cr_assert(status == 0, "%s", error_text(&err));
    cr_expect_not(json_get_bool(result.evidence, "kept"));
    cr_expect_lt(moment_monotonic() - since, 8 * NS_PER_S);
    transport_result_clear(&result);
    climb_end(&fixture);
}

Test(transport, each_failure_is_told_by_rung_and_cause)
{
    struct climb fixture = climb_begin();
    int port = fixture.machine->port, silent_port = 0;
    int silent = climb_listener(&silent_port);
    fixture.machine->port = silent_port;
    expect_failure(&fixture, "banner", "banner-timeout", 2 * NS_PER_S);
    close(silent);
    expect_failure(&fixture, "tcp", "refused", 5 * NS_PER_S);
    fixture.machine->port = port;

    AUTO_FREE char *address = TAKE(fixture.machine->address);
    fixture.machine->address = xstrdup("no-such-host.invalid");
    expect_failure(&fixture, "tcp", "dns", 20 * NS_PER_S);
    free(fixture.machine->address);
    fixture.machine->address = TAKE(address);

    AUTO_FREE char *key = TAKE(fixture.machine->key);
    fixture.machine->key = file_join(lab_folder(fixture.lab), "sshd/host_key");
    expect_failure(&fixture, "auth", "auth", 20 * NS_PER_S);
    free(fixture.machine->key);
    fixture.machine->key = TAKE(key);

    char *known = fixture.machine->host_keys.items[0];
    fixture.machine->host_keys.items[0] =
        xstrdup("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGgHDzmuvpWtEVX9tgiHIcOJMcnWzKZr0QDyBtLDWBKB");
    expect_failure(&fixture, "host-key", "host-key", 20 * NS_PER_S);
    free(fixture.machine->host_keys.items[0]);
    fixture.machine->host_keys.items[0] = known;
    climb_end(&fixture);
}

Test(transport, a_path_that_carries_a_word_but_no_page_is_found)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    /* What a path-MTU hole does, done by a login shell: the long answer never comes. */
    AUTO_FREE char *key = lab_read(fixture.lab, "key.pub");
    lab_write(fixture.lab, "key.pub", "command=\"/bin/sh | { head -c 600; exec sleep 60; }\" %s", key);
    cr_assert(climb_up(&fixture, false, 4 * NS_PER_S, &result, &err) < 0);
    cr_expect_str_eq(result.rung, "output", "%s", error_text(&err));
    cr_has(error_text(&err), "MTU");
    transport_result_clear(&result);
    climb_end(&fixture);
}

Test(transport, a_login_shell_that_talks_does_not_confuse)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *key = lab_read(fixture.lab, "key.pub");
    lab_write(fixture.lab, "key.pub",
              "command=\"echo session=evil; echo python=/tmp/evil; echo done=1; eval "
              "\\\"$SSH_ORIGINAL_COMMAND\\\"; echo python=/tmp/evil\" %s",
              key);
    cr_assert(climb_up(&fixture, false, 20 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    cr_expect_neq(strcmp(result.python, "/tmp/evil"), 0);
    transport_result_clear(&result);
    climb_end(&fixture);
}

/* What waits: a host that comes up while it is asked for. */
Test(transport, a_host_that_is_starting_is_waited_for)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    int port = 0;
    close(climb_listener(&port));
    fixture.machine->port = port;
    AUTO_FREE char *config = file_join(lab_folder(fixture.lab), "sshd/config");
    AUTO_FREE char *option = xasprintf("Port=%d", port);
    AUTO_FREE char *script = xasprintf("exec /usr/sbin/sshd -D -f '%s' -o %s", config, option);
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    /* Stopped until the climb has begun, so that it is refused first. */
    struct child late = CHILD_INIT;
    struct child_plan plan = {.argv = (const char *const[]){"/bin/sh", "-c", "kill -STOP $$; exec \"$@\"",
                                                            "sh", argv[0], argv[1], argv[2], NULL},
                              .in = -1,
                              .out = -1,
                              .error = -1,
                              .die_with_parent = true};
    cr_assert(child_start(&plan, &late, &err) == 0, "%s", error_text(&err));
    struct child waker = CHILD_INIT;
    AUTO_FREE char *wake = xasprintf("sleep 0.4; kill -CONT %d", (int)late.pid);
    struct child_plan waking = {.argv = (const char *const[]){"/bin/sh", "-c", wake, NULL},
                                .in = -1,
                                .out = -1,
                                .error = -1,
                                .die_with_parent = true};
    cr_assert(child_start(&waking, &waker, &err) == 0, "%s", error_text(&err));
    int status = climb_up(&fixture, true, 30 * NS_PER_S, &result, &err);
    cr_expect(status == 0, "%s", error_text(&err));
    cr_expect_gt(json_get_integer(result.evidence, "attempts", 0), 2);
    transport_result_clear(&result);
    transport_close_masters(fixture.sockets, NULL);
    child_signal(&late, SIGKILL);
    child_signal(&waker, SIGKILL);
    child_close(&late);
    child_close(&waker);
    climb_end(&fixture);
}

Test(transport, a_way_that_this_machine_cannot_take_gives_way_to_the_next_of_the_list)
{
    struct lab *lab = damage_lab("", "play; task one; finish");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    lab_write(lab, "triphase.yml", "%s    transport: [tailnet-userspace, direct]\n", project);
    AUTO_FREE char *socket = file_join(lab_folder(lab), "no.sock");
    lab_environment(lab, "TAILSCALE_SOCKET", socket);

    struct lab_result made = lab_run(lab, "create", "host", NULL);

    cr_assert_eq(made.code, 0, "%s", made.err);
    AUTO_FREE char *evidence = lab_sql(lab, "SELECT evidence FROM step WHERE kind = 'phase'");
    AUTO_FREE char *carried = lab_sql(lab, "SELECT transport FROM step WHERE kind = 'phase'");
    cr_expect_str_eq(carried, "direct");
    cr_has(evidence, "tailnet-userspace");
    cr_has(evidence, socket);
}
