#include "lab/hidden.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/words.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool holds(const char *path, const char *needle)
{
    AUTO_TEXT bytes = TEXT_INIT;
    return file_read(path, 64 << 20, &bytes, NULL) == 0 && bytes.length &&
           memmem(bytes.bytes, bytes.length, needle, strlen(needle)) != NULL;
}

int hidden_files(const char *folder, const char *needle)
{
    AUTO_WORDS names = WORDS_INIT;
    int found = 0;
    file_list(folder, &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        AUTO_FREE char *path = file_join(folder, names.items[i]);
        if (file_is_dir(path)) {
            found += hidden_files(path, needle);
        } else if (holds(path, needle)) {
            fprintf(stderr, "%s holds %s\n", path, needle);
            found++;
        }
    }
    return found;
}

int hidden_processes(const char *mark, const char *needle)
{
    AUTO_WORDS names = WORDS_INIT;
    int found = 0;
    file_list("/proc", &names, NULL);
    for (size_t i = 0; i < names.count; i++) {
        long pid = strtol(names.items[i], NULL, 10);
        AUTO_FREE char *environment = xasprintf("/proc/%ld/environ", pid),
                       *argv = xasprintf("/proc/%ld/cmdline", pid);
        if (pid > 0 && holds(argv, needle) && pid != getpid()) {
            fprintf(stderr, "process %ld shows %s in its arguments\n", pid, needle);
            found++;
        }
        if (pid > 0 && holds(environment, mark) && holds(environment, needle)) {
            fprintf(stderr, "process %ld shows %s in its environment\n", pid, needle);
            found++;
        }
    }
    return found;
}
