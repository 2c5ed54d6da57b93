/* The private agent for a key whose passphrase triphase was given: an ssh-agent that holds nothing else,
 * apart from the user's own. The passphrase is handed to ssh-keygen and ssh-add in a sealed file of memory,
 * by an askpass that reads its stdin; it is in no argv, environment or file. What ssh is told of the agent is
 * in ssh_arguments_make. Blocking: for plans, stage children and commands. Sources: ssh-agent(1), ssh-add(1)
 * of OpenSSH 8.4 and later (SSH_ASKPASS_REQUIRE). */
#pragma once
#include "base/error.h"
#include "config/config.h"
#include "event/machine.h"
#include "process/scope.h"

/* Whether the target's key_passphrase opens the machine's key; 0 too where none is given, or none is needed.
 * ERROR_PROJECT: it does not, cannot be read, or there is no key that it could be of. */
int key_agent_check(const struct project *project, const struct target *target, const struct machine *machine,
                    struct error *err);

struct key_agent {
    const struct project *project;
    const char *directory;     /* of its socket and public keys; exists, 0700 */
    const struct scope *scope; /* whose end is the agent's */
    /* NAME=VALUE for its environment, which holds nothing else of this process's but PATH */
    const char *marker;
};

/* Makes the machine's key usable through the agent of that folder: starts it where none answers, and loads
 * the key unless it is there already. Does nothing for a machine that needs none. On failure an agent that
 * was started stays the scope's. */
int key_agent_load(const struct key_agent *agent, const struct target *target, const struct machine *machine,
                   struct error *err);
