#include "run/health_drive.h"

#include "base/memory.h"
#include "base/text.h"
#include "config/marks.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { MINE = 1 };

static void put_sample(const struct health_drive *drive, const struct health_sight *sight,
                       const struct json *object)
{
    AUTO_FREE char *detail = json_compact(object);
    sink_put(drive->sink, &(struct event){.kind = EVENT_SAMPLE,
                                          .run = drive->context->request->run_id,
                                          .step = *drive->seq,
                                          .sample = {.kind = "health",
                                                     .healthy = sight->healthy,
                                                     .detail = detail,
                                                     .at_ns = sight->at_ns}});
}

/* To the stage that waits. One that does not read is not waited for. */
static void hand_on(const struct health_drive *drive, const struct health_sight *sight)
{
    AUTO_JSON *object = json_new_object();
    json_set_bool(object, "healthy", sight->healthy);
    json_set_string(object, "cause", sight->cause);
    json_set_string(object, "message", sight->message);
    json_set_string(object, "via", sight->via);
    AUTO_FREE char *packet = json_compact(object);
    (void)send(drive->waiting[MINE], packet, strlen(packet), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void on_seen(void *context, const struct health_sight *sight, enum health_worth worth)
{
    const struct health_drive *drive = context;
    AUTO_JSON *object = health_sight_json(sight);
    if (worth != HEALTH_PASSED_OVER)
        put_sample(drive, sight, object);
    json_set_bool(object, "healthy", sight->healthy);
    if (worth == HEALTH_CHANGED)
        sink_note(drive->sink, drive->context->request->run_id, *drive->seq, "health", object);
    if (drive->waiting[MINE] >= 0)
        hand_on(drive, sight);
}

int health_drive_start(struct health_drive *drive, struct loop *loop, const struct run_context *context,
                       struct sink *sink, const int *seq, struct error *err)
{
    const struct runner_request *request = context->request;
    *drive = (struct health_drive){.context = context, .sink = sink, .seq = seq, .waiting = {-1, -1}};
    if (!request->target || !request->target->health.url.host || text_is(request->does, "destroy"))
        return 0;
    AUTO_FREE char *marker = marks_run(request->run_id);
    const struct health_watch_plan plan = {request->target, &context->run_scope, marker};
    return health_watch_start(loop, &plan, on_seen, drive, &drive->watch, err);
}

void health_drive_look(struct health_drive *drive)
{
    const struct run_context *context = drive->context;
    const struct machine *machine = drive->watch ? context->machine : NULL;
    if (!machine || !machine->made_ns || machine->removed_ns)
        return;
    const char *joined = json_get_string(machine->tailnet, "address", "");
    char *place = xasprintf("%s %s %s %s %s", machine->id, machine->address ? machine->address : "", joined,
                            context->transport ? context->transport : "",
                            context->control_path ? context->control_path : "");
    if (!text_is(place, drive->place))
        health_watch_place(drive->watch, machine, context->transport, context->control_path);
    free(drive->place);
    drive->place = place;
}

void health_drive_renew(struct health_drive *drive)
{
    health_watch_renew(drive->watch);
}

int health_drive_wait(struct health_drive *drive, struct error *err)
{
    health_drive_waited(drive);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, drive->waiting) < 0)
        return error_system(err, errno,
                            "cannot open a socket for the stage that waits until the host is healthy");
    health_watch_hurry(drive->watch);
    return drive->waiting[0];
}

void health_drive_waited(struct health_drive *drive)
{
    fd_close(&drive->waiting[0]);
    fd_close(&drive->waiting[MINE]);
}

void health_drive_end(struct health_drive *drive)
{
    health_watch_end(drive->watch);
    health_drive_waited(drive);
}

void health_drive_clear(struct health_drive *drive)
{
    health_watch_free(&drive->watch);
    health_drive_waited(drive);
    free(TAKE(drive->place));
}
