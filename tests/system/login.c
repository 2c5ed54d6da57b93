/* Logins that are refused, late or penalised: what is said of them, after how many connections. */
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "lab/climb.h"
#include "lab/damage.h"
#include "process/child.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define cr_has(text, part) cr_assert(strstr((text), (part)), "'%s' does not say '%s'", (text), (part))

TestSuite(login, .timeout = 100);

static int attempts(const struct transport_result *result)
{
    return (int)json_get_integer(result->evidence, "attempts", 0);
}

/* A key that the lab's sshd does not know; its path, malloc'ed. */
static char *other_key(struct climb *fixture)
{
    char *path = file_join(lab_folder(fixture->lab), "other");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path,
                         NULL) == 0,
              "%s", error_text(&err));
    return path;
}

/* Has to be refused at once, as a host that this run neither made nor rebooted is. */
static char *expect_refusal(struct climb *fixture, const char *cause)
{
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    int64_t since = moment_monotonic();
    cr_assert(climb_up(fixture, true, 60 * NS_PER_S, &result, &err) < 0);
    cr_expect_lt(moment_monotonic() - since, 15 * NS_PER_S);
    cr_expect_str_eq(result.cause, cause, "%s", error_text(&err));
    cr_expect_eq(attempts(&result), 1);
    transport_result_clear(&result);
    return xstrdup(error_text(&err));
}

Test(login, a_refused_key_ends_at_once_with_the_words_of_ssh_the_user_and_the_key)
{
    struct climb fixture = climb_begin();
    free(fixture.machine->key);
    fixture.machine->key = other_key(&fixture);
    fixture.machine->user = xstrdup("root");

    AUTO_FREE char *said = expect_refusal(&fixture, "auth");

    cr_has(said, "root@127.0.0.1: Permission denied (publickey");
    cr_has(said, "tried as user root with the key");
    cr_has(said, fixture.machine->key);
    cr_has(said, "SHA256:");

    free(fixture.machine->user);
    fixture.machine->user = xstrdup("nobody-of-that-name");
    AUTO_FREE char *wrong_user = expect_refusal(&fixture, "auth");
    cr_has(wrong_user, "nobody-of-that-name@127.0.0.1: Permission denied");

    free(fixture.machine->key);
    fixture.machine->key = xstrdup("/nonexistent/key");
    AUTO_FREE char *absent = expect_refusal(&fixture, "auth");
    cr_has(absent, "/nonexistent/key");
    climb_end(&fixture);
}

Test(login, a_jump_host_that_is_not_known_is_told_as_such)
{
    struct climb fixture = climb_begin();
    fixture.machine->jump = xasprintf("root@localhost:%d", fixture.machine->port);
    AUTO_FREE char *said = expect_refusal(&fixture, "host-key");
    cr_has(said, "the host key of a host on the way to");
    cr_has(said, "(root@localhost:");
    cr_has(said, "Host key verification failed\nlog in there once by hand");
    climb_end(&fixture);
}

/* Changes the file of the lab's authorized key after a while. */
static struct child authorise_later(struct climb *fixture, const char *public_key, const char *seconds)
{
    AUTO_ERROR err = ERROR_INIT;
    struct child later = CHILD_INIT;
    AUTO_FREE char *authorized = file_join(lab_folder(fixture->lab), "key.pub");
    AUTO_FREE char *script = xasprintf("sleep %s; cp '%s' '%s'", seconds, public_key, authorized);
    struct child_plan plan = {.argv = (const char *const[]){"/bin/sh", "-c", script, NULL},
                              .in = -1,
                              .out = -1,
                              .error = -1,
                              .die_with_parent = true};
    cr_assert(child_start(&plan, &later, &err) == 0, "%s", error_text(&err));
    return later;
}

Test(login, a_host_that_is_starting_may_make_its_user_late_and_is_asked_five_seconds_later)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    fixture.starting = true;
    free(fixture.machine->key);
    fixture.machine->key = other_key(&fixture);
    AUTO_FREE char *public_key = xasprintf("%s.pub", fixture.machine->key);
    struct child later = authorise_later(&fixture, public_key, "1");
    int64_t since = moment_monotonic();

    cr_assert(climb_up(&fixture, true, 40 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));

    cr_expect_eq(attempts(&result), 2);
    cr_expect_geq(moment_monotonic() - since, 5 * NS_PER_S);
    transport_result_clear(&result);
    child_await(&later, 5 * NS_PER_S);
    child_close(&later);
    climb_end(&fixture);
}

