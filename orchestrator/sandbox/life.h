/* Whether a sandbox of this machine is alive, and whose it is: asked before anything says how to
 * remove one. Changes nothing. */
#pragma once

enum sandbox_life {
    SANDBOX_RUNS,  /* processes of it are here */
    SANDBOX_RESTS, /* none is, and its project still has it */
    /* none is, and its project's folder is gone from where its maker had it, seen from the same place */
    SANDBOX_DEAD,
    /* its owner cannot be read, or is seen from elsewhere only (another mount namespace,
     * another triphase's folder) */
    SANDBOX_UNJUDGED,
};

/* `said` (malloc'ed): whose it is, and why it is judged so. */
enum sandbox_life sandbox_life_judge(const char *name, char **said);
/* The command that removes what is left of a dead one, malloc'ed. */
char *sandbox_removal(const char *name);
