/* The record of phases that ran whole, in the run's plan: each with the files it was made from, so that a
 * resume need not do it again as long as these stay as they are. A run that no resume can go on with (no
 * plan, no project, only a part of the items) keeps none. */
#pragma once
#include "action/item.h"
#include "action/sink.h"

struct phase_record {
    const struct item_context *context;
    struct json *plan; /* of the run's row; NULL: no resume can go by it */
    struct json *used; /* files of the phase that runs, as they were at its begin; NULL: not looked at */
};

/* `context` is borrowed. */
void phase_record_begin(struct phase_record *record, const struct item_context *context);
/* The phase's process was just started. */
void phase_record_phase_begins(struct phase_record *record, const struct phase *phase);
/* It ended well; `ran`: files of its tasks. Told to the sink. */
void phase_record_phase_done(struct phase_record *record, struct sink *sink, const struct phase *phase,
                             const struct words *ran);
void phase_record_free(struct phase_record *record);
