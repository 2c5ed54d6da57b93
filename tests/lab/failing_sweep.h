/* A command under one failing call after the other, and what must hold after each: it ends within its bound
 * with a right code and a message, no row lies, the store is sound, nothing of the run is left, and the next
 * command works. On top of damage.h and failing.h. */
#pragma once
#include "lab/damage.h"
#include "lab/failing.h"

struct failing_sweep {
    const char *name; /* for messages and the table */
    struct fault fault;
    bool retried; /* the call only has to be made again: nothing may be lost */
};

struct failing_figures {
    uint64_t calls;          /* of an undisturbed command */
    unsigned struck, failed; /* rounds in which a call failed; of these, commands that ended with an error */
    double slowest;          /* of these, in seconds */
};

/* A lab with target `host`, made, whose phase leaves the file `finished` when it was run to its end. */
struct lab *failing_lab(void);
/* Kinds of faults that a run is put through, ended by one without a name. */
extern const struct failing_sweep failing_sweeps[];
/* `run host` with the first, second, third… call failing, until none struck; with `most`, that many of them,
 * evenly spread. Fails the test where something does not hold; adds a row to the table. */
struct failing_figures failing_sweep_run(struct lab *lab, const struct failing_sweep *sweep, unsigned most,
                                         struct text *table);
/* The same with every command that only works on the store: what it did is whole or was not done, and what it
 * said is what it says undisturbed. */
void failing_sweep_commands(struct lab *lab, const struct failing_sweep *sweep, unsigned most,
                            struct text *table);
/* Memory that is exhausted from one allocation on, of the worker and of every process; not
 * for instrumented programs. */
extern const struct failing_sweep failing_memory[];
/* `run host` with 4 descriptors (the loader needs one), then `step` more, until it had enough. In the table
 * `calls` is how many that were. */
void failing_descriptors(struct lab *lab, unsigned step, struct text *table);
void failing_figures_add(struct text *table, const struct failing_sweep *sweep, const char *const *words,
                         const struct failing_figures *figures);
