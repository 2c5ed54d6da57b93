#include "config/marks.h"

#include "base/memory.h"
#include "base/text.h"

#define RUN     "TRIPHASE_RUN"
#define STEP    "TRIPHASE_STEP"
#define MACHINE "TRIPHASE_MACHINE"

static char *step_of(const char *run, int seq)
{
    return xasprintf("%s/%02d", run, seq);
}

char *marks_run(const char *run)
{
    return xasprintf(RUN "=%s", run);
}

char *marks_step(const char *run, int seq)
{
    AUTO_FREE char *step = step_of(run, seq);
    return xasprintf(STEP "=%s", step);
}

const char *marks_own_run(void)
{
    return getenv(RUN);
}

char *marks_machine(const char *machine)
{
    return xasprintf(MACHINE "=%s", machine);
}

void marks_environment(struct words *environment, const char *run, int seq)
{
    words_set_env(environment, RUN, run);
    AUTO_FREE char *step = seq ? step_of(run, seq) : NULL;
    if (step)
        words_set_env(environment, STEP, step);
}

bool marks_is_step(const char *entry)
{
    return text_starts(entry, STEP "=");
}

char *marks_run_scope(const char *run)
{
    return xasprintf("run-%s", run);
}

char *marks_step_scope(const char *run, int seq)
{
    AUTO_FREE char *step = step_of(run, seq);
    return marks_run_scope(step);
}

char *marks_machine_scope(const char *machine)
{
    return xasprintf("machine-%s", machine);
}

int marks_open_run(const char *run, struct scope *out, struct error *err)
{
    AUTO_FREE char *name = marks_run_scope(run), *mark = marks_run(run);
    return scope_open(name, mark, out, err);
}

int marks_open_masters(const char *run, struct scope *out, struct error *err)
{
    AUTO_FREE char *name = xasprintf("run-%s/masters", run), *mark = marks_run(run);
    return scope_open(name, mark, out, err);
}
