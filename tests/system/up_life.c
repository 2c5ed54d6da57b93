/* The daemon that triphase up starts: it outlives the command, one at a time is started, and whatever is
 * killed or out of reach in between, the next call goes on from there and leaves nothing. */
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "lab/up.h"
#include "process/look.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TestSuite(up_life, .timeout = 280);

struct made {
    struct tailnet_lab *lab;
    struct tailnet_operator *op;
    struct lab *project;
    pid_t pid; /* of our daemon */
};

static struct made made_with(const char *keys)
{
    struct made made = {.lab = tailnet_lab_new()};
    made.op = tailnet_lab_operator(made.lab, TAILNET_TUN_ABSENT);
    made.project = up_project_with_api(made.lab, made.op, keys);
    return made;
}

static struct json *go_up(struct made *made)
{
    struct lab_result up = lab_run(made->project, "up", "--json", NULL);
    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    struct json *said = up_parsed(&up);
    made->pid = (pid_t)json_get_integer(said, "pid", 0);
    return said;
}

static void end(struct made *made)
{
    up_down(made->project);
    up_expect_nothing_is_left(made->lab, made->op);
}

static int minted(struct tailnet_lab *lab)
{
    AUTO_FREE char *all = tailnet_lab_api_requests(lab);
    int count = 0;
    for (const char *at = all; (at = strstr(at, "POST /api/v2/tailnet/-/keys 200")); at++)
        count++;
    return count;
}

Test(up_life, the_daemon_has_a_session_a_log_and_a_folder_of_its_own_and_nothing_of_the_command)
{
    struct made made = made_with("");
    AUTO_JSON *said = go_up(&made);
    AUTO_FREE char *seen =
        tailnet_operator_shell(made.op,
                               "echo sid $(ps -o sid= -p %d) parent $(ps -o ppid= -p %d); ls -l "
                               "/proc/%d/fd/0 /proc/%d/fd/1 /proc/%d/fd/2 "
                               "| sed 's/.* -> //'; stat -c '%%a' /var/lib/triphase-tailnet; tr '\\0' '\\n' "
                               "</proc/%d/environ | grep -c "
                               "^TRIPHASE_TAILNET=; tr '\\0' '\\n' </proc/%d/environ | grep -c ^XDG_; true",
                               made.pid, made.pid, made.pid, made.pid, made.pid, made.pid, made.pid);
    AUTO_FREE char *expected =
        xasprintf("sid %d parent 1\n/dev/null\n/var/lib/triphase-tailnet/tailscaled.log\n"
                  "/var/lib/triphase-tailnet/tailscaled.log\n700\n1\n0\n",
                  made.pid);
    (void)said;
    cr_expect(eq(str, seen, expected));
    AUTO_FREE char *loose =
        tailnet_operator_shell(made.op, "find /var/lib/triphase-tailnet -type f -perm /077");
    cr_expect(eq(str, loose, ""));
    end(&made);
}

Test(up_life, two_at_once_start_one_daemon_and_make_one_key)
{
    struct made made = made_with("");
    pid_t first = lab_start(made.project, "one", "up", NULL),
          second = lab_start(made.project, "two", "up", NULL);

    int one = lab_wait(made.project, first, 100), two = lab_wait(made.project, second, 100);

    cr_expect(one == 0 && two == 0, "%d %d: %s%s", one, two, lab_keep(lab_read(made.project, "one.err")),
              lab_keep(lab_read(made.project, "two.err")));
    cr_expect(eq(int, up_daemons(made.op), 1));
    cr_expect(eq(int, minted(made.lab), 1));
    end(&made);
}

Test(up_life, killed_at_any_instant_the_next_one_goes_on_with_one_daemon_and_down_leaves_nothing)
{
    enum { INSTANTS = 4 };
    struct made made = made_with("");
    up_kill_rounds(made.lab, made.op, made.project, INSTANTS);
}

Test(up_life, a_daemon_that_hangs_is_started_anew_with_its_node)
{
    struct made made = made_with("");
    AUTO_JSON *before = go_up(&made);
    cr_assert_eq(kill(made.pid, SIGSTOP), 0);
    pid_t hung = made.pid;

    AUTO_JSON *after = go_up(&made);

    cr_expect(ne(int, made.pid, hung));
    cr_expect(eq(str, (char *)json_string(json_at(json_get(before, "addresses"), 0), ""),
                 (char *)json_string(json_at(json_get(after, "addresses"), 0), "?")));
    cr_expect(eq(int, up_daemons(made.op), 1));
    cr_expect(eq(int, minted(made.lab), 1));
    end(&made);
}

Test(up_life, a_daemon_that_died_is_logged_out_all_the_same)
{
    struct made made = made_with("");
    json_free(go_up(&made));
    cr_assert_eq(kill(made.pid, SIGKILL), 0);
    end(&made);
}

Test(up_life, a_pid_that_was_written_down_and_is_somebody_elses_now_is_left_alone)
{
    struct made made = made_with("");
    json_free(go_up(&made));
    kill(made.pid, SIGKILL);
    free(tailnet_operator_shell(
        made.op, "setsid sleep 300 >/dev/null 2>&1 & sed -i 's/\"pid\": [0-9]*/\"pid\": '$!'/' "
                 "/var/lib/triphase-tailnet/daemon.json"));
    AUTO_FREE char *pid = tailnet_operator_shell(
        made.op, "sed -n 's/.*\"pid\": \\([0-9]*\\).*/\\1/p' /var/lib/triphase-tailnet/daemon.json");

    up_down(made.project);

    /* One that was killed may be there as a zombie. */
    struct process_look stranger = {.state = 'Z'};
    bool there = process_look((pid_t)strtol(pid, NULL, 10), &stranger);
    cr_expect(there && stranger.state != 'Z', "somebody else's process was ended");
    kill((pid_t)strtol(pid, NULL, 10), SIGKILL);
    up_expect_nothing_is_left(made.lab, made.op);
}

