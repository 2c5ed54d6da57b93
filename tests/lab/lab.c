#include "lab.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/words.h"
#include "format/sql.h"
#include "lab/spilled.h"
#include "process/program.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN_BOUND_S = 120, LOOK_MS = 10 };

struct lab {
    char *folder, *program;
    struct words environment, within;
    int port;
    struct child sshd;
    struct scope sshd_scope;
    char *ansible;
};

static void **held;
static size_t held_count;
static struct lab **all;
static size_t all_count;

void *lab_keep(void *memory)
{
    held = xreallocarray(held, held_count + 1, sizeof *held);
    held[held_count++] = memory;
    return memory;
}

/* The warden: cleans up when the test process is gone. It knows the folder only, and finds
 * everything else from there. */

/* A run that a failed test left going on would hold its target. */
static void end_open_runs(const char *store)
{
    AUTO_SQL *db = NULL;
    AUTO_STATEMENT *open_runs = NULL;
    if (sql_open(store, SQL_READ, 5000, &db, NULL) < 0 ||
        sql_prepare(db, "SELECT pid, pid_start FROM run WHERE outcome IS NULL", &open_runs, NULL) < 0)
        return;
    while (sql_step(open_runs, NULL) == 1) {
        pid_t pid = (pid_t)sql_integer(open_runs, 0);
        int64_t start = sql_integer(open_runs, 1);
        if (!process_alive(pid, start))
            continue;
        kill(pid, SIGKILL);
        for (int left = 500; left && process_alive(pid, start); left--)
            poll(NULL, 0, LOOK_MS);
    }
}

/* What tests mounted below their folder, the last one first. */
static void unmount_below(const char *folder)
{
    AUTO_TEXT table = TEXT_INIT;
    AUTO_WORDS points = WORDS_INIT;
    AUTO_FREE char *prefix = xasprintf("%s/", folder);
    char *state = NULL;
    if (file_read("/proc/self/mountinfo", 16 << 20, &table, NULL) < 0 || !table.length)
        return;
    for (char *line = strtok_r(table.bytes, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        char point[1024];
        if (sscanf(line, "%*d %*d %*s %*s %1023s", point) == 1 && text_starts(point, prefix))
            words_add(&points, point);
    }
    for (size_t i = points.count; i; i--)
        umount2(points.items[i - 1], MNT_DETACH);
}

static void remove_everything(const char *folder, const char *program, const char *scope_path)
{
    AUTO_FREE char *store = file_join(folder, ".triphase/store.db");
    if (file_exists(store)) {
        end_open_runs(store);
        /* A project without targets protects nothing: what was made is removed. */
        AUTO_FREE char *project = file_join(folder, "triphase.yml");
        file_replace(project, "project: lab\n", strlen("project: lab\n"), 0644, NULL);
        const char *const argv[] = {program, "-C",    folder,          "destroy",
                                    "--all", "--yes", "--no-teardown", NULL};
        struct program destroy = {.argv = argv, .bound_ns = 60 * NS_PER_S};
        struct child_end end;
        program_run(&destroy, NULL, NULL, &end, NULL);
    }
    struct scope scope;
    if (scope_open_existing(scope_path, &scope, NULL) == 0) {
        scope_end(&scope, 10 * NS_PER_S, NULL);
        scope_remove(&scope, NULL);
        scope_close(&scope);
    }
    unmount_below(folder);
    file_remove_tree(folder, NULL);
}

static void start_warden(const char *folder, const char *program, const char *scope_path)
{
    pid_t test = getpid();
    int ready[2];
    cr_assert(pipe2(ready, O_CLOEXEC) == 0);
    pid_t middle = fork();
    cr_assert(middle >= 0);
    if (middle == 0) {
        if (fork() != 0)
            _exit(0);
        setsid();
        prctl(PR_SET_NAME, "test-warden");
        signal(SIGTERM, SIG_IGN);
        signal(SIGINT, SIG_IGN);
        int handle = (int)syscall(SYS_pidfd_open, test, 0);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int fd = 0; fd < 3; fd++)
            dup2(null, fd);
        (void)!write(ready[1], "r", 1);
        for (int fd = 3; fd < 256; fd++)
            if (fd != handle)
                close(fd);
        struct pollfd look = {.fd = handle, .events = POLLIN};
        while (handle >= 0 && poll(&look, 1, -1) < 0 && errno == EINTR)
            continue;
        remove_everything(folder, program, scope_path);
        _exit(0);
    }
    waitpid(middle, NULL, 0);
    char byte;
    close(ready[1]);
    cr_assert(read(ready[0], &byte, 1) == 1, "the warden did not start");
    close(ready[0]);
}

