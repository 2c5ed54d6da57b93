/* A tailscaled that answers on its socket decides by its own flag. The devices of a real kernel are in
 * system/inventory.c. */
#include "tailnet/tun.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static char *path;
static pid_t server = -1;

static void begin(void)
{
    memcpy(folder, "/tmp/triphase-tun.XXXXXX", sizeof("/tmp/triphase-tun.XXXXXX"));
    cr_assert(mkdtemp(folder));
    path = file_join(folder, "tailscaled.sock");
}

static void stop(void)
{
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    server = -1;
}

static void end(void)
{
    stop();
    file_remove_tree(folder, NULL);
    free(path);
}

TestSuite(tun, .init = begin, .fini = end);

/* A daemon on the socket that answers every request with these bytes; NULL: takes the connection and says
 * nothing. */
static void serve(const char *answer)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 4) == 0);
    server = fork();
    cr_assert(server >= 0);
    if (server == 0) {
        for (;;) {
            int connection = accept(fd, NULL, NULL);
            char request[4096];
            ssize_t got = recv(connection, request, sizeof(request), 0);
            if (answer && got > 0) {
                (void)!write(connection, answer, strlen(answer));
                close(connection);
            }
        }
    }
    close(fd);
}

static struct tun_evidence look(void)
{
    struct tun_evidence evidence;
    tun_look(path, &evidence);
    return evidence;
}

#define STATUS(tun)                                                                                  \
    "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"Version\":\"1.102.3\",\"TUN\":" tun \
    ",\"BackendState\":\"Running\"}"

Test(tun, a_daemon_with_a_tun_decides)
{
    serve(STATUS("true"));
    struct tun_evidence evidence = look();
    cr_assert_eq(evidence.verdict, TUN_IN_USE);
    cr_assert(tun_is_usable(&evidence));
    cr_assert(evidence.device_looked, "what could be had is said beside the daemon's word");
    cr_assert_str_eq(evidence.daemon_version, "1.102.3");
    AUTO_JSON *json = tun_json(&evidence);
    cr_assert_str_eq(json_get_string(json, "verdict", ""), "in-use");
    tun_clear(&evidence);
}

Test(tun, a_daemon_without_a_tun_decides_though_the_device_is_there)
{
    serve(STATUS("false"));
    struct tun_evidence evidence = look();
    cr_assert_eq(evidence.verdict, TUN_USERSPACE);
    cr_assert_not(tun_is_usable(&evidence));
    tun_clear(&evidence);
}

Test(tun, what_is_no_tailscaled_decides_nothing)
{
    static const char *const answers[] = {
        "HTTP/1.0 200 OK\r\n\r\n{}",
        "HTTP/1.0 403 Forbidden\r\n\r\n{\"BackendState\":\"Running\",\"TUN\":true}",
        "SSH-2.0-x\r\n",
        "\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n[1, 2",
        "HTTP/1.0 200 OK\r\n\r\n{\"TUN\":true}"};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        serve(answers[i]);
        struct tun_evidence evidence = look();
        cr_assert_not(evidence.daemon_answers, "%s", answers[i]);
        cr_assert(evidence.device_looked);
        cr_assert_not_null(evidence.daemon_error);
        tun_clear(&evidence);
        stop();
        unlink(path);
    }
}

Test(tun, a_daemon_that_hangs_is_not_waited_for)
{
    serve(NULL);
    int64_t since = moment_monotonic();
    struct tun_evidence evidence = look();
    cr_assert_lt(moment_monotonic() - since, 4 * NS_PER_S);
    cr_assert_not(evidence.daemon_answers);
    cr_assert(strstr(evidence.daemon_error, "does not answer"));
    tun_clear(&evidence);
}

Test(tun, no_socket_at_all_says_so)
{
    struct tun_evidence evidence = look();
    AUTO_FREE char *text = tun_text(&evidence);
    cr_assert(strstr(text, "no tailscaled answers at"), "%s", text);
    cr_assert(strstr(text, "No such file"), "%s", text);
    tun_clear(&evidence);
}

/* Whoever shows it has the one exact advice beside it (tailnet/tun_advice.h). */
Test(tun, its_text_says_what_was_seen_and_gives_no_advice)
{
    static const char *const advice[] = {"modprobe", "--cap-add", "--device", "tailnet-userspace", "restart"};
    char socket[] = "/run/x.sock", nobody[] = "Connection refused", version[] = "1.102.3", up[] = "Running";
    for (enum tun_verdict verdict = TUN_IN_USE; verdict <= TUN_NO_CAPABILITY; verdict++) {
        const struct tun_evidence evidence = {.verdict = verdict,
                                              .device_looked = true,
                                              .device_present = verdict != TUN_ABSENT,
                                              .device_opens = verdict != TUN_NOT_OPENABLE,
                                              .net_admin = verdict != TUN_NO_CAPABILITY,
                                              .device_errno = verdict == TUN_ABSENT ? ENOENT : EPERM,
                                              .daemon_socket = socket,
                                              .daemon_version = version,
                                              .daemon_state = up,
                                              .daemon_error = nobody};
        AUTO_FREE char *text = tun_text(&evidence);
        cr_expect(strstr(text, socket) != NULL, "%s", text);
        for (size_t i = 0; i < COUNT_OF(advice); i++)
            cr_expect(!strstr(text, advice[i]), "'%s' advises %s", text, advice[i]);
    }
}
