/* A scope: the set of local processes that belong to one thing (a step, a run's masters, a machine), which
 * can be ended whole and shown to be empty. A cgroup v2 directory where one is to be had, else session +
 * environment marker + subreaper (docs/design.md, "Scopes"). Layout: <root>/run-<run id>/{masters,NN},
 * <root>/machine-<machine id>; root is <cgroup2 mount>/triphase, or for a user a triphase folder in the
 * delegated subtree the process sits in (as a leaf). */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <sys/types.h>

enum scope_kind { SCOPE_CGROUP, SCOPE_MARKER };

struct scope {
    enum scope_kind kind;
    char *path; /* SCOPE_CGROUP: the directory */
    /* SCOPE_MARKER: "NAME=VALUE" that every member's environment holds (TRIPHASE_STEP=…, TRIPHASE_RUN=…) */
    char *marker;
    int fd;             /* SCOPE_CGROUP: the directory, for clone3; -1 else */
    bool takes_orphans; /* SCOPE_MARKER: what is below this process belongs to it too, but for `kept` */
    pid_t *kept;
    int kept_count;
    bool (*spared)(pid_t); /* SCOPE_MARKER: members that were let go; NULL: none */
};

const char *scope_kind_name(enum scope_kind kind); /* "cgroup" or "session", as stored in step.scope */
/* malloc'ed root directory that can be used (made and probed: mkdir, a child placed, cgroup.kill writable),
 * NULL where none is to be had; then `reason` says why (for doctor). TRIPHASE_NO_CGROUP=1 in the environment
 * behaves as none (tests). The answer is cached for the process. */
const char *scope_root(const char **reason);
/* Opens (making it) the scope `name` (may hold slashes) below the root; falls back to the marker. Never
 * fails for lack of cgroups. */
int scope_open(const char *name, const char *marker, struct scope *out, struct error *err);
/* For a marker scope of a process that is a subreaper: whatever is below this process from now on is a
 * member too, also without the marker, except what is below it already. For one scope at a time: a step's. A
 * cgroup needs none of it. */
void scope_take_orphans(struct scope *scope);
/* For a directory that exists already, e.g. of a crashed run; -1 when it is absent. */
int scope_open_existing(const char *path, struct scope *out, struct error *err);
void scope_close(struct scope *scope); /* forgets it; ends nothing */
/* Processes in it now, nested ones too (zombies not counted). `pids` may be NULL, else
 * malloc'ed array of that many. */
int scope_members(const struct scope *scope, pid_t **pids, struct error *err);
/* Descriptor that gets EPOLLPRI when `populated` changes (read it with scope_populated); -1 for SCOPE_MARKER
 * (poll scope_members then). Caller closes. */
int scope_events_fd(const struct scope *scope);
bool scope_populated(const struct scope *scope);
/* `number` to every member (thawed first). SIGTERM is followed by SIGCONT. Members that go
 * away meanwhile are no error. */
int scope_signal(const struct scope *scope, int number, struct error *err);
/* cgroup.kill, or SIGKILL to members again and again until none is found. Does not wait
 * for emptiness of a cgroup. */
int scope_kill(const struct scope *scope, struct error *err);
/* scope_kill and wait until empty, at most `bound_ns`. 0 empty; -1 with the survivors named in the error.
 * Blocking: for guard, stages, reconciling. */
int scope_end(const struct scope *scope, int64_t bound_ns, struct error *err);
/* rmdir, depth first, of an empty cgroup scope; absent is fine. */
int scope_remove(const struct scope *scope, struct error *err);
/* Every process (nested) that is wanted goes from `from` to `to` (async jobs that outlive their step). Number
 * moved. Without cgroups nothing moves, but from now on `from` lets go of what is wanted; that it belongs to
 * `to` has to show by the marker of that. */
int scope_move(struct scope *from, const struct scope *to, bool (*wanted)(pid_t), struct error *err);
/* Puts one process, a child of the caller that has none of its own, into a cgroup scope. */
int scope_adopt(const struct scope *scope, pid_t pid, struct error *err);
/* CPU microseconds used by all that ever ran in it (cpu.stat usage_usec), -1 where unknown. */
int64_t scope_cpu_usec(const struct scope *scope);