Test(login, a_later_try_that_was_cut_off_leaves_the_reason_that_is_known)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    fixture.starting = true;
    free(fixture.machine->key);
    fixture.machine->key = other_key(&fixture);
    struct child stop = CHILD_INIT;
    AUTO_FREE char *script = xasprintf("sleep 2; kill -STOP %d", (int)lab_sshd_pid(fixture.lab));
    struct child_plan plan = {.argv = (const char *const[]){"/bin/sh", "-c", script, NULL},
                              .in = -1,
                              .out = -1,
                              .error = -1,
                              .die_with_parent = true};
    cr_assert(child_start(&plan, &stop, &err) == 0, "%s", error_text(&err));

    cr_assert(climb_up(&fixture, true, 10 * NS_PER_S, &result, &err) < 0);

    kill(lab_sshd_pid(fixture.lab), SIGCONT);
    cr_expect_eq(attempts(&result), 2);
    cr_expect_str_eq(result.cause, "auth");
    cr_has(error_text(&err), "Permission denied");
    transport_result_clear(&result);
    child_await(&stop, 5 * NS_PER_S);
    child_close(&stop);
    climb_end(&fixture);
}

/* Says a line to whoever connects and closes, as OpenSSH 10 does to an address that it penalises; counts. */
static int refuse_all(int fd, int seconds, const char *line, size_t length)
{
    int count = 0;
    int64_t until = moment_monotonic() + seconds * NS_PER_S;
    for (int64_t left; (left = until - moment_monotonic()) > 0;) {
        struct pollfd ready = {fd, POLLIN, 0};
        if (poll(&ready, 1, (int)(left / NS_PER_MS) + 1) <= 0)
            continue;
        int taken = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (taken < 0)
            continue;
        count++;
        (void)!write(taken, line, length);
        shutdown(taken, SHUT_WR);
        char byte;
        while (read(taken, &byte, 1) > 0) {}
        close(taken);
    }
    return count;
}

Test(login, a_penalty_is_a_reason_of_its_own_and_is_not_made_longer)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    int port = 0, fd = climb_listener(&port);
    fixture.machine->port = port;
    pid_t server = fork();
    if (server == 0)
        _exit(refuse_all(fd, 14, "Not allowed at this time\r\n", strlen("Not allowed at this time\r\n")));
    close(fd);

    cr_assert(climb_up(&fixture, true, 13 * NS_PER_S, &result, &err) < 0);

    int status = 0;
    cr_assert(waitpid(server, &status, 0) == server);
    cr_expect_eq(WEXITSTATUS(status), 2, "%d connections in 13 s", WEXITSTATUS(status));
    cr_expect_str_eq(result.cause, "penalty", "%s", error_text(&err));
    cr_expect_str_eq(result.rung, "banner");
    cr_has(error_text(&err), "Not allowed at this time");
    cr_has(error_text(&err), "PerSourcePenalties");
    transport_result_clear(&result);
    climb_end(&fixture);
}

#define FORGED "Host key for elsewhere.example has changed and you have requested strict checking."

/* A version, and the packet with which a server ends a connection (RFC 4253, 11.1):
 * before any key was shown. */
static void add_goodbye(struct text *out, const char *words)
{
    enum { OVERHEAD = 1 + 4 + 4 + 4, PADDING = 8 }; /* message, reason, two lengths */
    size_t length = strlen(words), padding = PADDING - (5 + OVERHEAD + length) % 8;
    padding += padding < 4 ? 8 : 0;
    size_t packet = 1 + OVERHEAD + length + padding;
    const char head[] = {0, 0, (char)(packet >> 8), (char)packet, (char)padding, 1, 0, 0, 0, 2,
                         0, 0, (char)(length >> 8), (char)length};
    static const char zeros[4 + 16];
    text_add(out, "SSH-2.0-OpenSSH_9.9\r\n");
    text_add_bytes(out, head, sizeof head);
    text_add_bytes(out, words, length);
    text_add_bytes(out, zeros, 4 + padding);
}

