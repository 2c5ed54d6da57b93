/* Running another program to its end, in a bounded time, with its output taken. Blocking: for commands and
 * stage children, never inside the worker's loop. */
#pragma once
#include "base/error.h"
#include "base/text.h"
#include "process/child.h"
#include <stdint.h>

struct program {
    const char *const *argv;
    const char *const *environment; /* NULL: inherited, but for what is kept back (process/child.h) */
    const char *directory;          /* NULL: inherited */
    const char *input;              /* to its stdin; NULL: /dev/null */
    const struct scope *scope;      /* NULL: none */
    int64_t bound_ns;    /* then its process group is killed and the call fails with ERROR_DEADLINE */
    size_t output_limit; /* bytes kept of stdout and of stderr; 0: 1 MiB; what is more is read and dropped */
    bool tells_secrets;  /* what it writes to stdout and its arguments stand in no message */
    bool keeps_output;   /* what was said until then is handed out also when it fails */
    /* a descriptor that all it says goes on to as it comes; 0: none. What cannot be written there is lost */
    int echo;
    bool keeps_back_output; /* of what it says only stderr goes there: stdout is an answer */
    /* What comes to stderr goes through it first: what it adds to `out` is passed on, handed out and stands
     * in messages. `last`: nothing more comes. NULL: all of it does, as it is. */
    void (*clean)(void *context, const char *bytes, size_t length, bool last, struct text *out);
    const int *keep; /* descriptors it has under their own numbers, -1 at the end; NULL: none */
    /* Asked at least every 50 ms with what came to stdout so far: false ends it as its bound
     * does. NULL: nobody is asked. */
    bool (*goes_on)(void *context, const struct text *out);
    void *context;
};

/* 0 when it could be started and ended by itself, whatever its code (in `end`); -1 when it could not be
 * started (ERROR_MISSING for ENOENT), was killed at its bound, or died of a signal. `out` and `error_out` may
 * be NULL. Does not wait for a grandchild that holds the pipes (100 ms of drain). */
int program_run(const struct program *program, struct text *out, struct text *error_out,
                struct child_end *end, struct error *err);
/* The same, and a code other than 0 is an error too, with the last line it wrote to stderr (else stdout) in
 * the message. argv is NULL-terminated varargs. */
int program_do(int64_t bound_ns, struct text *out, struct error *err, const char *name, ...)
    __attribute__((sentinel));
int program_do_argv(int64_t bound_ns, const char *const *argv, struct text *out, struct error *err);
int program_do_all(const struct program *program, struct text *out, struct error *err);
/* Of what a program wrote ": <its last line that is not empty>", printable, or "". malloc'ed. */
char *program_last_words(const struct text *text);
