/* One call of a user's program of the provider `command`, to its end: the request on its stdin, its answer
 * from its stdout, what it says on stderr into the step's log as it comes. Its secrets are files of memory
 * of its own; what it says and answers is without them. It is killed, with its session, at the bound. */
#pragma once
#include "provider/command_answer.h"
#include "provider/command_request.h"

enum { COMMAND_TRANSIENT = 75 }; /* EX_TEMPFAIL: nothing is wrong that time does not mend */

struct command_said {
    struct json *answer; /* NULL: it gave none that can be read; half a one may stand beside `why` */
    int code;            /* its exit code; -1: it had none */
    struct error why;    /* a code other than 0, no answer, its bound; kind ERROR_NONE: none of them */
};

/* 0 where it ran, however it ended; -1 where it could not be started (ERROR_MISSING for a program that is not
 * there, ERROR_PROJECT for a secret that cannot be read). */
int command_call(const struct command_request *request, struct command_said *out, struct error *err);
#define COMMAND_SAID_INIT \
    {                     \
        .code = -1        \
    }
void command_said_clear(struct command_said *said);
#define AUTO_COMMAND_SAID __attribute__((cleanup(command_said_clear))) struct command_said
