#include "process/offspring.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"
#include "process/marked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STAT_LIMIT = 4096, TITLE_LIMIT = 1 << 17, DEPTH_MOST = 4096 };

struct process {
    pid_t pid, parent;
    bool zombie, below, looked_at;
};

/* False when it is gone. Source: proc(5), stat: the name may hold anything, also parentheses and blanks. */
static bool read_parent(pid_t pid, struct process *out)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/stat", (int)pid);
    AUTO_TEXT text = TEXT_INIT;
    if (file_read(path, STAT_LIMIT, &text, NULL) < 0)
        return false;
    const char *end = strrchr(text_string(&text), ')');
    char state;
    int parent;
    if (!end || sscanf(end, ") %c %d", &state, &parent) != 2)
        return false;
    *out = (struct process){.pid = pid, .parent = (pid_t)parent, .zombie = state == 'Z' || state == 'X'};
    return true;
}

static bool is_this_program(pid_t pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/exe", (int)pid);
    struct stat its, own;
    return stat(path, &its) == 0 && stat("/proc/self/exe", &own) == 0 && its.st_ino == own.st_ino &&
           its.st_dev == own.st_dev;
}

static bool is_guard(pid_t pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/comm", (int)pid);
    AUTO_TEXT name = TEXT_INIT;
    return file_read(path, 64, &name, NULL) == 0 && text_is(text_string(&name), "triphase-guard\n") &&
           is_this_program(pid);
}

/* "ssh: …/triphase-<uid>/… [mux]" once it has set its title; before, and where it sets none, the
 * words it was started with. */
static bool is_master(pid_t pid)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/cmdline", (int)pid);
    AUTO_TEXT title = TEXT_INIT;
    if (file_read(path, TITLE_LIMIT, &title, NULL) < 0 || !title.length)
        return false;
    bool has_title = text_starts(title.bytes, "ssh: /");
    for (size_t i = 0; i + 1 < title.length; i++)
        if (!title.bytes[i])
            title.bytes[i] = ' ';
    return strstr(title.bytes, "/triphase-") &&
           (has_title ? strstr(title.bytes, " [mux]") : strstr(title.bytes, "ssh -o ControlMaster=yes ")) !=
               NULL;
}

static bool stays(const struct process *process, const pid_t *kept, int kept_count)
{
    for (int i = 0; i < kept_count; i++)
        if (kept[i] == process->pid)
            return true;
    return process->parent == getpid() &&
           (is_guard(process->pid) || is_master(process->pid) || marked_with(process->pid, OFFSPRING_STAYS));
}

static int by_pid(const void *a, const void *b)
{
    const struct process *one = a, *other = b;
    return (one->pid > other->pid) - (one->pid < other->pid);
}

/* Whether it is below this process, over parents that are; each is asked once. */
static bool is_below(struct process *all, size_t count, struct process *process, const pid_t *kept,
                     int kept_count, int depth)
{
    if (process->looked_at || depth > DEPTH_MOST)
        return process->below;
    process->looked_at = true;
    if (process->parent == getpid()) {
        process->below = !stays(process, kept, kept_count);
        return process->below;
    }
    struct process *parent =
        bsearch(&(struct process){.pid = process->parent}, all, count, sizeof *all, by_pid);
    process->below = parent && is_below(all, count, parent, kept, kept_count, depth + 1);
    return process->below;
}

int offspring_find(const pid_t *kept, int kept_count, pid_t **pids)
{
    AUTO_WORDS names = WORDS_INIT;
    file_list("/proc", &names, NULL);
    AUTO_FREE struct process *all = xcalloc(names.count + 1, sizeof *all);
    AUTO_FREE pid_t *found = xcalloc(names.count + 1, sizeof *found);
    size_t count = 0;
    int result = 0;
    for (size_t i = 0; i < names.count; i++) {
        long pid = strtol(names.items[i], NULL, 10);
        count += pid > 1 && read_parent((pid_t)pid, &all[count]);
    }
    qsort(all, count, sizeof *all, by_pid);
    for (size_t i = 0; i < count; i++)
        if (is_below(all, count, &all[i], kept, kept_count, 0) && !all[i].zombie)
            found[result++] = all[i].pid;
    if (pids)
        *pids = result ? TAKE(found) : NULL;
    return result;
}

bool offspring_is(pid_t pid)
{
    struct process process = {.parent = pid};
    for (int depth = 0; depth < DEPTH_MOST && read_parent(process.parent, &process) && process.parent > 1;
         depth++)
        if (process.parent == getpid())
            return !process.zombie || depth > 0;
    return false;
}
