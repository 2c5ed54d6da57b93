/* How those who talk to one host by themselves (inventory, ssh, bundle) find it: machine and transport. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "base/words.h"
#include "config/config.h"
#include "event/machine.h"
#include "format/json.h"
#include "tailnet/look.h"
#include "transport/ssh_options.h"

struct reach {
    const struct project *project; /* the caller's, like its target; outlives this */
    const struct target *target;
    /* What was made, with what may be taken over; else what the project says of it. */
    struct machine *machine;
    bool made;
    enum transport_kind kind;
    struct json *evidence;    /* of transport_choose */
    struct tailnet_look look; /* that it speaks from; not taken where no tailnet stands in the list */
};

/* Completes `target`, one of the project's, with what Ansible's own files say of it, and writes the
 * machine's known_hosts where it has one. `transport`: a name that is taken whether it can be used or not;
 * NULL: the first of the target's that can. `contact`: until when it is to be logged in to, so that only
 * what can be used now is taken, and a daemon that is starting is waited for; NULL: never. ERROR_PROJECT
 * where the files name another host by now; of other differences `said` gets a line each, which is true
 * also where it fails. On failure `out` is untouched, but where no transport can be used (ERROR_MISSING):
 * then it is filled without `kind`, so that `evidence` and `look` say why, and reach_clear is the
 * caller's. */
int reach_find(struct project *project, const struct target *target, const char *transport,
               const struct deadline *contact, struct words *said, struct reach *out, struct error *err);
/* For who goes on to connect: a host that is there without having been made gets this id and what `create`
 * would know of it; its known_hosts is written into `folder`. ERROR_PROJECT where nothing is made that could
 * be connected to. Does nothing to one that is made. */
int reach_plan(struct reach *reach, const char *id, const char *folder, struct error *err);
void reach_clear(struct reach *reach);
/* For a key that needs one (ssh_needs_agent): an agent that holds it, for as long as this process lives (also
 * as ssh, which it may become): a guard ends it then, however that comes. `directory` is for
 * ssh_arguments_make; malloc'ed. */
int reach_open_agent(const struct reach *reach, char **directory, struct error *err);
/* Logs in as a run does, with as much patience, but once; agent and master are this process's own, as above.
 * Whoever uses `ssh` with ControlMaster=no goes over that master; where the host refused everything that
 * could be offered without asking and somebody `may_answer`, there is none, and ssh logs in by itself.
 * ERROR_UNREACHABLE in the words of transport/login_error.h. ssh starts in the current folder. */
int reach_log_in(const struct reach *reach, bool may_answer, struct ssh_arguments *ssh, struct error *err);
