/* Cgroup v2 directories as scopes use them: where one may be made, and what can be done to a whole tree of
 * them. No controller is needed. Works beside cgroup v1, in a cgroup namespace, for an ordinary user in a
 * delegated subtree, and without cgroup.kill (before Linux 5.14). Directories are given by path, without a
 * trailing slash. What goes away meanwhile is no error. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Processes in the tree: their number, and a malloc'ed array unless `pids` is NULL. Processes of another PID
 * namespace have no pid and are left out. */
int cgroup_members(const char *path, pid_t **pids, struct error *err);
/* Whether a process is in the tree; true when that cannot be known. */
bool cgroup_populated(const char *path);
/* Thaws the tree, then sends it to every process in it once, also to those that appear meanwhile. */
int cgroup_signal(const char *path, int number, struct error *err);
/* Kills every process in the tree without waiting for their ends. */
int cgroup_kill(const char *path, struct error *err);
/* The same without cgroup.kill, which Linux has from 5.14 on: the tree is frozen, so that nothing can fork
 * away, and its processes are killed one by one. */
int cgroup_kill_each(const char *path, struct error *err);
/* Removes the tree of directories, deepest first. Fails while it is populated. */
int cgroup_remove(const char *path, struct error *err);
/* Puts a process into the directory. */
int cgroup_enter(const char *path, pid_t pid, struct error *err);
/* Microseconds of CPU that the tree ever used, -1 where unknown. */
int64_t cgroup_cpu_usec(const char *path);
