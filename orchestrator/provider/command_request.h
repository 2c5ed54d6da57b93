/* What a program of the provider `command` is told on its stdin: one JSON object, as triphase-provider(7)
 * has it, and the environment that it finds. No secret is told but as the path of a descriptor that the
 * caller opened. */
#pragma once
#include "config/project.h"
#include "event/machine.h"
#include "provider/listed.h"

enum command_kind { COMMAND_MAKE, COMMAND_VERIFY, COMMAND_REMOVE, COMMAND_LIST, COMMAND_KINDS };
/* "make", …: the key of the target, and the request's member "call". */
const char *command_kind_name(enum command_kind kind);

struct command_request {
    enum command_kind kind;
    const struct target *target;   /* what the file wants of the host; NULL: it is not named there any more */
    const struct machine *machine; /* with what was written down of it (command_request_note); NULL: none */
    const struct listed *listed;   /* what `list` said of the one to be removed; NULL: it is a machine's */
    const char *project, *directory, *run; /* `run` may be NULL */
    int64_t bound_ns;
    const struct json *secrets; /* name -> path; NULL: none */
};

/* What a later call needs though the file may say something else by then: the programs, `vars` and `env`, put
 * into the machine's resources. An answer that stands there stays. */
void command_request_note(const struct target *target, struct machine *machine);
/* The argument list of a call: what was written down, else the target's; borrowed JSON array, NULL: none. */
const struct json *command_request_noted(const struct machine *machine, enum command_kind kind);
/* The other way round: all that was written down, into a target that says none of it. */
void command_request_recall(const struct machine *machine, struct target *target);
const struct words *command_request_words(const struct target *target, enum command_kind kind);
/* Adds the caller's environment without the variables that hold a secret of triphase's, but for those that
 * the target's `env` names (of one that the file names no more: what was written down). */
void command_request_environment(const struct command_request *request, struct words *out);
/* A line that ends with a newline. malloc'ed. */
char *command_request_text(const struct command_request *request);
