/* What one command launches: a job for each of its targets, and which of them comes next. */
#pragma once
#include "ansible/arguments.h"
#include "base/id.h"
#include "command/launch_request.h"
#include "event/machine.h"
#include "process/child.h"
#include "process/loop.h"
#include "view/live.h"

struct command_run;
struct job {
    const char *target_name;
    const struct target *target; /* NULL: not in the project's files */
    struct target as_made;       /* what `target` is of a destroy */
    struct machine *machine;
    char *ansible_version;
    char run[ID_SIZE];
    struct child worker;
    char *last_words; /* memory shared with the worker */
    struct watch *watch;
    struct command_run *all;
    int code;
    bool started, over;
    bool begun; /* its row is in the store; asked for where it is not followed */
};

struct command_run {
    const struct launch *launch;
    char *state, *store;
    struct ansible_arguments arguments;
    struct job *jobs;
    size_t count, running;
    struct loop *loop;
    struct live *live;
    int64_t known_ns;    /* the newest time that was known before these runs */
    struct timer *begun; /* looks whether the runs are begun, where they are not followed */
    bool cancelled;
};

/* What is done: of a resume what the run did that it goes on with. */
const char *launch_does(const struct launch *launch);
/* It acts on what is made alone. */
bool launch_needs_made(const struct launch *launch);
/* Says what is wrong with a target; the exit code of it. */
int launch_problem(const char *target, const struct error *err);
bool launch_is_made(const struct machine *machine);
/* Another target of this command whose machine is still to be made. */
bool launch_to_come(const struct command_run *all, const char *target);
bool launch_waits_for_peers(const struct command_run *all, const struct job *job);
/* In the order in which they are named, but peers first; among such as are each other's one has to be.
 * NULL: none can be begun now. */
struct job *launch_next(const struct command_run *all);
