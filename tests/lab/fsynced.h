/* What this process has had written to disk: for tests that ask whether it would outlast a power cut. Their
 * program has this fsync in the place of libc's. */
#pragma once
#include <stdbool.h>

/* From now on. */
void fsynced_watch(void);
/* Whether that file or folder was. */
bool fsynced(const char *path);
