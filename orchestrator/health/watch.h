/* Asks a target's health URL again and again while a run goes on, in callbacks of its loop, over what leads
 * to the host at the moment (health/way.h). A single failure behind a good answer is asked again at once over
 * a connection of its own before it counts: one that died by itself says nothing of the host. */
#pragma once
#include "config/project.h"
#include "event/machine.h"
#include "health/sight.h"
#include "process/loop.h"
#include "process/scope.h"

struct health_watch_plan {
    const struct target *target; /* with a health.url */
    const struct scope *scope;   /* for children beside the loop, as aside_start's, ... */
    const char *marker;          /* ... and their mark (copied) */
};

struct health_watch;
/* Each look that was judged, borrowed for the call. */
typedef void health_watch_seen(void *context, const struct health_sight *sight, enum health_worth worth);

/* Asks nobody before health_watch_place. What the plan points to must outlive the watch. Loads libcurl. */
int health_watch_start(struct loop *loop, const struct health_watch_plan *plan, health_watch_seen *seen,
                       void *context, struct health_watch **out, struct error *err);
/* The machine that is there, the transport that carries its phases (NULL: none at the moment) and the
 * transport's ssh master (NULL: none). All are copied. NULL is fine for the watch, as everywhere below. */
void health_watch_place(struct health_watch *watch, const struct machine *machine, const char *transport,
                        const char *control_path);
/* The network of the host was stirred up: no connection of before is used any more, and it is asked at
 * once. */
void health_watch_renew(struct health_watch *watch);
/* Asks at once. */
void health_watch_hurry(struct health_watch *watch);
/* The last look is told, if it was passed over; nothing more is asked. */
void health_watch_end(struct health_watch *watch);
void health_watch_free(struct health_watch **watch);
/* Why nothing could be asked so far; NULL: something was. Borrowed. */
const char *health_watch_unasked(const struct health_watch *watch);
