#include "lab/damage.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "process/child.h"
#include "process/marked.h"
#include "process/program.h"
#include "process/scope.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const damage_words =
    "line=0; tasks=0\n"
    "say() { line=$((line + 1)); now=$(date +%s%N); printf '{\"v\":1,\"seq\":%d,\"t\":%s,\"m\":%s,%s}\\n' "
    "$line $now $now \"$1\" >>\"$EVENTS\"; }\n"
    "play() { say "
    "'\"kind\":\"play_start\",\"play\":\"p\",\"uuid\":\"p\",\"pattern\":\"all\",\"hosts_count\":1,\"hosts\":["
    "\"host\"],\"batch\":1'; }\n"
    "task() { tasks=$((tasks + 1)); say "
    "'\"kind\":\"task_start\",\"play\":\"p\",\"task\":\"'$1'\",\"uuid\":\"'$1'\",\"path\":\"x.yml:1\","
    "\"action\":\"a\"'\n"
    "  say "
    "'\"kind\":\"result\",\"host\":\"host\",\"play\":\"p\",\"task\":\"'$1'\",\"uuid\":\"'$1'\",\"path\":\"x."
    "yml:1\",\"action\":\"a\",\"status\":\"ok\",\"duration_ns\":1000'; }\n"
    "finish() { say "
    "'\"kind\":\"stats\",\"hosts\":{\"host\":{\"ok\":'$tasks',\"changed\":0,\"failures\":0,\"unreachable\":0,"
    "\"skipped\":0,\"rescued\":0,\"ignored\":0}}'\n"
    "  say '\"kind\":\"end\",\"count\":'$line; }\n";

struct lab *damage_lab(const char *phase_keys, const char *body)
{
    struct lab *lab = lab_new();
    AUTO_FREE char *whole = xasprintf("%sFOLDER=%s\n%s", damage_words, lab_folder(lab), body);
    lab_hostile_ansible(lab, whole);
    lab_static_project(lab, phase_keys, "- hosts: recipe_work\n  gather_facts: false\n  tasks: []\n");
    return lab;
}

bool damage_alive(pid_t pid)
{
    return process_alive(pid, process_start_time(pid));
}

static bool is_gone(void *context)
{
    return !damage_alive(*(pid_t *)context);
}

bool damage_gone(pid_t pid, double seconds)
{
    return lab_until(seconds, is_gone, &pid);
}

void damage_kill(pid_t pid)
{
    cr_assert(pid > 1 && kill(pid, SIGKILL) == 0, "there is no process %d to kill", (int)pid);
    cr_assert(damage_gone(pid, 5));
}

struct found {
    struct lab *lab;
    pid_t pid;
};

static bool has_worker(void *context)
{
    struct found *found = context;
    found->pid = lab_worker(found->lab);
    return found->pid > 0 && damage_alive(found->pid);
}

static bool has_guard(void *context)
{
    struct found *found = context;
    found->pid = lab_guard(found->lab);
    /* One that was killed has its name until it is reaped. */
    return found->pid > 0 && damage_alive(found->pid);
}

pid_t damage_worker(struct lab *lab)
{
    struct found found = {lab, 0};
    cr_assert(lab_until(20, has_worker, &found), "there is no worker");
    return found.pid;
}

pid_t damage_guard(struct lab *lab)
{
    struct found found = {lab, 0};
    cr_assert(lab_until(20, has_guard, &found), "there is no guard");
    return found.pid;
}

void damage_kill_both(struct lab *lab)
{
    pid_t worker = damage_worker(lab), guard = damage_guard(lab);
    /* Stopped first, so that it cannot start another guard in between. */
    cr_assert(kill(worker, SIGSTOP) == 0);
    damage_kill(guard);
    damage_kill(worker);
}

char *damage_run(struct lab *lab)
{
    return lab_sql(lab, "SELECT id FROM run ORDER BY started_ns DESC LIMIT 1");
}

static bool in_a_lab(long pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%ld/cgroup", pid);
    AUTO_TEXT text = TEXT_INIT;
    return file_read(path, 65536, &text, NULL) == 0 && strstr(text_string(&text), "/triphase/lab-") != NULL;
}

int damage_processes(struct lab *lab, const char *run)
{
    (void)lab;
    AUTO_FREE char *marker = xasprintf("TRIPHASE_RUN=%s", run);
    AUTO_FREE pid_t *pids = NULL;
    int count = marked_find(marker, &pids, NULL), here = 0;
    cr_assert(count >= 0);
    for (int i = 0; i < count; i++)
        here += !in_a_lab(pids[i]);
    return here;
}

struct emptiness {
    struct lab *lab;
    const char *run;
};

static bool is_empty(void *context)
{
    const struct emptiness *empty = context;
    return damage_processes(empty->lab, empty->run) == 0;
}

bool damage_empty(struct lab *lab, const char *run, double seconds)
{
    return lab_until(seconds, is_empty, &(struct emptiness){lab, run});
}

