/* A lock file under flock: held by an open file description, so that worker and guard hold it together and it
 * is free only when both are gone. Its content says who holds it: JSON {"run","pid","start","boot"}. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lock_owner {
    char run[40];
    pid_t pid;
    int64_t start; /* process_start_time */
    char boot[40];
};

/* Takes it without waiting, then writes `owner`. -1 with ERROR_BUSY naming run and pid of the holder, else
 * ERROR_SYSTEM. The descriptor is CLOEXEC. */
int lock_take(const char *path, const struct lock_owner *owner, int *out_fd, struct error *err);
/* Writes another owner into a lock this process holds. */
int lock_write(int fd, const struct lock_owner *owner, struct error *err);
/* Who wrote it last; -1 when there is no readable content. `held` tells whether it is locked now (looked at
 * without taking it for longer than an instant: F_OFD_GETLK is no use for flock, so a shared try). */
int lock_look(const char *path, struct lock_owner *out, bool *held, struct error *err);
