#include "lab/sandbox.h"

#include "base/file.h"
#include "base/id.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"
#include "sandbox/check.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOUND (60 * NS_PER_S)

/* They live as long as the test: whoever looks for leaks finds them here. */
static struct rig *kept[128];
static size_t kept_count;

/* the end of a pipe on which the warden hears of each sandbox, and of the test's end */
static int warden = -1;

/* Lines "<machine id> <project folder>" and "file <path>"; at the end of the pipe
 * everything named is removed. */
static void watch(int from)
{
    AUTO_TEXT heard = TEXT_INIT;
    char block[4096];
    for (ssize_t got; (got = read(from, block, sizeof block)) != 0;)
        if (got > 0)
            text_add_bytes(&heard, block, (size_t)got);
    char *state = NULL;
    for (char *line = heard.bytes ? strtok_r(heard.bytes, "\n", &state) : NULL; line;
         line = strtok_r(NULL, "\n", &state)) {
        char *project = strchr(line, ' ');
        if (!project)
            continue;
        *project++ = '\0';
        if (text_is(line, "file")) {
            unlink(project);
            continue;
        }
        AUTO_MACHINE *machine = machine_new();
        machine->id = xstrdup(line);
        machine->directory = xasprintf("%s/.triphase/machines/%s", project, line);
        AUTO_ERROR err = ERROR_INIT;
        if (provider_sandbox.remove(NULL, machine, BOUND, &err) < 0)
            fprintf(stderr, "the warden could not clear away: %s\n", error_text(&err));
        file_remove_tree(project, NULL);
    }
    _exit(0);
}

static void start_warden(void)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        setsid();
        signal(SIGTERM, SIG_IGN);
        close(ends[1]);
        watch(ends[0]);
    }
    close(ends[0]);
    warden = ends[1];
}

void rig_plant(const char *path, const char *content)
{
    if (warden < 0)
        start_warden();
    AUTO_FREE char *line = xasprintf("file %s\n", path);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(file_write_all(warden, line, strlen(line)), 0);
    cr_assert_eq(file_replace(path, content, strlen(content), 0644, &err), 0, "%s", error_text(&err));
}

static void need(const struct target *target)
{
    AUTO_ERROR err = ERROR_INIT;
    if (sandbox_check(target, &err) < 0)
        cr_skip_test("no sandbox can be made here: %s", error_text(&err));
}

void rig_needed(void)
{
    need(&(struct target){.name = (char *)(uintptr_t) "box"});
}

struct rig *rig_new(const char *root)
{
    AUTO_ERROR err = ERROR_INIT;
    struct rig *rig = xcalloc(1, sizeof *rig);
    cr_assert(kept_count < COUNT_OF(kept));
    kept[kept_count++] = rig;
    rig->target = (struct target){.name = xstrdup("host"),
                                  .host_name = xstrdup("guest"),
                                  .root = xstrdup_or_null(root),
                                  .root_tree_ns = 900 * NS_PER_S,
                                  .ready_ns = BOUND,
                                  .destroy_ns = BOUND};
    need(&rig->target);
    if (warden < 0)
        start_warden();
    char folder[] = "/tmp/triphase-rig-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    rig->project = xstrdup(folder);
    char id[ID_SIZE];
    id_make(id);
    rig->machine = machine_new();
    rig->machine->id = xstrdup(id);
    rig->machine->project = xstrdup("rig");
    rig->machine->target = xstrdup("host");
    rig->machine->provider = xstrdup("sandbox");
    rig->machine->directory = xasprintf("%s/.triphase/machines/%s", folder, id);
    AUTO_FREE char *line = xasprintf("%s %s\n", id, folder);
    cr_assert_eq(file_write_all(warden, line, strlen(line)), 0);
    cr_assert_eq(file_make_dirs(rig->machine->directory, 0700, &err), 0, "%s", error_text(&err));
    cr_assert_eq(provider_sandbox.plan(&rig->target, rig->machine, &err), 0, "%s", error_text(&err));
    return rig;
}

void rig_make(struct rig *rig)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(provider_sandbox.make(&rig->target, rig->machine, &err), 0, "%s", error_text(&err));
    cr_assert_eq(provider_sandbox.verify(&rig->target, rig->machine, BOUND, &err), 0, "%s", error_text(&err));
}

