#include "lab/spilled.h"

#include "base/deadline.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/text.h"
#include "process/program.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SECRETS_MOST = 32,
    FILES_MOST = 4,
    WORDS_MOST = 256,
    LOOKED_AT = 128 << 10,
    SAID = 512,
    PAUSE_MS = 20,
    ENVIRONMENT_EACH = 4
};
#define GREP_BOUND (60 * NS_PER_S)

/* Shared with the process that looks. */
static struct seen {
    atomic_int count; /* of secrets */
    atomic_int files; /* whose lines are secrets */
    atomic_int rounds;
    atomic_int found;
    char secrets[SECRETS_MOST][WORDS_MOST];
    char paths[FILES_MOST][WORDS_MOST];
    char said[SAID];
} * seen;
static pid_t looker;
static struct words given;
static struct text printed;

/* All secrets as this process knows them: those of files are read anew where they grew. */
static struct words known;
static off_t sizes[FILES_MOST];
static int taken;

static void read_lines(int file)
{
    struct stat status;
    AUTO_TEXT bytes = TEXT_INIT;
    if (stat(seen->paths[file], &status) < 0 || status.st_size == sizes[file] ||
        file_read(seen->paths[file], 1 << 20, &bytes, NULL) < 0)
        return;
    sizes[file] = status.st_size;
    AUTO_FREE char *all = text_take(&bytes);
    char *rest = NULL;
    for (char *line = strtok_r(all, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (strlen(line) >= 8 && !words_have(&known, line))
            words_add(&known, line);
}

static void learn(void)
{
    for (int count = atomic_load(&seen->count); taken < count; taken++)
        words_add(&known, seen->secrets[taken]);
    for (int i = 0; i < atomic_load(&seen->files); i++)
        read_lines(i);
}

static const char *secret_in(const char *bytes, size_t length)
{
    for (size_t i = 0; i < known.count; i++)
        if (memmem(bytes, length, known.items[i], strlen(known.items[i])))
            return known.items[i];
    return NULL;
}

static void look_at(const char *pid, const char *what)
{
    static char bytes[LOOKED_AT];
    char path[300];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, what);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    if (got <= 0 || atomic_load(&seen->found) || !secret_in(bytes, (size_t)got))
        return;
    for (ssize_t at = 0; at < got; at++)
        bytes[at] = isprint((unsigned char)bytes[at]) ? bytes[at] : ' ';
    snprintf(seen->said, sizeof seen->said, "the %s of process %s: %.300s", what, pid, bytes);
    atomic_store(&seen->found, 1);
}

/* What a process is started with stands in its environment as long as it lives; in words that it rewrites,
 * for an instant. */
static void look_at_all(bool environment)
{
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));)
        if (isdigit((unsigned char)*entry->d_name)) {
            look_at(entry->d_name, "cmdline");
            if (environment)
                look_at(entry->d_name, "environ");
        }
    if (proc)
        closedir(proc);
}

static _Noreturn void look(pid_t test)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "test-looker");
    (void)!nice(5);
    while (getppid() == test) {
        learn();
        int round = atomic_fetch_add(&seen->rounds, 1);
        look_at_all(round % ENVIRONMENT_EACH == 0);
        moment_sleep(PAUSE_MS * NS_PER_MS);
    }
    _exit(0);
}

static void start(void)
{
    if (!seen) {
        seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        cr_assert_neq(seen, MAP_FAILED);
    }
    if (looker)
        return;
    pid_t test = getpid();
    looker = fork();
    cr_assert_geq(looker, 0);
    if (looker == 0)
        look(test);
}

static void copy(char (*table)[WORDS_MOST], int most, atomic_int *count, const char *word)
{
    int place = atomic_load(count);
    cr_assert(place < most && strlen(word) < WORDS_MOST && strlen(word) >= 8);
    memcpy(table[place], word, strlen(word) + 1);
    atomic_store(count, place + 1);
}

void spilled_watch(const char *secret)
{
    start();
    copy(seen->secrets, SECRETS_MOST, &seen->count, secret);
}

void spilled_watch_lines(const char *path)
{
    start();
    copy(seen->paths, FILES_MOST, &seen->files, path);
}

void spilled_given(const char *path)
{
    words_add(&given, path);
}

void spilled_said(const char *words)
{
    if (seen)
        text_add(&printed, words);
}

/* Patterns through stdin: the search itself has the secret in no argv. */
static void search(const char *folder, struct text *out)
{
    AUTO_TEXT patterns = TEXT_INIT, files = TEXT_INIT;
    for (size_t i = 0; i < known.count; i++)
        text_addf(&patterns, "%s\n", known.items[i]);
    const char *const argv[] = {"grep", "-rlaF", "-f", "-", "--", folder, NULL};
    struct program program = {.argv = argv, .input = text_string(&patterns), .bound_ns = GREP_BOUND};
    struct child_end end = {0};
    AUTO_ERROR err = ERROR_INIT;
    if (program_run(&program, &files, NULL, &end, &err) < 0 && !end.exited)
        text_addf(out, "grep in %s: %s\n", folder, error_text(&err));
    else if (end.code > 1)
        text_addf(out, "grep in %s ended with %d\n", folder, end.code);
    AUTO_FREE char *all = text_take(&files);
    char *rest = NULL;
    for (char *line = strtok_r(all, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (!words_have(&given, line))
            text_addf(out, "a secret stands in %s\n", line);
}

/* Packed files, unpacked beside themselves: what is in them is found by the same search. */
static void unpack(const char *folder, struct text *out)
{
    AUTO_ERROR err = ERROR_INIT;
    static const char script[] = "find \"$1\" -name '*.tar.gz' -type f | while read -r one; do "
                                 "mkdir -p \"$one.unpacked\" && tar -xaf \"$one\" -C \"$one.unpacked\" || "
                                 "exit 1; done";
    if (program_do(GREP_BOUND, NULL, &err, "sh", "-c", script, "sh", folder, NULL) < 0)
        text_addf(out, "%s\n", error_text(&err));
}

/* What it has not looked at since the last secret came says nothing. */
static void end_the_look(struct text *out)
{
    struct deadline bound = deadline_in(GREP_BOUND);
    int enough = atomic_load(&seen->rounds) + ENVIRONMENT_EACH + 2;
    while (atomic_load(&seen->rounds) < enough && !deadline_over(bound))
        moment_sleep(NS_PER_MS);
    if (atomic_load(&seen->rounds) < enough)
        text_add(out, "nobody looked through /proc\n");
    kill(looker, SIGKILL);
    waitpid(looker, NULL, 0);
    looker = 0;
    if (atomic_load(&seen->found))
        text_addf(out, "a secret stood in %s\n", seen->said);
}

char *spilled_found(const struct words *folders)
{
    struct text out = TEXT_INIT;
    text_add(&out, "");
    if (!looker)
        return text_take(&out);
    end_the_look(&out);
    learn();
    if (secret_in(text_string(&printed), printed.length))
        text_add(&out, "a secret was printed by a command\n");
    for (size_t i = 0; i < folders->count; i++) {
        unpack(folders->items[i], &out);
        search(folders->items[i], &out);
    }
    return text_take(&out);
}
