#include "ansible/accelerate.h"

#include "ansible/launcher.h"
#include "base/memory.h"

/* Why mitogen cannot carry the phase. malloc'ed; NULL: it can. */
static char *why_no_mitogen(const struct project *project, const struct target *target,
                            const struct phase *phase)
{
    (void)project, (void)target, (void)phase;
    return xstrdup("mitogen is not in this version of triphase");
}

void accelerate_decide(const struct project *project, const struct target *target, const struct phase *phase,
                       struct acceleration *out)
{
    enum accelerate asked = project_accelerate(target, phase);
    AUTO_FREE char *interpreter = asked == ACCELERATE_NONE ? NULL : launcher_interpreter(project->ansible);
    acceleration_clear(out);
    if (asked == ACCELERATE_NONE)
        return;
    if (!interpreter) {
        out->why = xasprintf("%s is not the plain script that pip and Debian install", project->ansible);
        return;
    }
    out->kind = asked;
    out->why = asked == ACCELERATE_MITOGEN ? why_no_mitogen(project, target, phase) : NULL;
    if (out->why)
        out->kind = ACCELERATE_WARM;
}

void acceleration_clear(struct acceleration *acceleration)
{
    free(acceleration->why);
    *acceleration = (struct acceleration)ACCELERATION_INIT;
}