struct lab *lab_new(void)
{
    struct lab *lab = lab_keep(xcalloc(1, sizeof *lab));
    const char *program = getenv("TRIPHASE");
    cr_assert(program && file_is_program(program), "TRIPHASE must name the built program");
    char folder[] = "/tmp/triphase-lab.XXXXXX";
    cr_assert(mkdtemp(folder) != NULL);
    lab->folder = xstrdup(folder);
    lab->program = xstrdup(program);
    lab->sshd = (struct child)CHILD_INIT;
    AUTO_FREE char *name = xasprintf("lab-%s", folder + strlen("/tmp/triphase-lab."));
    AUTO_FREE char *marker = xasprintf("LAB=%s", folder);
    cr_assert(scope_open(name, marker, &lab->sshd_scope, NULL) == 0);
    start_warden(folder, program, lab->sshd_scope.path ? lab->sshd_scope.path : "/nowhere");
    words_add_list(&lab->environment, (const char *const *)environ);
    lab_environment(lab, "XDG_CONFIG_HOME", "/nonexistent");
    all = xreallocarray(all, all_count + 1, sizeof *all);
    all[all_count++] = lab;
    return lab;
}

struct lab *lab_at(size_t i)
{
    return i < all_count ? all[i] : NULL;
}

const char *lab_folder(const struct lab *lab)
{
    return lab->folder;
}

void lab_within(struct lab *lab, const char *const *words)
{
    words_clear(&lab->within);
    if (words)
        words_add_list(&lab->within, words);
}

void lab_environment(struct lab *lab, const char *name, const char *value)
{
    if (value) {
        words_set_env(&lab->environment, name, value);
        return;
    }
    AUTO_WORDS kept = WORDS_INIT;
    AUTO_FREE char *prefix = xasprintf("%s=", name);
    for (size_t i = 0; i < lab->environment.count; i++)
        if (!text_starts(lab->environment.items[i], prefix))
            words_add(&kept, lab->environment.items[i]);
    words_clear(&lab->environment);
    lab->environment = kept;
    kept = (struct words)WORDS_INIT;
}

void lab_clock(struct lab *lab, const char *offset)
{
    glob_t found;
    cr_assert(glob("/usr/lib/*/faketime/libfaketime.so.1", 0, NULL, &found) == 0, "libfaketime is missing");
    bool wrong = *offset;
    lab_environment(lab, "LD_PRELOAD", wrong ? found.gl_pathv[0] : NULL);
    lab_environment(lab, "FAKETIME", wrong ? offset : NULL);
    lab_environment(lab, "FAKETIME_DONT_FAKE_MONOTONIC", wrong ? "1" : NULL);
    globfree(&found);
}

static void write_bytes(const char *path, const char *bytes, size_t length, mode_t mode)
{
    AUTO_FREE char *above = xstrdup(path);
    *strrchr(above, '/') = '\0';
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(file_make_dirs(above, 0755, &err) == 0, "%s", error_text(&err));
    cr_assert(file_replace(path, bytes, length, mode, &err) == 0, "%s", error_text(&err));
}

void lab_write(struct lab *lab, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *content = xvasprintf(format, args);
    va_end(args);
    AUTO_FREE char *full = file_join(lab->folder, path);
    write_bytes(full, content, strlen(content), text_starts(content, "#!") ? 0755 : 0644);
    spilled_given(full);
}

