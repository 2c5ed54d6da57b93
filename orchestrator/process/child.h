/* Starting a process, described as data. The child: own session, empty signal mask and default handlers, its
 * working directory, stdin/stdout/stderr as given (-1: /dev/null), every other descriptor closed except
 * `keep`, born inside the scope (clone3 into the cgroup; the marker is in `environment` by the caller's
 * doing). Between fork and exec only async-signal-safe calls. A failure to exec comes back as the error of
 * child_start (through a CLOEXEC pipe that names the step and errno). */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "process/scope.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct child_plan {
    const char *const *argv;        /* argv[0] is searched in PATH of `environment` when it has no slash */
    const char *const *environment; /* NULL: inherited, but for what is kept back */
    const char *directory;          /* NULL: inherited */
    int in, out, error;             /* -1: /dev/null */
    const int *keep; /* descriptors that stay open under their own numbers; ends with -1; may be NULL */
    const struct scope *scope; /* NULL: none */
    bool die_with_parent;      /* PR_SET_PDEATHSIG SIGKILL, getppid checked again */
};

struct child {
    pid_t pid;
    int pidfd; /* readable when it ended; closed by child_close */
};

struct child_end {
    bool exited; /* else ended by a signal */
    int code;    /* exit code */
    int signal;  /* signal number */
    bool dumped;
    struct rusage usage;
};

#define CHILD_INIT \
    {              \
        -1, -1     \
    }
/* Blocks until the child has called exec, 10 s at most; where it has not, it is killed. The plan's
 * descriptors stay the caller's, who closes them, also when it fails. */
int child_start(const struct child_plan *plan, struct child *out, struct error *err);
/* From here on no child inherits the variable of that name: it holds a secret. A child that is to have it all
 * the same is given an environment with it. The process itself goes on having it. */
void child_keep_back(const char *name);
/* Whether an entry NAME=VALUE is kept back. */
bool child_keeps_back(const char *entry);
/* Adds what a child inherits. */
void child_inherited(struct words *out);
/* 1 and `end` when it has ended (it is reaped by this), 0 when it still runs, -1 on failure. */
int child_poll(struct child *child, struct child_end *end, struct error *err);
/* Waits at most `bound_ns` for its end; true when it has ended and is reaped, by this or before. */
bool child_await(struct child *child, int64_t bound_ns);
/* The same for one that was asked to end: past its bound it is killed, and waited for a second more. */
bool child_await_or_kill(struct child *child, int64_t bound_ns);
int child_signal(const struct child *child, int number); /* through the pidfd; 0 or -1 with errno */
void child_close(struct child *child);                   /* forgets it; ends nothing */
/* "exited with 2" or "was killed by signal 9 (KILL)". malloc'ed. */
char *child_end_text(const struct child_end *end);
/* A process by pid and start time (field 22 of /proc/PID/stat), so that a recycled
 * pid is not taken for it. */
int64_t process_start_time(pid_t pid);             /* -1 when it is gone */
bool process_alive(pid_t pid, int64_t start_time); /* a zombie is not alive */
/* malloc'ed boot id of this kernel, "" when unknown. */
char *process_boot_id(void);
