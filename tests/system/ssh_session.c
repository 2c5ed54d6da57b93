/* One SSH connection in this process: against a real sshd, and against servers that are none. */
#include "net/ssh_session.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/number.h"
#include "lab/climb.h"
#include "process/child.h"
#include "process/program.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define cr_has(text, part) cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

TestSuite(ssh_session, .timeout = 100);

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

struct fixture {
    struct lab *lab;
    int port;
    char *known, *key;
    const char *known_list[3], *key_list[3];
    struct ssh_session *session;
    struct ssh_session_login login;
    struct error err;
};

static void know(struct fixture *fixture, const char *name, const char *key_line)
{
    lab_write(fixture->lab, "known", "%s %s\n", name, key_line);
}

static struct fixture fixture_new(void)
{
    struct fixture made = {.lab = lab_new()};
    made.port = lab_sshd(made.lab);
    made.known = lab_keep(file_join(lab_folder(made.lab), "known"));
    made.key = lab_keep(file_join(lab_folder(made.lab), "key"));
    made.known_list[0] = made.known;
    made.key_list[0] = made.key;
    AUTO_FREE char *line = lab_read(made.lab, "sshd/host_key.pub");
    know(&made, "triphase-x", line);
    return made;
}

static struct ssh_session_order order_of(struct fixture *fixture)
{
    return (struct ssh_session_order){.fd = connect_to(fixture->port),
                                      .host = "127.0.0.1",
                                      .user = "root",
                                      .port = fixture->port,
                                      .host_key_alias = "triphase-x",
                                      .known_hosts = fixture->known_list,
                                      .keys = fixture->key_list};
}

static int log_in(struct fixture *fixture, const struct ssh_session_order *order)
{
    error_clear(&fixture->err);
    return ssh_session_open(order, deadline_in(10 * NS_PER_S), &fixture->session, &fixture->login,
                            &fixture->err);
}

static struct fixture session_new(void)
{
    struct fixture made = fixture_new();
    struct ssh_session_order order = order_of(&made);
    cr_assert(log_in(&made, &order) == 0, "%s", error_text(&made.err));
    return made;
}

static void fixture_end(struct fixture *fixture)
{
    ssh_session_close(&fixture->session);
    error_clear(&fixture->err);
}

static void run(struct fixture *fixture, const struct ssh_channel_work *work, struct ssh_channel_end *end)
{
    cr_assert(ssh_session_run(fixture->session, work, 1, deadline_in(30 * NS_PER_S), end, &fixture->err) == 0,
              "%s", error_text(&fixture->err));
}

Test(ssh_session, a_command_runs_and_what_it_moved_is_told)
{
    struct fixture fixture = session_new();
    struct ssh_channel_end end;
    struct ssh_channel_work work = {
        .command = "cat; echo to-stderr >&2; exit 7", .input = "hello\n", .input_bytes = 6, .keep = 100};

    run(&fixture, &work, &end);

    cr_expect_eq(end.exit_code, 7);
    cr_expect(end.ended && !end.refused);
    cr_expect_str_eq(text_string(&end.kept), "hello\n");
    cr_expect_str_eq(text_string(&end.said), "to-stderr\n");
    cr_expect_eq(end.received, 16);
    cr_expect_eq(end.sent, 6);
    cr_expect(end.begun_ns >= 0 && end.begun_ns <= end.first_byte_ns && end.last_byte_ns <= end.end_ns);
    cr_expect_eq(fixture.login.rung, SSH_RUNG_DONE);
    cr_expect(fixture.login.banner_ns >= 0 && fixture.login.key_exchange_ns > 0 && fixture.login.auth_ns > 0);
    cr_has(fixture.login.banner, "SSH-2.0-OpenSSH");
    ssh_channel_end_clear(&end);
    fixture_end(&fixture);
}