void lab_case(struct lab *lab, const char *name, const char *below)
{
    AUTO_FREE char *from = xasprintf("tests/cases/%s/.", name), *to = file_join(lab->folder, below);
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(file_make_dirs(to, 0755, &err) == 0, "%s", error_text(&err));
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "cp", "-r", "--preserve=mode", from, to, NULL) == 0, "%s",
              error_text(&err));
}

char *lab_read(struct lab *lab, const char *path)
{
    AUTO_FREE char *full = file_join(lab->folder, path);
    AUTO_TEXT bytes = TEXT_INIT;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(file_read(full, 256 << 20, &bytes, &err) == 0, "%s", error_text(&err));
    return text_take(&bytes);
}

char *lab_read_line(struct lab *lab, const char *path)
{
    char *text = lab_read(lab, path);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

bool lab_exists(struct lab *lab, const char *path)
{
    AUTO_FREE char *full = file_join(lab->folder, path);
    return file_exists(full);
}

static int free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    cr_assert(bind(fd, (struct sockaddr *)&address, length) == 0);
    cr_assert(getsockname(fd, (struct sockaddr *)&address, &length) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool answers(void *context)
{
    const struct lab *lab = context;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)lab->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int status = connect(fd, (struct sockaddr *)&address, sizeof address);
    close(fd);
    return status == 0;
}

int lab_sshd(struct lab *lab)
{
    if (lab->port)
        return lab->port;
    AUTO_ERROR err = ERROR_INIT;
    AUTO_FREE char *folder = file_join(lab->folder, "sshd"), *host_key = file_join(folder, "host_key"),
                   *key = file_join(lab->folder, "key"), *home = file_join(lab->folder, "home");
    mkdir("/run/sshd", 0755);
    cr_assert(file_make_dirs(folder, 0700, &err) == 0 && file_make_dirs(home, 0700, &err) == 0);
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                         host_key, NULL) == 0,
              "%s", error_text(&err));
    cr_assert(program_do(20 * NS_PER_S, NULL, &err, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key,
                         NULL) == 0,
              "%s", error_text(&err));
    lab->port = free_port();
    lab_write(lab, "sshd/config",
              "Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s.pub\nPidFile none\nUsePAM "
              "no\nStrictModes no\n"
              "PermitRootLogin yes\nPasswordAuthentication no\nPermitUserEnvironment no\nSetEnv HOME=%s "
              "LAB=%s\nMaxStartups 100\n"
              "Subsystem sftp internal-sftp\n",
              lab->port, host_key, key, home, lab->folder);
    AUTO_FREE char *config = file_join(folder, "config");
    const char *const argv[] = {"/usr/sbin/sshd", "-D", "-e", "-f", config, NULL};
    AUTO_FREE char *log_path = file_join(folder, "log");
    AUTO_CLOSE int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct child_plan plan = {.argv = argv, .in = -1, .out = log, .error = log, .scope = &lab->sshd_scope};
    cr_assert(child_start(&plan, &lab->sshd, &err) == 0, "%s", error_text(&err));
    cr_assert(lab_until(10, answers, lab), "sshd does not answer");
    return lab->port;
}

pid_t lab_sshd_pid(const struct lab *lab)
{
    return lab->sshd.pid;
}

void lab_ansible(struct lab *lab, const char *path)
{
    free(lab->ansible);
    lab->ansible = xstrdup(path);
}

void lab_static_project(struct lab *lab, const char *phase_keys, const char *playbook)
{
    int port = lab_sshd(lab);
    AUTO_FREE char *host_key = lab_read_line(lab, "sshd/host_key.pub");
    AUTO_FREE char *ansible = lab->ansible ? xasprintf("ansible: %s\n", lab->ansible) : xstrdup("");
    lab_write(lab, "triphase.yml",
              "project: lab\n%stargets:\n  host:\n    provider: static\n    recipe: work\n    address: "
              "127.0.0.1\n    port: %d\n"
              "    key: %s/key\n    python: /usr/bin/python3\n    host_keys: ['%s']\n",
              ansible, port, lab->folder, host_key);
    lab_write(lab, "phases/work.yml", "phases:\n  - name: work\n    playbook: playbooks/work.yml\n%s",
              phase_keys);
    lab_write(lab, "playbooks/work.yml", "%s", playbook);
}

