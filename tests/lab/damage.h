/* Doing harm to a run and looking at what it left: for tests of crashes, cancelling, locks and the store. On
 * top of lab.h; functions fail the test by themselves. */
#pragma once
#include "lab/lab.h"

/* sh that defines `task NAME` (two event lines: a task that was ok), `play` (before the first) and `finish`
 * (stats and end) for a hostile ansible; a body made of it ends as `ok` when its last word is `finish`. */
extern const char *const damage_words;
/* A lab whose target `host` (static) has one phase `work` that runs `body` (sh, with the words above) in
 * place of ansible-playbook. */
struct lab *damage_lab(const char *phase_keys, const char *body);

/* kill -9, and gone (a zombie is gone) within 5 s. */
void damage_kill(pid_t pid);
/* Waits at most `seconds` until it is gone. */
bool damage_gone(pid_t pid, double seconds);
/* Worker and guard of the run that goes on, both at once: neither sees the other die. */
void damage_kill_both(struct lab *lab);
/* A worker that is there, waited for. */
pid_t damage_worker(struct lab *lab);
/* Its guard, waited for. */
pid_t damage_guard(struct lab *lab);
/* Id of the run that began last; malloc'ed. */
char *damage_run(struct lab *lab);
/* Processes with the run's mark, but for those on the far side of the lab's own sshd. */
int damage_processes(struct lab *lab, const char *run);
/* Waits at most `seconds` until there is none. */
bool damage_empty(struct lab *lab, const char *run, double seconds);
/* Whether the run's cgroup is still there. */
bool damage_scope_exists(const char *run);
/* Store and its journal as one digest; malloc'ed. */
char *damage_store_digest(struct lab *lab);
/* Lines of a file below the folder that hold the words; 0 when it is absent. */
int damage_lines(struct lab *lab, const char *path, const char *words);
/* Path below the folder of the last step's file with this ending ("log", "events.ndjson"); malloc'ed. */
char *damage_step_file(struct lab *lab, const char *suffix);
/* A process of nobody's run: `sleep`, with NAME=VALUE in its environment. Ended with the test. */
pid_t damage_innocent(const char *environment, const char *argv0);
/* What is on this machine of a sandbox with that machine id, found by other means than the
 * program's: "" or lines. malloc'ed. */
char *damage_left(const char *machine);
bool damage_alive(pid_t pid);
/* What a command of the program writes to a terminal of that width, malloc'ed, and its exit code. `input`
 * (NULL: nothing) is typed at once. */
char *damage_terminal(struct lab *lab, int columns, const char *input, int *code, const char *word, ...)
    __attribute__((sentinel));