void rig_remove(struct rig *rig)
{
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(provider_sandbox.remove(NULL, rig->machine, BOUND, &err), 0, "%s", error_text(&err));
}

char *rig_ssh(const struct rig *rig, const char *command, int *code)
{
    const struct machine *machine = rig->machine;
    AUTO_FREE char *alias = xasprintf("HostKeyAlias=triphase-%s", machine->id);
    AUTO_FREE char *port = xasprintf("%d", machine->port);
    AUTO_FREE char *to = xasprintf("%s@%s", machine->user, machine->address);
    const char *const argv[] = {"ssh",
                                "-F",
                                "/dev/null",
                                "-i",
                                machine->key,
                                "-p",
                                port,
                                "-o",
                                "BatchMode=yes",
                                "-o",
                                alias,
                                "-o",
                                "UserKnownHostsFile=known_hosts",
                                "-o",
                                "StrictHostKeyChecking=yes",
                                "-o",
                                "LogLevel=ERROR",
                                "--",
                                to,
                                command,
                                NULL};
    struct program program = {.argv = argv, .directory = machine->directory, .bound_ns = BOUND};
    struct child_end end;
    AUTO_TEXT out = TEXT_INIT;
    AUTO_TEXT said = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(program_run(&program, &out, &said, &end, &err), 0, "%s", error_text(&err));
    if (code)
        *code = end.code;
    else
        cr_assert_eq(end.code, 0, "%s: %s", command, text_string(&said));
    return text_take(&out);
}

char *rig_output(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *command = xvasprintf(format, args);
    va_end(args);
    const char *const argv[] = {"sh", "-c", command, NULL};
    struct program program = {.argv = argv, .bound_ns = BOUND};
    struct child_end end;
    struct text out = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(program_run(&program, &out, NULL, &end, &err), 0, "%s", error_text(&err));
    return text_take(&out);
}

void rig_shell(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *command = xvasprintf(format, args);
    va_end(args);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(program_do(BOUND, NULL, &err, "sh", "-c", command, NULL), 0, "%s: %s", command,
                 error_text(&err));
}

char *rig_left(const struct rig *rig)
{
    const char *name = rig->machine->reference, *id = rig->machine->id;
    return rig_output("grep -F %s /proc/self/mountinfo\n"
                      "ls -d /run/netns/%s /sys/class/net/%s /var/lib/triphase/%s "
                      "/run/systemd/nspawn/propagate/%s 2>/dev/null\n"
                      "nft list ruleset | grep -F %s\n"
                      "find /sys/fs/cgroup -maxdepth 4 -type d -name 'machine-%s'\n"
                      "grep -lzF 'TRIPHASE_MACHINE=%s' /proc/[0-9]*/environ 2>/dev/null | while read -r one; "
                      "do cat \"${one%%environ}comm\"; done\n"
                      "grep -lzx '[t]%s' /proc/[0-9]*/cmdline 2>/dev/null\n"
                      "ls %s/.triphase/machines 2>/dev/null\n",
                      name, name, name, name, name, name, id, id, name + 1, rig->project);
}

void rig_go_private(void)
{
    if (geteuid() != 0)
        cr_skip_test("needs root");
    cr_assert_eq(unshare(CLONE_NEWNS | CLONE_NEWNET), 0);
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    rig_shell("mkdir -p /var/lib/triphase && mount -t tmpfs tmpfs /var/lib/triphase && ip link set lo up");
}

void rig_start_outside(void)
{
    int ready[2];
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t test = getpid();
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != test || unshare(CLONE_NEWNET) < 0 || write(ready[1], "n", 1) != 1)
            _exit(1);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
        int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 16) < 0)
            _exit(1);
        for (;;) {
            int peer = accept(fd, NULL, NULL);
            (void)!write(peer, "outside\n", 8);
            close(peer);
        }
    }
    char answer;
    cr_assert_eq(read(ready[0], &answer, 1), 1);
    close(ready[0]);
    close(ready[1]);
    rig_shell("ip link add way-out type veth peer name outside netns %d && ip addr add 198.51.100.1/24 dev "
              "way-out && "
              "ip link set way-out up && nsenter -t %d -n sh -c 'ip addr add 198.51.100.2/24 dev outside && "
              "ip link set outside up' && "
              "ip route add default via 198.51.100.2",
              (int)pid, (int)pid);
}
