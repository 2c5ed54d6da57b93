/* The kinds of work of a matrix as commands for a host: what each writes there, reads and waits for.
 * Nothing but a POSIX sh and coreutils is presumed there. Pure. */
#pragma once
#include "diagnose/cell.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct work {
    char *script;       /* as sh has it, without a single quote: for who can keep no stdin open */
    char *command;      /* one word list for any login shell */
    size_t input_bytes; /* zeros that go to its stdin */
    int64_t throttle;   /* bytes a second that are read; 0: what comes */
    bool holds;         /* it watches its stdin, and ends when that does */
    int channels;       /* how many of it at once */
    uint64_t expects;   /* bytes of output at least, of each */
    int64_t quiet_ns;   /* how long it says nothing by itself */
    bool changes;       /* it writes or installs on the host */
    bool text;          /* what it writes is text */
    bool goes_on;       /* on the host, to its end, whatever becomes of the connection */
};

/* Whether there is such a kind; its work with the cell's parameters. ERROR_USAGE for one that is not
 * known, or a volume beyond what is allowed. */
int work_of(const struct cell *cell, struct work *out, struct error *err);
void work_clear(struct work *work);
/* Whether such a kind writes or installs on the host. */
bool work_changes(const char *name);