Test(ssh_session, bulk_both_ways_is_counted_to_the_byte)
{
    enum { BYTES = 20 * 1024 * 1024 };
    struct fixture fixture = session_new();
    struct ssh_channel_end down, up;
    struct ssh_channel_work works[] = {{.command = "head -c 20971520 /dev/zero"},
                                       {.command = "wc -c", .input_bytes = BYTES, .keep = 100}};

    run(&fixture, &works[0], &down);
    run(&fixture, &works[1], &up);

    cr_expect_eq(down.received, BYTES);
    cr_expect_eq(up.sent, BYTES);
    cr_has(text_string(&up.kept), "20971520");
    ssh_channel_end_clear(&down);
    ssh_channel_end_clear(&up);
    fixture_end(&fixture);
}

Test(ssh_session, a_throttled_channel_takes_as_long_as_its_rate_says)
{
    struct fixture fixture = session_new();
    struct ssh_channel_end end;
    struct ssh_channel_work work = {.command = "head -c 300000 /dev/zero", .throttle = 200000};

    run(&fixture, &work, &end);

    cr_expect_eq(end.received, 300000);
    cr_expect(end.end_ns > 1400 * NS_PER_MS && end.end_ns < 2500 * NS_PER_MS, "%ld", (long)end.end_ns);
    ssh_channel_end_clear(&end);
    fixture_end(&fixture);
}

Test(ssh_session, a_gap_of_more_than_a_second_is_a_stall)
{
    struct fixture fixture = session_new();
    struct ssh_channel_end end, even;
    struct ssh_channel_work works[] = {{.command = "echo a; sleep 1.5; echo b"},
                                       {.command = "for i in 1 2 3; do echo $i; sleep 0.6; done"}};

    run(&fixture, &works[0], &end);
    run(&fixture, &works[1], &even);

    cr_expect_eq(end.stalls, 1);
    cr_expect_gt(end.longest_gap_ns, 1400 * NS_PER_MS);
    cr_expect_eq(even.stalls, 0);
    ssh_channel_end_clear(&end);
    ssh_channel_end_clear(&even);
    fixture_end(&fixture);
}

Test(ssh_session, channels_beyond_the_hosts_limit_are_refused_and_the_others_run)
{
    enum { MANY = 13 };
    struct fixture fixture = session_new();
    struct ssh_channel_work works[MANY];
    struct ssh_channel_end ends[MANY];
    for (int i = 0; i < MANY; i++)
        works[i] = (struct ssh_channel_work){.command = "sleep 0.5; echo x", .keep = 10};

    cr_assert(ssh_session_run(fixture.session, works, MANY, deadline_in(20 * NS_PER_S), ends, &fixture.err) ==
                  0,
              "%s", error_text(&fixture.err));

    int refused = 0, ran = 0;
    for (int i = 0; i < MANY; i++) {
        refused += ends[i].refused;
        ran += ends[i].exit_code == 0 && ends[i].received == 2;
        ssh_channel_end_clear(&ends[i]);
    }
    cr_expect_eq(refused, 3, "MaxSessions is 10");
    cr_expect_eq(ran, 10);
    fixture_end(&fixture);
}

Test(ssh_session, only_a_known_host_key_is_taken)
{
    struct fixture fixture = fixture_new();
    AUTO_FREE char *line = lab_read(fixture.lab, "sshd/host_key.pub"),
                   *other = lab_read(fixture.lab, "key.pub");
    AUTO_FREE char *named = xasprintf("[127.0.0.1]:%d", fixture.port);
    AUTO_FREE char *revoked = xasprintf("%s@revoked triphase-x %s", line, line);
    const struct {
        const char *name, *line, *alias, *says;
    } cases[] = {{"triphase-x", other, "triphase-x", "another key"},
                 {"triphase-y", line, "triphase-x", "no key of the host is known"},
                 {"triphase-x", revoked, "triphase-x", "revoked"},
                 {"127.0.0.1", line, NULL, "no key of the host is known"},
                 {named, line, NULL, NULL}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        know(&fixture, cases[i].name, cases[i].line);
        struct ssh_session_order order = order_of(&fixture);
        order.host_key_alias = cases[i].alias;
        int status = log_in(&fixture, &order);
        if (!cases[i].says) {
            cr_expect_eq(status, 0, "%s", error_text(&fixture.err));
            continue;
        }
        cr_expect_lt(status, 0, "case %zu", i);
        cr_expect_eq(fixture.login.end, SSH_END_HOST_KEY);
        cr_expect_eq(fixture.login.rung, SSH_RUNG_HOST_KEY);
        cr_has(error_text(&fixture.err), cases[i].says);
    }
    fixture_end(&fixture);
}

