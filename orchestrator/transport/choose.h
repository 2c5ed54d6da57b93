/* Which transport to take, from evidence of this machine alone. No host is asked. */
#pragma once
#include "base/deadline.h"
#include "base/error.h"
#include "config/project.h"
#include "config/transport_kind.h"
#include "event/machine.h"
#include "format/json.h"
#include "tailnet/look.h"
#include <stdbool.h>

struct transport_question {
    const struct words *names; /* in order: project_transports(target, phase) */
    const struct target *target;
    const struct machine *machine; /* whose device is looked for among the peers; NULL: none is known */
    /* Only one that can carry a run now (a tailscaled that answers, the program tailscale). Else, where none
     * can, the first that could once one runs here, which is what rendering without contact needs. */
    bool for_contact;
    /* Taken where a tailnet stands in the list and it was not before; the caller's, so that what asks more
     * than once speaks from one look. NULL: one of this question's own. */
    struct tailnet_look *look;
    /* When the host has to be logged in to: a daemon that is starting, where the choice goes by it, is waited
     * for within that, to the end (but for a moment to connect in) where it is the only way, else for its
     * share. Whatever it is then, the list is weighed by it. NULL: it is taken for what it will be. */
    const struct deadline *contact;
    /* What carried this run until it broke: where a tailnet did, whose daemon does not answer any more,
     * and no way is left, that one is waited for in the same manner. NULL: nothing did. */
    const char *carried;
    void (*waits)(const struct tailnet_look *look); /* told before it; may be NULL */
};

/* ERROR_MISSING (none is usable) names each with what it lacks. `evidence` (may be NULL) gets a JSON object
 * {"chosen", "transports": [{"name", "usable", "why"}], and where a look was taken "tun" and "looked":
 * [{"what", "found", "follows"}]}, on failure too; "usable" is always for contact. The caller frees it. */
int transport_choose(const struct transport_question *question, enum transport_kind *out,
                     struct json **evidence, struct error *err);
/* Whether it goes by a daemon that is starting: usable, once that was waited for. */
bool transport_is_starting(enum transport_kind kind, const struct tailnet_look *look);
/* The first usable one of the target's own list, for contact. `machine` and `contact` may be NULL. */
int transport_choose_for(const struct target *target, const struct machine *machine,
                         const struct deadline *contact, enum transport_kind *out, struct error *err);