Test(login, what_a_server_says_of_host_keys_leads_to_no_other_hosts_key)
{
    static const struct {
        const char *says, *rung;
    } all[] = {{FORGED, "banner"},
               {"Host key verification failed.", "banner"},
               {FORGED " Host key verification failed.", "host-key"}};
    struct climb fixture = climb_begin();
    int port = 0, fd = climb_listener(&port);
    fixture.machine->port = port;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        struct transport_result result = {0};
        AUTO_ERROR err = ERROR_INIT;
        AUTO_TEXT bytes = TEXT_INIT;
        bool in_place = strcmp(all[i].rung, "banner") == 0;
        if (in_place)
            text_addf(&bytes, "%s\r\n", all[i].says);
        else
            add_goodbye(&bytes, all[i].says);
        pid_t server = fork();
        if (server == 0)
            _exit(refuse_all(fd, 10, text_string(&bytes), bytes.length));
        cr_expect(climb_up(&fixture, false, 10 * NS_PER_S, &result, &err) < 0);
        kill(server, SIGKILL);
        cr_assert(waitpid(server, NULL, 0) == server);
        cr_expect_str_eq(result.rung, all[i].rung, "%s", error_text(&err));
        cr_expect(!in_place || strcmp(result.cause, "host-key") != 0, "%s", error_text(&err));
        cr_expect(strstr(error_text(&err), all[i].says), "%s", error_text(&err));
        cr_expect_null(strstr(error_text(&err), "ssh-keygen"), "%s", error_text(&err));
        transport_result_clear(&result);
    }
    close(fd);
    climb_end(&fixture);
}

/* What the lab's sshd runs for the key in place of a login shell;
 * "$SSH_ORIGINAL_COMMAND" is what it was asked. */
static void set_login_shell(struct climb *fixture, const char *command)
{
    AUTO_FREE char *key = lab_read(fixture->lab, "key.pub");
    lab_write(fixture->lab, "key.pub", "command=\"%s\" %s", command, key);
}

