/* Where a run is on its way through its items: which one is next, in which attempt, and which handlers its
 * earlier attempts owe. Decides nothing. */
#pragma once
#include "run/items.h"

struct progress {
    struct items items;
    size_t at;              /* the item that runs or is next */
    int attempt;            /* of the phase at `at`, from 1 */
    int transport_attempts; /* of the whole run */
    struct json *owed;      /* handlers that earlier attempts of the phase owe; NULL: none */
};

/* The items of the request; the first phase owes what an earlier run of a chain of resumes left to it. */
void progress_begin(struct progress *progress, const struct runner_request *request);
/* All items are done. */
bool progress_over(const struct progress *progress);
/* The item that runs or is next; there is none when it is over. */
const struct item *progress_item(const struct progress *progress);
/* The first phase among the items after the next `skipped` ones; NULL: none. */
const struct phase *progress_phase(const struct progress *progress, size_t skipped);
/* The number of an attempt that begins now: of the phase (`stage` NULL), or of a stage. Counts transports. */
int progress_attempt(struct progress *progress, const char *stage);
/* Whether the phase may be tried again after it ended so. */
bool progress_may_retry(const struct progress *progress, enum outcome outcome);
/* The same, if attempts were without end. */
bool progress_retries_on(const struct progress *progress, enum outcome outcome);
/* The phase's next attempt comes. */
void progress_retry(struct progress *progress);
/* What the phase owes now; taken over, NULL: nothing. */
void progress_owe(struct progress *progress, struct json *owed);
/* The item is done; of a phase, what it owed is too. */
void progress_done(struct progress *progress);
/* Whether the item brings the host into its tailnet: the next one then goes another way to it. */
bool progress_joins(const struct progress *progress);
/* The host rebooted: what was found ready before the item that is at work is looked at again behind it. */
void progress_look_again(struct progress *progress);
/* It is there: what would bring it there is passed over. */
void progress_joined(struct progress *progress);
void progress_clear(struct progress *progress);
