/* What the tests of processes share: a folder of their own, hostile children, waiting under a bound, a system
 * that lacks a call. Nothing of it outlives the test: folders and scopes go in hostile_clean (a suite's
 * .fini), children die with the test. */
#pragma once
#include "process/child.h"
#include "process/scope.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The test's own folder, made at the first call. */
const char *hostile_folder(void);
/* malloc'ed path in it. */
char *hostile_path(const char *name);
/* Ends and removes every scope that hostile_scope gave, removes the folder. */
void hostile_clean(void);

/* A scope with a name of its own, of this kind; skips the test where cgroups are not to be had. It belongs to
 * the helper: do not close it. */
struct scope *hostile_scope(enum scope_kind kind);
/* A scope of just this marker, which no process may carry yet. */
struct scope *hostile_marked(const char *marker);
/* `sh -c script` in the scope (NULL: none), its marker in the environment, dying with the test. Waits until
 * it has written a line that says "ready"; a script says so on descriptor 9. */
struct child hostile_start(const struct scope *scope, const char *script);
/* Waits for its end, at most 10 s, and reaps it. */
struct child_end hostile_end(struct child *child);

/* Asks every 2 ms until the answer is true; false when `bound_ms` is over. */
bool hostile_wait(bool (*look)(const void *context), const void *context, int bound_ms);
bool hostile_is_empty(const void *scope); /* of a struct scope: nothing lives in it */
bool hostile_is_gone(const void *pid);    /* of a pid_t: no such process, or a zombie */
bool hostile_is_stopped(const void *pid); /* of a pid_t */
bool hostile_is_asleep(const void *pid);  /* of a pid_t, or of a thread's */
/* Number of descriptors this process has open. */
int hostile_descriptors(void);
/* Makes this process (and its children) get `number` from a system call. */
void hostile_deny(int call, int number);
/* Makes the threads that are started from now on stay in a system call for as long as nobody lets them; the
 * descriptor to let them by. */
int hostile_hold(int call);
/* Lets one such call through; false when there is none within `bound_ms`. */
bool hostile_let(int holder, int bound_ms);
/* Whether the sanitizers or valgrind make figures of memory and time meaningless. */
bool hostile_is_instrumented(void);
