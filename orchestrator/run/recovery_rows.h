/* The rows of a recovery: what looks at the host found, in the rows of the steps they were for; and which
 * steps of earlier runs still wait for one. */
#pragma once
#include "event/sink.h"
#include "run/recovery.h"

/* Looks that earlier runs on this machine owe, as far as the store can be read. */
void recovery_rows_read_owed(struct recovery *recovery, const char *store, const struct machine *machine);
/* A sweep ended: each step it looked at gets count and evidence, and is owed no more; the others are told why
 * nobody could look. `result`: of sweep_host, NULL where it gave none; `why`: what its failure said. */
void recovery_rows_write(struct recovery *recovery, struct sink *sink, const struct json *result,
                         const char *why);
/* Nobody is going to look in this run. */
void recovery_rows_write_skipped(struct recovery *recovery, struct sink *sink, const char *why);
/* Boot ids differ: the host rebooted between two contacts. */
void recovery_rows_write_reboot(struct sink *sink, const char *run, int step, const struct phase *phase,
                                const char *from, const char *to);
