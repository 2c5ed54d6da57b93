#include "run/recovery_drive.h"

#include "run/recovery_rows.h"

void recovery_drive_broke(struct recovery_drive *drive, struct run_notes notes, bool may_leave, bool again,
                          const char *unlooked, const struct recovery_link *link,
                          int64_t started_monotonic_ns)
{
    recovery_broke(&drive->recovery, may_leave, again, !unlooked, notes.run, notes.step, link,
                   started_monotonic_ns);
    if (unlooked)
        recovery_rows_write_skipped(&drive->recovery, notes.sink, unlooked);
}

const char *recovery_drive_begin(struct recovery_drive *drive, enum recovery_part part,
                                 struct run_context *context, const struct phase *phase, bool cancelled,
                                 int64_t left_of_run_ns)
{
    const struct runner_request *request = context->request;
    drive->part = part;
    json_free(context->recovery);
    context->recovery = recovery_request(&drive->recovery, part, request->root_run, phase);
    struct json *chain = json_new_array();
    for (size_t i = 0; request->chain && i < request->chain->count; i++)
        json_append(chain, json_new_string(request->chain->items[i]));
    json_append(chain, json_new_string(request->run_id));
    json_set(context->recovery, "chain", chain);
    context->recovery_bound =
        recovery_bound(&drive->recovery, part, request->target, phase, cancelled, left_of_run_ns);
    return recovery_stage(part);
}

int recovery_drive_attempt(struct recovery_drive *drive)
{
    return ++drive->attempts[drive->part == RECOVERY_MAKE_UP ? RECOVERY_SWEEP : drive->part];
}

void recovery_drive_ended(struct recovery_drive *drive, struct run_notes notes, bool well,
                          const struct json *result, const char *why)
{
    enum recovery_part part = drive->part;
    drive->part = RECOVERY_OVER;
    if (part != RECOVERY_ASYNC)
        recovery_rows_write(&drive->recovery, notes.sink, result, why);
    int jobs = (int)json_get_integer(result, "jobs", 0);
    if (jobs > 0)
        run_rows_note_async(notes, jobs, json_get(result, "job_ids"));
    recovery_ended(&drive->recovery, part, well, jobs);
}
