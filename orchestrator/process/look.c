#include "process/look.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/moment.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FORKED_NO_EXEC = 0x40, STAT_LIMIT = 4096, WCHAN_LIMIT = 64, WORDS_LIMIT = 1 << 17 };

bool process_look(pid_t pid, struct process_look *out)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/stat", (int)pid);
    AUTO_TEXT stat = TEXT_INIT;
    if (file_read(path, STAT_LIMIT, &stat, NULL) < 0 || !stat.length)
        return false;
    /* The name stands in parentheses and may hold anything. */
    const char *open = strchr(stat.bytes, '('), *end = strrchr(stat.bytes, ')');
    struct process_look seen = {.pid = pid};
    int parent, session;
    unsigned flags;
    long long start;
    if (!open || !end ||
        sscanf(end, ") %c %d %*d %d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lld",
               &seen.state, &parent, &session, &flags, &start) != 5)
        return false;
    seen.parent = (pid_t)parent;
    seen.session = (pid_t)session;
    seen.no_exec = flags & FORKED_NO_EXEC;
    seen.start = start;
    snprintf(seen.name, sizeof seen.name, "%.*s", (int)(end - open - 1), open + 1);
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    seen.age_ns = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec - start * (NS_PER_S / sysconf(_SC_CLK_TCK));
    *out = seen;
    return true;
}

void process_look_wchan(pid_t pid, struct text *out)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/wchan", (int)pid);
    AUTO_TEXT wchan = TEXT_INIT;
    if (file_read(path, WCHAN_LIMIT, &wchan, NULL) == 0 && !text_is(text_string(&wchan), "0"))
        text_add(out, text_string(&wchan));
}

void process_look_words(pid_t pid, struct text *out)
{
    AUTO_FREE char *path = xasprintf("/proc/%d/cmdline", (int)pid);
    AUTO_TEXT words = TEXT_INIT;
    if (file_read(path, WORDS_LIMIT, &words, NULL) < 0 || !words.length)
        return;
    for (size_t i = 0; i + 1 < words.length; i++)
        if (!words.bytes[i])
            words.bytes[i] = ' ';
    text_add_printable(out, words.bytes, strlen(words.bytes));
}
