/* Talking to an ssh master through its control socket, under a timer: a frozen one
 * would hang whoever asks. */
#pragma once
#include "base/error.h"
#include "process/program.h"
#include "transport/ssh_options.h"
#include <stdbool.h>

/* Whether there is a socket at the path (NULL: no). */
bool master_socket_there(const char *path);
/* ssh -O `command`; 0 when the master answered within 2 s. */
int master_ask(const char *control_path, const char *command);
/* Has the master lead what connects to the socket `local` (0600, made by it, which must not be there) to this
 * host and port as the other end sees them, until it ends. Within 2 s. In the folder of its own socket the
 * name of `local` begins so, by which it is told from a master's. */
#define MASTER_FORWARD_PREFIX "forward-"
int master_forward(const char *control_path, const char *local, const char *host, int port,
                   struct error *err);
/* What a master of a run may have of `environment` (NULL: this process's): it must not carry the mark of the
 * step that opens it, for where there is no cgroup it would be ended with that. Nor has it any use for a
 * secret of a target. Borrowed strings are copied into `out`. */
void master_environment(const char *const *environment, struct words *out);
/* Runs a script of /bin/sh over the master, and over nothing else. It goes over stdin: the login shell there,
 * which need not be a POSIX one, is asked for two words alone. `how` brings the bound and what else there is;
 * results are program_run's. */
int master_run(const char *control_path, const struct ssh_arguments *ssh, const char *script,
               const struct program *how, struct text *out, struct text *said, struct child_end *end,
               struct error *err);