Test(ssh_session, a_key_in_a_later_file_is_known_too)
{
    struct fixture fixture = fixture_new();
    fixture.known_list[0] = "/nonexistent/known_hosts";
    fixture.known_list[1] = fixture.known;
    struct ssh_session_order order = order_of(&fixture);
    cr_expect_eq(log_in(&fixture, &order), 0, "%s", error_text(&fixture.err));
    fixture_end(&fixture);
}

static char *make_key(struct lab *lab, const char *name, const char *passphrase)
{
    AUTO_ERROR err = ERROR_INIT;
    char *path = lab_keep(file_join(lab_folder(lab), name));
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase,
                         "-f", path, NULL) == 0,
              "%s", error_text(&err));
    return path;
}

Test(ssh_session, a_key_that_is_not_taken_is_told_by_its_name)
{
    struct fixture fixture = fixture_new();
    fixture.key_list[0] = make_key(fixture.lab, "other", "");
    struct ssh_session_order order = order_of(&fixture);

    cr_assert_lt(log_in(&fixture, &order), 0);

    cr_expect_eq(fixture.login.end, SSH_END_AUTH);
    cr_expect_eq(fixture.login.rung, SSH_RUNG_AUTH);
    cr_expect_eq(fixture.err.kind, ERROR_UNREACHABLE);
    cr_has(error_text(&fixture.err), fixture.key_list[0]);
    fixture_end(&fixture);
}

Test(ssh_session, a_key_with_a_passphrase_asks_nobody_and_the_next_one_is_tried)
{
    struct fixture fixture = fixture_new();
    fixture.key_list[0] = make_key(fixture.lab, "closed", "a passphrase");
    fixture.key_list[1] = fixture.key;
    struct ssh_session_order order = order_of(&fixture);
    cr_expect_eq(log_in(&fixture, &order), 0, "%s", error_text(&fixture.err));
    fixture_end(&fixture);
}

Test(ssh_session, an_agent_logs_in_with_the_key_that_it_holds)
{
    struct fixture fixture = fixture_new();
    AUTO_FREE char *socket_path = file_join(lab_folder(fixture.lab), "agent");
    struct child agent = CHILD_INIT;
    AUTO_ERROR err = ERROR_INIT;
    struct child_plan plan = {.argv = (const char *const[]){"ssh-agent", "-D", "-a", socket_path, NULL},
                              .in = -1,
                              .out = -1,
                              .error = -1,
                              .die_with_parent = true};
    cr_assert(child_start(&plan, &agent, &err) == 0, "%s", error_text(&err));
    cr_assert(lab_until_file(fixture.lab, 5, "agent"));
    AUTO_FREE char *variable = xasprintf("SSH_AUTH_SOCK=%s", socket_path);
    cr_assert(program_do(5 * NS_PER_S, NULL, &err, "env", variable, "ssh-add", "-q", fixture.key, NULL) == 0,
              "%s", error_text(&err));
    struct ssh_session_order order = order_of(&fixture);
    order.keys = NULL;
    order.agent_socket = socket_path;

    cr_expect_eq(log_in(&fixture, &order), 0, "%s", error_text(&fixture.err));

    child_signal(&agent, SIGTERM);
    child_await(&agent, 5 * NS_PER_S);
    child_close(&agent);
    fixture_end(&fixture);
}

