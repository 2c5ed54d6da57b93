/* Every ssh option of a machine over a transport, once: for ssh itself (argv), and for Ansible (one
 * string). What triphase's own probes use is what Ansible uses. Sources: ssh(1), ssh_config(5) of OpenSSH
 * 9; ansible's connection plugin ssh, which splits the string as Python's shlex does. */
#pragma once
#include "base/error.h"
#include "base/words.h"
#include "config/config.h"
#include "config/transport_kind.h"
#include "event/machine.h"

struct ssh_arguments {
    char *host; /* the destination word: stands behind "--"; NULL while the address is unknown */
    /* argv words between "ssh" and "--"; of the user's own Ansible arguments those that
     * say how the host is reached */
    struct words options;
    /* the same as one string, each word quoted for shlex (and POSIX shells): ansible_ssh_common_args */
    char *text;
    bool multiplexed; /* false: no control directory was given, every connection is its own */
    bool own_agent;   /* the key is one that triphase's own agent holds */
};

#define SSH_ARGUMENTS_INIT                   \
    {                                        \
        NULL, WORDS_INIT, NULL, false, false \
    }
#define AUTO_SSH_ARGUMENTS __attribute__((cleanup(ssh_arguments_clear))) struct ssh_arguments

/* Whether the machine's key opens only with the target's key_passphrase, and so needs an
 * agent that was given it. */
bool ssh_needs_agent(const struct machine *machine, const struct target *target);
/* Names within the folder of such an agent: its socket, and of each target's key the public part. */
#define SSH_AGENT_SOCKET "agent"
char *ssh_agent_public_key(const char *agent_directory, const struct target *target); /* malloc'ed */

/* Order: what triphase forces first (ssh takes the first value it sees), then the target's ssh_options, then
 * what Ansible's own ssh_args, ssh_common_args and ssh_extra_args say (`text` without the last, which Ansible
 * adds by itself). `control_directory` NULL: no multiplexing. Sockets in it are called %C (what differs in
 * host, port or user gets a master of its own), or where %C would make the path longer than a socket's can
 * be, %r and %p. ERROR_PROJECT for values that no ssh could take (an address with a leading dash, control
 * characters, "${" in a path, an ssh option that triphase forces), each named. `machine` may lack whatever is
 * not known yet. `agent_directory`: where the agent of a key that needs one is (transport/key_agent.h); of
 * what it holds that key alone is offered, and it is never forwarded. NULL: the key itself is named, and
 * whoever uses the arguments has to open it. */
int ssh_arguments_make(const struct machine *machine, const struct target *target, enum transport_kind kind,
                       const char *control_directory, const char *agent_directory, int server_alive_interval,
                       int server_alive_count, struct ssh_arguments *out, struct error *err);
void ssh_arguments_clear(struct ssh_arguments *arguments);

/* ServerAliveCountMax for an interval of 2 s, so that the end of patience comes at `host_silent_ns` at the
 * latest (18 s: 8). At least 1. */
enum { SSH_ALIVE_INTERVAL = 2 };
int ssh_alive_count(int64_t host_silent_ns);

/* The home of the person who typed the command (behind sudo: of the invoking user), whose .ssh is read;
 * "/" where there is none. malloc'ed. */
char *ssh_invoking_home(void);
