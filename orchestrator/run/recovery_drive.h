/* A recovery in the course of a run: its parts as stages of the run, what each is asked, and what its answer
 * changes. Which part comes when is in run/recovery.h; the stages are started by the runner. */
#pragma once
#include "run/recovery.h"
#include "run/rows.h"

struct recovery_drive {
    struct recovery recovery;
    enum recovery_part part;     /* that runs as a stage; RECOVERY_OVER: none */
    int attempts[RECOVERY_OVER]; /* of each so far; all sweeps count as one */
};

#define RECOVERY_DRIVE_INIT    \
    {                          \
        .part = RECOVERY_OVER, \
    }
/* An attempt of a phase ended (it need not have broken), the step of the notes; what it may have left
 * on its host is looked for. `unlooked`: why nobody may look at the host in this run, which goes into
 * rows; NULL: somebody may. */
void recovery_drive_broke(struct recovery_drive *drive, struct run_notes notes, bool may_leave, bool again,
                          const char *unlooked, const struct recovery_link *link,
                          int64_t started_monotonic_ns);
/* Makes `part` the one that runs and tells `context` what its stage is asked and how long it may take. Gives
 * the stage's name. `phase`: the one that broke, or that is next. */
const char *recovery_drive_begin(struct recovery_drive *drive, enum recovery_part part,
                                 struct run_context *context, const struct phase *phase, bool cancelled,
                                 int64_t left_of_run_ns);
/* The number of its stage's attempt, which begins now. */
int recovery_drive_attempt(struct recovery_drive *drive);
/* Its stage ended, well or not: what was found goes into rows. `result` of the stage, may be NULL; `why` it
 * found nothing, may be NULL. */
void recovery_drive_ended(struct recovery_drive *drive, struct run_notes notes, bool well,
                          const struct json *result, const char *why);