void lab_static_case(struct lab *lab, const char *name)
{
    AUTO_FREE char *port = xasprintf("%d", lab_sshd(lab)), *key = file_join(lab->folder, "key"),
                   *host_key = lab_read_line(lab, "sshd/host_key.pub");
    AUTO_FREE char *host_keys = xasprintf("['%s']", host_key);
    const char *const set[][2] = {{"TRIPHASE_ANSIBLE", lab->ansible},
                                  {"TRIPHASE_TARGETS_HOST_PROVIDER", "static"},
                                  {"TRIPHASE_TARGETS_HOST_ADDRESS", "127.0.0.1"},
                                  {"TRIPHASE_TARGETS_HOST_PORT", port},
                                  {"TRIPHASE_TARGETS_HOST_KEY", key},
                                  {"TRIPHASE_TARGETS_HOST_PYTHON", "/usr/bin/python3"},
                                  {"TRIPHASE_TARGETS_HOST_HOST_KEYS", host_keys}};
    lab_case(lab, name, "");
    for (size_t i = 0; i < COUNT_OF(set); i++)
        lab_environment(lab, set[i][0], set[i][1]);
}

void lab_hostile_ansible(struct lab *lab, const char *body)
{
    AUTO_FREE char *real = file_find_program("ansible-playbook", words_env(&lab->environment, "PATH"));
    cr_assert(real != NULL, "ansible-playbook is not in PATH");
    AUTO_FREE char *bin = xstrndup(real, (size_t)(strrchr(real, '/') - real));
    lab_write(lab, "bin/ansible-playbook",
              "#!/bin/sh\nREAL=%s\nif [ -z \"$TRIPHASE_EVENTS\" ]; then exec \"$REAL\" \"$@\"; "
              "fi\nEVENTS=$TRIPHASE_EVENTS\n%s\n",
              real, body);
    static const char *const beside[] = {"ansible-inventory", "ansible-config", "ansible-doc", "ansible"};
    for (size_t i = 0; i < COUNT_OF(beside); i++) {
        AUTO_FREE char *name = xasprintf("bin/%s", beside[i]);
        lab_write(lab, name, "#!/bin/sh\nexec %s/%s \"$@\"\n", bin, beside[i]);
    }
    AUTO_FREE char *path = file_join(lab->folder, "bin/ansible-playbook");
    lab_ansible(lab, path);
}

/* argv of the program; the words up to NULL. */
static void make_argv(struct lab *lab, struct words *argv, const char *word, va_list args)
{
    words_add_list(argv, words_argv(&lab->within));
    words_add_all(argv, lab->program, "-C", lab->folder, NULL);
    for (; word; word = va_arg(args, const char *))
        words_add(argv, word);
}

static int attempt(struct lab *lab, const struct words *argv, struct lab_result *result, struct error *err)
{
    AUTO_TEXT out = TEXT_INIT, err_out = TEXT_INIT;
    struct child_end end = {0};
    struct program program = {.argv = words_argv(argv),
                              .environment = words_argv(&lab->environment),
                              .bound_ns = RUN_BOUND_S * NS_PER_S,
                              .output_limit = 64 << 20,
                              .keeps_output = true};
    int64_t before = moment_monotonic();
    int status = program_run(&program, &out, &err_out, &end, err);
    double seconds = (double)(moment_monotonic() - before) / (double)NS_PER_S;
    *result = (struct lab_result){end.exited ? end.code : 128 + end.signal, lab_keep(text_take(&out)),
                                  lab_keep(text_take(&err_out)), seconds};
    spilled_said(result->out);
    spilled_said(result->err);
    return status == 0 || !end.exited ? 0 : -1;
}