bool damage_scope_exists(const char *run)
{
    const char *root = scope_root(NULL);
    AUTO_FREE char *path = root ? xasprintf("%s/run-%s", root, run) : NULL;
    return path && file_exists(path);
}

char *damage_store_digest(struct lab *lab)
{
    static const char *const files[] = {".triphase/store.db", ".triphase/store.db-wal"};
    AUTO_TEXT both = TEXT_INIT;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        AUTO_FREE char *path = file_join(lab_folder(lab), files[i]);
        AUTO_TEXT bytes = TEXT_INIT;
        file_read(path, 64 << 20, &bytes, NULL);
        uint64_t sum = 1469598103934665603u; /* FNV-1a: enough to see a change */
        for (size_t at = 0; at < bytes.length; at++)
            sum = (sum ^ (unsigned char)bytes.bytes[at]) * 1099511628211u;
        text_addf(&both, "%zu:%llx ", bytes.length, (unsigned long long)sum);
    }
    return text_take(&both);
}

int damage_lines(struct lab *lab, const char *path, const char *words)
{
    if (!lab_exists(lab, path))
        return 0;
    AUTO_FREE char *content = lab_read(lab, path);
    int count = 0;
    char *state = NULL;
    for (char *line = strtok_r(content, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        count += strstr(line, words) != NULL;
    return count;
}

char *damage_step_file(struct lab *lab, const char *suffix)
{
    AUTO_FREE char *run = damage_run(lab);
    AUTO_FREE char *folder = xasprintf("%s/.triphase/runs/%s", lab_folder(lab), run);
    AUTO_WORDS names = WORDS_INIT;
    file_list(folder, &names, NULL);
    for (size_t i = names.count; i; i--)
        if (text_ends(names.items[i - 1], suffix) && names.items[i - 1][0] >= '0' &&
            names.items[i - 1][0] <= '9')
            return xasprintf(".triphase/runs/%s/%s", run, names.items[i - 1]);
    cr_fail("the run %s has no step with a file .%s", run, suffix);
    return NULL;
}

pid_t damage_innocent(const char *environment, const char *argv0)
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char *argv[] = {(char *)(uintptr_t)argv0, "1000", NULL},
             *own[] = {(char *)(uintptr_t)environment, NULL};
        execve("/bin/sleep", argv, own);
        _exit(127);
    }
    return pid;
}

char *damage_terminal(struct lab *lab, int columns, const char *input, int *code, const char *word, ...)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    char name[64];
    cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0 &&
              ptsname_r(master, name, sizeof name) == 0);
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = 40};
    cr_assert(slave >= 0 && ioctl(slave, TIOCSWINSZ, &size) == 0);
    AUTO_WORDS argv = WORDS_INIT;
    words_add_all(&argv, getenv("TRIPHASE"), "-C", lab_folder(lab), NULL);
    va_list args;
    va_start(args, word);
    for (; word; word = va_arg(args, const char *))
        words_add(&argv, word);
    va_end(args);
    struct child_plan plan = {.argv = words_argv(&argv), .in = slave, .out = slave, .error = slave};
    struct child child;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(child_start(&plan, &child, &err) == 0, "%s", error_text(&err));
    close(slave);
    if (input)
        cr_assert(file_write_all(master, input, strlen(input)) == 0);
    AUTO_TEXT out = TEXT_INIT;
    char block[4096];
    struct pollfd look = {.fd = master, .events = POLLIN};
    while (poll(&look, 1, 60000) > 0) {
        ssize_t got = read(master, block, sizeof block);
        if (got <= 0)
            break; /* EIO: nobody has the other end any more */
        text_add_bytes(&out, block, (size_t)got);
    }
    *code = lab_wait(lab, child.pid, 5);
    child_close(&child);
    close(master);
    return text_take(&out);
}

char *damage_left(const char *machine)
{
    AUTO_FREE char *name = xasprintf("tp%s", machine + strlen(machine) - 10);
    AUTO_FREE char *script =
        xasprintf("grep -F %s /proc/self/mountinfo\n"
                  "ls -d /run/netns/%s /sys/class/net/%s /var/lib/triphase/%s 2>/dev/null\n"
                  "nft list ruleset | grep -F %s\n"
                  "find /sys/fs/cgroup -maxdepth 4 -type d -name 'machine-%s'\n",
                  name, name, name, name, name, machine);
    AUTO_FREE char *marker = xasprintf("TRIPHASE_MACHINE=%s", machine);
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct program program = {.argv = argv, .bound_ns = 60 * NS_PER_S};
    struct child_end end;
    struct text out = TEXT_INIT;
    cr_assert(program_run(&program, &out, NULL, &end, NULL) == 0);
    if (marked_find(marker, NULL, NULL) != 0)
        text_addf(&out, "processes with %s\n", marker);
    return text_take(&out);
}
