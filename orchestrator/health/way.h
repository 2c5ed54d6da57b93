/* How a target's health URL is come to at this moment. */
#pragma once
#include "config/project.h"
#include "event/machine.h"

struct health_way {
    enum health_via via; /* never HEALTH_AUTO */
    char *host;          /* that is connected to: over ssh as the host itself sees it */
    int port;
    char *proxy; /* URL; "": none */
};

/* `transport`: that carries the phases now; NULL: none yet. `control_path`: of its ssh master; NULL: none.
 * 0 and the way; or 1 and, malloc'ed, why there is none at the moment. */
int health_way_find(const struct target *target, const struct machine *machine, const char *transport,
                    const char *control_path, struct health_way *out, char **why);
void health_way_clear(struct health_way *way);