static struct lab_result run(struct lab *lab, const struct words *argv)
{
    AUTO_ERROR err = ERROR_INIT;
    struct lab_result result;
    int status = attempt(lab, argv, &result, &err);
    cr_assert(status == 0, "%s: %s", argv->items[argv->count - 1], error_text(&err));
    return result;
}

int lab_attempt(struct lab *lab, struct lab_result *result, struct error *err, const char *word, ...)
{
    AUTO_WORDS argv = WORDS_INIT;
    va_list args;
    va_start(args, word);
    make_argv(lab, &argv, word, args);
    va_end(args);
    return attempt(lab, &argv, result, err);
}

struct lab_result lab_run(struct lab *lab, const char *word, ...)
{
    AUTO_WORDS argv = WORDS_INIT;
    va_list args;
    va_start(args, word);
    make_argv(lab, &argv, word, args);
    va_end(args);
    return run(lab, &argv);
}

struct lab_result lab_run_after(struct lab *lab, const char *before, const char *word, ...)
{
    AUTO_WORDS argv = WORDS_INIT;
    AUTO_FREE char *script = xasprintf("%s; exec \"$@\"", before);
    va_list args;
    words_add_all(&argv, "sh", "-c", script, "sh", NULL);
    va_start(args, word);
    make_argv(lab, &argv, word, args);
    va_end(args);
    return run(lab, &argv);
}

