/* The processes of one step: its main process and all that this starts, in a scope of their own. Tells from
 * the loop when the main process has ended, and when none of them is left. Whoever ends them does it through
 * the scope. */
#pragma once
#include "ansible/warm.h"
#include "process/child.h"
#include "process/loop.h"
#include "process/scope.h"

struct step_processes;

struct step_processes_listener {
    /* Once; the main process is reaped. */
    void (*main_ended)(void *context, const struct child_end *end);
    /* The scope was seen to be empty after that; perhaps more than once. */
    void (*empty)(void *context);
    void *context;
};

/* Opens (making it) the scope `name`, with `marker` for where there are no cgroups (process/scope.h); from
 * now on orphans below this process belong to it. */
int step_processes_open(struct loop *loop, const char *name, const char *marker,
                        const struct step_processes_listener *listener, struct step_processes **out,
                        struct error *err);
/* The scope, for whoever signals, moves and counts; valid until step_processes_free. */
struct scope *step_processes_scope(struct step_processes *processes);
/* Starts the main process, from the interpreter that stands ready in `spare` where that can become it (NULL,
 * or NULL in it: none). `plan` but for its scope. -1: nothing of it runs. */
int step_processes_start(struct step_processes *processes, const struct child_plan *plan,
                         struct spare **spare, struct error *err);
/* What was started cannot be watched: ends it, waiting at most 5 s, and tells nobody. */
void step_processes_abandon(struct step_processes *processes);
/* Of the main process; -1 before it started. */
pid_t step_processes_main(const struct step_processes *processes);
/* Emptiness is looked for from now on (every 25 ms where the kernel does not tell of it), or no more. */
void step_processes_await_empty(struct step_processes *processes);
void step_processes_await_nothing(struct step_processes *processes);
/* Whether the kernel's OOM killer struck, somewhere on this machine, since they were opened. */
bool step_processes_oom(const struct step_processes *processes);
/* Forgets them; ends nothing. NULL is fine. */
void step_processes_free(struct step_processes *processes);
