/* One error contract for the whole program.
 *
 * A function that can fail returns int (or a pointer) and takes `struct error *` last: 0 or more is success,
 * a negative value (or NULL) is failure, and on failure every other output is untouched. `err` may be NULL
 * where the caller does not care. The message says what was being done, to what, why it failed and what to do
 * next; it is one line unless several faults of one file are reported at once.
 * The kind is what command/ turns into an exit code; nothing below command/ knows exit codes. */
#pragma once
#include <stdarg.h>

enum error_kind {
    ERROR_NONE,
    ERROR_SYSTEM,      /* a call of the system failed, a file could not be read: internal to the user */
    ERROR_USAGE,       /* the command line is wrong */
    ERROR_PROJECT,     /* the project's files are wrong */
    ERROR_MISSING,     /* a needed program, service or right is missing */
    ERROR_BUSY,        /* another run has the target */
    ERROR_PROVIDER,    /* a machine could not be made, or its absence could not be verified */
    ERROR_UNREACHABLE, /* no authenticated channel to the host */
    ERROR_DEADLINE,    /* a bound was reached */
    ERROR_STORE,       /* the store cannot be used or written */
    ERROR_CANCELLED,
};

struct error {
    enum error_kind kind;
    char *message; /* owned; NULL while kind is ERROR_NONE */
};

#define ERROR_INIT       \
    {                    \
        ERROR_NONE, NULL \
    }
#define AUTO_ERROR __attribute__((cleanup(error_clear))) struct error

/* Sets kind and message, replacing an earlier one. Always returns -1, so that
 * `return error_set(...)` reads well. */
int error_set(struct error *err, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What an errno means to a user and what to do about it; NULL where its name says all that can be said. */
const char *error_meaning(int number);
/* The same with ": <strerror(number)>" appended, and its meaning. errno is taken by the caller
 * before anything else ran. */
int error_system(struct error *err, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "<text>: " before the message of an error that is set; does nothing to one that is not. Returns -1. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Moves `from` into `to` (clearing what stood there). Returns -1. `to` may be NULL. */
int error_move(struct error *to, struct error *from);
void error_clear(struct error *err);
/* Never NULL. */
const char *error_text(const struct error *err);
