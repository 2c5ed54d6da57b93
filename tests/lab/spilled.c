#include "lab/spilled.h"

#include "base/deadline.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/look.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECRETS_MOST = 8, SECRET_MOST = 256, LOOKED_AT = 128 << 10, SAID = 512 };
#define GREP_BOUND (60 * NS_PER_S)

/* Shared with the process that looks. */
static struct seen {
    atomic_int count; /* of secrets */
    atomic_int rounds;
    atomic_int found;
    char secrets[SECRETS_MOST][SECRET_MOST];
    char said[SAID];
} * seen;
static pid_t looker;

/* Of a key that the test does not know only the beginning is, which other tests' keys have too: that is
 * looked for in what the test itself started. */
static bool is_beginning(const char *secret)
{
    return secret[strlen(secret) - 1] == '-';
}

static bool is_below(const char *pid, pid_t test)
{
    struct process_look process = {.parent = (pid_t)strtol(pid, NULL, 10)};
    while (process.parent > 1 && process.parent != test)
        if (!process_look(process.parent, &process))
            return false;
    return process.parent == test;
}

static void look_at(const char *pid, const char *what, pid_t test)
{
    static char bytes[LOOKED_AT];
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    for (int i = 0; got > 0 && i < atomic_load(&seen->count); i++)
        if (memmem(bytes, (size_t)got, seen->secrets[i], strlen(seen->secrets[i])) &&
            !atomic_load(&seen->found) && (!is_beginning(seen->secrets[i]) || is_below(pid, test))) {
            for (ssize_t at = 0; at < got; at++)
                bytes[at] = isprint((unsigned char)bytes[at]) ? bytes[at] : ' ';
            snprintf(seen->said, sizeof seen->said, "%s of process %s (the test is %d): %.300s", what, pid,
                     (int)test, bytes);
            atomic_store(&seen->found, 1);
        }
}

static _Noreturn void look(pid_t test)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "test-looker");
    (void)!nice(5);
    while (getppid() == test) {
        DIR *proc = opendir("/proc");
        for (struct dirent *entry; proc && (entry = readdir(proc));)
            if (isdigit((unsigned char)*entry->d_name)) {
                look_at(entry->d_name, "cmdline", test);
                look_at(entry->d_name, "environ", test);
            }
        if (proc)
            closedir(proc);
        atomic_fetch_add(&seen->rounds, 1);
    }
    _exit(0);
}

void spilled_watch(const char *secret)
{
    if (!seen) {
        seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq(seen, MAP_FAILED);
    }
    int count = atomic_load(&seen->count);
    cr_assert(count < SECRETS_MOST && strlen(secret) < SECRET_MOST && strlen(secret) >= 8);
    memcpy(seen->secrets[count], secret, strlen(secret) + 1);
    atomic_store(&seen->count, count + 1);
    if (looker)
        return;
    pid_t test = getpid();
    looker = fork();
    cr_assert_geq(looker, 0);
    if (looker == 0)
        look(test);
}

/* Patterns through stdin: the search itself has the secret in no argv. */
static void search(const char *but, const char *folder)
{
    AUTO_TEXT patterns = TEXT_INIT, out = TEXT_INIT;
    for (int i = 0; i < atomic_load(&seen->count); i++)
        text_addf(&patterns, "%s\n", seen->secrets[i]);
    const char *const argv[] = {"grep", "-rlaF", "-f", "-", "--", folder, NULL};
    struct program program = {.argv = argv, .input = text_string(&patterns), .bound_ns = GREP_BOUND};
    struct child_end end;
    AUTO_ERROR err = ERROR_INIT;
    cr_assert_eq(program_run(&program, &out, NULL, &end, &err), 0, "%s", error_text(&err));
    cr_assert_leq(end.code, 1, "grep in %s ended with %d", folder, end.code);
    char *rest = NULL, *all = text_take(&out);
    for (char *line = strtok_r(all, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        cr_expect(but && text_is(line, but), "a secret stands in %s", line);
    free(all);
}

/* Packed files, unpacked beside themselves: what is in them is found by the same search. */
static void unpack(const char *folder)
{
    AUTO_ERROR err = ERROR_INIT;
    static const char script[] =
        "find \"$1\" \\( -name '*.tar.gz' -o -name '*.tar.zst' \\) -type f | while read -r one; do "
        "mkdir -p \"$one.unpacked\" && tar -xaf \"$one\" -C \"$one.unpacked\" || exit 1; done";
    cr_assert_eq(program_do(GREP_BOUND, NULL, &err, "sh", "-c", script, "sh", folder, NULL), 0, "%s",
                 error_text(&err));
}

/* What it has not looked at since the last secret came says nothing. */
static void end_the_look(void)
{
    struct deadline bound = deadline_in(GREP_BOUND);
    int before = atomic_load(&seen->rounds);
    while (atomic_load(&seen->rounds) < before + 2 && !deadline_over(bound))
        moment_sleep(NS_PER_MS);
    cr_expect_geq(atomic_load(&seen->rounds), before + 2, "nobody looked through /proc");
    kill(looker, SIGKILL);
    waitpid(looker, NULL, 0);
    looker = 0;
    cr_expect_eq(atomic_load(&seen->found), 0, "a secret stood in the %s", seen->said);
}

void spilled_check(const char *but, const char *folder, ...)
{
    va_list more;
    cr_assert_not_null(seen, "nothing is watched for");
    end_the_look();
    va_start(more, folder);
    for (; folder; folder = va_arg(more, const char *)) {
        unpack(folder);
        search(but, folder);
    }
    va_end(more);
}