Test(login, a_login_shell_that_takes_half_a_minute_is_waited_for)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    set_login_shell(&fixture, "sleep 31; eval \\\"$SSH_ORIGINAL_COMMAND\\\"");
    cr_assert(climb_up(&fixture, true, 60 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    cr_expect_eq(attempts(&result), 1);
    transport_result_clear(&result);
    climb_end(&fixture);
}

static bool listens_again(void *lab)
{
    static const char line[] = "Server listening";
    AUTO_FREE char *log = lab_read(lab, "sshd/log");
    const char *first = strstr(log, line);
    return first && strstr(first + 1, line);
}

/* The sshd of the lab looks for a login's keys for 18 s, of the first login alone. */
static void slow_down(struct lab *lab)
{
    /* Asked twice in a login. */
    lab_write(lab, "slow",
              "cd %s && { [ -e slept.twice ] || sleep 18; [ ! -e slept ] || : >slept.twice; : >slept; cat "
              "key.pub; }\n",
              lab_folder(lab));
    AUTO_FREE char *config = lab_read(lab, "sshd/config");
    lab_write(lab, "sshd/config",
              "AuthorizedKeysFile none\nAuthorizedKeysCommand /bin/sh %s/slow\nAuthorizedKeysCommandUser "
              "root\n%s",
              lab_folder(lab), config);
    cr_assert(kill(lab_sshd_pid(lab), SIGHUP) == 0);
    cr_assert(lab_until(10, listens_again, lab));
}

/* ssh takes a host for dead that says nothing for 16 s (host_silent), also while it logs in: that try is
 * lost, the next one has the time. */
Test(login, an_sshd_that_takes_longer_than_ssh_waits_for_a_silent_host_is_waited_for)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    slow_down(fixture.lab);
    cr_assert(climb_up(&fixture, true, 60 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    cr_expect_eq(attempts(&result), 2);
    transport_result_clear(&result);
    climb_end(&fixture);
}

Test(login, a_session_that_is_ended_from_there_behind_all_that_it_did_is_begun_once_more)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *once =
        xasprintf("(eval \\\"$SSH_ORIGINAL_COMMAND\\\"); [ -e %1$s/cut ] || { : >%1$s/cut; exit 255; }",
                  lab_folder(fixture.lab));
    set_login_shell(&fixture, once);
    cr_expect(climb_up(&fixture, true, 30 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    transport_result_clear(&result);
    climb_end(&fixture);
}

/* Tailscale's own SSH ends one whenever its rules change, be it before a word was said. */
Test(login, a_session_that_tailscales_own_ssh_ended_before_it_answered_is_begun_once_more)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *once =
        xasprintf("[ -e %1$s/cut ] || { : >%1$s/cut; exit 254; }; eval \\\"$SSH_ORIGINAL_COMMAND\\\"",
                  lab_folder(fixture.lab));
    set_login_shell(&fixture, once);
    fixture.target.tailscale_ssh_accept = true;
    cr_expect(climb_up(&fixture, true, 30 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    transport_result_clear(&result);
    climb_end(&fixture);
}

Test(login, a_session_that_is_always_ended_from_there_is_told_after_two)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    set_login_shell(&fixture, "(eval \\\"$SSH_ORIGINAL_COMMAND\\\"); exit 255");
    cr_expect(climb_up(&fixture, true, 30 * NS_PER_S, &result, &err) < 0);
    cr_has(error_text(&err), "ended with 255");
    transport_result_clear(&result);
    climb_end(&fixture);
}

/* csh takes no newline in quotes and expands '!' there too. */
Test(login, a_login_shell_that_is_not_posix_is_enough)
{
    struct climb fixture = climb_begin();
    struct transport_result result = {0};
    AUTO_ERROR err = ERROR_INIT;
    lab_write(fixture.lab, "csh",
              "#!/bin/sh\ncase $1 in *'\n'*) echo \"Unmatched '.\" >&2; exit 1;; *!*) echo '!: Event not "
              "found.' >&2; exit 1;; esac\neval \"$1\"\n");
    AUTO_FREE char *shell = xasprintf("%s/csh \\\"$SSH_ORIGINAL_COMMAND\\\"", lab_folder(fixture.lab));
    set_login_shell(&fixture, shell);
    cr_assert(climb_up(&fixture, false, 30 * NS_PER_S, &result, &err) == 0, "%s", error_text(&err));
    transport_result_clear(&result);
    climb_end(&fixture);
}

Test(login, a_login_shell_that_cannot_be_used_is_told_in_its_own_words)
{
    static const char *const shells[] = {"echo This account is currently not available.; exit 1",
                                         "echo This account is currently not available."};
    for (size_t i = 0; i < COUNT_OF(shells); i++) {
        struct climb fixture = climb_begin();
        struct transport_result result = {0};
        AUTO_ERROR err = ERROR_INIT;
        set_login_shell(&fixture, shells[i]);
        cr_assert(climb_up(&fixture, false, 20 * NS_PER_S, &result, &err) < 0);
        cr_expect_str_eq(result.rung, "channel");
        cr_has(error_text(&err), "login shell");
        cr_has(error_text(&err), "This account is currently not available.");
        transport_result_clear(&result);
        climb_end(&fixture);
    }
}

static const char playbook[] = "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n"
                               "    - name: say\n      ansible.builtin.command: 'true'\n";

/* As someone who has the wrong key in the file sees it. */
Test(login, a_run_with_a_refused_key_is_over_in_seconds_and_says_why)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    lab_environment(lab, "TRIPHASE_TARGETS_HOST_KEY", "sshd/host_key");
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_expect_eq(made.code, 4, "%s", made.err);
    cr_has(made.err, "Permission denied (publickey");
    cr_has(made.err, "sshd/host_key");
    AUTO_FREE char *row = lab_sql(lab, "SELECT outcome || ' ' || cause FROM step WHERE name = 'transport'");
    AUTO_FREE char *message = lab_sql(lab, "SELECT message FROM step WHERE name = 'transport'");
    cr_expect_str_eq(row, "unreachable auth");
    cr_has(message, "Permission denied (publickey");
    cr_expect_lt(lab_sql_number(lab, "SELECT duration_ns FROM step WHERE name = 'transport'"), 10 * NS_PER_S);
}

/* `host` has the sshd of another lab as its peer `other`, and gives it a task. */
static void add_peer(struct lab *lab, struct lab *far)
{
    int port = lab_sshd(far);
    lab_static_project(
        lab, "    attempts: 1\n",
        "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: "
        "'true'\n      delegate_to: other\n");
    AUTO_FREE char *project = lab_read(lab, "triphase.yml");
    lab_write(
        lab, "triphase.yml",
        "%s    peers: [other]\n  other:\n    provider: static\n    recipe: work\n    address: 127.0.0.1\n"
        "    port: %d\n    key: %s/key\n    host_keys: {file: %s/sshd/host_key.pub}\n",
        project, port, lab_folder(far), lab_folder(far));
}

/* Both ask the slow sshd at the same time. Ansible itself would give the peer up after 16 s. */
Test(login, a_shell_and_a_peer_of_a_run_are_waited_for_as_a_target_is, .timeout = 150)
{
    struct lab *lab = lab_new(), *far = lab_new();
    add_peer(lab, far);
    struct lab_result made = lab_run(lab, "create", "host", "other", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    slow_down(far);

    pid_t run = lab_start(lab, "run", "run", "host", NULL);
    /* Where there is no cgroup its master is not left either. */
    lab_environment(lab, "TRIPHASE_NO_CGROUP", "1");
    struct lab_result shell = lab_run(lab, "ssh", "other", "--", "echo", "said-there", NULL);
    int code = lab_wait(lab, run, 70);

    AUTO_FREE char *said = lab_read(lab, "run.err");
    cr_expect_eq(shell.code, 0, "%s", shell.err);
    cr_expect_str_eq(shell.out, "said-there\n");
    cr_expect_eq(code, 0, "%s", said);
    cr_expect(lab_exists(far, "slept"), "nothing was slow");
}

/* The key got a passphrase that only a person knows. */
Test(login, a_shell_is_refused_in_words_and_at_a_terminal_ssh_may_still_ask)
{
    struct lab *lab = lab_new();
    AUTO_ERROR err = ERROR_INIT;
    lab_static_project(lab, "", playbook);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    AUTO_FREE char *key = file_join(lab_folder(lab), "key"), *asks = file_join(lab_folder(lab), "asks");
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "ssh-keygen", "-q", "-p", "-P", "", "-N", "opens-it",
                         "-f", key, NULL) == 0,
              "%s", error_text(&err));
    lab_write(lab, "asks", "#!/bin/sh\necho opens-it\n");
    lab_environment(lab, "SSH_ASKPASS", asks);
    lab_environment(lab, "SSH_ASKPASS_REQUIRE", "force");
    cr_assert(setenv("SSH_ASKPASS", asks, 1) == 0 && setenv("SSH_ASKPASS_REQUIRE", "force", 1) == 0);

    struct lab_result refused = lab_run(lab, "ssh", "host", "--", "echo", "said-there", NULL);
    int code;
    AUTO_FREE char *shown =
        damage_terminal(lab, 100, NULL, &code, "ssh", "host", "--", "echo", "said-there", NULL);

    cr_expect_eq(refused.code, 4, "%s", refused.err);
    cr_has(refused.err, "target host over direct: no login (auth: ");
    cr_has(refused.err, "Permission denied (publickey");
    cr_expect_eq(code, 0, "%s", shown);
    cr_has(shown, "said-there");
}

/* An sshd that counts them (OpenSSH 9.8 and newer) would lock this address out. */
Test(login, no_connection_of_a_run_is_there_only_to_look)
{
    struct lab *lab = lab_new();
    lab_static_project(lab, "", playbook);
    struct lab_result made = lab_run(lab, "create", "host", NULL);
    cr_assert_eq(made.code, 0, "%s", made.err);
    struct lab_result ran = lab_run(lab, "run", "host", NULL);
    cr_assert_eq(ran.code, 0, "%s", ran.err);
    AUTO_FREE char *log = lab_read(lab, "sshd/log");
    int looks = 0;
    for (const char *at = log; (at = strstr(at, "kex_exchange_identification")); at++)
        looks++;
    cr_has(log, "Accepted publickey");
    cr_expect_leq(looks, 1, "the lab itself looks once whether its sshd is up; %s", log);
}
