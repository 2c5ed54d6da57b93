/* What a program of the provider `command` answers: exactly one JSON object, as triphase-provider(7) and
 * docs/provider.schema.json have it. Nothing here runs anything; a value that is not what it has to be is
 * refused with its member's name, and the machine stays as it was. */
#pragma once
#include "base/error.h"
#include "event/machine.h"
#include "provider/listed.h"

/* Member of a machine's resources: the last answer of `make`. */
#define COMMAND_ANSWER "answer"

enum { COMMAND_ANSWER_MOST = 1 << 20 }; /* bytes */

/* Of a call that answered at all. */
enum command_state { COMMAND_UNKNOWN, COMMAND_PRESENT, COMMAND_ABSENT };

/* One object that fills the bytes (white space around it apart); NULL with an ERROR_PROVIDER. */
struct json *command_answer_parse(const char *bytes, size_t length, struct error *err);
/* Of `make`: address, port, user, key, jump, host_keys, python, reference into the machine, the whole into
 * `resources` under "answer". A key's path is relative to the machine's folder. */
int command_answer_made(struct json *answer, struct machine *machine, struct error *err);
/* Of `verify` and `remove`: {"state": "present" | "absent"}, and nothing else. */
int command_answer_state(const struct json *answer, enum command_state *out, struct error *err);
/* Of `list`: {"hosts": [{"reference", "project", "target", "machine", "made", "expires", "what",
 * "protected"}]} and, where the programs know another clock than this machine's, "now"; times are UNIX
 * seconds. `target` is a name, `machine` an id; none holds a control character. */
int command_answer_hosts(const struct json *answer, struct listing *out, struct error *err);