Test(up_life, is_not_Running_in_time_where_the_control_server_does_not_answer)
{
    struct made made = made_with("");
    tailnet_lab_api(made.lab);
    AUTO_FREE char *key = tailnet_lab_key(made.lab, "tag:operator", false, true);
    struct lab *project = up_project_with_key(made.lab, made.op, key);
    tailnet_lab_stop(made.lab);

    struct lab_result up = lab_run(project, "up", "--within", "6s", NULL);

    cr_expect(eq(int, up.code, 4), "%s%s", up.out, up.err);
    cr_expect(strstr(up.err, "not Running in its tailnet in time") != NULL, "%s", up.err);
    cr_expect(up.seconds < 30, "%g s", up.seconds);
    AUTO_FREE char *left = up_left(made.op);
    cr_expect(eq(str, left, ""));
}

Test(up_life, down_without_a_control_server_ends_all_that_is_here_and_says_3)
{
    struct made made = {.lab = tailnet_lab_new()};
    made.op = tailnet_lab_operator(made.lab, TAILNET_TUN_ABSENT);
    AUTO_FREE char *key = tailnet_lab_key(made.lab, "tag:operator", false, true);
    made.project = up_project_with_key(made.lab, made.op, key);
    json_free(go_up(&made));
    tailnet_lab_stop(made.lab);

    struct lab_result down = lab_run(made.project, "up", "--down", NULL);

    cr_expect(eq(int, down.code, 3), "%s%s", down.out, down.err);
    cr_expect(strstr(down.out, "may stay in the tailnet") != NULL, "%s", down.out);
    AUTO_FREE char *left = up_left(made.op);
    cr_expect(eq(str, left, ""));
}

Test(up_life, an_ordinary_user_has_one_in_its_own_state_folder)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN);
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    AUTO_FREE char *home =
        tailnet_operator_shell(op,
                               "d=$(mktemp -d /tmp/u.XXXXXX); chmod 0755 $d; mkdir $d/triphase; "
                               "printf 'operator:\\n  login_server: %s\\n  "
                               "auth_key: {file: %%s/the-key}\\n' $d >$d/triphase/config.yml; cp %s "
                               "$d/program; chown -R nobody $d; printf $d",
                               tailnet_lab_login_server(lab), getenv("TRIPHASE"));
    AUTO_FREE char *path = file_join(home, "the-key");
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_replace(path, key, strlen(key), 0644, &err), 0, "%s", error_text(&err));
    AUTO_FREE char *as =
        xasprintf("cd / && exec setpriv --reuid=65534 --clear-groups env HOME=%s XDG_CONFIG_HOME=%s "
                  "XDG_STATE_HOME=%s/state %s/program \"$@\"",
                  home, home, home, home);

    struct lab_result up = tailnet_operator_run(op, "sh", "-c", as, "sh", "up", "--json", NULL);
    struct lab_result down = tailnet_operator_run(op, "sh", "-c", as, "sh", "up", "--down", NULL);

    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    AUTO_JSON *said = up_parsed(&up);
    AUTO_FREE char *socket = xasprintf("%s/state/triphase/tailnet/tailscaled.sock", home);
    cr_expect(eq(str, up_string(said, "socket"), socket));
    cr_expect(eq(str, up_string(said, "mode"), "userspace"));
    cr_expect(eq(int, down.code, 0), "%s%s", down.out, down.err);
    AUTO_FREE char *left =
        tailnet_operator_shell(op, "cd %s/state/triphase/tailnet && ls; grep -rlaF -f %s/the-key .; true",
                               home, home);
    cr_expect(eq(str, left, "lock\ntailscaled.log\n"), "and the key stands in none of them");
    free(tailnet_operator_shell(op, "rm -rf %s", home));
}

Test(up_life, its_socket_carries_the_transports_by_itself)
{
    struct tailnet_lab *lab = tailnet_lab_new();
    struct rig *guest = tailnet_lab_guest(lab);
    struct tailnet_operator *op = tailnet_lab_operator(lab, TAILNET_TUN_ABSENT);
    const char *address = tailnet_guest_join(lab, guest, "tag:host", "guest");
    AUTO_FREE char *key = tailnet_lab_key(lab, "tag:operator", false, true);
    struct lab *project = lab_new();
    tailnet_lab_project(
        project, guest, address, "    transport: tailnet-userspace\n", "",
        "- hosts: recipe_work\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: hostname\n");
    lab_write(project, "the-key", "%s\n", key);
    tailnet_operator_enter(op, project);
    AUTO_FREE char *server = xasprintf("operator.login_server=%s", tailnet_lab_login_server(lab));

    struct lab_result up =
        lab_run(project, "--set", server, "--set", "operator.auth_key={file: the-key}", "up", NULL);
    struct lab_result create = lab_run(project, "create", "host", NULL);

    cr_assert(eq(int, up.code, 0), "%s%s", up.out, up.err);
    cr_expect(eq(int, create.code, 0), "%s%s", create.out, create.err);
    up_down(project);
    rig_remove(guest);
}
