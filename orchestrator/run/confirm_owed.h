/* Ways back that phases left armed on the machine (`confirm`), since triphase died or nobody reached the
 * host: the next run that reaches it has them put back, where that did not happen yet, and records what
 * became of them, before a phase begins that they would undo. */
#pragma once
#include "event/sink.h"
#include "format/json.h"

/* [{"run", "step", "id"}], the last one first, at most 4; NULL: there is none. The caller frees. */
struct json *confirm_owed_read(const char *store, const struct machine *machine);
/* One more, of a step of this run. */
void confirm_owed_add(struct json **owed, const char *run, int step);
/* What the stage `confirm` found of each (stage/confirm_settle.h), as notes of the steps that left them. */
void confirm_owed_tell(struct sink *sink, const struct json *settled);