/* A server of sh: says what it is given, then does as told. */
static int64_t meet(const char *script, struct ssh_session_login *login, struct error *err)
{
    int ends[2];
    struct child server = CHILD_INIT;
    struct ssh_session *session = NULL;
    cr_assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    struct child_plan plan = {.argv = (const char *const[]){"/bin/sh", "-c", script, NULL},
                              .in = ends[1],
                              .out = ends[1],
                              .error = -1,
                              .die_with_parent = true};
    cr_assert(child_start(&plan, &server, err) == 0, "%s", error_text(err));
    close(ends[1]);
    struct ssh_session_order order = {.fd = ends[0], .host = "hostile", .user = "root", .port = 22};
    int64_t since = moment_monotonic();
    cr_expect_lt(ssh_session_open(&order, deadline_in(2 * NS_PER_S), &session, login, err), 0);
    int64_t took = moment_monotonic() - since;
    child_signal(&server, SIGKILL);
    child_await(&server, 5 * NS_PER_S);
    child_close(&server);
    return took;
}

Test(ssh_session, servers_that_are_silent_close_or_speak_another_tongue_end_within_the_bound)
{
    enum {
        SILENT = 1 << SSH_END_SILENT,
        /* what was not read makes a reset of a close */
        CLOSED = 1 << SSH_END_CLOSED | 1 << SSH_END_RESET,
        FOREIGN = CLOSED | 1 << SSH_END_PROTOCOL
    };
    static const struct {
        const char *script;
        enum ssh_rung rung;
        unsigned ends;
    } cases[] = {{"exec sleep 20", SSH_RUNG_BANNER, SILENT},
                 {"printf 'SSH-2.0-hostile\\r\\n'; exec sleep 20", SSH_RUNG_KEY_EXCHANGE, SILENT},
                 {"exit 0", SSH_RUNG_BANNER, CLOSED},
                 {"printf 'SSH-2.0-hostile\\r\\n'; timeout 0.3 cat >/dev/null", SSH_RUNG_KEY_EXCHANGE,
                  CLOSED},
                 {"printf 'SSH-2.0-hostile\\r\\n'; sleep 0.2; head -c 9000 /dev/zero; exec sleep 20",
                  SSH_RUNG_KEY_EXCHANGE, FOREIGN},
                 {"head -c 9000 /dev/zero | tr '\\0' x; exec sleep 20", SSH_RUNG_BANNER, FOREIGN}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct ssh_session_login login;
        AUTO_ERROR err = ERROR_INIT;
        int64_t took = meet(cases[i].script, &login, &err);
        cr_expect_eq(login.rung, cases[i].rung, "%s: %s: %s", cases[i].script, ssh_rung_name(login.rung),
                     error_text(&err));
        cr_expect(cases[i].ends >> login.end & 1, "%s: %s: %s", cases[i].script, ssh_end_name(login.end),
                  error_text(&err));
        bool at_once = cases[i].ends != SILENT;
        cr_expect_eq(err.kind, at_once ? ERROR_UNREACHABLE : ERROR_DEADLINE);
        cr_expect_lt(took, at_once ? 1500 * NS_PER_MS : 3 * NS_PER_S, "%s took %ld ms", cases[i].script,
                     (long)(took / NS_PER_MS));
    }
}

/* The process of sshd that has the session, which is the listener's only child. */
static pid_t session_process(struct fixture *fixture)
{
    AUTO_TEXT out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *parent = xasprintf("%d", (int)lab_sshd_pid(fixture->lab));
    cr_assert(program_do(5 * NS_PER_S, &out, &err, "pgrep", "-P", parent, NULL) == 0, "%s", error_text(&err));
    int pid = 0;
    text_truncate(&out, strcspn(text_string(&out), "\n"));
    cr_assert(number_parse_int(text_string(&out), 1, 1 << 22, &pid, &err) == 0, "%s", error_text(&err));
    return pid;
}