pid_t lab_start(struct lab *lab, const char *name, const char *word, ...)
{
    AUTO_WORDS argv = WORDS_INIT;
    va_list args;
    va_start(args, word);
    make_argv(lab, &argv, word, args);
    va_end(args);
    AUTO_FREE char *out_path = xasprintf("%s/%s.out", lab->folder, name),
                   *err_path = xasprintf("%s/%s.err", lab->folder, name);
    AUTO_CLOSE int out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    AUTO_CLOSE int err_fd = open(err_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct child child;
    AUTO_ERROR err = ERROR_INIT;
    struct child_plan plan = {.argv = words_argv(&argv),
                              .environment = words_argv(&lab->environment),
                              .in = -1,
                              .out = out,
                              .error = err_fd};
    cr_assert(child_start(&plan, &child, &err) == 0, "%s", error_text(&err));
    pid_t pid = child.pid;
    child_close(&child);
    return pid;
}

struct waited {
    pid_t pid;
    int status;
};

static bool has_ended(void *context)
{
    struct waited *waited = context;
    return waitpid(waited->pid, &waited->status, WNOHANG) == waited->pid;
}

int lab_wait(struct lab *lab, pid_t pid, double seconds)
{
    (void)lab;
    struct waited waited = {.pid = pid};
    cr_assert(lab_until(seconds, has_ended, &waited), "it did not end within %.1f s", seconds);
    return WIFEXITED(waited.status) ? WEXITSTATUS(waited.status) : 128 + WTERMSIG(waited.status);
}

char *lab_sql(struct lab *lab, const char *query)
{
    AUTO_FREE char *path = file_join(lab->folder, ".triphase/store.db");
    AUTO_SQL *db = NULL;
    AUTO_STATEMENT *statement = NULL;
    AUTO_ERROR err = ERROR_INIT;
    if (!file_exists(path))
        return xstrdup("");
    cr_assert(sql_open(path, SQL_READ, 5000, &db, &err) == 0, "%s", error_text(&err));
    if (sql_prepare(db, query, &statement, &err) < 0 && strstr(error_text(&err), "no such table"))
        return xstrdup(""); /* it is being made */
    cr_assert(statement != NULL, "%s", error_text(&err));
    int row = sql_step(statement, &err);
    cr_assert(row >= 0, "%s", error_text(&err));
    const char *text = row ? sql_text(statement, 0) : NULL;
    return xstrdup(text ? text : "");
}

void lab_add_runs(struct lab *lab, int count, int64_t after_ns, int64_t apart_ns)
{
    AUTO_FREE char *path = file_join(lab->folder, ".triphase/store.db");
    AUTO_FREE char *statement =
        xasprintf("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO"
                  " run (id, kind, target, partial, fresh, started_ns, duration_ns, outcome, exit_code)"
                  " SELECT printf('01890000-0000-7000-8000-%%012x', i), 'run', target, 0, 0,"
                  " started_ns + duration_ns + %lld + i * %lld, 1, 'ok', 0 FROM n, run",
                  count, (long long)after_ns, (long long)apart_ns);
    AUTO_SQL *db = NULL;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert(lab_sql_number(lab, "SELECT count(*) FROM run") == 1);
    cr_assert(sql_open(path, SQL_WRITE, 5000, &db, &err) == 0 && sql_run(db, statement, &err) == 0, "%s",
              error_text(&err));
}

int64_t lab_sql_number(struct lab *lab, const char *query)
{
    AUTO_FREE char *text = lab_sql(lab, query);
    return strtoll(text, NULL, 10);
}

bool lab_until(double seconds, bool (*holds)(void *context), void *context)
{
    int64_t until = moment_monotonic() + (int64_t)(seconds * (double)NS_PER_S);
    do {
        if (holds(context))
            return true;
        poll(NULL, 0, LOOK_MS);
    } while (moment_monotonic() < until);
    return holds(context);
}

struct asked {
    struct lab *lab;
    const char *what;
};

static bool says_yes(void *context)
{
    const struct asked *asked = context;
    AUTO_FREE char *answer = lab_sql(asked->lab, asked->what);
    return *answer && !text_is(answer, "0");
}

bool lab_until_sql(struct lab *lab, double seconds, const char *query)
{
    return lab_until(seconds, says_yes, &(struct asked){lab, query});
}

static bool is_there(void *context)
{
    const struct asked *asked = context;
    return lab_exists(asked->lab, asked->what);
}

bool lab_until_file(struct lab *lab, double seconds, const char *path)
{
    return lab_until(seconds, is_there, &(struct asked){lab, path});
}

static bool mentions(const char *path, const char *needle)
{
    AUTO_TEXT bytes = TEXT_INIT;
    return file_read(path, 4 << 20, &bytes, NULL) == 0 && bytes.length &&
           memmem(bytes.bytes, bytes.length, needle, strlen(needle)) != NULL;
}

int lab_processes(const char *needle)
{
    AUTO_WORDS names = WORDS_INIT;
    int count = 0;
    file_list("/proc", &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        long pid = strtol(names.items[i], NULL, 10);
        if (pid <= 0 || pid == getpid())
            continue;
        AUTO_FREE char *environment = xasprintf("/proc/%ld/environ", pid),
                       *argv = xasprintf("/proc/%ld/cmdline", pid);
        count += mentions(environment, needle) || mentions(argv, needle);
    }
    return count;
}

pid_t lab_worker(struct lab *lab)
{
    return (pid_t)lab_sql_number(
        lab, "SELECT pid FROM run WHERE outcome IS NULL ORDER BY started_ns DESC LIMIT 1");
}

static bool named(long pid, const char *name)
{
    AUTO_FREE char *path = xasprintf("/proc/%ld/comm", pid);
    AUTO_TEXT comm = TEXT_INIT;
    return file_read(path, 64, &comm, NULL) == 0 && text_starts(text_string(&comm), name);
}

pid_t lab_child(struct lab *lab, const char *name)
{
    AUTO_FREE char *path =
        xasprintf("/proc/%ld/task/%ld/children", (long)lab_worker(lab), (long)lab_worker(lab));
    AUTO_TEXT list = TEXT_INIT;
    file_read(path, 65536, &list, NULL);
    char *at = list.bytes;
    while (at && *at) {
        char *end;
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        if (named(pid, name))
            return (pid_t)pid;
        at = end;
    }
    return 0;
}

pid_t lab_guard(struct lab *lab)
{
    return lab_child(lab, "triphase-guard");
}
