/* TCP connections from outside: real ones over the loopback of a network of the test's own,
 * with packets that vanish. */
#include "net/tcp_state.h"

#include "base/memory.h"
#include "base/moment.h"
#include "net/socket_diag.h"
#include "process/program.h"
#include "unit/hostile.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(tcp_state, .fini = hostile_clean);

static void shell(const char *command)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do(10 * NS_PER_S, NULL, &err, "sh", "-c", command, NULL) == 0, "%s: %s", command,
              error_text(&err));
}

static void go_private(void)
{
    if (unshare(CLONE_NEWNET) < 0)
        cr_skip_test("no network namespace is to be had");
    shell("ip link set lo up");
}

struct pair {
    int client, server;
    uint16_t port;
};

static struct pair connect_pair(int family)
{
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    struct sockaddr_in *v4 = (void *)&address;
    struct sockaddr_in6 *v6 = (void *)&address;
    socklen_t length = family == AF_INET ? sizeof *v4 : sizeof *v6;
    if (family == AF_INET)
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        v6->sin6_addr = in6addr_loopback;
    int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pair pair = {.client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    cr_assert(bind(listener, (void *)&address, length) == 0 && listen(listener, 1) == 0);
    cr_assert(getsockname(listener, (void *)&address, &length) == 0);
    cr_assert(connect(pair.client, (void *)&address, length) == 0);
    pair.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    pair.port = ntohs(family == AF_INET ? v4->sin_port : v6->sin6_port);
    close(listener);
    return pair;
}

/* The client's end: both are this process's. */
static struct tcp_socket client_of(const struct pair *pair)
{
    struct tcp_socket found[4];
    AUTO_ERROR err = ERROR_INIT;
    int count = tcp_state_find(getpid(), found, 4, &err);
    cr_assert(count >= 2, "%d connections: %s", count, error_text(&err));
    AUTO_FREE char *end = xasprintf(":%u", pair->port);
    for (int i = 0; i < count; i++) {
        struct tcp_state state;
        cr_assert_eq(tcp_state_look(&found[i], &state, &err), 0, "%s", error_text(&err));
        if (text_ends(state.remote, end))
            return found[i];
    }
    cr_assert_fail("the client's end was not found");
    return found[0];
}

struct wanted {
    struct tcp_socket socket;
    struct tcp_state state;
    unsigned unacked_least, backoff_least;
    bool settled;
};

static bool has_come(const void *context)
{
    struct wanted *wanted = (void *)(uintptr_t)context;
    cr_assert_eq(tcp_state_look(&wanted->socket, &wanted->state, NULL), 0);
    return wanted->settled ? wanted->state.unacked == 0
                           : wanted->state.unacked >= wanted->unacked_least &&
                                 wanted->state.backoff >= wanted->backoff_least;
}

static void check_family(int family, const char *drop, const char *pass, const char *remote)
{
    struct pair pair = connect_pair(family);
    struct wanted wanted = {.socket = client_of(&pair), .unacked_least = 1, .backoff_least = 3};
    struct tcp_state state;
    cr_assert(write(pair.client, "hello", 5) == 5);
    wanted.settled = true;
    cr_assert(hostile_wait(has_come, &wanted, 2000));
    state = wanted.state;
    AUTO_FREE char *expected = xasprintf("%s:%u", remote, pair.port);
    cr_expect_str_eq(state.remote, expected);
    cr_expect_str_eq(state.state, "established");
    cr_expect(state.established && state.backoff == 0 && state.send_queue == 0 && state.receive_queue == 0);
    cr_expect(state.ack_age_ns < NS_PER_S && state.rtt_ns > 0 && state.rto_ns >= 200 * NS_PER_MS);

    shell(drop);
    int64_t since = moment_monotonic();
    cr_assert(write(pair.client, "into nothing", 12) == 12);
    wanted.settled = false;
    cr_assert(hostile_wait(has_come, &wanted, 8000), "unacked %u, backoff %u", wanted.state.unacked,
              wanted.state.backoff);
    int64_t waited = moment_monotonic() - since;
    cr_expect_eq(wanted.state.send_queue, 12U);
    cr_expect_eq(wanted.state.timer, TCP_TIMER_RETRANSMIT);
    cr_expect(wanted.state.timer_ns > 0 && wanted.state.retransmits >= 3);
    /* Jiffies: up to 10 ms off. */
    cr_expect(wanted.state.ack_age_ns >= waited - 20 * NS_PER_MS, "%lld ms of %lld",
              (long long)(wanted.state.ack_age_ns / NS_PER_MS), (long long)(waited / NS_PER_MS));

    shell(pass);
    wanted.settled = true;
    cr_assert(hostile_wait(has_come, &wanted, 10000));
    cr_expect_eq(wanted.state.backoff, 0U);

    char unread[100];
    cr_assert(write(pair.server, unread, 77) == 77);
    wanted.settled = true;
    cr_assert(hostile_wait(has_come, &wanted, 1000));
    cr_expect_eq(wanted.state.receive_queue, 77U);
    struct linger hard = {1, 0};
    setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(pair.client);
    cr_expect_eq(tcp_state_look(&wanted.socket, &state, NULL), 1, "a connection that is gone is told");
    close(pair.server);
}

Test(tcp_state, packets_that_vanish_show_as_unacknowledged_and_backing_off_over_ipv4)
{
    go_private();
    check_family(AF_INET, "iptables -A INPUT -p tcp -j DROP", "iptables -F", "127.0.0.1");
}

Test(tcp_state, packets_that_vanish_show_as_unacknowledged_and_backing_off_over_ipv6)
{
    go_private();
    check_family(AF_INET6, "ip6tables -A INPUT -p tcp -j DROP", "ip6tables -F", "[::1]");
}

Test(tcp_state, a_look_costs_less_than_a_millisecond_among_many_connections)
{
    enum { PAIRS = 200, LOOKS = 200 };
    go_private();
    struct pair first = connect_pair(AF_INET);
    struct tcp_socket socket = client_of(&first);
    for (int i = 0; i < PAIRS; i++)
        connect_pair(AF_INET);
    struct tcp_state state;
    int64_t since = moment_monotonic();
    for (int i = 0; i < LOOKS; i++)
        cr_assert_eq(tcp_state_look(&socket, &state, NULL), 0);
    int64_t each = (moment_monotonic() - since) / LOOKS;
    cr_assert(hostile_is_instrumented() || each < NS_PER_MS, "%lld ns", (long long)each);
    int before = hostile_descriptors();
    tcp_state_look(&socket, &state, NULL);
    cr_assert_eq(hostile_descriptors(), before);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    cr_assert(bind(fd, (void *)&address, sizeof address) == 0 && listen(fd, 1) == 0);
    return fd;
}

static uint32_t inode_of(int fd)
{
    struct stat info;
    cr_assert(fstat(fd, &info) == 0);
    return (uint32_t)info.st_ino;
}

/* As ssh does: bound under another name, then linked to its place; and the one that stood
 * there before still lives. */
Test(tcp_state, of_two_that_listened_at_a_path_the_one_whose_file_it_is_is_found)
{
    AUTO_FREE char *path = hostile_path("mux"), *first_name = xasprintf("%s.AAAA", path),
                   *second_name = xasprintf("%s.BBBB", path);
    cr_assert_eq(socket_diag_listener(path), 0U);
    int first = listen_at(first_name);
    cr_assert(link(first_name, path) == 0 && unlink(first_name) == 0);
    cr_assert_eq(socket_diag_listener(path), inode_of(first));
    int second = listen_at(second_name);
    cr_assert(unlink(path) == 0 && link(second_name, path) == 0 && unlink(second_name) == 0);
    cr_assert_eq(socket_diag_listener(path), inode_of(second));
    pid_t none = 1, own = getpid(), pids[] = {none, own};
    cr_assert_eq(socket_diag_holder(inode_of(second), pids, 2), own);
    cr_assert_eq(socket_diag_holder(inode_of(second), pids, 1), 0);
    close(first);
    close(second);
    cr_assert_eq(socket_diag_listener(path), 0U, "a file whose listener is gone has none");
}
