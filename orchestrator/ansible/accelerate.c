#include "ansible/accelerate.h"

#include "ansible/launcher.h"
#include "base/memory.h"

void accelerate_decide(const struct project *project, const struct target *target, const struct phase *phase,
                       const struct words *no_mitogen, struct acceleration *out)
{
    enum accelerate asked = project_accelerate(target, phase);
    AUTO_FREE char *interpreter = asked == ACCELERATE_NONE ? NULL : launcher_interpreter(project->ansible);
    const char *refused = no_mitogen ? words_env(no_mitogen, phase->name) : NULL;
    acceleration_clear(out);
    if (asked == ACCELERATE_NONE)
        return;
    if (!interpreter) {
        out->why = xasprintf("%s is not the plain script that pip and Debian install", project->ansible);
        return;
    }
    out->kind = asked;
    if (asked == ACCELERATE_MITOGEN)
        out->why = refused ? xstrdup(refused) : NULL;
    if (out->why)
        out->kind = ACCELERATE_WARM;
}

void acceleration_clear(struct acceleration *acceleration)
{
    free(acceleration->why);
    *acceleration = (struct acceleration)ACCELERATION_INIT;
}
