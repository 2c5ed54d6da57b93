#include "process/marked.h"

#include "base/memory.h"
#include "base/text.h"
#include "process/look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RUN_NAME "TRIPHASE_RUN="

enum { RUN_DIGITS = 12, TITLE_LIMIT = 4096, GENERATIONS = 256 };

static int open_of(pid_t pid, const char *what)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    return open(path, O_RDONLY | O_CLOEXEC);
}

enum answer { NO, YES, EMPTY };

/* Looks for a NUL-separated entry, or one that begins so, in one pass, since an
 * environment may be megabytes. */
static enum answer look_for_entry(int fd, const char *entry, bool whole)
{
    char block[4096];
    size_t length = strlen(entry);
    ssize_t matched = 0; /* bytes of the current entry that agree so far, -1: it differs */
    for (bool first = true;; first = false) {
        ssize_t got = read(fd, block, sizeof block);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 && first ? EMPTY : matched == (ssize_t)length ? YES : NO;
        for (ssize_t i = 0; i < got; i++) {
            if (!block[i]) {
                if (matched == (ssize_t)length)
                    return YES;
                matched = 0;
            } else if (matched >= 0) {
                matched = (size_t)matched < length && block[i] == entry[matched] ? matched + 1 : -1;
                if (!whole && matched == (ssize_t)length)
                    return YES;
            }
        }
    }
}

/* A number of /proc/PID/stat, counted as proc(5) does, from 4 on; `text` is the whole line. */
static unsigned long long stat_field(const char *text, int number)
{
    /* The name in parentheses may hold anything; field 3 follows the last one. */
    const char *at = strrchr(text, ')');
    at = at ? at + 1 : "";
    for (at += strspn(at, " "); number > 3; number--) {
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    return strtoull(at, NULL, 10);
}

/* Whether exec has given it memory (field 23) but no environment yet (field 51 is its end): then
 * an empty one says nothing. */
static bool is_within_exec(pid_t pid)
{
    AUTO_CLOSE int fd = open_of(pid, "stat");
    char line[1024];
    ssize_t got = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    if (got <= 0)
        return false;
    line[got] = '\0';
    return stat_field(line, 23) && !stat_field(line, 51);
}

static bool has_entry(pid_t pid, const char *entry, bool whole)
{
    enum { TRIES = 100 };
    for (int left = TRIES;; left--) {
        AUTO_CLOSE int fd = open_of(pid, "environ");
        enum answer answer = fd < 0 ? NO : look_for_entry(fd, entry, whole);
        if (answer != EMPTY || !left || !is_within_exec(pid))
            return answer == YES;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static bool is_in_another_namespace(pid_t pid)
{
    char path[64];
    struct stat its, own;
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)pid);
    return stat(path, &its) == 0 && stat("/proc/self/ns/pid", &own) == 0 && its.st_ino != own.st_ino;
}

/* Whether it runs on a sandbox: below the nspawn that carries the machine's mark. */
static bool is_on_a_guest(pid_t pid)
{
    if (!is_in_another_namespace(pid))
        return false;
    for (int up = 0; pid > 1 && up < GENERATIONS; up++) {
        struct process_look process;
        if (has_entry(pid, "TRIPHASE_MACHINE=", false))
            return true;
        if (!process_look(pid, &process))
            break;
        pid = process.parent;
    }
    return false;
}

/* Whether the title of a mux master names a control path of the run:
 * "/triphase-<digits>/<tail><one of d t u>/". */
static bool title_names_run(const char *title, const char *tail)
{
    if (!text_starts(title, "ssh: ") || !strstr(title, " [mux]"))
        return false;
    for (const char *at = title; (at = strstr(at, "/triphase-")); at++) {
        const char *rest = at + strlen("/triphase-");
        size_t digits = strspn(rest, "0123456789");
        if (digits && rest[digits] == '/' && strncmp(rest + digits + 1, tail, RUN_DIGITS) == 0)
            return true;
    }
    return false;
}

static bool is_master_of_run(pid_t pid, const char *marker)
{
    size_t length = strlen(marker);
    if (!text_starts(marker, RUN_NAME) || length < strlen(RUN_NAME) + RUN_DIGITS)
        return false;
    AUTO_CLOSE int fd = open_of(pid, "cmdline");
    char title[TITLE_LIMIT];
    ssize_t got = fd < 0 ? -1 : read(fd, title, sizeof title - 1);
    if (got <= 0)
        return false;
    title[got] = '\0';
    return title_names_run(title, marker + length - RUN_DIGITS);
}

/* What is found here gets killed: a marker that says nothing must match nothing. */
static bool is_marker(const char *marker)
{
    const char *equals = strchr(marker, '=');
    return equals && equals != marker && equals[1];
}

/* Never the caller, and never the init of its PID namespace, whose end would be everybody's. */
static bool may_be_looked_at(pid_t pid)
{
    char path[64];
    struct stat state;
    uid_t own = geteuid();
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    return pid > 1 && pid != getpid() && stat(path, &state) == 0 && (own == 0 || state.st_uid == own);
}

bool marked_with(pid_t pid, const char *marker)
{
    if (!is_marker(marker) || !may_be_looked_at(pid))
        return false;
    return has_entry(pid, marker, true) ? !is_on_a_guest(pid) : is_master_of_run(pid, marker);
}

bool marked_with_name(pid_t pid, const char *name)
{
    return strchr(name, '=') > name && may_be_looked_at(pid) && has_entry(pid, name, false) &&
           !is_on_a_guest(pid);
}

int marked_find(const char *marker, pid_t **pids, struct error *err)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return error_system(err, errno, "cannot look through /proc for processes of %s", marker);
    AUTO_FREE pid_t *found = NULL;
    size_t count = 0, room = 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end || pid <= 0 || !marked_with((pid_t)pid, marker))
            continue;
        if (pids && count == room) {
            room = room ? room * 2 : 16;
            found = xreallocarray(found, room, sizeof *found);
        }
        if (pids)
            found[count] = (pid_t)pid;
        count++;
    }
    closedir(proc);
    if (pids)
        *pids = TAKE(found);
    return (int)count;
}