Test(ssh_session, a_server_that_stops_is_told_by_the_own_echo_and_by_the_deadline)
{
    struct fixture fixture = session_new();
    int64_t times[3] = {0};
    cr_assert_eq(ssh_session_echo(fixture.session, 64, 3, 5 * NS_PER_S, times, &fixture.err), 3, "%s",
                 error_text(&fixture.err));
    cr_expect(times[0] > 0 && times[2] > 0 && times[2] < NS_PER_S);
    struct tcp_state tcp;
    cr_assert_eq(ssh_session_tcp(fixture.session, &tcp, NULL), 0);
    cr_expect_str_eq(tcp.state, "established");
    cr_expect(strstr(tcp.remote, "127.0.0.1:") == tcp.remote, "%s", tcp.remote);
    pid_t stopped = session_process(&fixture);
    kill(stopped, SIGSTOP);
    int64_t since = moment_monotonic();

    cr_expect_eq(ssh_session_echo(fixture.session, 64, 3, NS_PER_S, times, &fixture.err), -1);

    cr_expect_lt(moment_monotonic() - since, 2 * NS_PER_S);
    cr_expect_eq(ssh_session_ended(fixture.session), SSH_END_SILENT);
    cr_expect_eq(fixture.err.kind, ERROR_DEADLINE);
    struct ssh_channel_end end;
    struct ssh_channel_work work = {.command = "cat >/dev/null", .input_bytes = 50 * 1024 * 1024};
    error_clear(&fixture.err);
    cr_expect_lt(ssh_session_run(fixture.session, &work, 1, deadline_in(NS_PER_S), &end, &fixture.err), 0);
    cr_expect_eq(fixture.err.kind, ERROR_DEADLINE);
    cr_expect_eq(end.ended, false);
    ssh_channel_end_clear(&end);
    kill(stopped, SIGKILL);
    kill(stopped, SIGCONT);
    fixture_end(&fixture);
}

Test(ssh_session, a_connection_that_is_killed_in_the_middle_keeps_what_came_until_then)
{
    struct fixture fixture = session_new();
    struct ssh_channel_end end;
    AUTO_FREE char *command =
        xasprintf("head -c 100000 /dev/zero; sleep 1; kill -9 %d; sleep 20", (int)session_process(&fixture));
    struct ssh_channel_work work = {.command = command};

    cr_expect_lt(ssh_session_run(fixture.session, &work, 1, deadline_in(20 * NS_PER_S), &end, &fixture.err),
                 0);

    cr_expect_eq(fixture.err.kind, ERROR_UNREACHABLE);
    cr_expect_eq(end.received, 100000, "%zu", (size_t)end.received);
    cr_expect(!end.ended && end.last_byte_ns >= 0 && end.end_ns - end.last_byte_ns > 200 * NS_PER_MS,
              "%ld %ld", (long)end.last_byte_ns, (long)end.end_ns);
    cr_expect(ssh_session_ended(fixture.session) == SSH_END_CLOSED ||
              ssh_session_ended(fixture.session) == SSH_END_RESET);
    ssh_channel_end_clear(&end);
    fixture_end(&fixture);
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 3; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* libssh closes its own when the connection breaks, and the number may be another file's then. */
Test(ssh_session, a_session_closes_its_own_descriptors_and_nobody_elses)
{
    enum { FILES = 20 };
    struct fixture fixture = fixture_new();
    int before = open_descriptors(), files[FILES];
    struct ssh_session_order order = order_of(&fixture);
    cr_assert(log_in(&fixture, &order) == 0, "%s", error_text(&fixture.err));
    struct ssh_channel_end end;
    AUTO_FREE char *command = xasprintf("kill -9 %d; sleep 20", (int)session_process(&fixture));
    struct ssh_channel_work work = {.command = command};
    cr_expect_lt(ssh_session_run(fixture.session, &work, 1, deadline_in(20 * NS_PER_S), &end, &fixture.err),
                 0);
    ssh_channel_end_clear(&end);
    for (size_t i = 0; i < FILES; i++)
        files[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);

    fixture_end(&fixture);

    for (size_t i = 0; i < FILES; i++)
        cr_expect_eq(close(files[i]), 0, "file %zu was closed by the session", i);
    cr_expect_eq(open_descriptors(), before);
}
